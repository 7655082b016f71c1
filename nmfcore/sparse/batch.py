"""Dense batches of small problems, solved by the compiled kernels as sparse ones are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dense import Dense, Solver
from ..initialise import GRAM_RANGE, fill_zeros, nndsvd
from ..kernels import LANES
from ..kernels.compiling import switched_off
from ..kernels.parallel import in_parallel, kernels_only
from ..late import is_tensor, torch
from ..losses import BetaDivergence
from ..optimality import examine
from ..pattern import SharedPattern
from ..problem import Factors, build_problem, checked
from ..request import Request
from ..result import FIELDS, Result
from ..rules.hals import ExtrapolatedHALS
from ..rules.multiplicative import smallest
from ..rules.resolve import OURS
from ..scale import are_extreme, level_of
from ..stopping import KKT_MARGIN, ROUNDING, SLOWEST, Status, mass_limit
from .plan import plan_pattern

if TYPE_CHECKING:
    from torch import Tensor

# Batches of fewer problems are not worth a first call that waits for the compiler.
FEWEST = 2 * LANES
# Problems per lane that a thread should solve in one go: the last ones wait for each other.
LONG = 4
# Iterations after which the others would wait for a start for too long.
MOST = 1000
# The values of as many small problems as are solved side by side must stay in the processor's cache, in bytes.
TILE = 2**21

# Up to this length of the short side the compiled eigenvectors take less time than those of LAPACK.
SHORT = 32


def is_small(shape: tuple[int, int], dtype: np.dtype | torch.dtype) -> bool:
    """Tell whether batches of dense problems of this shape are solved by kernels, and single ones by the same rule."""
    return shape[0] * shape[1] * LANES * dtype.itemsize <= TILE


def suits(request: Request) -> bool:
    """Tell whether a request is for a dense batch on the CPU that kernels may solve: many problems, loss and rule.

    Its replicates' results are those of single fits within the tolerance of the convergence test, since these follow
    the same rule.
    """
    V = request.V
    if not (isinstance(V, np.ndarray) or is_tensor(V)) or V.ndim != 3 or len(V) < FEWEST or 0 in V.shape:
        return False
    if not request.on_cpu or (is_tensor(V) and V.device.type != "cpu"):
        return False
    beta = request.loss.beta if isinstance(request.loss, BetaDivergence) else None
    plain = request.weight is None and request.hold is None and request.stop.criterion == "change"
    return plain and beta in (1, 2) and isinstance(request.update, (str, *OURS)) and request.stop.max_iter > 0


@dataclass(frozen=True)
class Tiled:
    """The compiled loops for a batch of small problems; for others what solves them as they are.

    Attributes
    ----------
    request : Request
        One that suits.
    otherwise : Solver
        For problems that are not small, and for data of extreme scale.
    """

    request: Request
    otherwise: Solver

    def solve(self) -> Result:
        """Return the solution, where V is."""
        V = checked(self.request.V, self.request.dtype)
        if not is_small((V.shape[1], V.shape[2]), V.dtype):
            return self.otherwise.solve()
        data = V.numpy()
        # Kernels know one scale for all; of which the smallest starts would have entries that count as none.
        if are_extreme(data.max(axis=(1, 2))).any():
            return self.otherwise.solve()
        if raced(self.request):
            result = Raced(self.request, V, self.otherwise).solve()
            return result.map(torch.from_numpy) if is_tensor(self.request.V) else result
        pattern = SharedPattern.from_dense(data, dtype=data.dtype)
        solver = plan_pattern(self.request.with_data(pattern, dtype=V.dtype, device=None))
        if isinstance(solver, Dense):
            return self.otherwise.solve()
        result = solver.solve()
        return result.map(torch.from_numpy) if is_tensor(self.request.V) else result


def raced(request: Request) -> bool:
    """Tell whether starts may race: by the default rule and starts, of more than two components, without penalties."""
    squares = isinstance(request.loss, BetaDivergence) and request.loss.beta == 2
    by_default = isinstance(request.update, str) and request.update in ("auto", "ehals")
    started = isinstance(request.init, str) and request.init in ("auto", "random")
    plain = not any(request.penalty.coefficients(1, 1)) and request.stop.tol > 0 and request.n_components > 2
    return squares and by_default and started and plain and not switched_off()


@dataclass(frozen=True)
class Raced:
    """Small dense problems by a kernel of their own, in which starts that cannot win are given up.

    Attributes
    ----------
    request : Request
        One whose starts may race.
    V : Tensor, shape (B, m, n)
        Its data, checked.
    otherwise : Solver
        For problems that the kernel does not bring to an end: one that has a request, as all have.
    """

    request: Request
    V: Tensor
    otherwise: Any

    @kernels_only()
    def solve(self) -> Result:
        """Return the best of all starts of every replicate, in arrays."""
        request, B = self.request, len(self.V)
        problem = build_problem(self.V.double())
        W, H, n_iter, status, start = self.run(problem.V.numpy())
        kept = str(self.V.dtype).removeprefix("torch.")
        level = level_of(np.square(W).sum(axis=1), np.square(H).sum(axis=2))
        factors = [(W * level[:, None]).astype(kept), (H / level[:, :, None]).astype(kept)]
        for factor in factors:
            factor[factor <= smallest(self.V.dtype)] = 0.0
        ended = Factors(*(torch.from_numpy(factor.astype(np.float64, copy=False)) for factor in factors))
        growing, locked, kkt = (x.numpy() for x in examine(problem, ended))
        limit = mass_limit(request.stop.tol, self.V.dtype)
        loss = problem.divergence(ended).numpy()
        result = Result(factors[0], factors[1], loss, loss.copy(), n_iter, status, kkt, start)
        optimal = (growing <= limit) & (locked <= limit) & (kkt <= KKT_MARGIN * limit)
        for b in np.flatnonzero(~optimal | (status == Status.MAX_ITER)):
            self.go_on(result, int(b))
        if request.progress is not None:
            request.progress(B, B)
        return result

    def run(self, V: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return W, H, the iterations, statuses and starts of the winners."""
        from ..kernels.small import Answers, Asked, lay, solve

        request, rule = self.request, ExtrapolatedHALS()
        (B, m, n), k, stop = V.shape, request.n_components, request.stop
        # The kernel looks at its problems every so many iterations, the last of which must be one of them.
        limit = min(stop.max_iter, MOST)
        of_vectors = request.first_init != "random"
        asked = Asked(
            np.ascontiguousarray(V), np.tile(np.arange(m, dtype=np.int32), n), request.first_replicate,
            np.uint64(request.seed % 2**64), request.number_of_starts, of_vectors, rule.sweeps_W, rule.sweeps_H,
            float(stop.tol), SLOWEST, ROUNDING * float(np.finfo(np.float64).eps), limit,
            math.gcd(stop.interval(rule), limit),
        )  # fmt: skip
        whole = (np.zeros(B, np.int64) for _ in range(3))
        given = self.of_vectors() if of_vectors else np.zeros((B, m, k))
        answers = Answers(np.zeros((B, m, k)), np.zeros((B, k, n)), *whole)

        def work(first: int, last: int) -> None:
            solve(lay(m, n, k), asked, given, first, last, (0,) * k, answers)

        in_parallel(work, B, grain=LONG * LANES)
        return tuple(answers)

    def of_vectors(self) -> np.ndarray:
        """Return the W of the first start, made of singular vectors; H is fitted to it first."""
        V, k = self.V.double(), self.request.n_components
        factors, means = nndsvd(V, k, self.vectors(V.numpy(), k)), V.mean(dim=(-2, -1))
        return np.ascontiguousarray(fill_zeros("nndsvda", factors, means, 0, 0, ()).W.numpy())

    def vectors(self, V: np.ndarray, k: int) -> tuple[Tensor, Tensor, Tensor] | None:
        """Return leading singular vectors as `leading_svd` does, or None where it finds them as fast."""
        from ..kernels.vectors import leading_vectors

        tall = V.shape[1] > V.shape[2]
        short = V.transpose(0, 2, 1) if tall else V
        if not k <= short.shape[1] <= SHORT:
            return None
        squares, U = leading_vectors(
            short @ short.transpose(0, 2, 1), k, lambda work, B: in_parallel(work, B, grain=LONG * LANES)
        )
        S = np.sqrt(np.maximum(squares, 0.0))
        if (S[:, -1] <= GRAM_RANGE * S[:, 0]).any():
            return None
        right = torch.from_numpy((U @ short) / S[:, :, None])
        left = torch.from_numpy(U).mT
        return (right.mT, torch.from_numpy(S), left.mT) if tall else (left, torch.from_numpy(S), right)

    def go_on(self, result: Result, b: int) -> None:
        """Go on by itself with a replicate that has come to rest without being optimal, or takes longer than most."""
        left = self.request.stop.max_iter - int(result.n_iter[b])
        if left <= 0:
            return
        stop = replace(self.request.stop, max_iter=left)
        init = (result.W[b], result.H[b]) if np.isfinite(result.loss[b]) else "auto"
        alone = self.request.with_data(
            self.V[b : b + 1].numpy(), init=init, starts=1, stop=stop, update="auto", device=None, progress=None
        )
        one = replace(self.otherwise, request=alone).solve()
        one.n_iter[0] += result.n_iter[b]
        one.start[0] = result.start[b]
        for name in FIELDS:
            getattr(result, name)[b] = getattr(one, name)[0]
