"""One matrix as least squares need it: its products with either factor, in the way that suits its shape and filling."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np
import scipy.linalg
import scipy.sparse

from ..initialise import NNDSVD_FLOOR
from ..late import torch

# Products of more multiplications than this go to torch, which is the faster then; up to here it need not be loaded.
SMALL = 2**21
# Entries whose squares are summed at once.
FLAT = 2**13
# OpenBLAS takes up to four times as long for H V^T as for its transpose with more components and rows than these.
NARROW, TALL = 4, 192
# Of V V^T, whose columns cannot be shared out so.
SQUARED = 2**24
# Single precision is kept where V has more entries than this: smaller ones cost little in double precision, which
# spares the iterations that rounding would add.
SINGLE = 2**17
# A matrix is kept as its cells where they fill less than this fraction of the rows and columns that have any: a cell
# costs as much as so many entries of a dense product. Half of it in single precision.
SCATTERED = 0.06
# Up to this length of the short side the singular vectors come from the square of the matrix.
SQUARE = 192
# The squares' eigenvalues are squared singular values: below this ratio rounding hides the smaller ones.
GRAM_RANGE = 1e-4
# Steps of the block Krylov iteration for a start, and the most where it must be exact: then it ends at this residual,
# relative to the largest square.
STEPS, STEPS_PAIR, THOROUGH, ACCURATE = 4, 2, 40, 1e-9
# Entries that are compared with their reconstruction at once.
BLOCK = 2**18


class Matrix(Protocol):
    """V of shape (m, n), without empty rows and columns; factors have their components as rows."""

    shape: tuple[int, int]
    single: bool

    def down(self, W: np.ndarray) -> np.ndarray:
        """Return W V, shape (k, n), for W of shape (k, m)."""
        ...

    def across(self, H: np.ndarray) -> np.ndarray:
        """Return H V^T, shape (k, m), for H of shape (k, n)."""
        ...

    def square(self) -> np.ndarray:
        """Return V V^T, shape (m, m)."""
        ...

    @property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """The sums of the rows and of the columns."""
        ...

    @property
    def squared(self) -> float:
        """The sum of squares."""
        ...

    def distance(self, W: np.ndarray, H: np.ndarray) -> float:
        """Return the sum of (V - W^T H)^2, entry by entry in float64."""
        ...


class Full:
    """A dense V, and its sum of squares where that is known."""

    def __init__(self, V: np.ndarray, squared: float | None = None) -> None:
        self.V, self.shape = V, V.shape
        self.single = V.dtype == np.float32
        self._known = squared

    @cached_property
    def _tensor(self) -> torch.Tensor:
        return torch.from_numpy(self.V)

    def down(self, W: np.ndarray) -> np.ndarray:
        """Return W V."""
        W = W.astype(self.V.dtype, copy=False)
        product = W @ self.V if self._is_small(len(W)) else (_tensor(W) @ self._tensor).numpy()
        return product.astype(np.float64, copy=False)

    def across(self, H: np.ndarray) -> np.ndarray:
        """Return H V^T."""
        H = H.astype(self.V.dtype, copy=False)
        if not self._is_small(len(H)):
            # Its transpose is the faster product.
            return np.array((self._tensor @ _tensor(H).T).numpy().T, dtype=np.float64, order="C")
        if len(H) > NARROW and len(self.V) > TALL:
            return np.ascontiguousarray((self.V @ np.ascontiguousarray(H.T)).T, dtype=np.float64)
        return (H @ self.V.T).astype(np.float64, copy=False)

    def _is_small(self, k: int) -> bool:
        # Then NumPy makes the product, on one thread: see `Alternating.solve`.
        return k * self.V.size <= SMALL

    def square(self) -> np.ndarray:
        """Return V V^T."""
        if len(self.V) * self.V.size <= SQUARED:
            return (self.V @ self.V.T).astype(np.float64, copy=False)
        return (self._tensor @ self._tensor.T).numpy().astype(np.float64, copy=False)

    @cached_property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """The sums of the rows and of the columns."""
        # In the precision of V: that is enough for fractions of masses. Products with ones take the least time.
        if self._is_small(2):
            return self.across(np.ones((2, self.shape[1])))[0], self.down(np.ones((2, self.shape[0])))[0]
        by_row, by_column = self.V.sum(axis=1), self.V.sum(axis=0)
        return by_row.astype(np.float64, copy=False), by_column.astype(np.float64, copy=False)

    @cached_property
    def squared(self) -> float:
        """The sum of squares."""
        if self._known is not None:
            return self._known
        # In parts, which are short enough for one thread and for single precision.
        flat = self.V.ravel()
        parts = (flat[i : i + FLAT] for i in range(0, flat.size, FLAT))
        return sum(float(np.dot(part, part)) for part in parts)

    def distance(self, W: np.ndarray, H: np.ndarray) -> float:
        """Return the sum of (V - W^T H)^2, a few rows at a time."""
        total, rows = 0.0, max(1, BLOCK // self.shape[1])
        for i in range(0, len(self.V), rows):
            apart = W[:, i : i + rows].T @ H
            np.subtract(self.V[i : i + rows], apart, out=apart)
            total += float(np.vdot(apart, apart))
        return total


def _tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x))


class Scattered:
    """A sparse V and its transpose, so that either product runs along the memory."""

    def __init__(self, rows: Any, columns: Any) -> None:
        self.rows = rows
        self.shape = rows.shape
        self.single = rows.dtype == np.float32
        self._across, self._down = multiplier(rows), multiplier(columns)

    def down(self, W: np.ndarray) -> np.ndarray:
        """Return W V."""
        return self._product(self._down, W)

    def across(self, H: np.ndarray) -> np.ndarray:
        """Return H V^T."""
        return self._product(self._across, H)

    def square(self) -> np.ndarray:
        """Return V V^T."""
        rows = self.rows.astype(np.float64, copy=False)
        return (rows @ rows.T).toarray()

    @cached_property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """The sums of the rows and of the columns."""
        data = self.rows.data.astype(np.float64, copy=False)
        by_row, filled = np.zeros(self.shape[0]), np.flatnonzero(np.diff(self.rows.indptr))
        by_row[filled] = np.add.reduceat(data, self.rows.indptr[filled])
        return by_row, np.bincount(self.rows.indices, data, self.shape[1])

    @cached_property
    def squared(self) -> float:
        """The sum of squares."""
        return float(np.square(self.rows.data, dtype=np.float64).sum())

    def distance(self, W: np.ndarray, H: np.ndarray) -> float:
        """Return the sum of (V - W^T H)^2: of the cells one by one, of the others as that of all less theirs."""
        total = inside = 0.0
        V, edges, per_column = self.rows, self.rows.indptr, np.ascontiguousarray(H.T)
        step = max(1, int(BLOCK / max(1.0, len(W) * V.nnz / V.shape[0])))
        for first in range(0, V.shape[0], step):
            last = min(first + step, V.shape[0])
            cells = slice(edges[first], edges[last])
            of = np.repeat(W[:, first:last].T, np.diff(edges[first : last + 1]), axis=0)
            Y = np.einsum("pc,pc->p", of, per_column[V.indices[cells]])
            total += float(np.square(V.data[cells] - Y).sum())
            inside += float(np.square(Y).sum())
        return total + max(0.0, float(((W @ W.T) * (H @ H.T)).sum()) - inside)

    def _product(self, times: Callable[[np.ndarray], np.ndarray], factor: np.ndarray) -> np.ndarray:
        product = times(np.ascontiguousarray(factor.T, dtype=self.rows.dtype))
        return np.ascontiguousarray(product.T, dtype=np.float64)


def multiplier(V: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that multiplies a csr_array with a dense matrix: by torch's MKL where it has it."""
    if not torch.backends.mkl.is_available():
        return V.__matmul__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that sparse tensors may change
        tensor = torch.sparse_csr_tensor(
            torch.from_numpy(V.indptr), torch.from_numpy(V.indices), torch.from_numpy(V.data), size=V.shape
        )
    return lambda x: (tensor @ torch.from_numpy(x)).numpy()


def leading_vectors(
    V: Matrix, k: int, steps: int = STEPS, *, exact: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return (U, S, X), the k leading singular vectors and values: U (k, m), S (k,), X (k, n); m is the short side.

    From V V^T where that is small. Else by block Krylov iteration (Musco & Musco 2015), which ends after so many
    `steps`: vectors of close singular values may then be mixed among each other, which is no worse a start. None where
    they should be `exact` and are not.
    """
    m, n = V.shape
    width = k + 1 if k == 2 else k + 4
    if not exact and k == 2 and m > (STEPS_PAIR + 1) * width:
        steps = STEPS_PAIR
    elif m <= max(SQUARE, 3 * width):
        values, vectors = scipy.linalg.eigh(V.square(), lower=False, subset_by_index=(m - k, m - 1), check_finite=False)
        U, S = np.array(vectors[:, ::-1].T, order="C"), np.sqrt(np.maximum(values[::-1], 0.0))
        if S[-1] <= GRAM_RANGE * S[0]:
            return None if exact else _by_residuals(V, U)
        return U, S, V.down(U) / S[:, None]
    block = np.concatenate([V.sums[0][None], _directions(width - 1, m)])
    basis, images, close = np.empty((0, m)), np.empty((0, n)), False
    for step in range(steps):
        # Twice is enough for directions that are new but for rounding; a start needs them less exact.
        for _ in range(2 if step and exact else 1):
            block = block - np.dot(np.dot(block, basis.T), basis) if step else block
            block = np.ascontiguousarray(np.linalg.qr(block.T)[0].T)
        image = V.down(block)
        if step:
            basis, images = np.concatenate([basis, block]), np.concatenate([images, image])
        else:
            basis, images = block, image
        last = step == steps - 1 or len(basis) + width > m
        if not last:
            block = V.across(image)
        if last or exact:
            squares, turns = np.linalg.eigh(images @ images.T)
        if last:
            break
        if exact:
            # What V V^T makes of the last block of every vector is all that a vector misses.
            beyond = block - (block @ basis.T) @ basis
            missed = turns[-width:, -k:].T @ beyond
            close = float(np.linalg.norm(missed, axis=1).max()) <= ACCURATE * squares[-1]
            if close:
                break
    if exact and not close:
        return None
    turns, S = turns[:, ::-1][:, :k].T, np.sqrt(np.maximum(squares[::-1][:k], 0.0))
    return turns @ basis, S, (turns @ images) / np.where(S > 0, S, 1.0)[:, None]


def nndsvd(U: np.ndarray, S: np.ndarray, X: np.ndarray, *, both: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return what `initialise.nndsvd` does of singular vectors, as factors with components as rows.

    Of two components H is zero, unless `both` are asked for: W is enough to begin at.
    """
    choose_up, squares = _signs(U, X)
    size, root = np.sqrt(S * np.sqrt(squares[0] * squares[1])), np.sqrt(S[0])
    factors: list[np.ndarray] = []
    for x, own in zip((U, X), squares, strict=True):
        if len(factors) and len(x) == 2 and not both:
            factors.append(np.zeros(x.shape))
            break
        norm = np.sqrt(np.where(own > 0, own, 1.0))
        chosen = np.maximum(x * (np.where(choose_up, size, -size) / norm)[:, None], 0.0)
        np.abs(x[0] * root, out=chosen[0])
        chosen *= chosen >= NNDSVD_FLOOR
        factors.append(chosen)
    return factors[0], factors[1]


def _signs(U: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    # Which sign of each pair of vectors has the larger part, and the squares of either vector's part of that sign.
    up, down = [], []
    for x in (U, X):
        part = np.maximum(x, 0.0)
        up.append(np.einsum("ij,ij->i", part, part))
        down.append(np.maximum(np.einsum("ij,ij->i", x, x) - up[-1], 0.0))
    choose_up = up[0] * up[1] > down[0] * down[1]
    return choose_up, [np.where(choose_up, x, y) for x, y in zip(up, down, strict=True)]


@cache
def _directions(number: int, m: int) -> np.ndarray:
    # Random ones, always the same.
    found = np.random.default_rng(0).standard_normal((number, m))
    found.flags.writeable = False
    return found


def _by_residuals(V: Matrix, U: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Small singular values drown in the rounding of the squares: those of U V are found without squaring.
    turns, S, X = scipy.linalg.svd(V.down(U), full_matrices=False)
    return turns.T @ U, S, X
