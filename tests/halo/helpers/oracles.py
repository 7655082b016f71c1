"""Numbers of one fit in NumPy and SciPy: what the loops of `products.crossings` and `products.histograms` are held to.

Only NumPy and SciPy are imported: the peer of benchmarks/ensemble.py makes its products with these functions too.
"""

from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq


def crossings(x, y, level):
    """Every place where SciPy's monotone spline through (x, y) passes the level, in rising order."""
    good = np.isfinite(y)
    if good.sum() < 2:
        return ()
    x, y = x[good], y[good]
    spline, side = PchipInterpolator(x, y), np.sign(y - level)
    off = np.flatnonzero(side)
    found = []
    for i, j in pairwise(off):
        if side[i] != side[j]:
            found.append(float(x[i + 1]) if j > i + 1 else brentq(lambda at: float(spline(at)) - level, x[i], x[j]))
    return tuple(found)


def interpolate(x, y, at):
    """The value of that spline at a place; NaN outside."""
    good = np.isfinite(y)
    return float(PchipInterpolator(x[good], y[good], extrapolate=False)(at)) if good.sum() > 1 else np.nan


def column(E, share, level):
    """Where a column's fraction first falls below the level from high E, how often it passes it, and its status."""
    good = np.isfinite(share)
    E, share = E[good][::-1], share[good][::-1]
    if len(E) < 2:
        return np.nan, 0, "too few stars"
    above = share >= level
    number = int((above[1:] != above[:-1]).sum())
    falls = np.flatnonzero(above[:-1] & ~above[1:])
    if len(falls) == 0:
        return np.nan, number, "crosses the other way only" if number else "never crosses"
    i = falls[0]
    part = (share[i] - level) / (share[i] - share[i + 1])
    return float(E[i] + part * (E[i + 1] - E[i])), number, "crosses" if number == 1 else "crosses more than once"


def marginal(chemistry, row, name):
    """The distribution of an abundance in a row of H, the mean over the images that show it; sums to 1."""
    shown = [
        picture.sum(axis=0 if plane.x == name else 1)
        for plane, picture in zip(chemistry.planes, chemistry.images(row), strict=True)
        if name in (plane.x, plane.y)
    ]
    total = np.mean([x / x.sum() if x.sum() > 0 else x for x in shown], axis=0)
    return total / total.sum() if total.sum() > 0 else total


def quantile(edges, weight, p):
    """The p-quantile of a histogram, linear within bins; NaN where it is empty."""
    total = weight.sum()
    if not total > 0:
        return np.nan
    cumulative = np.concatenate([[0.0], np.cumsum(weight) / total])
    filled = np.flatnonzero(np.diff(cumulative) > 0)
    i = filled[min(int(np.searchsorted(cumulative[filled + 1], p)), len(filled) - 1)]
    part = min((p - cumulative[i]) / (cumulative[i + 1] - cumulative[i]), 1.0)
    return float(edges[i] + part * (edges[i + 1] - edges[i]))


def deviation(edges, weight, median):
    """The distance from the median within which half of the weight lies, each bin's spread evenly over it."""
    cumulative = np.concatenate([[0.0], np.cumsum(weight) / weight.sum()])
    distance = np.unique(np.append(np.abs(edges - median), 0.0))
    inside = np.interp(median + distance, edges, cumulative) - np.interp(median - distance, edges, cumulative)
    i = int(np.searchsorted(inside, 0.5))
    if i == 0 or i == len(inside):
        return float(distance[min(i, len(distance) - 1)])
    part = (0.5 - inside[i - 1]) / (inside[i] - inside[i - 1])
    return float(distance[i - 1] + part * (distance[i] - distance[i - 1]))
