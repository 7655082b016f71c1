"""Held components in the bins of every product, in many replicates at once: loops over stars, compiled.

Weights of least squares need no V: each star adds its pixels' columns of H to its bins, and what is left to solve has k
unknowns. So thousands of replicates take as long as one call of the engine, whose answer, `apply.held_weights`, tests
hold these loops to. A replicate's numbers do not depend on what is computed with it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..products.compiling import OPTIONS

# Inner solves of a bin of k components end after so many changes of the set of positive ones.
CHANGES = 10
# A component whose part outside the span of others is below this part of it counts as one of theirs.
DEPENDENT = 1e-12


@njit(**OPTIONS)
def weights_of_many(weights, each, columns, places, H, W, numbers, first, last):
    """Find held components in stars binned anew, by least squares: W (B, bins, k), and how many stars each bin has.

    With H held, min ||V - W H||^2 over W >= 0 needs of V only V H^T, to which each star adds its pixels' columns of H:
    V itself is not needed.

    Parameters
    ----------
    weights : ndarray of uint8, shape (B, N)
        How often each star is in each replicate.
    each : ndarray of float64, shape (N,)
        For how many each star counts.
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
    passive, trial, work = np.zeros(k, np.bool_), np.zeros(k), np.empty((k, k + 1))
    goal = np.empty(k)
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
                one[c] *= weight * each[star]
            for binning in range(binnings):
                place = places[star, binning]
                if place >= 0:
                    number[place] += weight
                    for c in range(k):
                        sums[place, c] += one[c]
        for i in range(sums.shape[0]):
            nonnegative(gram, sums[i], goal, passive, trial, work)


@njit(**OPTIONS)
def count(weights, each, columns, places, numbers, n):
    """Return the counts V (bins, n) of one replicate in bins numbered through, and add up each bin's stars."""
    V = np.zeros((len(numbers), n))
    for star in range(len(columns)):
        for binning in range(places.shape[1]):
            place = places[star, binning]
            if place >= 0:
                numbers[place] += weights[star]
                for image in range(columns.shape[1]):
                    if columns[star, image] >= 0:
                        V[place, columns[star, image]] += weights[star] * each[star]
    return V


@njit(**OPTIONS)
def bin_sums(weights, each, rows, x, total, number):
    """Add up `each` (N,) times x, and `each`, over a bin's stars that have x, in every replicate; (B, bins), zeros."""
    for b in range(len(weights)):
        for star in range(len(rows)):
            if rows[star] >= 0 and np.isfinite(x[star]):
                total[b, rows[star]] += weights[b, star] * each[star] * x[star]
                number[b, rows[star]] += weights[b, star] * each[star]


@njit(**OPTIONS)
def nonnegative(gram, x, goal, passive, trial, work):
    """Replace x (k,) by the w >= 0 of least w G w / 2 - w x: Lawson & Hanson (1974) on the normal equations.

    Room to work in is the caller's: goal, passive and trial (k,), work (k, k + 1).
    """
    k = len(x)
    goal[:] = x
    x[:] = 0.0
    passive[:] = False
    trial[:] = 0.0
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
