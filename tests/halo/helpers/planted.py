"""Stars of two chemical populations whose fractions depend on energy: fits with a known answer, and tables for them."""

from functools import cache

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from halonmf.halo.fits.apply import Application
from halonmf.halo.fits.fit import Fit, fit
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.bins import make_bins
from halonmf.halo.mixtures.counts import Mixtures
from halonmf.halo.mixtures.settings import Axis, Chemistry, parse_axes
from halonmf.halo.orbits.frames import to_heliocentric
from halonmf.halo.orbits.kinematics import kinematics
from halonmf.halo.stars.cutflow import CutFlow

E_LOW, E_HIGH = -2.5e5, -1.0e5
TRANSITION, WIDTH = -1.7e5, 0.15e5

SMALL = FitSettings.of(
    selection="all", axes=(Axis("E", 5), Axis("Lz", 5)), chemistry=Chemistry(pixels=20), device="cpu", components=2
)


def accreted_fraction(E):
    """Fraction of the high-energy population at an energy: rises through one half at `TRANSITION`."""
    return 1.0 / (1.0 + np.exp(-(np.asarray(E) - TRANSITION) / WIDTH))


def planted(n=6000, seed=0, *, apart=False):
    """Stars and which of them are of the high-energy population; `apart`: in chemistry that never overlaps."""
    rng = np.random.default_rng(seed)
    E = rng.uniform(E_LOW, E_HIGH, n)
    high = rng.random(n) < accreted_fraction(E)
    table = Table({"E": E, "Lz": rng.uniform(-2000.0, 2000.0, n), "ecc": rng.uniform(0.0, 1.0, n)})
    if apart:
        fe_h, al_fe, mg_fe = (
            np.where(high, rng.uniform(*a, n), rng.uniform(*b, n))
            for a, b in (((-2.0, -1.2), (-0.9, 0.2)), ((-0.4, -0.1), (0.1, 0.4)), ((0.0, 0.2), (0.25, 0.4)))
        )
    else:
        fe_h, al_fe, mg_fe = (
            np.where(high, rng.normal(*a, n), rng.normal(*b, n))
            for a, b in (((-1.2, 0.3), (-0.5, 0.3)), ((-0.2, 0.1), (0.2, 0.1)), ((0.15, 0.06), (0.3, 0.05)))
        )
    table["FE_H"], table["AL_FE"], table["MG_FE"] = fe_h, al_fe, mg_fe
    return table, high


@cache
def planted_fit(loss="frobenius", k=2):
    """The fit of `planted` stars in coarse images, made once and not to be changed."""
    return fit(planted()[0], SMALL.replace(loss=loss, components=k, chemistry=Chemistry(pixels=12)))


def hand_made_fit(H, chemistry, **settings):
    """A fit whose components are given: for what is read off them."""
    H = np.atleast_2d(np.asarray(H, dtype=float))
    k = len(H)
    bins = make_bins(Table({"E": np.linspace(E_LOW, E_HIGH, 9)}), [Axis("E", 3)])
    mixtures = Mixtures(
        np.ones((3, chemistry.n)), bins, chemistry, np.full(3, 3), np.repeat(np.arange(3), 3), np.zeros((9, 1), int)
    )
    return Fit(
        W=np.ones((3, k)),
        H=H / H.sum(axis=1, keepdims=True),
        names=tuple(f"C{i + 1}" for i in range(k)),
        mean_energy=np.linspace(E_LOW, E_HIGH, k),
        mixtures=mixtures,
        settings=SMALL.replace(chemistry=chemistry, components=k, **settings),
        cutflow=CutFlow(9),
        bin_energy=np.linspace(E_LOW, E_HIGH, 3),
        loss=0.0,
        kkt=0.0,
        n_iter=1,
        status="CONVERGED",
        device="cpu",
    )


def hand_made_application(fraction, axes, n_stars=100):
    """An application whose last component has the given fraction in each bin of the axes; NaN makes an empty bin."""
    fraction = np.asarray(fraction, dtype=float).ravel()
    n_stars = np.where(np.isfinite(fraction), np.broadcast_to(n_stars, fraction.shape), 0)
    W = np.nan_to_num(np.stack([1 - fraction, fraction], axis=1)) * n_stars[:, None]
    bins = make_bins(Table({axis.variable: np.zeros(1) for axis in parse_axes(axes)}), parse_axes(axes))
    rows = np.repeat(np.arange(len(fraction)), n_stars)
    mixtures = Mixtures(
        np.ones((len(fraction), 800)), bins, Chemistry(pixels=20), n_stars, rows, np.zeros((len(rows), 2), int)
    )
    converged = np.ones(len(fraction), dtype=bool)
    return Application(W, mixtures, ("LE", "HE"), CutFlow(len(rows)), converged, "CONVERGED", 0.0)


def observed(n=1500, seed=0):
    """`planted` chemistry on orbits as they are observed: sky, distance, motions with errors, and what follows."""
    rng = np.random.default_rng(seed)
    table, high = planted(n, seed)
    R = rng.uniform(2.0, 12.0, n)
    angle, z = rng.uniform(0, 2 * np.pi, n), rng.normal(0.0, 2.0, n)
    position = np.stack([R * np.cos(angle), R * np.sin(angle), z], axis=1) * u.kpc
    speed = np.where(high, 160.0, 70.0)[:, None] * rng.normal(size=(n, 3))
    seen = to_heliocentric(position, speed * (u.km / u.s))
    stars = QTable({name: table[name] for name in ("FE_H", "AL_FE", "MG_FE")})
    for name in ("FE_H", "AL_FE", "MG_FE"):
        stars[f"{name}_ERR"] = rng.uniform(0.01, 0.1, n)
    for name, column in (("RA", seen.ra), ("DEC", seen.dec)):
        stars[name] = column.value * column.unit
    for name, error in (("distance", 0.1 * seen.distance), ("pmra", 0.05), ("pmdec", 0.05), ("radial_velocity", 0.5)):
        found = getattr(seen, name)
        stars[name] = found.value * found.unit
        stars[f"{name}_error"] = np.broadcast_to(getattr(error, "value", error), n) * found.unit
    for i, name in enumerate(("x", "y", "z_gal")):
        stars[name] = position[:, i]
    for i, name in enumerate(("v_x", "v_y", "v_z")):
        stars[name] = speed[:, i] * (u.km / u.s)
    found = kinematics(position, speed * (u.km / u.s), backend="builtin")
    for name in found.colnames:
        stars[name] = found[name]
    return stars[np.isfinite(stars["ecc"]) & (stars["E"].value < 0)]
