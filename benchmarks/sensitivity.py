"""How much every choice moves the headline numbers on the default mock, and what that costs; saved as JSON.

Run with: python benchmarks/sensitivity.py
"""

import argparse
import os
import pathlib
import tempfile
import time

from record import RESULTS, save

from halonmf import halo
from halonmf.halo.checks.settings import SensitivitySettings
from halonmf.halo.mock import survey as mock

OUTPUT = RESULTS / "sensitivity.json"
SHOWN = {
    "accreted fraction": (100, "+.2f", " %"), "E at 50 %": (1e-5, "+.4f", ""), "r at 50 %": (1, "+.3f", ""),
    "median FE_H": (1, "+.3f", ""),
}  # fmt: skip
"""Numbers of the table in docs/sensitivity.md: what each is multiplied with, its format, its unit."""
ROWS = {
    "all distances times 0.95, 1.05": {"distance scale": None},
    "potential: MWPotential2014": {"potential": None},
    "eccentricity: integrated orbits": {"eccentricity method": None},
    "log g below 2.0, 2.5": {"log g": ("LOGG < 2", "LOGG < 2.5")},
    "distance below 5, 7 kpc": {"distance limit": ("distance < 5", "distance < 7")},
    "clusters taken out by place and motion": {"cluster threshold": ("none by place and motion",)},
    "ranges of the images": {"ranges": None},
    "nesting: Lz, then E": {"nesting": None},
    "bins: 5 to 12": {"bins": None},
    "pixels: 10 to 60": {"pixels": None},
    "one plane alone": {"planes": None},
    "loss: Kullback-Leibler": {"loss": None},
    "components: 3, 4": {"components": None},
    "limit of eccentricity: 0.65, 0.75": {"eccentricity limit": None},
    "bins of the energy profile: 10 to 40": {"energy bins": None},
    "convergence, start, fewest stars": {"convergence": None, "start": None, "fewest stars": None},
    "with the survey's files: no flags": {"flags": None},
    "with them: clusters by place and motion, members of 0.5 and 0.95, all members kept": {"cluster threshold": None},
}
"""Rows of that table: choices, and which of their alternatives; all where there is None."""


def seconds():
    """CPU seconds of this process and its children so far."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def sentences(saved, scatter):
    """The table of docs/sensitivity.md and what stands around it; `scatter` is that of the accreted fraction."""
    alone, more = (saved["cost"][name] for name in ("stars alone", "with the survey's files"))
    base = " | ".join(f"{saved['base'][name] * x:{form[1:]}}{unit}" for name, (x, form, unit) in SHOWN.items())
    lines = [
        f"({saved['base']['stars']:,.0f} stars of the chemically pure halo)",
        f"It is {alone['rows']} analyses and took {alone['cpu_s']:.0f} s of one processor; {more['rows']} with the "
        f"survey's files took {more['cpu_s']:.0f} s",
        f"| base | | {base} |",
    ]
    for title, choices in ROWS.items():
        rows = [
            row for row in saved["rows"]
            if row["choice"] in choices and row["alternative"] in (choices[row["choice"]] or (row["alternative"],))
        ]  # fmt: skip
        cells = [moved(name, [row["numbers"][name] - saved["base"][name] for row in rows]) for name in SHOWN]
        lines.append(f"| {title} | {len(rows)} | {' | '.join(cells)} |")
    together = saved["together"]
    cells = [moved(name, together["intervals"][name]) for name in SHOWN]
    return [
        *lines,
        f"| together, central {100 * together['coverage']:.0f} % of {together['analyses']} | | {' | '.join(cells)} |",
        f"over mock skies the accreted fraction scatters by {100 * scatter:.2f} %",
    ]


def moved(name, changes):
    """Return the least and the greatest of several changes of a number, the base's own 0 among them; one as it is."""
    times, form, unit = SHOWN[name]
    ends = changes if len(changes) == 1 else (min(0, *changes), max(0, *changes))
    texts = [f"{times * end:{form}}" for end in ends]
    nothing = f"{0:{form}}"
    if all(text.replace("-", "+") == nothing for text in texts):
        return "0"
    return " to ".join(text if end else "0" for text, end in zip(texts, ends, strict=True)) + unit


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = mock.make(folder)
        stars = halo.prepare(made.allstar, made.astronn, made.members)
        files = halo.SurveyFiles(made.allstar, made.astronn, made.members)
        settings = halo.FitSettings.of(device="cpu")
        cost = {}
        for name, survey in (("stars alone", None), ("with the survey's files", files)):
            before, wall = seconds(), time.perf_counter()
            found = halo.sensitivity(stars, settings=settings, survey=survey)
            cost[name] = {"cpu_s": seconds() - before, "wall_s": time.perf_counter() - wall, "rows": len(found.rows)}
            print(name, cost[name])
    print(found.describe())
    print(found.problems())
    seeds = [1, settings.solver.seed, SensitivitySettings.seed]
    save(
        options.output,
        {"cost": cost, **found.record()},
        "benchmarks/sensitivity.py",
        {"fit": settings},
        seeds=seeds,
        device="cpu",
    )


if __name__ == "__main__":
    main()
