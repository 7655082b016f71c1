"""The cells of a catalogue's columns as numbers, texts or bits, with whatever means "none" made missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.reading import cleaned
from .apogee import clean

LOGICAL = {"true": "1", "false": "0"}
"""Texts that stand for numbers."""


@dataclass(frozen=True)
class Cells:
    """Columns of a catalogue under the names by which its mapping calls them.

    Attributes
    ----------
    columns : mapping of str to MaskedColumn
    none : callable
        Returns for a column's name the values that mean "none" in its file, numbers and texts.
    path : callable
        Returns for a column's name its file, for messages.
    """

    columns: Mapping[str, Any]
    none: Callable[[str], Sequence[float | str]]
    path: Callable[[str], Path]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def numbers(
        self, name: str, also_none: Sequence[float | str] = (), *, error: bool = False, sky: bool = False
    ) -> np.ndarray:
        """Return a column as numbers, NaN where missing.

        Parameters
        ----------
        name : str
        also_none : sequence of float or str
            Further values that mean "none".
        error, sky : bool
            As `apogee.clean` takes them.

        Returns
        -------
        ndarray of float64

        Raises
        ------
        InputError
            A cell is no number, or the column has more than one in each row.
        """
        data, mask = self._plain(name)
        none = (*self.none(name), *also_none)
        if data.dtype.kind == "U":
            data, mask = self._read(name, data, mask, none)
        elif data.dtype.kind not in "biuf":
            raise self._wrong(name, "one number in each row", data)
        mask = mask | _is_none(data, none)
        return clean(np.ma.masked_array(data.astype(np.float64), mask), error=error, sky=sky)

    def texts(self, name: str) -> np.ndarray:
        """Return a column as texts without the spaces around them."""
        data, _ = self._plain(name)
        return np.char.strip(data if data.dtype.kind == "U" else data.astype(str))

    def integers(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a column as the bits of 64-bit integers, and where it is missing.

        Raises
        ------
        InputError
            A cell is no whole number.
        """
        data, mask = self._plain(name)
        if data.dtype.kind in "biu":
            return data.astype(np.int64), mask | _is_none(data, self.none(name))
        found = self.numbers(name)
        bad = np.isfinite(found) & ((found != np.round(found)) | (np.abs(found) > 2.0**53))
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"{self.path(name)}: row {row + 1} of column {name} holds {found[row]:g}, expected a whole number, as "
                "flags are."
            )
        return np.where(np.isfinite(found), found, 0).astype(np.int64), ~np.isfinite(found)

    def missing(self, name: str) -> np.ndarray:
        """Return where a column is missing: masked, not a number, an empty text, or a value that means "none"."""
        data, mask = self._plain(name)
        if data.dtype.kind == "f":
            mask = mask | ~np.isfinite(data)
        if data.dtype.kind == "U":
            mask = mask | (np.char.strip(data) == "")
        return mask | _is_none(data, self.none(name))

    def _plain(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        column = self.columns[name]
        data = np.asarray(getattr(column, "unmasked", column))
        if data.ndim != 1:
            raise self._wrong(name, "one number in each row", data)
        if data.dtype.kind == "S":
            data = np.char.decode(data, "utf-8", "replace")
        if data.dtype.kind == "O":
            data = np.array([x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in data])
        mask = np.ma.getmaskarray(np.ma.asarray(column)) if hasattr(column, "mask") else np.zeros(len(data), bool)
        return data, np.array(mask, dtype=bool)

    def _read(
        self, name: str, data: np.ndarray, mask: np.ndarray, none: Sequence[float | str]
    ) -> tuple[np.ndarray, np.ndarray]:
        text = np.char.strip(data)
        mask = mask | (text == "") | _is_none(text, none)
        text = np.where(mask, "nan", text)
        for said, number in LOGICAL.items():
            text = np.where(np.char.lower(text) == said, number, text)
        try:
            return text.astype(np.float64), mask
        except ValueError:
            row = next(i for i, one in enumerate(text) if not _is_number(one))
            raise InputError(
                f"{self.path(name)}: row {row + 1} of column {name} holds {cleaned(repr(str(text[row])), 60)}, "
                "expected one number in each row; correct it, or list it under missing in [catalogue]."
            ) from None

    def _wrong(self, name: str, expected: str, data: np.ndarray) -> InputError:
        shape = f" {data.shape[1:]}" if data.ndim != 1 else ""
        whole = (
            "; its one row has whole columns, as column-oriented FITS of TOPCAT has: save it with a row for each star"
            if data.ndim > 1 and len(data) == 1 and data.size > 1
            else ""
        )
        return InputError(f"{self.path(name)}: column {name} must hold {expected}, found {data.dtype}{shape}{whole}.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_none(data: np.ndarray, none: Sequence[float | str]) -> np.ndarray:
    """Return where values mean "none", compared in the precision of the column."""
    found = np.zeros(len(data), dtype=bool)
    for value in none:
        if isinstance(value, str):
            if data.dtype.kind == "U":
                found |= np.char.strip(data) == value.strip()
        elif data.dtype.kind == "f":
            with np.errstate(over="ignore"):
                found |= data == data.dtype.type(value)
        elif data.dtype.kind in "iu" and float(value).is_integer():
            limits = np.iinfo(data.dtype)
            if limits.min <= value <= limits.max:
                found |= data == data.dtype.type(int(value))
    return found
