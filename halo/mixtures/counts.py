"""From stars to V: a row per bin, the pixels of stacked abundance histograms as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..io.notebook import InWords
from ..orbits.convention import Convention, stated
from ..stars.weights import effective_number
from .bins import Bins, BinsLike, columns_of, make_bins
from .missing import balanced
from .settings import Chemistry

MOST_CELLS = 2**27
"""Cells of V above which a fit is refused: a gigabyte of counts, nearly all of them zero."""


@dataclass(frozen=True, repr=False)
class Mixtures(InWords):
    """Stars counted into bins and pixels.

    Attributes
    ----------
    V : ndarray, shape (m, n)
        Counts, float64; of weighted stars the sums of their weights.
    bins : Bins
        What the rows are.
    chemistry : Chemistry
        What the columns are.
    n_stars : ndarray of int, shape (m,)
        Stars in each bin, whether or not they fall inside the images.
    rows : ndarray of int, shape (N,)
        Bin of each star, -1 outside.
    columns : ndarray of int, shape (N, images)
        Column of V of each star in each image, -1 outside.
    weights : ndarray, shape (N,), optional
        For how many each star counts in each plane that it has; all for one where there are none.
    convention : Convention, optional
        What the stars' E and Lz are measured in; None where their table does not say.
    """

    V: np.ndarray
    bins: Bins
    chemistry: Chemistry
    n_stars: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    weights: np.ndarray | None = None
    convention: Convention | None = None

    @property
    def outside_bins(self) -> int:
        """Stars that fall in no bin."""
        return int((self.rows < 0).sum())

    @property
    def outside_images(self) -> tuple[int, ...]:
        """For each image, the stars of the bins that fall outside its ranges."""
        inside = self.rows >= 0
        return tuple(int(x) for x in (self.columns[inside] < 0).sum(axis=0))

    @property
    def effective(self) -> np.ndarray:
        """Number of equally weighted stars that tell as much as those of each bin (Kish 1965); shape (m,)."""
        if self.weights is None:
            return self.n_stars.astype(np.float64)
        total, squares = self._moments
        return np.divide(total**2, squares, out=np.zeros(len(total)), where=squares > 0)

    @property
    def effective_stars(self) -> float:
        """The same of all stars in the bins."""
        if self.weights is None:
            return float(self.n_stars.sum())
        return effective_number(self.weights[self.rows >= 0])

    @property
    def per_weight(self) -> float:
        """Sum of the weights over that of their squares: times this, sums of weights scatter as counts of stars do."""
        if self.weights is None:
            return 1.0
        total, squares = self._moments
        return float(total.sum() / squares.sum()) if squares.any() else 1.0

    @property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        # sums of the weights and of their squares in every bin
        inside = self.rows >= 0
        rows, weights = self.rows[inside], np.asarray(self.weights)[inside]
        total, squares = (np.bincount(rows, weights=x, minlength=len(self.bins)) for x in (weights, weights**2))
        return total, squares

    @property
    def empty_bins(self) -> int:
        """Bins with no star."""
        return int((self.n_stars == 0).sum())

    def describe(self) -> str:
        """Return one line on what was counted and what was left out."""
        parts = [f"{len(self.rows) - self.outside_bins:,} of {len(self.rows):,} stars in {len(self.bins):,} bins"]
        for plane, outside in zip(self.chemistry.planes, self.outside_images, strict=True):
            if outside:
                parts.append(f"{outside:,} outside the {plane} image")
        if self.empty_bins:
            tied = any(not axis.regular for axis in self.bins.axes)  # of equal-count bins nothing else empties one
            why = " (stars of equal value stay in one bin: take regular bins)" if tied else ""
            parts.append(f"{self.empty_bins:,} bin{'s' * (self.empty_bins > 1)} empty{why}")
        if self.weights is not None:
            parts.append(f"by their weights as many as {self.effective_stars:,.0f} (effective number)")
        return ", ".join(parts)


def mix(table: Any, bins: BinsLike, chemistry: Chemistry | None = None, weights: np.ndarray | None = None) -> Mixtures:
    """Count stars into bins and pixels.

    Parameters
    ----------
    table : Table
        Stars.
    bins : Bins, str, Axis or sequence of Axis
        Bins as they are, or axes to make them from these stars, such as ``"E:8,Lz:8"``.
    chemistry : Chemistry, optional
        The images; the paper's by default.
    weights : ndarray, shape (N,), optional
        For how many each star counts, as `stars.weights.weights_of` returns it. Bins of equal counts are of stars.

    Returns
    -------
    Mixtures

    Raises
    ------
    InputError
        No star, too few for the bins, or none inside the images.
    """
    chemistry = chemistry or Chemistry()
    if len(table) == 0:
        raise InputError("no stars to bin; the selection or the cuts left none.")
    if not isinstance(bins, Bins):
        bins = make_bins(table, bins)
    cells = len(bins) * chemistry.n
    if cells > MOST_CELLS:
        raise UsageError(
            f"{len(bins)} bins x {chemistry.n} pixels make {cells:.3g} cells, more than {MOST_CELLS:.3g} for "
            f"{len(table)} stars; use fewer pixels or bins."
        )
    rows, columns, weights = bins.assign(table), columns_of(table, chemistry), balanced(table, chemistry, weights)
    V = count(rows, columns, (len(bins), chemistry.n), weights)
    if not V.any():
        raise InputError(
            f"none of {len(table)} stars falls inside the bins and the images; check the ranges "
            f"({', '.join(f'{name} {low:g} to {high:g}' for name, (low, high) in chemistry.ranges)}) and the bins."
        )
    n_stars = np.bincount(rows[rows >= 0], minlength=len(bins))
    said = stated(getattr(table, "meta", {}))
    return Mixtures(V, bins, chemistry, n_stars, rows, columns, weights, said)


def count(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the stars on each (bin, column) cell, or the sum of their weights (N,); float64, shape (m, n)."""
    inside = (rows[:, None] >= 0) & (columns >= 0)
    cells = (rows[:, None] * shape[1] + columns)[inside]
    each = None if weights is None else np.broadcast_to(weights[:, None], columns.shape)[inside]
    return np.bincount(cells, each, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
