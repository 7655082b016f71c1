"""How well components are read as accreted, for every number of them, on mock surveys whose truth is known.

Run as ``python benchmarks/reading.py --seeds 1 2 --mocks mocks/``; writes benchmarks/results/reading.json and prints
the table of docs/recommended.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from record import RESULTS, save

from halonmf import halo
from halonmf.halo.fits.reading import LAST, Reading, mean_abundance
from halonmf.halo.mock.survey import make
from halonmf.halo.mock.truth import MANY_STARS, read_truth, true_fractions
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.profile import MIN_STARS
from halonmf.halo.products.settings import PROFILES
from halonmf.halo.stars.catalogue import read_catalogue, write_catalogue
from halonmf.halo.stars.selection import choose

STARS = 60_000
FITTED = (
    *(("chemically-pure", k) for k in (2, 3, 4, 5, 6)),
    *(("retrograde", k) for k in (3, 4, 5)),
    *(("kinematically-pure", k) for k in (2, 3, 4, 5)),
)
LIMIT = -0.1
"""[Al/Fe] below which stars are often taken for accreted (Belokurov & Kravtsov 2022)."""


def prepared(seed: int, folder: Path):
    """Return the prepared stars of a mock and the path of its truth; made where an earlier run has not left it."""
    stars, truth = folder / f"mock{seed}" / "stars.fits", folder / f"mock{seed}" / "truth.fits"
    if not stars.exists():
        paths = make(stars.parent, STARS, seed, overwrite=True)
        found = halo.prepare(paths.allstar, paths.astronn, paths.members)
        write_catalogue(stars, found.table, found.cutflow, found.provenance, overwrite=True)
    return read_catalogue(stars).table, truth


def rules(fit) -> dict[str, Reading]:
    """Return which components several rules take for accreted."""
    al = mean_abundance(fit.H, fit.mixtures.chemistry, "AL_FE")
    below = tuple(int(j) for j in np.flatnonzero(al < LIMIT))
    steps = np.diff(fit.mean_energy)
    above = tuple(range(int(np.argmax(steps)) + 1, len(al)))
    return {
        "ours": fit.reading,
        "last": Reading(fit.names, LAST),
        "below": Reading(fit.names, below or LAST),
        "energy": Reading(fit.names, above),
    }


def one(stars, truth: Path, seed: int, selection: str, k: int) -> list[dict]:
    """Return what each rule makes of a fit of so many components."""
    fit = halo.fit(stars, selection=selection, components=k, loss="kullback-leibler", pixels=20)
    chosen, _ = choose(stars, fit.settings.selection)
    accreted = read_truth(truth, chosen).accreted
    along, members = halo.apply(fit, stars, PROFILES["E"]), halo.memberships(fit, stars)
    bins, n_stars = along.mixtures.bins, along.mixtures.n_stars
    true, centre = true_fractions(bins, chosen, accreted), bins.bounds[:, 0].mean(axis=-1)

    def half(fraction):
        at = crossings(centre, np.where(n_stars >= MIN_STARS, fraction, np.nan), 0.5)
        return at[0] if len(at) == 1 else np.nan

    rows = []
    for rule, reading in rules(fit).items():
        fraction, P = reading.of(along.fractions), reading.of(members.probability)
        many, known = n_stars > MANY_STARS, np.isfinite(P)
        rows.append(
            {
                "seed": seed, "selection": selection, "components": k, "rule": rule, "accreted": reading.accreted,
                "bias": float(reading.of(fit.mass_fractions) - accreted.mean()),
                "rms": float(np.sqrt(np.mean((fraction - true)[many] ** 2))),
                "crossing": float(half(fraction) - half(true)),
                "brier": float(np.mean((P[known] - accreted[known]) ** 2)),
            }
        )  # fmt: skip
    return rows


def table(rows: list[dict]) -> list[str]:
    """Return the rows of the document's table: means over the seeds, of the last component and of the group."""
    lines = []
    for selection, k in dict.fromkeys((row["selection"], row["components"]) for row in rows):
        cells = []
        for rule in ("last", "ours", "below"):
            of = [r for r in rows if (r["selection"], r["components"], r["rule"]) == (selection, k, rule)]
            bias, brier = (np.mean([r[name] for r in of]) for name in ("bias", "brier"))
            cells.append(f"{bias:+.3f}, {brier:.3f}")
        lines.append(f"| {selection.replace('-', ' ')} | {k} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--mocks", type=Path, help="folder to keep the mocks in")
    parser.add_argument("--output", type=Path, default=RESULTS / "reading.json")
    choices = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in choices.seeds:
            stars, truth = prepared(seed, choices.mocks or Path(temporary))
            for selection, k in FITTED:
                rows += one(stars, truth, seed, selection, k)
                print(json.dumps(rows[-4]), flush=True)
    save(
        choices.output, {"rows": rows}, "benchmarks/reading.py", {"stars": STARS, "fitted": FITTED}, seeds=choices.seeds
    )
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
