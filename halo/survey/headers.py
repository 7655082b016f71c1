"""What the header of a FITS table says of its columns: which is meant by a name, and in what unit it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy import units as u

from ..errors import InputError
from ..io.fits import FitsTable
from ..io.part import as_unit
from ..io.reading import cleaned

UNITS = {
    **dict.fromkeys(("RA", "DEC"), "deg"),
    **dict.fromkeys(("WEIGHTED_DIST", "WEIGHTED_DIST_ERROR"), "pc"),
    **dict.fromkeys(("PMRA", "PMDEC", "PMRA_ERROR", "PMDEC_ERROR"), "mas / yr"),
    **dict.fromkeys(("VHELIO_AVG", "VERR", "VSCATTER"), "km / s"),
}
"""Units in which columns of APOGEE DR17 are wanted; those of other columns do not count."""


def by_case(table: FitsTable, names: Sequence[str]) -> FitsTable:
    """Return a table whose columns have upper-case keys, where several differ by case alone the one that is meant.

    Parameters
    ----------
    table : FitsTable
    names : sequence of str
        The columns that are read, as the survey spells them: of several that is meant.

    Raises
    ------
    InputError
        Several columns differ by case alone from a name, and none is spelt as it.
    """
    folded = Counter(key.upper() for key in table.columns)
    meant = {}
    for name in names:
        if folded[name.upper()] > 1:
            if name not in table.columns:
                alike = [key for key in table.columns if key.upper() == name.upper()]
                raise InputError(
                    f"{table.path}: column {name} may be any of {cleaned(', '.join(alike), 200)}, which differ by "
                    "case alone; rename or remove all but one."
                )
            meant[name] = name.upper()
    if not meant:
        return table
    taken = set(meant.values())

    def key(old: str) -> str:
        return meant[old] if old in meant else f"{old} (another case)" if old.upper() in taken else old

    fields: Any = table.dtype.fields or {}
    names_ = [key(old) for old in table.dtype.names or ()]
    formats = [fields[old][0] for old in table.dtype.names or ()]
    offsets = [fields[old][1] for old in table.dtype.names or ()]
    layout = {"names": names_, "formats": formats, "offsets": offsets, "itemsize": table.dtype.itemsize}
    columns = {key(old): column for old, column in table.columns.items()}
    return replace(table, columns=columns, dtype=np.dtype(layout))  # type: ignore[call-overload]


def unit_factor(table: FitsTable, name: str) -> float:
    """Return what a column of APOGEE DR17 is multiplied by to be in the unit of `UNITS`.

    Raises
    ------
    InputError
        Its unit cannot be read, or is one of something else.
    """
    own = as_unit(table.columns[name].unit) if name in UNITS else None
    if own is None:
        return 1.0
    remedy = f"correct TUNIT of the column, which is expected in {UNITS[name]}, or name the column by --columns"
    if isinstance(own, u.UnrecognizedUnit):
        raise InputError(
            f"{table.path}: the unit of column {name}, {cleaned(repr(str(own)), 60)}, cannot be read; {remedy}."
        )
    try:
        return float(own.to(UNITS[name]))
    except u.UnitConversionError as error:
        raise InputError(f"{table.path}: column {name} is in {own} by its header; {remedy}.") from error
