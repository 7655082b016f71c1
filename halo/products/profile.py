"""The fractions of the components along one variable, and where they cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.table import QTable, Table

from ..errors import UsageError
from ..fits.apply import Application, apply
from ..fits.store import FitLike
from ..fits.zeropoints import ZeroPointsLike
from ..io.columns import described
from ..io.notebook import Shown, curves
from ..mixtures.bins import BinsLike
from ..rounding import number, unit_text
from ..stars.catalogue import StarsLike
from ..stars.settings import Selection
from ..stars.variables import unit_of
from ..units import in_unit
from .crossings import crossings, interpolate
from .settings import ApplySettings

LEVELS = (0.5, 0.9, 0.1)
"""Levels of the accreted fraction (that of the last component, or of its group) at which crossings are reported."""
MIN_STARS = ApplySettings.min_stars
"""Bins with fewer stars say too little to carry a crossing."""


@dataclass(frozen=True)
class Crossing:
    """Where a fraction passes a level.

    Attributes
    ----------
    level : float
        The level of the accreted fraction.
    at : tuple of float
        Every place where the spline passes it, in the variable's unit, in rising order; empty if it never does.
    unit : str
        The variable's, as astropy writes it; empty for none.
    """

    level: float
    at: tuple[float, ...]
    unit: str = ""

    @property
    def quantity(self) -> units.Quantity:
        """The places with their unit; shape (number,)."""
        return units.Quantity(np.asarray(self.at, dtype=float), self.unit)

    def describe(self, unit: str = "") -> str:
        """Return a phrase such as "50 % at -1.670e5 km2/s2"; never an invented number."""
        name = f"{100 * self.level:g} %"
        if not self.at:
            return f"{name} never"
        places = ", ".join(number(x, unit) for x in self.at)
        times = "" if len(self.at) == 1 else f" ({len(self.at)} crossings)"
        return f"{name} at {places}{' ' + unit_text(unit) if unit else ''}{times}"


@dataclass(frozen=True, repr=False)
class Profile(Shown):
    """Fractions of the components along one variable.

    Attributes
    ----------
    application : Application
        The weights and what they weigh.
    crossings : tuple of Crossing
        Of the accreted fraction, at `LEVELS`.
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
            f"{self.application.reading.label}={crossing.level:g}": list(crossing.at) for crossing in self.crossings
        }
        return table

    def tables(self) -> dict[str, Table]:
        """Return all tables by name: ``profile`` is that of `table`, ``crossings`` has a row per crossing.

        That has the columns ``level`` and, with its unit, ``at``.
        """
        places = [(one.level, x) for one in self.crossings for x in one.at]
        table = QTable()
        table["level"] = np.array([level for level, _ in places], dtype=float)
        table["at"] = units.Quantity(np.array([x for _, x in places], dtype=float), unit_of(self.variable))
        return {"profile": self.table(), "crossings": described(table, "crossings", self.variable)}

    def describe(self) -> str:
        """Return what was counted and left out, and the crossings."""
        found = self.application
        enough = (found.mixtures.n_stars >= self.min_stars) & np.isfinite(found.accreted_fractions)
        if enough.sum() < 2:
            said = (
                f"no crossings sought: {int(enough.sum())} of {len(enough)} bins with {self.min_stars} stars, 2 needed"
            )
        else:
            places = ", ".join(crossing.describe(unit_of(self.variable)) for crossing in self.crossings)
            said = f"{found.reading.label} fraction: {places}"
        if found.zeropoints is not None:
            said = f"{said}\n{found.zeropoints.describe()}"
        return f"{found.mixtures.describe()}\n{said}"

    def problems(self) -> str:
        """Return what did not converge, the fit or the weights of bins; empty where all did."""
        return self.application.problems()

    def _shown(self) -> tuple[str, dict[str, str], str]:
        found = self.application
        bins = found.mixtures.bins
        facts = {
            "stars": f"{int(found.mixtures.n_stars.sum()):,} in {len(bins)} bins",
            f"{found.reading.label} fraction": ", ".join(
                each.describe(unit_of(self.variable)) for each in self.crossings
            ),
            "status": self.problems() or "converged",
        }
        picture = curves(bins.bounds[:, 0].mean(axis=-1).tolist(), found.fractions.T.tolist(), (0.0, 1.0))
        return f"Profile of {', '.join(found.names)} against {self.variable}", facts, picture


def profile(
    fit: FitLike,
    stars: StarsLike,
    bins: BinsLike,
    *,
    selection: Selection | str | None = None,
    device: str | None = None,
    levels: Sequence[float] = LEVELS,
    min_stars: int = MIN_STARS,
    zeropoints: ZeroPointsLike | None = None,
) -> Profile:
    """Return the fractions of a fit's components along one variable, with spline crossings.

    Parameters
    ----------
    fit : Fit or path
        Whose components to apply.
    stars : Table, Catalogue or path
        Prepared stars.
    bins : Bins, str, Axis or sequence of Axis
        One axis, such as ``"r:10:2:14"``.
    selection, device : optional
        Others than the fit's, as in `apply`.
    levels : sequence of float
        Levels whose crossings to find.
    min_stars : int
        Fewest stars of a bin that the spline goes through.
    zeropoints : ZeroPoints, path or "none", optional
        For stars of another survey, as in `apply`.

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        No star, or none inside the bins and the images.
    UsageError
        More than one axis, or a level that does not lie between 0 and 1.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.profile("fit.h5", "stars.fits", "r:10:2:14")  # doctest: +SKIP
    >>> print(found.crossings[0].describe("kpc"))  # doctest: +SKIP
    """
    application = apply(fit, stars, bins, selection=selection, device=device, zeropoints=zeropoints)
    return profile_of(application, levels=levels, min_stars=min_stars)


def profile_of(application: Application, *, levels: Sequence[float] = LEVELS, min_stars: int = MIN_STARS) -> Profile:
    """Return the profile that an application along one variable makes.

    Raises
    ------
    UsageError
        A level that is not between 0 and 1, or bins on two variables.
    """
    for level in levels:
        if not 0 < level < 1:
            raise UsageError(f"levels must lie between 0 and 1, got {level:g}.")
    bins = application.mixtures.bins
    if len(bins.axes) != 1:
        raise UsageError(f"a profile has one variable; got {', '.join(str(axis) for axis in bins.axes)}.")
    centre = bins.bounds[:, 0].mean(axis=-1)
    fraction = np.where(application.mixtures.n_stars >= min_stars, application.accreted_fractions, np.nan)
    unit = unit_of(bins.axes[0].variable)
    found = tuple(Crossing(level, crossings(centre, fraction, level), unit) for level in levels)
    return Profile(application, found, min_stars)


def fraction_at(profile: Profile, at: float, component: int = 0) -> float:
    """Return a component's fraction at a value of the profile's variable, by the spline of its crossings.

    Parameters
    ----------
    profile : Profile
        Such as that against energy.
    at : float or Quantity
        A plain number in the variable's unit.
    component : int
        Which; the first is that of the lowest energy.

    Returns
    -------
    float
        NaN outside the bins with stars enough.
    """
    mixtures = profile.application.mixtures
    fraction = profile.application.fractions[:, component]
    enough = mixtures.n_stars >= profile.min_stars
    at = in_unit(at, unit_of(profile.variable), profile.variable)
    return interpolate(mixtures.bins.bounds[:, 0].mean(axis=-1), np.where(enough, fraction, np.nan), at)
