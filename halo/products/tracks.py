"""The chemistry of components in numbers: percentiles and median tracks, read off their images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import QTable, vstack

from ..errors import UsageError
from ..fits.fit import Fit
from ..fits.store import FitLike, as_fit
from ..mixtures.settings import Chemistry, Plane
from .settings import TableSettings

MIN_SHARE = 1e-3
"""Columns of an image with a smaller share of it have no median track."""
PERCENTILES = TableSettings.percentiles
"""Those of the paper's Table 1."""


@dataclass(frozen=True)
class Track:
    """Median of y and its median absolute deviation in each pixel column of x.

    Attributes
    ----------
    plane : Plane
        The image.
    x : ndarray, shape (l,)
        Centres of the columns, dex.
    median, deviation : ndarray, shape (l,)
        dex; NaN where the column holds too little.
    weight : ndarray, shape (l,)
        Fraction of the component's image in each column.
    """

    plane: Plane
    x: np.ndarray
    median: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray


def track(fit: Fit, component: int, image: int, *, min_share: float = MIN_SHARE) -> Track:
    """Return the median track of a component in one of the fit's images.

    Parameters
    ----------
    fit : Fit
        The fit.
    component, image : int
        Which ones.
    min_share : float
        Columns with a smaller fraction of the image are left out.

    Returns
    -------
    Track
    """
    chemistry = fit.mixtures.chemistry
    plane = chemistry.planes[image]
    picture = fit.images[component, image]
    total = picture.sum()
    weight = picture.sum(axis=0) / (total if total > 0 else 1.0)
    edges = chemistry.edges(plane.y)
    median, deviation = np.full(len(weight), np.nan), np.full(len(weight), np.nan)
    for i in np.flatnonzero((weight >= min_share) & (weight > 0)):
        median[i] = quantile(edges, picture[:, i], 0.5)
        deviation[i] = _deviation(edges, picture[:, i], median[i])
    return Track(plane, chemistry.centres(plane.x), median, deviation, weight)


class Tracks(tuple[tuple[Track, ...], ...]):
    """Median tracks by component, then by plane: a tuple of tuples of `Track`, with the components' names.

    Parameters
    ----------
    names : sequence of str
        Components.
    rows : sequence of sequences of Track
        The tracks of each.
    """

    names: tuple[str, ...]

    def __new__(cls, names: Sequence[str], rows: Sequence[Sequence[Track]]) -> Tracks:
        """Return the tracks of some components."""
        made = super().__new__(cls, (tuple(row) for row in rows))
        made.names = tuple(names)
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what copies are made of."""
        return self.names, tuple(self)

    def table(self) -> QTable:
        """Return the tracks as a table: a row for each of their pixel columns, in dex."""
        parts = []
        for name, row in zip(self.names, self, strict=True):
            for one in row:
                part = QTable({"x": one.x, "median": one.median, "deviation": one.deviation, "weight": one.weight})
                part.add_column([str(one.plane)] * len(part), index=0, name="plane")
                part.add_column([name] * len(part), index=0, name="component")
                parts.append(part)
        return vstack(parts)

    def describe(self) -> str:
        """Return a line per component and plane: in how many columns the track is known, and between which medians."""
        lines = []
        for name, row in zip(self.names, self, strict=True):
            for one in row:
                known = one.median[np.isfinite(one.median)]
                span = f", median from {known.min():.2f} to {known.max():.2f} dex" if len(known) else ""
                lines.append(f"{name} {one.plane}: {len(known)} of {len(one.x)} columns{span}")
        return "\n".join(lines)

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def tracks(fit: FitLike, *, min_share: float = MIN_SHARE) -> Tracks:
    """Return the median tracks of every component in every image of a fit.

    Parameters
    ----------
    fit : Fit or path
        The fit.
    min_share : float
        Columns with a smaller fraction of the image are left out.

    Returns
    -------
    Tracks
        By component, in the order of the fit, and by plane.

    Examples
    --------
    >>> from halonmf import halo
    >>> low, high = halo.tracks("fit.h5")  # doctest: +SKIP
    >>> low[0].median - high[0].median  # dex, along the first plane  # doctest: +SKIP
    """
    fit = as_fit(fit)
    planes = range(len(fit.mixtures.chemistry.planes))
    rows = [[track(fit, j, i, min_share=min_share) for i in planes] for j in range(len(fit.names))]
    return Tracks(fit.names, rows)


def marginal(chemistry: Chemistry, row: np.ndarray, name: str) -> np.ndarray:
    """Return the distribution of one abundance in a component, averaged over the images that show it; sums to 1.

    Parameters
    ----------
    chemistry : Chemistry
        What the row's pixels are.
    row : ndarray, shape (n,)
        A row of H.
    name : str
        The abundance; one of the chemistry's variables.

    Returns
    -------
    ndarray, shape (l,)

    Raises
    ------
    UsageError
        No plane shows the abundance.
    """
    if name not in chemistry.variables:
        raise UsageError(f"no plane shows {name}; the planes have {', '.join(chemistry.variables)}.")
    shown = [
        picture.sum(axis=0 if plane.x == name else 1)
        for plane, picture in zip(chemistry.planes, chemistry.images(row), strict=True)
        if name in (plane.x, plane.y)
    ]
    # [Fe/H] stands in every plane: the mean counts it once.
    total = np.mean([x / x.sum() if x.sum() > 0 else x for x in shown], axis=0)
    return total / total.sum() if total.sum() > 0 else total


def percentiles(fit: Fit, name: str, q: tuple[float, ...] = PERCENTILES) -> np.ndarray:
    """Return percentiles of an abundance in each component, dex; shape (k, len(q)).

    Interpolated linearly within pixels; of the stars inside the images.

    Raises
    ------
    UsageError
        No plane shows the abundance, or a percentile is not in 0..100.
    """
    chemistry = fit.mixtures.chemistry
    if not all(0 <= p <= 100 for p in q):
        raise UsageError(f"percentiles must lie between 0 and 100, got {q}.")
    rows = [marginal(chemistry, row, name) for row in fit.H]
    edges = chemistry.edges(name)
    return np.array([[quantile(edges, row, p / 100) for p in q] for row in rows])


def quantile(edges: np.ndarray, weight: np.ndarray, p: float) -> float:
    """Return the p-quantile of a histogram, linear within bins; NaN where it is empty."""
    total = weight.sum()
    if not total > 0:
        return float("nan")
    cumulative = np.concatenate([[0.0], np.cumsum(weight) / total])
    # Empty bins make flat stretches, on which the quantile is any point: the first is taken.
    filled = np.flatnonzero(np.diff(cumulative) > 0)
    i = filled[min(int(np.searchsorted(cumulative[filled + 1], p)), len(filled) - 1)]
    share = min((p - cumulative[i]) / (cumulative[i + 1] - cumulative[i]), 1.0)
    return float(edges[i] + share * (edges[i + 1] - edges[i]))


def _deviation(edges: np.ndarray, weight: np.ndarray, median: float) -> float:
    # The distance within which half of the weight lies, each pixel's spread evenly over it.
    cumulative = np.concatenate([[0.0], np.cumsum(weight) / weight.sum()])
    distance = np.unique(np.append(np.abs(edges - median), 0.0))
    inside = np.interp(median + distance, edges, cumulative) - np.interp(median - distance, edges, cumulative)
    i = int(np.searchsorted(inside, 0.5))
    if i == 0 or i == len(inside):
        return float(distance[min(i, len(distance) - 1)])
    share = (0.5 - inside[i - 1]) / (inside[i] - inside[i - 1])
    return float(distance[i - 1] + share * (distance[i] - distance[i - 1]))
