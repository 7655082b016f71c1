"""The solver of one dense or sparse matrix on the CPU, and of a few of them one by one."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from ..course import Course, course
from ..dense import solve_batch
from ..initialise import SAFE_FACTOR, SAFE_PRODUCT, fill_zeros, require_components, start_factors
from ..kernels.parallel import kernels_only, quiet_blas
from ..late import is_tensor, torch
from ..losses import BetaDivergence
from ..matrix import DENSE_ENTRIES, SparseMatrix
from ..problem import Factors
from ..request import Request
from ..result import FIELDS, Result, clearly_better
from ..rules.multiplicative import ROOM
from ..scale import level_of
from ..sparse.batch import is_small
from ..stopping import Status
from ..streams import half_normals
from .data import Data
from .extrapolated import Extrapolated
from .iterate import SLACK, Ended, Run, iterate
from .products import SCATTERED, SINGLE, STEPS, THOROUGH, Full, Matrix, Scattered, leading_vectors, nndsvd

# Below this fraction of the sum of squares a loss is summed entry by entry: as a difference it would be rounding.
CLOSE, CLOSE_SINGLE = 1e-3, 0.05
# Entries that tell how many are zero.
SAMPLE = 2**14
# Torch computes on one thread where V has no more entries than this, or as few cells that cost as much.
THREADED = 2**22


def refusal(request: Request) -> str | None:
    """Return why these iterations do not solve a request, or None if they do."""
    if not (isinstance(request.loss, BetaDivergence) and request.loss.beta == 2):
        return "the loss is not that of least squares"
    if request.update != "auto":
        return "another rule is asked for"
    penalised = request.penalty.alpha_W > 0 or (request.penalty.alpha_H or 0) > 0
    if request.weight is not None or request.hold is not None or penalised:
        return "weights, penalties and held factors are for the other rules"
    if not request.on_cpu or (is_tensor(request.V) and request.V.device.type != "cpu"):
        return "another device is asked for"
    if request.stop.max_iter == 0:
        return "no iteration is asked for"
    return None if request.stop.criterion in ("change", "loss") else "scikit-learn's test is asked for"


@dataclass(frozen=True)
class Alternating:
    """Accelerated alternating least squares in NumPy: small products there cost the least calls and no threads."""

    request: Request

    def solve(self) -> Result:
        """Return the best of all starts of every replicate."""
        shape = np.shape(self.request.V) if isinstance(self.request.V, (list, tuple)) else self.request.V.shape
        large = np.prod(shape[-2:]) > THREADED
        with quiet_blas() if large else kernels_only():
            return self._solve()

    def _solve(self) -> Result:
        request = self.request
        data = Data.of(request)
        require_components(request.n_components)
        B, starts = data.V.shape[0], request.number_of_starts
        best: list[tuple[Ended, int]] = []
        with course(B * starts, request.stop.max_iter) as seen:
            for b in range(B):
                V = Narrow.of(data.select(b))
                # Threads that wait for each other at every product cost several times the work.
                with nullcontext() if V.is_large else kernels_only():
                    for start in range(starts):
                        seen.begin(b * starts + start + 1)
                        ended = V.solve(request, b, start, seen)
                        if start == 0:
                            best.append((ended, start))
                        elif clearly_better(ended.loss, best[b][0].loss):
                            best[b] = ended, start
                        if request.progress is not None:
                            request.progress(b * starts + start + 1, B * starts)
        result = _without_dead(request, _result(data, best))
        return result.map(torch.from_numpy) if is_tensor(request.V) else result


@dataclass(frozen=True)
class Narrow:
    """One matrix without its empty rows and columns, the short side first, and where these stand in the whole."""

    data: Data
    matrix: Matrix | None
    rows: np.ndarray
    columns: np.ndarray
    turned: bool

    @classmethod
    def of(cls, data: Data) -> Narrow:
        """Return the matrix of data of one replicate."""
        rows, columns = (np.flatnonzero(x[0]) for x in (data.filled_rows, data.filled_columns))
        _, m, n = data.V.shape
        if is_small((m, n), data.dtype) and len(rows):
            rows, columns = np.arange(m), np.arange(n)
        turned = len(rows) > len(columns) and not is_small((m, n), data.dtype)
        if not len(rows):
            return cls(data, None, rows, columns, turned)
        V: Any = data.V if isinstance(data.V, SparseMatrix) else data.V[0]
        return cls(data, _matrix(V, rows, columns, turned), rows, columns, turned)

    @property
    def is_large(self) -> bool:
        """Tell whether a product is worth several threads."""
        V = self.matrix
        if V is None:
            return False
        return (V.rows.nnz / SCATTERED if isinstance(V, Scattered) else V.shape[0] * V.shape[1]) > THREADED

    def solve(self, request: Request, b: int, start: int, seen: Course) -> Ended:
        """Return where a start of replicate `b` ends, as factors of the whole matrix: W (m, k) and H (k, n)."""
        (_, m, n), k = self.data.V.shape, request.n_components
        kept, double = self.data.dtype, np.dtype(np.float64)
        if self.matrix is None:
            return Ended(np.zeros((m, k), kept), np.zeros((k, n), kept), 0.0, 1, Status.CONVERGED, 0.0)
        # By the rule of their batches, unless what is given is to be brought to an end.
        as_batch = is_small((m, n), kept) and k > 2 and isinstance(request.init, str)
        rule = Extrapolated if as_batch else Run
        run = rule(self.matrix, *self.start(request, b, start), request.stop)
        drawn = self.drawn(request, start)
        if (drawn and self.turned) or not (drawn or isinstance(request.init, str)):
            # What was drawn is W, the long one here. Of a given pair either factor may be filled with a constant.
            run.begin()
        ended = iterate(run, request.stop, seen)
        W, H = self.rounded(ended, kept)
        ended.loss = self.loss(ended.loss, W.astype(double, copy=False), H.astype(double, copy=False))
        if self.turned:
            W, H = H, W
        ended.W, ended.H = np.zeros((m, len(W)), kept), np.zeros((len(H), n), kept)
        ended.W[self.rows], ended.H[:, self.columns] = W.T, H
        return ended

    def rounded(self, ended: Ended, kept: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Return the factors in their own precision; both get the same size, as those of singular vectors have it."""
        level = level_of(*(np.einsum("ij,ij->i", x, x) for x in (ended.W, ended.H)))[:, None]
        W, H = (ended.W * level).astype(kept, copy=False), (ended.H / level).astype(kept, copy=False)
        for factor in (W, H):
            factor *= factor > ROOM * np.finfo(kept).tiny
        return W, H

    def loss(self, known: float, W: np.ndarray, H: np.ndarray) -> float:
        """Return the loss of factors in float64, for which it is `known` but for rounding."""
        V = self.matrix
        assert V is not None
        if V.single and known > CLOSE_SINGLE * V.squared:
            # One product more: its rounding is that of many entries, by chance.
            fit = float(np.vdot(V.down(W), H))
            return 0.5 * (V.squared - 2 * fit + float(np.vdot(np.dot(W, W.T), np.dot(H, H.T))))
        return 0.5 * V.distance(W, H) if V.single or known < CLOSE * V.squared else known

    def start(self, request: Request, b: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the factors at which a start begins, components as rows, as the matrix is solved."""
        init, k, (_, m, n) = request.first_init, request.n_components, self.data.V.shape
        number = request.first_replicate + b
        if self.drawn(request, start):
            # Of W alone, to which H is fitted first, as in the other solvers; see `initialise.random_factors`.
            assert self.matrix is not None
            size = (float(self.matrix.sums[0].sum()) / (m * n * k)) ** 0.5
            W = half_normals(m * k, number, request.seed, start).reshape(m, k) * size
            if len(self.rows) == m and is_small((m, n), self.data.dtype):
                W = W * self.data.filled_rows[0][:, None]
            return self.cut(W, np.zeros((k, n)))
        if isinstance(init, str) and init.startswith("nndsvd"):
            factors = self.singular(request, init, start, number)
            if factors is not None:
                return factors
        init = request.part_of_init(init, slice(b, b + 1))
        given = None if isinstance(init, str) else _plain_pair(init, self.data, k)
        if given is not None:
            return self.cut(*given)
        W, H = start_factors(self.data.problem(), k, init, seed=request.seed, start=start, first_replicate=number)
        return self.cut(W[0].numpy(), H[0].numpy())

    @staticmethod
    def drawn(request: Request, start: int) -> bool:
        """Tell whether a start is drawn at random."""
        return start > 0 or (isinstance(request.first_init, str) and request.first_init == "random")

    def cut(self, W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the factors of the matrix as it is solved, components as rows, of those of the whole."""
        short, long = W[self.rows].T, H[:, self.columns]
        if self.turned:
            short, long = long, short
        return np.array(short, dtype=np.float64, order="C"), np.array(long, dtype=np.float64, order="C")

    def singular(self, request: Request, init: str, start: int, number: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the start by singular vectors, or None where they must come from elsewhere.

        Those of a start that was asked for by name are as exact as those of LAPACK.
        """
        V, k = self.matrix, request.n_components
        assert V is not None
        if k > V.shape[0]:
            return None
        named = request.init != "auto"
        found = leading_vectors(V, k, THOROUGH if named else STEPS, exact=named)
        if found is None:
            return None
        W, H = nndsvd(*found)
        _, m, n = self.data.V.shape
        level = float(V.sums[0].sum()) / (m * n)
        if init == "nndsvdar":
            # Its small random values have their places in the whole.
            nothing = Factors(torch.zeros((1, m, k)), torch.zeros((1, k, n)))
            noise = fill_zeros(init, nothing, torch.tensor([level]), request.seed, start, [number])
            fill: Any = self.cut(noise.W[0].numpy(), noise.H[0].numpy())
        else:
            fill = (level, level) if init == "nndsvda" else (0.0, 0.0)
        # Small problems begin at W alone, as their batches do.
        of_W = k == 2 or is_small((m, n), self.data.dtype)
        return np.where(W == 0, fill[0], W), np.zeros_like(H) if of_W else np.where(H == 0, fill[1], H)


def _plain_pair(init: Any, data: Data, k: int) -> tuple[np.ndarray, np.ndarray] | None:
    # Given factors that are complete and of ordinary scale, as are the data; None for others, which `start_factors`
    # completes, rescales or refuses.
    if not all(type(x) is np.ndarray for x in init) or float(data.scale[0]) != 1:
        return None
    W, H = (x[0] if x.ndim == 3 and len(x) == 1 else x for x in init)
    _, m, n = data.V.shape
    if W.shape != (m, k) or H.shape != (k, n) or W.dtype.kind != "f" or H.dtype.kind != "f":
        return None
    low, high = SAFE_FACTOR
    for x in (W, H):
        if not (np.isfinite(x).all() and (x >= 0).all() and low < x.max() < high):
            return None
    largest = float(W.max()) * float(H.max()) / max(float(data.largest), 1e-300)
    return (W, H) if SAFE_PRODUCT[0] < largest < SAFE_PRODUCT[1] else None


def _without_dead(request: Request, result: Result) -> Result:
    # A component that has died is given back by the loop on tensors, where there are data that it could take.
    dead = [b for b, (W, H) in enumerate(zip(result.W, result.H, strict=True)) if not (W.any(0) & H.any(1)).all()]
    if request.stop.tol == 0:
        return result
    for b in dead:
        W, H = (x[b].astype(np.float64) for x in (result.W, result.H))
        if result.loss[b] <= SLACK * float(((W.T @ W) * (H @ H.T)).sum()):
            continue  # V is reached but for rounding
        data = request.V if request.V.ndim == 2 or isinstance(request.V, SparseMatrix) else request.V[b : b + 1]
        init = result.W[b], result.H[b]
        further = solve_batch(request.with_data(data, init=init, starts=1, progress=None))
        if clearly_better(float(further.loss[0]), float(result.loss[b])):
            further.n_iter[0] += result.n_iter[b]
            further.start[0] = result.start[b]
            for name in FIELDS:
                getattr(result, name)[b] = getattr(further, name)[0]
    return result


def _matrix(V: Any, rows: np.ndarray, columns: np.ndarray, turned: bool) -> Matrix:
    # Some rows and columns of a dense or sparse V: as cells where they are few, or where all would not fit into memory.
    entries, sparse, single = len(rows) * len(columns), isinstance(V, SparseMatrix), _is_single(V)
    if not sparse:
        for axis, kept in ((1, columns), (0, rows)):
            V = V.take(kept, axis=axis) if len(kept) < V.shape[axis] else V
    dtype = np.float32 if single and entries > SINGLE else np.float64
    filled = V.nnz / entries if sparse else _filled(V)
    if filled <= SCATTERED / (2 if single else 1) or (sparse and entries > DENSE_ENTRIES):
        by_row: Any = None if sparse else scipy.sparse.csr_array(V)
        pair = V.filled(rows, columns) if sparse else (by_row, scipy.sparse.csr_array(by_row.T))
        first, second = (x.astype(dtype, copy=False) for x in (pair[::-1] if turned else pair))
        return Scattered(first, second)
    squared = V.squared if sparse else None
    V = V.filled_dense(rows, columns, dtype) if sparse else V
    V = V.T if turned else V
    return Full(np.ascontiguousarray(V, dtype=dtype), squared)


def _is_single(V: Any) -> bool:
    return bool(V.dtype == (torch.float32 if isinstance(V, SparseMatrix) else np.float32))


def _filled(V: np.ndarray) -> float:
    # The fraction of entries that are not zero, by some of the rows: all say little more.
    some = V[:: max(1, V.size // SAMPLE)]
    return np.count_nonzero(some) / some.size


def _result(data: Data, best: list[tuple[Ended, int]]) -> Result:
    # The scale that was divided out of V comes back.
    ends = [ended for ended, _ in best]
    if any(s != 1 for s in data.scale.tolist()):
        for ended, scale in zip(ends, data.scale.tolist(), strict=True):
            ended.W, ended.H = (x * x.dtype.type(scale**0.5) for x in (ended.W, ended.H))
            ended.loss *= scale**2
    loss = np.array([ended.loss for ended in ends])
    return Result(
        W=ends[0].W[None] if len(ends) == 1 else np.stack([ended.W for ended in ends]),
        H=ends[0].H[None] if len(ends) == 1 else np.stack([ended.H for ended in ends]),
        loss=loss,
        divergence=loss.copy(),
        n_iter=np.array([ended.n_iter for ended in ends], dtype=np.int64),
        status=np.array([int(ended.status) for ended in ends], dtype=np.int64),
        kkt=np.array([ended.kkt for ended in ends], dtype=np.float64),
        start=np.array([start for _, start in best], dtype=np.int64),
    )
