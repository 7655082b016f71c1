"""ECSV tables and texts with provenance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astropy.table import QTable, Table

from ..errors import InputError
from .atomic import write_atomically
from .hdf5 import first_line
from .provenance import plain


def save_table(path: str | Path, table: Table, provenance: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write a product as ECSV, with its provenance in the metadata.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    table = table.copy(copy_data=False)
    table.meta["provenance"] = plain(provenance)

    def write(temporary: Path) -> None:
        table.write(temporary, format="ascii.ecsv")

    return write_atomically(path, write, overwrite=overwrite)


def save_text(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write a text, such as a figure's caption.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """

    def write(temporary: Path) -> None:
        temporary.write_text(text + "\n", encoding="utf-8")

    return write_atomically(path, write, overwrite=overwrite)


def load_table(path: str | Path) -> Table:
    """Read a product that `save_table` wrote.

    Raises
    ------
    InputError
        Missing, or not such a table.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file.")
    try:
        return QTable.read(path, format="ascii.ecsv")
    except (OSError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as ECSV ({first_line(error)}).") from error
