"""A user's own catalogue, read through a TOML file that names its columns (docs/catalogue-mapping.md)."""

import csv
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from ..errors import InputError, UsageError
from ..io.fits import check_signature, find_table, is_html
from ..io.reading import check_file
from ..io.tables import check_aliases
from ..io.toml import read_toml
from ..progress import Progress, silent
from ..stars.expressions import parse_cut
from ..stars.variables import VARIABLES
from .apogee import clean
from .entries import check_types

ABUNDANCE_KEYS = ("column", "error", "flag")
QUANTITY_KEYS = ("column", "unit", "scale")
SECTIONS = ("catalogue", "columns", "abundances")
CATALOGUE_KEYS = ("name", "format", "extension", "quality", "missing", "potential", "zero_point")

ALIASES = {"ra": "RA", "dec": "DEC", "rv": "radial_velocity", "z": "z_gal", "e": "ecc", "r": "r_sph", "R": "R_cyl"}
IDENTIFIERS = {"id": "APOGEE_ID", "source_id": "SOURCE_ID"}

SKY_KEYS = ("ra", "dec", "distance", "pmra", "pmdec", "rv")
CARTESIAN_KEYS = ("x", "y", "z", "v_x", "v_y", "v_z")
ORBIT_KEYS = ("E", "Lz")

PLAUSIBLE_KPC = (0.05, 200.0)
"""Range of the median heliocentric distance; pc taken for kpc, or kpc for pc, fall outside."""


@dataclass(frozen=True)
class MappedCatalogue:
    """A user's catalogue under the names and in the units of the conventions page.

    Attributes
    ----------
    table : Table
        All rows; sentinels are NaN.
    elements : tuple of str
        Abundances that the mapping names.
    keep : ndarray of bool
        Rows that satisfy the mapping's quality condition.
    quality : str
        That condition, empty where there is none.
    has_orbits : bool
        E and Lz are given, so that no orbits are computed.
    mapping : dict
        The mapping file's content, for the record.
    raw : Table
        The table as it was read.
    """

    table: Table
    elements: tuple[str, ...]
    keep: np.ndarray
    quality: str
    has_orbits: bool
    mapping: dict[str, Any]
    raw: Table


def read_mapped(
    path: str | Path,
    mapping_path: str | Path,
    *,
    abundances: bool = True,
    progress: Progress = silent,
) -> MappedCatalogue:
    """Read a catalogue through its mapping.

    Parameters
    ----------
    path : path
        FITS, ECSV, CSV, HDF5 table or VOTable.
    mapping_path : path
        TOML file with ``[columns]``, ``[abundances]`` and optionally ``[catalogue]``.
    abundances : bool
        Whether ids and abundances are asked for; orbits need neither.
    progress : callable, optional
        Called with the stage, rows done and rows in all.

    Returns
    -------
    MappedCatalogue

    Raises
    ------
    InputError
        A file that cannot be read, a mapping that makes no sense, columns that are missing or in contradictory units.
    """
    mapping = read_mapping(Path(mapping_path))
    raw = read_table(Path(path), mapping.get("catalogue", {}))
    return mapped(Path(path), raw, mapping, Path(mapping_path), chemistry=abundances, progress=progress)


def mapped(
    path: Path,
    raw: Table,
    mapping: Mapping[str, Any],
    mapping_path: Path,
    *,
    chemistry: bool = True,
    progress: Progress = silent,
) -> MappedCatalogue:
    """Return a table under the names of the conventions page, by a mapping that was read already.

    Raises
    ------
    InputError
        As `read_mapped`.
    """
    options = mapping.get("catalogue", {})
    columns, abundances = mapping.get("columns", {}), mapping.get("abundances", {})
    has_orbits = _check_complete(mapping_path, columns, abundances, chemistry)
    sentinels = [float(value) for value in options.get("missing", ())]

    def numbers(name: str, *, error: bool = False, sky: bool = False) -> np.ndarray:
        column = _column(raw, name, path, mapping_path)
        if np.asarray(column).dtype.kind not in "biuf" or column.ndim != 1:
            raise InputError(f"{path}: column {name} must hold one number in each row, found {column.dtype}.")
        data = np.ma.masked_array(np.asarray(column, dtype=np.float64), getattr(column, "mask", False))
        out = clean(data, error=error, sky=sky)
        for value in sentinels:
            out[out == value] = np.nan
        return out

    table = Table()
    for key, spec in columns.items():
        spec = {"column": spec} if isinstance(spec, str) else dict(spec)
        column = _column(raw, spec["column"], path, mapping_path)
        if key in IDENTIFIERS:
            table[IDENTIFIERS[key]] = _identifiers(column, key, path)
            continue
        name = ALIASES.get(key, key)
        unit = next((v.unit for v in VARIABLES.values() if v.column == name), "")
        factor = _factor(key, column, spec, unit, mapping_path) * float(spec.get("scale", 1.0))
        found = numbers(spec["column"], sky=key in ("ra", "dec")) * factor
        if key == "distance":
            found[found <= 0] = np.nan
            _check_distance(path, mapping_path, found)
        table[name] = Column(found, unit=u.Unit(unit) if unit else None)
    for element, spec in abundances.items():
        spec = {"column": spec} if isinstance(spec, str) else dict(spec)
        table[element] = numbers(spec["column"])
        if "error" in spec:
            table[f"{element}_ERR"] = numbers(spec["error"], error=True)
        if "flag" in spec:
            flag = numbers(spec["flag"])
            table[f"{element}_FLAG"] = np.where(np.isfinite(flag), flag, -1).astype(np.int64)
    if chemistry:
        _check_ids(path, table)

    quality = str(options.get("quality", ""))
    try:
        keep = parse_cut(quality)(raw) if quality else np.ones(len(raw), dtype=bool)
    except UsageError as error:
        raise InputError(f"{mapping_path}: quality: {error}") from error
    progress("read catalogue", len(raw), len(raw))
    return MappedCatalogue(table, tuple(abundances), keep, quality, has_orbits, dict(mapping), raw)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return what a mapping file says, its keys checked.

    Raises
    ------
    InputError
        It cannot be read, or makes no sense.
    """
    mapping = read_toml(path, "the mapping", "see docs/catalogue-mapping.md")
    known_columns = (*IDENTIFIERS, *SKY_KEYS, *(v.name for v in VARIABLES.values() if not v.parts))
    for section, known in (
        ("", SECTIONS),
        ("catalogue", CATALOGUE_KEYS),
        ("columns", known_columns),
        ("abundances", tuple(n for n in VARIABLES if n.endswith(("_FE", "_H")))),
    ):
        found = mapping if not section else mapping.get(section, {})
        where = f"[{section}]" if section else "the top level"
        if not isinstance(found, Mapping):
            raise InputError(f"{path}: {where} must be a table of keys, got {found!r}.")
        unknown = [key for key in found if key not in known]
        if unknown:
            raise InputError(f"{path}: unknown {', '.join(unknown)} in {where}; expected some of {', '.join(known)}.")
        if section == "catalogue":
            check_types(path, where, found)
        keys = {"columns": QUANTITY_KEYS, "abundances": ABUNDANCE_KEYS}.get(section)
        for key, spec in found.items() if keys else ():
            good = isinstance(spec, str) or (
                isinstance(spec, Mapping) and "column" in spec and set(spec) <= set(keys or ())
            )
            if not good:
                raise InputError(
                    f"{path}: {key} in {where} must be a column's name or a table of {', '.join(keys or ())}; "
                    f"got {spec!r}."
                )
            if isinstance(spec, Mapping):
                check_types(path, f"{key} of {where}", spec)
    return mapping


def read_table(path: Path, options: Mapping[str, Any]) -> Table:
    """Return a table in any format that astropy reads; `options` are those of ``[catalogue]``.

    Raises
    ------
    InputError
        It cannot be read, or has no rows.
    """
    try:
        with check_file(path).open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    if head.startswith(b"# %ECSV"):
        check_aliases(path)
    if is_html(head):
        raise InputError(
            f"{path}: a web page saved under this name, expected a catalogue; the download failed, repeat it."
        )
    arguments: dict[str, Any] = {}
    if "format" in options:
        arguments["format"] = str(options["format"])
    elif path.suffix.lower() == ".csv":
        _check_header(path)
        arguments = {"format": "ascii.csv", "comment": "#"}  # by its name astropy would take a comment for the header
    if head.startswith(b"SIMPLE  =") or path.suffix.lower() in (".fits", ".fit"):
        extension = int(options.get("extension", 1))
        check_signature(path)
        find_table(path, extension)  # whatever is wrong is reported in our own words
        arguments = {"format": "fits", "hdu": extension, "character_as_bytes": False}
    try:
        with warnings.catch_warnings():
            # astropy warns of unit spellings and header keywords that change nothing here
            warnings.simplefilter("ignore")
            table = Table.read(path, **arguments)
    except Exception as error:  # every reader raises its own
        # astropy lists all of its formats where it finds none
        reason = " ".join(str(error).partition("please provide a 'format'")[0].split()).rstrip(",")[:200]
        raise InputError(
            f"{path}: cannot be read as a table ({reason or type(error).__name__}); expected FITS, ECSV, CSV, HDF5 or "
            "VOTable; set format under [catalogue] where the name does not tell."
        ) from error
    if len(table) == 0:
        raise InputError(f"{path}: the table has no rows.")
    return table


def _check_header(path: Path) -> None:
    """Raise where two columns of a CSV file have one name: astropy would give the second another, in silence."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        names = next(csv.reader(line for line in file if line.strip() and not line.startswith("#")), [])
    twice = [name for name, count in Counter(name.strip() for name in names).items() if count > 1 and name]
    if twice:
        raise InputError(f"{path}: more than one column is called {', '.join(twice)}; rename or remove one.")


def _column(table: Table, name: str, path: Path, mapping_path: Path) -> Column:
    if name not in table.colnames:
        listed = ", ".join(table.colnames[:20]) + (" and more" if len(table.colnames) > 20 else "")
        raise InputError(f"{path}: no column {name!r}, which {mapping_path} names; found {listed}.")
    return table[name]


def _check_complete(
    path: Path, columns: Mapping[str, Any], abundances: Mapping[str, Any], chemistry: bool = True
) -> bool:
    if chemistry and ("id" not in columns or not abundances):
        raise InputError(f"{path}: needs id under [columns] and at least one abundance under [abundances].")
    for keys in (ORBIT_KEYS, SKY_KEYS, CARTESIAN_KEYS):
        if all(key in columns for key in keys):
            return keys is ORBIT_KEYS
    ways = "; or ".join(", ".join(keys) for keys in (SKY_KEYS, CARTESIAN_KEYS, ORBIT_KEYS))
    raise InputError(f"{path}: [columns] must name {ways}; it names {', '.join(columns)}.")


def _identifiers(column: Column, key: str, path: Path) -> np.ndarray:
    data = np.asarray(column)
    if key == "source_id":
        if data.dtype.kind not in "iu":
            raise InputError(f"{path}: source_id must be an integer column, found {data.dtype}; a float loses digits.")
        return np.where(np.ma.getmaskarray(np.ma.asarray(column)), -1, data.astype(np.int64))
    return np.char.strip(np.char.decode(data) if data.dtype.kind == "S" else data.astype(str))


def _check_ids(path: Path, table: Table) -> None:
    unique, counts = np.unique(np.asarray(table["APOGEE_ID"]), return_counts=True)
    repeated = unique[counts > 1]
    if repeated.size:
        more = f" and {repeated.size - 5:,} more" if repeated.size > 5 else ""
        raise InputError(
            f"{path}: {repeated.size:,} ids are repeated: {', '.join(repeated[:5])}{more}; keep one row each."
        )


def _factor(key: str, column: Column, spec: Mapping[str, Any], unit: str, mapping_path: Path) -> float:
    try:
        stated = None if "unit" not in spec else u.Unit(spec["unit"])
        own = column.unit
        if stated is not None and own is not None and not np.isclose(own.to(stated), 1.0):
            raise InputError(
                f"{mapping_path}: {key} is in {stated} by the mapping, in {own} by the file; correct one of them."
            )
        source = stated or own
        return 1.0 if source is None or not unit else float(source.to(unit))
    except (ValueError, TypeError) as error:  # UnitConversionError is both
        raise InputError(
            f"{mapping_path}: {key}: bad unit ({' '.join(str(error).split())}); expected {unit}."
        ) from error


def _check_distance(path: Path, mapping_path: Path, distance: np.ndarray) -> None:
    finite = distance[np.isfinite(distance)]
    if finite.size and not PLAUSIBLE_KPC[0] <= np.median(finite) <= PLAUSIBLE_KPC[1]:
        raise InputError(
            f"{path}: the median distance would be {np.median(finite):g} kpc; correct the unit of distance in "
            f"{mapping_path} (pc or kpc)."
        )
