"""Pericentre, apocentre and greatest height by following the orbits themselves.

The time-transformed leapfrog of Mikkola & Aarseth (2002) with Omega = 1 / r: steps in time shrink in proportion to the
radius, so that a plunge through the centre is resolved as well as the apocentre, at one force per step and without
drift of the energy.
"""

import numpy as np

from .mcmillan17 import Table

__all__ = ["orbit_extent"]

_STEP = 0.08  # of the circular orbit's angle, in radians
_PERIODS = 20  # of the circular orbit of equal energy


def orbit_extent(
    potential: Table, x: np.ndarray, v: np.ndarray, periods: int = _PERIODS, step: float = _STEP
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return r_peri, r_apo and z_max, kpc, of bound orbits.

    Parameters
    ----------
    potential : Table
    x : ndarray, kpc, shape (N, 3)
    v : ndarray, km / s, shape (N, 3)
    periods : int
        How many periods of the circular orbit of equal energy to follow.
    step : float
        The step in time, over r and that orbit's speed.

    Notes
    -----
    Against 300 periods followed by AGAMA the defaults put the eccentricity off by 0.006 rms; the few worst (0.1) are
    orbits near a resonance, which need longer to reach their extremes.
    """
    x, v = np.array(x.T), np.array(v.T)
    r = np.sqrt((x**2).sum(axis=0))
    weight = 1.0 / r
    low, high, height = r.copy(), r.copy(), np.abs(x[2])
    E = potential.potential(np.hypot(x[0], x[1]), x[2]) + 0.5 * (v**2).sum(axis=0)
    h = step / _circular_speed(potential, E)
    for _ in range(round(2.0 * np.pi * periods / step)):
        x += 0.5 * h / weight * v
        R = np.hypot(x[0], x[1])
        r = np.hypot(R, x[2])
        dR, dz = potential.gradient(R, x[2])
        pull = dR / R
        kick = h * r * np.stack([-pull * x[0], -pull * x[1], -dz])
        weight -= h / r**2 * (x * (v + 0.5 * kick)).sum(axis=0)
        v += kick
        x += 0.5 * h / weight * v
        np.minimum(low, r, out=low)
        np.maximum(high, r, out=high)
        np.maximum(height, np.abs(x[2]), out=height)
    return low, high, height


def _circular_speed(potential: Table, E: np.ndarray) -> np.ndarray:
    """Return the speed of the circular orbit of each energy, km / s."""
    R = np.geomspace(1e-3, 1e6, 400)
    zero = np.zeros_like(R)
    v_c = np.sqrt(R * potential.gradient(R, zero)[0])
    return np.interp(E, potential.potential(R, zero) + 0.5 * v_c**2, v_c)
