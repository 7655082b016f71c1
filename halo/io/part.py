"""A table of a file before it is read: the names of its columns, and what units and names may be."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..errors import InputError
from .reading import cleaned

Told = Callable[[int, int], None]
"""Called with rows done and rows in all."""


@dataclass(frozen=True)
class Part:
    """One table of a file, of which so far only the columns' names are known.

    Attributes
    ----------
    path : Path
    names : tuple of str
        Of all columns, as they stand in the file.
    reader : callable
        Given names and a function for progress, returns a table of these columns; missing entries are masked, and the
        unit of a column is one of astropy, or the text that could not be read as one.
    """

    path: Path
    names: tuple[str, ...]
    reader: Callable[[Sequence[str], Told | None], Table]

    def read(self, names: Sequence[str] | None = None, progress: Told | None = None) -> Table:
        """Return the table of some columns, by default of all.

        Raises
        ------
        InputError
            The file is damaged, or has no rows.
        """
        table = self.reader(self.names if names is None else names, progress)
        if len(table) == 0:
            raise InputError(f"{self.path}: the table has no rows.")
        if names is None:
            for name in table.colnames:
                if table[name].dtype.kind == "S":
                    table[name] = np.char.decode(table[name], "utf-8", "replace")
        return table

    def find(self, name: str, asked_by: str) -> str:
        """Return the column's name as it stands in the file: exact case first, any case where only one fits.

        Parameters
        ----------
        name : str
        asked_by : str
            What names the column, for messages: the mapping file.

        Raises
        ------
        InputError
            No such column, or several that differ by case.
        """
        if name in self.names:
            return name
        alike = [one for one in self.names if one.lower() == name.lower()]
        if len(alike) == 1:
            return alike[0]
        if alike:
            raise InputError(
                f"{self.path}: column {cleaned(name, 80)!r}, which {asked_by} names, may be any of "
                f"{cleaned(', '.join(alike))}; write it as the file does."
            )
        listed = ", ".join(self.names[:20]) + (" and more" if len(self.names) > 20 else "")
        raise InputError(
            f"{self.path}: no column {cleaned(name, 80)!r}, which {asked_by} names; found {cleaned(listed, 600)}."
        )


def as_unit(stated: Any) -> Any:
    """Return a file's unit as astropy's, None where there is none, or the text where it cannot be read."""
    if stated is None or not str(stated).strip():
        return None
    text = str(stated).strip()
    for form in (None, "fits", "vounit", "cds"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of spellings that are discouraged
                return u.Unit(text, format=form)
        except (ValueError, TypeError):
            continue
    return u.UnrecognizedUnit(text)


def same_unit(a: u.UnitBase, b: u.UnitBase) -> bool:
    """Return whether two units are one, however they are written."""
    try:
        return bool(np.isclose(a.to(b), 1.0))
    except (ValueError, TypeError):  # UnitConversionError is both
        return False


def choose(path: Path, extension: int | str | None, names: Sequence[str]) -> str:
    """Return the message of a file without the part that was asked for, or with several where none was."""
    listed = cleaned(", ".join(f"{i} {name}".strip() for i, name in enumerate(names, 1)) or "none", 200)
    if extension is None and names:
        return f"{path}: has {len(names)} tables ({listed}); name one by extension under [catalogue]."
    if extension is None:
        return f"{path}: holds no table with columns; check the path."
    return f"{path}: no table {cleaned(extension, 80)}; it has {listed}; name one by extension under [catalogue]."


def refuse_twice(path: Path, names: Sequence[str]) -> None:
    """Raise InputError where a name comes twice: readers would rename or drop one of the columns in silence."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise InputError(f"{path}: more than one column is called {cleaned(', '.join(twice))}; rename or remove one.")
