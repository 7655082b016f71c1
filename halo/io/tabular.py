"""Tables in any format: their columns are named first, and read only where they are asked for."""

from __future__ import annotations

import csv
import gzip
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from astropy.table import MaskedColumn, Table

from ..errors import InputError
from .fits import find_table, read_masked
from .packed import beginning, check_unpacked, is_packed
from .part import Part, Told, as_unit, choose, refuse_twice
from .reading import check_file, cleaned, is_html
from .tables import LONGEST, check_aliases

BOM = b"\xef\xbb\xbf"
HEAD = 4096
"""Bytes by which the format of a file is recognised."""
FORMATS = "FITS, ECSV, CSV, HDF5, VOTable or Parquet"


def open_part(path: str | Path, *, form: str | None = None, extension: int | str | None = None) -> Part:
    """Return a table of a file, its columns named but not yet read.

    Parameters
    ----------
    path : path
        FITS, ECSV, CSV, HDF5, VOTable or Parquet, or any format of `astropy.table`; gzip is unpacked.
    form : str, optional
        Name of the format; by default it is recognised.
    extension : int or str, optional
        The part of a file that has several: of FITS its number from 0 (by default 1) or name, of HDF5 and VOTables a
        table's name, or its number from 1.

    Raises
    ------
    InputError
        It cannot be read, has no such part or several, or two columns have one name.
    """
    path = check_file(path)
    head = beginning(path, HEAD)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    text = head.removeprefix(BOM)
    if is_html(head):
        raise InputError(
            f"{path}: a web page saved under this name, expected a catalogue; the download failed, repeat it."
        )
    if (form is None and (text.startswith(b"SIMPLE  =") or suffix in (".fits", ".fit"))) or form == "fits":
        return _fits(path, 1 if extension is None else extension)
    if is_packed(path):
        if head.startswith((b"\x89HDF", b"PAR1")):
            raise InputError(f"{path}: a gzip file around another of HDF5 or Parquet; unpack it first (gunzip).")
        check_unpacked(path)
    if form in (None, "hdf5") and head.startswith(b"\x89HDF"):
        from .hdf5_tables import open_hdf5

        return Part(path, *open_hdf5(path, extension))
    if form == "parquet" or (form is None and head.startswith(b"PAR1")):
        from .parquet import open_parquet

        _whole(path, extension)
        return Part(path, *open_parquet(path))
    if form == "votable" or (form is None and b"<VOTABLE" in head):
        return _loaded(path, _votable(path, extension))
    _whole(path, extension)
    arguments: dict[str, Any] = {} if form is None else {"format": form}
    if text.startswith(b"# %ECSV") and form in (None, "ascii.ecsv"):
        with _opened(path) as file:
            check_aliases(path, iter(lambda: file.readline(LONGEST), ""))
        arguments = {"format": "ascii.ecsv"}
    elif form in (None, "ascii.csv", "csv") and (form or suffix == ".csv"):
        return _csv(path)
    if head.startswith(BOM):
        arguments["encoding"] = "utf-8-sig"
    table = _astropy(path, arguments)
    _refuse_renamed(path, table)
    return _loaded(path, table)


def _fits(path: Path, extension: int | str) -> Part:
    found = find_table(path, extension)
    keys = found.keys

    def read(names: Sequence[str], progress: Told | None) -> Table:
        if found.n_rows == 0:
            raise InputError(
                f"{path}: the table in extension {found.extension} has no rows; name another by extension under "
                "[catalogue]."
            )
        data = read_masked(found, [keys[name] for name in names], progress)
        table = Table(meta=dict(found.cards))
        for name in names:
            unit = as_unit(found.columns[keys[name]].unit)
            table[name] = MaskedColumn(data.pop(keys[name]), unit=unit, copy=False)
        return table

    # arrays of varying length lie behind the rows, and no quantity is made of them
    plain = [name for name, key in keys.items() if str(found.columns[key].format).lstrip("0123456789")[:1] not in "PQ"]
    return Part(path, tuple(plain), read)


def _loaded(path: Path, table: Table) -> Part:
    return Part(path, tuple(table.colnames), lambda names, _: table[list(names)])


def _csv(path: Path) -> Part:
    with _opened(path) as file:
        lines = (line for line in file if line.strip() and not line.startswith("#"))
        try:
            names = [name.strip() for name in next(csv.reader(lines), [])]
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as CSV ({cleaned(error, 200)}).") from error
    refuse_twice(path, names)
    odd = next((name for name in names if "\n" in name or "\r" in name), None)
    if odd is not None:
        raise InputError(
            f"{path}: a column's name has several lines ({cleaned(odd, 60)}); give it one of a single line."
        )

    def read(wanted: Sequence[str], _: Told | None) -> Table:
        # by its name astropy would take a comment for the header
        arguments = {"format": "ascii.csv", "comment": "#", "encoding": "utf-8-sig"}
        return _astropy(path, arguments | {"include_names": list(wanted)})[list(wanted)]

    if not names:
        raise InputError(f"{path}: cannot be read as a table (it is empty); expected {FORMATS}.")
    return Part(path, tuple(names), read)


def _opened(path: Path) -> TextIO:
    if is_packed(path):
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline=""))
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _votable(path: Path, extension: int | str | None) -> Table:
    from astropy.io.votable import parse

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tables = list(parse(path, verify="ignore").iter_tables())
            names = [str(table.name or table.ID or "") for table in tables]
            if isinstance(extension, str):
                found = [i for i, name in enumerate(names) if name.lower() == extension.strip().lower()]
            else:
                found = range(len(tables)) if extension is None else [extension - 1]  # type: ignore[assignment]
            if len(found) == 1 and 0 <= found[0] < len(tables):
                table = tables[found[0]].to_table(use_names_over_ids=True)
                refuse_twice(path, [str(field.name) for field in tables[found[0]].fields])
                return table
    except InputError:
        raise
    except Exception as error:  # the reader has many of its own
        raise _unreadable(path, error) from error
    raise InputError(choose(path, extension, names))


def _whole(path: Path, extension: int | str | None) -> None:
    if extension not in (None, 1):
        raise InputError(
            f"{path}: has one table, and extension asks for {cleaned(extension, 80)}; leave it out for this format."
        )


def _astropy(path: Path, arguments: dict[str, Any]) -> Table:
    try:
        with warnings.catch_warnings():
            # astropy warns of unit spellings and header keywords that change nothing here
            warnings.simplefilter("ignore")
            return Table.read(path, **arguments)
    except Exception as error:  # every reader raises its own
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    # astropy lists all of its formats where it finds none
    reason = " ".join(str(error).partition("please provide a 'format'")[0].split()).rstrip(",")[:200]
    return InputError(
        f"{path}: cannot be read as a table ({cleaned(reason) or type(error).__name__}); expected {FORMATS}; set "
        "format under [catalogue] where the name does not tell."
    )


def _refuse_renamed(path: Path, table: Table) -> None:
    """Raise where astropy has renamed the second of two columns of one name: its new name is nowhere in the file."""
    renamed = [re.fullmatch(r"(.+)_\d+", name) for name in table.colnames]
    suspects = [match for match in renamed if match and match[1] in table.colnames]
    if suspects:
        with _opened(path) as file:
            text = file.read(1 << 20)
        refuse_twice(path, [name for match in suspects if match[0] not in text for name in [match[1]] * 2])
