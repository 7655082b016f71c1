"""Star particles of a simulated galaxy, read through a TOML file that names their columns (docs/simulations.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from ..errors import InputError, UsageError
from ..stars.cutflow import CutFlow
from ..stars.cuts import Cut, apply_cuts, user_cuts
from .columns import Source, number_of
from .mapping import find_mapping, read_mapping, spec_of
from .origin import Origin, age, origin_of

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
        ``FE_H`` (dex) and ``accreted`` (bool); only particles that have all of them. Where the mapping names them also
        ``X_FE`` (dex), ``formation`` (scale factor), ``age`` (Gyr), ``birth_distance`` (kpc, in the frame of the
        criterion), ``potential`` (km2 / s2) and ``particle_id``.
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
    cutflow : CutFlow, optional
        From the particles in the files to those of the table.
    frame : ndarray, shape (3, 3), optional
        Rows are the axes of the table's frame in that of the files; none where both are the same.
    source : Source, optional
        The files.
    """

    name: str
    table: QTable
    read: int
    criterion: str
    centre: np.ndarray
    axis: np.ndarray
    mapping: dict[str, Any]
    cutflow: CutFlow | None = None
    frame: np.ndarray | None = None
    source: Source | None = None

    @property
    def dropped(self) -> int:
        """Particles in the files that are not in the table."""
        return self.read - len(self.table)

    def describe(self) -> str:
        """Return what was read, what was left out and why, and what makes a particle accreted."""
        flow = "" if self.cutflow is None else f"{self.cutflow}\n"
        fraction = np.mean(np.asarray(self.table["accreted"], dtype=bool)) if len(self.table) else np.nan
        return (
            f"{flow}{self.name}: {len(self.table):,} of {self.read:,} particles, accreted if {self.criterion}: "
            f"{100 * fraction:.2f} %"
        )


def read_galaxy(files: Sequence[str | Path] | str | Path, mapping_path: str | Path) -> Galaxy:
    """Read star particles through their mapping.

    Parameters
    ----------
    files : path or sequence of path
        HDF5, FITS or ECSV; several are the blocks of one snapshot, in order.
    mapping_path : path
        TOML file with ``[galaxy]`` and ``[columns]``, or the name of one that comes with the package: ``fire2``,
        ``auriga``.

    Raises
    ------
    InputError
        A file that cannot be read, a mapping that makes no sense, columns that are missing or do not belong together.

    Examples
    --------
    >>> from halonmf import halo
    >>> galaxy = halo.read_galaxy("snapshot_600.hdf5", "fire2")  # doctest: +SKIP
    >>> print(galaxy.describe())  # doctest: +SKIP
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    mapping_path = find_mapping(mapping_path)
    mapping = read_mapping(mapping_path)
    options, columns = mapping.get("galaxy", {}), mapping["columns"]
    h = number_of(options.get("hubble", 1.0), paths[0], mapping_path, "hubble")
    source = Source(tuple(paths), mapping_path, str(options.get("format", "")), h, {})

    def column(name: str) -> np.ndarray:
        return source.numbers(name, spec_of(columns[name]))

    position, velocity, mass = column("position"), column("velocity"), column("mass")
    extra = {name: column(name) for name in ("formation", "potential") if name in columns}
    formation = extra.get("formation")
    ids = {name: source.whole(name, spec_of(columns[name])) for name in ("id", "birth_id") if name in columns}
    chemistry = _chemistry(source, mapping)
    origin = origin_of(source, mapping, ids.get("id"), formation)
    if "omega_matter" in options and formation is not None:
        extra["age"] = age(formation, h, number_of(options["omega_matter"], paths[0], mapping_path, "omega_matter"))
    if origin.born is not None:
        extra["birth_distance"] = origin.born
    lengths = {name: len(x) for name, x in (("position", position), ("velocity", velocity), ("mass", mass))}
    lengths |= {"fe_h": len(chemistry["FE_H"]), "origin": len(origin.accreted)} | {n: len(x) for n, x in extra.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {n:,}" for name, n in lengths.items())
        raise InputError(f"{mapping_path}: the columns have different numbers of particles ({said}); same snapshot?")
    if len(ids) == 2:
        same = len(ids["id"]) == len(ids["birth_id"])
        wrong = int((ids["id"] != ids["birth_id"]).sum()) if same else abs(len(ids["id"]) - len(ids["birth_id"]))
        if wrong:
            raise InputError(f"{mapping_path}: id and birth_id differ for {wrong:,} particles; not the same snapshot.")

    whole = np.isfinite(position).all(axis=1) & np.isfinite(velocity).all(axis=1) & np.isfinite(mass) & (mass > 0)
    good, flow = _left(whole, chemistry["FE_H"], formation, origin)
    if not good.any():
        raise InputError(
            f"{paths[0]}: none of {len(good):,} particles has position, velocity, mass, [Fe/H] and origin "
            f"({'; '.join(f'{name} removed {n:,}' for name, n in zip(flow.names, flow.removed, strict=True))})."
        )
    position, velocity, mass = position[good], velocity[good], mass[good]
    centre = _centre(options.get("centre", "shrinking-sphere"), position, mass, mapping_path)
    position = position - centre
    position, velocity, axis, frame = _oriented(
        options.get("axis", "angular-momentum"), position, velocity, mass, mapping_path
    )
    table = _table(position, velocity, mass)
    table["accreted"] = origin.accreted[good]
    for name, x in {**chemistry, **extra}.items():
        table[name] = x[good] * (u.km**2 / u.s**2) if name == "potential" else x[good]
    if "id" in ids:
        table["particle_id"] = ids["id"][good]
    table, flow = _kept(table, flow, options.get("keep", []), mapping_path)
    name = str(options.get("name", paths[0].stem))
    return Galaxy(name, table, len(good), origin.criterion, centre, axis, mapping, flow, frame, source)


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Return the blocks of a snapshot by the numbers in their names: 10 follows 9, as files of formation rely on."""

    def key(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]

    return sorted(paths, key=key)


def _left(whole: Any, fe_h: Any, formation: Any, origin: Origin) -> tuple[np.ndarray, CutFlow]:
    """Return which particles are stars of a known origin, and how many each reason removed."""
    steps = {} if formation is None else {"stars, formation > 0 (others are wind)": formation > 0}
    steps |= {f"not {reason}": ~mask for reason, mask in origin.outside.items()}
    steps["position, velocity, mass, [Fe/H] and origin"] = whole & np.isfinite(fe_h) & origin.known
    good, flow = np.ones(len(whole), dtype=bool), CutFlow(len(whole))
    for name, mask in steps.items():
        left = good & mask
        flow = flow.removing(name, int(good.sum() - left.sum()))
        good = left
    return good, flow


def _table(position: np.ndarray, velocity: np.ndarray, mass: np.ndarray) -> QTable:
    table = QTable()
    for i, name in enumerate(("x", "y", "z_gal")):
        table[name] = position[:, i] * u.kpc
    R = np.hypot(position[:, 0], position[:, 1])
    table["r_sph"], table["R_cyl"] = np.hypot(R, position[:, 2]) * u.kpc, R * u.kpc
    for i, name in enumerate(("v_x", "v_y", "v_z")):
        table[name] = velocity[:, i] * u.km / u.s
    table["mass"] = mass * u.Msun
    return table


def _kept(table: QTable, flow: CutFlow, keep: str | list[str], path: Path) -> tuple[QTable, CutFlow]:
    """Return the particles that meet the mapping's conditions, and the cut-flow with what each removed."""
    try:
        cuts: tuple[Cut, ...] = user_cuts((keep,) if isinstance(keep, str) else tuple(keep))
        mask, later = apply_cuts(table, cuts)
    except UsageError as error:
        raise InputError(f"{path}: keep: {error}") from error
    if not mask.any():
        raise InputError(f"{path}: keep: none of {len(table):,} particles meets {' and '.join(later.names)}.")
    return table[mask], flow.then(later)


def _chemistry(source: Source, mapping: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return [Fe/H], and the [X/Fe] that the mapping names, from logarithms or from mass fractions."""
    columns, others = mapping["columns"], mapping.get("abundances", {})
    name = "fe_h" if "fe_h" in columns else "iron"
    spec = spec_of(columns[name])
    if name == "iron" and "solar" not in spec:
        raise InputError("iron in [columns] needs solar, the Sun's mass fraction of iron, such as solar = 1.73e-3.")
    fe_h = _logarithm(source, name, spec)
    found = {"FE_H": fe_h}
    for element, given in others.items():
        one = spec_of(given)
        x = _logarithm(source, element, one)
        # without a solar value the column holds [X/Fe] already
        found[element] = x - fe_h if "solar" in one else x
        if len(x) != len(fe_h):
            raise InputError(f"{source.mapping}: {element} has {len(x):,} particles, [Fe/H] {len(fe_h):,}.")
    return found


def _logarithm(source: Source, name: str, spec: Mapping[str, Any]) -> np.ndarray:
    """Return [X/H] of mass fractions, relative to the Sun's; or a column that holds a logarithm, as it is.

    With `over`, the column of hydrogen, both are ratios to hydrogen by mass.
    """
    x = source.numbers(name, spec)
    if "solar" not in spec:
        return x
    solar = float(spec["solar"])
    if not solar > 0:
        raise InputError(f"{source.mapping}: {name}: solar must be above 0, got {solar:g}.")
    if "over" in spec:
        hydrogen = source.numbers(name, {**spec, "index": spec["over"]})
        x = np.divide(x, hydrogen, out=np.full(len(x), np.nan), where=hydrogen > 0)
    fraction = np.where(x == 0, 10.0**LEAST_METALLICITY, x / solar)
    return np.log10(fraction, out=np.full(fraction.shape, np.nan), where=fraction > 0)


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


def _oriented(
    choice: Any, position: Any, velocity: Any, mass: Any, path: Path
) -> tuple[Any, Any, np.ndarray, np.ndarray | None]:
    """Return positions and velocities with the disc in the plane and the galaxy at rest, the disc's axis, the frame."""
    near = np.linalg.norm(position, axis=1) < AXIS_WITHIN
    if not near.any():
        raise InputError(f"{path}: no particle within {AXIS_WITHIN:g} kpc of the centre; correct centre or units.")
    velocity = velocity - np.average(velocity[near], axis=0, weights=mass[near])
    if choice == "z":  # as the conventions have it already
        return position, velocity, np.array([0.0, 0.0, 1.0]), None
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
    return position @ frame.T, velocity @ frame.T, axis, frame
