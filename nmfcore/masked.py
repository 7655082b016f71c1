"""Least squares with entries left out, under many penalties: for the cross-validation of a factorisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ProblemError, refuse_masked
from .problem import Penalty

# Far below the gains that a comparison of penalties is about; the objective is summed in float64.
TOL = 1e-8
MAX_ITER = 2000


@dataclass(frozen=True)
class MaskedResult:
    """Fits of one matrix under P penalties, with some of its entries left out.

    Attributes
    ----------
    W : ndarray, shape (P, m, k)
        Weights.
    H : ndarray, shape (P, k, n)
        Components.
    objective : ndarray, shape (P,)
        0.5 sum (V - W H)^2 over the entries that count, and the penalties.
    error, held_out : ndarray, shape (P,)
        Sum of (V - W H)^2 over the entries that count, and over those left out.
    squares, held_out_squares : float
        Sum of V^2 over either.
    n_iter : ndarray of int, shape (P,)
        Iterations.
    converged : ndarray of bool, shape (P,)
        Whether the objective had stopped falling.
    """

    W: np.ndarray
    H: np.ndarray
    objective: np.ndarray
    error: np.ndarray
    held_out: np.ndarray
    squares: float
    held_out_squares: float
    n_iter: np.ndarray
    converged: np.ndarray


def fit_masked(
    V: Any,
    penalties: Sequence[Penalty],
    init: tuple[Any, Any],
    *,
    left_out: Any = None,
    tol: float = TOL,
    max_iter: int = MAX_ITER,
) -> MaskedResult:
    """Factorise V ~ W H by least squares without some of its entries, once for every penalty.

    HALS with the normal equations of each row and column without what the entries left out would add, and with the
    scale of each component divided between W and H so that the penalties are least: the same optimum as
    ``factorize(V, k, weight=~left_out, penalty=penalty)``, many times faster where few entries are left out and V is
    sparse.

    Parameters
    ----------
    V : array, shape (m, n)
        Non-negative data; few entries other than zero.
    penalties : sequence of Penalty
        P of them, each a problem of its own.
    init : (array, array)
        The start, W and H, shapes (m, k) and (k, n).
    left_out : array of bool, shape (m, n), optional
        Entries that do not count. In columns where V is zero throughout they make no difference: H is zero there.
    tol : float
        Converged where an iteration lowers the objective by no more than this fraction of it.
    max_iter : int
        Most iterations.

    Returns
    -------
    MaskedResult

    Raises
    ------
    ProblemError
        Data that are negative, not finite or masked, or shapes that disagree.

    Examples
    --------
    >>> import numpy as np, nmfcore
    >>> from nmfcore.masked import fit_masked
    >>> V = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 2.0])
    >>> found = fit_masked(V, [nmfcore.Penalty()], (np.ones((3, 1)), np.ones((1, 3))), left_out=V == 6)
    >>> float((found.W[0] @ found.H[0])[2, 2].round(3))
    6.0
    """
    from .kernels import masked
    from .kernels.parallel import in_parallel

    data, W0, H0, without = _checked(V, init, left_out)
    filled = np.flatnonzero(data.any(axis=0))
    columns, rows = np.nonzero(data[:, filled].T)
    out_columns, out_rows = np.nonzero(without[:, filled].T)
    values = data[rows, filled[columns]]
    start, out_start = (np.searchsorted(x, np.arange(len(filled) + 1)) for x in (columns, out_columns))
    P, (m, k), n = len(penalties), W0.shape, data.shape[1]
    strengths = np.array([penalty.coefficients(m, n) for penalty in penalties]).reshape(P, 4)
    W, H, out = np.empty((P, m, k)), np.empty((P, len(filled), k)), np.empty((P, 7))

    entries = masked.Entries(values, rows, start, out_rows, out_start, without[rows, filled[columns]])
    begin = W0, np.ascontiguousarray(H0[:, filled].T)

    def work(first: int, last: int) -> None:
        masked.fit_many(entries, strengths, tol, max_iter, begin, W, H, out, first, last)

    in_parallel(work, P)
    whole = np.zeros((P, k, n))
    whole[:, :, filled] = H.transpose(0, 2, 1)
    return MaskedResult(
        W=W,
        H=whole,
        objective=out[:, 0],
        error=out[:, 4],
        held_out=out[:, 3],
        squares=float(out[0, 6]) if P else 0.0,
        held_out_squares=float(out[0, 5]) if P else 0.0,
        n_iter=out[:, 1].astype(np.int64),
        converged=out[:, 2] > 0,
    )


def _checked(V: Any, init: tuple[Any, Any], left_out: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    # V, W, H in float64, and which entries do not count.
    for name, given in zip(("V", "W", "H", "left_out"), (V, *init, left_out), strict=True):
        refuse_masked(given, name, "pass it filled, and left_out=True where V is missing")
    data, W0, H0 = (np.asarray(x, dtype=np.float64) for x in (V, *init))
    if (
        data.ndim != 2
        or W0.ndim != 2
        or (*W0.shape, *H0.shape) != (data.shape[0], *H0.shape[:1], *H0.shape[:1], data.shape[1])
    ):
        raise ProblemError(f"W and H of shapes {W0.shape} and {H0.shape} do not fit V of shape {data.shape}")
    for name, x in (("V", data), ("W", W0), ("H", H0)):
        if not np.isfinite(x).all() or (x < 0).any():
            raise ProblemError(f"{name} must be finite and non-negative")
    without = np.zeros(data.shape, bool) if left_out is None else np.asarray(left_out, dtype=bool)
    if without.shape != data.shape:
        raise ProblemError(f"left_out must have V's shape {data.shape}; got {without.shape}")
    return data, W0, H0, without
