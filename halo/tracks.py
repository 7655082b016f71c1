"""What a component's chemistry looks like in numbers: percentiles and median tracks, read off its images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mixtures import Chemistry, Plane
from .model import Fit


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
        Share of the component's image in each column.
    """

    plane: Plane
    x: np.ndarray
    median: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray


def track(fit: Fit, component: int, image: int, *, min_share: float = 1e-3) -> Track:
    """Return the median track of a component in one of the fit's images.

    Parameters
    ----------
    fit : Fit
        The fit.
    component, image : int
        Which ones.
    min_share : float
        Columns with a smaller share of the image are left out.

    Returns
    -------
    Track
    """
    chemistry = fit.mixtures.chemistry
    plane = chemistry.planes[image]
    picture = fit.images[component, image]
    total = picture.sum()
    weight = picture.sum(axis=0) / (total if total > 0 else 1.0)
    edges, centres = chemistry.edges(plane.y), chemistry.centres(plane.y)
    median, deviation = np.full(len(weight), np.nan), np.full(len(weight), np.nan)
    for i in np.flatnonzero(weight >= min_share):
        column = picture[:, i]
        median[i] = quantile(edges, column, 0.5)
        distance = np.abs(centres - median[i])
        order = np.argsort(distance)
        share = np.cumsum(column[order]) / column.sum()
        deviation[i] = np.interp(0.5, share, distance[order])
    return Track(plane, chemistry.centres(plane.x), median, deviation, weight)


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
    """
    shown = [
        picture.sum(axis=0 if plane.x == name else 1)
        for plane, picture in zip(chemistry.planes, chemistry.images(row), strict=True)
        if name in (plane.x, plane.y)
    ]
    # [Fe/H] stands in every plane: the mean counts it once.
    total = np.mean([x / x.sum() if x.sum() > 0 else x for x in shown], axis=0)
    return total / total.sum() if total.sum() > 0 else total


def percentiles(fit: Fit, name: str, q: tuple[float, ...] = (10.0, 50.0, 90.0)) -> np.ndarray:
    """Return percentiles of an abundance in each component, dex; shape (k, len(q)).

    Interpolated linearly within pixels.
    """
    chemistry = fit.mixtures.chemistry
    edges = chemistry.edges(name)
    return np.array([[quantile(edges, marginal(chemistry, row, name), p / 100) for p in q] for row in fit.H])


def quantile(edges: np.ndarray, weight: np.ndarray, p: float) -> float:
    """Return the p-quantile of a histogram, linear within bins; NaN where it is empty."""
    total = weight.sum()
    if not total > 0:
        return float("nan")
    cumulative = np.concatenate([[0.0], np.cumsum(weight) / total])
    # Empty bins make flat stretches, on which the quantile is any point: keep their first edge for one answer.
    keep = np.concatenate([[True], np.diff(cumulative) > 0])
    i = np.searchsorted(cumulative[keep], p)
    if i == 0:
        return float(edges[0])
    upper = np.flatnonzero(keep)[min(i, keep.sum() - 1)]
    lower = upper - 1
    share = (p - cumulative[lower]) / (cumulative[upper] - cumulative[lower])
    return float(edges[lower] + share * (edges[upper] - edges[lower]))
