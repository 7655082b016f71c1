"""Stars of globular clusters and of the Magellanic Clouds, which the quality cuts are to remove."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u

from ..orbits.frames import to_galactocentric
from . import sky as mock_sky
from .orbits import Stars


@dataclass(frozen=True)
class System:
    """A bound system on the sky: deg, kpc, mas / yr, km / s, dex; `size` (deg) and `sigma_v` (km / s) per dimension."""

    name: str
    ra: float
    dec: float
    distance: float
    pmra: float
    pmdec: float
    radial_velocity: float
    fe_h: float
    share: float
    size: float = 0.08
    sigma_v: float = 6.0


# Vasiliev & Baumgardt (2021), Baumgardt & Vasiliev (2021); [Fe/H] of Harris (1996, 2010 edition); fractions by stars in
# APOGEE
CLUSTERS = (
    System("NGC_104_47Tuc", 6.024, -72.081, 4.52, 5.25, -2.58, -17.5, -0.72, 0.12),
    System("NGC_3201", 154.403, -46.412, 4.74, 8.35, -1.96, 493.7, -1.59, 0.08),
    System("NGC_5139_oCen", 201.697, -47.480, 5.43, -3.25, -6.75, 232.8, -1.53, 0.40, size=0.15, sigma_v=13.0),
    System("NGC_5272_M3", 205.548, 28.377, 10.18, -0.15, -2.67, -147.2, -1.50, 0.08),
    System("NGC_5904_M5", 229.638, 2.081, 7.48, 4.09, -9.87, 53.5, -1.29, 0.08),
    System("NGC_6121_M4", 245.897, -26.526, 1.85, -12.51, -19.02, 71.2, -1.16, 0.06),
    System("NGC_6205_M13", 250.422, 36.460, 7.42, -3.15, -2.57, -244.9, -1.53, 0.06),
    System("NGC_6341_M92", 259.281, 43.136, 8.50, -4.93, -0.63, -120.6, -2.31, 0.03),
    System("NGC_6656_M22", 279.100, -23.905, 3.30, 9.85, -5.61, -148.7, -1.70, 0.05),
    System("NGC_7078_M15", 322.493, 12.167, 10.71, -0.66, -3.80, -106.8, -2.37, 0.04),
)

# Gaia Collaboration, Luri et al. (2021), Pietrzynski et al. (2019), Graczyk et al. (2020); chemistry: Hasselquist et
# al. (2021)
CLOUDS = (
    System("LMC", 80.9, -69.3, 49.6, 1.76, 0.34, 262.0, -0.70, 0.7, size=2.5, sigma_v=25.0),
    System("SMC", 13.2, -72.8, 62.4, 0.80, -1.22, 146.0, -1.00, 0.3, size=1.2, sigma_v=25.0),
)


@dataclass(frozen=True)
class Members:
    """Stars of bound systems with their chemistry; arrays of shape (n,), `system` the row of CLUSTERS or CLOUDS."""

    stars: Stars
    fe_h: np.ndarray
    mg_fe: np.ndarray
    al_fe: np.ndarray
    system: np.ndarray


def draw_clusters(n: int, rng: np.random.Generator) -> Members:
    """Draw cluster giants, half of them rich in aluminium (Meszaros et al. 2020)."""
    system, stars = _draw(CLUSTERS, n, rng, faintest=0.5)
    fe_h = np.array([s.fe_h for s in CLUSTERS])[system] + rng.normal(0, np.where(system == 2, 0.20, 0.04))
    second = rng.random(n) < 0.5
    al_fe = np.where(second, rng.normal(0.55, 0.30, n), rng.normal(-0.05, 0.12, n))
    mg_fe = np.where(second, rng.normal(0.18, 0.10, n), rng.normal(0.30, 0.05, n))
    return Members(stars, fe_h, mg_fe, al_fe, system)


def draw_clouds(n: int, rng: np.random.Generator) -> Members:
    """Draw bright giants of the Magellanic Clouds, low in magnesium and aluminium."""
    system, stars = _draw(CLOUDS, n, rng, faintest=-4.6)
    fe_h = np.array([s.fe_h for s in CLOUDS])[system] + rng.normal(0, 0.25, n)
    mg_fe = np.interp(fe_h, [-2.0, -1.2, -0.4], [0.25, 0.12, 0.02]) + rng.normal(0, 0.05, n)
    al_fe = np.interp(fe_h, [-2.0, -1.2, -0.4], [-0.30, -0.32, -0.30]) + rng.normal(0, 0.08, n)
    return Members(stars, fe_h, mg_fe, al_fe, system)


def _draw(systems: tuple[System, ...], n: int, rng: np.random.Generator, faintest: float) -> tuple[np.ndarray, Stars]:
    share = np.array([s.share for s in systems])
    system = rng.choice(len(systems), size=n, p=share / share.sum())
    # a star must have come into the survey's range of apparent magnitude
    M, cumulative = mock_sky.luminosity_function(dwarf=False)
    distance = np.array([s.distance for s in systems])[system]
    modulus = mock_sky.distance_modulus(distance)
    limits = (np.interp(np.minimum(edge - modulus, faintest), M, cumulative) for edge in (mock_sky.BRIGHT_H, 14.2))
    low, high = limits
    M_H = np.interp(low + (high - low) * rng.random(n), cumulative, M)

    def column(name: str) -> np.ndarray:
        return np.array([getattr(s, name) for s in systems])[system]

    dec = column("dec") + rng.normal(0, column("size"))
    ra = column("ra") + rng.normal(0, column("size")) / np.cos(np.radians(dec))
    spread = column("sigma_v") / (4.74047 * distance)
    position, velocity = to_galactocentric(
        (ra % 360) * u.deg,
        dec * u.deg,
        distance * u.kpc,
        (column("pmra") + rng.normal(0, spread)) * u.mas / u.yr,
        (column("pmdec") + rng.normal(0, spread)) * u.mas / u.yr,
        (column("radial_velocity") + rng.normal(0, column("sigma_v"))) * u.km / u.s,
    )
    stars = Stars(
        position.to_value(u.kpc), velocity.to_value(u.km / u.s), M_H, M_H + modulus, np.full(n, -1, dtype=np.int64)
    )
    return system, stars
