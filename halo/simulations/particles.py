"""Star particles of a simulated galaxy, read through a TOML file that names their columns (docs/simulations.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import InputError
from .columns import IDS, Source, hubble_constant, read_mapping

IN_SITU_WITHIN = 30.0
"""Stars born within this radius are in situ unless the mapping gives another, kpc."""
LEAST_METALLICITY = -10.0
"""[Fe/H] given to particles without iron, whose logarithm is infinite."""
AXIS_WITHIN = 10.0
"""The disc's axis is the angular momentum of the stars within this radius, kpc."""
SHRINK, FEWEST, LEAST_RADIUS = 0.8, 200, 1.0
"""The sphere that finds the centre shrinks by this factor until it holds so few particles or has this radius, kpc."""


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
    mapping = read_mapping(mapping_path)
    options, columns = mapping.get("galaxy", {}), mapping["columns"]
    h = hubble_constant(options.get("hubble", 1.0), paths[0], mapping_path)

    source = Source(tuple(paths), mapping_path, str(options.get("format", "")), h, {})

    def column(name: str) -> np.ndarray:
        spec = {"column": columns[name]} if isinstance(columns[name], str | list) else columns[name]
        return source.numbers(name, spec)

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


def _metallicity(iron: np.ndarray, spec: Any) -> np.ndarray:
    """Return [Fe/H] of mass fractions of iron relative to the Sun's."""
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
