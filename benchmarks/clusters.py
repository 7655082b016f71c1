"""Globular clusters: which rows of a mock survey are found to be theirs, and what a boundary says of them.

Run with: python benchmarks/clusters.py [--seed 1] [--rows 60000]; the figures are saved as JSON.
"""

import argparse
import pathlib
import tempfile

import numpy as np
from astropy.table import Table
from record import RESULTS, save

from halonmf import halo
from halonmf.halo.mock.satellites import CLUSTERS
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.mock.survey import make
from halonmf.halo.stars.clusters import members
from halonmf.halo.survey.coordinates import read_orbital

COLUMNS = ("name", "ra", "dec", "distance", "pmra", "pmdec", "radial_velocity")


def found(paths, clean):
    """Return how many of the rows that the list of members removes are found by place and motion, and of the others."""
    stars = halo.prepare(paths.allstar, paths.astronn, None).table
    names, kept = members(stars), np.isin(stars["APOGEE_ID"], clean["APOGEE_ID"])
    return {
        "members": int((~kept).sum()),
        "members_found": int((names[~kept] != "").sum()),
        "others": int(kept.sum()),
        "others_found": int((names[kept] != "").sum()),
    }


def classified(clean, folder):
    """Return what the boundary of the mock's chemically pure halo says of the clusters that are in it."""
    rows = [[getattr(cluster, name) for name in COLUMNS] for cluster in CLUSTERS]
    path = folder / "clusters.csv"
    Table(rows=rows, names=COLUMNS).write(path)
    edge = halo.classifier(halo.fit(clean, device="cpu"), clean)
    orbital = read_orbital(path)
    said = edge.classify(orbital.E, orbital.Lz)
    return said.describe(), [
        {
            **dict(zip(COLUMNS, row, strict=True)),
            "E": float(orbital.E[i]),
            "Lz": float(orbital.Lz[i]),
            **{name: column[i].item() for name, column in said.table().items()},
        }
        for i, row in enumerate(rows)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=MockSettings.seed)
    parser.add_argument("--rows", type=int, default=MockSettings.stars)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "clusters.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        paths = make(folder / "mock", options.rows, options.seed)
        clean = halo.prepare(paths.allstar, paths.astronn, paths.members).table
        line, rows = classified(clean, folder)
        figures = {"found": found(paths, clean), "said": line, "rows": rows}
    print(figures["found"], line, *rows, sep="\n")
    settings = {"seed": options.seed, "rows": options.rows}
    save(options.output, figures, "benchmarks/clusters.py", settings, seeds=[options.seed], device="cpu")


if __name__ == "__main__":
    main()
