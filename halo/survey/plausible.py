"""Whether values can be what a mapping says they are: wrong units, signs and meanings show in their size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..errors import InputError
from ..orbits.convention import LEAST_E, LEAST_LZ
from ..stars.variables import CARTESIAN, values

PLAUSIBLE_KPC = (0.05, 200.0)
"""Range of the median heliocentric distance; pc treated as kpc, or kpc as pc, fall outside."""
FEWEST = 11
"""Least number of values whose median is judged; distances are judged however few they are."""
MANY = 50
"""Least number of stars whose distribution is judged."""
FAST = 1000.0
"""|Lz| above which most stars of any large sample are of the disc, kpc km / s."""
RETROGRADE, NOTABLE = 0.8, 0.05
"""Parts of the fast stars that must be retrograde, and of all that must be fast, for Lz to be thought reversed."""
SLOPE, CORRELATION, SPREAD = 0.6, 0.8, 0.15
"""Slope and correlation with [Fe/H] from which an [X/Fe] is thought to be [X/H], and least spread of [Fe/H], dex."""


@dataclass(frozen=True)
class Range:
    """Limits of the median absolute value of a quantity.

    Attributes
    ----------
    low, high : float
        Its least and its greatest, far beyond those of any catalogue of stars.
    unit : str
    remedy : str
        What to do outside of them.
    """

    low: float
    high: float
    unit: str
    remedy: str


_STATE = "state the unit of the column"
_E = Range(LEAST_E, 1e6, "km2 / s2", f'{_STATE}, such as unit = "1e5 km2 / s2" or "100 km2 / s2"')
_L = Range(LEAST_LZ, 2e4, "kpc km / s", f'{_STATE}, such as unit = "1e3 kpc km / s" or "10 kpc km / s"')
_LENGTH = Range(0.01, 1000, "kpc", f"{_STATE} (pc or kpc)")
_V = Range(1, 3000, "km / s", f"{_STATE} (m / s or km / s)")
_PM = Range(0.01, 500, "mas / yr", f"{_STATE} (mas / yr, arcsec / yr or rad / yr)")

RANGES: Mapping[str, tuple[str, Range]] = {
    "E": ("E", _E),
    "Lz": ("Lz", _L),
    "J_phi": ("J_phi", _L),
    "J_r": ("J_r", Range(0.1, 5e4, "kpc km / s", _STATE)),
    "J_z": ("J_z", Range(0.1, 5e4, "kpc km / s", _STATE)),
    "distance": ("distance", Range(*PLAUSIBLE_KPC, "kpc", "correct its unit (pc or kpc)")),
    **{name: (name, _LENGTH) for name in ("r_peri", "r_apo", "z_max")},
    "r_sph": ("r", _LENGTH),
    "R_cyl": ("R", _LENGTH),
    "pmra": ("pmra", _PM),
    "pmdec": ("pmdec", _PM),
    "pmra_error": ("pmra_error", Range(1e-3, 50, "mas / yr", _PM.remedy)),
    "pmdec_error": ("pmdec_error", Range(1e-3, 50, "mas / yr", _PM.remedy)),
    "radial_velocity": ("rv", Range(0.5, 1500, "km / s", _V.remedy)),
    "radial_velocity_error": ("radial_velocity_error", Range(1e-4, 300, "km / s", _V.remedy)),
    "LOGG": ("LOGG", Range(0, 6, "", "name a column of log10 of g in cm / s2")),
    "TEFF": ("TEFF", Range(1000, 1e5, "K", "name a column of temperatures, not of their logarithms")),
}
"""Limits by column of the conventions page, with the entry of the mapping that fills it."""


def check_plausible(table: Table, path: Path, mapping: Path | None, unusual: Collection[str] = ()) -> None:
    """Raise where values are of another size than those of any catalogue of stars.

    Parameters
    ----------
    table : Table
        Columns of the conventions page.
    path : Path
        Their file, for messages.
    mapping : Path, optional
        The mapping file, for messages.
    unusual : collection of str
        Entries of the mapping that are not judged.

    Raises
    ------
    InputError
        They are in another unit, or have another sign or meaning.
    """
    where = "in a mapping file, with --columns" if mapping is None else f"in {mapping}"
    data = {name: values(table, name) for name in table.colnames if table[name].dtype.kind == "f"}
    data = {name: column for name, column in data.items() if np.isfinite(column).any()}
    problems = [
        *_sizes(data),
        *_sky(data),
        *_errors(data),
        *_bounds(data),
        *_phase_space(data),
        *_reversed(data),
        *_abundances(data),
    ]
    for entry, found, remedy in problems:
        if entry not in unusual:
            raise InputError(
                f"{path}: {found}; {remedy}, {where}. Where it is right, add {entry} to the list unusual under "
                "[catalogue]."
            )


_Problem = tuple[str, str, str]
"""The entry of the mapping, what is found, and what to do."""


def _sizes(data: Mapping[str, np.ndarray]) -> list[_Problem]:
    out = []
    for name, (entry, limits) in RANGES.items():
        x = data.get(name)
        if x is None or (np.isfinite(x).sum() < FEWEST and name != "distance"):
            continue
        size = float(np.nanmedian(np.abs(x)))
        if not limits.low <= size <= limits.high:
            unit = f" {limits.unit}" if limits.unit else ""
            out.append((entry, f"the median {_called(entry)} would be {size:.4g}{unit}", limits.remedy))
    if "E" in data and np.isfinite(data["E"]).sum() >= FEWEST and float(np.nanmean(data["E"] >= 0)) > 0.5:
        found = "most energies are positive, and bound stars have negative ones where the potential is 0 at infinity"
        out.append(("E", found, "name another column, turn its sign round by scale = -1, or compute orbits"))
    return out


def _called(entry: str) -> str:
    return f"|{entry}|" if entry in ("E", "Lz", "J_phi", "pmra", "pmdec", "rv") else entry


def _sky(data: Mapping[str, np.ndarray]) -> list[_Problem]:
    out = []
    for name, low, high in (("RA", 0.0, 360.0), ("DEC", -90.0, 90.0)):
        x = data.get(name)
        if x is not None and (bad := (x < low) | (x > high)).any():
            row = int(np.argmax(bad))
            found = f"{int(bad.sum()):,} values of {name.lower()} lie outside {low:g} to {high:g} deg, first {x[row]:g}"
            out.append((name.lower(), found, "name another column or state its unit"))
    if "RA" in data and "DEC" in data and min(np.isfinite(data[name]).sum() for name in ("RA", "DEC")) >= MANY:
        ra, dec = data["RA"], data["DEC"]
        width, height = float(np.nanmax(ra) - np.nanmin(ra)), float(np.nanmax(dec) - np.nanmin(dec))
        if 3 < width and np.nanmax(ra) < 6.29 and 1 < height and np.nanmax(np.abs(dec)) < 1.58:
            out.append(("ra", "ra and dec lie within 2 pi and pi / 2, as radians do", 'state unit = "rad" for both'))
        elif width > 20 and np.nanmax(ra) <= 24 and height > 60:
            out.append(("ra", "ra lies within 24, as hours do", 'state unit = "hourangle"'))
    return out


def _errors(data: Mapping[str, np.ndarray]) -> list[_Problem]:
    out = []
    if "distance" in data and "distance_error" in data:
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = data["distance_error"] / data["distance"]
        relative = relative[np.isfinite(relative)]
        if relative.size >= FEWEST and not 1e-4 <= np.median(relative) <= 3:
            found = f"the median distance_error would be {np.median(relative):.3g} of the distance"
            out.append(("distance_error", found, "state the unit of the column (pc or kpc)"))
    for name, x in data.items():
        if name.endswith("_ERR") and np.isfinite(x).sum() >= FEWEST and not 1e-4 <= np.nanmedian(x) <= 2:
            entry = name.removesuffix("_ERR")
            out.append(
                (entry, f"the median error of {entry} would be {np.nanmedian(x):.3g} dex", "name another column")
            )
    correlation = data.get("pmra_pmdec_corr")
    if correlation is not None and np.nanmax(np.abs(correlation)) > 1:
        found = f"correlations of proper motions reach {np.nanmax(np.abs(correlation)):.3g}, beyond 1"
        out.append(("pmra_pmdec_corr", found, "name another column: a covariance is no correlation"))
    return out


def _bounds(data: Mapping[str, np.ndarray]) -> list[_Problem]:
    x = data.get("ecc")
    if x is None or float(np.nanmean((x < 0) | (x > 1))) < 0.01:
        return []
    found = f"{int(((x < 0) | (x > 1)).sum()):,} eccentricities lie outside 0 to 1"
    return [("e", found, "name another column")]


def _phase_space(data: Mapping[str, np.ndarray]) -> list[_Problem]:
    if not all(name in data for name in CARTESIAN) or np.isfinite(data["x"]).sum() < FEWEST:
        return []
    r, v = (np.sqrt(sum(data[name] ** 2 for name in names)) for names in (CARTESIAN[:3], CARTESIAN[3:]))
    out = []
    for entry, size, limits in (("x", float(np.nanmedian(r)), _LENGTH), ("v_x", float(np.nanmedian(v)), _V)):
        if not limits.low <= size <= limits.high:
            what = "radius of x, y, z" if entry == "x" else "speed of v_x, v_y, v_z"
            out.append((entry, f"the median {what} would be {size:.4g} {limits.unit}", limits.remedy))
    return out


def _reversed(data: Mapping[str, np.ndarray]) -> list[_Problem]:
    if "Lz" in data:
        Lz, entry, remedy = data["Lz"], "Lz", "prograde is positive: turn the sign of Lz round by scale = -1"
    elif all(name in data for name in CARTESIAN):
        Lz = data["y"] * data["v_x"] - data["x"] * data["v_y"]
        entry = "v_y"
        remedy = "the Sun is at x < 0 and moves towards +y: turn x and v_x, or y and v_y, round by scale = -1"
    else:
        return []
    Lz = Lz[np.isfinite(Lz)]
    fast = Lz[np.abs(Lz) > FAST]
    if len(fast) < MANY or len(fast) < NOTABLE * len(Lz) or np.mean(fast < 0) < RETROGRADE:
        return []
    found = f"{int((fast < 0).sum()):,} of {len(fast):,} stars with |Lz| above {FAST:g} kpc km / s are retrograde"
    return [(entry, found, remedy)]


def _abundances(data: Mapping[str, np.ndarray]) -> list[_Problem]:
    out = []
    iron = data.get("FE_H")
    for name, x in data.items():
        if not name.endswith(("_FE", "_H")) or np.isfinite(x).sum() < FEWEST:
            continue
        median, metal = float(np.nanmedian(x)), name.endswith("_H")
        if not (-5 <= median <= 1 if metal else abs(median) <= 1.2):
            ratio = "[Fe/H]" if metal else "[X/Fe]"
            found = f"the median {name} would be {median:.3g} dex"
            out.append((name, found, f"name a column of {ratio}, relative to the Sun"))
        elif name == "FE_H" and len(x) >= MANY and np.nanmin(x) > 0 and np.nanmax(x) < 0.1:
            out.append((name, "every FE_H lies within 0 and 0.1, as mass fractions do", "name a column of [Fe/H], dex"))
        elif not metal and iron is not None and _is_over_hydrogen(x, iron):
            found = f"{name} rises with FE_H as [X/H] does, not as [X/Fe]"
            column = 'minus = "the column of [Fe/H]"'
            out.append((name, found, f"subtract [Fe/H] by {column}, with version = 2"))
    return out


def _is_over_hydrogen(x: np.ndarray, iron: np.ndarray) -> bool:
    good = np.isfinite(x) & np.isfinite(iron)
    if good.sum() < MANY or np.std(iron[good]) < SPREAD or np.std(x[good]) == 0:
        return False
    covariance = np.cov(iron[good], x[good])
    slope = covariance[0, 1] / covariance[0, 0]
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    return bool(slope >= SLOPE and correlation >= CORRELATION)
