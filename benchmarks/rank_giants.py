"""How many components real giants call for, with and without the stars of the cluster M4 among them; saved as JSON.

Run with: python benchmarks/rank_giants.py ALLSTAR.fits ASTRONN.fits
"""

import argparse
import pathlib

import numpy as np
from record import RESULTS, save

from halonmf.halo.checks.rank import rank
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.survey.prepare import prepare

BINS, PIXELS = "E:5,Lz:5", (12, 20)
M4, RADIUS = (245.897, -26.526), 0.5
"""Position and radius of the cluster, degrees."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs=2, type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "rank_giants.json")
    options = parser.parse_args()
    stars = prepare(*options.files).table
    east = (np.asarray(stars["RA"]) - M4[0]) * np.cos(np.radians(M4[1]))
    far = np.hypot(east, np.asarray(stars["DEC"]) - M4[1]) > RADIUS
    rows = []
    for cluster, sample in ((True, stars), (False, stars[far])):
        for pixels in PIXELS:
            settings = FitSettings.of(selection="chemically-pure", bins=BINS, pixels=pixels, device="cpu")
            found = rank(sample, settings)
            record = {key: found.record()[key] for key in ("choices", "best", "stars", "unseen")}
            rows.append({"cluster": cluster, "pixels": pixels, **record, "rows": found.rows()})
            print({key: value for key, value in rows[-1].items() if key != "rows"})
    settings = {"bins": BINS, "pixels": PIXELS, "selection": "chemically-pure", "centre": M4, "radius": RADIUS}
    figures = {"n_stars": len(stars), "n_cluster": int((~far).sum()), "rows": rows}
    save(options.output, figures, "benchmarks/rank_giants.py", settings, inputs=options.files, device="cpu")


if __name__ == "__main__":
    main()
