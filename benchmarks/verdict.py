"""How often the verdict on a fit is right: fits of mock surveys, good and bad by their truth, and what it says of them.

Run as ``python benchmarks/verdict.py --seeds 31 32 33``; writes benchmarks/results/verdict.json and prints the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from halonmf import halo
from halonmf.halo.errors import HalonmfError
from halonmf.halo.fits.fit import fit_mixtures
from halonmf.halo.fits.measures import in_blocks
from halonmf.halo.fits.verdict import SOUND, UNSOUND, assess
from halonmf.halo.mixtures.counts import count, mix
from halonmf.halo.mock.survey import make
from halonmf.halo.mock.truth import read_truth
from halonmf.halo.progress import silent
from halonmf.halo.stars.clusters import members as in_clusters
from halonmf.halo.stars.clusters import number_by_cluster

SIZES = (1.0, 0.3, 0.1, 0.05, 0.02)
"""Parts of the selected stars that are fitted."""
GRIDS = (("E:8,Lz:8", 50), ("E:8,Lz:8", 20), ("E:5,Lz:5", 20), ("E:3,Lz:3", 10))
CUTS = {"all": (), "low": ("E<-2.0e5",), "high": ("E>-1.45e5",)}
"""Samples of one population nearly alone have components that are not LE and HE."""
GOOD, BAD = (0.10, 0.95), (0.15, 0.90)
"""Largest error of HE's mass fraction and least cosine of a component with its population: of good fits; of bad ones
either is beyond these. What lies between counts as neither."""


def samples(seed: int, folder: Path):
    """Yield a mock survey's stars with and without its cluster members taken out, and their truth."""
    paths = make(folder, 60_000, seed, False, silent, False)
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


def run(seeds: list[int]) -> list[dict]:
    """Return a row for every fit."""
    rows = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as folder:
            for clean, stars, truth in samples(seed, Path(folder)):
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
    judged = [row for row in rows if "word" in row]
    good = [r for r in judged if abs(r["error"]) <= GOOD[0] and r["true_cosine"] >= GOOD[1]]
    bad = [r for r in judged if abs(r["error"]) > BAD[0] or r["true_cosine"] < BAD[1]]
    lines = [f"{len(judged)} fits: {len(good)} good, {len(bad)} bad, {len(judged) - len(good) - len(bad)} between"]
    for name, some in (("good", good), ("bad", bad)):
        words = {word: sum(r["word"] == word for r in some) for word in (SOUND, "doubtful", UNSOUND)}
        lines.append(f"{name}: " + ", ".join(f"{word} {number}" for word, number in words.items()))
    return "\n".join(lines)


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "verdict.json")
    choices = parser.parse_args()
    rows = run(choices.seeds)
    choices.output.write_text(json.dumps({"good": GOOD, "bad": BAD, "fits": rows}, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
