"""Stars of globular clusters in a sample, found by where they are and how they move, and named.

Ninety stars of one cluster within a few bins have one chemistry, which a component then takes for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from .variables import VARIABLES, values

CENTRES = Path(__file__).with_name("clusters.ecsv")
"""Centres, radii and motions of 170 clusters: Vasiliev & Baumgardt (2021), Baumgardt & Vasiliev (2021)."""
NEEDED = ("RA", "DEC", "pmra", "pmdec", "radial_velocity")
SIGMAS = 3.0
"""How far from a cluster's motion a member may be, in its dispersion and the measurements' errors together."""
WITHIN = 11.83
"""The same probability for the square of two errors at once, of chi square with two degrees of freedom."""
REPORTED = 10
"""Stars of clusters in a sample that are worth a word."""
MEASURED = (0.05, 1.0)
"""Errors of proper motion (mas / yr) and radial velocity (km / s) where a sample states none, and their least."""
_KMS_PER_KPC_MASYR = 4.74047


@cache
def centres() -> Table:
    """Return the clusters' centres, a row each."""
    return Table.read(CENTRES, format="ascii.ecsv")


def members(stars: Any) -> np.ndarray:
    """Return the name of the globular cluster that each star is of, empty for none; str, shape (N,).

    A member lies within the radius in which members were sought, and its proper motion and radial velocity agree with
    the cluster's. Distances are not asked: those of crowded stars are poor.

    Parameters
    ----------
    stars : Table
        Without a column of `NEEDED` nothing is found.
    """
    found = np.full(len(stars), "", dtype="U24")
    if not all(VARIABLES[name].within(stars) for name in NEEDED):
        return found
    ra, dec, pmra, pmdec, rv = (values(stars, name) for name in NEEDED)
    pm, rv_error = MEASURED
    errors = [_errors(stars, name, least) for name, least in zip(NEEDED[2:], (pm, pm, rv_error), strict=True)]
    place = _unit(ra, dec)
    # stars in order of declination: each cluster looks at a strip alone
    order = np.argsort(dec)
    sorted_dec = dec[order]
    for row in centres():
        reach = float(row["radius"]) / 60
        first, last = np.searchsorted(sorted_dec, (row["dec"] - reach, row["dec"] + reach))
        some = order[first:last]
        if not len(some):
            continue
        near = place[some] @ _unit(np.array([row["ra"]]), np.array([row["dec"]]))[0] >= np.cos(np.radians(reach))
        some = some[near]
        # the dispersion in proper motion, at the cluster's distance
        spread = float(row["sigma"]) / (_KMS_PER_KPC_MASYR * float(row["distance"]))
        off = np.zeros(len(some))
        for x, error, name in ((pmra, errors[0], "pmra"), (pmdec, errors[1], "pmdec")):
            off += (x[some] - row[name]) ** 2 / (error[some] ** 2 + float(row[f"{name}_error"]) ** 2 + spread**2)
        moves = off < WITHIN
        if np.isfinite(row["vlos"]):
            with np.errstate(invalid="ignore"):
                moves &= np.abs(rv[some] - row["vlos"]) < SIGMAS * np.hypot(errors[2][some], float(row["sigma"]))
        found[some[moves]] = str(row["name"])
    return found


def number_by_cluster(names: np.ndarray) -> dict[str, int]:
    """Return how many stars each cluster has among the names of `members`, the fullest first."""
    return dict(Counter(name for name in np.asarray(names).tolist() if name).most_common())


def described(numbers: Mapping[str, int]) -> str:
    """Return the clusters in words, such as "95 stars of NGC_6121_M4 and 21 of 6 other clusters"; empty for none."""
    if not numbers:
        return ""
    (name, first), *others = numbers.items()
    text = f"{first} star{'s' * (first > 1)} of {name}"
    if others:
        rest = sum(number for _, number in others)
        text += f" and {rest} of {len(others)} other cluster{'s' * (len(others) > 1)}"
    return text


def _errors(stars: Any, name: str, least: float) -> np.ndarray:
    column = f"{name}_error"
    if column not in getattr(stars, "colnames", ()):
        return np.full(len(stars), least)
    error = values(stars, column)
    return np.where(np.isfinite(error), np.maximum(error, least), least)


def _unit(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    a, d = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
