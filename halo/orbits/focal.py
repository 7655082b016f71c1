"""The focal length with which the Staeckel fudge fits an orbit best, tabulated in (E, Lz).

At each energy and angular momentum the orbit with J_r = 0 is a shell: it leaves the plane at R0, meets its
zero-velocity curve at right angles and comes back. In a Staeckel potential the shell is an ellipse of constant u, with
semi-axes R0 and sqrt(R0^2 + Delta^2); the best Delta is that of the ellipse fitted to the shell (Binney 2014;
Vasiliev 2019).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.interpolate import RectBivariateSpline

from .potentials import Potential, potential_of

__all__ = ["FocalLength", "focal_length", "focal_length_in"]

_RADII = np.geomspace(0.1, 30.0, 19)  # kpc, of the circular orbits that set the energies
_CIRCULARITY = np.array([0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.96])  # Lz over that orbit's
_FLOOR = 0.02  # of the radius; beyond 16 kpc the shells are flattened no more and Delta tends to zero
_STEPS = 80
_BISECTIONS, _ITERATIONS = 6, 10


@dataclass(frozen=True)
class FocalLength:
    """Focal length as a function of energy and angular momentum.

    Attributes
    ----------
    ln_radius : ndarray, shape (n,)
        ln of the circular orbits' radii, kpc.
    energies : ndarray, shape (n,)
        Their energies, (km/s)^2, increasing.
    momenta : ndarray, shape (n,)
        ln of their angular momenta, kpc km/s.
    spline : RectBivariateSpline
        Delta, kpc, against ln radius and circularity.
    """

    ln_radius: np.ndarray
    energies: np.ndarray
    momenta: np.ndarray
    spline: RectBivariateSpline

    def __call__(self, E: np.ndarray, Lz: np.ndarray) -> np.ndarray:
        """Return Delta, kpc, for energies in (km/s)^2 and angular momenta in kpc km/s, clipped to the table."""
        s = np.interp(E, self.energies, self.ln_radius)
        circularity = np.abs(Lz) / np.exp(np.interp(s, self.ln_radius, self.momenta))
        Delta = self.spline.ev(s, np.clip(circularity, _CIRCULARITY[0], _CIRCULARITY[-1]))
        return np.maximum(Delta, _FLOOR * np.exp(s))


@cache
def focal_length(model: str = "mcmillan17") -> FocalLength:
    """Return the table for a potential of `settings.POTENTIALS`, made on first use in about a second and kept."""
    return focal_length_in(potential_of(model))


def focal_length_in(potential: Potential) -> FocalLength:
    """Return the table for a potential, in about a second."""
    zero = np.zeros_like(_RADII)
    # particles in place of a model may push outwards near the centre
    v_c = np.sqrt(np.maximum(_RADII * potential.gradient(_RADII, zero)[0], 1.0))
    E = potential.potential(_RADII, zero) + 0.5 * v_c**2
    shape = (len(_RADII), len(_CIRCULARITY))
    E_grid = np.repeat(E, shape[1])
    Lz = np.outer(_RADII * v_c, _CIRCULARITY).ravel()
    duration = np.repeat(3.2 * _RADII / v_c, shape[1])  # twice a quarter of the circular orbit's period
    inner, outer = _launch_bracket(potential, E_grid, Lz)
    v_inner, v_outer = (_rise(potential, E_grid, Lz, R0, duration)[0] for R0 in (inner, outer))
    for i in range(_ITERATIONS):  # bisection, then regula falsi with the Illinois rule
        share = np.full_like(inner, 0.5)
        if i >= _BISECTIONS:
            share = np.clip(v_inner / np.where(v_inner > v_outer, v_inner - v_outer, 1.0), 0.01, 0.99)
        R0 = inner + share * (outer - inner)
        v_R, R, z = _rise(potential, E_grid, Lz, R0, duration)
        outwards = v_R > 0.0
        inner, outer = np.where(outwards, R0, inner), np.where(outwards, outer, R0)
        damping = 0.5 if i >= _BISECTIONS else 1.0
        v_inner, v_outer = np.where(outwards, v_R, damping * v_inner), np.where(outwards, damping * v_outer, v_R)
    weight = 1.0 - (R / R0) ** 2
    size = (weight**2).sum(axis=0)
    # no orbit to launch where noise of the potential lets none rise: there the focal length is the least
    square = np.divide((z**2 * weight).sum(axis=0), size, out=np.zeros_like(size), where=size > 0) - R0**2
    Delta = np.sqrt(np.maximum(square, 0.0)).reshape(shape)
    s = np.log(_RADII)
    return FocalLength(s, E, np.log(_RADII * v_c), RectBivariateSpline(s, _CIRCULARITY, Delta, kx=1, ky=1))


def _launch_bracket(potential: Potential, E: np.ndarray, Lz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return radii of the circular orbit of Lz and of the planar orbit's apocentre, by bisection; kpc."""

    def bisect(low: np.ndarray, high: np.ndarray, above: np.ndarray | None = None) -> np.ndarray:
        for _ in range(50):
            R = np.sqrt(low * high)
            zero = np.zeros_like(R)
            if above is None:
                too_far = R**3 * potential.gradient(R, zero)[0] > Lz**2
            else:
                too_far = potential.potential(R, zero) + 0.5 * (Lz / R) ** 2 > E
            low, high = np.where(too_far, low, R), np.where(too_far, R, high)
        return low

    guiding = bisect(np.full_like(E, 1e-5), np.full_like(E, 1e5))
    return guiding, bisect(guiding, np.full_like(E, 1e5), above=E)


def _rise(
    potential: Potential, E: np.ndarray, Lz: np.ndarray, R0: np.ndarray, duration: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow orbits launched vertically from the plane at R0 to their greatest height.

    Returns
    -------
    v_R : ndarray, shape (N,)
        Radial velocity at the top: positive where R0 lies inside the shell's, negative outside.
    R, z : ndarray, shape (steps taken, N)
        The orbit up to there, kpc; constant after the top.
    """
    v_z0 = np.sqrt(np.maximum(2.0 * (E - potential.potential(R0, np.zeros_like(R0))) - (Lz / R0) ** 2, 0.0))
    state = np.stack([R0, np.zeros_like(R0), np.zeros_like(R0), v_z0])
    dt = duration / _STEPS
    going = np.ones(R0.shape, dtype=bool)
    top = np.zeros_like(R0)
    path_R, path_z = [], []

    def slope(y: np.ndarray) -> np.ndarray:
        dR, dz = potential.gradient(y[0], y[1])
        return np.stack([y[2], y[3], Lz**2 / y[0] ** 3 - dR, -dz])

    for _ in range(_STEPS):
        k1 = slope(state)
        k2 = slope(state + 0.5 * dt * k1)
        k3 = slope(state + 0.5 * dt * k2)
        k4 = slope(state + dt * k3)
        new = state + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        over = going & (new[3] <= 0.0)
        part = state[3] / np.where(state[3] != new[3], state[3] - new[3], 1.0)
        top = np.where(over, state[2] + part * (new[2] - state[2]), top)
        going &= ~over
        state = np.where(going, new, state)
        path_R.append(state[0])
        path_z.append(state[1])
        if not going.any():
            break
    return np.where(going, state[2], top), np.stack(path_R), np.stack(path_z)
