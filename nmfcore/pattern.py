"""Sparse batches: many matrices that share one list of cells, such as the resampled counts of one binning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse

from .drawing import Drawing
from .errors import ProblemError, refuse_masked, refuse_sparse
from .kernels import LANES
from .late import is_tensor
from .matrix import SparseMatrix
from .scale import are_extreme

# Scales whose squares single precision does not hold are kept in double: between these the largest entry must lie.
SINGLE = (2.0**-60, 2.0**60)
UNMASK = "fill them, or give factorize the filled matrices themselves and weight=0 where entries are missing"


@dataclass(frozen=True, eq=False)
class SharedPattern:
    """B matrices of shape (m, n) that are zero outside one common list of cells.

    Made by `bootstrap`, `SharedPattern.from_dense` or `SharedPattern.from_scipy`; `factorize` takes it in place of V.
    Rows and columns without any cell keep their places in the results.

    Attributes
    ----------
    rows : ndarray of uint16 or uint32, shape (cells,)
        Row of each cell; the cells of a column stand together, ordered by row.
    columns : ndarray of int64, shape (filled,)
        Columns that have cells, those with fewest first: loops over equally many cells need no guess where they end.
    start : ndarray of int64, shape (filled + 1,)
        First cell of each of these columns, and the number of cells at the end.
    values : ndarray, shape (tiles, cells * LANES)
        The cells' values, LANES replicates side by side: replicate b stands at [b // LANES, cell * LANES + b % LANES].
        uint8 or uint16 for counts, else float32 or float64.
    shape : tuple of int
        (B, m, n).
    base : ndarray of float64, shape (cells,), or None
        The sample that the replicates were drawn from.
    seed, first_replicate : int
        What names the random streams of the replicates.
    on_device : str or None
        The GPUs that `bootstrap` was asked for, where `factorize` then draws and solves.
    draw : Drawing, or None
        How the replicates are drawn. Made with None for `values`, a pattern draws them when they are first used and
        keeps them; a solver may draw what it needs by itself.
    """

    rows: np.ndarray
    columns: np.ndarray
    start: np.ndarray
    values: np.ndarray
    shape: tuple[int, int, int]
    base: np.ndarray | None = None
    seed: int = 0
    first_replicate: int = 0
    on_device: str | None = None
    draw: Drawing | None = None

    ndim = 3

    def __post_init__(self) -> None:
        if self.values is None:
            # Without the attribute, `__getattr__` is asked for it.
            del self.__dict__["values"]
        else:
            # Values that were given need not be those that would be drawn.
            self.__dict__["draw"] = None

    def __getattr__(self, name: str) -> Any:
        drawing = self.__dict__.get("draw") if name == "values" else None
        if drawing is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.__dict__.setdefault("values", drawing.counts(len(self)))

    @property
    def drawn(self) -> bool:
        """Whether the values are there: they are not where a recipe stands for them."""
        return "values" in self.__dict__

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return np.dtype(self.values.dtype if self.draw is None else self.draw.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        B, m, n = self.shape
        return f"SharedPattern({B} x {m} x {n}, {len(self.rows)} cells of {self.dtype}, {self.nbytes / 1e6:.1f} MB)"

    @property
    def nbytes(self) -> int:
        """Size of the values and their places, or of what they are drawn from, in bytes."""
        own = self.values if self.draw is None else self.draw.of_star
        kept = self.values.nbytes if self.draw is not None and self.drawn else 0
        return kept + sum(x.nbytes for x in (self.rows, self.columns, self.start, own))

    @property
    def largest(self) -> float:
        """The largest value; of counts that are not drawn yet, the largest of their sample."""
        known = self.values if self.draw is None else self.base
        return float(known.max()) if known is not None and known.size else 0.0

    @property
    def extreme(self) -> bool:
        """Whether any replicate is of a scale that is divided out before it is factorised."""
        if self.dtype.kind == "u":
            return False
        each = self.values.reshape(len(self.values), -1, LANES).max(axis=1, initial=0).ravel()
        return bool(are_extreme(each).any())

    def require_positive(self, beta: float) -> None:
        """Raise if an entry is zero, by which a loss of this beta would divide.

        Raises
        ------
        ProblemError
            How many, and where the first is.
        """
        B, m, n = self.shape
        cells = self.cells()
        zeros = B * m * n - int(np.count_nonzero(cells))
        if zeros:
            filled = np.zeros((n, m), dtype=bool)
            b = int(np.argmin(np.count_nonzero(cells, axis=1)))
            filled[self.column_of, self.rows] = cells[b] != 0
            column, row = np.unravel_index(np.argmin(filled), filled.shape)
            raise ProblemError(
                f"beta = {beta:g} divides by the data, so V must be strictly positive; {zeros} of {B * m * n} entries "
                f"are zero (one at replicate {b}, row {row}, column {column}). Use a loss with beta > 0 "
                "(Kullback-Leibler suits counts), or give zeros weight 0."
            )

    @property
    def column_of(self) -> np.ndarray:
        """Column of each cell; int64, shape (cells,)."""
        return np.repeat(self.columns, np.diff(self.start))

    @classmethod
    def from_dense(cls, V: Any, *, dtype: Any = None) -> SharedPattern:
        """Return the pattern of a dense matrix or batch.

        Parameters
        ----------
        V : array or Tensor, shape (m, n) or (B, m, n)
            Non-negative data. The cells are those that any replicate fills; they set the order of sums, so that a
            replicate's result in another batch may differ by rounding.
        dtype : dtype, optional
            Type of the values; by default the smallest that holds them: 8 or 16 bits for small integers, else float32,
            or float64 for float64 data of which a replicate's largest entry is beyond 2^-60 to 2^60.

        Raises
        ------
        ProblemError
            If an entry is negative, NaN, infinite or masked, or the shape is wrong.
        """
        refuse_masked(V, "V", UNMASK)
        refuse_sparse(V, "V")
        data = np.asarray(V.detach().cpu() if is_tensor(V) else V)
        if data.ndim not in (2, 3) or 0 in data.shape:
            raise ProblemError(f"V must have shape (m, n) or (B, m, n) with no empty axis; got {data.shape}")
        data = data.reshape((-1, *data.shape[-2:]))
        _require_counts(data)
        filled = (data != 0).any(axis=0)
        columns, rows = np.nonzero(filled.T)
        return _assemble(rows, columns, data[:, rows, columns], data.shape, dtype)

    @classmethod
    def from_scipy(cls, V: Any, *, dtype: Any = None) -> SharedPattern:
        """Return the pattern of one scipy.sparse matrix (B = 1) or of a sequence of them (the union of their cells).

        Parameters
        ----------
        V : sparse matrix or array, or sequence of them, shape (m, n) each
            Non-negative data in any format; duplicate entries are summed.
        dtype : dtype, optional
            As in `from_dense`.

        Raises
        ------
        ProblemError
            If there is none, shapes differ, or an entry is negative, NaN, infinite or masked.
        """
        matrices = [V] if scipy.sparse.issparse(V) else list(V)
        if not matrices or not all(scipy.sparse.issparse(x) for x in matrices):
            raise ProblemError("V must be a scipy.sparse matrix or a non-empty sequence of them")
        if len({x.shape for x in matrices}) > 1:
            raise ProblemError(f"the matrices must have one shape; got {sorted({x.shape for x in matrices})}")
        m, n = matrices[0].shape
        if 0 in (m, n):
            raise ProblemError(f"V must have no empty axis; got {(m, n)}")
        parts = []
        for matrix in matrices:
            refuse_masked(getattr(matrix, "data", None), "V", UNMASK)
            csc = matrix.tocsc(copy=True)
            csc.sum_duplicates()
            csc.eliminate_zeros()
            _require_counts(csc.data)
            key = np.repeat(np.arange(n, dtype=np.int64), np.diff(csc.indptr)) * m + csc.indices
            parts.append((key, csc.data))
        keys = np.unique(np.concatenate([key for key, _ in parts]))
        data = np.zeros((len(matrices), len(keys)), dtype=np.result_type(*(x for _, x in parts)))
        for b, (key, x) in enumerate(parts):
            data[b, np.searchsorted(keys, key)] = x
        return _assemble(keys % m, keys // m, data, (len(matrices), m, n), dtype)

    def select(self, replicates: Sequence[int] | np.ndarray) -> SharedPattern:
        """Return some replicates, in the order given, as a pattern of their own; the cells stay the same."""
        chosen = np.asarray(replicates, dtype=np.int64)
        shape = (len(chosen), *self.shape[1:])
        ranged = len(chosen) > 0 and self._holds(chosen) and bool((np.diff(chosen) == 1).all())
        if self.draw is not None and not self.drawn and ranged:
            undrawn: Any = None
            return replace(self, values=undrawn, shape=shape, draw=self.draw.since(int(chosen[0])))
        return replace(self, values=to_tiles(self.cells(chosen)), shape=shape)

    def cells(self, replicates: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Return the values of some or all replicates; shape (B, cells)."""
        b = np.arange(len(self)) if replicates is None else np.asarray(replicates, dtype=np.int64)
        if not self._holds(b):
            raise ProblemError(f"replicates must lie in 0 to {len(self) - 1}")
        if self.draw is not None and not self.drawn and b.size and np.ptp(b) < LANES:
            # A few that stand together need not have all drawn.
            first = int(b.min())
            return self.draw.since(first).counts(int(np.ptp(b)) + 1).reshape(-1, LANES)[:, b - first].T
        return self.values.reshape(len(self.values), -1, LANES)[b // LANES, :, b % LANES]

    def _holds(self, b: np.ndarray) -> bool:
        return not b.size or bool(0 <= b.min() and b.max() < len(self))

    def to_dense(self, replicates: Sequence[int] | np.ndarray | None = None, *, dtype: Any = None) -> np.ndarray:
        """Return some or all replicates as dense matrices.

        Parameters
        ----------
        replicates : sequence of int, optional
            Which; all by default.
        dtype : dtype, optional
            Type of the result; float32 by default, or float64 where the values are.

        Returns
        -------
        ndarray, shape (B, m, n)
        """
        cells = self.cells(replicates)
        out = np.zeros((len(cells), *self.shape[1:]), dtype=dtype or self.float_dtype)
        out[:, self.rows, self.column_of] = cells
        return out

    def matrix(self, replicate: int) -> SparseMatrix:
        """Return one replicate as a matrix for sparse products."""
        cells = self.cells([replicate])[0].astype(self.float_dtype)
        places = (self.rows.astype(np.int64), self.column_of)
        return SparseMatrix(scipy.sparse.csr_array((cells, places), shape=self.shape[1:]))

    def base_dense(self, *, dtype: Any = None) -> np.ndarray:
        """Return the sample that the replicates were drawn from; shape (m, n).

        Raises
        ------
        ProblemError
            If they were not drawn from one.
        """
        if self.base is None:
            raise ProblemError("this pattern was not resampled from a sample: it has no base")
        out = np.zeros(self.shape[1:], dtype=dtype or self.float_dtype)
        out[self.rows, self.column_of] = self.base
        return out

    @property
    def float_dtype(self) -> np.dtype:
        """The floating-point type in which the pattern is factorised by default."""
        return np.dtype(np.float64 if self.dtype == np.float64 else np.float32)


def smallest_dtype(largest: float, whole: bool) -> np.dtype:
    """Return the smallest type that holds values up to `largest`, which are `whole` numbers or not."""
    if whole and largest <= np.iinfo(np.uint8).max:
        return np.dtype(np.uint8)
    if whole and largest <= np.iinfo(np.uint16).max:
        return np.dtype(np.uint16)
    return np.dtype(np.float32)


def row_dtype(m: int) -> np.dtype:
    """Return the type of row numbers below `m`."""
    return np.dtype(np.uint16 if m <= 2**16 else np.uint32)


def order_of(columns: np.ndarray) -> np.ndarray:
    """Return how to order cells that are in order by columns: short columns first, else as they are; int64."""
    length = np.bincount(columns)[columns]
    # Small integers are sorted by their digits.
    return np.argsort(length.astype(np.uint16) if length.max(initial=0) < 2**16 else length, kind="stable")


def compress(rows: np.ndarray, columns: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (rows, filled columns, start) of cells of which those of each column stand together."""
    first = np.flatnonzero(np.diff(columns, prepend=-1))
    start = np.append(first, len(columns)).astype(np.int64)
    return rows.astype(row_dtype(m)), columns[first].astype(np.int64), start


def _assemble(rows: np.ndarray, columns: np.ndarray, data: np.ndarray, shape: Any, dtype: Any) -> SharedPattern:
    each = data.max(axis=1, initial=0)
    if dtype is None:
        dtype = smallest_dtype(float(each.max(initial=0)), bool((data == np.floor(data)).all()))
        low, high = SINGLE
        if data.dtype.itemsize > 4 and ((each > high) | ((each > 0) & (each < low))).any():
            dtype = np.float64
    dtype = np.dtype(dtype)
    if dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise ProblemError(f"dtype must be uint8, uint16, float32 or float64; got {dtype}")
    if dtype.kind == "f" and each.max(initial=0) > np.finfo(dtype).max:
        raise ProblemError(f"V does not fit into {dtype}: its largest entry is {each.max():g}. Use dtype=np.float64.")
    order = order_of(columns)
    rows, filled, start = compress(rows[order], columns[order], shape[1])
    data = data[:, order]
    B, m, n = (int(x) for x in shape)
    return SharedPattern(rows, filled, start, to_tiles(data.astype(dtype)), (B, m, n))


def to_tiles(cells: np.ndarray) -> np.ndarray:
    """Return values (B, cells) as `SharedPattern` keeps them, LANES replicates side by side."""
    tiles = -(-len(cells) // LANES)
    padded = np.zeros((tiles * LANES, cells.shape[1]), dtype=cells.dtype)
    padded[: len(cells)] = cells
    return np.ascontiguousarray(padded.reshape(tiles, LANES, -1).transpose(0, 2, 1)).reshape(tiles, -1)


def _require_counts(data: np.ndarray) -> None:
    if data.dtype.kind not in "fiub":
        raise TypeError(f"V must hold real numbers; got dtype {data.dtype}")
    finite = np.isfinite(data)
    if not finite.all():
        raise ProblemError(f"V must be finite; {int((~finite).sum())} entries are NaN or infinite. Clean them first.")
    if (data < 0).any():
        raise ProblemError(
            f"V must be non-negative; {int((data < 0).sum())} entries are below zero (minimum {data.min():g}). "
            "Clip or mask them first."
        )
