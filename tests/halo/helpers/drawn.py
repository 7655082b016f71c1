"""Products made by hand to be drawn, and what a figure shows of them."""

from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.collections import PolyCollection
from matplotlib.legend import Legend

from halonmf.halo.figures import style as look
from halonmf.halo.fits.apply import Application
from halonmf.halo.fits.fit import Fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import Axis, Chemistry
from halonmf.halo.products.boundary import CROSSES, NEVER, TWICE, Boundary
from halonmf.halo.products.profile import Crossing, Profile
from halonmf.halo.stars.cutflow import CutFlow

N = 400
EL = (Axis("E", 4), Axis("Lz", 4))
CROSSINGS = (Crossing(0.5, (-1.7e5,)), Crossing(0.9, ()), Crossing(0.1, ()))
GRID = (Axis("Lz", 6, -2000.0, 2000.0), Axis("E", 5, -3.0e5, -1.0e5))
MACHADO = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
"""Machado, Oliveira & Fernandes (2009, IEEE TVCG 15, 1291), severity 1."""


def make_stars(n=N, seed=1):
    rng = np.random.default_rng(seed)
    return QTable(
        {
            "E": rng.normal(-1.7e5, 2e4, n) * u.km**2 / u.s**2,
            "Lz": rng.normal(0, 500, n) * u.kpc * u.km / u.s,
            "r_sph": rng.uniform(2, 14, n) * u.kpc,
            "FE_H": rng.normal(-1.0, 0.4, n),
            "AL_FE": rng.normal(0.0, 0.2, n),
            "MG_FE": rng.normal(0.2, 0.1, n),
        }
    )


def make_fit(k=2, axes=EL, chemistry=None, empty=False):
    stars = make_stars()
    mixtures = mix(stars, make_bins(stars, axes), chemistry or Chemistry(pixels=6))
    if empty:
        mixtures = replace(mixtures, n_stars=np.r_[0, mixtures.n_stars[1:]])
    rng = np.random.default_rng(2)
    W, H = rng.gamma(1.0, 20.0, (len(mixtures.bins), k)), rng.gamma(0.3, 1.0, (k, mixtures.chemistry.n))
    return Fit(
        W=W,
        H=H / H.sum(axis=1, keepdims=True),
        names=("LE", "HE") if k == 2 else tuple(f"C{i + 1}" for i in range(k)),
        mean_energy=np.linspace(-1.8e5, -1.5e5, k),
        mixtures=mixtures,
        settings=FitSettings.of(components=k, axes=axes),
        cutflow=CutFlow(1000, ("Lz < 0 or e > 0.7",), (1000 - N,)),
        bin_energy=np.zeros(len(mixtures.bins)),
        loss=1.0,
        kkt=0.0,
        n_iter=7,
        status="CONVERGED",
        device="cpu",
    )


def make_application(fit, axes=GRID):
    stars = make_stars()
    mixtures = mix(stars, make_bins(stars, axes), fit.mixtures.chemistry)
    W = np.random.default_rng(3).gamma(1.0, 1.0, (len(mixtures.bins), len(fit.names)))
    W = np.where(mixtures.n_stars[:, None] > 0, W, 0.0)
    return Application(W, mixtures, fit.names, fit.cutflow, np.arange(len(W)) > 0, fit.status, fit.kkt)


def make_boundary(fit):
    E = np.array([np.nan, -1.6e5, -1.7e5, np.nan])
    return Boundary(
        Lz_edges=np.linspace(-2000, 2000, 5),
        E=E,
        smoothed=E,
        n_crossings=np.array([0, 1, 3, 0]),
        status=(NEVER, CROSSES, TWICE, NEVER),
        n_stars=np.full(4, 100),
        level=0.5,
        smoothing=0.0,
        application=make_application(fit),
    )


def make_profile(fit, crossings=CROSSINGS):
    return Profile(make_application(fit, (Axis("E", 8, -2.4e5, -1.2e5),)), crossings)


def every_label(figure):
    return {text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())}


def axes_titled(figure, start):
    (found,) = [axes for axes in figure.axes if axes.get_title().startswith(start)]
    return found


def axes_labelled(figure, y):
    (found,) = [axes for axes in figure.axes if axes.get_ylabel() == y]
    return found


def map_axes(figure):
    """Return the axes of the share map: the only ones with cells in the map's colours."""
    (found,) = [
        axes
        for axes in figure.axes
        if any(isinstance(c, PolyCollection) and c.get_cmap().name == look.FRACTIONS for c in axes.collections)
    ]
    return found


def coloured(axes):
    (found,) = [c for c in axes.collections if c.get_array() is not None]
    return found


def legend_texts(figure):
    legends = [child for axes in figure.axes for child in axes.get_children() if isinstance(child, Legend)]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def lab(rgb):
    """CIE L*a*b* of linear sRGB, D65."""
    xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]] @ np.clip(rgb, 0, 1)
    t = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * t[1] - 16, 500 * (t[0] - t[1]), 200 * (t[1] - t[2])])


def lines_of(axes):
    return [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
