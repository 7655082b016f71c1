"""Zero points from stars that two surveys have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..stars.catalogue import StarsLike, as_table, read_catalogue
from ..stars.origin import scale_of, survey_of
from ..stars.variables import VARIABLES, values
from .settings import Bootstrap
from .transfer import ZeroPointSettings
from .zeropoints import IRON, ZeroPoints

FEWEST, FEWEST_OF_TREND = 10, 50
"""Common stars that an offset, and a trend, need."""
SIGNIFICANT = 3.0
"""Standard errors that a trend must exceed to be kept."""
ENOUGH = 50
"""Replicates that tell whether a trend is significant."""
CLIP = 3.0
"""Robust standard deviations beyond which a difference is an outlier."""


def common_stars(
    reference: StarsLike,
    stars: StarsLike,
    settings: ZeroPointSettings | None = None,
    bootstrap: Bootstrap | None = None,
) -> ZeroPoints:
    """Return the zero points of a survey's abundances on the scale of another, from the stars that both have.

    Stars are common by Gaia's source id (EDR3 and DR3 number stars alike, DR2 does not). A trend is fitted along the
    mean of both [Fe/H], weighted by their errors where both have them, which the noise of their difference does not
    enter: along one of them noise alone would make a trend.

    Parameters
    ----------
    reference, stars : Table, Catalogue or path
        Prepared stars, of the survey whose scale is meant and of that whose zero points are wanted.
    settings : ZeroPointSettings, optional
    bootstrap : Bootstrap, optional
        Replicates (common stars drawn with replacement) behind the covariance.

    Returns
    -------
    ZeroPoints

    Raises
    ------
    InputError
        Too few common stars, or no abundance that both have.
    UsageError
        No replicates, which the errors come from.
    """
    settings, bootstrap = settings or ZeroPointSettings(), bootstrap or Bootstrap()
    if not bootstrap.replicates:
        raise UsageError("the errors of zero points come from replicates; give bootstrap two and more.")
    reference, stars = (read_catalogue(x) if isinstance(x, str | Path) else x for x in (reference, stars))
    a, b = as_table(reference), as_table(stars)
    names = _names(a, b, settings.elements)
    first, second = _matched(a, b)
    difference = np.stack([values(b, name)[second] - values(a, name)[first] for name in names])
    number = np.isfinite(difference).sum(axis=1)
    if number.min() < FEWEST:
        few = ", ".join(f"{name} {n}" for name, n in zip(names, number, strict=True) if n < FEWEST)
        raise InputError(
            f"{len(first)} stars are in both, too few with {few}; {FEWEST} are needed. Without common stars give a fit "
            "in place of the first catalogue, for zero points by populations."
        )
    along = _along(a, b, first, second, difference, names) if settings.trend != "none" else np.full(len(first), np.nan)
    pivot = float(np.nanmedian(along)) if np.isfinite(along).any() else 0.0
    along = along - pivot
    rng = np.random.default_rng(bootstrap.seed)
    drawn = [rng.integers(0, len(first), len(first)) for _ in range(bootstrap.replicates)]
    K = len(names)
    offset, slope, scatter = np.zeros(K), np.zeros(K), np.zeros(K)
    replicates = np.zeros((len(drawn), 2 * K))
    for i, d in enumerate(difference):
        trend = _has_trend(d, along, drawn, settings.trend)
        offset[i], slope[i], scatter[i] = _fitted(d, along, settings.estimator, trend)
        for r, some in enumerate(drawn):
            replicates[r, [i, K + i]] = _fitted(d[some], along[some], settings.estimator, trend)[:2]
    covariance = np.atleast_2d(np.cov(replicates, rowvar=False))
    return ZeroPoints(
        survey_of(stars), scale_of(reference), names, offset, slope, covariance, pivot, number, scatter, "common stars"
    )


def _names(a: Any, b: Any, wanted: Sequence[str]) -> tuple[str, ...]:
    known = [name for name in VARIABLES if name == IRON or name.endswith("_FE")]
    both = [n for n in (wanted or known) if n in a.colnames and n in b.colnames]
    lacking = [name for name in wanted if name not in both]
    if lacking or not both:
        raise InputError(
            f"both catalogues must have {', '.join(lacking) or 'an abundance, such as FE_H,'} as a column."
        )
    return tuple(both)


def _matched(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the common stars in either table."""
    ids = []
    for table in (a, b):
        if "SOURCE_ID" not in table.colnames:
            raise InputError("both catalogues must have SOURCE_ID, Gaia's, by which common stars are found.")
        ids.append(np.asarray(table["SOURCE_ID"], dtype=np.int64))
    common, first, second = np.intersect1d(ids[0], ids[1], return_indices=True)
    first, second = first[common > 0], second[common > 0]
    if len(first) < FEWEST:
        raise InputError(
            f"{len(first)} of {len(a):,} and {len(b):,} stars are in both, {FEWEST} are needed: the surveys do not "
            "overlap, or their ids are of two Gaia releases. Give a fit in place of the first catalogue, for zero "
            "points by populations."
        )
    return first, second


def _along(
    a: Any, b: Any, first: np.ndarray, second: np.ndarray, difference: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """Return the weighted mean of both [Fe/H], on the first survey's scale."""
    if IRON not in a.colnames or IRON not in b.colnames:
        raise InputError("a trend with [Fe/H] needs FE_H in both catalogues; take trend none.")
    iron, other = values(a, IRON)[first], values(b, IRON)[second]
    error = f"{IRON}_ERR"
    weight = np.full(len(iron), 0.5)  # of the second
    if error in a.colnames and error in b.colnames:
        variance, others = values(a, error)[first] ** 2, values(b, error)[second] ** 2
        good = (variance > 0) & (others > 0)
        weight[good] = variance[good] / (variance + others)[good]
    return iron + weight * (other - iron - np.nanmedian(other - iron))


def _has_trend(d: np.ndarray, along: np.ndarray, drawn: Sequence[np.ndarray], wanted: str) -> bool:
    good = np.isfinite(d) & np.isfinite(along)
    if wanted == "none" or good.sum() < FEWEST_OF_TREND or np.ptp(along[good]) == 0:
        if wanted == "linear":
            raise InputError(f"{int(good.sum())} common stars are too few for a trend, which needs {FEWEST_OF_TREND}.")
        return False
    if wanted == "linear":
        return True
    error = np.std([_slope(d[some], along[some]) for some in drawn[:ENOUGH]], ddof=1)
    return bool(abs(_slope(d, along)) > SIGNIFICANT * error)


def _fitted(d: np.ndarray, along: np.ndarray, estimator: str, trend: bool) -> tuple[float, float, float]:
    """Return offset, slope and scatter of differences."""
    slope = _slope(d, along) if trend else 0.0
    good = np.isfinite(d) & (np.isfinite(along) if trend else True)
    left = d[good] - (slope * along[good] if trend else 0.0)
    middle, spread = np.median(left), _spread(left)
    if estimator == "mean":
        middle = left[np.abs(left - middle) <= CLIP * spread].mean() if spread > 0 else middle
    return float(middle), slope, float(spread)


def _slope(d: np.ndarray, along: np.ndarray) -> float:
    """Return the slope of differences by least squares without outliers, which are looked for again after each fit."""
    good = np.isfinite(d) & np.isfinite(along)
    x, y = along[good], d[good]
    keep, slope = np.ones(len(x), dtype=bool), 0.0
    for _ in range(5):
        centre = x[keep].mean()
        wide = ((x[keep] - centre) ** 2).sum()
        if not wide > 0:
            return 0.0
        slope = float(((x[keep] - centre) * y[keep]).sum() / wide)
        left = y - slope * x
        left -= np.median(left)
        inside = np.abs(left) <= CLIP * max(_spread(left), 1e-12)
        if (inside == keep).all():
            break
        keep = inside
    return slope


def _spread(x: np.ndarray) -> float:
    return float(1.4826 * np.median(np.abs(x - np.median(x))))
