"""The least deviance of a fit whose components of a group hold a given fraction of the counts; where it has risen.

The multiplicative rules of the Kullback-Leibler divergence are the EM algorithm of Poisson counts (Shepp & Vardi 1982):
W R and H R' distribute every count over the components. That the group's weights add up to a fraction s of all counts
changes the maximisation by a factor alone, s N over what the group took and (1 - s) N over what the others took. The
iteration is accelerated by SQUAREM (Varadhan & Roland 2008, Scandinavian Journal of Statistics 35, 335, scheme S3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

CYCLES = 2000
"""Cycles of four steps, after which a held fraction counts as not settled."""
SETTLED, WATCHED = 1e-4, 5
"""The deviance has settled where so many cycles together lower it by less than this."""
ROOM = 1e-6
"""What entries are at least in the beginning, as a part of the largest: from zero they could not grow."""
CLOSE = 0.01
"""Relative error of the square root of the rise at which an end is found."""
TRIALS = 30
"""Fractions tried for one end."""
LARGEST_STEP = 3.0
"""By how much a trial may be further from the fit's fraction than the last one."""
EDGE = 1e-6
"""Fractions so close to 0 or 1 are these."""
LOWER = 0.01
"""By how much a deviance must be lower than the fit's to say that the fit was not the best."""


class Factors(NamedTuple):
    """W (m, k), sum(W) that of V, and H (k, n), rows at unit sum; rows and columns without counts left out."""

    W: np.ndarray
    H: np.ndarray


@dataclass(frozen=True)
class Least:
    """The least deviance, the factors that have it, and whether it had settled."""

    deviance: float
    factors: Factors
    settled: bool


@dataclass(frozen=True)
class End:
    """Where the deviance has risen on one side.

    Attributes
    ----------
    at : float
        The fraction.
    tried : float
        The held fraction that was tried last, next to it.
    least : Least
        What came of it.
    settled : bool
        All trials settled, and none had a lower deviance than the fit.
    """

    at: float
    tried: float
    least: Least
    settled: bool


@dataclass(frozen=True)
class Counts:
    """Counts and the factors that fit them best.

    Attributes
    ----------
    V : ndarray, shape (m, n)
        Rows and columns that have counts.
    best : Least
        Nothing held.
    rows, columns : ndarray of int
        The place of every row and column of the whole V in this one; -1 of one without counts.
    """

    V: np.ndarray
    best: Least
    rows: np.ndarray = field(repr=False)
    columns: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, V: np.ndarray, W: np.ndarray, H: np.ndarray) -> Counts:
        """Return counts and their best factors, which are sought from those of a fit."""
        filled = V.any(axis=1), V.any(axis=0)
        W, H, kept = W[filled[0]], H[:, filled[1]], V[np.ix_(*filled)]
        start = Factors(np.maximum(W, ROOM * W.max()), np.maximum(H, ROOM * H.max(axis=1, keepdims=True)))
        rows, columns = (np.where(some, np.cumsum(some) - 1, -1) for some in filled)
        return cls(kept, least(kept, start, np.zeros(len(H), bool), None), rows, columns)

    def fraction(self, group: np.ndarray) -> float:
        """Return the fraction of all counts that a group of components (bool, shape (k,)) has in the best fit."""
        W = self.best.factors.W
        return float(W[:, group].sum() / W.sum())

    def ends(self, group: np.ndarray, rise: float) -> tuple[End, End]:
        """Return where, at lower and at higher fractions of a group, the deviance has risen by so much."""
        return self._end(group, rise, -1.0), self._end(group, rise, 1.0)

    def _end(self, group: np.ndarray, rise: float, sign: float) -> End:
        # Secants on the root of the rise, which is nearly a straight line from the fit on
        middle, settled = self.fraction(group), self.best.settled
        limit = middle if sign < 0 else 1.0 - middle
        # a binomial fraction of independent counts would rise by so much there
        distance = min(float(np.sqrt(rise * middle * (1 - middle) / self.V.sum())), 0.5 * limit)
        inner, outer = 0.0, limit
        trial = self.best
        for _ in range(TRIALS):
            tried = middle + sign * distance
            trial = least(self.V, trial.factors, group, tried)
            risen = trial.deviance - self.best.deviance
            settled = settled and trial.settled and risen > -LOWER
            root = max(float(np.sqrt(max(risen, 0.0) / rise)), 1e-9)
            if abs(root - 1) < CLOSE:
                return End(middle + sign * min(distance / root, limit), tried, trial, settled)
            if root < 1:
                inner = distance
            else:
                outer = distance
            distance *= min(1 / root, LARGEST_STEP)
            if not inner < distance < outer:
                distance = 0.5 * (inner + outer)
            if limit - distance < EDGE:  # the deviance allows whatever is left
                return End(middle + sign * limit, tried, trial, settled)
        return End(middle + sign * distance, tried, trial, False)


def least(V: np.ndarray, start: Factors, group: np.ndarray, fraction: float | None) -> Least:
    """Return the least deviance near some factors where a group holds a fraction of the counts; None for any."""
    now = step(V, start, group, fraction)
    here, lowered = deviance(V, now), []
    for _ in range(CYCLES):
        one = step(V, now, group, fraction)
        two = step(V, one, group, fraction)
        better = step(V, _extrapolated(now, one, two), group, fraction)
        there = deviance(V, better)
        if not there <= here:  # two plain steps never raise it
            better, there = two, deviance(V, two)
        lowered.append(here - there)
        now, here = better, there
        if len(lowered) >= WATCHED and sum(lowered[-WATCHED:]) < SETTLED:
            return Least(here, now, True)
    return Least(here, now, False)


def step(V: np.ndarray, factors: Factors, group: np.ndarray, fraction: float | None) -> Factors:
    """Return the factors after one step of EM, the group's weights at a fraction of all; None for any."""
    W, H = factors
    ratio = V / np.maximum(W @ H, np.finfo(float).tiny)
    taken, images = W * (ratio @ H.T), H * (W.T @ ratio)
    images /= np.maximum(images.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    if fraction is None:
        return Factors(taken, images)
    each = taken.sum(axis=0)
    total, mine, others = each.sum(), each[group].sum(), each[~group].sum()
    return Factors(taken * np.where(group, fraction * total / mine, (1 - fraction) * total / others), images)


def _extrapolated(zero: Factors, one: Factors, two: Factors) -> Factors:
    change, curve = 0.0, 0.0
    for a, b, c in zip(zero, one, two, strict=True):
        # in the metric of Poisson numbers, in which a small entry's change counts as much as a large one's
        scale = np.maximum(a, ROOM * a.max()) * a.sum()
        change += ((b - a) ** 2 / scale).sum()
        curve += ((c - 2 * b + a) ** 2 / scale).sum()
    length = max(np.sqrt(change / curve), 1.0) if curve > 0 else 1.0
    found = []
    for a, b, c in zip(zero, one, two, strict=True):
        far = a + 2 * length * (b - a) + length**2 * (c - 2 * b + a)
        found.append(np.where(far > 0, far, c))
    return Factors(*found)


def deviance(V: np.ndarray, factors: Factors) -> float:
    """Return 2 sum(V log(V / W H) - V + W H)."""
    W, H = factors
    filled = V > 0
    counts, means = V[filled], np.maximum((W @ H)[filled], np.finfo(float).tiny)
    return float(2 * ((counts * np.log(counts / means)).sum() - V.sum() + (W.sum(axis=0) * H.sum(axis=1)).sum()))


def dependence(counts: Counts, ends: tuple[End, End], rows: np.ndarray, columns: np.ndarray) -> float:
    """Return by how much stars' scores of a held fraction vary, over what independent counts would.

    With l_n(s) the log-likelihood of star n, the sum over its planes of log (W H) at the factors of D(s), the variance
    J = sum_n (dl_n / ds)^2 of the score and the curvature I = d^2 (D / 2) / ds^2 agree where all counts are
    independent. J / I is the inverse of Godambe's information over Fisher's (Varin, Reid & Firth 2011, section 2.2).
    Both are differences between the two ends.

    Parameters
    ----------
    counts : Counts
        And their best factors.
    ends : (End, End)
        Of a group.
    rows : ndarray of int, shape (N,)
        Bin of each star, -1 outside.
    columns : ndarray of int, shape (N, planes)
        Column of V of each star in each plane, -1 outside.

    Returns
    -------
    float
        NaN where the deviance did not rise.
    """
    low, high = ends
    inside = (rows[:, None] >= 0) & (columns >= 0)
    star, plane = np.nonzero(inside)
    row, column = counts.rows[rows[star]], counts.columns[columns[star, plane]]

    def logs(end: End) -> np.ndarray:
        return np.log((end.least.factors.W @ end.least.factors.H)[row, column])

    score = np.bincount(star, weights=logs(high) - logs(low))
    # of a parabola through both ends: D = D_0 + I (s - s_0)^2
    width = high.tried - low.tried
    risen = np.sqrt([max(end.least.deviance - counts.best.deviance, 0.0) for end in ends]).sum()
    curvature = (risen / width) ** 2
    return float((score**2).sum() / width**2 / curvature) if curvature > 0 else np.nan
