"""Least squares for one factor with the other one given: exactly for two components, else by sweeps over its rows."""

from __future__ import annotations

import numpy as np

# Components whose Gram matrix is singular to this many units of rounding are as good as parallel.
PARALLEL = 16 * float(np.finfo(np.float64).eps)

# Rows of at most so many entries.
FEW = 1024


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
    """Return the exact minimum for two components of products that are not negative: one of three closed forms.

    Either both entries are positive, or one of them is the better the more alone it stands. With data and factors that
    are not negative no entry is best without either.

    References
    ----------
    Gillis, Kuang & Park (2015), IEEE Transactions on Geoscience and Remote Sensing 53, 2066.
    """
    (a, b), (_, c) = gram.tolist()
    determinant = a * c - b * b
    if not determinant > PARALLEL * a * c:
        return _parallel(target, a, c, factor)
    out = np.empty(target.shape)
    x, y = out
    np.dot(np.array([-b / determinant, a / determinant]), target, out=y)
    np.maximum(y, 0.0, out=y)
    # With this y, or none, the best x; with that the best y, which is the same one unless there is no x.
    for one, other, mine, size in ((x, y, target[0], a), (y, x, target[1], c)):
        np.multiply(other, -b / size, out=one)
        np.add(one, mine * (1.0 / size), out=one)
        np.maximum(one, 0.0, out=one)
    return out


def _parallel(target: np.ndarray, a: float, c: float, factor: np.ndarray) -> np.ndarray:
    # One of two components that are as good as parallel serves as well as both; of an empty one the factor stays.
    out = factor.copy()
    if a > 0:
        out[0] = target[0] / a
    if c > 0:
        out[1] = target[1] / c
    if a > 0 and c > 0:
        # Which of two equals it is must not be for rounding to say anew in every iteration.
        first = target[0] * out[0] >= (1 - PARALLEL) * (target[1] * out[1])
        out[0] *= first
        out[1] *= ~first
    return out
