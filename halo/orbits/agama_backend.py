"""The same quantities by AGAMA (Vasiliev 2019), the library of Davies et al.; this is the only import of it.

AGAMA keeps its units in one global setting, which the first use of this module sets to kpc, km/s and Msun: in any other
units McMillan17.ini would silently be read as another galaxy.
"""

import warnings
from functools import cache
from pathlib import Path

import agama
import numpy as np

from . import builtin_backend
from .staeckel import Extent

__all__ = ["extent", "potential"]

_PERIODS = 20  # of the circular orbit of equal energy
_BATCH = 500  # orbits at a time: some 50 MB of trajectories


@cache
def _model() -> tuple["agama.Potential", "agama.ActionFinder"]:
    """Return McMillan (2017) as AGAMA ships it, and the action finder that does not interpolate."""
    agama.setUnits(length=1, velocity=1, mass=1)
    found = agama.Potential(str(Path(agama.__file__).parent / "data" / "McMillan17.ini"))
    return found, agama.ActionFinder(found, interp=False)


def potential(x: np.ndarray) -> np.ndarray:
    """Return the potential, (km/s)^2, at positions in kpc, shape (N, 3)."""
    return np.asarray(_model()[0].potential(x)).reshape(len(x))


def extent(x: np.ndarray, v: np.ndarray, eccentricity: str) -> Extent:
    """Return actions and extent of bound orbits off the axis; kpc and km/s, shapes (N, 3).

    AGAMA's action finder does not return turning points, so without orbits they come from this package's own fudge,
    which agrees with its actions to 0.1 % of their sum.
    """
    J_r, J_z, _ = _model()[1](np.concatenate([x, v], axis=1)).T
    if eccentricity == "orbit":
        parts = [_orbit_extent(x[i : i + _BATCH], v[i : i + _BATCH]) for i in range(0, len(x), _BATCH)]
        r_peri, r_apo, z_max = np.concatenate(parts, axis=1)
    else:
        fudge = builtin_backend.extent(x, v, "staeckel")
        r_peri, r_apo, z_max = fudge.r_peri, fudge.r_apo, fudge.z_max
    return Extent(J_r, J_z, r_peri, r_apo, z_max)


def _orbit_extent(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return r_peri, r_apo and z_max of integrated orbits, kpc, shape (3, N)."""
    model = _model()[0]
    start = np.concatenate([x, v], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it warns of a new layout of its result; both are read below
        orbits = agama.orbit(
            potential=model,
            ic=start,
            time=_PERIODS * model.Tcirc(start),
            trajsize=0,  # every step of the integrator, so that pericentres are resolved
            dtype=np.float64,
            verbose=False,
        )
    if isinstance(orbits, tuple):  # all times, all paths
        orbits = list(zip(*orbits, strict=True))
    found = np.empty((3, len(x)))
    for i, (time, path) in enumerate(orbits):
        r2 = (path[:, :3] ** 2).sum(axis=1)
        slope = 2.0 * (path[:, :3] * path[:, 3:]).sum(axis=1)
        turns = _hermite_extremes(time, r2, slope)
        low, high = min(r2.min(), turns.min(initial=np.inf)), max(r2.max(), turns.max(initial=0.0))
        found[:, i] = np.sqrt(max(low, 0.0)), np.sqrt(high), np.abs(path[:, 2]).max()
    return found


def _hermite_extremes(time: np.ndarray, value: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return a cubic's values where it turns round between samples that rise and samples that fall."""
    k = np.flatnonzero(slope[:-1] * slope[1:] < 0.0)
    h = time[k + 1] - time[k]
    a, b, rise = h * slope[k], h * slope[k + 1], value[k + 1] - value[k]
    c3, c2 = a + b - 2.0 * rise, 3.0 * rise - 2.0 * a - b
    # of the two roots of 3 c3 t^2 + 2 c2 t + a the one in (0, 1), in the form that does not cancel
    root = np.sqrt(np.maximum(c2**2 - 3.0 * c3 * a, 0.0))
    t = -a / (c2 + np.where(a > 0.0, -root, root))
    return value[k] + t * (a + t * (c2 + t * c3))
