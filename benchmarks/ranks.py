"""How often `select_rank` finds the planted number of components, against the number of stars; saved as JSON.

Run with: python benchmarks/ranks.py [--stars stars.fits] [--cases 1 2 3 4 chemically-pure kinematically-pure]

Of other cases than those asked for, the rows that were saved before are kept: a case takes minutes. With ``--missing``
only the samples that no row was saved of are made.
"""

import argparse
import collections
import json
import pathlib
from functools import partial

import numpy as np
from record import RESULTS, save

import nmfcore
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.stars.catalogue import read_catalogue
from halonmf.halo.stars.selection import choose

# Stars, bins along each axis, pixels along each side.
SAMPLES = (
    *((700, 5, 12), (1500, 5, 12), (3000, 8, 12)),
    *((700, 5, 20), (1500, 5, 20), (3000, 8, 20), (6000, 8, 20), (13000, 8, 20)),
)
REPEATS, SPLITS, STARTS = 20, 5, 4
MORE = 2
"""Numbers of components compared beyond the planted one; of a catalogue, beyond three."""
LIMITS = ((-2.5, 0.7), (-0.6, 0.6), (-0.2, 0.5))
# Mean and scatter of [Fe/H]; [Al/Fe] and [Mg/Fe] at that mean and their slopes; dex. Made up, in the halo's manner.
POPULATIONS = (
    ((-1.2, 0.30), (-0.20, 0.00), (0.18, -0.15)),
    ((-0.6, 0.25), (0.22, 0.10), (0.32, -0.05)),
    ((-0.1, 0.25), (0.05, 0.10), (0.08, -0.20)),
    ((-1.3, 0.35), (0.15, 0.25), (0.33, 0.00)),
)
SCATTER = (0.08, 0.04)


def planted(rank, stars, q, pixels, seed):
    """Draw stars of so many populations in q x q bins; return what `select_rank` takes.

    Every population has most of its stars about one place in energy, and some everywhere; along Lz its share wavers.
    """
    rng = np.random.default_rng([seed, rank, stars])
    row = np.arange(stars) % q**2
    energy, momentum = (row // q + 0.5) / q, (row % q + 0.5) / q
    centres = (np.arange(rank) + 0.5) / rank
    share = np.exp(-0.5 * ((energy[:, None] - centres) / (0.6 / rank)) ** 2) + 0.05
    share *= 1 + 0.5 * np.sin(2 * np.pi * (momentum[:, None] + centres))
    kind = (rng.random((stars, 1)) * share.sum(axis=1, keepdims=True) > share.cumsum(axis=1)).sum(axis=1)
    (fe, fe_scatter), al, mg = (np.array([one[i] for one in POPULATIONS])[kind].T for i in range(3))
    off = fe_scatter * rng.normal(size=stars)
    x = fe + off
    heights = [line[0] + line[1] * off + SCATTER[i] * rng.normal(size=stars) for i, line in enumerate((al, mg))]
    across = pixel(x, LIMITS[0], pixels)
    columns = []
    for plane, (y, limits) in enumerate(zip(heights, LIMITS[1:], strict=True)):
        up = pixel(y, limits, pixels)
        columns.append(np.where((up >= 0) & (across >= 0), (plane * pixels + up) * pixels + across, -1))
    return row, np.stack(columns, axis=1), (q**2, 2 * pixels**2)


def pixel(x, limits, number):
    """Return the pixel of every value, -1 outside."""
    at = np.floor((x - limits[0]) / (limits[1] - limits[0]) * number).astype(int)
    return np.where((at >= 0) & (at < number), at, -1)


def some(path, selection, stars, q, pixels, seed):
    """Return what `select_rank` takes of so many stars of a catalogue, chosen at random."""
    settings = FitSettings.of(selection=selection, bins=f"E:{q},Lz:{q}", pixels=pixels)
    chosen, _ = choose(read_catalogue(path).table, settings.selection)
    if stars > len(chosen):
        return None
    rng = np.random.default_rng([seed, stars])
    found = mix(chosen[rng.permutation(len(chosen))[:stars]], settings.axes, settings.chemistry)
    return found.rows, found.columns, found.V.shape


def tried(make, most):
    """Return how often each number was chosen and was best over the repeats, by either loss."""
    chosen = collections.defaultdict(collections.Counter)
    for seed in range(REPEATS):
        found = nmfcore.select_rank(*make(seed), ranks=range(1, most + 1), splits=SPLITS, starts=STARTS, seed=seed)
        for one in found.by_loss:
            chosen[one.loss, "choice"][one.choice] += 1
            chosen[one.loss, "best"][one.best] += 1
    return [{"loss": loss, "of": of, "chosen": dict(sorted(n.items()))} for (loss, of), n in chosen.items()]


CASES = {str(rank): {"populations": rank} for rank in range(1, 5)}
CASES |= {name: {"selection": name} for name in ("chemically-pure", "kinematically-pure")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stars", type=pathlib.Path)
    parser.add_argument("--cases", nargs="+", choices=CASES)
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "ranks.json")
    options = parser.parse_args()
    asked = options.cases or [name for name in CASES if options.stars or name.isdigit()]
    rows = json.loads(options.output.read_text())["rows"] if options.output.exists() else []
    if not options.missing:
        rows = [row for row in rows if not any(CASES[name].items() <= row.items() for name in asked)]
    settings = {"repeats": REPEATS, "splits": SPLITS, "starts": STARTS, "more": MORE}
    inputs = [options.stars] if options.stars else []

    def place(row):
        case = next(i for i, case in enumerate(CASES.values()) if case.items() <= row.items())
        return case, SAMPLES.index((row["stars"], row["q"], row["pixels"]))

    def keep():
        rows.sort(key=place)
        save(options.output, {"rows": rows}, "benchmarks/ranks.py", settings, inputs=inputs, device="cpu")

    for name in asked:
        make = partial(planted, int(name)) if name.isdigit() else partial(some, options.stars, name)
        most = (int(name) if name.isdigit() else 3) + MORE
        for number, q, pixels in SAMPLES:
            sample = {**CASES[name], "stars": number, "q": q, "pixels": pixels}
            if any(sample.items() <= row.items() for row in rows) or make(number, q, pixels, 0) is None:
                continue
            for one in tried(partial(make, number, q, pixels), most):
                rows.append({**sample, **one})
                print(rows[-1], flush=True)
            keep()
    keep()


if __name__ == "__main__":
    main()
