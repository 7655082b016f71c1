"""The files of a catalogue, read for the columns that are needed, and their rows joined by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn

from ..errors import InputError, UsageError
from ..io.part import Part
from ..io.tabular import open_part
from ..progress import Progress, silent
from .cells import Cells
from .grammar import Mapped, Source
from .stages import reading

FEW = 0.5
"""Part of the catalogue's rows below which a join is worth a warning."""


@dataclass(frozen=True)
class Joined:
    """The columns of all files, in the rows of the first.

    Attributes
    ----------
    cells : Cells
    exist : tuple of (str, ndarray of bool)
        What rows had to meet to exist at all, each with those that did.
    warnings : tuple of str
    """

    cells: Cells
    exist: tuple[tuple[str, np.ndarray], ...]
    warnings: tuple[str, ...] = ()


def assign(mapping: Mapped, paths: Sequence[str | Path]) -> dict[str, Path]:
    """Return the file of every source that is given: by its name, as ``dist=FILE``, or in the order of the mapping.

    Raises
    ------
    UsageError
        More files than the mapping has tables, or a table without its file.
    """
    keys = [source.key for source in mapping.tables]
    found: dict[str, Path] = {"": Path(paths[0])}
    plain = []
    for path in paths[1:]:
        key, equals, rest = str(path).partition("=")
        if equals and key in keys and not Path(path).exists():
            found[key] = Path(rest)
        else:
            plain.append(Path(path))
    free = [key for key in keys if key not in found]
    if len(plain) > len(free):
        raise UsageError(
            f"{len(paths)} files are given; {mapping.path} reads the catalogue and "
            f"{', '.join(keys) or 'no further one'}."
        )
    found |= dict(zip(free, plain, strict=False))
    absent = [source.key for source in mapping.tables if source.key not in found and not source.optional]
    if absent:
        raise UsageError(
            f"{mapping.path} joins {', '.join(absent)}; give the file after the catalogue, or as {absent[0]}=FILE."
        )
    return found


def join(
    mapping: Mapped, files: Mapping[str, Path], names: Iterable[str], identifier: str, progress: Progress = silent
) -> Joined:
    """Read columns of all files, and join them.

    Parameters
    ----------
    mapping : Mapped
    files : mapping of str to Path
        As `assign` gives them.
    names : iterable of str
        The columns that are needed, as the mapping names them.
    identifier : str
        The column of ids; empty for none.
    progress : callable, optional
        Called with the stage, rows done and rows in all.

    Raises
    ------
    InputError
        A file that cannot be read, lacks a column, or has several rows for one id.
    """
    given = [source for source in mapping.sources if source.key in files]
    wanted = list(dict.fromkeys([*names, *(name for source in given for name in (*source.names, *source.on[:1]))]))
    if not any(mapping.split(name)[0] == "" for name in wanted):
        raise InputError(f"{mapping.path}: names no column of the catalogue itself.")
    columns: dict[str, Any] = {}
    cells = _cells(mapping, files, columns)
    exist: list[tuple[str, np.ndarray]] = []
    warned: list[str] = []
    for source in given:
        own = {name: mapping.split(name)[1] for name in wanted if mapping.split(name)[0] == source.key}
        table = _read(mapping, source, files[source.key], own, progress)
        part = _cells(mapping, files, {column: table[name] for name, column in own.items()}, source.key)
        if not source.key:
            columns |= table
            exist = _exist(source, part, identifier)
            continue
        rows = _rows(mapping, source, files, part, cells, exist)
        met = exist[-1][1] if exist else np.ones(len(rows), bool)
        fraction = float(np.mean(rows[met] >= 0)) if met.any() else 0.0
        if fraction == 0:
            raise InputError(
                f"{files[source.key]}: none of its rows has an id of {files['']}, matched by "
                f"{' and '.join(source.on)}; check that both are of one release, and the columns under on."
            )
        if fraction < FEW:
            warned.append(f"{files[source.key]} has {100 * fraction:.0f} % of the rows of {files['']}")
        for name, column in table.items():
            columns[name] = _taken(column, rows)
    return Joined(cells, tuple(exist), tuple(warned))


def cells_of(mapping: Mapped, path: Path, table: Any, names: Iterable[str]) -> Cells:
    """Return columns of a table that was read already.

    Raises
    ------
    InputError
        It lacks one of them, or the mapping needs further files.
    """
    part = Part(path, tuple(table.colnames), lambda *_: table)
    columns = {name: table[part.find(name, str(mapping.path))] for name in names}
    return _cells(mapping, {"": path}, columns)


def _cells(mapping: Mapped, files: Mapping[str, Path], columns: Mapping[str, Any], key: str | None = None) -> Cells:
    none = {source.key: source.missing for source in mapping.sources}

    def of(name: str) -> str:
        return mapping.split(name)[0] if key is None else key

    return Cells(columns, lambda name: none[of(name)], lambda name: files[of(name)])


def _read(
    mapping: Mapped, source: Source, path: Path, names: Mapping[str, str], progress: Progress
) -> dict[str, MaskedColumn]:
    part = open_part(path, form=source.format, extension=source.extension)
    found = {name: part.find(column, str(mapping.path)) for name, column in names.items()}
    stage = reading(source.key)
    table = part.read(list(dict.fromkeys(found.values())), lambda done, total: progress(stage, done, total))
    progress(stage, len(table), len(table))
    return {name: table[column] for name, column in found.items()}


def _exist(source: Source, cells: Cells, identifier: str) -> list[tuple[str, np.ndarray]]:
    """Return what rows had to meet, by `require` and `best`, each time among those that were left."""
    out = []
    met = np.ones(len(cells), dtype=bool)
    for condition in source.require:
        met = met & condition.holds(cells)
        out.append((f"require: {condition.said}", met))
    if source.best and identifier:
        met = _best(source, cells, identifier, met)
        out.append((f"best {source.best} of each id", met))
    return out


def _best(source: Source, cells: Cells, identifier: str, met: np.ndarray) -> np.ndarray:
    value = cells.numbers(source.best.removeprefix("-")) * (-1 if source.best.startswith("-") else 1)
    ids, rows = _ids(cells, identifier)[met], np.flatnonzero(met)
    # by id, then from the greatest; the first row in the file where several are greatest, NaN last
    order = np.lexsort((rows, -np.where(np.isnan(value), -np.inf, value)[rows], ids))
    first = np.ones(len(order), dtype=bool)
    first[1:] = ids[order][1:] != ids[order][:-1]
    kept = np.zeros(len(met), dtype=bool)
    kept[rows[order[first]]] = True
    return kept


def _ids(cells: Cells, name: str) -> np.ndarray:
    data = np.asarray(getattr(cells.columns[name], "unmasked", cells.columns[name]))
    if data.dtype.kind != "f":
        return data.astype(np.int64) if data.dtype.kind in "iu" else cells.texts(name)
    data = np.where(cells.missing(name), 0, data)
    if (np.abs(data) > 2 / np.finfo(data.dtype).eps).any() or (data != np.round(data)).any():
        raise InputError(
            f"{cells.path(name)}: ids in column {name} are floating-point numbers with too few digits: those of "
            "several stars may be the same; take a file that has them as whole numbers or texts."
        )
    return data.astype(np.int64)


def _rows(
    mapping: Mapped,
    source: Source,
    files: Mapping[str, Path],
    part: Cells,
    whole: Cells,
    exist: Sequence[tuple[str, np.ndarray]],
) -> np.ndarray:
    """Return the row of a further file for each of the catalogue's, -1 where there is none."""
    left, right = source.on
    steps = _exist(source, part, right)
    met = (steps[-1][1] if steps else np.ones(len(part), dtype=bool)) & ~part.missing(right)
    theirs, ours = _ids(part, right), _ids(whole, left)
    if theirs.dtype.kind != ours.dtype.kind:
        theirs, ours = theirs.astype(str), ours.astype(str)
    rows = np.flatnonzero(met)
    order = rows[np.argsort(theirs[rows], kind="stable")]
    ids = theirs[order]
    repeated = ids[1:][ids[1:] == ids[:-1]]
    if len(repeated):
        wanted = np.intersect1d(np.unique(repeated), ours[exist[-1][1]] if exist else ours)
        if len(wanted):
            raise InputError(
                f"{files[source.key]}: {len(wanted):,} ids of {right} are repeated, among them {wanted[0]}; name a "
                f"column for best in [tables.{source.key}], or join by a column that has no repeats."
            )
    at = np.minimum(np.searchsorted(ids, ours), max(len(ids) - 1, 0))
    same = (ids[at] == ours) & ~whole.missing(left) if len(ids) else np.zeros(len(ours), bool)
    return np.where(same, order[at] if len(ids) else 0, -1)


def _taken(column: MaskedColumn, rows: np.ndarray) -> MaskedColumn:
    data = np.ma.asarray(column)
    mask = np.ma.getmaskarray(data)[rows] | (rows < 0).reshape(-1, *[1] * (data.ndim - 1))  # row -1 is the last one
    return MaskedColumn(np.asarray(data)[rows], mask=mask, unit=column.unit)
