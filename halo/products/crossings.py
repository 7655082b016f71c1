"""Where fractions pass a level: along a variable, by a monotone spline; down the columns of a map, linearly.

What ends in `_of_many` are loops over fits that numba can compile (see `compiling`); of one curve the same functions
run as Python.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .compiling import Run


def crossings(x: np.ndarray, y: np.ndarray, level: float) -> tuple[float, ...]:
    """Return every place where the spline through (x, y) passes `level`.

    The spline is the monotone cubic of Fritsch & Carlson (1980, SIAM J. Numer. Anal. 17, 238): it makes no
    turning points of its own, so every crossing is one of the data. To touch the level is not to cross it; where the
    data lie on it and leave it on the other side, the crossing is where they reach it.

    Parameters
    ----------
    x : ndarray, shape (m,)
        Rising.
    y : ndarray, shape (m,)
        Values; NaN are left out.
    level : float
        The level.

    Returns
    -------
    tuple of float
        In rising order; empty if there is none.
    """
    x, y, slope = _spline(x, y)
    if len(x) < 2:
        return ()
    places = np.empty(len(x))
    # lists: with Python's own numbers the many steps of `root` take a third of the time
    number = passages(x.tolist(), y.tolist(), slope.tolist(), len(x), level, places)
    return tuple(places[:number].tolist())


def interpolate(x: np.ndarray, y: np.ndarray, at: float) -> float:
    """Return the value at one place of the spline through (x, y); NaN outside the data, or for fewer than two.

    Parameters
    ----------
    x : ndarray, shape (m,)
        Rising.
    y : ndarray, shape (m,)
        Values; NaN are left out.
    at : float
        Where.
    """
    x, y, slope = _spline(x, y)
    if len(x) < 2 or not x[0] <= at <= x[-1]:
        return float("nan")
    i = min(int(np.searchsorted(x, at, side="right")) - 1, len(x) - 2)
    return float(cubic(x, y, slope, i, (at - x[i]) / (x[i + 1] - x[i])))


def _spline(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # the data that are numbers, and the spline's slopes there
    good = np.isfinite(y)
    x, y = np.asarray(x, float)[good], np.asarray(y, float)[good]
    slope = np.empty(len(x))
    if len(x) > 1:
        with np.errstate(all="ignore"):  # next to nothing, slopes may divide by zero on their way to zero
            slopes(x, y, len(x), slope)
    return x, y, slope


def single_crossings(
    x: np.ndarray, fraction: np.ndarray, levels: Sequence[float], *, run: Run
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of many curves crosses each level, NaN unless it does so exactly once, and how often it does.

    Parameters
    ----------
    x : ndarray, shape (m,)
        Rising.
    fraction : ndarray, shape (B, m)
        Curves; NaN are left out.
    levels : sequence of float
        The levels.
    run : callable
        `compiling.as_python` for a few curves, `compiling.compiled` for many.

    Returns
    -------
    at : ndarray, shape (B, levels)
    number : ndarray of int64, shape (B, levels)
        -1 where fewer than two values can tell.
    """
    at = np.empty((len(fraction), len(levels)))
    number = np.empty(at.shape, np.int64)
    run(crossings_of_many)(x, np.ascontiguousarray(fraction), np.array(levels, float), at, number, 0, len(fraction))
    return at, number


def crossings_of_many(x, fraction, levels, at, number, first, last):
    """Find where the curves of the fits first to last - 1 cross each level, as `crossings` does for one.

    Parameters
    ----------
    x : ndarray, shape (bins,)
        Rising.
    fraction : ndarray, shape (B, bins)
        Fractions of one component; NaN are left out.
    levels : ndarray, shape (levels,)
    at : ndarray, shape (B, levels)
        Filled with the place where there is exactly one, else NaN.
    number : ndarray of int64, shape (B, levels)
        Filled with how many there are; -1 where fewer than two bins can tell.
    """
    u, y, slope = np.empty(len(x)), np.empty(len(x)), np.empty(len(x))
    places = np.empty(len(x))
    for b in range(first, last):
        m = 0
        for i in range(len(x)):
            if np.isfinite(fraction[b, i]):
                u[m], y[m] = x[i], fraction[b, i]
                m += 1
        at[b] = np.nan
        number[b] = -1
        if m < 2:
            continue
        slopes(u, y, m, slope)
        for j in range(len(levels)):
            number[b, j] = passages(u, y, slope, m, levels[j], places)
            if number[b, j] == 1:
                at[b, j] = places[0]


def passages(x, y, slope, m, level, places):
    """Write to `places` where the spline through the first m points passes a level; return how often it does."""
    number, before = 0, -1
    for i in range(m):
        if y[i] == level:
            continue
        if before >= 0 and (y[i] > level) != (y[before] > level):
            places[number] = x[before + 1] if i > before + 1 else root(x, y, slope, before, level)
            number += 1
        before = i
    return number


def slopes(x, y, m, slope):
    """Write the slopes of the monotone cubic of Fritsch & Butland (1984) to slope[:m], as SciPy's PCHIP has them."""
    if m == 2:
        slope[0] = slope[1] = (y[1] - y[0]) / (x[1] - x[0])
        return
    for i in range(1, m - 1):
        below, above = x[i] - x[i - 1], x[i + 1] - x[i]
        falls, rises = (y[i] - y[i - 1]) / below, (y[i + 1] - y[i]) / above
        if falls * rises <= 0:
            slope[i] = 0.0
        else:
            one, two = 2 * above + below, above + 2 * below
            slope[i] = (one + two) / (one / falls + two / rises)
    slope[0] = end_slope(x[1] - x[0], x[2] - x[1], y[1] - y[0], y[2] - y[1])
    slope[m - 1] = end_slope(x[m - 1] - x[m - 2], x[m - 2] - x[m - 3], y[m - 1] - y[m - 2], y[m - 2] - y[m - 3])


def end_slope(near, far, rise, further):
    """Return the three-point slope at an end, kept monotone."""
    one, two = rise / near, further / far
    d = ((2 * near + far) * one - near * two) / (near + far)
    if np.sign(d) != np.sign(one):
        return 0.0
    if np.sign(one) != np.sign(two) and abs(d) > 3 * abs(one):
        return 3 * one
    return d


def root(x, y, slope, i, level):
    """Return where the cubic between x[i] and x[i + 1], monotone and on both sides of the level, passes it."""
    width = x[i + 1] - x[i]
    low, high = 0.0, 1.0
    rising = y[i] < level
    for _ in range(60):  # halving until nothing is left of the interval
        t = 0.5 * (low + high)
        if (cubic(x, y, slope, i, t) < level) == rising:
            low = t
        else:
            high = t
    return x[i] + 0.5 * (low + high) * width


def cubic(x, y, slope, i, t):
    """Return the spline's value between x[i] (t = 0) and x[i + 1] (t = 1)."""
    s = 1 - t
    return (
        s * s * (1 + 2 * t) * y[i]
        + t * t * (3 - 2 * t) * y[i + 1]
        + (x[i + 1] - x[i]) * s * t * (s * slope[i] - t * slope[i + 1])
    )


def boundaries(
    E: np.ndarray, fraction: np.ndarray, level: float, *, run: Run
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the boundary in every column of the maps of many fits.

    Parameters
    ----------
    E : ndarray, shape (cells,)
        Centres of the cells, rising.
    fraction : ndarray, shape (B, columns, cells)
        The last component's fraction; NaN where there are too few stars.
    level : float
        The level.
    run : callable
        `compiling.as_python` for one fit, `compiling.compiled` for many.

    Returns
    -------
    at : ndarray, shape (B, columns)
        NaN where there is none.
    number, status : ndarray of int64, shape (B, columns)
        How often the fraction passes the level, and the index of what happened in `boundary.STATUSES`.
    """
    at = np.empty(fraction.shape[:2])
    number, status = np.empty(at.shape, np.int64), np.empty(at.shape, np.int64)
    run(boundaries_of_many)(E, np.ascontiguousarray(fraction), level, at, number, status, 0, len(fraction))
    return at, number, status


def boundaries_of_many(E, fraction, level, at, number, status, first, last):
    """Find where the fraction first falls below the level, coming from high E, in each column of a map.

    Linear between the two cells on either side of the level.

    Parameters
    ----------
    E : ndarray, shape (bins,)
        Rising.
    fraction : ndarray, shape (B, columns, bins)
        Fractions of one component; NaN are left out.
    level : float
    at : ndarray, shape (B, columns)
        Filled; NaN where it does not.
    number : ndarray of int64, shape (B, columns)
        Filled with how often the fraction passes the level.
    status : ndarray of int64, shape (B, columns)
        Filled with an index into `boundary.STATUSES`.
    """
    for b in range(first, last):
        for column in range(fraction.shape[1]):
            y = fraction[b, column]
            seen, before = 0, -1
            at[b, column], number[b, column] = np.nan, 0
            for i in range(len(E) - 1, -1, -1):
                if not np.isfinite(y[i]):
                    continue
                if seen and (y[i] >= level) != (y[before] >= level):
                    number[b, column] += 1
                    if y[i] < level and np.isnan(at[b, column]):
                        part = (y[before] - level) / (y[before] - y[i])
                        at[b, column] = E[before] + part * (E[i] - E[before])
                seen, before = seen + 1, i
            if seen < 2:
                status[b, column] = 3
            elif np.isnan(at[b, column]):
                status[b, column] = 4 if number[b, column] else 2
            else:
                status[b, column] = 0 if number[b, column] == 1 else 1
