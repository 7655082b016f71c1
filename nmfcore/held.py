"""Weights under given components: every sample alone, from the part of its data that enters the problem."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse

from .losses import FLOOR
from .problem import Penalty
from .rules.newton import KEPT, NEGLIGIBLE
from .stopping import EVERY, MASS_ROUNDING, ROUNDING, SLOWEST, Status, Stop

# Samples are worked on together as long as they hold at most this many entries: all of a dense matrix's, or the
# cells of a sparse one.
ENTRIES = 2**22


def weights(X: Any, H: np.ndarray, beta: float, penalty: Penalty, stop: Stop) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights W that minimise the divergence of X from W H, and how each sample ended.

    H being held, X enters least squares by X H^T alone, one number per sample and component, and Kullback-Leibler by
    the cells that are not zero: nothing is made dense. The rules are those of `HALS` and `NewtonKL`, the test for
    convergence that of `Stop`, sample by sample as if each were a problem of its own; so `alpha_W` counts n times, and
    `alpha_H` means nothing. In float64 whatever X is, so that no scale is extreme.

    Parameters
    ----------
    X : ndarray or csr matrix, shape (m, n)
        Non-negative data.
    H : ndarray, shape (k, n)
        Components.
    beta : {1, 2}
        Kullback-Leibler or least squares.
    penalty : Penalty
        On W.
    stop : Stop
        The test; its criterion must be "change".

    Returns
    -------
    W : ndarray of float64, shape (m, k)
    status : ndarray of int, shape (m,)
        A `Status` each.
    """
    held = H.astype(np.float64)
    # As the engine does it: each component at unit sum, the weights inversely.
    size = held.sum(axis=1)
    size[size == 0] = 1.0
    unit = held / size[:, None]
    l1, l2, _, _ = penalty.coefficients(1, H.shape[1])
    kind: Any = LeastSquares if beta == 2 else KullbackLeibler
    filled = X.nnz / X.shape[0] if scipy.sparse.issparse(X) else X.shape[1]
    step = max(1, int(ENTRIES / max(1, filled)))
    parts = []
    for first in range(0, X.shape[0], step):
        samples = kind.of(X[first : first + step].astype(np.float64), unit, l1 / size, l2 / size**2)
        W, status = _descend(samples, stop)
        parts.append((W * samples.scale, status))
    W, status = (np.concatenate(x) for x in zip(*parts, strict=True))
    return W / size, status


@dataclass(frozen=True)
class LeastSquares:
    """Samples by their products with H; the gradient by W is W gram - target."""

    target: np.ndarray  # (m, k)
    gram: np.ndarray  # (k, k)
    l1: np.ndarray  # (k,)
    scale = 1.0

    @classmethod
    def of(cls, X: Any, H: np.ndarray, l1: np.ndarray, l2: np.ndarray) -> LeastSquares:
        """Return the samples of X."""
        return cls(X @ H.T - l1, H @ H.T + np.diag(l2), l1)

    def start(self) -> np.ndarray:
        """Return weights that are alike, none of them zero where there are data and a component; shape (m, k)."""
        curvature = self.gram.diagonal()
        alone = np.where(curvature > 0, self.target + self.l1, 0.0) / np.where(curvature > 0, curvature, 1.0)
        return alone.max(axis=1, keepdims=True) * (curvature > 0) / len(curvature)

    def sweep(self, W: np.ndarray) -> np.ndarray:
        """Return the weights after each in turn was set to its minimum."""
        W = W.copy()
        for c, curvature in enumerate(self.gram.diagonal()):
            if curvature > 0:
                step = (self.target[:, c] - W @ self.gram[c]) / curvature
                W[:, c] = np.maximum(W[:, c] + step, 0.0)
        return W

    def halves(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the negative and the positive half of the gradient; shape (m, k) each."""
        return self.target + self.l1, W @ self.gram + self.l1

    def select(self, rows: np.ndarray) -> LeastSquares:
        """Keep the samples `rows`, a mask."""
        return replace(self, target=self.target[rows])


@dataclass(frozen=True)
class KullbackLeibler:
    """Samples by their cells that are not zero, each divided by its sum: no quotient is then extreme."""

    X: Any  # csr, (m, n)
    H: np.ndarray  # (k, n)
    l1: np.ndarray  # (k,)
    l2: np.ndarray  # (m, k)
    scale: np.ndarray  # (m, 1)

    @classmethod
    def of(cls, X: Any, H: np.ndarray, l1: np.ndarray, l2: np.ndarray) -> KullbackLeibler:
        """Return the samples of X."""
        X = scipy.sparse.csr_array(X)
        scale = np.asarray(X.sum(axis=1)).reshape(-1, 1)
        scale[scale == 0] = 1.0
        cells = X.data / np.repeat(scale[:, 0], np.diff(X.indptr))
        return cls(scipy.sparse.csr_array((cells, X.indices, X.indptr), X.shape), H, l1, l2 * scale, scale)

    def start(self) -> np.ndarray:
        """Return weights that are alike and have the sum of the data; shape (m, k)."""
        return (self.X.sum(axis=1) > 0)[:, None] * self.H.any(axis=1) / len(self.H)

    def sweep(self, W: np.ndarray) -> np.ndarray:
        """Return the weights after a Newton step for each in turn; see `rules.newton.newton_step`."""
        W, cells, sums = W.copy(), self.X.data, self.H.sum(axis=1)
        row = np.repeat(np.arange(len(W)), np.diff(self.X.indptr))
        Y = self._reconstruction(W, row)
        for c, h in enumerate(self.H[:, self.X.indices]):
            ahead = h / np.maximum(Y, FLOOR)
            pull = np.bincount(row, cells * ahead, len(W))
            curvature = np.bincount(row, cells * ahead**2, len(W)) + self.l2[:, c]
            old = W[:, c]
            slope = sums[c] + self.l1[c] + self.l2[:, c] * old - pull
            kept = np.where(old > NEGLIGIBLE * W.max(axis=1), KEPT * old, 0.0)
            moved = np.maximum(old - slope / np.where(curvature > 0, curvature, 1.0), kept)
            new = np.where(curvature > 0, moved, np.where(slope > 0, kept, old))
            Y += h * (new - old)[row]
            W[:, c] = new
        return W

    def halves(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the negative and the positive half of the gradient; shape (m, k) each."""
        row = np.repeat(np.arange(len(W)), np.diff(self.X.indptr))
        quotient = self.X.data / np.maximum(self._reconstruction(W, row), FLOOR)
        negative = scipy.sparse.csr_array((quotient, self.X.indices, self.X.indptr), self.X.shape) @ self.H.T
        return negative, self.H.sum(axis=1) + self.l1 + self.l2 * W

    def select(self, rows: np.ndarray) -> KullbackLeibler:
        """Keep the samples `rows`, a mask."""
        return replace(self, X=self.X[rows], l2=self.l2[rows], scale=self.scale[rows])

    def _reconstruction(self, W: np.ndarray, row: np.ndarray) -> np.ndarray:
        # In the cells alone, one component after the other.
        Y = np.zeros(len(row))
        for c, h in enumerate(self.H):
            Y += W[row, c] * h[self.X.indices]
        return Y


def _descend(samples: LeastSquares | KullbackLeibler, stop: Stop) -> tuple[np.ndarray, np.ndarray]:
    # Samples that are done are left out of the sweeps that follow. See `stopping.Change` for the test.
    now = samples.start()
    W, status = now.copy(), np.full(len(now), int(Status.MAX_ITER))
    rows, previous, change = np.arange(len(now)), now, np.full(len(now), np.inf)
    every, eps = stop.every or EVERY, np.finfo(np.float64).eps
    for n_iter in range(1, stop.max_iter + 1):
        now = samples.sweep(now)
        check = n_iter % every == 0
        if not (check or n_iter == stop.max_iter):
            continue
        size = now.max(axis=1)
        step = np.abs(now - previous).max(axis=1) / np.where(size > 0, size, 1.0)
        ratio = np.minimum(step / np.where(change > 0, change, 1.0), SLOWEST)
        ahead = np.where(step <= ROUNDING * eps, 0.0, step / (1.0 - ratio))
        negative, positive = samples.halves(now)
        wanted = np.where(negative > positive, 1.0 - positive / np.where(negative > 0, negative, 1.0), 0.0)
        settled = (ahead <= stop.tol) & (wanted.max(axis=1) <= max(stop.tol, MASS_ROUNDING * eps))
        finite = np.isfinite(now.sum(axis=1))
        W[rows] = now
        status[rows[~finite]] = int(Status.NON_FINITE)
        if check and stop.tol > 0:
            status[rows[settled & finite]] = int(Status.CONVERGED)
        left = status[rows] == Status.MAX_ITER
        if not left.any():
            break
        if not left.all():
            samples, rows, now, step = samples.select(left), rows[left], now[left], step[left]
        previous, change = now, step
    return W, status
