"""Star particles of a simulated galaxy, read through a TOML file that names their columns (docs/simulations.md)."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from .errors import InputError

HDF5 = (".h5", ".hdf5", ".hdf")
COLUMNS = {"position": u.kpc, "velocity": u.km / u.s, "mass": u.Msun, "fe_h": None, "iron": None}
ORIGINS = {"birth_distance": u.kpc, "accreted": None}
IDS = {"id": None, "birth_id": None}
VECTORS = ("position", "velocity")
GALAXY_KEYS = ("name", "format", "hubble", "centre", "axis", "in_situ_within")
COLUMN_KEYS = ("column", "file", "unit", "scale", "h", "index", "solar")

IN_SITU_WITHIN = 30.0
"""Stars born within so many kpc of the galaxy's centre are its own, where the mapping does not say otherwise."""
LEAST_METALLICITY = -10.0
"""[Fe/H] of particles without iron, whose logarithm has no value."""
AXIS_WITHIN = 10.0
"""The disc's axis is the angular momentum of the stars within so many kpc."""
SHRINK, FEWEST, LEAST_RADIUS = 0.8, 200, 1.0
"""The sphere that finds the centre shrinks by this factor until it holds so few particles, or is so many kpc small."""


@dataclass(frozen=True)
class Galaxy:
    """Star particles in the frame of the conventions page: centred, the disc in the plane, prograde Lz positive.

    Attributes
    ----------
    name : str
        The galaxy's.
    table : QTable
        ``x``, ``y``, ``z_gal``, ``r_sph``, ``R_cyl`` (kpc), ``v_x``, ``v_y``, ``v_z`` (km / s), ``mass`` (Msun),
        ``FE_H`` (dex) and ``accreted`` (bool); only particles that have all of them.
    read : int
        Particles in the files.
    criterion : str
        What makes a particle accreted.
    centre : ndarray, shape (3,)
        Where the centre was in the files' frame, kpc.
    axis : ndarray, shape (3,)
        The disc's axis there, of unit length.
    mapping : dict
        The mapping file's content, for the record.
    """

    name: str
    table: QTable
    read: int
    criterion: str
    centre: np.ndarray
    axis: np.ndarray
    mapping: dict[str, Any]

    @property
    def dropped(self) -> int:
        """Particles in the files that lack a value or have no mass."""
        return self.read - len(self.table)


def read_galaxy(files: Sequence[str | Path] | str | Path, mapping_path: str | Path) -> Galaxy:
    """Read star particles through their mapping.

    Parameters
    ----------
    files : path or sequence of path
        HDF5, FITS or ECSV; several are the blocks of one snapshot, in order.
    mapping_path : path
        TOML file with ``[galaxy]`` and ``[columns]``.

    Raises
    ------
    InputError
        A file that cannot be read, a mapping that makes no sense, columns that are missing or do not belong together.
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    mapping_path = Path(mapping_path)
    mapping = _read_mapping(mapping_path)
    options, columns = mapping.get("galaxy", {}), mapping["columns"]
    h = _hubble(options.get("hubble", 1.0), paths[0], mapping_path)

    def column(name: str) -> np.ndarray:
        spec = {"column": columns[name]} if isinstance(columns[name], str | list) else columns[name]
        return _numbers(name, spec, paths, mapping_path, h, str(options.get("format", "")))

    position, velocity, mass = column("position"), column("velocity"), column("mass")
    fe_h = column("fe_h") if "fe_h" in columns else _metallicity(column("iron"), columns["iron"])
    accreted, known, criterion = _origin(columns, column, float(options.get("in_situ_within", IN_SITU_WITHIN)))
    lengths = {name: len(x) for name, x in (("position", position), ("velocity", velocity), ("mass", mass))}
    lengths |= {"fe_h": len(fe_h), "origin": len(accreted)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {n:,}" for name, n in lengths.items())
        raise InputError(f"{mapping_path}: the columns have different numbers of particles ({said}); same snapshot?")
    if set(IDS) <= set(columns):
        ids, others = column("id"), column("birth_id")
        wrong = int((ids != others).sum()) if len(ids) == len(others) else abs(len(ids) - len(others))
        if wrong:
            raise InputError(f"{mapping_path}: id and birth_id differ for {wrong:,} particles; not the same snapshot.")
    good = np.isfinite(position).all(axis=1) & np.isfinite(velocity).all(axis=1) & np.isfinite(fe_h) & known
    good &= np.isfinite(mass) & (mass > 0)
    if not good.any():
        raise InputError(
            f"{paths[0]}: none of {len(good):,} particles has position, velocity, mass, [Fe/H] and origin."
        )
    position, velocity, mass = position[good], velocity[good], mass[good]
    centre = _centre(options.get("centre", "shrinking-sphere"), position, mass, mapping_path)
    position = position - centre
    position, velocity, axis = _oriented(
        options.get("axis", "angular-momentum"), position, velocity, mass, mapping_path
    )
    table = QTable()
    for i, name in enumerate(("x", "y", "z_gal")):
        table[name] = position[:, i] * u.kpc
    R = np.hypot(position[:, 0], position[:, 1])
    table["r_sph"], table["R_cyl"] = np.hypot(R, position[:, 2]) * u.kpc, R * u.kpc
    for i, name in enumerate(("v_x", "v_y", "v_z")):
        table[name] = velocity[:, i] * u.km / u.s
    table["mass"], table["FE_H"], table["accreted"] = mass * u.Msun, fe_h[good], accreted[good]
    name = str(options.get("name", paths[0].stem))
    return Galaxy(name, table, len(good), criterion, centre, axis, mapping)


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mapping = tomllib.load(file)
    except OSError as error:
        raise InputError(f"{path}: the mapping cannot be read ({error.strerror}); check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the mapping is not TOML ({error}); see docs/simulations.md.") from error
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


def _numbers(name: str, spec: Mapping[str, Any], paths: Sequence[Path], mapping: Path, h: float, form: str) -> Any:
    files = [paths[0].parent / spec["file"]] if "file" in spec else paths
    names = spec["column"] if isinstance(spec["column"], list) else [spec["column"]]
    data = np.concatenate([_stack([_column(file, str(n), mapping, form) for n in names]) for file in files])
    if "index" in spec:
        if data.ndim != 2 or not 0 <= int(spec["index"]) < data.shape[1]:
            raise InputError(f"{mapping}: {name}: no column {spec['index']} in data of shape {data.shape}.")
        data = data[:, int(spec["index"])]
    vector = name in VECTORS
    if data.ndim != 1 + vector or (vector and data.shape[1] != 3):
        if not (name == "birth_distance" and data.ndim == 2 and data.shape[1] == 3):
            raise InputError(
                f"{files[0]}: {name} must have {'three numbers' if vector else 'one number'} per particle; "
                f"found shape {data.shape}."
            )
        data = np.linalg.norm(data, axis=1)
    unit = {**COLUMNS, **ORIGINS, **IDS}[name]
    try:
        factor = 1.0 if unit is None or "unit" not in spec else float(u.Unit(spec["unit"]).to(unit))
        return data * factor * float(spec.get("scale", 1.0)) * h ** float(spec.get("h", 0.0))
    except (ValueError, TypeError) as error:  # UnitConversionError is both
        raise InputError(f"{mapping}: {name}: bad unit or scale ({error}); expected {unit}.") from error


def _stack(columns: list[np.ndarray]) -> np.ndarray:
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=-1)


def _column(path: Path, name: str, mapping: Path, form: str) -> np.ndarray:
    if path.suffix.lower() in HDF5:
        return _from_hdf5(path, lambda file: _hdf5_column(path, file, name, mapping))
    arguments: dict[str, Any] = {"format": form} if form else {}
    if path.suffix.lower() == ".txt":
        arguments = {"format": "ascii.no_header"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unit spellings and header keywords change nothing here
            table = Table.read(path, **arguments)
    except Exception as error:  # every reader has its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: cannot be read as a table ({reason}); expected HDF5, FITS or ECSV.") from error
    if name not in table.colnames:
        raise InputError(f"{path}: no column {name!r}, which {mapping} names; found {', '.join(table.colnames[:20])}.")
    column = table[name]
    data = np.asarray(getattr(column, "value", column))
    if data.dtype.kind not in "biuf":
        raise InputError(f"{path}: column {name} must hold numbers, found {data.dtype}.")
    out = np.array(data, dtype=np.float64)
    mask = np.asarray(getattr(column, "mask", False))
    out[np.broadcast_to(mask, out.shape)] = np.nan
    return out


def _hdf5_column(path: Path, file: h5py.File, name: str, mapping: Path) -> np.ndarray:
    data = _hdf5_item(path, file, name, mapping)
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual or data.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name} is no data set of numbers kept in this file.")
    return np.array(data[()], dtype=np.float64)


def _hdf5_item(path: Path, file: h5py.File, name: str, mapping: Path) -> Any:
    """Return what a path in an HDF5 file leads to, by hard links alone: a file must not make us read others."""
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


def _hubble(value: Any, path: Path, mapping: Path) -> float:
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


def _metallicity(iron: np.ndarray, spec: Any) -> np.ndarray:
    """Return [Fe/H] of mass fractions of iron beside the Sun's."""
    solar = float(spec.get("solar", np.nan)) if isinstance(spec, Mapping) else np.nan
    if not solar > 0:
        raise InputError("iron in [columns] needs solar, the Sun's mass fraction of iron, such as solar = 1.73e-3.")
    share = np.where(iron == 0, 10.0**LEAST_METALLICITY, iron / solar)
    return np.log10(share, out=np.full(share.shape, np.nan), where=share > 0)


def _origin(columns: Mapping[str, Any], column: Callable[[str], np.ndarray], within: float) -> tuple[Any, Any, str]:
    if "accreted" in columns:
        flag = column("accreted")
        return flag > 0, np.isfinite(flag), "flagged as accreted"
    born = column("birth_distance")
    return born > within, np.isfinite(born), f"born more than {within:g} kpc from the centre"


def _centre(choice: Any, position: np.ndarray, mass: np.ndarray, path: Path) -> np.ndarray:
    if choice == "origin":
        return np.zeros(3)
    if isinstance(choice, list) and len(choice) == 3:
        return np.array(choice, dtype=float)
    if choice != "shrinking-sphere":
        raise InputError(f"{path}: centre must be 'shrinking-sphere', 'origin' or [x, y, z] in kpc; got {choice!r}.")
    inside = np.ones(len(position), dtype=bool)
    centre = np.median(position, axis=0)
    radius = np.linalg.norm(position - centre, axis=1).max()
    while inside.sum() > FEWEST and radius > LEAST_RADIUS:
        centre = np.average(position[inside], axis=0, weights=mass[inside])
        radius *= SHRINK
        closer = np.linalg.norm(position - centre, axis=1) < radius
        if not closer.any():
            break
        inside = closer
    return centre


def _oriented(choice: Any, position: Any, velocity: Any, mass: Any, path: Path) -> tuple[Any, Any, np.ndarray]:
    """Return positions and velocities with the disc in the plane and the galaxy at rest, and the disc's axis."""
    near = np.linalg.norm(position, axis=1) < AXIS_WITHIN
    if not near.any():
        raise InputError(f"{path}: no particle within {AXIS_WITHIN:g} kpc of the centre; correct centre or units.")
    velocity = velocity - np.average(velocity[near], axis=0, weights=mass[near])
    if choice == "z":  # as the conventions have it already
        return position, velocity, np.array([0.0, 0.0, 1.0])
    if choice == "angular-momentum":
        axis = (mass[near, None] * np.cross(position[near], velocity[near])).sum(axis=0)
    elif isinstance(choice, list) and len(choice) == 3:
        axis = np.array(choice, dtype=float)
    else:
        raise InputError(f"{path}: axis must be 'angular-momentum', 'z' or [x, y, z]; got {choice!r}.")
    if not np.linalg.norm(axis) > 0:
        raise InputError(f"{path}: the axis has no length; give one as [x, y, z].")
    axis = axis / np.linalg.norm(axis)
    # In the conventions' frame discs turn clockwise seen from above: their angular momentum points down and Lz, which
    # counts prograde as positive, is minus its component along z.
    first = np.cross(-axis, np.eye(3)[np.argmin(np.abs(axis))])
    first /= np.linalg.norm(first)
    frame = np.stack([first, np.cross(-axis, first), -axis])
    return position @ frame.T, velocity @ frame.T, axis
