"""Intervals from replicates: what a spread of bootstrap values says of the number that the sample gave.

Replicates lie along the first axis; NaN stand for replicates that have no such value and are left out, cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from .settings import RECOMMENDED as RECOMMENDED

COVERAGES = (0.68, 0.95)
"""Those that are reported: from 16 to 84 and from 2.5 to 97.5 %."""
COVERAGE = COVERAGES[0]
"""That of an interval which stands alone."""


@dataclass(frozen=True)
class Ordered:
    """Replicates in rising order in each cell.

    Attributes
    ----------
    x : ndarray, shape (B, ...)
        Rising; what is no number stands at the end.
    number : ndarray of int, shape (...)
        Replicates that have a value.
    """

    x: np.ndarray
    number: np.ndarray

    @classmethod
    def of(cls, replicates: np.ndarray) -> Ordered:
        """Return replicates, shape (B, ...), in order."""
        x = np.where(np.isfinite(replicates), replicates, np.nan)
        return cls(np.sort(x, axis=0), np.isfinite(x).sum(axis=0))

    def quantile(self, p: float | np.ndarray) -> np.ndarray:
        """Return the p-quantile in each cell, linear between replicates (Hyndman & Fan 1996, type 7); NaN for none."""
        if len(self.x) == 0:
            return np.full(self.number.shape, np.nan)
        place = np.clip(np.nan_to_num(np.asarray(p, dtype=float)), 0.0, 1.0) * np.maximum(self.number - 1, 0)
        below = place.astype(np.int64)
        above = np.minimum(below + 1, np.maximum(self.number - 1, 0))
        low, high = (np.take_along_axis(self.x, at[None], axis=0)[0] for at in (below, above))
        found = low + (place - below) * (high - low)
        return np.where(np.isfinite(p), found, np.nan)

    def share_below(self, value: np.ndarray) -> np.ndarray:
        """Return which fraction of the replicates lies below a value, equal ones half; NaN where none has one."""
        with np.errstate(invalid="ignore"):
            less, equal = (self.x < value).sum(axis=0), (self.x == value).sum(axis=0)
            return np.where((self.number > 0) & np.isfinite(value), (less + 0.5 * equal) / self.number, np.nan)


def percentile(replicates: Ordered, estimate: np.ndarray, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles of the replicates (Efron 1979): right where an unbiased scale exists, whichever it is."""
    tail = 0.5 * (1 - coverage)
    return replicates.quantile(tail), replicates.quantile(1 - tail)


def basic(replicates: Ordered, estimate: np.ndarray, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """Return those quantiles turned round about the estimate ("reverse percentile"; Davison & Hinkley 1997, 5.6).

    It takes the bootstrap's bias for the estimator's own and subtracts it.
    """
    low, high = percentile(replicates, estimate, coverage)
    return 2 * estimate - high, 2 * estimate - low


def bias_corrected(replicates: Ordered, estimate: np.ndarray, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles moved by how far the estimate is from the replicates' median (BC; Efron 1981)."""
    from scipy.special import ndtr, ndtri  # takes longer to load than the default intervals to compute

    # Where all replicates lie on one side, the shift is as far as so many replicates can say.
    few = 1 / (np.maximum(replicates.number, 1) + 1)
    shift = ndtri(np.clip(replicates.share_below(estimate), few, 1 - few))
    tail = ndtri(0.5 * (1 - coverage))
    return replicates.quantile(ndtr(2 * shift + tail)), replicates.quantile(ndtr(2 * shift - tail))


def centred(replicates: Ordered, estimate: np.ndarray, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles of the replicates, moved so that their median comes to lie on the estimate.

    The spread is the bootstrap's; its bias is neither believed, as in `basic`, nor doubled, as in `percentile`.
    """
    low, high = percentile(replicates, estimate, coverage)
    shift = estimate - replicates.quantile(0.5)
    return low + shift, high + shift


Interval = Callable[[Ordered, np.ndarray, float], tuple[np.ndarray, np.ndarray]]
TYPES: dict[str, Interval] = {
    "percentile": percentile,
    "basic": basic,
    "bias-corrected": bias_corrected,
    "centred": centred,
}
"""Intervals by name."""


def interval_type(name: str) -> Interval:
    """Return the intervals of a name.

    Raises
    ------
    UsageError
        An unknown one.
    """
    if name not in TYPES:
        raise UsageError(f"interval must be one of {', '.join(TYPES)}; got {name!r}.")
    return TYPES[name]


def standard_error(replicates: np.ndarray) -> np.ndarray:
    """Return the standard deviation over the replicates in each cell; NaN for fewer than two."""
    good = np.isfinite(replicates)
    number, x = good.sum(axis=0), np.where(good, replicates, 0.0)
    mean = x.sum(axis=0) / np.maximum(number, 1)
    squares = np.where(good, (x - mean) ** 2, 0.0).sum(axis=0)
    return np.where(number > 1, np.sqrt(squares / np.maximum(number - 1, 1)), np.nan)


def bias(replicates: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return by how much the mean of the replicates exceeds the estimate: the bootstrap's guess of its bias."""
    good = np.isfinite(replicates)
    number = good.sum(axis=0)
    mean = np.where(good, replicates, 0.0).sum(axis=0) / np.maximum(number, 1)
    return np.where(number > 0, mean - estimate, np.nan)
