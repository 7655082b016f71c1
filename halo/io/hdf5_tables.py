"""Tables within HDF5 files: a compound data set, or a group of data sets of one length, reached by hard links alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.table import MaskedColumn, Table

from ..errors import InputError
from .hdf5 import PLENTY, UNPACKED
from .part import Told, as_unit, choose
from .reading import cleaned, first_line

DEEPEST, MOST = 4, 10_000
"""Groups within groups, and objects of a file, that are looked at."""
META = ".__table_column_meta__"
"""What astropy adds to the name of a table for the data set of its columns' units."""

Opened = tuple[tuple[str, ...], Callable[[Sequence[str], Told | None], Table]]


def open_hdf5(path: Path, extension: int | str | None) -> Opened:
    """Return the names of a table's columns, and what reads them.

    Parameters
    ----------
    path : Path
    extension : int or str, optional
        The table's path in the file, or its number from 1; not needed where there is one table.

    Raises
    ------
    InputError
        Not HDF5, no such table, or several.
    """
    try:
        with h5py.File(path, "r") as file:
            tables = _tables(file)
            names = list(tables)
            if isinstance(extension, str):
                wanted = [name for name in names if name == extension.strip().strip("/")]
            else:
                wanted = names if extension is None else names[max(extension - 1, 0) :][:1] if extension > 0 else []
            if len(wanted) != 1:
                raise InputError(choose(path, extension, names))
            columns = tables[wanted[0]]
            compound = isinstance(file[wanted[0]] if wanted[0] else file, h5py.Dataset)
            serialised = compound and f"{wanted[0]}{META}" in file
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds
        raise _damaged(path, error) from error

    def read(chosen: Sequence[str], progress: Told | None) -> Table:
        try:
            with h5py.File(path, "r") as file:
                node = file[wanted[0]] if wanted[0] else file
                table = _compound(node, chosen) if compound else _group(node, chosen)
            if serialised:
                _with_units(path, wanted[0], table)
            return table
        except InputError:
            raise
        except Exception as error:
            raise _damaged(path, error) from error

    return tuple(columns), read


def _tables(file: Any) -> dict[str, list[str]]:
    """Return the columns of every table by its path."""
    found: dict[str, list[str]] = {}
    seen = 0

    def look(group: Any, where: str, depth: int) -> None:
        nonlocal seen
        lengths: dict[str, int] = {}
        for name in group:
            seen += 1
            if seen > MOST:
                raise InputError(f"{file.filename}: has more than {MOST:,} objects; name a file with one table.")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            node = group[name]
            path = f"{where}/{name}".lstrip("/")
            if isinstance(node, h5py.Group):
                if depth < DEEPEST:
                    look(node, path, depth + 1)
            elif isinstance(node, h5py.Dataset) and node.ndim == 1 and _is_sound(node):
                if node.dtype.names and not name.endswith(META):
                    found[path] = list(node.dtype.names)
                elif not node.dtype.names and not name.endswith(META):
                    lengths[name] = node.shape[0]
        if lengths and len(set(lengths.values())) == 1 and len(lengths) > 1:
            found[where] = list(lengths)

    look(file, "", 0)
    return found


def _is_sound(data: Any) -> bool:
    # a file must not make this process read other files or fill its memory
    if data.external or data.is_virtual:
        return False
    return data.nbytes <= UNPACKED * data.id.get_storage_size() + PLENTY


def _compound(data: Any, names: Sequence[str]) -> Table:
    rows = data[()] if len(names) == len(data.dtype.names) else data.fields(list(names))[()]
    return Table({name: MaskedColumn(_plain(rows[name])) for name in names}, copy=False)


def _group(group: Any, names: Sequence[str]) -> Table:
    table = Table()
    for name in names:
        data = group[name]
        unit = next((data.attrs[key] for key in ("unit", "units", "UNIT") if key in data.attrs), None)
        unit = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else unit
        table[name] = MaskedColumn(_plain(data[()]), unit=as_unit(unit) if isinstance(unit, str) else None)
    return table


def _plain(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "O":  # texts of any length
        return np.array([x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in array])
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def _with_units(path: Path, name: str, table: Table) -> None:
    """Give columns the units that astropy wrote."""
    whole = Table.read(path, format="hdf5", path=name, character_as_bytes=True)
    for column in table.colnames:
        if column in whole.colnames:
            table[column] = MaskedColumn(whole[column], unit=as_unit(whole[column].unit))


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: cannot be read as a table ({cleaned(first_line(error))}); expected an HDF5 file with a table."
    )
