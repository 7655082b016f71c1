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


def seconds():
    """CPU seconds of this process and its children so far."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


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
