"""Least squares for one factor with the other one given: exactly for two components, else by sweeps over its rows."""

from __future__ import annotations

import numpy as np

# Components whose Gram matrix is singular to this many units of rounding are as good as parallel.
PARALLEL = 16 * float(np.finfo(np.float64).eps)

# Rows of at most so many entries.
FEW = 256


def fit(target: np.ndarray, gram: np.ndarray, factor: np.ndarray, sweeps: int) -> np.ndarray:
    """Return the factor that fits best, or a better one.

    Parameters
    ----------
    target, factor : ndarray, shape (k, p)
        Products of the other factor with V, and where sweeps begin.
    gram : ndarray, shape (k, k)
        Products of the other factor's components with each other.
    sweeps : int
        How often each row is set to its minimum in turn; two rows are solved at once, and for good.
    """
    return pairs(target, gram, factor) if len(gram) == 2 else sweeps_of(target, gram, factor, sweeps)


def sweeps_of(target: np.ndarray, gram: np.ndarray, begin: np.ndarray, sweeps: int) -> np.ndarray:
    """Return the factor after so many sweeps, in each of which every row is set to its minimum, the others held."""
    k, p = begin.shape
    size = gram.diagonal()
    alive = range(k)
    if size.min() <= 0.0:
        # Where the other factor's component is zero this one has no effect, and stays as it is.
        alive = [j for j in alive if size[j] > 0]  # type: ignore[assignment]
        size = np.where(size > 0, size, 1.0)
    slope = gram / -size[:, None]
    slope.flat[:: k + 1] = 0.0
    # With each row's goal beneath the factor one product makes its minimum: few entries cost calls, not arithmetic.
    joined = p <= FEW
    both = np.empty((2 * k if joined else k, p))
    factor, goal = both[:k], both[k:] if joined else np.empty((k, p))
    factor[:] = begin
    np.divide(target, size[:, None], out=goal)
    if joined:
        weights = np.zeros((k, 2 * k))
        weights[:, :k], weights.flat[k :: 2 * k + 1] = slope, 1.0
        for j in [*alive] * sweeps:
            np.maximum(np.dot(weights[j], both), 0.0, out=factor[j])
        return factor
    row = np.empty(p)
    for j in [*alive] * sweeps:
        np.dot(slope[j], factor, out=row)
        np.add(row, goal[j], out=row)
        np.maximum(row, 0.0, out=factor[j])
    return factor


def pairs(target: np.ndarray, gram: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return the exact minimum for two components: every pair is one of four closed forms.

    References
    ----------
    Gillis, Kuang & Park (2015), IEEE Transactions on Geoscience and Remote Sensing 53, 2066.
    """
    (a, b), (_, c) = gram.tolist()
    x, y = target
    determinant = a * c - b * b
    out = np.empty_like(target)
    if determinant > PARALLEL * a * c:
        np.multiply(x, c, out=out[0])
        np.multiply(y, a, out=out[1])
        out -= b * target[::-1]
        out /= determinant
        bad = np.flatnonzero(out.min(axis=0) <= 0.0)
    else:
        bad = np.arange(target.shape[1])
    if len(bad):
        u, v = np.maximum(x[bad], 0.0), np.maximum(y[bad], 0.0)
        first = u * u * c >= v * v * a if a > 0 and c > 0 else np.full(len(bad), a > 0)
        out[0, bad] = np.where(first, u / a, 0.0) if a > 0 else factor[0, bad]
        out[1, bad] = np.where(first, 0.0, v / c) if c > 0 else factor[1, bad]
    return out
