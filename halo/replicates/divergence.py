"""Held components in the bins of every product by the Kullback-Leibler divergence, in many replicates: compiled.

With H held, each bin by itself asks for k numbers: min over w >= 0 of sum_c w_c - sum_j v_j log(sum_c w_c h_cj), h at
unit sum. It is convex, and Newton's method needs some six passes over the bin's stars; V itself is not needed. The
engine's answer, `apply.held_weights`, is what tests hold these loops to.
"""

from __future__ import annotations

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
# Part of the way to zero that a weight goes at most in one step, and of the bin's counts below which it is called zero.
NEARLY, NOTHING = 0.99, 1e-12


@njit(**OPTIONS)
def divergence_weights(weights, columns, bins, stars, H, W, numbers, first, last):
    """Find held components in stars binned otherwise, by the divergence: W (B, bins, k), and how many stars each has.

    Parameters
    ----------
    weights : ndarray of uint8, shape (B, N)
        How often each star is in each replicate.
    columns : ndarray of int32, shape (N, images)
        Columns of H of each star's pixels, -1 outside.
    bins : ndarray of int64, shape (bins + 1,)
        Where each bin's stars begin in `stars`.
    stars : ndarray of int64
        Stars of all bins of all binnings, one after the other.
    H : ndarray, shape (B, k, n)
        Rows at unit sum.
    W : ndarray of float64, shape (B, bins, k)
        Filled.
    numbers : ndarray of int64, shape (B, bins)
        Filled.
    """
    images, k, n = columns.shape[1], H.shape[1], H.shape[2]
    longest = 0
    for i in range(len(bins) - 1):
        longest = max(longest, bins[i + 1] - bins[i])
    v, h = np.empty(longest * images), np.empty((longest * images, k))
    pixels = np.empty((n, k))
    slope, curve, step, work = np.empty(k), np.empty((k, k)), np.empty(k), np.empty((k, k + 1))
    free, trial, goal = np.empty(k, np.bool_), np.empty(k), np.empty(k)
    for b in range(first, last):
        for c in range(k):
            for j in range(n):
                pixels[j, c] = H[b, c, j]
        for i in range(len(bins) - 1):
            cells, number, total = 0, 0, 0.0
            for p in range(bins[i], bins[i + 1]):
                star = stars[p]
                weight = weights[b, star]
                if weight == 0:
                    continue
                number += weight
                for image in range(images):
                    at = columns[star, image]
                    if at < 0:
                        continue
                    size = 0.0
                    for c in range(k):
                        size += pixels[at, c]
                    total += weight
                    if size > 0:  # where no component is, none explains the star
                        v[cells] = weight
                        for c in range(k):
                            h[cells, c] = pixels[at, c]
                        cells += 1
            numbers[b, i] = number
            W[b, i] = 0.0
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
        while not solve(curve, goal, free, step, work):
            worst = -1
            for c in range(k):
                if free[c] and (worst < 0 or w[c] < w[worst]):
                    worst = c
            free[worst] = False
        decrement = 0.0
        for c in range(k):
            decrement -= slope[c] * step[c]
        if decrement <= DONE * total:
            return
        length = 1.0
        for c in range(k):
            if step[c] < 0 and w[c] + length * step[c] < 0:
                # To zero where that is the end of the way, else nearly.
                length = w[c] / -step[c] * (1.0 if k > 1 else NEARLY)
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
