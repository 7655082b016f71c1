"""How much of the halo each component makes up, against any one or two variables, and where the components cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from ..errors import UsageError
from ..fits.apply import Application, apply
from ..fits.fit import Fit
from ..fits.settings import FitSettings
from ..mixtures.bins import Bins
from ..mixtures.settings import Axis
from ..stars.variables import unit_of
from .crossings import crossings

LEVELS = (0.5, 0.9, 0.1)
"""Levels of the last (highest-energy) component's fraction at which crossings are reported."""
MIN_STARS = 10
"""Bins with fewer stars say too little to carry a crossing."""


@dataclass(frozen=True)
class Crossing:
    """Where a fraction passes a level.

    Attributes
    ----------
    level : float
        The level of the last component's fraction.
    at : tuple of float
        Every place where the spline passes it, in the variable's unit, in rising order; empty if it never does.
    """

    level: float
    at: tuple[float, ...]

    def describe(self, unit: str = "") -> str:
        """Return a phrase such as "50 % at -1.67e+05 km2 / s2"; never an invented number."""
        name = f"{100 * self.level:g} %"
        if not self.at:
            return f"{name} never"
        places = ", ".join(f"{x:.4g}" for x in self.at)
        times = "" if len(self.at) == 1 else f" ({len(self.at)} crossings)"
        return f"{name} at {places}{' ' + unit if unit else ''}{times}"


@dataclass(frozen=True)
class Profile:
    """Fractions of the components along one variable.

    Attributes
    ----------
    application : Application
        The weights and what they weigh.
    crossings : tuple of Crossing
        Of the last component's fraction, at `LEVELS`.
    min_stars : int
        Bins with fewer stars were left out of the spline.
    """

    application: Application
    crossings: tuple[Crossing, ...]
    min_stars: int = MIN_STARS

    @property
    def variable(self) -> str:
        """The binning variable."""
        return self.application.mixtures.bins.axes[0].variable

    def table(self) -> Table:
        """Return the profile as a table, one row per bin; see `fits.tables.weights_table`.

        The metadata also hold `min_stars` and the crossings.
        """
        table = self.application.table()
        table.meta["min_stars"] = self.min_stars
        table.meta["crossings"] = {
            f"{self.application.names[-1]}={crossing.level:g}": list(crossing.at) for crossing in self.crossings
        }
        return table

    def describe(self) -> str:
        """Return what was counted and left out, and the crossings."""
        found = self.application
        enough = (found.mixtures.n_stars >= self.min_stars) & np.isfinite(found.fractions[:, -1])
        if enough.sum() < 2:
            said = (
                f"no crossings sought: {int(enough.sum())} of {len(enough)} bins with {self.min_stars} stars, 2 needed"
            )
        else:
            places = ", ".join(crossing.describe(unit_of(self.variable)) for crossing in self.crossings)
            said = f"{found.names[-1]} fraction: {places}"
        return f"{found.mixtures.describe()}\n{said}"

    def problems(self) -> str:
        """Return what did not converge, the fit or the weights of bins; empty where all did."""
        return self.application.problems()


def profile(
    fit: Fit,
    table: Any,
    bins: Bins | Sequence[Axis],
    *,
    settings: FitSettings | None = None,
    levels: Sequence[float] = LEVELS,
    min_stars: int = MIN_STARS,
) -> Profile:
    """Return the fractions of a fit's components along one variable, with spline crossings.

    Parameters
    ----------
    fit : Fit
        Whose components to apply.
    table : Table
        Prepared stars.
    bins : Bins or sequence of Axis
        One axis.
    settings : FitSettings, optional
        Another selection than the fit's.
    levels : sequence of float
        Levels whose crossings to find.
    min_stars : int
        Fewest stars of a bin that the spline goes through.

    Returns
    -------
    Profile
    """
    return profile_of(apply(fit, table, bins, settings=settings), levels=levels, min_stars=min_stars)


def profile_of(application: Application, *, levels: Sequence[float] = LEVELS, min_stars: int = MIN_STARS) -> Profile:
    """Return the profile that an application along one variable makes."""
    for level in levels:
        if not 0 < level < 1:
            raise UsageError(f"levels must lie between 0 and 1, got {level:g}.")
    bins = application.mixtures.bins
    if len(bins.axes) != 1:
        raise UsageError(f"a profile has one variable; got {', '.join(str(axis) for axis in bins.axes)}.")
    centre = bins.bounds[:, 0].mean(axis=-1)
    share = np.where(application.mixtures.n_stars >= min_stars, application.fractions[:, -1], np.nan)
    return Profile(application, tuple(Crossing(level, crossings(centre, share, level)) for level in levels), min_stars)
