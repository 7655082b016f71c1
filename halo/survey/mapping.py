"""A user's own catalogue, read through a TOML file that names its columns (docs/catalogue-mapping.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from ..errors import InputError
from ..orbits.convention import Convention
from ..orbits.public import named
from ..progress import Progress, announce, silent
from ..stars.variables import VARIABLES
from .cells import Cells
from .grammar import (
    ALIASES,
    CARTESIAN_KEYS,
    IDENTIFIERS,
    ORBIT_KEYS,
    SKY_KEYS,
    Abundance,
    Mapped,
    Value,
)
from .joins import Joined, assign, cells_of, join
from .parsing import read_mapping
from .plausible import check_plausible
from .quantities import quantity
from .stages import LATER, reading

WAYS = (ORBIT_KEYS, SKY_KEYS, CARTESIAN_KEYS, ORBIT_KEYS[:1])
"""What an orbit is known by, in the order of preference; of the energy alone where there is nothing else."""
_Entry = TypeVar("_Entry", Value, Abundance)
"""An entry of [columns] or of [abundances]."""


@dataclass(frozen=True)
class MappedCatalogue:
    """A user's catalogue under the names and in the units of the conventions page.

    Attributes
    ----------
    table : Table
        All rows; sentinels are NaN.
    elements : tuple of str
        Abundances that the mapping names.
    exist : tuple of (str, ndarray of bool)
        What rows must meet to exist, one after the other: `require`, and the best row of each id.
    conditions : tuple of (str, ndarray of bool)
        The quality conditions, each with the rows that satisfy it.
    has_orbits : bool
        E is given, so that no orbits are computed.
    mapping : dict
        The mapping file's content, for the record.
    files : tuple of Path
        Every file that was read, the catalogue first.
    states : dict of str to str
        What the mapping says that energies are measured from.
    warnings : tuple of str
    """

    table: Table
    elements: tuple[str, ...]
    exist: tuple[tuple[str, np.ndarray], ...]
    conditions: tuple[tuple[str, np.ndarray], ...]
    has_orbits: bool
    mapping: dict[str, Any]
    files: tuple[Path, ...]
    states: dict[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def keep(self) -> np.ndarray:
        """Rows that exist and satisfy every quality condition."""
        masks = [mask for _, mask in (*self.exist, *self.conditions)]
        return np.logical_and.reduce([np.ones(len(self.table), dtype=bool), *masks])

    @property
    def convention(self) -> Convention | None:
        """What the mapping says that energies are measured from, None where it says nothing."""
        says = self.states
        return named(says["potential"], says.get("zero_point", "")) if "potential" in says else None

    @property
    def quality(self) -> str:
        """The quality conditions as one text."""
        return " and ".join(said for said, _ in self.conditions)


def read_mapped(
    path: str | Path | Sequence[str | Path],
    mapping_path: str | Path | Mapped,
    *,
    abundances: bool = True,
    progress: Progress = silent,
) -> MappedCatalogue:
    """Read a catalogue through its mapping.

    Parameters
    ----------
    path : path or sequence of paths
        FITS, ECSV, CSV, HDF5 table, VOTable or Parquet; with the further files of the mapping's ``[tables]``, in their
        order or as ``NAME=FILE``.
    mapping_path : path or Mapped
        TOML file with ``[columns]``, and optionally ``[abundances]`` and ``[catalogue]``.
    abundances : bool
        Whether ids are asked for, and in version 1 abundances; orbits need neither.
    progress : callable, optional
        Called with the stage, rows done and rows in all.

    Returns
    -------
    MappedCatalogue

    Raises
    ------
    InputError
        A file that cannot be read, a mapping that makes no sense, columns that are missing or in contradictory units,
        values that are not plausible.
    UsageError
        Files that the mapping has no use for, or lacks.
    """
    mapping = mapping_path if isinstance(mapping_path, Mapped) else read_mapping(mapping_path)
    paths = [path] if isinstance(path, str | Path) else list(path)
    files = assign(mapping, paths)
    columns, elements = chosen(mapping, files, mapping.columns), chosen(mapping, files, mapping.abundances)
    _check_complete(mapping, columns, elements, abundances)
    names = [name for value in columns.values() for name in value.names]
    names += [name for abundance in elements.values() for name in abundance.names]
    names += [name for one in mapping.quality for name in one.names]
    identifier = columns["id"].column if "id" in columns else ""
    announce(progress, *(reading(source.key) for source in mapping.sources if source.key in files), *LATER)
    joined = join(mapping, files, names, identifier, progress)
    return _mapped(mapping, joined, files, columns, elements, abundances)


def mapped(path: Path, raw: Table, mapping: Mapped) -> MappedCatalogue:
    """Return a table that was read already under the names of the conventions page, without ids and abundances.

    Raises
    ------
    InputError
        As `read_mapped`.
    """
    files = {"": path}
    columns = chosen(mapping, files, mapping.columns)
    _check_complete(mapping, columns, {}, False)
    columns = {key: value for key, value in columns.items() if key not in IDENTIFIERS}
    cells = cells_of(mapping, path, raw, [name for value in columns.values() for name in value.names])
    return _mapped(mapping, Joined(cells, ()), files, columns, {}, False, quality=False)


def chosen(mapping: Mapped, files: Mapping[str, Path], entries: Mapping[str, Sequence[_Entry]]) -> dict[str, _Entry]:
    """Return for each entry the first of its alternatives whose files are given; entries without one are left out."""
    out = {}
    for key, alternatives in entries.items():
        for one in alternatives:
            if all(mapping.split(name)[0] in files for name in one.names):
                out[key] = one
                break
    return out


def _mapped(
    mapping: Mapped,
    joined: Joined,
    files: Mapping[str, Path],
    columns: Mapping[str, Value],
    abundances: Mapping[str, Abundance],
    with_ids: bool,
    quality: bool = True,
) -> MappedCatalogue:
    cells, path = joined.cells, mapping.path
    exists = joined.exist[-1][1] if joined.exist else np.ones(len(cells), dtype=bool)
    table = Table()
    for key, value in columns.items():
        if key in IDENTIFIERS:
            table[IDENTIFIERS[key]] = _identifiers(cells, value.column, key)
            continue
        name = ALIASES.get(key, key)
        unit = next((v.unit for v in VARIABLES.values() if v.column == name), "")
        found = quantity(cells, key, value, unit, path, error=key.endswith("_error"))
        if key == "distance":
            found[found <= 0] = np.nan
        table[name] = Column(found, unit=u.Unit(unit) if unit else None)
    for element, abundance in abundances.items():
        table[element] = quantity(cells, element, abundance.value, "", path)
        if abundance.error is not None:
            table[f"{element}_ERR"] = quantity(cells, f"error of {element}", abundance.error, "", path, error=True)
        if abundance.flags:
            table[f"{element}_FLAG"] = _raised(cells, abundance)
    if with_ids:
        _check_ids(files[""], cells, columns["id"].column, table["APOGEE_ID"], exists)
    judged_elsewhere = () if with_ids else ORBIT_KEYS  # `coordinates` holds energies to one convention
    own = None if path == files[""] else path
    check_plausible(table[exists] if joined.exist else table, files[""], own, (*mapping.unusual, *judged_elsewhere))
    conditions = tuple((one.said, one.holds(cells)) for one in mapping.quality) if quality else ()
    return MappedCatalogue(
        table,
        tuple(abundances),
        joined.exist,
        conditions,
        "E" in table.colnames and not _computes(table),
        mapping.content,
        tuple(files.values()),
        mapping.states(),
        joined.warnings,
    )


def _computes(table: Table) -> bool:
    """Return whether orbits are computed: there is no pair of E and Lz, and there are positions and velocities."""
    names = set(table.colnames)
    return "Lz" not in names and any(_columns(way) <= names for way in (SKY_KEYS, CARTESIAN_KEYS))


def _columns(keys: Iterable[str]) -> set[str]:
    return {ALIASES.get(key, key) for key in keys}


def _check_complete(
    mapping: Mapped, columns: Mapping[str, Value], abundances: Mapping[str, Abundance], chemistry: bool
) -> None:
    path, old = mapping.path, mapping.content.get("version", 1) == 1
    if chemistry and ("id" not in columns or (old and not abundances)):
        raise InputError(
            f"{path}: needs id under [columns]" + (" and at least one abundance under [abundances]." if old else ".")
        )
    if not any(all(key in columns for key in keys) for keys in WAYS):
        ways = "; or ".join(", ".join(keys) for keys in (SKY_KEYS, CARTESIAN_KEYS, ORBIT_KEYS))
        raise InputError(f"{path}: [columns] must name {ways}; it names {', '.join(columns) or 'none'}.")


def _identifiers(cells: Cells, name: str, key: str) -> np.ndarray:
    if key == "source_id":
        data = np.asarray(getattr(cells.columns[name], "unmasked", cells.columns[name]))
        if data.dtype.kind not in "iu":
            raise InputError(
                f"{cells.path(name)}: source_id must be an integer column, found {data.dtype}; a float loses digits."
            )
        return np.where(cells.missing(name), -1, data.astype(np.int64))
    return cells.texts(name)


def _raised(cells: Cells, abundance: Abundance) -> np.ndarray:
    """Return 0 where no flag is raised, -1 where one is missing, and what is raised elsewhere."""
    found = np.zeros(len(cells), dtype=np.int64)
    for flag in abundance.flags:
        one = flag.raised(cells)
        found = np.where((found == 0) | (one == -1), one, found)
    return found


def _check_ids(path: Path, cells: Cells, name: str, ids: Column, exists: np.ndarray) -> None:
    missing = exists & cells.missing(name)
    if missing.any():
        raise InputError(
            f"{path}: {int(missing.sum()):,} rows have no id in column {name}, the first is row "
            f"{int(np.argmax(missing)) + 1}; leave them out by require in [catalogue]."
        )
    unique, counts = np.unique(np.asarray(ids)[exists], return_counts=True)
    repeated = unique[counts > 1]
    if repeated.size:
        more = f" and {repeated.size - 5:,} more" if repeated.size > 5 else ""
        raise InputError(
            f"{path}: {repeated.size:,} ids are repeated: {', '.join(repeated[:5])}{more}; keep one row each, or name "
            "a column for best in [catalogue]."
        )
