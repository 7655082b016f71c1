"""Sweeps over one factor, and Anderson's extrapolation, compiled for one matrix: calls of NumPy take longer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .compiling import can_keep

# Sums may be taken in any order, so that they are made of vectors.
OPTIONS: dict[str, Any] = {
    "cache": can_keep(), "nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"},
}  # fmt: skip
# Columns that are swept together, within the cache, and components that are subtracted at once.
BLOCK, GROUP = 64, 4


@njit(**OPTIONS)
def sweep(target, gram, begin, sweeps):
    """Return what `alternating.halfsteps.sweeps_of` does: the factor after so many sweeps over its rows.

    Parameters
    ----------
    target, begin : ndarray of float64, shape (k, p)
    gram : ndarray of float64, shape (k, k)
    sweeps : int
    """
    k, p = begin.shape
    groups = (k + GROUP - 1) // GROUP
    # What each component takes from the others' rows; of those that only fill a group nothing.
    slope = np.zeros((k, groups * GROUP))
    for j in range(k):
        if gram[j, j] > 0:
            for i in range(k):
                if i != j:
                    slope[j, i] = -gram[j, i] / gram[j, j]
    x, goal, row = np.zeros((groups * GROUP, BLOCK)), np.zeros((k, BLOCK)), np.zeros(BLOCK)
    factor = np.empty((k, p))
    for first in range(0, p, BLOCK):
        width = min(BLOCK, p - first)
        for j in range(k):
            size = 1.0 / gram[j, j] if gram[j, j] > 0 else 0.0
            for q in range(width):
                x[j, q], goal[j, q] = begin[j, first + q], target[j, first + q] * size
        for _ in range(sweeps):
            for j in range(k):
                # Where the other factor's component is zero this one has no effect, and stays as it is.
                if not gram[j, j] > 0:
                    continue
                for q in range(BLOCK):
                    row[q] = goal[j, q]
                for i in range(0, groups * GROUP, GROUP):
                    a, b, c, d = slope[j, i], slope[j, i + 1], slope[j, i + 2], slope[j, i + 3]
                    for q in range(BLOCK):
                        row[q] += a * x[i, q] + b * x[i + 1, q] + c * x[i + 2, q] + d * x[i + 3, q]
                for q in range(BLOCK):
                    x[j, q] = max(row[q], 0.0)
        for j in range(k):
            for q in range(width):
                factor[j, first + q] = x[j, q]
    return factor


@njit(**OPTIONS)
def extrapolate(made, moves, known, point, move, weight, ridge, tiny):
    """Return where the last steps lead to, as `alternating.memory.Memory.extrapolate` does.

    Parameters
    ----------
    made, moves : ndarray of float64, shape (depth, k m)
        What the iteration made of earlier points, and how far it moved them.
    known : int
        How many of them there are, at least 1.
    point, move : ndarray of float64, shape (k, m)
        The same of the last point.
    weight : ndarray of float64, shape (k, 1)
    ridge, tiny : float
        By what fraction, and by how much, the diagonal of the normal equations grows.
    """
    k, m = point.shape
    changes, normal, right = np.empty((known, m)), np.zeros((known, known)), np.zeros(known)
    for c in range(k):
        by = weight[c, 0] * weight[c, 0]
        for i in range(known):
            for q in range(m):
                changes[i, q] = move[c, q] - moves[i, c * m + q]
        for i in range(known):
            total = 0.0
            for q in range(m):
                total += changes[i, q] * move[c, q]
            right[i] += by * total
            for j in range(i + 1):
                total = 0.0
                for q in range(m):
                    total += changes[i, q] * changes[j, q]
                normal[i, j] += by * total
    solve(normal, right, ridge, tiny)
    rest = 1.0
    for i in range(known):
        rest -= right[i]
    ahead = np.empty((k, m))
    for c in range(k):
        for q in range(m):
            ahead[c, q] = rest * point[c, q]
        for i in range(known):
            by = right[i]
            for q in range(m):
                ahead[c, q] += by * made[i, c * m + q]
        for q in range(m):
            ahead[c, q] = max(ahead[c, q], 0.0)
    return ahead


@njit(**OPTIONS)
def solve(normal, right, ridge, tiny):
    """Put the solution of normal equations in place of their right side, or zeros where there is none.

    Each unknown is first brought to a diagonal of one: early steps are often many times as long as the last ones.
    """
    n = len(right)
    size = np.empty(n)
    for i in range(n):
        size[i] = 1.0 / np.sqrt(normal[i, i] * (1.0 + ridge) + tiny)
        right[i] *= size[i]
    for i in range(n):
        for j in range(i):
            normal[i, j] *= size[i] * size[j]
        normal[i, i] = (normal[i, i] * (1.0 + ridge) + tiny) * size[i] * size[i]
    for i in range(n):
        for j in range(i + 1):
            total = normal[i, j]
            for q in range(j):
                total -= normal[i, q] * normal[j, q]
            if j < i:
                normal[i, j] = total / normal[j, j]
            elif total > 0:
                normal[i, i] = np.sqrt(total)
            else:
                right[:] = 0.0
                return
    for i in range(n):
        for q in range(i):
            right[i] -= normal[i, q] * right[q]
        right[i] /= normal[i, i]
    for i in range(n - 1, -1, -1):
        for q in range(i + 1, n):
            right[i] -= normal[q, i] * right[q]
        right[i] /= normal[i, i]
    for i in range(n):
        right[i] *= size[i]
