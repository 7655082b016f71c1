"""Fractions along a variable with two separate errors: the spread over configurations, and that of the bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units
from astropy.table import QTable

from ..errors import UsageError
from ..fits.intervals import COVERAGE
from ..fits.reading import LAST, Reading
from ..io.columns import described
from ..products.compiling import as_python, compiled
from ..products.crossings import crossings, single_crossings
from ..products.profile import LEVELS, MIN_STARS, Crossing
from ..rounding import measured, number
from ..stars.variables import unit_of
from .setups import Setups
from .statistics import OVER, over_configurations


@dataclass(frozen=True)
class Spread:
    """Mean fractions along one variable, and both of their errors.

    Attributes
    ----------
    variable : str
    names : tuple of str
        Components, in order of increasing energy.
    edges : ndarray, shape (m + 1,)
        In the variable's unit.
    n_stars : ndarray of int, shape (m,)
    mean : ndarray, shape (m, k)
        Over configurations; NaN in bins without stars.
    sigma : ndarray, shape (m, k)
        Standard deviation over configurations: the effect of the choice of l, not a sampling error.
    noise : ndarray, shape (2, m, k)
        Lower and upper limit of the bootstrap replicates minus their median; NaN without any.
    crossings : tuple of Crossing
        Of the mean accreted fraction.
    crossing_sigma : ndarray, shape (levels,)
        Standard deviation over configurations of where each of them crosses; NaN unless all do, and once.
    crossing_noise : ndarray, shape (2, levels)
        Limits of the replicates' crossings minus their median, of those that cross once.
    crossing_lost : ndarray of int, shape (levels,)
        Replicates that do not cross a level once.
    setups, replicates : int
        How many there are.
    min_stars : int
        Bins with fewer stars are left out of crossings.
    level : float
        Probability of the limits.
    accreted : tuple of int
        Components that are read as accreted.
    """

    variable: str
    names: tuple[str, ...]
    edges: np.ndarray
    n_stars: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray
    noise: np.ndarray
    crossings: tuple[Crossing, ...]
    crossing_sigma: np.ndarray
    crossing_noise: np.ndarray
    crossing_lost: np.ndarray
    setups: int
    replicates: int
    min_stars: int
    level: float
    accreted: tuple[int, ...] = LAST

    @property
    def reading(self) -> Reading:
        """Which of the components are read as accreted."""
        return Reading(self.names, self.accreted)

    @property
    def centres(self) -> np.ndarray:
        """Centres of the bins."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])

    @property
    def trusted(self) -> np.ndarray:
        """Which bins have stars enough; bool, shape (m,)."""
        return (self.n_stars >= self.min_stars) & np.isfinite(self.reading.of(self.mean))

    def table(self) -> QTable:
        """Return a spread as a table: a row per bin.

        Columns ``lower``, ``upper``, ``centre``, ``n_stars``; for each component, such as HE, ``fraction_HE``,
        ``setups_HE`` (standard deviation over configurations), ``noise_lower_HE`` and ``noise_upper_HE`` (limits of the
        bootstrap minus its median). The metadata hold the crossings with both errors.
        """
        table = QTable()
        unit = unit_of(self.variable)
        for name, x in (("lower", self.edges[:-1]), ("upper", self.edges[1:]), ("centre", self.centres)):
            table[name] = x * units.Unit(unit) if unit else x
        table["n_stars"] = self.n_stars
        for j, name in enumerate(self.names):
            table[f"fraction_{name}"] = self.mean[:, j]
            table[f"setups_{name}"] = self.sigma[:, j]
            table[f"noise_lower_{name}"], table[f"noise_upper_{name}"] = self.noise[:, :, j]
        table.meta.update(
            variable=self.variable,
            components=list(self.names),
            setups=self.setups,
            replicates=self.replicates,
            level=self.level,
            min_stars=self.min_stars,
        )
        table.meta["crossings"] = {
            f"{self.reading.label}={crossing.level:g}": {
                "at": list(crossing.at),
                "sigma_over_setups": float(self.crossing_sigma[i]),
                "noise": self.crossing_noise[:, i].tolist(),
                "replicates_without_one": int(self.crossing_lost[i]),
            }
            for i, crossing in enumerate(self.crossings)
        }
        return described(table, "spread", self.variable)

    def describe(self) -> str:
        """Return a line per crossing with its spread over configurations and the limits of its bootstrap."""
        unit = unit_of(self.variable)
        lines = [f"{self.setups:,} configurations, {self.replicates:,} replicates"]
        for i, crossing in enumerate(self.crossings):
            line = f"{self.reading.label} {crossing.describe(unit)}"
            if np.isfinite(self.crossing_sigma[i]):
                line += f", spread {measured(self.crossing_sigma[i], unit, digits=2)}"
            if np.isfinite(self.crossing_noise[:, i]).all():
                low, high = self.crossing_noise[:, i]
                line += f", bootstrap {number(low, unit, 2, signed=True)} to {number(high, unit, 2, signed=True)}"
            lines.append(line)
        return "\n".join(lines)

    def problems(self) -> str:
        """Return the empty string: `Setups` counts configurations that did not converge."""
        return ""


def spread(
    variable: str,
    edges: np.ndarray,
    names: Sequence[str],
    setups: np.ndarray,
    n_stars: np.ndarray,
    *,
    replicates: np.ndarray | None = None,
    levels: Sequence[float] = LEVELS,
    min_stars: int = MIN_STARS,
    level: float = COVERAGE,
    accreted: tuple[int, ...] = LAST,
) -> Spread:
    """Return mean fractions with their spread over configurations and, apart from it, their bootstrap error.

    The arrays can come from anywhere: those of configurations from `over_setups`, those of replicates from an
    ensemble's ``fraction_E``.

    Parameters
    ----------
    variable : str
        What the bins are of.
    edges : ndarray, shape (m + 1,)
        In the variable's unit.
    names : sequence of str
        The k components, in order of increasing energy.
    setups : ndarray, shape (S, m, k)
        Fractions in every configuration.
    n_stars : ndarray of int, shape (m,)
        Stars of each bin.
    replicates : ndarray, shape (B, m, k), optional
        Fractions in bootstrap replicates of one configuration.
    levels : sequence of float
        Of the accreted fraction, whose crossings to find.
    min_stars : int
        Bins with fewer stars are left out of crossings.
    level : float
        Probability of the limits.
    accreted : tuple of int
        Components that are read as accreted.

    Returns
    -------
    Spread

    Raises
    ------
    UsageError
        Arrays of other shapes, or a number out of range.
    """
    setups, n_stars = np.asarray(setups, dtype=float), np.asarray(n_stars)
    shape = len(edges) - 1, len(names)
    for name, array in (("setups", setups), ("replicates", replicates)):
        if array is not None and (np.ndim(array) != 3 or np.shape(array)[1:] != shape or len(array) == 0):
            raise UsageError(f"{name} must have shape (number, {shape[0]}, {shape[1]}), got {np.shape(array)}.")
    if n_stars.shape != shape[:1]:
        raise UsageError(f"n_stars must have shape ({shape[0]},), got {n_stars.shape}.")
    if not 0 < level < 1 or not all(0 < x < 1 for x in levels):
        raise UsageError(f"level and levels must lie between 0 and 1, got {level:g} and {tuple(levels)}.")
    centres = 0.5 * (np.asarray(edges)[:-1] + np.asarray(edges)[1:])
    enough, read = n_stars >= min_stars, Reading(tuple(names), accreted).of

    over = dict(zip(OVER, over_configurations(setups, np.full_like(setups, np.nan)), strict=True))
    last = np.where(enough, read(over["mean"]), np.nan)
    of_setups, _ = single_crossings(centres, np.where(enough, read(setups), np.nan), levels, run=as_python)
    noise, crossing_noise = np.full((2, *shape), np.nan), np.full((2, len(levels)), np.nan)
    lost = np.zeros(len(levels), dtype=int)
    if replicates is not None:
        drawn = np.asarray(replicates, dtype=float)
        noise = _limits(drawn, level)
        of_replicates, _ = single_crossings(centres, np.where(enough, read(drawn), np.nan), levels, run=compiled)
        crossing_noise, lost = _limits(of_replicates, level), np.isnan(of_replicates).sum(axis=0)
    return Spread(
        variable=variable,
        names=tuple(names),
        edges=np.asarray(edges, dtype=float),
        n_stars=n_stars,
        mean=over["mean"],
        sigma=over["spread"],
        noise=noise,
        crossings=tuple(Crossing(x, crossings(centres, last, x)) for x in levels),
        crossing_sigma=of_setups.std(axis=0, ddof=1) if len(setups) > 1 else np.full(len(levels), np.nan),
        crossing_noise=crossing_noise,
        crossing_lost=lost,
        setups=len(setups),
        replicates=0 if replicates is None else len(replicates),
        min_stars=min_stars,
        level=level,
        accreted=accreted,
    )


def spreads(setups: Setups, replicates: Mapping[str, np.ndarray] | None = None, **choices: Any) -> dict[str, Spread]:
    """Return the spread along every variable of some configurations.

    Parameters
    ----------
    setups : Setups
        As `over_setups` makes them.
    replicates : mapping of str to ndarray, shape (B, m, k), optional
        By variable.
    **choices
        Of `spread`.
    """
    drawn, choices = replicates or {}, {"accreted": setups.accreted} | choices
    return {
        name: spread(
            name, setups.edges[name], setups.names, x, setups.n_stars[name], replicates=drawn.get(name), **choices
        )
        for name, x in setups.fractions.items()
    }


def _limits(x: np.ndarray, level: float) -> np.ndarray:
    """Limits minus the median along the first axis, over what is finite; NaN where fewer than two are."""
    out = np.full((2, *x.shape[1:]), np.nan)
    for index in np.ndindex(x.shape[1:]):
        column = x[(slice(None), *index)]
        column = column[np.isfinite(column)]
        if len(column) > 1:
            low, middle, high = np.percentile(column, (50 * (1 - level), 50, 50 * (1 + level)))
            out[(slice(None), *index)] = low - middle, high - middle
    return out
