"""How much the headline numbers move with each choice that the paper leaves open, on the default mock; saved as JSON.

Run with: python benchmarks/choices.py
"""

import argparse
import pathlib
import tempfile
from dataclasses import replace

import numpy as np
from record import RESULTS, save
from scipy.interpolate import CubicSpline

from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import DEFAULT_PLANES, DEFAULT_RANGES, Chemistry, parse_axes
from halonmf.halo.mock import survey as mock
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.overview import PROFILE_AXES
from halonmf.halo.products.profile import MIN_STARS, profile
from halonmf.halo.survey.prepare import prepare

OUTPUT = RESULTS / "choices.json"
BASE = FitSettings.of(device="cpu")


def ranges(wider):
    """Images whose ranges reach so much further on either side, in parts of their width."""
    moved = {n: (a - wider * (b - a), b + wider * (b - a)) for n, (a, b) in DEFAULT_RANGES.items()}
    return Chemistry.of(ranges=moved)


def fits():
    """Settings of a fit by choice: every alternative to the default."""
    return {
        "ranges": {f"{100 * x:+.0f} % of the width": {"chemistry": ranges(x)} for x in (-0.05, 0.05, 0.1)},
        "nesting": {"Lz, then E within": {"axes": parse_axes("Lz:8,E:8")}},
        "bins": {f"q = {q}": {"axes": parse_axes(f"E:{q},Lz:{q}")} for q in (5, 6, 7, 9, 10, 12)},
        "pixels": {f"l = {n}": {"chemistry": Chemistry.of(pixels=n)} for n in (10, 20, 30, 40, 60)},
        "planes": {f"{plane} alone": {"chemistry": Chemistry.of(planes=(plane,))} for plane in DEFAULT_PLANES},
        "loss": {"kullback-leibler": {"loss": "kullback-leibler"}},
        "convergence": {"tol = 1e-3": {"tol": 1e-3}, "tol = 1e-7": {"tol": 1e-7}, "mu": {"update": "mu"}},
        "start": {"random": {"init": "random", "starts": 4}, "nndsvdar": {"init": "nndsvdar"}},
        "eccentricity": {f"e > {e:g}": {"min_eccentricity": e} for e in (0.65, 0.75)},
    }


def profiles():
    """Keywords of the profile by choice: the fit stays the default."""
    return {
        "min_stars": {f"{n} stars": {"min_stars": n} for n in (1, 5, 20)},
        "energy_bins": {f"{n} bins": {"axes": f"E:{n}:-2.5e5:-1.0e5"} for n in (10, 15, 30, 40)},
        "spline": {"linear": {"kind": "linear"}, "interpolating cubic": {"kind": "cubic"}},
    }


def half(found, stars, axes=PROFILE_AXES, min_stars=MIN_STARS, kind="monotone"):
    """Energy at which HE makes up one half, km2 / s2."""
    made = profile(found, stars, parse_axes(axes), min_stars=min_stars)
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
    share, at = base.mass_fractions[-1], half(base, stars)
    rows = []

    def row(choice, alternative, other_share, other_at):
        rows.append(
            {"choice": choice, "alternative": alternative, "d_share": other_share - share, "d_crossing": other_at - at}
        )
        print(f"{choice:13} {alternative:22} {100 * rows[-1]['d_share']:+.2f} % {rows[-1]['d_crossing'] / 1e5:+.4f}e5")

    for choice, alternatives in fits().items():
        for name, changes in alternatives.items():
            found = fit(stars, replace(BASE, **changes))
            row(choice, name, found.mass_fractions[-1], half(found, stars))
    row("contribution", "mean over bins", base.mean_fractions[-1], at)
    for choice, alternatives in profiles().items():
        for name, changes in alternatives.items():
            row(choice, name, share, half(base, stars, **changes))
    figures = {"share": float(share), "crossing": float(at), "rows": rows}
    save(options.output, figures, "benchmarks/choices.py", {"fit": BASE}, seeds=[1, BASE.seed], device="cpu")


if __name__ == "__main__":
    main()
