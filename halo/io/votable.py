"""VOTables: one table with units, descriptions and UCDs, its metadata and checksum as INFO; digits are kept."""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, QTable, Table

from .columns import UCD
from .hdus import unknown_units

_FIELD = b"<FIELD "
_PRECISION = {"f": "F", "g": "E"}
_FORMAT = re.compile(r"\.(\d+)([fg])")
_MARKUP = re.compile(rb"<!(DOCTYPE|ENTITY)|\x00")
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([^"']+)""")


def to_votable(table: Table, title: str, infos: dict[str, str]) -> bytes:
    """Return a table as a VOTable 1.4.

    Parameters
    ----------
    table : Table or QTable
        Units that VOTables do not know are left out, see `hdus.unknown_units`.
    title : str
        What it is.
    infos : dict of str to str
        By name, what the INFO elements of the table say.
    """
    from astropy.io.votable.tree import Info, VOTableFile

    plain = Table(table, copy=False)
    plain.meta = {}
    for name in unknown_units(plain, "vounit"):
        plain[name].unit = None
    shown = []
    for name in plain.colnames:
        column = plain[name]
        shown.append(_FORMAT.fullmatch(str(column.info.format or "")))
        column.info.format = None
        column.info.meta = {key: x for key, x in (column.info.meta or {}).items() if key == UCD}
        if column.dtype.kind == "S":
            plain[name] = np.char.decode(np.asarray(column), "ascii", "replace")
    file = VOTableFile.from_table(plain)
    made = file.get_first_table()
    made.description = title
    made.infos.extend(Info(name=name, value=value) for name, value in infos.items())
    written = io.BytesIO()
    file.to_xml(written)
    # astropy would cut the digits of the data to the precision that a field has, which is meant for display
    start, *fields = written.getvalue().split(_FIELD)
    precisions = [f'precision="{_PRECISION[match[2]]}{match[1]}" '.encode() if match else b"" for match in shown]
    return start + b"".join(_FIELD + some + rest for some, rest in zip(precisions, fields, strict=True))


def from_votable(data: bytes) -> tuple[QTable, dict[str, str]]:
    """Return the first table of a VOTable, and what its INFO and PARAM elements say.

    Raises
    ------
    ValueError
        It has no table; or it is in another encoding than UTF-8, or declares entities, whose text may fill any memory.
    """
    from astropy.io.votable import parse

    encoding = _ENCODING.match(data)
    if encoding and encoding[1].lower() not in (b"utf-8", b"us-ascii"):
        raise ValueError("it is in another encoding than UTF-8")
    if _MARKUP.search(data):
        raise ValueError("it declares a document type, which VOTables of this software do not")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what changes nothing here
        found = parse(io.BytesIO(data), verify="exception").get_first_table()
        loaded = found.to_table(use_names_over_ids=True)
        for name in loaded.colnames:
            if isinstance(loaded[name], MaskedColumn) and loaded[name].dtype.kind == "f":
                loaded[name] = loaded[name].filled(np.nan)  # the reader masks every NaN
        table = QTable(loaded)
    for field, name in zip(found.fields, table.colnames, strict=True):
        info = table[name].info
        info.meta = {UCD: field.ucd} if field.ucd else {}
        info.format = _format(field.precision, info.dtype)
        if info.dtype is not None and info.dtype.kind == "O":
            table[name] = np.array([str(x) for x in table[name]])
    table.meta = {}
    return table, {str(one.name): str(one.value) for one in (*found.infos, *found.params)}


def _format(precision: str | None, dtype: Any) -> str | None:
    match = re.fullmatch(r"([EF]?)(\d+)", precision or "")
    if match:
        return f".{match[2]}{'g' if match[1] == 'E' else 'f'}"
    return "d" if dtype is not None and dtype.kind in "iu" else None
