"""What one matrix at a time is made from: the data as arrays, checked; torch is loaded only for those that need it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..matrix import SparseMatrix
from ..problem import Problem, build_problem
from ..request import Request
from ..scale import are_extreme


@dataclass(frozen=True)
class Data:
    """Checked data of B replicates; see `Problem`, whose names and meanings its fields have.

    Attributes
    ----------
    V : ndarray, shape (B, m, n), or SparseMatrix
        float32 or float64.
    scale : ndarray of float64, shape (B,)
        Power of four that was divided out of V.
    filled_rows, filled_columns : ndarray of bool, shapes (B, m), (B, n)
        Where there are data at all.
    """

    V: np.ndarray | SparseMatrix
    scale: np.ndarray
    filled_rows: np.ndarray
    filled_columns: np.ndarray

    @classmethod
    def of(cls, request: Request) -> Data:
        """Return the data of a request.

        Raises
        ------
        ProblemError, TypeError
            As `build_problem` does.
        """
        V = request.V
        found = None
        if isinstance(V, SparseMatrix):
            found = _sparse(V)
        elif type(V) is np.ndarray and request.dtype is None:
            found = _plain(V)
        if found is not None:
            return found
        problem = build_problem(V, device=request.device, dtype=request.dtype)
        checked = problem.V if isinstance(problem.V, SparseMatrix) else problem.V.numpy()
        return cls(checked, *(x.numpy() for x in (problem.scale, problem.filled_rows, problem.filled_columns)))

    @property
    def dtype(self) -> np.dtype:
        """Precision of the data, and of the factors that are returned."""
        return np.dtype(str(self.V.dtype).removeprefix("torch."))

    @property
    def largest(self) -> float:
        """The largest entry."""
        return self.V.largest if isinstance(self.V, SparseMatrix) else float(self.V.max())

    def select(self, b: int) -> Data:
        """Return one replicate."""
        if len(self.scale) == 1:
            return self
        one = slice(b, b + 1)
        return Data(self.V[one], self.scale[one], self.filled_rows[one], self.filled_columns[one])  # type: ignore[index]

    def problem(self) -> Problem:
        """Return the same data as tensors."""
        return build_problem(self.V)


def _sparse(V: SparseMatrix) -> Data | None:
    # Its entries are checked already; None where they need scaling.
    if V.largest == 0 or are_extreme(np.array(V.largest)):
        return None
    rows, columns = V.filled_lines
    return Data(V, np.ones(1), rows[None], columns[None])


def _plain(V: np.ndarray) -> Data | None:
    # Data that need neither conversion nor scaling; None for others, and for those that are to be refused.
    if V.ndim not in (2, 3) or V.size == 0 or V.dtype.kind not in "fiub":
        return None
    if V.dtype.kind == "f" and V.dtype.itemsize not in (4, 8):
        return None
    V = np.ascontiguousarray(V, np.float32 if V.dtype.kind == "f" and V.dtype.itemsize == 4 else np.float64)
    V = V.reshape(-1, *V.shape[-2:])
    # Read as integers, numbers below zero are the largest, then NaN, then infinity: one pass finds all of them.
    by_column = np.maximum.reduce(V.view(f"u{V.itemsize}"), axis=1).view(V.dtype)
    if np.signbit(by_column).any() or not np.isfinite(by_column).all():
        return None
    largest = by_column.max(axis=1)
    if are_extreme(largest).any():
        return None
    return Data(V, np.ones(len(V)), np.maximum.reduce(V, axis=2) > 0, by_column > 0)
