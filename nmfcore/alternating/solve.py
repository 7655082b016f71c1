"""The solver of one dense or sparse matrix on the CPU, and of a few of them one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from ..initialise import fill_zeros, nndsvd, require_components, start_factors
from ..losses import BetaDivergence
from ..matrix import SparseMatrix
from ..problem import Problem, build_problem
from ..request import Request
from ..result import Result, clearly_better
from ..rules.multiplicative import smallest
from ..stopping import Status
from .iterate import Ended, iterate
from .products import SCATTERED, SINGLE, STEPS, THOROUGH, Full, Matrix, Scattered, leading_vectors

# Below this fraction of the sum of squares a loss is summed entry by entry: the difference of the sums would be rounding.
CLOSE = 1e-3


def refusal(request: Request) -> str | None:
    """Return why these iterations do not solve a request, or None if they do."""
    if not (isinstance(request.loss, BetaDivergence) and request.loss.beta == 2):
        return "the loss is not that of least squares"
    if request.update != "auto":
        return "another rule is asked for"
    penalised = request.penalty.alpha_W > 0 or (request.penalty.alpha_H or 0) > 0
    if request.weight is not None or request.hold is not None or penalised:
        return "weights, penalties and held factors are for the other rules"
    if not request.on_cpu or (isinstance(request.V, Tensor) and request.V.device.type != "cpu"):
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
        request = self.request
        problem = build_problem(request.V, device=request.device, dtype=request.dtype)
        require_components(request.n_components)
        B, starts = problem.V.shape[0], request.number_of_starts
        best: list[tuple[Ended, int]] = []
        for b in range(B):
            one = problem.select(torch.tensor([b])) if B > 1 else problem
            V = Narrow.of(one)
            for start in range(starts):
                ended = V.solve(request, b, start)
                if start == 0:
                    best.append((ended, start))
                elif clearly_better(ended.loss, best[b][0].loss):
                    best[b] = ended, start
                if request.progress is not None:
                    request.progress(b * starts + start + 1, B * starts)
        return _result(request.V, problem, best)


@dataclass(frozen=True)
class Narrow:
    """One matrix without its empty rows and columns, the short side first, and where these stand in the whole."""

    problem: Problem
    matrix: Matrix | None
    rows: np.ndarray
    columns: np.ndarray
    turned: bool

    @classmethod
    def of(cls, problem: Problem) -> Narrow:
        """Return the matrix of a problem of one replicate."""
        rows, columns = (np.flatnonzero(x[0].numpy()) for x in (problem.filled_rows, problem.filled_columns))
        turned = len(rows) > len(columns)
        if not len(rows):
            return cls(problem, None, rows, columns, turned)
        _, m, n = problem.V.shape
        if isinstance(problem.V, SparseMatrix):
            cells = problem.V.rows_of(rows, columns)
            few = cells.nnz <= SCATTERED * cells.shape[0] * cells.shape[1]
            V = cells if few else cells.toarray()
        else:
            V = problem.V[0].numpy()
            if len(columns) < n:
                V = V.take(columns, axis=1)
            if len(rows) < m:
                V = V.take(rows, axis=0)
            if np.count_nonzero(V) <= SCATTERED * V.size:
                V = scipy.sparse.csr_array(V)
        V = V.T if turned else V
        if V.shape[0] * V.shape[1] <= SINGLE:
            V = V.astype(np.float64, copy=False)
        matrix = Scattered(scipy.sparse.csr_array(V)) if scipy.sparse.issparse(V) else Full(np.ascontiguousarray(V))
        return cls(problem, matrix, rows, columns, turned)

    def solve(self, request: Request, b: int, start: int) -> Ended:
        """Return where a start of replicate `b` ends, as factors of the whole matrix: W (m, k) and H (k, n)."""
        W, H = self.start(request, b, start)
        if self.matrix is None:
            return Ended(np.zeros_like(W), np.zeros_like(H), 0.0, 1, Status.CONVERGED, 0.0)
        short, long = W[self.rows].T, H[:, self.columns]
        if self.turned:
            short, long = long, short
        double = np.dtype(np.float64)
        ended = iterate(self.matrix, short.astype(double), long.astype(double), request.stop)
        size = [np.sqrt(np.square(x).sum(axis=1)) for x in (ended.W, ended.H)]
        # Both factors get the same size, as those of singular vectors have it.
        level = np.sqrt(size[1] / np.where(size[0] > 0, size[0], 1.0))
        level = np.where(level > 0, level, 1.0)[:, None]
        kept = str(self.problem.V.dtype).removeprefix("torch.")
        W, H = ((ended.W * level).astype(kept), (ended.H / level).astype(kept))
        for factor in (W, H):
            factor[factor <= smallest(self.problem.V.dtype)] = 0.0
        if self.matrix.single or ended.loss < CLOSE * self.matrix.squared():
            ended.loss = 0.5 * self.matrix.distance(W.astype(double), H.astype(double))
        if self.turned:
            W, H = H, W
        _, m, n = self.problem.V.shape
        ended.W, ended.H = np.zeros((m, len(W)), kept), np.zeros((len(H), n), kept)
        ended.W[self.rows], ended.H[:, self.columns] = W.T, H
        return ended

    def start(self, request: Request, b: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Return W (m, k) and H (k, n) at which a start begins."""
        init, k = "random" if start else request.first_init, request.n_components
        number = request.first_replicate + b
        svd = None if init == "random" or not isinstance(init, str) else self.singular(request)
        if svd is None:
            init = request.part_of_init(init, slice(b, b + 1))
            factors = start_factors(
                self.problem, k, init, seed=request.seed, start=start, first_replicate=number
            )  # fmt: skip
        else:
            means = self.problem.V.mean(dim=(-2, -1))
            like = torch.empty(self.problem.V.shape, dtype=means.dtype, device="meta")
            factors = fill_zeros(init, nndsvd(like, k, svd=svd), means, request.seed, start, [number])
        return factors.W[0].numpy(), factors.H[0].numpy()

    def singular(self, request: Request) -> tuple[Tensor, Tensor, Tensor] | None:
        """Return the leading singular vectors of the whole, or None where they must come from elsewhere.

        Those of a start that was asked for by name are as exact as those of LAPACK.
        """
        k = request.n_components
        if self.matrix is None or k > self.matrix.shape[0]:
            return None
        named = request.init != "auto"
        found = leading_vectors(self.matrix, k, THOROUGH if named else STEPS, exact=named)
        if found is None:
            return None
        left, S, right = found
        if self.turned:
            left, right = right, left
        _, m, n = self.problem.V.shape
        U, Vh = np.zeros((m, k)), np.zeros((k, n))
        U[self.rows], Vh[:, self.columns] = left.T, right
        return torch.from_numpy(U)[None], torch.from_numpy(np.ascontiguousarray(S))[None], torch.from_numpy(Vh)[None]


def _result(V: Any, problem: Problem, best: list[tuple[Ended, int]]) -> Result:
    # The scale that was divided out of V comes back.
    size, root = problem.loss_scale.numpy(), problem.scale.sqrt().numpy()
    ends = [ended for ended, _ in best]
    loss = np.array([ended.loss for ended in ends]) * size
    result = Result(
        W=np.stack([ended.W * ended.W.dtype.type(s) for ended, s in zip(ends, root, strict=True)]),
        H=np.stack([ended.H * ended.H.dtype.type(s) for ended, s in zip(ends, root, strict=True)]),
        loss=loss,
        divergence=loss.copy(),
        n_iter=np.array([ended.n_iter for ended in ends], dtype=np.int64),
        status=np.array([int(ended.status) for ended in ends], dtype=np.int64),
        kkt=np.array([ended.kkt for ended in ends], dtype=np.float64),
        start=np.array([start for _, start in best], dtype=np.int64),
    )
    return result.map(torch.from_numpy) if isinstance(V, Tensor) else result
