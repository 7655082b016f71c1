"""Stars as they might have been measured: abundances, distances and motions scattered by their errors, orbits anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from ..errors import UsageError
from ..stars.variables import CARTESIAN, KINEMATICS, SKY, SKY_ERRORS, parts_of, values

STREAM = 0x5CA77E2
"""Separates the random numbers of measurement errors from others of the same seed."""
NEAREST = 0.1
"""Fraction of its measured distance below which no star is scattered: a distance must stay positive."""
CORRELATION = "pmra_pmdec_corr"
"""The column of the correlation of the errors of proper motions."""
BACKEND = "builtin"
"""Source of the orbits, on every machine the same."""


def require_errors(table: Any, elements: Sequence[str]) -> None:
    """Raise `UsageError` unless the stars have sky positions and motions, and errors of all that is to be scattered."""
    wanted = [*SKY, *SKY_ERRORS, *(f"{name}_ERR" for name in parts_of(elements))]
    missing = [name for name in wanted if name not in table.colnames or not np.isfinite(values(table, name)).any()]
    if missing:
        raise UsageError(
            f"errors = redrawn needs stars with {', '.join(wanted)}; these have no {', '.join(missing)}. Prepare the "
            "catalogue again from files that have them, or leave the errors as they are."
        )


def scatter(table: Any, elements: Sequence[str], seed: int, replicate: int) -> Table:
    """Return the stars of a catalogue with their measurements scattered by their errors, and the orbits that follow.

    Every error is treated as Gaussian, and as independent of the others but for those of the two proper motions, whose
    correlation counts where the table has it (`pmra_pmdec_corr`). A star whose error is not known keeps that
    measurement. Stars that are then unbound, or without an orbit, are left out. The quality cuts are not made again:
    scattering moves stars across them both ways, and the catalogue has only those that passed.

    Parameters
    ----------
    table : Table
        Prepared stars.
    elements : sequence of str
        Abundances to scatter.
    seed, replicate : int
        Select the random numbers.

    Returns
    -------
    Table
        With the columns of the table; other properties of the stars stay as they are.
    """
    from ..orbits import frames
    from ..orbits import kinematics as orbits

    rng = np.random.default_rng([seed, replicate, STREAM])
    out = Table(table, copy=False)
    for name in parts_of(elements):
        out[name] = Column(_scattered(values(table, name), values(table, f"{name}_ERR"), rng))
    sky = {name: values(table, name) for name in SKY}
    normal = {name: rng.standard_normal(len(table)) for name in SKY[2:]}
    if CORRELATION in table.colnames:
        normal["pmdec"] = _correlated(normal["pmra"], normal["pmdec"], table)
    for name, error in zip(SKY[2:], SKY_ERRORS, strict=True):
        sky[name] = sky[name] + _known(values(table, error)) * normal[name]
    sky["distance"] = np.maximum(sky["distance"], NEAREST * values(table, "distance"))
    units = (u.deg, u.deg, u.kpc, u.mas / u.yr, u.mas / u.yr, u.km / u.s)
    position, velocity = frames.to_galactocentric(
        *(u.Quantity(sky[name], unit) for name, unit in zip(SKY, units, strict=True))
    )
    for name, unit in zip(SKY[2:], units[2:], strict=True):
        out[name] = Column(sky[name], unit=unit)
    phase = (*position.to_value(u.kpc).T, *velocity.to_value(u.km / u.s).T)
    for name, x, unit in zip(CARTESIAN, phase, (u.kpc,) * 3 + (u.km / u.s,) * 3, strict=True):
        out[name] = Column(x, unit=unit)
    found = orbits.kinematics(position, velocity, backend=BACKEND)
    for name in KINEMATICS:
        out[name] = Column(np.asarray(found[name].value, dtype=np.float64), unit=found[name].unit)
    orbit = np.logical_and.reduce([np.isfinite(out[name]) for name in KINEMATICS])
    return out[orbit & (np.asarray(out["E"]) < 0)]


def _scattered(x: np.ndarray, error: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x + _known(error) * rng.standard_normal(len(x))


def _known(error: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(error), error, 0.0)


def _correlated(first: np.ndarray, second: np.ndarray, table: Any) -> np.ndarray:
    """Return what turns two independent normal variables into two with the table's correlation, in the second's place.

    Where an error is not known, the other measurement scatters by itself.
    """
    rho = np.clip(_known(values(table, CORRELATION)), -1.0, 1.0)
    both = np.isfinite(values(table, "pmra_error")) & np.isfinite(values(table, "pmdec_error"))
    rho = np.where(both, rho, 0.0)
    return rho * first + np.sqrt(1.0 - rho**2) * second
