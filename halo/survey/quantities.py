"""Columns of a catalogue in the names and units of the conventions page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from ..errors import InputError
from ..io.part import as_unit, same_unit
from ..io.reading import cleaned
from .cells import Cells
from .grammar import Value


def quantity(cells: Cells, key: str, value: Value, unit: str, mapping: Path, *, error: bool = False) -> np.ndarray:
    """Return what an entry of a mapping makes of the columns, in a unit.

    Parameters
    ----------
    cells : Cells
        The catalogue's columns.
    key : str
        The entry, for messages.
    value : Value
    unit : str
        As astropy writes it; empty for none, and then the file's unit does not count.
    mapping : Path
        The mapping file, for messages.
    error : bool
        An uncertainty: zero and below are missing.

    Returns
    -------
    ndarray of float64
        NaN where missing.

    Raises
    ------
    InputError
        A cell that is no number; a unit that cannot be read, or contradicts the file's.
    """

    def read(name: str, *, positive: bool = False) -> np.ndarray:
        found = cells.numbers(name, value.missing, error=positive, sky=key in ("ra", "dec"))
        scale = abs(value.scale) if error else value.scale  # a sign turns round values, not their errors
        return found * (factor(cells, key, name, value, unit, mapping) * scale)

    if value.low:
        limits = [read(name) for name in (value.low, value.high, value.centre) if name]
        found = _half_width(*limits)
        _check_limits(cells, key, value, limits, found, mapping)
    elif value.quadrature:
        found = np.sqrt(sum(read(name, positive=True) ** 2 for name in value.quadrature))
    else:
        found = read(value.column, positive=error and not (value.plus or value.minus))
        for name in value.plus:
            found = found + read(name)
        for name in value.minus:
            found = found - read(name)
    if error:
        found[~(found > 0)] = np.nan
    return found


def _half_width(low: np.ndarray, high: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
    """Return half the difference of two limits; NaN where they are no limits of what lies between them."""
    with np.errstate(invalid="ignore"):
        if centre is None:
            return np.where(high > low, 0.5 * (high - low), np.nan)
        up, down = high - centre, centre - low
        up, down = np.where(np.isfinite(up), up, down), np.where(np.isfinite(down), down, up)
        return np.where((up >= 0) & (down >= 0) & (up + down > 0), 0.5 * (up + down), np.nan)


def _check_limits(
    cells: Cells, key: str, value: Value, limits: list[np.ndarray], found: np.ndarray, mapping: Path
) -> None:
    """Refuse limits that are none in most rows where they are measured, and would leave most stars without an error."""
    measured = np.all(np.isfinite(limits), axis=0)
    none = measured & np.isnan(found) & (limits[0] != limits[1])
    if 2 * np.count_nonzero(none) > np.count_nonzero(measured):
        between = f"{value.low} <= {value.centre} <= {value.high}" if value.centre else f"{value.low} < {value.high}"
        raise InputError(
            f"{cells.path(value.low)}: {key}: {between} does not hold in most rows; low and high may be exchanged in "
            f"{mapping}, or the columns be widths rather than limits."
        )


def factor(cells: Cells, key: str, name: str, value: Value, unit: str, mapping: Path) -> float:
    """Return what a column's values are multiplied by to be in a unit.

    Parameters
    ----------
    cells : Cells
        What was read.
    key : str
        The entry of the mapping, for messages.
    name : str
        The column.
    value : Value
        What the mapping says of it.
    unit : str
        The unit that is wanted; empty for numbers without one.
    mapping : Path
        The mapping file, for messages.

    Raises
    ------
    InputError
        A unit that cannot be read or converted, or one of the mapping that contradicts the file's.
    """
    if not unit:
        return 1.0
    stated = _stated(key, value.unit, unit, mapping) if value.unit else None
    own: Any = as_unit(getattr(cells.columns[name], "unit", None))
    if stated is not None and (own is None or value.overrule or isinstance(own, u.UnrecognizedUnit)):
        return float(stated.to(unit))
    told = f'{key} = {{ column = "{name}", unit = "{unit}", overrule = true }}'
    if isinstance(own, u.UnrecognizedUnit):
        raise InputError(
            f"{cells.path(name)}: the unit of column {name}, {cleaned(repr(str(own)), 60)}, cannot be read; state the "
            f"right one in {mapping}, for example {told}."
        )
    if own is None:
        return 1.0
    if stated is not None and not same_unit(own, stated):
        raise InputError(
            f"{mapping}: {key} is in {stated} by the mapping, in {own} by the file; correct one of them, or add "
            "overrule = true where the file is wrong."
        )
    try:
        return float(own.to(unit))
    except (ValueError, TypeError) as error:  # UnitConversionError is both
        raise InputError(
            f"{cells.path(name)}: {key}: column {name} is in {own} by the file, expected {unit}; another column may be "
            f"meant, or the file is wrong: {told}."
        ) from error


def _stated(key: str, text: str, unit: str, mapping: Path) -> Any:
    found = as_unit(text)
    try:
        if found is None or isinstance(found, u.UnrecognizedUnit):
            raise ValueError(f"{text!r} cannot be read")
        found.to(unit)
    except (ValueError, TypeError) as error:
        raise InputError(f"{mapping}: {key}: bad unit ({cleaned(error, 200)}); expected {unit}.") from error
    return found
