"""The headline numbers of an analysis: what is quoted of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..fits.fit import Fit, fit
from ..fits.settings import FitSettings
from ..mixtures.settings import parse_axes
from ..orbits.convention import own, stated
from ..products.profile import LEVELS, MIN_STARS, profile
from ..products.settings import PROFILES
from ..products.tracks import percentiles
from ..stars.variables import CARTESIAN, values
from ..units import ENERGY

HEADLINES: Mapping[str, str] = {
    "accreted fraction": "",
    **{f"E at {100 * level:g} %": ENERGY for level in LEVELS},
    "r at 50 %": "kpc",
    "z at 50 %": "kpc",
    "offset of the line": ENERGY,
    "median FE_H": "dex",
    "median AL_FE": "dex",
    "median MG_FE": "dex",
    "stars": "",
}
"""Units by name. Crossings are of the accreted fraction, medians of the accreted component; ``offset of the line`` is
the energy above the line of Belokurov & Kravtsov (2023) at which half is accreted."""
BLOCK = 100
"""Stars whose median energy is one point of the curve from one potential's energies to another's."""


def headlines(table: Any, settings: FitSettings, **options: Any) -> tuple[dict[str, float], str]:
    """Return the headline numbers of a catalogue, NaN where there is none, and what did not converge.

    Energies in another potential than McMillan (2017) are given as the median energy that the stars which have them
    have in McMillan (2017), computed from their positions and velocities.

    Parameters
    ----------
    table : Table
        Prepared stars.
    settings : FitSettings
        Of the fit.
    **options
        ``bins`` and ``min_stars`` of the energy profile.
    """
    found = fit(table, settings)
    return of_fit(found, table, **options), found.problems()


def of_fit(found: Fit, table: Any, bins: str = PROFILES["E"], min_stars: int = MIN_STARS) -> dict[str, float]:
    """Return the headline numbers of a fit and its prepared stars.

    Parameters
    ----------
    found : Fit
    table : Table
        Prepared stars.
    bins : str
        Of the energy profile, E:NUMBER:LOW:HIGH with limits in km2 / s2.
    min_stars : int
        Bins with fewer do not count for crossings.
    """
    numbers = dict.fromkeys(HEADLINES, float("nan"))
    numbers["accreted fraction"] = found.accreted_fraction
    numbers["stars"] = float(found.cutflow.passed)
    numbers |= _energies(found, table, bins, min_stars)
    ours = not _another(table)
    for name, variable in (("r at 50 %", "r"), ("z at 50 %", "z"), ("offset of the line", "dE")):
        if variable != "dE" or ours:
            numbers[name] = _single(found, table, PROFILES[variable], min_stars)[0.5]
    whole = found.merged if found.reading.nameless else found
    for name in ("FE_H", "AL_FE", "MG_FE"):
        if name in found.mixtures.chemistry.variables:
            numbers[f"median {name}"] = float(percentiles(whole, name, (50.0,))[-1, 0])
    return numbers


def _energies(found: Fit, table: Any, bins: str, min_stars: int) -> dict[str, float]:
    if not _another(table):
        at = _single(found, table, bins, min_stars)
    else:
        E, ours = values(table, "E"), _in_ours(table)
        variable, count, low, high = bins.split(":")
        limits = (float(np.quantile(E, (ours < float(x)).mean())) for x in (low, high))
        at = _single(found, table, ":".join([variable, count, *(f"{x:.6g}" for x in limits)]), min_stars)
        # the stars of an energy have their own energies in the other potential: by place, not by a constant
        order = np.argsort(E, kind="stable")
        blocks = np.array_split(order, max(len(E) // BLOCK, 1))
        from_, to = (np.array([np.median(x[rows]) for rows in blocks]) for x in (E, ours))
        at = {level: float(np.interp(x, from_, to)) if np.isfinite(x) else x for level, x in at.items()}
    return {f"E at {100 * level:g} %": at[level] for level in LEVELS}


def _another(table: Any) -> bool:
    said = stated(getattr(table, "meta", {}))
    return said is not None and bool(said.differs(own()))


def _in_ours(table: Any) -> np.ndarray:
    from astropy import units as u

    from ..orbits.kinematics import energy

    columns = [values(table, name) for name in CARTESIAN]
    position, velocity = np.stack(columns[:3], axis=1) * u.kpc, np.stack(columns[3:], axis=1) * (u.km / u.s)
    return energy(position, velocity).to_value(u.km**2 / u.s**2)


def _single(found: Fit, table: Any, bins: str, min_stars: int) -> dict[float, float]:
    """Return where the accreted fraction passes each level, NaN where it does not or does so more than once."""
    nowhere = dict.fromkeys(LEVELS, float("nan"))
    if len(found.names) < 2:
        return nowhere
    try:
        made = profile(found, table, parse_axes(bins), min_stars=min_stars)
    except (InputError, UsageError):  # no star in these bins, or a variable that the catalogue lacks
        return nowhere
    return nowhere | {x.level: x.at[0] for x in made.crossings if len(x.at) == 1}
