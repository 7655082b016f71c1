"""How well the default fit finds the truth of the mock survey: a table over seeds, saved as JSON.

Run with: python benchmarks/mock_recovery.py [--seeds 1 2 3 4 5] [--oversample 20]
"""

import argparse
import ast
import dataclasses
import pathlib
import tempfile

import numpy as np
from record import RESULTS, ROOT, save

from halonmf.halo.commands import demo
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.io.provenance import settings_sha256
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.mock import survey as mock
from halonmf.halo.mock.expected import expected
from halonmf.halo.mock.truth import Limits, population_images, read_truth, recover, shortfalls, true_fractions
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.profile import MIN_STARS, profile
from halonmf.halo.stars.selection import choose, select
from halonmf.halo.survey.prepare import prepare

OUTPUT = RESULTS / "mock_recovery.json"
SETTINGS = FitSettings.of(device="cpu")
# the modules that decide which stars a mock holds; those that only write its files are not among them
SHAPING = ("populations", "stars", "observe", "orbits", "satellites", "sky", "model", "expected")


def parameters():
    """Everything that the figures depend on, as a hash: the numbers in the mock's modules and the default fit."""
    numbers = {}
    for name in SHAPING:
        tree = ast.parse((ROOT / "halo" / "mock" / f"{name}.py").read_text())
        constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        numbers[name] = [value for value in constants if isinstance(value, int | float)]
    return settings_sha256({"mock": numbers, "fit": SETTINGS, "profile": demo.PROFILE_AXES})


def images(stars, oversample):
    """How each population spreads over the columns of V, from `oversample` surveys."""
    ideal, _ = choose(expected(stars, oversample=oversample), SETTINGS.selection)
    return population_images(SETTINGS.chemistry, ideal)


def true_crossings(stars, is_accreted, axis, level=0.5):
    """Where the true accreted fraction crosses a level along one variable."""
    bins = make_bins(stars, parse_axes(axis))
    inside = bins.assign(stars)
    number = np.bincount(inside[inside >= 0], minlength=len(bins))
    fraction = np.where(number >= MIN_STARS, true_fractions(bins, stars, is_accreted), np.nan)
    return crossings(bins.bounds[:, 0].mean(axis=-1), fraction, level)


def describe(table, truth):
    """Count a mock's samples and say where their true accreted fraction passes a tenth, a half and nine tenths."""
    stars, _ = choose(table, SETTINGS.selection)
    known = read_truth(truth, stars)
    energies = {str(at): true_crossings(stars, known.accreted, demo.PROFILE_AXES, at) for at in (0.1, 0.5, 0.9)}
    places = ("r:10:2:14", "z:10:0:10", "R:10:2:14")
    return {
        "n_clean": len(table),
        "n_chemically_pure": len(stars),
        "n_kinematically_pure": int(select(table, "kinematically-pure")[0].sum()),
        "n_disc": int(np.isin(known.population, ["thin disc", "thick disc"]).sum()),
        "true_fraction": float(known.accreted.mean()),
        "true_crossings_E": energies,
        "true_halves": {axis[0]: true_crossings(stars, known.accreted, axis) for axis in places},
    }


def recovery(seed, stars, spread, folder):
    """Make the mock of a seed, fit it and compare; the recovery and the sample's description."""
    paths = mock.make(folder, n_stars=stars, seed=seed)
    table = prepare(paths.allstar, paths.astronn, paths.members).table
    fitted, axes = fit(table, SETTINGS), parse_axes(demo.PROFILE_AXES)
    found = recover(fitted, table, paths.truth, spread, axes)
    energies = {str(crossing.level): crossing.at for crossing in profile(fitted, table, axes).crossings}
    return found, {**describe(table, paths.truth), "crossings_E": energies}


def line(seed, found):
    half = " / ".join(
        ",".join(f"{x / 1e5:.3f}" for x in at)
        for at in (found.true_crossing, found.crossing, found.noise_free_crossing)
    )
    return (
        f"{seed:4d}  {found.n_stars:5d}  {found.true_fraction:.4f} {found.fraction:.4f} "
        f"{found.noise_free_fraction:.4f}     "
        f"{found.fraction - found.noise_free_fraction:+.4f}  {half:>35s}  {found.rms:.4f}  {found.rms_after_bias:.4f}  "
        f"{'; '.join(shortfalls(found)) or 'within the limits'}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--stars", type=int, default=60_000)
    parser.add_argument("--oversample", type=int, default=20, help="mock surveys that the expected counts come from")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    options = parser.parse_args()
    spread = images(options.stars, options.oversample)
    rows, samples = [], []
    print("seed  stars  true   fit    noise-free  fit-nf   E_50 true / fit / noise-free [1e5]   rms   after bias")
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            found, sample = recovery(seed, options.stars, spread, folder)
        rows.append({"seed": seed, **dataclasses.asdict(found)})
        samples.append({"seed": seed, **sample})
        print(line(seed, found), flush=True)
    figures = {"parameters": parameters(), "limits": dataclasses.asdict(Limits()), "rows": rows, "samples": samples}
    settings = {"seeds": options.seeds, "stars": options.stars, "oversample": options.oversample, "fit": SETTINGS}
    save(options.output, figures, "benchmarks/mock_recovery.py", settings, seeds=options.seeds, device="cpu")


if __name__ == "__main__":
    main()
