"""Aluminium taken from a third of the mock's stars, in three ways: what `missing` makes of fractions.

Run as ``python benchmarks/missing.py --seeds 1 2 3``; writes benchmarks/results/missing.json and prints the table.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from record import RESULTS, save
from transfer import sample

from halonmf import halo
from halonmf.halo.mixtures.settings import MISSING

LOSSES = ("frobenius", "kullback-leibler")
DRAWS = 10
PROFILE = "E:20:-2.5e5:-1.0e5"


def at_random(table):
    """A third, whatever the star."""
    return np.full(len(table), 1 / 3)


def by_metallicity(table):
    """Two thirds of the stars with [Fe/H] below -1, and none of the others."""
    return np.where(np.asarray(table["FE_H"]) < -1.0, 2 / 3, 0.0)


def by_energy(table):
    """From none of the stars of the lowest energy to two thirds of those of the highest."""
    order = np.argsort(np.argsort(np.asarray(table["E"])))
    return 2 / 3 * order / len(table)


WAYS = {"at random": at_random, "by [Fe/H]": by_metallicity, "by energy": by_energy}


def row(table, way, loss, missing, whole, rng):
    """Differences from the fit of all stars, of the fraction and of the profile."""
    some = table.copy()
    some["AL_FE"] = np.where(rng.random(len(some)) < WAYS[way](some), np.nan, some["AL_FE"])
    fit = halo.fit(some, loss=loss, missing=missing)
    profile = halo.profile(fit, some, PROFILE)
    enough = profile.application.mixtures.n_stars >= 30
    gap = (profile.application.fractions - whole[1].application.fractions)[enough, 1]
    return float(fit.accreted_fraction - whole[0].accreted_fraction), float(np.sqrt(np.mean(gap**2)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=None, help="Keep the mocks' stars here.")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for seed in options.seeds:
            table = sample(seed, folder)
            table = table[halo.select(table)[0]]
            for loss in LOSSES:
                fit = halo.fit(table, loss=loss)
                whole = fit, halo.profile(fit, table, PROFILE)
                for way in WAYS:
                    for missing in MISSING:
                        rng = np.random.default_rng(seed)
                        rows = [row(table, way, loss, missing, whole, rng) for _ in range(DRAWS)]
                        found.setdefault(f"{way}, {loss}, {missing}", []).extend(rows)
    settings = {"draws": DRAWS, "profile": PROFILE}
    save(RESULTS / "missing.json", {"rows": found}, "benchmarks/missing.py", settings, seeds=options.seeds)
    print("\n".join(sentences({"rows": found})))


def sentences(saved):
    """The table of docs/transfer.md on missing abundances."""
    lines = []
    for name, rows in saved["rows"].items():
        gap, rms = np.array(rows).T
        cells = " | ".join(name.split(", "))
        lines.append(f"| {cells} | {gap.mean():+.4f} +- {gap.std(ddof=1):.4f} | {rms.mean():.4f} |")
    return lines


if __name__ == "__main__":
    main()
