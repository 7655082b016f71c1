"""Tables as extensions of FITS files: what their columns are stands in cards, and checksums cover all of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, Table

from .columns import UCD
from .provenance import now

TCOMM, TUCD = "TCOMM", "TUCD"
"""Cards of a column's description and UCD, as STIL and TOPCAT read them; the standard has none."""
CARD = re.compile(rf"({TCOMM}|{TUCD})([1-9]\d*)")
WIDTHS = {"F": 14, "G": 15, "I": 20}
"""Characters in which numbers are shown."""


def table_hdu(table: Table, name: str = "", header: Iterable[tuple[str, Any, str]] = ()) -> fits.BinTableHDU:
    """Return a table as an extension; its metadata are not in it.

    Parameters
    ----------
    table : Table or QTable
        Text beyond ASCII is escaped; units that FITS does not know are left out, see `unknown_units`.
    name : str
        Of the extension, if it has one.
    header : iterable of (str, object, str)
        Further cards: keyword, value, comment.
    """
    plain = Table(table, copy=False)
    plain.meta = {}
    said = [plain[column].info for column in plain.colnames]
    cards = [(_displayed(one.format), one.description, (one.meta or {}).get(UCD)) for one in said]
    lost = unknown_units(plain)
    for column in plain.colnames:
        info = plain[column].info
        info.format, info.description, info.meta = None, None, {}
        if column in lost:
            plain[column].unit = None
        plain[column] = _storable(plain[column])
    hdu = fits.table_to_hdu(plain)
    if name:
        hdu.name = name
    for number, (shown, text, ucd) in enumerate(cards, start=1):
        after = next(key for key in (f"TUNIT{number}", f"TFORM{number}") if key in hdu.header)
        for key, value in ((f"TDISP{number}", shown), (f"{TCOMM}{number}", text), (f"{TUCD}{number}", ucd)):
            if value:
                hdu.header.set(key, _ascii(value), after=after)
                after = key
    for keyword, value, comment in header:
        hdu.header[keyword] = (value, comment)
    return hdu


def _storable(column: Column) -> Column:
    """Return a column as FITS can hold it, and give back: astropy would alter these in silence."""
    if column.dtype.kind == "U":
        column = type(column)(np.char.encode(np.asarray(column), "ascii", "backslashreplace"), unit=column.unit)
    if column.dtype.kind == "S":  # blanks at the end count for nothing there, and are lost between data and checksum
        return type(column)(np.char.rstrip(np.asarray(column), b" \x00"), unit=column.unit)
    if column.dtype == np.int8:  # which would become truth values
        column = column.astype(np.int16)
    if isinstance(column, MaskedColumn) and column.dtype.kind in "iu":
        column.fill_value = _unused(column)
    return column


def _unused(column: MaskedColumn) -> int:
    """Return a number that a column of integers does not have: it stands where there is none."""
    used, limits = np.unique(column.compressed()), np.iinfo(column.dtype)
    if len(used) == 0 or used[0] > limits.min:
        return int(limits.min)
    gaps = np.flatnonzero(used[1:] != used[:-1] + 1)
    return int(used[gaps[0]] if len(gaps) else used[-1]) + 1


def from_hdu(hdu: fits.BinTableHDU, *, mask_invalid: bool = True) -> QTable:
    """Return the table of an extension, in the machine's byte order, with what its cards say of the columns.

    The metadata hold the other cards, as astropy reads them.

    Parameters
    ----------
    hdu : BinTableHDU
    mask_invalid : bool
        Mask NaN and empty texts.
    """
    table = QTable.read(hdu, character_as_bytes=False, mask_invalid=mask_invalid)
    for name in table.colnames:
        dtype = table[name].dtype
        if not dtype.isnative:
            table[name] = table[name].astype(dtype.newbyteorder("="))
    for key in [key for key in table.meta if CARD.fullmatch(key)]:
        value, (card, number) = str(table.meta.pop(key)), CARD.fullmatch(key).groups()  # type: ignore[union-attr]
        if int(number) > len(table.colnames):
            continue
        info = table[table.colnames[int(number) - 1]].info
        if card == TCOMM:
            info.description = value
        else:
            info.meta = {**(info.meta or {}), UCD: value}
    for number, name in enumerate(table.colnames, start=1):
        table[name].info.format = _format(str(hdu.header.get(f"TDISP{number}", "")))
    return table


def unknown_units(table: Table, form: str = "fits") -> dict[str, str]:
    """Return the units of columns that a format does not know, by column; of `form` "fits" or "vounit"."""
    found = {}
    for name in table.colnames:
        unit = getattr(table[name], "unit", None)
        if unit is not None:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of spellings that are discouraged
                    kept = units.Unit(units.Unit(unit).to_string(form), format=form) == unit
            except (ValueError, TypeError):
                kept = False
            if not kept:
                found[name] = str(unit)
    return found


def write_sealed(hdus: fits.HDUList, file: Any) -> None:
    """Write FITS with checksums to a path or a file, the same bytes whenever SOURCE_DATE_EPOCH is the same."""
    when = now().isoformat(timespec="seconds").removesuffix("+00:00")
    for hdu in hdus:
        hdu.add_checksum(when=f"updated {when}")
    hdus.writeto(file, output_verify="exception")


def _displayed(shown: object) -> str:
    """Return a format of Python as FITS writes it; empty where there is none."""
    match = re.fullmatch(r"\.(\d+)([fg])|(d)", str(shown or ""))
    if match is None:
        return ""
    if match[3]:
        return f"I{WIDTHS['I']}"
    kind = match[2].upper()
    return f"{kind}{WIDTHS[kind]}.{match[1]}"


def _format(shown: str) -> str | None:
    match = re.fullmatch(r"I\d+|([FG])\d+\.(\d+)", shown.strip())
    if match is None:
        return None
    return f".{match[2]}{match[1].lower()}" if match[1] else "d"


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
