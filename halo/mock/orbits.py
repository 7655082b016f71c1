"""Draw observed stars from a population's distribution function, in the McMillan (2017) potential.

Positions are proposed along the survey's lines of sight by the population's own density, velocities from a density
close to the distribution function, and each proposal is accepted with a probability proportional to the ratio of
the two. Stars are therefore in equilibrium and selected as the survey selects them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy import units as u
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.ndimage import gaussian_filter

from . import sky as mock_sky
from .model import Disc, Population, Spheroid
from .sky import R_SUN

_CHUNK = 200_000
_CALIBRATION = 50_000
_CALIBRATION_SEED = 20170208  # the bound on the acceptance belongs to the population, not to the user's seed


@dataclass(frozen=True)
class Stars:
    """Stars that the survey could see.

    Attributes
    ----------
    position, velocity : ndarray, shape (n, 3)
        Galactocentric, kpc and km / s.
    M_H, H : ndarray, shape (n,)
        Absolute and apparent magnitude.
    field : ndarray of int, shape (n,)
        Row of `mock_sky.fields()`, -1 for none.
    """

    position: np.ndarray
    velocity: np.ndarray
    M_H: np.ndarray
    H: np.ndarray
    field: np.ndarray

    def __len__(self) -> int:
        return len(self.M_H)

    def take(self, rows: np.ndarray | slice) -> Stars:
        """Return the stars at `rows`."""
        return Stars(self.position[rows], self.velocity[rows], self.M_H[rows], self.H[rows], self.field[rows])


def concatenate(parts: list[Stars]) -> Stars:
    """Return the parts end to end."""
    return Stars(*(np.concatenate([getattr(p, name) for p in parts]) for name in Stars.__dataclass_fields__))


def draw(population: Population, n: int, rng: np.random.Generator, *, dwarf: bool = False) -> Stars:
    """Draw `n` observable stars of a population.

    Parameters
    ----------
    population : Population
    n : int
    rng : numpy.random.Generator
    dwarf : bool
        Nearby dwarfs and subgiants instead of giants.

    Returns
    -------
    Stars
    """
    orbits = population.orbits
    if n == 0:
        return _propose(orbits, 1, rng, dwarf)[0].take(slice(0, 0))
    bound, rate = _calibration(orbits, dwarf)
    parts: list[Stars] = []
    missing = n
    while missing > 0:
        size = int(np.clip(1.15 * missing / rate + 200, 1000, _CHUNK))
        stars, weight = _propose(orbits, size, rng, dwarf)
        kept = np.flatnonzero(rng.random(size) * bound < weight)[:missing]
        parts.append(stars.take(kept))
        missing -= kept.size
    return concatenate(parts)


@cache
def _calibration(orbits: Spheroid | Disc, dwarf: bool) -> tuple[float, float]:
    """Bound on the weight, and the rate of acceptance with it."""
    weight = _propose(orbits, _CALIBRATION, np.random.default_rng(_CALIBRATION_SEED), dwarf)[1]
    # the largest of so many weights is noisy and costly; one in a thousand of the accepted is clipped instead
    order = np.sort(weight)[::-1]
    excess = np.cumsum(order) - order * np.arange(1, order.size + 1)
    bound = order[max(np.searchsorted(excess, 1e-3 * order.sum()) - 1, 0)]
    return float(bound), float(np.minimum(weight / bound, 1).mean())


def _propose(orbits: Spheroid | Disc, n: int, rng: np.random.Generator, dwarf: bool) -> tuple[Stars, np.ndarray]:
    """Propose stars, and their weights: distribution function times selection over proposal density."""
    f = mock_sky.fields()
    edges = mock_sky.distance_edges(dwarf)
    cumulative, density = _sightlines(orbits, dwarf)
    cell = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    field, step = np.divmod(cell, edges.size - 1)
    distance = edges[step] + (edges[1] - edges[0]) * rng.random(n)
    offset = np.radians(f.radius[field]) * np.sqrt(rng.random(n))
    angle = rng.uniform(0, 2 * np.pi, n)
    lat = np.clip(np.radians(f.b[field]) + offset * np.sin(angle), -0.4999 * np.pi, 0.4999 * np.pi)
    lon = (np.radians(f.l[field]) + offset * np.cos(angle) / np.cos(lat)) % (2 * np.pi)

    bright, faint = mock_sky.visible_range(field, distance, lat, dwarf)
    M, luminosity = mock_sky.luminosity_function(dwarf)
    M_H = np.interp(bright + (faint - bright) * rng.random(n), luminosity, M)
    H = M_H + mock_sky.distance_modulus(distance) + mock_sky.extinction_H(distance, lat)
    position = np.column_stack(mock_sky.galactocentric(lon, lat, distance))
    velocity, f_over_q = _propose_velocity(orbits, position, rng)
    seen = distance**2 * (faint - bright) / mock_sky.visibility(dwarf).ravel()[cell]
    return Stars(position, velocity, M_H, H, field), f_over_q / density[cell] * seen


@cache
def _sightlines(orbits: Spheroid | Disc, dwarf: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative expected numbers over (field, distance) cells, and the population's density in each (any one unit)."""
    f = mock_sky.fields()
    edges = mock_sky.distance_edges(dwarf)
    d = 0.5 * (edges[1:] + edges[:-1])
    R, z = mock_sky.cylindrical(np.radians(f.l)[:, None], np.radians(f.b)[:, None], d)
    log_density = _log_density(orbits)
    density = np.exp(log_density.ev(np.log(np.maximum(R, _R_GRID[0])), np.log(np.maximum(np.abs(z), _Z_GRID[0]))))
    rate = (mock_sky.sampling_rate() * f.radius**2)[:, None]
    return np.cumsum(rate * mock_sky.visibility(dwarf) * density), density.ravel()


_R_GRID, _Z_GRID = np.geomspace(0.05, 24, 32), np.geomspace(0.02, 15, 24)


@cache
def _log_density(orbits: Spheroid | Disc) -> RectBivariateSpline:
    """Log density against log R and log |z|: the distribution function integrated over velocity by Monte Carlo.

    Its noise only costs acceptance, since the weights divide by the same number.
    """
    rng = np.random.default_rng(_CALIBRATION_SEED)
    draws = 250
    R, z = (grid.ravel() for grid in np.meshgrid(_R_GRID, _Z_GRID, indexing="ij"))
    position = np.repeat(np.column_stack([R, 0 * R, z]), draws, axis=0)
    density = _propose_velocity(orbits, position, rng)[1].reshape(_R_GRID.size, _Z_GRID.size, draws).mean(axis=2)
    # a floor keeps cells that no velocity reached possible to draw
    smooth = gaussian_filter(np.log(np.maximum(density, 1e-8 * density.max())), 0.7, mode="nearest")
    return RectBivariateSpline(np.log(_R_GRID), np.log(_Z_GRID), smooth, kx=1, ky=1)


def _propose_velocity(
    orbits: Spheroid | Disc, position: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Velocities in km/s, shape (n, 3), and distribution function over proposal density."""
    return _disc(orbits, position, rng) if isinstance(orbits, Disc) else _spheroid(orbits, position, rng)


def _spheroid(orbits: Spheroid, position: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = position.T
    R = np.maximum(np.hypot(x, y), 1e-3)
    r = np.hypot(R, z)
    phi = potential(position)
    n = len(position)
    Lz = rng.normal(orbits.lz_mean, orbits.lz_sigma, n)
    # along theta L_perp is r v_theta; propose that part with the right spread and correct for the rest
    L_theta = rng.normal(orbits.l_perp_mean, orbits.l_perp_sigma, n)
    v_phi, v_theta = Lz / R, L_theta / r
    room = 2 * (min(orbits.E_peak + 8 * orbits.fall, -2e4) - phi) - v_phi**2 - v_theta**2
    v_r_max = np.sqrt(np.maximum(room, 0.0))
    v_r = rng.uniform(-1, 1, n) * v_r_max
    E = phi + 0.5 * (v_r**2 + v_theta**2 + v_phi**2)
    x_E = np.clip(E - orbits.E_peak, -6e5, 6e5)
    f_E = 1 / (np.exp(-x_E / orbits.rise) + np.exp(x_E / orbits.fall))
    L_perp = np.sqrt(L_theta**2 + (z * v_phi) ** 2)
    # what the Gaussian proposal in v_theta did not cover: L_perp has a part from v_phi when the star is off the plane
    correction = np.exp(
        np.clip(
            ((L_theta - orbits.l_perp_mean) ** 2 - (L_perp - orbits.l_perp_mean) ** 2) / (2 * orbits.l_perp_sigma**2),
            -60,
            0,
        )
    )
    weight = f_E * correction * v_r_max / (R * r)
    v_theta *= rng.choice([-1.0, 1.0], n)
    velocity = np.column_stack(
        [
            v_r * x / r + v_theta * x * z / (R * r) + v_phi * y / R,
            v_r * y / r + v_theta * y * z / (R * r) - v_phi * x / R,
            v_r * z / r - v_theta * R / r,
        ]
    )
    return velocity, weight


def _disc(orbits: Disc, position: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y = position[:, 0], position[:, 1]
    R = np.maximum(np.hypot(x, y), 1e-3)
    n = len(position)
    circular = _circular_orbits()
    spread = orbits.sigma_R * np.exp(-(R - R_SUN) / orbits.sigma_length)
    spread_z = orbits.sigma_z * np.exp(-(R - R_SUN) / orbits.sigma_length)
    # a narrow and a wide Gaussian together: the tail of Shu's distribution towards no rotation is long
    width = spread * rng.choice([1.1, 2.2], n, p=[0.7, 0.3])
    centre = circular.v_c(R) - spread**2 / 120.0
    v_R, v_phi = rng.normal(0, width), rng.normal(centre, width)
    v_z = rng.normal(0, 1.3 * spread_z)
    x2 = v_R**2 + (v_phi - centre) ** 2
    q = sum(p / s**2 * np.exp(-x2 / (2 * s**2)) for p, s in ((0.7, 1.1 * spread), (0.3, 2.2 * spread)))
    q = q * np.exp(-(v_z**2) / (2 * (1.3 * spread_z) ** 2)) / spread_z

    Lz = np.clip(R * v_phi, 1.0, None)
    R_g = circular.R_g(Lz)
    growth = np.exp(-(R_g - R_SUN) / orbits.sigma_length)
    sigma_R, sigma_z = orbits.sigma_R * growth, orbits.sigma_z * growth
    phi_plane = potential(np.column_stack([R, np.zeros(n), np.zeros(n)]))
    E_R = phi_plane + 0.5 * (v_R**2 + v_phi**2) - circular.E_c(R_g)
    E_z = potential(position) - phi_plane + 0.5 * v_z**2
    f = circular.omega_over_kappa(R_g) * np.exp(-R_g / orbits.scale_length - E_R / sigma_R**2) / sigma_R**2
    f = f * np.exp(-E_z / sigma_z**2) / sigma_z
    velocity = np.column_stack([v_R * x / R + v_phi * y / R, v_R * y / R - v_phi * x / R, v_z])
    return velocity, np.where(v_phi > 0, f / q, 0.0)


@dataclass(frozen=True)
class _Circular:
    """Circular orbits in the plane as functions of radius (kpc), and the guiding radius of an angular momentum."""

    v_c: CubicSpline
    E_c: CubicSpline
    omega_over_kappa: CubicSpline
    R_g: CubicSpline


@cache
def _circular_orbits() -> _Circular:
    R = np.concatenate([[1e-3], np.linspace(0.02, 80, 6000)])
    phi = CubicSpline(R, potential(np.column_stack([R, 0 * R, 0 * R])))
    v_c = np.sqrt(np.maximum(R * phi(R, 1), 1.0))
    speed = CubicSpline(R, v_c)
    kappa = np.sqrt(np.maximum(2 * (v_c / R) ** 2 * (1 + speed(R, 1) * R / v_c), 1e-6))
    Lz = np.maximum.accumulate(R * v_c + 1e-9 * np.arange(R.size))
    return _Circular(speed, CubicSpline(R, 0.5 * v_c**2 + phi(R)), CubicSpline(R, v_c / R / kappa), CubicSpline(Lz, R))


def potential(position: np.ndarray) -> np.ndarray:
    """Return the potential at positions in kpc, shape (n, 3), in km2 / s2."""
    from ..orbits import kinematics as orbits

    return np.asarray(u.Quantity(orbits.potential(position * u.kpc), u.km**2 / u.s**2).value)
