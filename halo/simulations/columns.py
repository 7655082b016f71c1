"""Columns of particle files by the names that a TOML mapping gives them: HDF5 by hard links alone, FITS, ECSV, text."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy import units as u
from astropy.table import Table

from ..errors import InputError
from ..io.toml import read_toml

HDF5 = (".h5", ".hdf5", ".hdf")
COLUMNS = {"position": u.kpc, "velocity": u.km / u.s, "mass": u.Msun, "fe_h": None, "iron": None}
ORIGINS = {"birth_distance": u.kpc, "accreted": None}
IDS = {"id": None, "birth_id": None}
VECTORS = ("position", "velocity")
GALAXY_KEYS = ("name", "format", "hubble", "centre", "axis", "in_situ_within")
COLUMN_KEYS = ("column", "file", "unit", "scale", "h", "index", "solar")


def read_mapping(path: Path) -> dict[str, Any]:
    """Return a mapping file's content.

    Raises
    ------
    InputError
        It cannot be read, or makes no sense.
    """
    mapping = read_toml(path, "the mapping", "see docs/simulations.md")
    for section, known in (
        ("", ("galaxy", "columns")),
        ("galaxy", GALAXY_KEYS),
        ("columns", (*COLUMNS, *ORIGINS, *IDS)),
    ):
        found = mapping if not section else mapping.get(section, {})
        where = f"[{section}]" if section else "the top level"
        if not isinstance(found, Mapping):
            raise InputError(f"{path}: {where} must be a table of keys, got {found!r}.")
        unknown = [key for key in found if key not in known]
        if unknown:
            raise InputError(f"{path}: unknown {', '.join(unknown)} in {where}; expected some of {', '.join(known)}.")
    columns = mapping.get("columns", {})
    for key, spec in columns.items():
        if isinstance(spec, Mapping) and ("column" not in spec or set(spec) - set(COLUMN_KEYS)):
            raise InputError(
                f"{path}: {key} must have column, and may have {', '.join(COLUMN_KEYS[1:])}; got {spec!r}."
            )
        if not isinstance(spec, str | list | Mapping):
            raise InputError(f"{path}: {key} must be a column's name, a list of three, or a table; got {spec!r}.")
    missing = [key for key in ("position", "velocity", "mass") if key not in columns]
    missing += [] if ("fe_h" in columns) != ("iron" in columns) else ["either fe_h or iron"]
    missing += [] if ("accreted" in columns) != ("birth_distance" in columns) else ["either accreted or birth_distance"]
    if missing:
        raise InputError(f"{path}: [columns] must name {', '.join(missing)}; it names {', '.join(columns) or 'none'}.")
    return mapping


@dataclass(frozen=True)
class Source:
    """Where columns come from: the blocks of the snapshot, the mapping, and the tables that are already read."""

    paths: tuple[Path, ...]
    mapping: Path
    form: str
    h: float
    tables: dict[Path, Table]

    def numbers(self, name: str, spec: Mapping[str, Any]) -> np.ndarray:
        """Return what the mapping calls `name`, in its unit: one number per particle, three for vectors."""
        files = (self.paths[0].parent / spec["file"],) if "file" in spec else self.paths
        names = [str(n) for n in (spec["column"] if isinstance(spec["column"], list) else [spec["column"]])]
        index = spec.get("index")
        read = [[self._column(file, n, index) for n in names] for file in files]
        data = np.concatenate([_stack([x for x, _ in columns]) for columns in read])
        vector = name in VECTORS
        if name == "birth_distance" and data.ndim == 2 and data.shape[1] == 3:
            data = np.linalg.norm(data, axis=1)
        if data.ndim != 1 + vector or (vector and data.shape[1] != 3):
            raise InputError(
                f"{files[0]}: {name} must have {'three numbers' if vector else 'one number'} per particle; "
                f"found shape {data.shape}."
            )
        own = {unit for columns in read for _, unit in columns}
        if len(own) > 1:
            raise InputError(f"{files[0]}: {name}: columns in different units ({', '.join(map(str, own))}).")
        return data * self._factor(name, spec, own.pop())

    def _factor(self, name: str, spec: Mapping[str, Any], own: u.UnitBase | None) -> float:
        unit = {**COLUMNS, **ORIGINS, **IDS}[name]
        try:
            stated = u.Unit(spec["unit"]) if "unit" in spec else None
            if stated is not None and own is not None and not np.isclose(own.to(stated), 1.0):
                raise InputError(
                    f"{self.mapping}: {name} is in {stated} by the mapping, in {own} by the file; correct one of them."
                )
            source = stated if stated is not None else own
            factor = 1.0 if unit is None or source is None else float(source.to(unit))
            return factor * float(spec.get("scale", 1.0)) * self.h ** float(spec.get("h", 0.0))
        except (ValueError, TypeError) as error:  # UnitConversionError is both
            raise InputError(f"{self.mapping}: {name}: bad unit or scale ({error}); expected {unit}.") from error

    def _column(self, path: Path, name: str, index: Any) -> tuple[np.ndarray, u.UnitBase | None]:
        if path.suffix.lower() in HDF5:
            return _from_hdf5(path, lambda file: self._of_hdf5(path, file, name, index)), None
        if path not in self.tables:
            self.tables[path] = _read_table(path, self.form)
        table = self.tables[path]
        if name not in table.colnames:
            found = ", ".join(table.colnames[:20])
            raise InputError(f"{path}: no column {name!r}, which {self.mapping} names; found {found}.")
        column = table[name]
        data = np.asarray(getattr(column, "value", column))
        if data.dtype.kind not in "biuf":
            raise InputError(f"{path}: column {name} must hold numbers, found {data.dtype}.")
        out = np.array(data, dtype=np.float64)
        mask = np.asarray(getattr(column, "mask", False))
        out[np.broadcast_to(mask, out.shape)] = np.nan
        return self._of_many(out, name, index), column.unit

    def _of_hdf5(self, path: Path, file: h5py.File, name: str, index: Any) -> np.ndarray:
        data = _hdf5_item(path, file, name, self.mapping)
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual or data.dtype.kind not in "biuf":
            raise InputError(f"{path}: {name} is no data set of numbers kept in this file.")
        return np.array(self._of_many(data, name, index)[()], dtype=np.float64)

    def _of_many(self, data: Any, name: str, index: Any) -> Any:
        """Return the column that is asked for, of one with many numbers; of an HDF5 data set no other is read."""
        if index is None:
            return data
        if data.ndim != 2 or not 0 <= int(index) < data.shape[1]:
            raise InputError(f"{self.mapping}: {name}: no column {index} in data of shape {data.shape}.")
        return data[:, int(index)]


def _stack(columns: list[np.ndarray]) -> np.ndarray:
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=-1)


def _read_table(path: Path, form: str) -> Table:
    arguments: dict[str, Any] = {"format": form} if form else {}
    if path.suffix.lower() == ".txt":
        arguments = {"format": "ascii.no_header"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unit spellings and header keywords change nothing here
            return Table.read(path, **arguments)
    except Exception as error:  # every reader raises its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: cannot be read as a table ({reason}); expected HDF5, FITS or ECSV.") from error


def _hdf5_item(path: Path, file: h5py.File, name: str, mapping: Path) -> Any:
    """Return what a path in an HDF5 file leads to, by hard links alone, so that no other file is read."""
    here: Any = file
    for part in name.strip("/").split("/"):
        if not isinstance(here, h5py.Group) or part not in here:
            found = ", ".join(list(here)[:20]) if isinstance(here, h5py.Group) else "a data set"
            raise InputError(f"{path}: no {name!r}, which {mapping} names; found {found or 'nothing'}.")
        if not isinstance(here.get(part, getlink=True), h5py.HardLink):
            raise InputError(f"{path}: {name} leads out of the file; such files are refused.")
        here = here[part]
    return here


def _from_hdf5(path: Path, read: Callable[[h5py.File], Any]) -> Any:
    try:
        with h5py.File(path, "r") as file:
            return read(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({(str(error).splitlines() or ['?'])[0]}).") from error


def hubble_constant(value: Any, path: Path, mapping: Path) -> float:
    """Return h: a number, or an attribute of the file written as GROUP/ATTRIBUTE."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    group, _, attribute = str(value).rpartition("/")

    def read(file: h5py.File) -> float:
        attributes = (_hdf5_item(path, file, group, mapping) if group else file).attrs
        if attribute not in attributes:
            raise InputError(f"{path}: no attribute {value!r} for hubble; found {', '.join(attributes)}.")
        return float(attributes[attribute])

    return _from_hdf5(path, read)
