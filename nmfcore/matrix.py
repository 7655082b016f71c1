"""One large sparse matrix in the place of V: the least-squares rules need its products alone, so it stays sparse."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from .errors import ProblemError, refuse_masked
from .late import torch

if TYPE_CHECKING:
    from torch import Tensor

# Up to so many entries the singular vectors come from the dense matrix, as those of dense data do.
DENSE_ENTRIES = 2**22


class SparseMatrix:
    """A non-negative matrix that stands where a Tensor of shape (1, m, n) would, for products and sums.

    Kept twice, by rows and by columns: either product then runs along the memory.

    Parameters
    ----------
    rows : csr_array or csr_matrix, shape (m, n)
        The matrix.
    columns : csr_array, shape (n, m), optional
        Its transpose.
    """

    ndim = 3

    def __init__(self, rows: Any, columns: Any = None) -> None:
        self._rows, self._given = rows, columns
        self.dtype = torch.float32 if rows.dtype == np.float32 else torch.float64

    @cached_property
    def _columns(self) -> Any:
        return scipy.sparse.csr_array(self._rows.T) if self._given is None else self._given

    @classmethod
    def of(cls, V: Any, dtype: torch.dtype | None = None) -> SparseMatrix:
        """Return a scipy.sparse matrix as one of these; integers become float64, unless `dtype` is given.

        Raises
        ------
        ProblemError
            If an entry is negative, NaN or infinite, or an axis is empty.
        TypeError
            If the entries are not real numbers.
        """
        refuse_masked(getattr(V, "data", None), "V", "pass filled dense data and weight=0 where they are missing")
        if V.dtype.kind not in "fiub":
            raise TypeError(f"V must hold real numbers; got dtype {V.dtype}")
        kept = np.float32 if dtype == torch.float32 or (dtype is None and V.dtype == np.float32) else np.float64
        if isinstance(V, (scipy.sparse.csr_array, scipy.sparse.csr_matrix)) and V.dtype == kept and _tidy(V):
            return cls(V)
        rows = scipy.sparse.csr_array(V, dtype=kept, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        if len(V.shape) != 2 or 0 in V.shape:
            raise ProblemError(f"V must have shape (m, n) with no empty axis; got {V.shape}")
        wild = ~np.isfinite(rows.data)
        if wild.any():
            raise ProblemError(
                f"V must be finite; {int(wild.sum())} entries are NaN or infinite (first at {_place(rows, wild)}). "
                "Clean them first."
            )
        below = rows.data < 0
        if below.any():
            raise ProblemError(
                f"V must be non-negative; {int(below.sum())} entries are below zero (minimum {rows.data.min():g}, "
                f"first at {_place(rows, below)}). Clip or mask them first."
            )
        return cls(rows)

    def __len__(self) -> int:
        return 1

    @property
    def device(self) -> torch.device:
        """Where it is: always in the memory of this machine."""
        return torch.device("cpu")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, m, n)."""
        return (1, *self._rows.shape)

    @property
    def mT(self) -> SparseMatrix:
        """The transpose."""
        return SparseMatrix(self._columns, self._rows)

    def __rmatmul__(self, left: Tensor) -> Tensor:
        """Return left @ self; shape (1, k, n) for one of shape (1, k, m)."""
        product = self._columns @ np.ascontiguousarray(left[0].numpy().T)
        return torch.from_numpy(np.ascontiguousarray(product.T))[None]

    def __truediv__(self, number: Tensor) -> SparseMatrix:
        """Return this matrix divided by one number."""
        # scipy's quotients are float64, whatever was divided.
        kept = self._rows.dtype
        return SparseMatrix(*((x / float(number)).astype(kept, copy=False) for x in (self._rows, self._columns)))

    def sum(self, dim: int | tuple[int, int]) -> Tensor:
        """Return sums over one axis or both, shape (1, m), (1, n) or (1,)."""
        rows = self._rows
        if dim == -1:
            total = _reduceat(np.add, rows)
        else:
            by_column = np.bincount(rows.indices, rows.data, rows.shape[1]).astype(rows.dtype, copy=False)
            total = by_column if dim == -2 else np.atleast_1d(rows.data.sum())
        return torch.from_numpy(total)[None].reshape(_reduced(dim))

    def mean(self, dim: tuple[int, int]) -> Tensor:
        """Return the mean of all entries, shape (1,)."""
        return self.sum(dim) / float(np.prod(self.shape))

    def amax(self, dim: int | tuple[int, int], *, keepdim: bool = False) -> Tensor:
        """Return maxima over one axis or both."""
        if isinstance(dim, int):
            largest = _reduceat(np.maximum, self._columns if dim == -2 else self._rows)
        else:
            largest = np.atleast_1d(self._rows.data.max(initial=0))
        out = torch.from_numpy(largest)[None].reshape(_reduced(dim))
        return out.unsqueeze(dim) if keepdim and isinstance(dim, int) else out

    def double(self) -> SparseMatrix:
        """Return this matrix in float64."""
        return (
            self
            if self.dtype == torch.float64
            else SparseMatrix(self._rows.astype(np.float64), self._columns.astype(np.float64))
        )

    def index_select(self, dim: int, index: Tensor) -> SparseMatrix:
        """Return some columns."""
        assert dim == -1, "only columns are left out"
        columns = self._columns[index.numpy()]
        return SparseMatrix(scipy.sparse.csr_array(columns.T), columns)

    def filled(self, rows: np.ndarray, columns: np.ndarray) -> tuple[Any, Any]:
        """Return some rows and columns as a csr_array, and their transpose; all others are empty."""
        return _part(self._rows, rows, columns), _part(self._columns, columns, rows)

    def filled_dense(self, rows: np.ndarray, columns: np.ndarray, dtype: Any) -> np.ndarray:
        """Return some rows and columns as an array; all others are empty."""
        V, width = self._rows, len(columns)
        number = np.diff(V.indptr)[rows]
        first = np.arange(0, len(rows) * width, width).repeat(number)
        if width < V.shape[1]:
            place = np.zeros(V.shape[1], np.int64)
            place[columns] = np.arange(width)
            first += place.take(V.indices)
        else:
            first += V.indices
        out = np.zeros((len(rows), width), dtype)
        out.reshape(-1)[first] = V.data
        return out

    @cached_property
    def largest(self) -> float:
        """The largest entry."""
        return float(self._rows.data.max(initial=0))

    @property
    def squared(self) -> float:
        """The sum of squares, in float64."""
        data = self._rows.data
        return float(np.dot(data, data) if data.dtype == np.float64 else np.square(data, dtype=np.float64).sum())

    @property
    def filled_lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows and which columns have any entry; bool, shapes (m,) and (n,)."""
        by_column = np.zeros(self._rows.shape[1], bool)
        by_column[self._rows.indices] = True
        return np.diff(self._rows.indptr) > 0, by_column

    @property
    def nnz(self) -> int:
        """How many entries are not zero."""
        return int(self._rows.nnz)

    def to_dense(self) -> Tensor:
        """Return the matrix as a Tensor, shape (1, m, n)."""
        return torch.from_numpy(self._rows.toarray())[None]

    def squared_distance(self, W: Tensor, H: Tensor) -> Tensor:
        """Return the sum of (V - W H)^2, in float64; shape (1,).

        Cells with data are summed one by one; the sum of the others is that of all cells less theirs.
        """
        W, H = W.double(), H.double()
        V, total, inside = self._rows, 0.0, 0.0
        factor, components = W[0].numpy(), np.ascontiguousarray(H[0].numpy().T)
        edges = V.indptr
        # Rows are taken a few at a time: one number per cell and component at once.
        step = max(1, int(2**20 / max(1, W.shape[-1] * V.nnz / V.shape[0])))
        for first in range(0, V.shape[0], step):
            last = min(first + step, V.shape[0])
            cells = slice(edges[first], edges[last])
            rows = np.repeat(np.arange(first, last), np.diff(edges[first : last + 1]))
            Y = np.einsum("pc,pc->p", factor[rows], components[V.indices[cells]])
            total += float(np.square(V.data[cells] - Y).sum())
            inside += float(np.square(Y).sum())
        everywhere = float(((W.mT @ W) * (H @ H.mT)).sum())
        return torch.tensor([total + max(0.0, everywhere - inside)], dtype=torch.float64)

    def positive_residual(self, W: Tensor, H: Tensor) -> Any:
        """Return the positive part of V - W H, which is zero where V is: a csr_array, shape (m, n)."""
        rows = np.repeat(np.arange(self._rows.shape[0]), np.diff(self._rows.indptr))
        components = np.ascontiguousarray(H[0].numpy().T)
        Y = np.einsum("pc,pc->p", W[0].numpy()[rows], components[self._rows.indices])
        left = np.maximum(self._rows.data - Y, 0)
        return scipy.sparse.csr_array((left, self._rows.indices, self._rows.indptr), self._rows.shape)

    def leading_svd(self, k: int) -> tuple[Tensor, Tensor, Tensor] | None:
        """Return the k leading singular triplets, or None where the dense matrix serves as well."""
        m, n = self._rows.shape
        if m * n <= DENSE_ENTRIES or 2 * k >= min(m, n):
            return None
        # ARPACK would begin at random: a fixed start, with every direction in it, makes the result repeatable.
        v0 = np.random.default_rng(0).standard_normal(min(m, n))
        U, S, Vh = scipy.sparse.linalg.svds(self._rows.astype(np.float64), k, v0=v0)
        down = np.argsort(-S)
        return tuple(torch.from_numpy(np.ascontiguousarray(x))[None] for x in (U[:, down], S[down], Vh[down]))  # type: ignore[return-value]


def _tidy(V: Any) -> bool:
    # Whether every entry stands once and in its place, and is positive and finite: the extremes tell.
    return bool(
        len(V.shape) == 2 and 0 not in V.shape and 0 < V.nnz == len(V.data) and V.has_canonical_format
        and V.data.min() > 0 and np.isfinite(V.data.max())
    )  # fmt: skip


def _part(V: Any, along: np.ndarray, across: np.ndarray) -> Any:
    edges, indices = V.indptr, V.indices
    if len(along) < V.shape[0]:
        edges = np.append(edges[:1], edges[along + 1])
    if len(across) < V.shape[1]:
        place = np.zeros(V.shape[1], dtype=indices.dtype)
        place[across] = np.arange(len(across))
        indices = place[indices]
    return scipy.sparse.csr_array((V.data, indices, edges), shape=(len(along), len(across)))


def _reduceat(function: np.ufunc, rows: Any) -> np.ndarray:
    # Of the entries of each row; zero where there are none.
    out, filled = np.zeros(rows.shape[0], rows.dtype), np.flatnonzero(np.diff(rows.indptr))
    if len(filled):
        out[filled] = function.reduceat(rows.data, rows.indptr[filled])
    return out


def _reduced(dim: int | tuple[int, int]) -> tuple[int, ...]:
    return (1, -1) if isinstance(dim, int) else (1,)


def _place(rows: Any, which: np.ndarray) -> str:
    cell = int(np.flatnonzero(which)[0])
    return f"row {int(np.searchsorted(rows.indptr, cell, side='right')) - 1}, column {int(rows.indices[cell])}"
