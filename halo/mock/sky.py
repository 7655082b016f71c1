"""Where the mock survey looks and what it can see: fields, dust, and the luminosities of its stars.

The layout is a sketch of APOGEE-1 and -2 (Zasowski et al. 2013, 2017; Santana et al. 2021): a grid of bulge fields, a
belt of disc fields and scattered halo fields, in both hemispheres. Fibres are limited, so a dense field has a smaller
part of its giants observed: the sampling rate is the number of fibres over the giants that a smooth model of the
Galaxy puts there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

R_SUN, Z_SUN = 8.122, 0.0208  # kpc, astropy's Galactocentric "v4.0"
MAX_DISTANCE = 14.0
"""Giants are drawn out to this distance, kpc; the distance cut removes those beyond 10 kpc."""
MAX_DWARF_DISTANCE = 2.5
BRIGHT_H = 7.0
_DUST_HEIGHT, _DUST_H_PER_KPC = 0.10, 0.14  # kpc; A_H of 0.14 mag/kpc in the plane is A_V of 0.8 (Marshall et al. 2006)
_TIP_H, _CLUMP_H, _BASE_H = -6.2, -1.61, -0.3  # absolute H of RGB tip, red clump (Hawkins et al. 2017) and log g = 3


@dataclass(frozen=True)
class Fields:
    """The pointings.

    Attributes
    ----------
    l, b, radius : ndarray, shape (n_fields,)
        Galactic coordinates of the centres and radii, deg.
    fibres : ndarray, shape (n_fields,)
        Giants observed at most.
    faint_H : ndarray, shape (n_fields,)
        Faint limit, mag.
    """

    l: np.ndarray  # noqa: E741  Galactic longitude has no other name
    b: np.ndarray
    radius: np.ndarray
    fibres: np.ndarray
    faint_H: np.ndarray


@cache
def fields() -> Fields:
    """Return the fixed set of about 900 fields."""
    bulge = np.array([(lon, lat) for lon in np.arange(-12.5, 13, 2.5) for lat in np.arange(-10, 10.1, 2.5)])
    disc = np.array([(lon, lat) for lon in np.arange(16, 345, 5.0) for lat in (-12, -8, -4, 0, 4, 8, 12)])
    i = np.arange(520)  # a Fibonacci sphere scatters the halo fields evenly
    halo_b = np.degrees(np.arcsin(1 - (2 * i + 1) / i.size))
    halo = np.column_stack([np.degrees(i * np.pi * (3 - np.sqrt(5))) % 360, halo_b])[np.abs(halo_b) > 16]
    centre = np.concatenate([bulge, disc, halo])
    zone = np.repeat([0, 1, 2], [len(bulge), len(disc), len(halo)])
    return Fields(
        l=centre[:, 0] % 360,
        b=centre[:, 1],
        radius=np.array([1.0, 1.4, 1.4])[zone],
        fibres=np.array([250.0, 450.0, 260.0])[zone],
        faint_H=np.array([12.8, 12.5, 12.6])[zone],
    )


@cache
def luminosity_function(dwarf: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return absolute H magnitudes and the cumulative number of stars brighter than each.

    Giants (log g < 3): a branch rising as 10^(0.3 M) from the tip, with 30 % of the stars in the clump. Dwarfs and
    subgiants: M_H of 2.8 +- 1.
    """
    if dwarf:
        M = np.linspace(0.6, 6.0, 541)
        density = np.exp(-0.5 * (M - 2.8) ** 2)
    else:
        M = np.linspace(_TIP_H, _BASE_H, 591)
        branch = 10 ** (0.3 * M)
        clump = np.exp(-0.5 * ((M - _CLUMP_H) / 0.17) ** 2)
        density = 0.7 * branch / branch.sum() + 0.3 * clump / clump.sum()
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return M, cumulative / cumulative[-1]


def visible_range(field: np.ndarray, distance: np.ndarray, b: np.ndarray, dwarf: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the cumulative luminosity function at the bright and the faint limit.

    Their difference is the part of the stars that is seen.

    Parameters
    ----------
    field : ndarray of int
        Rows of `fields()`.
    distance : ndarray
        kpc.
    b : ndarray
        Galactic latitude, rad.
    dwarf : bool
    """
    M, cumulative = luminosity_function(dwarf)
    modulus = distance_modulus(distance) + extinction_H(distance, b)
    return np.interp(BRIGHT_H - modulus, M, cumulative), np.interp(fields().faint_H[field] - modulus, M, cumulative)


def distance_modulus(distance: np.ndarray) -> np.ndarray:
    """Return m - M without extinction, for distances in kpc."""
    return 5 * np.log10(np.maximum(distance, 1e-4) * 100)


def extinction_H(distance: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return A_H in mag of an exponential dust layer, for distances in kpc and latitudes in rad."""
    height = np.maximum(np.abs(distance * np.sin(b)), 1e-6) / _DUST_HEIGHT
    return _DUST_H_PER_KPC * distance * -np.expm1(-height) / height


def distance_edges(dwarf: bool) -> np.ndarray:
    """Return the edges of the distance cells in kpc."""
    return np.linspace(0.0, MAX_DWARF_DISTANCE, 101) if dwarf else np.linspace(0.0, MAX_DISTANCE, 141)


@cache
def visibility(dwarf: bool) -> np.ndarray:
    """Return distance^2 times the part of the stars in range, kpc^2, shape (n_fields, n_cells)."""
    edges = distance_edges(dwarf)
    d = 0.5 * (edges[1:] + edges[:-1])
    field = np.arange(fields().l.size)[:, None]
    bright, faint = visible_range(field, d, np.radians(fields().b)[:, None], dwarf)
    return d**2 * (faint - bright)


@cache
def sampling_rate() -> np.ndarray:
    """Return the part of the giants in each field that gets a fibre, shape (n_fields,).

    Fibres over visible giants, at most one. The visible giants are those of a double exponential disc of 5e5 giants
    per kpc^3 at the Sun (Jahreiss & Wielen 1997) with a bulge.
    """
    f = fields()
    edges = distance_edges(dwarf=False)
    step = edges[1] - edges[0]
    R, z = cylindrical(np.radians(f.l)[:, None], np.radians(f.b)[:, None], edges[:-1] + step / 2)
    thin = np.exp(-(R - R_SUN) / 2.6 - np.abs(z) / 0.3)
    thick = 0.04 * np.exp(-(R - R_SUN) / 2.0 - np.abs(z) / 0.9)
    bulge = 60.0 * np.exp(-np.hypot(R, 2 * z) / 0.7)
    area = np.pi * np.radians(f.radius) ** 2
    giants = 5e5 * area * ((thin + thick + bulge) * visibility(dwarf=False)).sum(axis=1) * step
    return np.minimum(1.0, f.fibres / giants)


def cylindrical(lon: np.ndarray, lat: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Galactocentric R and z in kpc of Galactic coordinates in rad and distances in kpc."""
    x, y, z = galactocentric(lon, lat, distance)
    return np.hypot(x, y), z


def galactocentric(lon: np.ndarray, lat: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Galactocentric x, y, z in kpc; the frame is tilted by the Sun's height."""
    tilt = np.arcsin(Z_SUN / R_SUN)
    x = distance * np.cos(lat) * np.cos(lon) - R_SUN
    y = distance * np.cos(lat) * np.sin(lon)
    z = distance * np.sin(lat)
    return x * np.cos(tilt) + z * np.sin(tilt), y, z * np.cos(tilt) - x * np.sin(tilt)


def surface_gravity(M_H: np.ndarray) -> np.ndarray:
    """Return log g for absolute H: 0.4 at the tip, 2.4 in the clump, 3.0 at the base, 4.6 on the main sequence."""
    return np.interp(M_H, [-6.2, -4.0, -1.6, -0.3, 1.0, 2.5, 6.0], [0.4, 1.35, 2.42, 2.98, 3.5, 4.1, 4.65])


def effective_temperature(log_g: np.ndarray, fe_h: np.ndarray) -> np.ndarray:
    """Return Teff in K: along the giant branch 450 K per dex of log g and 250 K hotter per dex of missing metals."""
    giant = 4720.0 + 450.0 * (log_g - 2.42) - 250.0 * fe_h
    dwarf = np.interp(log_g, [3.0, 3.5, 4.1, 4.4, 4.65], [4980, 5300, 6100, 5500, 4200]) - 150.0 * fe_h
    return np.where(log_g < 3.0, giant, dwarf)
