"""How well the boundary tells accreted stars from others by their orbits alone, on mock surveys whose truth is known.

Run as ``python benchmarks/classify.py --seeds 1 2 3``; writes benchmarks/results/classify.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from halonmf import halo
from halonmf.halo.mock.survey import make
from halonmf.halo.mock.truth import read_truth
from halonmf.halo.stars.published_line import belokurov_kravtsov

STARS = 60_000


def one(seed: int, components: int, loss: str, pixels: int) -> dict:
    """Return what the boundary of a mock's chemically pure halo says of these stars, and what is true."""
    with tempfile.TemporaryDirectory() as folder:
        paths = make(Path(folder), STARS, seed)
        stars = halo.prepare(paths.allstar, paths.astronn, paths.members).table
        truth = read_truth(paths.truth, stars).accreted
    mask, _ = halo.select(stars)
    chosen, accreted = stars[mask], np.asarray(truth)[mask]
    fit = halo.fit(stars, components=components, loss=loss, pixels=pixels)
    line = halo.classifier(fit, stars)
    E, Lz = (np.asarray(chosen[name].value) for name in ("E", "Lz"))
    found = line.classify(E, Lz)
    bins = np.minimum((found.P_accreted * 10).astype(int), 9)
    number = np.bincount(bins, minlength=10)
    said = np.bincount(bins, found.P_accreted, 10) / np.maximum(number, 1)
    true = np.bincount(bins, accreted, 10) / np.maximum(number, 1)
    return {
        "seed": seed,
        "components": components,
        "loss": loss,
        "pixels": pixels,
        "stars": len(chosen),
        "offset": line.offset.value,
        "interval": [line.offset.lower, line.offset.upper],
        "true_offset": _true_offset(E, Lz, accreted),
        "purity": float(accreted[found.accreted].mean()),
        "completeness": float(found.accreted[accreted].mean()),
        "said": float(found.P_accreted.mean()),
        "true": float(accreted.mean()),
        "calibration_error": float((number * np.abs(said - true)).sum() / number.sum()),
        "brier": float(((found.P_accreted - accreted) ** 2).mean()),
    }


def _true_offset(E: np.ndarray, Lz: np.ndarray, accreted: np.ndarray) -> float:
    # where half of the stars are accreted along the energy above the published line
    from halonmf.halo.products.crossings import crossings

    dE = E - belokurov_kravtsov(Lz)
    edges = np.linspace(-1.0e5, 0.5e5, 21)
    number, of = np.histogram(dE, edges)[0], np.histogram(dE[accreted], edges)[0]
    fraction = np.where(number >= 10, of / np.maximum(number, 1), np.nan)
    at = crossings(0.5 * (edges[:-1] + edges[1:]), fraction, 0.5)
    return float(at[0]) if len(at) == 1 else float("nan")


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "classify.json")
    choices = parser.parse_args()
    rows = []
    for seed in choices.seeds:
        for settings in ((2, "frobenius", 50), (3, "kullback-leibler", 20)):
            rows.append(one(seed, *settings))
            print(json.dumps(rows[-1]), flush=True)
    choices.output.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
