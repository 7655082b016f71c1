"""Leading eigenvectors of many small symmetric matrices, compiled: calls of LAPACK take longer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .tiles import ALLOCATING, INNER

EPS = float(np.finfo(np.float64).eps)
# More sweeps than any eigenvalue has been seen to need.
SWEEPS = 60


@njit(**INNER)
def reduce(A, p, diagonal, beside, per):
    """Make A (m, m) tridiagonal by reflections, whose vectors are left in its rows right of the diagonal."""
    m = len(A)
    for j in range(m - 2):
        row, total = A[j], 0.0
        for i in range(j + 1, m):
            total += row[i] * row[i]
        beside[j], per[j] = 0.0, 0.0
        if total > 0:
            beside[j] = -np.copysign(np.sqrt(total), row[j + 1])
            per[j] = 1.0 / (total - beside[j] * row[j + 1])
            row[j + 1] -= beside[j]
            for i in range(j + 1, m):
                p[i] = 0.0
            for i in range(j + 1, m):
                by = per[j] * row[i]
                for q in range(j + 1, m):
                    p[q] += by * A[i, q]
            along = 0.0
            for i in range(j + 1, m):
                along += row[i] * p[i]
            along *= 0.5 * per[j]
            for i in range(j + 1, m):
                p[i] -= along * row[i]
            for i in range(j + 1, m):
                x, y = row[i], p[i]
                for q in range(j + 1, m):
                    A[i, q] -= x * p[q] + y * row[q]
        diagonal[j] = A[j, j]
    if m > 1:
        diagonal[m - 2], beside[m - 2] = A[m - 2, m - 2], A[m - 2, m - 1]
    diagonal[m - 1], beside[m - 1] = A[m - 1, m - 1], 0.0


@njit(**INNER)
def turn(diagonal, beside, Z, first, last):
    """Do one sweep of the implicit QL method from `last` up to `first`, and turn the rows of Z with it."""
    half = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first])
    shift = beside[first] / (half + np.copysign(np.sqrt(half * half + 1.0), half))
    g, s, c, taken = diagonal[last] - diagonal[first] + shift, 1.0, 1.0, 0.0
    for i in range(last - 1, first - 1, -1):
        f, b = s * beside[i], c * beside[i]
        size = np.sqrt(f * f + g * g)
        beside[i + 1] = size
        if size == 0:
            diagonal[i + 1] -= taken
            beside[last] = 0.0
            return
        s, c = f / size, g / size
        g = diagonal[i + 1] - taken
        size = (diagonal[i] - g) * s + 2.0 * c * b
        taken = s * size
        diagonal[i + 1] = g + taken
        g = c * size - b
        upper, lower = Z[i], Z[i + 1]
        for q in range(len(Z)):
            x, y = upper[q], lower[q]
            upper[q], lower[q] = c * x - s * y, s * x + c * y
    diagonal[first] -= taken
    beside[first], beside[last] = g, 0.0


@njit(**INNER)
def diagonalise(diagonal, beside, Z):
    """Make a tridiagonal matrix diagonal, and Z (m, m), the identity, its eigenvectors in rows."""
    m = len(Z)
    for first in range(m):
        for _ in range(SWEEPS):
            last = first
            while last < m - 1 and abs(beside[last]) > EPS * (abs(diagonal[last]) + abs(diagonal[last + 1])):
                last += 1
            if last == first:
                break
            turn(diagonal, beside, Z, first, last)


@njit(**ALLOCATING)
def leading(squares, first, last, values, vectors):
    """Write the largest eigenvalues (B, k), falling, and eigenvectors (B, k, m) of squares (B, m, m), which are lost.

    Of the matrices first to last - 1.

    References
    ----------
    Dubrulle, Martin & Wilkinson (1968), Numerische Mathematik 12, 377 (the implicit QL method).
    """
    m, k = squares.shape[1], values.shape[1]
    room, Z = np.zeros((4, m)), np.zeros((m, m))
    p, diagonal, beside, per = room[0], room[1], room[2], room[3]
    for b in range(first, last):
        A = squares[b]
        reduce(A, p, diagonal, beside, per)
        Z[:] = 0.0
        for i in range(m):
            Z[i, i] = 1.0
        diagonalise(diagonal, beside, Z)
        for c in range(k):
            top = np.argmax(diagonal)
            values[b, c], diagonal[top] = diagonal[top], -np.inf
            out = vectors[b, c]
            for i in range(m):
                out[i] = Z[top, i]
            for j in range(m - 3, -1, -1):
                row, along = A[j], 0.0
                for i in range(j + 1, m):
                    along += row[i] * out[i]
                along *= per[j]
                for i in range(j + 1, m):
                    out[i] -= along * row[i]


def leading_vectors(squares: Any, k: int, share: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what `leading` writes; `share(work, B)` calls work(first, last) for all B matrices."""
    B, m, _ = squares.shape
    values, vectors = np.zeros((B, k)), np.zeros((B, k, m))
    share(lambda first, last: leading(squares, first, last, values, vectors), B)
    return values, vectors
