"""Held components in the bins of every product by the Kullback-Leibler divergence, in many replicates: compiled.

With H held, each bin by itself asks for k numbers: min over w >= 0 of sum_c w_c - sum_j v_j log(sum_c w_c h_cj), h at
unit sum. It is convex, and Newton's method needs some six passes over the bin's stars; V itself is not needed. The
engine's answer, `apply.held_weights`, is what tests hold these loops to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..products.compiling import OPTIONS
from .held import solve

# Passes over a bin's stars at most; steps are halved where the slope along them has turned by more than this part.
PASSES, TURNED = 60, 0.9
# Steps of expectation-maximisation first: Newton's from far away leave the range where the curvature holds.
FIRST = 3
# Squared Newton decrement, per count, at which a bin is done; least slope at which a weight of zero may grow.
DONE, GROWS = 1e-18, 1e-9
# Part of the bin's counts below which a weight is called zero.
NOTHING = 1e-12


class BinnedCells(NamedTuple):
    """The pixels that the stars of each bin fall into, bins of all binnings numbered through; int64."""

    stars: Any  # stars in the order of the bins
    bins: Any  # where each bin begins in them, (bins + 1,)
    owners: Any  # stars in the order of the bins' pixels, one for each image
    cells: Any  # where each pixel begins in them, (pixels of bins + 1,)
    columns: Any  # column of H of each pixel
    first: Any  # the first pixel of each bin, (bins + 1,)


def binned_cells(places: np.ndarray, columns: np.ndarray, bins: int, n: int) -> BinnedCells:
    """Return the pixels of every bin.

    Parameters
    ----------
    places : ndarray of int, shape (N, binnings)
        Each star's bin in every binning, numbered through; -1 outside.
    columns : ndarray of int, shape (N, images)
        Columns of H of each star's pixels, -1 outside.
    bins, n : int
        Bins of all binnings, and columns of H.
    """
    star, binning = np.nonzero(places >= 0)
    place = places[star, binning].astype(np.int64)
    order = np.argsort(place, kind="stable")
    each = np.arange(bins + 1)
    owner = np.repeat(star, columns.shape[1])
    key = (place[:, None] * n + columns[star]).ravel()
    inside = columns[star].ravel() >= 0
    owner, key = owner[inside], key[inside]
    by_key = np.argsort(key, kind="stable")
    found, begin = np.unique(key[by_key], return_index=True)
    cells = np.append(begin, len(key))
    return BinnedCells(
        star[order], np.searchsorted(place[order], each), owner[by_key], cells, found % n,
        np.searchsorted(found // n, each),
    )  # fmt: skip


@njit(**OPTIONS)
def divergence_weights(weights, each, binned, H, W, numbers, first, last):
    """Find held components in stars binned otherwise, by the divergence: W (B, bins, k), and how many stars each has.

    Parameters
    ----------
    weights : ndarray of uint8, shape (B, N)
        How often each star is in each replicate.
    each : ndarray of float64, shape (N,)
        For how many each star counts.
    binned : BinnedCells
        The bins' pixels.
    H : ndarray, shape (B, k, n)
        Rows at unit sum.
    W : ndarray of float64, shape (B, bins, k)
        Filled.
    numbers : ndarray of int64, shape (B, bins)
        Filled.
    """
    k = H.shape[1]
    longest = 1
    for i in range(len(binned.first) - 1):
        longest = max(longest, binned.first[i + 1] - binned.first[i])
    v, h = np.empty(longest), np.empty((longest, k))
    slope, curve, step, work = np.empty(k), np.empty((k, k)), np.empty(k), np.empty((k, k + 1))
    free, trial, goal = np.empty(k, np.bool_), np.empty(k), np.empty(k)
    for b in range(first, last):
        for i in range(len(binned.first) - 1):
            number = 0
            for p in range(binned.bins[i], binned.bins[i + 1]):
                number += weights[b, binned.stars[p]]
            numbers[b, i] = number
            W[b, i] = 0.0
            cells = 0
            for q in range(binned.first[i], binned.first[i + 1]):
                counted = 0.0
                for p in range(binned.cells[q], binned.cells[q + 1]):
                    counted += weights[b, binned.owners[p]] * each[binned.owners[p]]
                if counted == 0:
                    continue
                size = 0.0
                for c in range(k):
                    h[cells, c] = H[b, c, binned.columns[q]]
                    size += h[cells, c]
                if size > 0:  # where no component is, none explains the star
                    v[cells] = counted
                    cells += 1
            if cells > 0:
                one_bin(v, h, cells, W[b, i], slope, curve, step, work, free, trial, goal)


@njit(**OPTIONS)
def one_bin(v, h, cells, w, slope, curve, step, work, free, trial, goal):
    """Write to w (k,) the weights of one bin: of counts v in cells whose components are h (cells, k)."""
    k, total = len(w), 0.0
    for j in range(cells):
        total += v[j]
    w[:] = total / k
    for _ in range(FIRST):
        slopes(v, h, cells, w, slope, curve, False)
        for c in range(k):
            w[c] *= 1.0 - slope[c]
    slopes(v, h, cells, w, slope, curve, True)
    for _ in range(PASSES):
        for c in range(k):
            if w[c] <= NOTHING * total:
                w[c] = 0.0
            free[c] = w[c] > 0 or slope[c] < -GROWS
            goal[c] = -slope[c]
        # A component that others replace in every cell has no curvature of its own: it stays as it is.
        for c in range(k):
            if free[c] and curve[c, c] <= 0:
                free[c] = False
        settled = False
        while not settled:
            settled = solve(curve, goal, free, step, work)
            if not settled:  # of components that depend on each other the smallest waits
                worst = -1
                for c in range(k):
                    if free[c] and (worst < 0 or w[c] < w[worst]):
                        worst = c
                free[worst] = False
            else:
                for c in range(k):
                    if w[c] == 0 and step[c] < 0:
                        free[c], settled = False, False
        decrement = 0.0
        for c in range(k):
            decrement -= slope[c] * step[c]
        if decrement <= DONE * total:
            return
        length = 1.0
        for c in range(k):
            if step[c] < 0 and w[c] + length * step[c] < 0:
                length = w[c] / -step[c]
        before = -decrement
        for _halving in range(30):
            for c in range(k):
                trial[c] = max(w[c] + length * step[c], 0.0)
            positive = slopes(v, h, cells, trial, slope, curve, True)
            along = 0.0
            for c in range(k):
                along += slope[c] * step[c]
            if positive and along <= -TURNED * before:
                break
            length *= 0.5
        w[:] = trial


@njit(**OPTIONS)
def slopes(v, h, cells, w, slope, curve, curved):
    """Write the slope of a bin's divergence by w and, if asked for, its curvature; False where a cell is left empty."""
    k = len(w)
    slope[:] = 1.0
    curve[:] = 0.0
    for j in range(cells):
        y = 0.0
        for c in range(k):
            y += w[c] * h[j, c]
        if y <= 0:
            return False
        ratio = v[j] / y
        for c in range(k):
            slope[c] -= ratio * h[j, c]
        if curved:
            second = ratio / y
            for c in range(k):
                for d in range(c + 1):
                    curve[c, d] += second * h[j, c] * h[j, d]
    for c in range(k):
        for d in range(c):
            curve[d, c] = curve[c, d]
    return True
