"""Statistics of replicates, and of configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..fits import intervals
from ..fits.fit import component_names
from ..fits.intervals import COVERAGES, RECOMMENDED, Ordered, interval_type
from ..fits.reading import LAST, Reading
from ..replicates.setup import Setup
from ..replicates.table import key

STATISTICS = (
    "base", "median", "p16", "p84", "p2_5", "p97_5", "low_68", "high_68", "low_95", "high_95", "se", "bias", "n_used",
)  # fmt: skip
"""Of every number: the full sample's value; quantiles of the replicates; intervals of the type asked for; the standard
deviation of the replicates and their mean less the value; how many replicates have one."""


OVER = ("mean", "spread", "lowest", "highest", "se", "n_setups")
"""Of every number over configurations: mean, standard deviation and range of the values; the root mean square of the
standard errors; how many configurations have one."""


TIMES = ("never", "once", "more than once", "too few stars")
"""How often a fraction can cross a level."""


@dataclass(frozen=True)
class Part:
    """Statistics of the replicates of one configuration.

    Attributes
    ----------
    index : int
        Place of the configuration in the run.
    label : str
        What distinguishes it from the others.
    setup : Setup
        The configuration.
    statistics : dict of str to ndarray
        By product, shape (len(STATISTICS), ...).
    counts : dict of str to ndarray
        By product ``crossing_X`` or ``boundary``: how many of the replicates used cross the level how often; shape
        (len(TIMES), ...).
    coordinates : dict of str to ndarray
        What the axes are.
    replicates, refused, unconverged : int
        Number of all, of those refused by the alignment, and of those not converged. The statistics have neither.
    base_status : str
        How the fit of the full sample ended.
    factor : float
        What the spread of the replicates is to be multiplied by for a standard error: 1, but for ``delete``.
    """

    index: int
    label: str
    setup: Setup
    statistics: Mapping[str, np.ndarray]
    counts: Mapping[str, np.ndarray]
    coordinates: Mapping[str, np.ndarray]
    replicates: int
    refused: int
    unconverged: int
    base_status: str
    factor: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the components."""
        return component_names(self.setup.fit.solver.components)

    @property
    def reading(self) -> Reading:
        """Which of the components are read as accreted."""
        return _reading(self)

    def accreted(self, statistic: str) -> float:
        """Return one statistic of the accreted mass fraction."""
        return _accreted(self, statistic)

    @property
    def used(self) -> int:
        """Replicates that count."""
        return self.replicates - self.refused - self.unconverged

    def __call__(self, product: str, statistic: str) -> np.ndarray:
        """Return one statistic of a product."""
        return self.statistics[product][STATISTICS.index(statistic)]


@dataclass(frozen=True)
class Group:
    """Configurations of the same stars that differ in technical choices alone, and the spread of their results.

    Attributes
    ----------
    label : str
        What the configurations have in common that others do not; empty where there is one group.
    members : tuple of int
        Places of the configurations in `Summary.parts`.
    statistics : dict of str to ndarray
        By product, shape (len(OVER), ...); of those products whose axes are the same in all of them.
    coordinates : dict of str to ndarray
        What the axes are.
    setup : Setup
        One of them.
    """

    label: str
    members: tuple[int, ...]
    statistics: Mapping[str, np.ndarray]
    coordinates: Mapping[str, np.ndarray]
    setup: Setup

    def __call__(self, product: str, statistic: str) -> np.ndarray:
        """Return one statistic of a product."""
        return self.statistics[product][OVER.index(statistic)]

    @property
    def reading(self) -> Reading:
        """Which of the components are read as accreted; the last one where configurations differ in that."""
        return _reading(self)

    def accreted(self, statistic: str) -> float:
        """Return one statistic of the accreted mass fraction over the configurations."""
        return _accreted(self, statistic)


def _reading(of: Part | Group) -> Reading:
    # files of earlier versions do not say
    places = of.coordinates.get("accreted", LAST)
    return Reading(component_names(of.setup.fit.solver.components), tuple(int(j) for j in places))


def accreted_product(of: Part | Group) -> tuple[str, tuple[int, ...]]:
    """Return the product that is the accreted fraction, and the place in it; runs of earlier versions have no own."""
    own = key("accreted_fraction")
    return (own, ()) if own in of.statistics else (key("mass_fraction"), (-1,))


def _accreted(of: Part | Group, statistic: str) -> float:
    name, at = accreted_product(of)
    return float(of(name, statistic)[at])


def describe(base: np.ndarray, replicates: np.ndarray, interval: str = RECOMMENDED) -> np.ndarray:
    """Return the `STATISTICS` of a product: its value (...) and replicates (B, ...) to (len(STATISTICS), ...)."""
    base = np.asarray(base, dtype=float)
    x = np.broadcast_to(replicates, (len(replicates), *base.shape)).astype(float)
    ordered, kind = Ordered.of(x), interval_type(interval)
    rows = [base, *(ordered.quantile(p) for p in (0.5, 0.16, 0.84, 0.025, 0.975))]
    for coverage in COVERAGES:
        rows += kind(ordered, base, coverage)
    return np.stack([*rows, intervals.standard_error(x), intervals.bias(x, base), ordered.number.astype(float)])


def times(number: np.ndarray) -> np.ndarray:
    """Return how many replicates have how many, from their numbers (B, ...); shape (len(TIMES), ...)."""
    return np.stack([(number == 0), (number == 1), (number > 1), (number < 0)]).sum(axis=1)


def over_configurations(base: np.ndarray, se: np.ndarray) -> np.ndarray:
    """Return the `OVER` of a product: values and standard errors in S configurations, (S, ...), to (len(OVER), ...).

    What is NaN in a configuration is left out there.
    """
    good, number = np.isfinite(base), np.isfinite(base).sum(axis=0)
    some = np.where(number > 0, 1.0, np.nan)
    mean = np.where(good, base, 0.0).sum(axis=0) / np.maximum(number, 1) * some
    lowest, highest = np.where(good, base, np.inf).min(axis=0) * some, np.where(good, base, -np.inf).max(axis=0) * some
    known = np.isfinite(se)
    squares = np.where(known, se, 0.0) ** 2
    rms = np.sqrt(squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1)) * np.where(known.any(axis=0), 1.0, np.nan)
    return np.stack([mean, intervals.standard_error(base), lowest, highest, rms, number.astype(float)])
