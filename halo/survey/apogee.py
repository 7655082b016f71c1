"""APOGEE DR17 as one table: allStarLite for chemistry and flags, astroNN for distances and velocities.

Sentinels and masked entries are made missing here, before any cut can see them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from ..errors import InputError
from ..io.fits import FitsTable, find_table, read_columns
from ..progress import Progress, silent
from .headers import by_case, unit_factor
from .match import JOIN_WITNESSES, pair_rows
from .quality import DEFAULT_ELEMENTS, EXTRATARG_DUPLICATE, check_elements, no_bits
from .settings import DEFAULT_COLUMNS
from .stages import READ

__all__ = ["DEFAULT_COLUMNS", "clean", "read_survey"]

SENTINELS = (-9999.99, -9999.0, 99.99)
"""Sentinels of missing values, besides NaN and anything as large as 1e20."""

_ABSURD = 9.9e19
_TEXT = ("APOGEE_ID", "PROGRAMNAME", "TELESCOPE", "FIELD")
_INTEGER = ("GAIAEDR3_SOURCE_ID", "ASPCAPFLAG", "EXTRATARG")
_ALLSTAR = ("APOGEE_ID", "RA", "DEC", "PROGRAMNAME", *_INTEGER, "LOGG")
_ASTRONN = ("APOGEE_ID", "WEIGHTED_DIST", "PMRA", "PMDEC", "VHELIO_AVG")
_VELOCITY_ERRORS = ("VERR", "VSCATTER", "NVISITS")
_ASTRONN_ERRORS = ("WEIGHTED_DIST_ERROR", "PMRA_ERROR", "PMDEC_ERROR")
_ASTRONN_NAMES = ("APOGEE_ID", "VHELIO_AVG", *(n.lower() for n in (*_ASTRONN[1:4], *_ASTRONN_ERRORS)))

VELOCITY_FLOOR = 0.1
"""Least error of a radial velocity, km/s: that of the survey's wavelengths."""

PLAUSIBLE_PC = (50.0, 1e5)
"""Range of the median distance of a survey of giants, pc; kpc and Mpc fall outside."""


@dataclass(frozen=True)
class _Kind:
    """What one of the two files must hold, and how it is told from others."""

    title: str
    required: tuple[str, ...]


def read_survey(
    allstar: str | Path,
    astronn: str | Path,
    *,
    elements: Sequence[str] = DEFAULT_ELEMENTS,
    columns: Sequence[str] = DEFAULT_COLUMNS,
    progress: Progress = silent,
) -> Table:
    """Every row of allStar with its distance and velocity, missing values as NaN.

    Parameters
    ----------
    allstar : path
        ``allStarLite-dr17-synspec_rev1.fits``, or allStar; the table is in extension 1.
    astronn : path
        ``apogee_astroNN-DR17.fits``.
    elements : sequence of str
        Abundances to read, with their errors and flags.
    columns : sequence of str
        Further columns of allStar to carry along, those of `DEFAULT_COLUMNS` only where present.
    progress : callable, optional
        Called with the stage, rows done and rows in all.

    Returns
    -------
    Table
        In the order of allStar: ``APOGEE_ID`` (bytes), ``SOURCE_ID``, ``RA``, ``DEC`` (deg), ``PROGRAMNAME``,
        ``ASPCAPFLAG``, ``EXTRATARG``, ``LOGG``, `columns`, per element the value, ``_ERR`` and ``_FLAG``; ``distance``,
        ``distance_error`` (kpc), ``pmra``, ``pmdec``, ``pmra_error``, ``pmdec_error`` (mas/yr), ``radial_velocity``,
        ``radial_velocity_error`` (km/s), of ``weighted_dist`` and ``VHELIO_AVG`` in astroNN. Stars that astroNN lacks
        have NaN there, and errors that neither file has are NaN. The error of the velocity is allStar's ``VERR``, or
        where it has none ``VSCATTER`` / sqrt(``NVISITS``), and never below `VELOCITY_FLOOR`.

    Raises
    ------
    InputError
        A file that is unreadable, incomplete, of another kind or release, in other units, or cannot be joined.
    """
    check_elements(elements)
    chemistry = tuple(f"{name}{end}" for name in elements for end in ("", "_ERR", "_FLAG"))
    star_kind = _Kind("allStarLite of APOGEE DR17", (*_ALLSTAR, *(n for n in chemistry if n not in _ALLSTAR)))
    vac_kind = _Kind("the astroNN catalogue of APOGEE DR17", _ASTRONN)
    stars = by_case(find_table(allstar), (*star_kind.required, *_VELOCITY_ERRORS, *columns))
    vac = by_case(find_table(astronn), _ASTRONN_NAMES)
    _check_columns(stars, star_kind, vac, vac_kind)
    _check_columns(vac, vac_kind, stars, star_kind)

    witnesses = [name for name in JOIN_WITNESSES if _is_scalar(stars, name) and _is_scalar(vac, name)]
    absent = [n for n in columns if n not in DEFAULT_COLUMNS and not _is_scalar(stars, n)]
    if absent:
        raise InputError(
            f"{stars.path}: no column {', '.join(absent)} with one value a star to keep; "
            f"found {', '.join(stars.columns)}."
        )
    carried = [n for n in dict.fromkeys(columns) if _is_scalar(stars, n) and n not in star_kind.required]
    seen = [n for n in _VELOCITY_ERRORS if _is_scalar(stars, n)]
    wanted = list(dict.fromkeys((*star_kind.required, *carried, *witnesses, *seen)))
    s = read_columns(stars, wanted, _stage(progress, READ[0]))
    optional = [n for n in _ASTRONN_ERRORS if _is_scalar(vac, n)]
    v = read_columns(vac, list(dict.fromkeys((*_ASTRONN, *optional, *witnesses))), _stage(progress, READ[1]))

    duplicate = ~no_bits(s["EXTRATARG"], [EXTRATARG_DUPLICATE])
    rows = pair_rows(s, v, duplicate, witnesses, allstar=stars.path, astronn=vac.path)
    for file, data in ((stars, s), (vac, v)):
        for name, array in data.items():
            if array.dtype.kind == "f":
                data[name] = clean(array, error=name.endswith(("_ERR", "_ERROR")), sky=name in ("RA", "DEC"))
                data[name] *= unit_factor(file, name)
    _check_sky(stars.path, s)
    distance = np.where(v["WEIGHTED_DIST"] > 0, v["WEIGHTED_DIST"], np.nan)
    _check_distance(vac.path, distance)
    return _table(s, v, rows, distance, (*carried, *chemistry))


def _table(
    s: dict[str, np.ndarray], v: dict[str, np.ndarray], rows: np.ndarray, distance: np.ndarray, names: Sequence[str]
) -> Table:
    """Return the table of `read_survey` from the columns of allStar (s), those of astroNN (v) and its rows."""
    table = Table()
    table["APOGEE_ID"] = s["APOGEE_ID"]
    table["SOURCE_ID"] = s["GAIAEDR3_SOURCE_ID"].astype(np.int64)
    for name, unit in (("RA", u.deg), ("DEC", u.deg)):
        table[name] = Column(s[name], unit=unit)
    for name in ("PROGRAMNAME", "ASPCAPFLAG", "EXTRATARG", "LOGG", *names):
        if name not in table.colnames:
            table[name] = s[name]
    kpc_per_pc, unknown = 1e-3, np.full(len(distance), np.nan)
    for name, array, unit in (
        ("distance", distance * kpc_per_pc, u.kpc),
        ("distance_error", v.get("WEIGHTED_DIST_ERROR", unknown) * kpc_per_pc, u.kpc),
        ("pmra", v["PMRA"], u.mas / u.yr),
        ("pmdec", v["PMDEC"], u.mas / u.yr),
        ("pmra_error", v.get("PMRA_ERROR", unknown), u.mas / u.yr),
        ("pmdec_error", v.get("PMDEC_ERROR", unknown), u.mas / u.yr),
        ("radial_velocity", v["VHELIO_AVG"], u.km / u.s),
    ):
        table[name] = Column(_taken(array, rows), unit=unit)
    table["radial_velocity_error"] = Column(_velocity_error(s, len(table)), unit=u.km / u.s)
    return table


def clean(array: np.ndarray, *, error: bool = False, sky: bool = False) -> np.ndarray:
    """Return the floats with sentinels, infinities and impossible errors as NaN.

    Parameters
    ----------
    array : ndarray
        Real numbers; masked entries become NaN too.
    error : bool
        An uncertainty: zero and below are missing, since a sentinel error would pass "below 0.2".
    sky : bool
        A position, where 99.99 deg is a valid value.

    Returns
    -------
    ndarray
        A copy in native byte order.
    """
    mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    data = np.asarray(array)
    out = data.astype(data.dtype.newbyteorder("="), copy=True)
    bad = ~(np.abs(out) < _ABSURD)
    # compared in single precision: a float64 column may hold a sentinel that was once rounded to float32
    single = np.where(bad, np.nan, out).astype(np.float32)
    for value in SENTINELS:
        if not (sky and value > 0):
            bad |= single == np.float32(value)
    if error:
        bad |= out <= 0
    if mask is not None:
        bad |= mask
    out[bad] = np.nan
    return out


def _velocity_error(s: Mapping[str, np.ndarray], n_rows: int) -> np.ndarray:
    found = np.asarray(s.get("VERR", np.full(n_rows, np.nan)), dtype=np.float64)
    if "VSCATTER" in s and "NVISITS" in s:
        visits = np.maximum(s["NVISITS"], 1)
        found = np.where(np.isfinite(found), found, s["VSCATTER"] / np.sqrt(visits))
    return np.maximum(found, VELOCITY_FLOOR)  # NaN stays


def _taken(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    out = array[rows].astype(np.float64)  # row -1 is the last one, overwritten below
    out[rows < 0] = np.nan
    return out


def _stage(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def _is_scalar(table: FitsTable, name: str) -> bool:
    return name in table.columns and table.dtype[name].shape == ()


def _check_columns(table: FitsTable, kind: _Kind, beside: FitsTable, other: _Kind) -> None:
    missing = [name for name in kind.required if name not in table.columns]
    if missing:
        raise InputError(
            f"{table.path}: not {kind.title}: missing {', '.join(missing)}; found {len(table.columns)} columns "
            f"({_listed(list(table.columns))}); {_remedy(table.columns, kind, beside, other)}"
        )
    for name in kind.required:
        dtype = table.dtype[name]
        if name in _TEXT:
            expected, good = "text", dtype.kind == "S"
        elif name in _INTEGER or name.endswith("_FLAG"):
            expected, good = "an integer", dtype.kind in "iu"
        else:
            expected, good = "a real number", dtype.kind == "f"
        if dtype.shape and table.n_rows == 1:
            raise InputError(
                f"{table.path}: its one row has whole columns, as column-oriented FITS of TOPCAT has: save it with a "
                "row for each star, or use the survey's own file."
            )
        if dtype.shape or not good:
            raise InputError(
                f"{table.path}: not {kind.title}: column {name} must be {expected} in each row, found "
                f"{table.columns[name].format}; files of other data releases differ so, use those of DR17."
            )
    if table.n_rows == 0:
        raise InputError(f"{table.path}: the table has no rows; download it again.")


def _remedy(columns: Mapping[str, object], kind: _Kind, beside: FitsTable, other: _Kind) -> str:
    if all(name in columns for name in other.required):
        if all(name in beside.columns for name in other.required):
            return f"this is {other.title}, as {beside.path} is: both are of one kind, give {kind.title} too."
        return f"this looks like {other.title}: swap the two files (allStar comes first)."
    if "SDSS_ID" in columns:
        return "this looks like a table of SDSS-V; use the one of DR17."
    if "GAIA_SOURCE_ID" in columns and "GAIAEDR3_SOURCE_ID" not in columns:
        return "this looks like DR16 or older; use the one of DR17."
    if "R_SPH" in columns:
        return "this looks like a catalogue that halonmf prepared: fit it as it is, or name its columns by --columns."
    return "check that this is the right file, of DR17."


def _listed(names: Sequence[str], most: int = 12) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _check_sky(path: Path, data: Mapping[str, np.ndarray]) -> None:
    for name, low, high in (("RA", 0.0, 360.0), ("DEC", -90.0, 90.0)):
        bad = (data[name] < low) | (data[name] > high)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"{path}: {name} must lie in {low:g} to {high:g} deg; {bad.sum():,} rows do not, first row {row} with "
                f"{data[name][row]:g}; check the file's units."
            )


def _check_distance(path: Path, distance: np.ndarray) -> None:
    finite = distance[np.isfinite(distance)]
    if finite.size == 0:
        raise InputError(f"{path}: weighted_dist has no valid value; download the file again.")
    median = float(np.median(finite))
    if not PLAUSIBLE_PC[0] <= median <= PLAUSIBLE_PC[1]:
        unit = "kpc" if median < PLAUSIBLE_PC[0] else "something smaller than pc"
        raise InputError(
            f"{path}: weighted_dist must be in pc; its median is {median:g}, which looks like {unit}; "
            "convert the column."
        )
