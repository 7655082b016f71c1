"""Zero points between two surveys of one galaxy, planted and found, and what they do to fractions.

Run as ``python benchmarks/transfer.py --seeds 20``; writes benchmarks/results/transfer.json and prints the tables. The
second survey has the mock's true abundances with half as much noise again and the planted zero points: of the same
stars for zero points by common stars (each survey has 70 % of them), of another seed's for those by populations.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from record import RESULTS, save

from halonmf import halo
from halonmf.halo.fits.apply import apply
from halonmf.halo.mock.survey import make
from halonmf.halo.mock.truth_table import true_columns
from halonmf.halo.progress import silent

PLANTED = {"FE_H": 0.02, "AL_FE": 0.05, "MG_FE": -0.03}
NOISE = 1.5
"""Noise of the second survey in units of the first's."""
ROWS = 20_000
PROFILE = "E:20:-2.5e5:-1.0e5"
PART = 0.7
"""Fraction of the stars that either survey has, where they have stars in common."""
REPLICATES = {"common stars": 100, "populations": 30}
DRAWS = 60
"""Draws of the zero points behind intervals of the profile."""
WAYS = ("none", "common stars", "populations")


def sample(seed, folder):
    """Prepared stars of a mock, with their true abundances and origin."""
    known = folder / f"{seed}.fits"
    if not known.exists():
        with tempfile.TemporaryDirectory() as scratch:
            paths = make(scratch, ROWS, seed, False, silent, False, "paper-truth")
            stars = halo.prepare(paths.allstar, paths.astronn, paths.members)
            truth = Path(scratch) / "truth.fits"
            names = ("FE_H", "AL_FE", "MG_FE", "origin")
            for name, column in zip(names, true_columns(truth, stars.table, *names), strict=True):
                stars.table[f"TRUE_{name}"] = column if name != "origin" else np.char.strip(column.astype(str))
            halo.save(known, stars)
    return halo.load(known).table


def second(table, rng, planted):
    """The stars as another survey sees them."""
    seen = table.copy()
    for name, offset in PLANTED.items():
        error = np.asarray(table[f"{name}_ERR"], dtype=float)
        seen[name] = np.asarray(table[f"TRUE_{name}"]) + NOISE * rng.normal(0, error) + planted * offset
        seen[f"{name}_ERR"] = NOISE * error
    seen.meta["survey"] = "second"
    return seen


def account(found):
    """The zero points of a seed, by abundance."""
    return {
        name: {"offset": float(x), "error": float(e), "pull": float((x - PLANTED[name]) / e), "slope": float(slope)}
        for name, x, e, slope in zip(found.names, found.offset, found.error, found.slope, strict=True)
    }


def one(seed, folder):
    """What a seed gives."""
    rng = np.random.default_rng(seed)
    table = sample(seed, folder)
    table.meta["survey"] = "first"
    some, others = (rng.random(len(table)) < PART for _ in range(2))
    common = halo.zeropoints(
        table[some], second(table[others], rng, True), bootstrap=REPLICATES["common stars"], seed=seed
    )
    fit = halo.fit(table)
    elsewhere = sample(seed + 1, folder)
    noise = int(rng.integers(2**31))
    moved, unmoved = (second(elsewhere, np.random.default_rng(noise), planted) for planted in (True, False))
    overlap = halo.zeropoints(fit, moved, bootstrap=REPLICATES["populations"], seed=seed)
    aim = apply(fit, unmoved, PROFILE, zeropoints="none")
    enough = aim.mixtures.n_stars >= 10
    chosen, _ = halo.select(unmoved)
    row = {
        "seed": seed,
        "common stars": account(common),
        "populations": account(overlap),
        "fraction": {"true": float((np.asarray(elsewhere["TRUE_origin"])[chosen] == "accreted").mean())},
        "rms": {},
        "covered": {},
    }
    row["fraction"]["no zero points planted"] = total(aim)
    for way, given in zip(WAYS, ("none", common, overlap), strict=True):
        there = apply(fit, moved, PROFILE, zeropoints=given, draws=DRAWS, seed=seed)
        difference = (there.fractions - aim.fractions)[enough, 1]
        row["fraction"][way] = total(there)
        row["rms"][way] = float(np.sqrt(np.mean(difference**2)))
        if there.drawn is not None:
            low, high = there.interval()
            inside = (low <= aim.fractions) & (aim.fractions <= high)
            row["covered"][way] = float(inside[enough, 1].mean())
    return row


def total(found):
    """Mass fraction of HE over the bins."""
    return float(found.W[:, 1].sum() / found.W.sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=None, help="Keep the mocks' stars here.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for seed in range(1, options.seeds + 1):
            known = folder / f"{seed}.json"  # an interrupted run goes on where it was
            if not known.exists():
                known.write_text(json.dumps(one(seed, folder)))
            rows.append(json.loads(known.read_text()))
            print(f"seed {seed}", flush=True)
    settings = {"planted": PLANTED, "noise": NOISE, "rows": ROWS, "part": PART, "replicates": REPLICATES}
    save(RESULTS / "transfer.json", {"rows": rows}, "benchmarks/transfer.py", settings, seeds=range(1, len(rows) + 1))
    print("\n".join(sentences({"rows": rows})))


def sentences(saved):
    """The tables of docs/transfer.md on zero points, and what stands below them."""
    rows = saved["rows"]
    lines = [f"Over {len(rows)} seeds"]
    for way in WAYS[1:]:
        for name, planted in PLANTED.items():
            x, e, pull = (np.array([row[way][name][key] for row in rows]) for key in ("offset", "error", "pull"))
            lines.append(
                f"| {way} | {name} | {planted:+.2f} | {x.mean():+.4f} +- {x.std(ddof=1):.4f} | {e.mean():.4f} | "
                f"{pull.mean():+.2f} | {np.sqrt((pull**2).mean()):.2f} | {(np.abs(pull) < 1).sum()} of {len(pull)} |"
            )
    aim = np.array([row["fraction"]["no zero points planted"] for row in rows])
    lines.append(f"| no zero points planted | {aim.mean():.4f} | | | |")
    for way in WAYS:
        x = np.array([row["fraction"][way] for row in rows])
        rms = np.mean([row["rms"][way] for row in rows])
        covered = [row["covered"][way] for row in rows if way in row["covered"]]
        said = f"{np.mean(covered):.2f}" if covered else ""
        gap = x - aim
        both = f"{gap.mean():+.4f}, {np.sqrt((gap**2).mean()):.4f}"
        lines.append(" ".join(f"| {way} | {x.mean():.4f} | {both} | {rms:.4f} | {said} |".split()))
    true = np.mean([row["fraction"]["true"] for row in rows])
    return [*lines, f"The true accreted fraction of those stars is {true:.4f}"]


if __name__ == "__main__":
    main()
