"""What images of components hold: distributions of one abundance, their quantiles, and the median tracks of a plane.

What ends in `_of_many` are loops over fits that numba can compile (see `compiling`). A component's image is a stretch
of its row of H, `pixels` rows of y one after the other. Sums are taken one by one, not in pairs as NumPy does, so that
compiled loops and Python give the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import UsageError
from ..mixtures.settings import Chemistry
from .compiling import Run
from .settings import TableSettings

MIN_SHARE = 1e-3
"""Columns of an image with a smaller fraction of it have no median track."""
PERCENTILES = TableSettings.percentiles
"""Those of the paper's Table 1."""


def quantile(edges: np.ndarray, weight: np.ndarray, p: float) -> float:
    """Return the p-quantile of a histogram, linear within bins; NaN where it is empty.

    Parameters
    ----------
    edges : ndarray, shape (l + 1,)
        Rising.
    weight : ndarray, shape (l,)
        What each bin holds, not negative.
    p : float
        In [0, 1].
    """
    cumulative = np.empty(len(weight) + 1)
    with np.errstate(all="ignore"):
        return float(quantile_at(edges, cumulative, p)) if accumulate(weight, cumulative) else float("nan")


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
    found = np.empty(chemistry.pixels)
    with np.errstate(all="ignore"):
        distribution(np.asarray(row, np.float64), chemistry.pixels, _shown(chemistry, (name,))[0], found)
    # [Fe/H] stands in every plane: the mean over planes counts it once
    whole = total(found)
    return found / whole if whole > 0 else found


def percentiles_of(
    H: np.ndarray, chemistry: Chemistry, names: Sequence[str], q: Sequence[float] = PERCENTILES, *, run: Run
) -> np.ndarray:
    """Return percentiles of abundances in the components of many fits, dex; shape (B, names, k, len(q)).

    Parameters
    ----------
    H : ndarray, shape (B, k, n)
        Components.
    chemistry : Chemistry
        What their pixels are.
    names : sequence of str
        Abundances, each shown by a plane.
    q : sequence of float
        In 0..100.
    run : callable
        `compiling.as_python` for one fit, `compiling.compiled` for many.
    """
    H = np.ascontiguousarray(H, np.float64)
    found = np.empty((len(H), len(names), H.shape[1], len(q)))
    edges = np.array([chemistry.edges(name) for name in names])
    shown = _shown(chemistry, names)
    run(percentiles_of_many)(H, chemistry.pixels, shown, edges, np.array(q, float) / 100, found, 0, len(H))
    return found


def _shown(chemistry: Chemistry, names: Sequence[str]) -> np.ndarray:
    # which axis of each image shows each abundance, as `histograms.percentiles_of_many` takes it
    return np.array([[1 if plane.x == name else 2 * (plane.y == name) for plane in chemistry.planes] for name in names])


def tracks_of(
    H: np.ndarray, chemistry: Chemistry, min_share: float = MIN_SHARE, *, run: Run
) -> tuple[np.ndarray, np.ndarray]:
    """Return the median tracks and their deviations of the components of many fits, both (B, k, images, l), dex.

    Parameters
    ----------
    H : ndarray, shape (B, k, n)
        Components.
    chemistry : Chemistry
        What their pixels are.
    min_share : float
        Columns with a smaller fraction of the image are left out, NaN.
    run : callable
        `compiling.as_python` for one fit, `compiling.compiled` for many.
    """
    H = np.ascontiguousarray(H, np.float64)
    median = np.empty((*H.shape[:2], len(chemistry.planes), chemistry.pixels))
    deviation = np.empty(median.shape)
    edges = np.array([chemistry.edges(plane.y) for plane in chemistry.planes])
    run(tracks_of_many)(H, chemistry.pixels, edges, min_share, median, deviation, 0, len(H))
    return median, deviation


def percentiles_of_many(H, pixels, shown, edges, p, out, first, last):
    """Write quantiles of every abundance in every component of the fits first to last - 1.

    Parameters
    ----------
    H : ndarray, shape (B, k, images * pixels * pixels)
    pixels : int
    shown : ndarray of int64, shape (variables, images)
        1 where an image's x axis shows the variable, 2 where its y axis does, else 0.
    edges : ndarray, shape (variables, pixels + 1)
    p : ndarray
        In [0, 1].
    out : ndarray, shape (B, variables, k, len(p))
        Filled; NaN where a component has nothing.
    """
    held, cumulative = np.empty(pixels), np.empty(pixels + 1)
    for b in range(first, last):
        for c in range(H.shape[1]):
            for v in range(len(shown)):
                distribution(H[b, c], pixels, shown[v], held)
                filled = accumulate(held, cumulative)
                for j in range(len(p)):
                    out[b, v, c, j] = quantile_at(edges[v], cumulative, p[j]) if filled else np.nan


def distribution(row, pixels, shown, out):
    """Write to `out` how a component is distributed over one abundance: the sum over images, each at unit sum."""
    one = np.empty(pixels)
    out[:] = 0.0
    for image in range(len(shown)):
        if shown[image] == 0:
            continue
        one[:] = 0.0
        at = image * pixels * pixels
        for y in range(pixels):
            for x in range(pixels):
                one[x if shown[image] == 1 else y] += row[at + y * pixels + x]
        mass = total(one)
        for i in range(pixels):
            out[i] += one[i] / mass if mass > 0 else one[i]


def total(x):
    """Return the sum of an array, added up from its first number to its last."""
    held = 0.0
    for i in range(len(x)):
        held += x[i]
    return held


def accumulate(weight, cumulative):
    """Write the cumulative fractions of a histogram; False where it is empty."""
    whole = total(weight)
    if not whole > 0:
        return False
    running = 0.0
    cumulative[0] = 0.0
    for i in range(len(weight)):
        running += weight[i]
        cumulative[i + 1] = running / whole
    return True


def quantile_at(edges, cumulative, p):
    """Return the p-quantile of a filled histogram, linear within bins.

    Empty bins make flat stretches, on which the quantile is any point: the first is taken.
    """
    found = 0
    for i in range(len(edges) - 1):
        if cumulative[i + 1] > cumulative[i]:
            found = i
            if cumulative[i + 1] >= p:
                break
    part = min((p - cumulative[found]) / (cumulative[found + 1] - cumulative[found]), 1.0)
    return edges[found] + part * (edges[found + 1] - edges[found])


def tracks_of_many(H, pixels, edges, min_share, median, deviation, first, last):
    """Write the median of y and its deviation in every pixel column of x, for the fits first to last - 1.

    Parameters
    ----------
    H : ndarray, shape (B, k, images * pixels * pixels)
    pixels : int
    edges : ndarray, shape (images, pixels + 1)
        Of each image's y axis.
    min_share : float
        Columns with a smaller fraction of the image are left out.
    median, deviation : ndarray, shape (B, k, images, pixels)
        Filled; NaN in columns that are left out.
    """
    weight, cumulative = np.empty((pixels, pixels)), np.empty(pixels + 1)
    for b in range(first, last):
        for c in range(H.shape[1]):
            for image in range(len(edges)):
                at, whole = image * pixels * pixels, 0.0
                for y in range(pixels):
                    for x in range(pixels):
                        weight[x, y] = H[b, c, at + y * pixels + x]
                        whole += weight[x, y]
                for x in range(pixels):
                    mass = total(weight[x])
                    median[b, c, image, x] = deviation[b, c, image, x] = np.nan
                    if mass > 0 and mass / whole >= min_share:
                        accumulate(weight[x], cumulative)
                        middle = quantile_at(edges[image], cumulative, 0.5)
                        median[b, c, image, x] = middle
                        deviation[b, c, image, x] = half_width(edges[image], cumulative, middle)


def half_width(edges, cumulative, middle):
    """Return the distance from `middle` within which half of a histogram lies, each bin's content spread evenly."""
    # what lies within a distance is linear between the distances of edges, which are taken in rising order
    last = len(edges) - 1
    above = 0
    while above <= last and edges[above] <= middle:
        above += 1
    below = above - 1
    before, held = 0.0, 0.0
    while below >= 0 or above <= last:
        left = middle - edges[below] if below >= 0 else np.inf
        right = edges[above] - middle if above <= last else np.inf
        distance = min(left, right)
        inside = part_below(edges, cumulative, middle + distance) - part_below(edges, cumulative, middle - distance)
        if inside >= 0.5:
            return before + (0.5 - held) / (inside - held) * (distance - before)
        before, held = distance, inside
        if left <= distance:
            below -= 1
        if right <= distance:
            above += 1
    return before


def part_below(edges, cumulative, x):
    """Return the cumulative fraction at x, linear between edges."""
    last = len(edges) - 1
    if x <= edges[0]:
        return cumulative[0]
    if x >= edges[last]:
        return cumulative[last]
    i = np.searchsorted(edges, x, side="right") - 1
    return cumulative[i] + (x - edges[i]) / (edges[i + 1] - edges[i]) * (cumulative[i + 1] - cumulative[i])
