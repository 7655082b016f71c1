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
from ..io.part import same_unit
from ..io.reading import first_line

HDF5 = (".h5", ".hdf5", ".hdf")
UNITS = {
    "position": u.kpc,
    "velocity": u.km / u.s,
    "mass": u.Msun,
    "birth_distance": u.kpc,
    "potential": u.km**2 / u.s**2,
}
VECTORS = ("position", "velocity")


@dataclass(frozen=True)
class Source:
    """Where columns come from: the blocks of the snapshot, the mapping, and the tables that are already read."""

    paths: tuple[Path, ...]
    mapping: Path
    form: str
    h: float
    tables: dict[Path, Table]

    def files(self, spec: Mapping[str, Any]) -> tuple[Path, ...]:
        """Return the files of a column: those of a pattern in order of their names, or the blocks that have it.

        Raises
        ------
        InputError
            No such file.
        """
        if "file" in spec:
            pattern = str(spec["file"])
            if not set(pattern) & set("*?["):
                return (self.paths[0].parent / pattern,)
            found = tuple(sorted((self.paths[0].parent / pattern).parent.glob(Path(pattern).name)))
            if not found:
                raise InputError(f"{self.paths[0].parent / pattern}: no such file, which {self.mapping} names.")
            return found
        if len(self.paths) == 1 or self.paths[0].suffix.lower() not in HDF5:
            return self.paths
        # blocks of a snapshot that hold no particle of a type lack its group
        group = str(spec["column"][0] if isinstance(spec["column"], list) else spec["column"]).strip("/").split("/")[0]
        having = tuple(path for path in self.paths if _from_hdf5(path, lambda file: group in file))
        return having or self.paths

    def numbers(self, name: str, spec: Mapping[str, Any]) -> np.ndarray:
        """Return what the mapping calls `name`, in its unit: shape (N,), (N, 3) for vectors.

        Raises
        ------
        InputError
            No such column, one of another shape, or a unit that does not fit.
        """
        files = self.files(spec)
        data, own = self._joined(name, spec, files)
        if name == "birth_distance" and data.ndim == 2 and data.shape[1] == 3:
            data = np.linalg.norm(data, axis=1)
        vector = name in VECTORS
        if data.ndim != 1 + vector or (vector and data.shape[1] != 3):
            raise InputError(
                f"{files[0]}: {name} must have {'three numbers' if vector else 'one number'} per particle; "
                f"found shape {data.shape}."
            )
        return data * self.factor(name, spec, own)

    def blocks(self, position: Mapping[str, Any], mass: Mapping[str, Any]) -> Any:
        """Yield positions (kpc, shape (N, 3)) and masses (Msun, shape (N,)) of a type of particles, file by file.

        Raises
        ------
        InputError
            A file lacks one of them, or their shapes do not belong together.
        """
        for file in self.files(position):
            x, own = self._joined("position", position, (file,))
            x = x * self.factor("position", position, own)
            if "attribute" in mass:
                yield x, np.full(len(x), self.attribute("mass", mass, file) * self.factor("mass", mass, None))
                continue
            m, own = self._joined("mass", mass, (file,))
            if x.ndim != 2 or x.shape[1] != 3 or m.shape != (len(x),):
                raise InputError(f"{file}: positions {x.shape} and masses {m.shape} do not belong together.")
            yield x, m * self.factor("mass", mass, own)

    def whole(self, name: str, spec: Mapping[str, Any]) -> np.ndarray:
        """Return ids, as whole as the file has them: a float of 64 bits cannot tell large ones apart.

        Raises
        ------
        InputError
            They are no whole numbers.
        """
        files = self.files(spec)
        parts = [self._column(file, str(spec["column"]), spec.get("index"), whole=True)[0] for file in files]
        ids = np.concatenate(parts)
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise InputError(
                f"{files[0]}: {name} must be one whole number per particle; found {ids.dtype} {ids.shape}."
            )
        return ids

    def attribute(self, name: str, spec: Mapping[str, Any], file: Path) -> float:
        """Return a number that an HDF5 file has as an attribute, or as one of an attribute's numbers."""
        value = np.atleast_1d(attribute_of(str(spec["attribute"]), file, self.mapping, name))
        index = int(spec.get("index", 0))
        if not 0 <= index < len(value):
            raise InputError(
                f"{self.mapping}: {name}: no number {index} in {spec['attribute']}, which has {len(value)}."
            )
        return float(value[index])

    def factor(self, name: str, spec: Mapping[str, Any], own: u.UnitBase | None) -> float:
        """Return what to multiply a column by to have it in its unit.

        Raises
        ------
        InputError
            A unit that cannot be read or converted, or one of the mapping that contradicts the file's.
        """
        unit = UNITS.get(name)
        try:
            stated = u.Unit(spec["unit"]) if "unit" in spec else None
            if stated is not None and own is not None and not same_unit(own, stated):
                raise InputError(
                    f"{self.mapping}: {name} is in {stated} by the mapping, in {own} by the file; correct one of them."
                )
            source = stated if stated is not None else own
            factor = 1.0 if unit is None or source is None else float(source.to(unit))
            return factor * float(spec.get("scale", 1.0)) * self.h ** float(spec.get("h", 0.0))
        except (ValueError, TypeError) as error:  # UnitConversionError is both
            raise InputError(f"{self.mapping}: {name}: bad unit or scale ({error}); expected {unit}.") from error

    def _joined(
        self, name: str, spec: Mapping[str, Any], files: tuple[Path, ...]
    ) -> tuple[np.ndarray, u.UnitBase | None]:
        if "column" not in spec:
            raise InputError(f"{self.mapping}: {name} needs a column; only masses of [gravity] may be an attribute.")
        names = [str(n) for n in (spec["column"] if isinstance(spec["column"], list) else [spec["column"]])]
        index = spec.get("index")
        read = [[self._column(file, n, index) for n in names] for file in files]
        data = np.concatenate([_stack([x for x, _ in columns]) for columns in read])
        own = {unit for columns in read for _, unit in columns}
        if len(own) > 1:
            raise InputError(f"{files[0]}: {name}: columns in different units ({', '.join(map(str, own))}).")
        return data, own.pop()

    def _column(
        self, path: Path, name: str, index: Any, *, whole: bool = False
    ) -> tuple[np.ndarray, u.UnitBase | None]:
        if path.suffix.lower() in HDF5:
            return _from_hdf5(path, lambda file: self._of_hdf5(path, file, name, index, whole)), None
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
        if whole:
            return data, None
        out = np.array(data, dtype=np.float64)
        mask = np.asarray(getattr(column, "mask", False))
        out[np.broadcast_to(mask, out.shape)] = np.nan
        return self._of_many(out, name, index), column.unit

    def _of_hdf5(self, path: Path, file: h5py.File, name: str, index: Any, whole: bool) -> np.ndarray:
        data = _hdf5_item(path, file, name, self.mapping)
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual or data.dtype.kind not in "biuf":
            raise InputError(f"{path}: {name} is no data set of numbers kept in this file.")
        found = self._of_many(data, name, index)[()]
        return found if whole else np.array(found, dtype=np.float64)

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
        raise InputError(f"{path}: cannot be read as HDF5 ({first_line(error)}).") from error


def attribute_of(name: str, path: Path, mapping: Path, what: str) -> Any:
    """Return an attribute of an HDF5 file, which the mapping writes as GROUP/ATTRIBUTE.

    Raises
    ------
    InputError
        There is none.
    """
    group, _, attribute = name.rpartition("/")

    def read(file: h5py.File) -> Any:
        attributes = (_hdf5_item(path, file, group, mapping) if group else file).attrs
        if attribute not in attributes:
            raise InputError(f"{path}: no attribute {name!r} for {what}; found {', '.join(attributes)}.")
        return attributes[attribute]

    return _from_hdf5(path, read)


def number_of(value: Any, path: Path, mapping: Path, what: str) -> float:
    """Return a number of the mapping's ``[galaxy]``: itself, or an attribute of the file as GROUP/ATTRIBUTE."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return float(attribute_of(str(value), path, mapping, what))
