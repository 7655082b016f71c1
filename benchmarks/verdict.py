"""How often the verdict on a fit is right: fits of mock surveys, good and bad by their truth, and what it says.

Run as ``python benchmarks/verdict.py --seeds 33 34 35 36``; writes benchmarks/results/verdict.json and prints
the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from record import RESULTS, save
from truths import populations

from halonmf import halo
from halonmf.halo.errors import HalonmfError
from halonmf.halo.fits.fit import fit_mixtures
from halonmf.halo.fits.measures import in_blocks
from halonmf.halo.fits.verdict import LIMITS, SOUND, UNSOUND, WORDS, assess
from halonmf.halo.mixtures.counts import count, mix
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.mock.survey import make
from halonmf.halo.mock.truth import read_truth
from halonmf.halo.progress import silent
from halonmf.halo.stars.clusters import members as in_clusters
from halonmf.halo.stars.clusters import number_by_cluster

UNSEEN = (35, 36)
"""Seeds that were fitted first when the limits stood."""
SIZES = (1.0, 0.3, 0.1, 0.05, 0.02)
"""Parts of the selected stars that are fitted."""
GRIDS = (("E:8,Lz:8", 50), ("E:8,Lz:8", 20), ("E:5,Lz:5", 20), ("E:3,Lz:3", 10))
CUTS = {"all": (), "low": ("E<-2.0e5",), "high": ("E>-1.45e5",)}
"""Samples of one population nearly alone have components that are not LE and HE."""
GOOD, BAD = (0.10, 0.95), (0.15, 0.90)
"""Largest error of HE's mass fraction and least cosine of a component with its population: of good fits; of bad ones
either is beyond these. What lies between counts as neither."""


def samples(seed: int, folder: Path, model: str):
    """Yield a mock survey's stars with and without its cluster members taken out, and their truth."""
    paths = make(folder, 60_000, seed, False, silent, False, model=model)
    for members in (paths.members, None):
        stars = halo.prepare(paths.allstar, paths.astronn, members).table
        yield members is not None, stars, read_truth(paths.truth, stars)


def outcome(fit, accreted) -> tuple[float, float]:
    """Return the error of HE's mass fraction, and the least cosine of a component with its population's counts."""
    mixtures = fit.mixtures
    images = [
        count(mixtures.rows[some], mixtures.columns[some], mixtures.V.shape).sum(axis=0)
        for some in (~accreted, accreted)
    ]
    true = [image.sum() for image in images]
    if min(true) == 0:
        return 1.0, 0.0
    pixels = mixtures.chemistry.pixels
    cosine = []
    for one, other in zip(fit.H, images, strict=True):
        a, b = (in_blocks(x[None], pixels)[0] for x in (one, other))
        cosine.append(float(a @ b / np.sqrt((a @ a) * (b @ b))))
    return float(fit.mass_fractions[-1] - true[1] / sum(true)), min(cosine)


def run(seeds: list[int], model: str) -> list[dict]:
    """Return a row for every fit."""
    rows = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as folder:
            for clean, stars, truth in samples(seed, Path(folder), model):
                for cut, conditions in CUTS.items():
                    selection = halo.Selection(cuts=conditions)
                    mask, flow = halo.select(stars, selection)
                    chosen, accreted = stars[mask], np.asarray(truth.accreted)[mask]
                    for size in SIZES if clean or cut == "all" else ():
                        some = np.sort(rng.permutation(len(chosen))[: int(size * len(chosen))])
                        for bins, pixels in GRIDS:
                            rows.append(
                                one(chosen[some], accreted[some], flow, selection, bins, pixels)
                                | {"seed": seed, "clean": clean, "cut": cut, "bins": bins, "pixels": pixels}
                            )
                            print(json.dumps(rows[-1]), flush=True)
    return rows


def one(stars, accreted, flow, selection, bins, pixels) -> dict:
    """Return what a fit is like and what is said of it."""
    settings = halo.FitSettings().replace(bins=bins, pixels=pixels, selection=selection)
    try:
        fit = fit_mixtures(mix(stars, settings.axes, settings.chemistry), stars, flow, settings)
        said = assess(replace(fit, clusters=number_by_cluster(in_clusters(stars))))
    except HalonmfError as error:
        return {"stars": len(stars), "refused": str(error)}
    error, cosine = outcome(fit, accreted)
    return {
        "stars": len(stars),
        "error": error,
        "true_cosine": cosine,
        "word": said.word,
        **said.measures,
        "disordered": any("LE and HE mean" in reason for reason in said.reasons),
    }


def table(rows: list[dict]) -> str:
    """Return how good and bad fits were judged."""
    lines = []
    for name, some in kinds(rows).items():
        words = {word: sum(r["word"] == word for r in some) for word in WORDS}
        told = ", ".join(f"{word} {number}" for word, number in words.items())
        lines.append(f"{len(some)} {name}: {told}")
    for measure, (good, bad) in alone(rows).items():
        lines.append(f"{measure} alone: {bad} bad ones {UNSOUND}, {good} good ones")
    return "\n".join(lines)


def alone(rows: list[dict]) -> dict[str, tuple[int, int]]:
    """Return how many good and bad fits each measure, and the order, calls not to be trusted by itself."""
    some = [kinds(rows)[name] for name in ("good", "bad")]
    found = {
        name: tuple(sum(limit.word(r[name]) == UNSOUND for r in each) for each in some)
        for name, limit in LIMITS.items()
        if np.isfinite(limit.unsound)
    }
    return found | {"order": tuple(sum(r["disordered"] for r in each) for each in some)}


def kinds(rows: list[dict]) -> dict[str, list[dict]]:
    """Return the fits that were judged: good ones, bad ones, and those between."""
    judged = [row for row in rows if "word" in row]
    good = [r for r in judged if abs(r["error"]) <= GOOD[0] and r["true_cosine"] >= GOOD[1]]
    bad = [r for r in judged if abs(r["error"]) > BAD[0] or r["true_cosine"] < BAD[1]]
    return {"good": good, "bad": bad, "between": [r for r in judged if r not in good and r not in bad]}


def sentences(found: dict) -> list[str]:
    """How often the verdict is right, in docs/verdict.md."""
    rows = found["fits"]
    groups, by_itself = kinds(rows), alone(rows)
    lines = [
        f"| {len(some)} {name} | " + " | ".join(str(sum(r["word"] == word for r in some)) for word in WORDS) + " |"
        for name, some in groups.items()
    ]
    order = ("gain", "omission", "leverage", "order", "cosine", "stars_per_bin", "counts_per_pixel")
    for i, name in ((1, "bad fits"), (0, "good ones")):
        cells = " | ".join(str(by_itself[measure][i]) for measure in order)
        lines.append(f"| of {len(groups[name.split()[0]])} {name} | {cells} |")
    unseen = kinds([row for row in rows if row["seed"] in UNSEEN])
    alarms = sum(row["word"] == UNSOUND for row in unseen["good"])
    missed = sum(row["word"] != UNSOUND for row in unseen["bad"])
    lines.append(
        f"{alarms} of {len(unseen['good'])} good fits are false alarms, {missed} of {len(unseen['bad'])} bad ones"
    )
    return lines


def fair_sentences(found: dict) -> list[str]:
    """How often it is right on the fair mock, in docs/verdict.md."""
    groups = kinds(found["fits"])
    missed = [r for r in groups["bad"] if r["word"] not in (UNSOUND, SOUND)]
    seen = [r for r in missed if any(LIMITS[name].word(r[name]) != SOUND for name in ("next_gain", "misfit"))]
    errors = [r["error"] for r in missed]
    assert {(r["bins"], r["pixels"]) for r in missed} == {("E:3,Lz:3", 10)}
    lines = [
        f"| {len(some)} {name} | " + " | ".join(str(sum(r["word"] == word for r in some)) for word in WORDS) + " |"
        for name, some in groups.items()
    ]
    return [
        *lines,
        f"All {len(missed)} misses have 3 x 3 bins and 10 pixels",
        f"{min(errors):.2f} to {max(errors):.2f} too high",
        f"For {len(seen)} of them",
    ]


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[33, 34, 35, 36])
    parser.add_argument("--model", default=MockSettings.model, help="mock of the family")
    parser.add_argument("--output", type=Path, default=RESULTS / "verdict.json")
    parser.add_argument("--table", action="store_true", help="print the table of the results that are there")
    choices = parser.parse_args()
    if choices.table:
        rows = json.loads(choices.output.read_text())["fits"]
    else:
        rows = run(choices.seeds, choices.model)
        settings = {"seeds": choices.seeds, "model": choices.model}
        figures = {"populations": populations(choices.model), "good": GOOD, "bad": BAD, "fits": rows}
        save(choices.output, figures, "benchmarks/verdict.py", settings, seeds=choices.seeds)
    print(table(rows))


if __name__ == "__main__":
    main()
