"""Compiled loops over replicates: what `model.apply`, `profile`, `boundary` and `tracks` do for one fit, for thousands.

Each function works on the replicates first to last - 1, one after the other, so that a replicate's numbers do not
depend on what is computed beside it. The modules named above are the definitions; tests hold these loops to them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
# Inner solves of a bin of k components end after so many changes of the set of positive ones.
CHANGES = 10
# A component whose part outside the span of others is below this share of it counts as one of theirs.
DEPENDENT = 1e-12


@njit(**OPTIONS)
def held_weights(weights, columns, places, H, W, numbers, first, last):
    """Find held components in stars binned anew, by least squares: W (B, bins, k), and how many stars each bin has.

    With H held, min ||V - W H||^2 over W >= 0 needs of V only V H^T, to which each star adds its pixels' columns of H:
    V itself is never made.

    Parameters
    ----------
    weights : ndarray of uint8, shape (B, N)
        How often each star is in each replicate.
    columns : ndarray of int32, shape (N, images)
        Columns of H of each star's pixels, -1 outside.
    places : ndarray of int32, shape (N, binnings)
        Each star's bin in every binning, numbered through; -1 outside.
    H : ndarray, shape (B, k, n)
    W : ndarray of float64, shape (B, bins, k)
        Zeros; filled.
    numbers : ndarray of int64, shape (B, bins)
        Zeros; filled.
    """
    stars, images = columns.shape
    binnings = places.shape[1]
    k, n = H.shape[1], H.shape[2]
    pixels = np.empty((n, k))
    gram = np.empty((k, k))
    one = np.empty(k)
    for b in range(first, last):
        for c in range(k):
            for j in range(n):
                pixels[j, c] = H[b, c, j]
        for c in range(k):
            for d in range(c + 1):
                total = 0.0
                for j in range(n):
                    total += pixels[j, c] * pixels[j, d]
                gram[c, d] = gram[d, c] = total
        sums, number = W[b], numbers[b]
        for star in range(stars):
            weight = weights[b, star]
            if weight == 0:
                continue
            one[:] = 0.0
            for image in range(images):
                at = columns[star, image]
                if at >= 0:
                    for c in range(k):
                        one[c] += pixels[at, c]
            for c in range(k):
                one[c] *= weight
            for binning in range(binnings):
                place = places[star, binning]
                if place >= 0:
                    number[place] += weight
                    for c in range(k):
                        sums[place, c] += one[c]
        for i in range(sums.shape[0]):
            nonnegative(gram, sums[i])


@njit(**OPTIONS)
def count(weights, columns, places, numbers, n):
    """Return the counts V (bins, n) of one replicate in bins numbered through, and add up each bin's stars."""
    V = np.zeros((len(numbers), n))
    for star in range(len(columns)):
        for binning in range(places.shape[1]):
            place = places[star, binning]
            if place >= 0:
                numbers[place] += weights[star]
                for image in range(columns.shape[1]):
                    if columns[star, image] >= 0:
                        V[place, columns[star, image]] += weights[star]
    return V


@njit(**OPTIONS)
def bin_sums(weights, rows, x, total, number):
    """Add up x (N,) and the number of stars that have it in each bin, for every replicate; both (B, bins), zeros."""
    for b in range(len(weights)):
        for star in range(len(rows)):
            if rows[star] >= 0 and np.isfinite(x[star]):
                total[b, rows[star]] += weights[b, star] * x[star]
                number[b, rows[star]] += weights[b, star]


@njit(**OPTIONS)
def nonnegative(gram, x):
    """Replace x (k,) by the w >= 0 of least w G w / 2 - w x: Lawson & Hanson (1974) on the normal equations."""
    k = len(x)
    goal = x.copy()
    x[:] = 0.0
    passive = np.zeros(k, np.bool_)
    trial = np.zeros(k)
    work = np.empty((k, k + 1))
    for _ in range(CHANGES * k):
        best, worst = -1, 0.0
        for c in range(k):
            if not passive[c] and gram[c, c] > 0:
                slope = goal[c]
                for d in range(k):
                    slope -= gram[c, d] * x[d]
                # In units of what the component would be alone; rounding is not to call a component in.
                slope /= np.sqrt(gram[c, c])
                if slope > worst and slope > 1e-13 * goal[c] / np.sqrt(gram[c, c]):
                    best, worst = c, slope
        if best < 0:
            return
        passive[best] = True
        if not solve(gram, goal, passive, trial, work):
            passive[best] = False
            return
        while True:
            step = 1.0
            for c in range(k):
                if passive[c] and trial[c] <= 0:
                    step = min(step, x[c] / (x[c] - trial[c]))
            for c in range(k):
                x[c] += step * (trial[c] - x[c])
            if step == 1.0:
                break
            for c in range(k):
                if passive[c] and x[c] <= 1e-15 * abs(trial[c]):
                    passive[c] = False
                    x[c] = 0.0
            solve(gram, goal, passive, trial, work)


@njit(**OPTIONS)
def solve(gram, goal, passive, out, work):
    """Solve the normal equations of the passive components; the others are zero. False where they are dependent."""
    k = len(goal)
    out[:] = 0.0
    for c in range(k):
        if passive[c]:
            for d in range(k):
                work[c, d] = gram[c, d]
            work[c, k] = goal[c]
    for c in range(k):
        if not passive[c]:
            continue
        if work[c, c] <= DEPENDENT * gram[c, c]:
            return False
        for d in range(c + 1, k):
            if passive[d]:
                part = work[d, c] / work[c, c]
                for e in range(c, k + 1):
                    work[d, e] -= part * work[c, e]
    for c in range(k - 1, -1, -1):
        if passive[c]:
            total = work[c, k]
            for d in range(c + 1, k):
                if passive[d]:
                    total -= work[c, d] * out[d]
            out[c] = total / work[c, c]
    return True


@njit(**OPTIONS)
def crossings(x, share, levels, at, number, first, last):
    """Find where the monotone spline through (x, share[b]) passes each level, as `profile.crossings`.

    Parameters
    ----------
    x : ndarray, shape (bins,)
        Rising.
    share : ndarray, shape (B, bins)
        NaN are left out.
    levels : ndarray, shape (levels,)
    at : ndarray, shape (B, levels)
        Filled with the place where there is exactly one, else NaN.
    number : ndarray of int64, shape (B, levels)
        Filled with how many there are; -1 where fewer than two bins can say.
    """
    u, y, slope = np.empty(len(x)), np.empty(len(x)), np.empty(len(x))
    for b in range(first, last):
        m = 0
        for i in range(len(x)):
            if np.isfinite(share[b, i]):
                u[m], y[m] = x[i], share[b, i]
                m += 1
        at[b] = np.nan
        number[b] = -1
        if m < 2:
            continue
        slopes(u, y, m, slope)
        for j in range(len(levels)):
            number[b, j] = 0
            before = -1
            for i in range(m):
                if y[i] == levels[j]:
                    continue
                if before >= 0 and (y[i] > levels[j]) != (y[before] > levels[j]):
                    number[b, j] += 1
                    at[b, j] = u[before + 1] if i > before + 1 else root(u, y, slope, before, levels[j])
                before = i
            if number[b, j] != 1:
                at[b, j] = np.nan


@njit(**OPTIONS)
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


@njit(**OPTIONS)
def end_slope(near, far, rise, further):
    """Return the three-point slope at an end, kept monotone."""
    one, two = rise / near, further / far
    d = ((2 * near + far) * one - near * two) / (near + far)
    if np.sign(d) != np.sign(one):
        return 0.0
    if np.sign(one) != np.sign(two) and abs(d) > 3 * abs(one):
        return 3 * one
    return d


@njit(**OPTIONS)
def root(x, y, slope, i, level):
    """Return where the cubic between x[i] and x[i + 1], monotone and on both sides of the level, passes it."""
    width = x[i + 1] - x[i]
    low, high = 0.0, 1.0
    rising = y[i] < level
    for _ in range(60):  # halving until nothing is left of the interval
        t = 0.5 * (low + high)
        s = 1 - t
        value = (
            s * s * (1 + 2 * t) * y[i]
            + t * t * (3 - 2 * t) * y[i + 1]
            + width * s * t * (s * slope[i] - t * slope[i + 1])
        )
        if (value < level) == rising:
            low = t
        else:
            high = t
    return x[i] + 0.5 * (low + high) * width


@njit(**OPTIONS)
def boundaries(E, share, level, at, number, status, first, last):
    """Find where the share first falls below the level, coming from high E, as `boundary.boundary` in each column.

    Parameters
    ----------
    E : ndarray, shape (bins,)
        Rising.
    share : ndarray, shape (B, columns, bins)
        NaN are left out.
    level : float
    at : ndarray, shape (B, columns)
        Filled; NaN where it does not.
    number : ndarray of int64, shape (B, columns)
        Filled with how often the share passes the level.
    status : ndarray of int64, shape (B, columns)
        Filled with an index into `boundary.STATUSES`.
    """
    for b in range(first, last):
        for column in range(share.shape[1]):
            y = share[b, column]
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


@njit(**OPTIONS)
def percentiles(H, pixels, shown, edges, p, out, first, last):
    """Write quantiles of every abundance in every component to out (B, variables, k, len(p)), as `tracks.percentiles`.

    Parameters
    ----------
    H : ndarray, shape (B, k, images * pixels * pixels)
    pixels : int
    shown : ndarray of int64, shape (variables, images)
        1 where an image's x axis shows the variable, 2 where its y axis does, else 0.
    edges : ndarray, shape (variables, pixels + 1)
    p : ndarray
        In [0, 1].
    """
    total, one = np.empty(pixels), np.empty(pixels)
    cumulative = np.empty(pixels + 1)
    for b in range(first, last):
        for c in range(H.shape[1]):
            for v in range(len(shown)):
                total[:] = 0.0
                for image in range(shown.shape[1]):
                    if shown[v, image] == 0:
                        continue
                    one[:] = 0.0
                    at = image * pixels * pixels
                    for y in range(pixels):
                        for x in range(pixels):
                            one[x if shown[v, image] == 1 else y] += H[b, c, at + y * pixels + x]
                    mass = one.sum()
                    total += one / mass if mass > 0 else one
                filled = accumulate(total, cumulative)
                for j in range(len(p)):
                    out[b, v, c, j] = quantile(edges[v], cumulative, p[j]) if filled else np.nan


@njit(**OPTIONS)
def accumulate(weight, cumulative):
    """Write the cumulative shares of a histogram; False where it is empty."""
    total = weight.sum()
    if not total > 0:
        return False
    running = 0.0
    cumulative[0] = 0.0
    for i in range(len(weight)):
        running += weight[i]
        cumulative[i + 1] = running / total
    return True


@njit(**OPTIONS)
def quantile(edges, cumulative, p):
    """Return the p-quantile of a filled histogram, as `tracks.quantile`."""
    found = 0
    for i in range(len(edges) - 1):
        if cumulative[i + 1] > cumulative[i]:
            found = i
            if cumulative[i + 1] >= p:
                break
    share = min((p - cumulative[found]) / (cumulative[found + 1] - cumulative[found]), 1.0)
    return edges[found] + share * (edges[found + 1] - edges[found])


@njit(**OPTIONS)
def tracks(H, pixels, edges, min_share, median, deviation, first, last):
    """Write median tracks and their deviations, both (B, k, images, pixels), as `tracks.track`; NaN where little is.

    Parameters
    ----------
    H : ndarray, shape (B, k, images * pixels * pixels)
    pixels : int
    edges : ndarray, shape (images, pixels + 1)
        Of each image's y axis.
    min_share : float
        Columns with a smaller share of the image are left out.
    """
    weight, cumulative = np.empty((pixels, pixels)), np.empty(pixels + 1)
    for b in range(first, last):
        for c in range(H.shape[1]):
            for image in range(len(edges)):
                at, total = image * pixels * pixels, 0.0
                for y in range(pixels):
                    for x in range(pixels):
                        weight[x, y] = H[b, c, at + y * pixels + x]
                        total += weight[x, y]
                for x in range(pixels):
                    mass = weight[x].sum()
                    median[b, c, image, x] = deviation[b, c, image, x] = np.nan
                    if mass > 0 and mass / total >= min_share:
                        accumulate(weight[x], cumulative)
                        middle = quantile(edges[image], cumulative, 0.5)
                        median[b, c, image, x] = middle
                        deviation[b, c, image, x] = spread(edges[image], cumulative, middle)


@njit(**OPTIONS)
def spread(edges, cumulative, middle):
    """Return the distance from `middle` within which half of a histogram lies: its knots are the distances of edges."""
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
        inside = share_below(edges, cumulative, middle + distance) - share_below(edges, cumulative, middle - distance)
        if inside >= 0.5:
            return before + (0.5 - held) / (inside - held) * (distance - before)
        before, held = distance, inside
        if left <= distance:
            below -= 1
        if right <= distance:
            above += 1
    return before


@njit(**OPTIONS)
def share_below(edges, cumulative, x):
    """Return the cumulative share at x, linear between edges."""
    last = len(edges) - 1
    if x <= edges[0]:
        return cumulative[0]
    if x >= edges[last]:
        return cumulative[last]
    i = np.searchsorted(edges, x, side="right") - 1
    return cumulative[i] + (x - edges[i]) / (edges[i + 1] - edges[i]) * (cumulative[i + 1] - cumulative[i])
