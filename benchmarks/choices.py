"""How much the headline numbers move with each choice that the paper leaves open, on the default mock; saved as JSON.

Run with: python benchmarks/choices.py
"""

import argparse
import pathlib
import tempfile

import numpy as np
from record import RESULTS, save
from scipy.interpolate import CubicSpline

from halonmf.halo.checks.choices import fit_choices, profile_choices
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.mock import survey as mock
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.overview import PROFILE_AXES
from halonmf.halo.products.profile import MIN_STARS, profile
from halonmf.halo.survey.prepare import prepare

OUTPUT = RESULTS / "choices.json"
BASE = FitSettings.of(device="cpu")


def fits():
    """Settings of a fit by choice: every alternative to the default but other numbers of components."""
    return grouped([one for one in fit_choices(BASE) if one.choice != "components"], "fit")


def profiles():
    """Keywords of the profile by choice: the fit stays the default."""
    spline = {"spline": {"linear": {"kind": "linear"}, "interpolating cubic": {"kind": "cubic"}}}
    return grouped(profile_choices(), "profile") | spline


def grouped(alternatives, part):
    """Changes of one part of the analysis, by choice and name."""
    made = {}
    for one in alternatives:
        made.setdefault(one.choice, {})[one.name] = one.changes[part]
    return made


def half(found, stars, bins=PROFILE_AXES, min_stars=MIN_STARS, kind="monotone"):
    """Energy at which HE makes up one half, km2 / s2."""
    made = profile(found, stars, parse_axes(bins), min_stars=min_stars)
    if kind == "monotone":
        return made.crossings[0].at[0]
    bins = made.application.mixtures.bins
    x, y = bins.bounds[:, 0].mean(axis=-1), made.application.fractions[:, -1]
    good = made.application.mixtures.n_stars >= min_stars
    fine = np.linspace(*x[good][[0, -1]], 20_001)
    curve = np.interp(fine, x[good], y[good]) if kind == "linear" else CubicSpline(x[good], y[good])(fine)
    return crossings(fine, curve, 0.5)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = mock.make(folder)
        stars = prepare(made.allstar, made.astronn, made.members).table
    base = fit(stars, BASE)
    fraction, at = base.mass_fractions[-1], half(base, stars)
    rows = []

    def row(choice, alternative, other_fraction, other_at):
        rows.append(
            {
                "choice": choice,
                "alternative": alternative,
                "d_fraction": other_fraction - fraction,
                "d_crossing": other_at - at,
            }
        )
        print(
            f"{choice:13} {alternative:22} {100 * rows[-1]['d_fraction']:+.2f} % {rows[-1]['d_crossing'] / 1e5:+.4f}e5"
        )

    for choice, alternatives in fits().items():
        for name, changes in alternatives.items():
            found = fit(stars, BASE.replace(**changes))
            row(choice, name, found.mass_fractions[-1], half(found, stars))
    row("contribution", "mean over bins", base.mean_fractions[-1], at)
    for choice, alternatives in profiles().items():
        for name, changes in alternatives.items():
            row(choice, name, fraction, half(base, stars, **changes))
    figures = {"fraction": float(fraction), "crossing": float(at), "rows": rows}
    save(options.output, figures, "benchmarks/choices.py", {"fit": BASE}, seeds=[1, BASE.seed], device="cpu")


if __name__ == "__main__":
    main()
