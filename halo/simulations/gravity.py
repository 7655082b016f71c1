"""The potential of a simulated galaxy from the masses of its own particles: multipoles about its centre and axis.

Phi(r, theta) = -G sum_l P_l(cos theta) [r^-(l+1) A_l(r) + r^l B_l(r)], where A_l sums m r^l P_l over the particles
inside r and B_l sums m r^-(l+1) P_l over those outside (Binney & Tremaine 2008, eq. 2.95, without the terms that depend
on the angle about the axis, and with those of even l alone: symmetric about the axis and the plane).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.special import eval_legendre

from ..errors import InputError
from ..orbits.focal import focal_length_in
from ..orbits.kinematics import AXIS, BOUND
from ..orbits.staeckel import Extent, staeckel

G = 4.30091727e-6
"""Gravitational constant, kpc (km / s)^2 / Msun."""
ORDER = 16
"""Highest l; an infinitely thin disc then has its own potential to 2 %, which is the worst case."""
RADII = (0.05, 2000.0, 320)
"""Least and largest radius of the grid, kpc, and its points, evenly in the logarithm."""
FEWEST = 1000
"""Particles below which no potential is made of them."""
_STRETCH, _POINTS = 0.1, 361  # kpc; steps of 3 % beyond it
_CHUNK = 1_000_000  # particles at a time


@dataclass(frozen=True)
class Multipoles:
    """A potential, symmetric about the z axis and the plane, zero at infinity.

    Attributes
    ----------
    terms : CubicSpline
        Of ln r, shape (..., orders): the factor of each P_l, km2 / s2.
    mass : float
        All of it, Msun.
    n : int
        Particles behind it.
    """

    terms: CubicSpline
    mass: float
    n: int

    def potential(self, x: np.ndarray) -> np.ndarray:
        """Return the potential, km2 / s2, at positions (N, 3) in kpc; constant within the least radius of the grid."""
        r = np.linalg.norm(x, axis=1)
        cosine = np.divide(x[:, 2], r, out=np.zeros(len(r)), where=r > 0)
        terms = self._terms(r)
        return sum(terms[:, i] * eval_legendre(2 * i, cosine) for i in range(terms.shape[1]))

    def spherical(self, r: np.ndarray) -> np.ndarray:
        """Return the mean of the potential over spheres of radius r (kpc), km2 / s2."""
        return self._terms(r)[:, 0]

    def _terms(self, r: np.ndarray) -> np.ndarray:
        low, high, _ = RADII
        inside = np.log(np.clip(r, low, high))
        terms = self.terms(inside)
        far = r > high
        if far.any():  # all the mass is inside
            terms[far] = 0.0
            terms[far, 0] = -G * self.mass / r[far]
        return terms


def multipoles(parts: Iterable[tuple[np.ndarray, np.ndarray]], order: int = ORDER) -> Multipoles:
    """Return the potential of particles.

    Parameters
    ----------
    parts : iterable of (ndarray, shape (N, 3); ndarray, shape (N,))
        Positions from the galaxy's centre, its axis along z (kpc), and masses (Msun); one part after the other, so that
        a snapshot need not fit into the memory.
    order : int
        Highest l; 0 for the spherical average.

    Raises
    ------
    InputError
        Too few particles.
    """
    edges = np.geomspace(*RADII)
    degrees = np.arange(0, order + 1, 2)
    # sums over the particles between the radii of the grid; the first entry is of those inside the least radius
    inner, outer = (np.zeros((len(degrees), len(edges) + 1)) for _ in range(2))
    mass, n = 0.0, 0
    for x, m in _chunks(parts):
        good = np.isfinite(x).all(axis=1) & np.isfinite(m) & (m > 0)
        x, m = x[good], m[good]
        r = np.linalg.norm(x, axis=1)
        cell = np.searchsorted(edges, r, side="right")
        cosine = np.divide(x[:, 2], r, out=np.zeros(len(r)), where=r > 0)
        safe = np.maximum(r, edges[0])
        for i, degree in enumerate(degrees):
            P = m * eval_legendre(degree, cosine)
            inner[i] += np.bincount(cell, weights=P * r**degree, minlength=len(edges) + 1)
            outer[i] += np.bincount(cell, weights=P * safe ** -(degree + 1.0), minlength=len(edges) + 1)
        mass, n = mass + float(m.sum()), n + len(m)
    if n < FEWEST:
        raise InputError(f"{n:,} particles have a mass; {FEWEST:,} are needed for a potential.")
    A = np.cumsum(inner, axis=1)[:, :-1]
    # summed from outside: the terms of the innermost particles are larger than the rest by many powers of ten
    B = np.cumsum(outer[:, :0:-1], axis=1)[:, ::-1]
    powers = degrees[:, None]
    values = -G * (A * edges ** -(powers + 1.0) + B * edges**powers)
    return Multipoles(CubicSpline(np.log(edges), values.T), mass, n)


def _chunks(parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for x, m in parts:
        for start in range(0, len(x), _CHUNK):
            yield x[start : start + _CHUNK], m[start : start + _CHUNK]


@dataclass(frozen=True)
class Tabulated:
    """A potential as a bicubic spline in (asinh(R / s), asinh(|z| / s)); kpc, km/s.

    Attributes
    ----------
    spline : RectBivariateSpline
        Potential, km2 / s2, over the two stretched coordinates.
    mass : float
        Beyond the grid it is that of this mass in the centre, Msun.
    """

    spline: RectBivariateSpline
    mass: float

    def potential(self, R: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the potential, km2 / s2; R, z in kpc."""
        r = np.hypot(R, z)
        near = self.spline.ev(np.arcsinh(R / _STRETCH), np.arcsinh(np.abs(z) / _STRETCH))
        return np.where(r < RADII[1], near, -G * self.mass / np.maximum(r, RADII[1]))

    def gradient(self, R: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives with R and with z, km2 / s2 / kpc."""
        u, w, r = np.arcsinh(R / _STRETCH), np.arcsinh(np.abs(z) / _STRETCH), np.maximum(np.hypot(R, z), RADII[0])
        far, pull = r >= RADII[1], G * self.mass / r**3
        dR = self.spline.ev(u, w, dx=1) / np.hypot(R, _STRETCH)
        dz = np.sign(z) * self.spline.ev(u, w, dy=1) / np.hypot(z, _STRETCH)
        return np.where(far, pull * R, dR), np.where(far, pull * z, dz)


def tabulated(potential: Multipoles) -> Tabulated:
    """Return a potential as a table, which is faster for orbits."""
    u = np.linspace(0.0, np.arcsinh(RADII[1] / _STRETCH), _POINTS)
    x = _STRETCH * np.sinh(u)
    R, z = (grid.ravel() for grid in np.meshgrid(x, x, indexing="ij"))
    phi = potential.potential(np.stack([R, np.zeros_like(R), z], axis=1))
    return Tabulated(RectBivariateSpline(u, u, phi.reshape(len(x), len(x))), potential.mass)


def extent(potential: Tabulated, x: np.ndarray, v: np.ndarray) -> Extent:
    """Return actions and turning points of orbits by the Staeckel fudge, as for McMillan (2017); NaN for unbound ones.

    Parameters
    ----------
    potential : Tabulated
    x, v : ndarray, shape (N, 3)
        kpc and km / s.
    """
    R = np.hypot(x[:, 0], x[:, 1])
    E = potential.potential(R, x[:, 2]) + 0.5 * (v**2).sum(axis=1)
    good = (E < BOUND) & (R > AXIS)
    found = np.full((5, len(x)), np.nan)
    if good.any():
        x, v, R, E = x[good], v[good], R[good], E[good]
        v_R = (x[:, 0] * v[:, 0] + x[:, 1] * v[:, 1]) / R
        v_phi = (x[:, 1] * v[:, 0] - x[:, 0] * v[:, 1]) / R
        Delta = focal_length_in(potential)(E, R * v_phi)
        one = staeckel(potential, R, x[:, 2], v_R, v_phi, v[:, 2], Delta)
        found[:, good] = one.J_r, one.J_z, one.r_peri, one.r_apo, one.z_max
    return Extent(*found)
