"""Parquet tables, through pyarrow, which is an optional dependency: this is its only import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table

from ..errors import InputError
from .part import Told
from .reading import cleaned, first_line

Opened = tuple[tuple[str, ...], Callable[[Sequence[str], Told | None], Table]]


def open_parquet(path: Path) -> Opened:
    """Return the names of a Parquet table's columns, and what reads them.

    Raises
    ------
    InputError
        pyarrow is not installed, or the file is no Parquet.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            f"{path}: a Parquet table, which needs pyarrow: pip install 'halonmf[parquet]', or convert it to FITS."
        ) from None
    try:
        schema = parquet.read_schema(path)
    except Exception as error:  # pyarrow raises its own
        raise _damaged(path, error) from error

    def read(names: Sequence[str], progress: Told | None) -> Table:
        try:
            found = parquet.read_table(path, columns=list(names), use_threads=False)
            return Table({name: _column(found.column(name)) for name in names}, copy=False)
        except Exception as error:
            raise _damaged(path, error) from error

    return tuple(schema.names), read


def _column(column: Any) -> MaskedColumn:
    missing = np.asarray(column.is_null())
    kind = str(column.type)
    if missing.any():  # filled first: integers with holes would become floats, which lose digits of ids
        column = column.fill_null("" if "string" in kind else False if kind == "bool" else 0)
    data = column.to_numpy()
    if data.dtype.kind == "O":
        data = np.array([x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in data])
    return MaskedColumn(data, mask=missing)


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read as a table ({cleaned(first_line(error))}); expected Parquet.")
