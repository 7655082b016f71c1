"""The loop over dense problems: one start of every replicate, iterated until each is finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from .balance import excess, level, may_balance, may_level, rescale
from .course import Course
from .late import torch
from .losses import BetaDivergence
from .optimality import kkt_residual
from .problem import Factors, Problem, Thin
from .result import clearly_better
from .revive import Revival, renewed
from .rules.multiplicative import smallest
from .rules.resolve import OURS, UpdateRule
from .stopping import PENDING, Status, Stop

if TYPE_CHECKING:
    from torch import Tensor

# Columns without data are left out where at most this fraction of the columns remains.
NARROW = 0.75
# Finished replicates are dropped where at most this fraction of those iterated remains: copying the others costs too.
REMAINING = 0.75
# Entries of the reconstructions that are made at once for the losses.
LOSS_ENTRIES = 2**23


@dataclass
class Outcome:
    """Where one start of every replicate ended; filled as replicates finish."""

    W: Tensor
    H: Tensor
    n_iter: Tensor
    status: Tensor
    start: Tensor
    divergence: Tensor
    loss: Tensor
    kkt: Tensor

    @classmethod
    def pending(cls, factors: Factors, start: int) -> Outcome:
        """Return the outcome of no iteration at all."""
        whole = torch.zeros(len(factors.W), dtype=torch.int64, device=factors.W.device)
        return cls(
            W=factors.W.clone(),
            H=factors.H.clone(),
            n_iter=whole.clone(),
            status=torch.full_like(whole, int(Status.MAX_ITER)),
            start=torch.full_like(whole, start),
            divergence=whole.double(),
            loss=whole.double(),
            kkt=whole.double(),
        )

    def record(self, rows: Tensor, factors: Factors, status: Tensor, n_iter: int) -> None:
        """Store where the replicates `rows` ended."""
        self.W[rows], self.H[rows] = factors
        self.n_iter[rows], self.status[rows] = n_iter, status

    def better_of(self, other: Outcome) -> Outcome:
        """Return, replicate by replicate, the outcome of clearly lower loss; a finite one beats a non-finite one."""
        wins = clearly_better(other.loss, self.loss)
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return Outcome(
            **{
                name: torch.where(wins.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)
                for name, mine, theirs in pairs
            }
        )


def iterate(
    problem: Problem,
    thin: Thin | None,
    factors: Factors,
    rule: UpdateRule,
    stop: Stop,
    seen: Course,
    progress: Callable[[int], None] | None,
) -> Outcome:
    """Iterate every replicate until it is finished.

    Parameters
    ----------
    problem : Problem
        B replicates.
    thin : Thin, optional
        The same problem without empty columns, which takes its place after the first iteration.
    factors : Factors
        The start.
    rule : UpdateRule
        One iteration.
    stop : Stop
        When a replicate is finished.
    seen : Course
        Whose start it is, for the record, and which is given the number of each iteration.
    progress : callable, optional
        Called with the number of finished replicates at every convergence test.

    Returns
    -------
    Outcome
    """
    whole = problem
    outcome = Outcome.pending(factors, seen.start - 1)
    rows = torch.arange(problem.V.shape[0], device=problem.V.device)
    pending = torch.ones_like(rows, dtype=torch.bool)
    criterion = stop.criterion_for(problem, factors)
    step: Any = rule
    remembers = hasattr(rule, "begin")
    memory: Any = step.begin(problem, factors) if remembers else None
    balanced = may_balance(problem, rule, memory)
    revival = Revival.of(problem, rule, stop.tol)
    every = stop.interval(rule)
    columns, n = None, problem.V.shape[-1]
    for n_iter in range(1, stop.max_iter + 1):
        seen.n_iter = n_iter - 1
        if remembers:
            factors, memory = step(problem, factors, memory)
        else:
            factors = Factors(*step(problem, factors))
        if n_iter == 1 and thin is not None and _left_empty(whole, factors):
            columns, problem = thin
            whole = problem
            factors = Factors(factors.W, factors.H[..., columns])
            outcome.H = outcome.H[..., columns]
            criterion.narrow(columns)
        last, check = n_iter == stop.max_iter, n_iter % every == 0
        if not (last or check):
            continue
        finite = _finite(factors)
        by = excess(factors) if balanced else None
        if by is not None:
            factors, memory = rescale(factors, by), None if memory is None else memory.rescale(by)
        asked = pending & finite
        if hasattr(memory, "distance") and stop.criterion == "change":
            asked = asked & (memory.distance <= stop.tol)  # the rule's own estimate
        status = criterion.verdict(problem, factors, asked) if check else torch.full_like(rows, PENDING)
        if revival is not None and bool((status != PENDING).any()):
            factors, status, renew = revival.apply(problem, factors, status)
            if renew is not None and remembers:
                memory = renewed(step, problem, factors, memory, renew)
        if last:
            status = torch.where(status == PENDING, int(Status.MAX_ITER), status)
        status = torch.where(finite, status, int(Status.NON_FINITE))
        status = torch.where(pending, status, PENDING)
        ending = status != PENDING
        if bool(ending.any()):
            outcome.record(rows[ending], Factors(factors.W[ending], factors.H[ending]), status[ending], n_iter)
            pending = pending & ~ending
        left = int(pending.sum())
        if progress is not None:
            progress(len(outcome.n_iter) - left)
        if left == 0:
            break
        # Finished replicates are carried along, unrecorded, until enough of them can be dropped at once.
        if left <= REMAINING * len(pending):
            keep = pending.nonzero()[:, 0]
            problem, rows, pending = problem.select(keep), rows[keep], pending[keep]
            factors = Factors(factors.W[keep], factors.H[keep])
            criterion.select(keep)
            if revival is not None:
                revival.select(keep)
            memory = None if memory is None else memory.select(keep)
    if may_level(whole, rule, stop):
        outcome.W, outcome.H = level(Factors(outcome.W, outcome.H))
    _conclude(whole, outcome, iterated=stop.max_iter > 0)
    if columns is not None:
        outcome.H = outcome.H.new_zeros((*outcome.H.shape[:-1], n)).index_copy_(-1, columns, outcome.H)
    return outcome


def without_empty_columns(problem: Problem, rule: UpdateRule) -> Thin | None:
    """Return the problem without the columns where no replicate has data, or None where that gains nothing.

    After its first update H is zero there, and stays so: counts in images leave most columns empty. Rules and losses of
    the user's own may do otherwise.
    """
    ours = isinstance(rule, OURS)
    known = isinstance(problem.loss, BetaDivergence) and problem.loss.beta >= 1
    if not (ours and known) or problem.hold is not None or problem.weight is not None:
        return None
    filled = problem.filled_columns.any(dim=0)
    columns = filled.nonzero()[:, 0]
    return Thin(columns, problem.narrow(columns)) if 0 < len(columns) <= NARROW * len(filled) else None


def _left_empty(problem: Problem, factors: Factors) -> bool:
    # Whether H is zero in every column without data.
    empty = ~problem.filled_columns.any(dim=0)
    return not bool((factors.H.amax(dim=(0, 1)) * empty != 0).any())


def _conclude(problem: Problem, outcome: Outcome, *, iterated: bool) -> None:
    # The smallest entries become zeros; then the losses and the residual, of the factors as they are returned.
    places = (("W", outcome.W, problem.filled_rows[:, :, None]), ("H", outcome.H, problem.filled_columns[:, None]))
    for name, factor, filled in places:
        if problem.hold != name and iterated:
            factor.masked_fill_(factor <= smallest(factor.dtype), 0.0)
            # Where a component has died its other factor stays as it was; without data it must be zero all the same.
            factor.mul_(filled)
    found = Factors(outcome.W, outcome.H)
    outcome.divergence, penalties = _losses(problem, found)
    outcome.loss = outcome.divergence + penalties
    outcome.kkt = kkt_residual(problem, found).double()


def _finite(factors: Factors) -> Tensor:
    # A sum is finite only if all its terms are: faster than a test of every entry, and overflow is a failure too.
    return torch.isfinite(factors.W.sum(dim=(-2, -1)) + factors.H.sum(dim=(-2, -1)))


def _losses(problem: Problem, factors: Factors) -> tuple[Tensor, Tensor]:
    # In float64, a few replicates at a time: the reconstruction of a whole batch need not fit in memory.
    B, m, n = problem.V.shape
    size = max(1, LOSS_ENTRIES // (m * n))
    if size >= B:
        return problem.divergence(factors), problem.penalty(factors)
    parts = []
    for first in range(0, B, size):
        rows = torch.arange(first, min(first + size, B), device=problem.V.device)
        part, some = problem.select(rows), Factors(factors.W[rows], factors.H[rows])
        parts.append((part.divergence(some), part.penalty(some)))
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
