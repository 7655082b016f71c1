"""Energies, angular momenta, actions and eccentricities of stars in the potential of McMillan (2017).

The easy door is `kinematics`; `potential`, `energy`, `angular_momentum` and `circular_speed` are its cheap parts, fast
enough for millions of points. Prograde is positive: Lz = y v_x - x v_y in the frame of `frames`.
"""

from collections.abc import Callable

import numpy as np
from astropy import units

from .errors import UsageError
from .frames import lengths, phase_space
from .mcmillan17 import table

__all__ = ["angular_momentum", "circular_speed", "energy", "potential"]

KM_S = units.km / units.s
ENERGY = KM_S**2
ACTION = units.kpc * KM_S

Progress = Callable[[str, int, int], None]


def potential(position: units.Quantity) -> units.Quantity:
    """Return the potential at each position, zero at infinity.

    Parameters
    ----------
    position : Quantity, length, shape (N, 3)

    Returns
    -------
    Quantity, km2 / s2, shape (N,)
        NaN where the position is.

    Raises
    ------
    UsageError
        No units, units of another kind, or not of shape (N, 3).
    """
    x = lengths("position", position)
    return table().potential(np.hypot(x[:, 0], x[:, 1]), x[:, 2]) * ENERGY


def energy(position: units.Quantity, velocity: units.Quantity) -> units.Quantity:
    """Return the specific energy of each star; negative where bound.

    Parameters
    ----------
    position : Quantity, length, shape (N, 3)
    velocity : Quantity, speed, shape (N, 3)

    Returns
    -------
    Quantity, km2 / s2, shape (N,)

    Raises
    ------
    UsageError
        No units, units of another kind, or not of shape (N, 3).
    """
    x, v = phase_space(position, velocity)
    return (table().potential(np.hypot(x[:, 0], x[:, 1]), x[:, 2]) + 0.5 * (v**2).sum(axis=1)) * ENERGY


def angular_momentum(position: units.Quantity, velocity: units.Quantity) -> units.Quantity:
    """Return Lz = y v_x - x v_y of each star, prograde positive; kpc km / s, shape (N,)."""
    x, v = phase_space(position, velocity)
    return (x[:, 1] * v[:, 0] - x[:, 0] * v[:, 1]) * ACTION


def circular_speed(R: units.Quantity) -> units.Quantity:
    """Return the speed of the circular orbit in the plane; km / s, shape of R.

    Parameters
    ----------
    R : Quantity, length
        Cylindrical radius.

    Raises
    ------
    UsageError
        No units, or units of another kind.
    """
    if getattr(R, "unit", None) is None or not R.unit.is_equivalent(units.kpc):
        raise UsageError(f"R must be a Quantity in units such as kpc; got {getattr(R, 'unit', None) or 'no unit'}")
    radius = np.asarray(R.to_value(units.kpc), dtype=np.float64)
    return np.sqrt(radius * table().gradient(radius, np.zeros_like(radius))[0]) * KM_S
