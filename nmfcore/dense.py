"""The two solvers that iterate on tensors: dense batches, and one large sparse matrix by its products alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .course import course
from .initialise import start_factors
from .iterate import Outcome, iterate, without_empty_columns
from .late import is_tensor, torch
from .losses import BetaDivergence
from .memory import in_halves
from .pattern import SharedPattern
from .problem import Factors, Problem, build_problem
from .request import Request
from .result import Result, concatenate
from .rules.hals import fits_H_first
from .rules.resolve import OURS, resolve_rule

# Dense chunks of a pattern hold at most this many entries of V.
CHUNK_ENTRIES = 2**24


class Solver(Protocol):
    """A way to solve a request; the result has the replicate axis, and is where V is."""

    def solve(self) -> Result:
        """Return the solution."""
        ...


@dataclass(frozen=True)
class Dense:
    """The loop over a dense batch; a `SharedPattern` that no kernel solves is made dense a chunk at a time."""

    request: Request

    def solve(self) -> Result:
        """Return the solution; where memory runs out, halves of the batch are solved one after the other."""
        if isinstance(self.request.V, SharedPattern):
            return solve_chunks(self.request)
        return in_halves(solve_batch, self.request)


@dataclass(frozen=True)
class Products:
    """The same loop where V is a `SparseMatrix`, which never becomes dense: least squares need its products alone."""

    request: Request

    def solve(self) -> Result:
        """Return the solution."""
        return solve_batch(self.request)


def solve_batch(request: Request) -> Result:
    """Return the best of all starts of every replicate; V is dense, or a `SparseMatrix`."""
    problem = build_problem(
        request.V, loss=request.loss, weight=request.weight, penalty=request.penalty, hold=request.hold,
        device=request.device, dtype=request.dtype,
    )  # fmt: skip
    rule = resolve_rule(request.update, problem, request.n_components)
    B, starts = problem.V.shape[0], request.number_of_starts
    best: Outcome | None = None
    penalised = any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H))
    of_W = fits_H_first(rule) and not penalised and request.hold is None
    # Small problems spend their time in calls, which are faster so; rules and losses of users may need gradients.
    ours = isinstance(rule, OURS) and isinstance(problem.loss, BetaDivergence)
    with torch.inference_mode(ours), course(starts, request.stop.max_iter) as seen:
        thin = without_empty_columns(problem, rule)
        for start in range(starts):
            seen.begin(start + 1)
            factors = start_factors(
                problem, request.n_components, "random" if start else request.first_init, seed=request.seed,
                start=start, first_replicate=request.first_replicate, thin=thin,
            )  # fmt: skip
            if (start or (isinstance(request.first_init, str) and request.first_init == "random")) and of_W:
                factors = Factors(factors.W, torch.zeros_like(factors.H))
            progress = _offset(request.progress, start * B, starts * B)
            outcome = iterate(problem, thin, factors, rule, request.stop, seen, progress)
            best = outcome if best is None else best.better_of(outcome)
    assert best is not None
    return _in_units_of(request.V, problem, best)


def solve_chunks(request: Request) -> Result:
    """Return the solution of a `SharedPattern`, made dense a few replicates at a time."""
    pattern, starts = request.V, request.number_of_starts
    if pattern.on_device is not None and request.device is None:
        request = request.with_data(pattern, device=pattern.on_device)
    init = solve_sample(request, request.device) if request.guided else request.first_init
    B, m, n = pattern.shape
    numbers = pattern.float_dtype if request.dtype is None else np.dtype(str(request.dtype).removeprefix("torch."))
    size = max(1, CHUNK_ENTRIES // (m * n))
    parts = []
    for first in range(0, B, size):
        chosen = np.arange(first, min(first + size, B))
        chunk = request.with_data(
            pattern.to_dense(chosen, dtype=numbers), init=request.part_of_init(init, chosen), starts=starts,
            weight=request.part_of_weight(chosen), first_replicate=request.first_replicate + first, progress=None,
        )  # fmt: skip
        parts.append(in_halves(solve_batch, chunk))
        if request.progress is not None:
            request.progress(int(chosen[-1]) + 1, B)
    return concatenate(parts)


def solve_sample(request: Request, device: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return W (m, k) and H (k, n) of the sample that the replicates of a `SharedPattern` were drawn from."""
    sample = request.with_data(
        request.V.base_dense(dtype=np.float64), init=request.first_init, starts=request.number_of_starts,
        first_replicate=0, device=device, progress=None,
    )  # fmt: skip
    result = solve_batch(sample)
    return result.W[0], result.H[0]


def _offset(progress: Callable[[int, int], None] | None, before: int, total: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda finished: progress(before + finished, total)


def _in_units_of(V: Any, problem: Problem, outcome: Outcome) -> Result:
    # The scale that was divided out of V comes back, and the result goes to where V is.
    size = problem.loss_scale
    root = problem.scale.sqrt().to(outcome.W.dtype)[:, None, None]
    result = Result(
        W=outcome.W * root,
        H=outcome.H * root,
        loss=outcome.loss * size,
        divergence=outcome.divergence * size,
        # Copies, since tensors of inference mode are not for users.
        n_iter=outcome.n_iter.clone(),
        status=outcome.status.clone(),
        kkt=outcome.kkt.clone(),
        start=outcome.start.clone(),
    )
    return result.map(lambda x: x.to(V.device) if is_tensor(V) else x.cpu().numpy())
