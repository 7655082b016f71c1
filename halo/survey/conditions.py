"""Conditions on the rows of a catalogue, in the names of its own columns: comparisons, equality of text, flags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from astropy.units import UnrecognizedUnit

from ..errors import InputError, UsageError
from ..io.part import as_unit
from ..io.reading import cleaned
from ..stars.expressions import cut_names, parse_cut
from .entries import LONGEST_TEXT, listed
from .flags import Flag, read_flags

if TYPE_CHECKING:
    from .cells import Cells

_AND = re.compile(r"""\s+(?:and|&&?)\s+(?=(?:[^'"]|'[^']*'|"[^"]*")*$)""")  # outside of texts
_EQUAL = re.compile(r"""\s*([A-Za-z_][\w.]*)\s*(==|=|!=|!~)\s*(?:'([^']*)'|"([^"]*)")\s*""")


@dataclass(frozen=True)
class Condition:
    """What rows must meet.

    Attributes
    ----------
    said : str
        The condition as it was written.
    compare : str
        The comparisons of numbers in it, as `parse_cut` takes them; empty for none.
    equal : tuple of (str, bool, str)
        Columns of text, whether they must be equal or differ, and the text.
    flags : tuple of Flag
        None of these may be raised.
    with_units : bool
        Whether names of the conventions page, such as ``distance``, are in its units, as they are in version 1.
    without : tuple of (str, str)
        Columns of text, and what must not occur in them in any case of letters.
    """

    said: str
    compare: str = ""
    equal: tuple[tuple[str, bool, str], ...] = ()
    flags: tuple[Flag, ...] = ()
    with_units: bool = False
    without: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every column in it."""
        compared = cut_names(self.compare) if self.compare else ()
        texts = (*(name for name, _, _ in self.equal), *(name for name, _ in self.without))
        return (*compared, *texts, *(flag.column for flag in self.flags))

    def holds(self, cells: Cells) -> np.ndarray:
        """Return where the condition holds, which it never does where a value in it is missing."""
        keep = np.ones(len(cells), dtype=bool)
        if self.compare:
            table = Table({name: cells.numbers(name) for name in cut_names(self.compare)}, copy=False)
            for name in table.colnames if self.with_units else ():
                unit = as_unit(getattr(cells.columns[name], "unit", None))
                table[name].unit = None if isinstance(unit, UnrecognizedUnit) else unit
            keep &= parse_cut(self.compare)(table)
        for name, same, text in self.equal:
            found = cells.texts(name)
            keep &= ((found == text) if same else (found != text)) & ~cells.missing(name)
        for name, text in self.without:
            keep &= np.char.find(np.char.lower(cells.texts(name)), text.lower()) < 0
        for flag in self.flags:
            keep &= flag.raised(cells) == 0
        return keep


def read_conditions(path: Path, key: str, found: Any, bits: Mapping[str, Mapping[str, int]]) -> tuple[Condition, ...]:
    """Return the conditions that an entry of a mapping has.

    Parameters
    ----------
    path : Path
        The mapping file, for messages.
    key : str
        The entry, for messages.
    found : object
        A text, a table for a flag, or a list of such.
    bits : mapping of str to mapping of str to int
        Names of bits, by column.

    Raises
    ------
    InputError
        One is no condition.
    """
    return tuple(_condition(path, key, one, bits) for one in listed(found) if one != "")


def _condition(path: Path, key: str, found: Any, bits: Mapping[str, Mapping[str, int]]) -> Condition:
    if isinstance(found, Mapping):
        flags = read_flags(path, key, found, bits)
        return Condition(flags[0].said, flags=flags)
    if not isinstance(found, str) or len(found) > LONGEST_TEXT:
        raise InputError(
            f"{path}: {key} in [catalogue] must be a text of at most {LONGEST_TEXT} characters, a flag, or a list of "
            f"them; got {cleaned(repr(found), 60)}."
        )
    rest, equal, without = [], [], []
    for part in _AND.split(found) if "'" in found or '"' in found else [found]:
        match = _EQUAL.fullmatch(part)
        text = "" if match is None else (match[3] if match[3] is not None else match[4]).strip()
        if match and match[2] == "!~":
            without.append((match[1], text))
        elif match:
            equal.append((match[1], match[2] != "!=", text))
        else:
            rest.append(part)
    compare = " and ".join(rest)
    try:
        if compare:
            parse_cut(compare)
    except UsageError as error:
        raise InputError(f"{path}: {key}: {error}") from error
    return Condition(found, compare, tuple(equal), without=tuple(without))
