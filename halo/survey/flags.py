"""Flags, raised where a column is not 0, where bits of it are set, or where its value is none of those allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..io.reading import cleaned
from .entries import check_types, listed

if TYPE_CHECKING:
    from .cells import Cells

FLAG_KEYS = ("column", "bits", "mask", "allowed")


@dataclass(frozen=True)
class Flag:
    """A test of a column.

    Attributes
    ----------
    column : str
    mask : int
        Raised where one of these bits is set; 0 where bits do not count.
    allowed : tuple of float or str, optional
        Raised where the value is none of these.
    said : str
        The test in words, for the cut-flow.
    """

    column: str
    mask: int = 0
    allowed: tuple[float | str, ...] | None = None
    said: str = ""

    def raised(self, cells: Cells) -> np.ndarray:
        """Return where the flag is raised, which it is where its column is missing.

        Parameters
        ----------
        cells : Cells
            The columns of the catalogue.

        Returns
        -------
        ndarray of int64
            0 where it is not; -1 where it is missing; else 1, or the column's own value where every value but 0 counts.
        """
        if self.allowed is not None:
            missing = cells.missing(self.column)
            return np.where(missing, -1, ~self._is_allowed(cells)).astype(np.int64)
        found, missing = cells.integers(self.column)
        if self.mask:
            found = (found & np.int64(self.mask - (1 << 64) if self.mask >> 63 else self.mask)) != 0
        return np.where(missing, -1, found).astype(np.int64)

    def _is_allowed(self, cells: Cells) -> np.ndarray:
        assert self.allowed is not None
        good = np.zeros(len(cells), dtype=bool)
        texts = [x for x in self.allowed if isinstance(x, str)]
        numbers = [x for x in self.allowed if not isinstance(x, str)]
        if texts:
            good |= np.isin(cells.texts(self.column), texts)
        if numbers:
            good |= np.isin(cells.numbers(self.column), np.asarray(numbers, dtype=np.float64))
        return good


def read_flags(
    path: Path, key: str, found: Any, bits: Mapping[str, Mapping[str, int]], new: bool = True
) -> tuple[Flag, ...]:
    """Return the flags that an entry of a mapping names.

    Parameters
    ----------
    path : Path
        The mapping file, for messages.
    key : str
        The entry, for messages.
    found : object
        A column, a table, or a list of such.
    bits : mapping of str to mapping of str to int
        Names of bits, by column.
    new : bool
        Whether tables and lists are understood, which they are from version 2.

    Raises
    ------
    InputError
        The entry makes no sense, or names a bit without a number.
    """
    if not new:
        check_types(path, key, {"column": found})
    if isinstance(found, list) and not found:
        raise InputError(f"{path}: {key} must name a column at least, got an empty list.")
    return tuple(_flag(path, key, one, bits) for one in listed(found))


def _flag(path: Path, key: str, found: Any, bits: Mapping[str, Mapping[str, int]]) -> Flag:
    if isinstance(found, str):
        check_types(path, key, {"column": found})
        return Flag(found, said=f"{found} = 0")
    ways = [name for name in FLAG_KEYS[1:] if isinstance(found, Mapping) and name in found]
    if not isinstance(found, Mapping) or set(found) - set(FLAG_KEYS) or "column" not in found or len(ways) > 1:
        raise InputError(
            f"{path}: {key} must be a column, or a table of column and one of bits, mask, allowed; "
            f"got {cleaned(repr(found), 200)}."
        )
    check_types(path, key, found)
    column = found["column"]
    if "allowed" in found:
        values = listed(found["allowed"])
        return Flag(column, 0, values, f"{column} is {' or '.join(map(str, values))}")
    if "mask" in found:
        return Flag(column, found["mask"], None, f"no bit of {found['mask']} in {column}")
    if "bits" not in found:
        return Flag(column, said=f"{column} = 0")
    known = bits.get(column, {})
    unknown = [name for name in found["bits"] if isinstance(name, str) and name not in known]
    if unknown:
        raise InputError(
            f"{path}: {key} names bit {cleaned(', '.join(unknown), 200)} of {column}, and [bits.{column}] has "
            f"{cleaned(', '.join(known), 200) or 'none'}."
        )
    numbers = [known[name] if isinstance(name, str) else name for name in found["bits"]]
    mask = sum(1 << number for number in set(numbers))
    return Flag(column, mask, None, f"no bit {', '.join(map(str, found['bits']))} in {column}")
