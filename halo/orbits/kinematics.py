"""Energies, angular momenta, actions and eccentricities of stars, in McMillan (2017) or MWPotential2014.

The easy door is `kinematics`; `potential`, `energy`, `angular_momentum` and `circular_speed` are its cheap parts, fast
enough for millions of points. Prograde is positive: Lz = y v_x - x v_y in the frame of `frames`.
"""

import importlib
from types import ModuleType

import numpy as np
from astropy import units
from astropy.table import QTable

from ..errors import UsageError
from ..progress import Progress, silent
from .convention import own
from .frames import lengths, phase_space
from .mcmillan17 import table
from .potentials import potential_of
from .settings import BACKENDS as BACKENDS
from .settings import ECCENTRICITIES
from .settings import POTENTIALS as POTENTIALS

__all__ = ["BACKENDS", "angular_momentum", "circular_speed", "energy", "kinematics", "orbit_mask", "potential"]

KM_S = units.km / units.s
ENERGY = KM_S**2
ACTION = units.kpc * KM_S


_CHUNK = 20_000  # stars at a time: some 50 MB of work space
BOUND = -50.0
"""Greatest energy of an orbit, km2 / s2: one bound by less turns round beyond 100 Mpc, and backends differ about it."""
AXIS = 1e-6
"""Least R, kpc: closer to the axis, the cylindrical velocities mean nothing."""


def kinematics(
    position: units.Quantity,
    velocity: units.Quantity,
    *,
    backend: str = "auto",
    eccentricity: str = "staeckel",
    model: str = "mcmillan17",
    progress: Progress = silent,
) -> QTable:
    """Return energies, actions and turning points of stars in a potential.

    Parameters
    ----------
    position : Quantity, length, shape (N, 3)
        In the frame of `frames`.
    velocity : Quantity, speed, shape (N, 3)
    backend : {"auto", "agama", "builtin", "galpy"}
        "auto" takes AGAMA where it is installed, else what comes with this package.
    eccentricity : {"staeckel", "orbit"}
        Turning points from the Staeckel fudge, or from integrated orbits, which is closer and some forty times slower
        (docs/orbits.md).
    model : {"mcmillan17", "mwpotential2014"}
        The potential; MWPotential2014 is there in the builtin backend alone, which "auto" then takes.
    progress : callable, optional
        Called as progress("orbits", stars done, stars in all).

    Returns
    -------
    QTable, N rows
        E (km2 / s2), Lz, J_r, J_phi, J_z (kpc km / s), r_peri, r_apo (kpc), ecc, z_max, r_sph, R_cyl (kpc); the backend
        and the eccentricity's source in its meta, with the convention of the energies. Rows outside `orbit_mask` have
        NaN in J_*, r_peri, r_apo, ecc and z_max; E and Lz are still there if position and velocity are.

    Raises
    ------
    UsageError
        No units, units of another kind, shapes other than (N, 3), an unknown or absent backend.
    """
    if eccentricity not in ECCENTRICITIES:
        raise UsageError(f"eccentricity must be one of {', '.join(ECCENTRICITIES)}; got {eccentricity!r}")
    name, engine = find_backend(backend, model)
    other = {} if model == "mcmillan17" else {"model": model}
    x, v = phase_space(position, velocity)
    x[~np.isfinite(x)], v[~np.isfinite(v)] = np.nan, np.nan
    columns = {name: np.full(len(x), np.nan) for name in ("E", "J_r", "J_z", "r_peri", "r_apo", "z_max")}
    Lz = x[:, 1] * v[:, 0] - x[:, 0] * v[:, 1]
    for start in range(0, len(x), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(x)))
        finite = start + np.flatnonzero(np.isfinite(x[part]).all(axis=1) & np.isfinite(v[part]).all(axis=1))
        columns["E"][finite] = engine.potential(x[finite], **other) + 0.5 * (v[finite] ** 2).sum(axis=1)
        rows = start + np.flatnonzero(_mask(x[part], v[part], model))
        if len(rows):
            found = engine.extent(x[rows], v[rows], eccentricity, **other)
            for column in ("J_r", "J_z", "r_peri", "r_apo", "z_max"):
                columns[column][rows] = getattr(found, column)
        progress("orbits", part.stop, len(x))
    valid = np.isfinite(columns["J_r"])
    r_peri, r_apo = columns["r_peri"], columns["r_apo"]
    R = np.hypot(x[:, 0], x[:, 1])
    return QTable(
        {
            "E": columns["E"] * ENERGY,
            "Lz": Lz * ACTION,
            "J_r": columns["J_r"] * ACTION,
            "J_phi": np.where(valid, Lz, np.nan) * ACTION,
            "J_z": columns["J_z"] * ACTION,
            "r_peri": r_peri * units.kpc,
            "r_apo": r_apo * units.kpc,
            "ecc": (r_apo - r_peri) / (r_apo + r_peri) * units.one,
            "z_max": columns["z_max"] * units.kpc,
            "r_sph": np.hypot(R, x[:, 2]) * units.kpc,
            "R_cyl": R * units.kpc,
        },
        meta={"backend": name, "eccentricity": eccentricity, **own(model).record()},
    )


def orbit_mask(position: units.Quantity, velocity: units.Quantity) -> np.ndarray:
    """Return which stars have an orbit to speak of, the same in every backend; bool, shape (N,).

    They have finite entries, are bound and do not sit on the axis x = y = 0.
    """
    return _mask(*phase_space(position, velocity))


def _mask(x: np.ndarray, v: np.ndarray, model: str = "mcmillan17") -> np.ndarray:
    R = np.hypot(x[:, 0], x[:, 1])
    with np.errstate(invalid="ignore", over="ignore"):
        E = potential_of(model).potential(R, x[:, 2]) + 0.5 * (v**2).sum(axis=1)
        return np.isfinite(x).all(axis=1) & np.isfinite(v).all(axis=1) & (R > AXIS) & (E < BOUND)


def find_backend(name: str, model: str = "mcmillan17") -> tuple[str, ModuleType]:
    """Return the name and module that `name` stands for: it has potential(x) and extent(x, v, eccentricity).

    Raises
    ------
    UsageError
        An unknown backend, one that is not installed, or one that has another potential alone.
    """
    if name not in BACKENDS:
        raise UsageError(f"backend must be one of {', '.join(BACKENDS)}; got {name!r}")
    potential_of(model)
    if model != "mcmillan17":
        if name not in ("auto", "builtin"):
            raise UsageError(f"backend {name!r} has McMillan (2017) alone; for {model} use the builtin one.")
        name = "builtin"
    if name == "auto":
        try:
            return find_backend("agama")
        except UsageError:
            return find_backend("builtin")
    try:
        return name, importlib.import_module(f".{name}_backend", __package__)
    except ImportError as error:
        raise UsageError(
            f"backend {name!r} is not installed ({error}); install it with pip install 'halonmf[{name}]', or use the "
            "builtin backend, which needs nothing more"
        ) from error


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


def energy(position: units.Quantity, velocity: units.Quantity, model: str = "mcmillan17") -> units.Quantity:
    """Return the specific energy of each star; negative where bound.

    Parameters
    ----------
    position : Quantity, length, shape (N, 3)
    velocity : Quantity, speed, shape (N, 3)
    model : {"mcmillan17", "mwpotential2014"}
        The potential.

    Returns
    -------
    Quantity, km2 / s2, shape (N,)

    Raises
    ------
    UsageError
        No units, units of another kind, or not of shape (N, 3).
    """
    x, v = phase_space(position, velocity)
    return (potential_of(model).potential(np.hypot(x[:, 0], x[:, 1]), x[:, 2]) + 0.5 * (v**2).sum(axis=1)) * ENERGY


def angular_momentum(position: units.Quantity, velocity: units.Quantity) -> units.Quantity:
    """Return Lz = y v_x - x v_y of each star, prograde positive; kpc km / s, shape (N,)."""
    x, v = phase_space(position, velocity)
    with np.errstate(invalid="ignore"):  # infinite entries
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
