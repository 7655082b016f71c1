"""Any table with energies and angular momenta, or with what they are computed from: clusters, streams, stars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..errors import InputError
from ..io.opening import open_fits
from ..io.reading import check_file
from ..io.tabular import open_part
from ..orbits.convention import NEAR as NEAR
from ..orbits.convention import UNKNOWN, Convention, check_energies, own, same_energies, stated
from ..orbits.settings import POTENTIALS
from ..stars.catalogue import is_prepared, read_catalogue
from ..stars.variables import CARTESIAN, SKY, values
from .mapping import mapped
from .parsing import parse_mapping, read_mapping
from .plausible import PLAUSIBLE_KPC

NAMES: Mapping[str, tuple[str, ...]] = {
    "E": ("E", "energy", "E_tot", "Etot"),
    "Lz": ("Lz", "L_z", "J_phi", "jphi"),
    "ra": ("RA", "ra", "RAJ2000", "ra_deg"),
    "dec": ("DEC", "dec", "DEJ2000", "dec_deg"),
    "distance": ("distance", "dist", "weighted_dist", "R_sun", "Rsun", "d_sun"),
    "pmra": ("pmra", "pm_ra", "pmRA", "pm_ra_cosdec"),
    "pmdec": ("pmdec", "pm_dec", "pmDE"),
    "rv": ("radial_velocity", "vlos", "rv", "RV", "rv_helio", "VHELIO_AVG", "HRV", "vrad"),
    "x": ("x", "X"),
    "y": ("y", "Y"),
    "z": ("z_gal", "z", "Z"),
    "v_x": ("v_x", "vx", "VX", "Vx"),
    "v_y": ("v_y", "vy", "VY", "Vy"),
    "v_z": ("v_z", "vz", "VZ", "Vz"),
}
"""Names under which public tables have these columns, in order of preference; others are named by a mapping file."""
SETS = (("E", "Lz"), ("ra", "dec", "distance", "pmra", "pmdec", "rv"), ("x", "y", "z", "v_x", "v_y", "v_z"))


@dataclass(frozen=True)
class Orbital:
    """A table with the energy and the angular momentum of each row.

    Attributes
    ----------
    table : Table
        As it was read.
    E, Lz : ndarray, shape (N,)
        km2 / s2 and kpc km / s; NaN where missing.
    convention : Convention
        What they are measured from.
    computed : bool
        Whether they were computed here, from positions and velocities.
    warning : str
        What could not be checked; empty where all could.
    """

    table: Table
    E: np.ndarray
    Lz: np.ndarray
    convention: Convention
    computed: bool
    warning: str = ""


def read_orbital(
    path: str | Path,
    columns: str | Path | None = None,
    *,
    convention: Convention | None = None,
    recompute: bool = False,
) -> Orbital:
    """Return the energies and angular momenta of a table, given or computed, in a convention that is checked.

    Parameters
    ----------
    path : path
        A prepared catalogue, or a table in FITS, ECSV, CSV, HDF5 or VOTable.
    columns : path, optional
        The TOML file that names its columns, as `mapping.read_mapped` takes it, without id and abundances; by default
        they are found by the names in `NAMES`.
    convention : Convention, optional
        That the energies must have; this package's own by default.
    recompute : bool
        Compute them from positions and velocities even where the table has them.

    Raises
    ------
    InputError
        A table without the columns; energies of another potential or zero point, by what the file says, by energies
        computed from its positions, or by their size.
    """
    path, wanted = Path(path), convention or own()
    table, found, said = _read(path, columns)
    names = set(found.colnames)
    sky, cartesian = set(SKY) <= names, set(CARTESIAN) <= names
    phase_space = sky or cartesian
    given = {"E", "Lz"} <= names
    remedy = "Compute them with --recompute." if phase_space else "Give positions and velocities, to compute them from."
    if not phase_space and (recompute or not given):
        raise InputError(
            f"{path}: nothing to compute energies from; needs {', '.join(SETS[1])}, or {', '.join(SETS[2])}; it has "
            f"{_listed(table.colnames)}."
        )
    if recompute or not given:
        model = next((m for m in POTENTIALS if not own(m).differs(wanted) and wanted.potential != UNKNOWN), None)
        if model is None:
            raise InputError(
                f"{path}: energies computed here are of {own().potential}; the boundary's are of "
                + ("a potential that its file does not state" if wanted.potential == UNKNOWN else wanted.potential)
                + ". Make the boundary from stars that halonmf prepare computed orbits for."
            )
        return Orbital(table, *_some(path, *_computed(found, sky, model)), own(model), True)
    E, Lz = _some(path, values(found, "E"), values(found, "Lz"))
    if wanted.potential == UNKNOWN:
        warning = (
            f"the boundary's file does not say what its energies are measured from, so those of {path} could not be "
            "compared with them; make it with halonmf boundary"
        )
        return Orbital(table, E, Lz, said or wanted, False, warning)
    differs = "" if said is None else said.differs(wanted)
    if differs and said is not None:
        raise InputError(
            f"{path}: its energies are of {said.potential}, {said.zero_point}; the boundary's of {wanted.potential}, "
            f"{wanted.zero_point} ({differs}). {remedy}"
        )
    if wanted.potential == own().potential:
        check_energies(E, Lz, str(path), remedy)
    if said is not None:
        return Orbital(table, E, Lz, said, False)
    if phase_space and wanted.potential == own().potential:
        difference = same_energies(_computed(found, sky)[0], E)
        if abs(difference) > NEAR:
            raise InputError(
                f"{path}: its energies are {difference:+.4g} km2 / s2 from those of {wanted.potential} at its "
                f"positions and velocities, in the median: another potential, zero point or distance. {remedy}"
            )
        if np.isfinite(difference):
            return Orbital(table, E, Lz, wanted, False)
    warning = f"{path} does not say what its energies are measured from; they are taken for {wanted.potential}'s"
    return Orbital(table, E, Lz, wanted, False, warning)


def _read(path: Path, columns: str | Path | None) -> tuple[Table, Table, Convention | None]:
    """Return the table as it is, the same under the names of the conventions page, and what it says of its energies."""
    if columns is None and _prepared(path):
        catalogue = read_catalogue(path)
        said = stated(catalogue.provenance)
        return (
            catalogue.table,
            catalogue.table,
            own() if said is not None and said.potential == own().potential else said,
        )
    if columns is None:
        raw = open_part(path).read()
        mapping = parse_mapping({"columns": _with_unit(path, raw, _find(path, raw))}, path)
    else:
        mapping = read_mapping(columns)
        if mapping.tables:
            raise InputError(f"{columns}: names further tables, which only halonmf prepare joins.")
        raw = open_part(path, form=mapping.catalogue.format, extension=mapping.catalogue.extension).read()
    found = mapped(path, raw, mapping).table
    meta = dict(raw.meta) | dict(raw.meta.get("provenance") or {}) | mapping.states()
    return raw, found, stated(meta)


def _prepared(path: Path) -> bool:
    try:
        with check_file(path).open("rb") as file:
            if not file.read(9).startswith(b"SIMPLE  ="):
                return False
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    with open_fits(path) as hdus:
        return is_prepared(hdus)


def _find(path: Path, table: Table) -> dict[str, str]:
    columns = {}
    for key, names in NAMES.items():
        exact = [name for name in names if name in table.colnames]
        folded = [name for name in table.colnames if name.lower() == names[0].lower()]
        if exact:
            columns[key] = exact[0]
        elif len(folded) == 1 and key != "E":  # e is the eccentricity
            columns[key] = folded[0]
    if not any(set(keys) <= set(columns) for keys in SETS):
        ways = "; or ".join(", ".join(keys) for keys in SETS)
        raise InputError(
            f"{path}: no columns to place its rows by: needs {ways}; it has {_listed(table.colnames)}. Name them in a "
            "mapping file, with --columns."
        )
    keep = [key for keys in SETS if set(keys) <= set(columns) for key in keys]
    return {key: columns[key] for key in dict.fromkeys(keep)}


def _some(path: Path, E: np.ndarray, Lz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return energies and angular momenta; raise where no row has both.

    Raises
    ------
    InputError
        That.
    """
    if not (np.isfinite(E) & np.isfinite(Lz)).any():
        raise InputError(
            f"{path}: none of its {len(E)} rows has what E and Lz are known by; all are missing or masked."
        )
    return E, Lz


def _with_unit(path: Path, table: Table, columns: dict[str, str]) -> dict[str, Any]:
    """Return the columns by name; raise where a distance without a unit cannot be in kpc.

    Raises
    ------
    InputError
        That: astroNN's `dist` and `weighted_dist`, for one, are in pc.
    """
    name = columns.get("distance")
    if name is not None and table[name].unit is None and np.asarray(table[name]).dtype.kind in "iuf":
        x: np.ndarray = np.ma.filled(np.ma.asarray(table[name], float), np.nan)
        good = x[np.isfinite(x) & (x > 0)]
        if len(good) and np.median(good) > PLAUSIBLE_KPC[1]:
            raise InputError(
                f"{path}: the distances in {name} state no unit, and with {np.median(good):.4g} in the median they are "
                f'not in kpc. Give the unit in a mapping file, distance = {{ column = "{name}", unit = "pc" }} under '
                "[columns], with --columns."
            )
    return dict(columns)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (" and more" if len(names) > 20 else "")


def _computed(found: Table, sky: bool, model: str = POTENTIALS[0]) -> tuple[np.ndarray, np.ndarray]:
    from ..orbits import frames
    from ..orbits.kinematics import angular_momentum, energy

    if sky:
        kinds = (u.deg, u.deg, u.kpc, u.mas / u.yr, u.mas / u.yr, u.km / u.s)
        position, velocity = frames.to_galactocentric(
            *(u.Quantity(values(found, name), kind) for name, kind in zip(SKY, kinds, strict=True))
        )
    else:
        columns = [values(found, name) for name in CARTESIAN]
        position, velocity = np.stack(columns[:3], axis=1) * u.kpc, np.stack(columns[3:], axis=1) * (u.km / u.s)
    E = energy(position, velocity, model).to_value(u.km**2 / u.s**2)
    return E, angular_momentum(position, velocity).to_value(u.kpc * u.km / u.s)
