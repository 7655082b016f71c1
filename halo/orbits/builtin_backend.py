"""Orbits in McMillan (2017), tabulated, and in MWPotential2014: needs nothing beyond NumPy and SciPy."""

import numpy as np

from . import focal, integrate
from .potentials import potential_of
from .staeckel import Extent, staeckel

__all__ = ["extent", "potential"]


def potential(x: np.ndarray, model: str = "mcmillan17") -> np.ndarray:
    """Return the potential, (km/s)^2, at positions in kpc, shape (N, 3)."""
    return potential_of(model).potential(np.hypot(x[:, 0], x[:, 1]), x[:, 2])


def extent(x: np.ndarray, v: np.ndarray, eccentricity: str, model: str = "mcmillan17") -> Extent:
    """Return actions and extent of bound orbits off the axis; kpc and km/s, shapes (N, 3).

    Turning points come from the Staeckel fudge, or with eccentricity "orbit" from the orbits themselves.
    """
    table, focal_length = potential_of(model), focal.focal_length(model)
    R = np.hypot(x[:, 0], x[:, 1])
    v_R = (x[:, 0] * v[:, 0] + x[:, 1] * v[:, 1]) / R
    v_phi = (x[:, 1] * v[:, 0] - x[:, 0] * v[:, 1]) / R
    E = table.potential(R, x[:, 2]) + 0.5 * (v**2).sum(axis=1)
    found = staeckel(table, R, x[:, 2], v_R, v_phi, v[:, 2], focal_length(E, R * v_phi))
    if eccentricity == "staeckel":
        return found
    r_peri, r_apo, z_max = integrate.orbit_extent(table, x, v)
    return Extent(found.J_r, found.J_z, r_peri, r_apo, z_max)
