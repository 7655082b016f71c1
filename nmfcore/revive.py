"""Components that have died: a fixed point of every rule, and no optimum while there are data that they could take.

Where a column of W is zero the row of H has no effect, and the other way round, so no gradient tells what the pair
could gain: some of V - W H, where that is positive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .late import torch
from .matrix import SparseMatrix
from .problem import Factors, Problem
from .rules.multiplicative import MultiplicativeUpdate, smallest
from .rules.resolve import OURS, UpdateRule
from .stopping import PENDING, Status, mass_limit

if TYPE_CHECKING:
    from torch import Tensor

# Times that a replicate gets a dead component back.
REVIVALS = 8


class Revival:
    """What is done about dead components, where they can be given back; how often it was, shape (B,)."""

    def __init__(self, problem: Problem, rule: UpdateRule, tol: float) -> None:
        self.limit = tol
        self.able = isinstance(rule, OURS) and not isinstance(rule, MultiplicativeUpdate)
        self.times = torch.zeros(problem.V.shape[0], dtype=torch.int64, device=problem.V.device)

    @classmethod
    def of(cls, problem: Problem, rule: UpdateRule, tol: float) -> Revival | None:
        """Return one, or None where a component may rightly be zero, or zeros are not ours to change."""
        penalised = any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H))
        ours = isinstance(rule, OURS) and problem.hold is None and problem.weight is None
        return None if penalised or not ours or tol == 0 else cls(problem, rule, tol)

    def apply(self, problem: Problem, factors: Factors, status: Tensor) -> tuple[Factors, Tensor, Tensor | None]:
        """Return the factors with a component given back, the status of every replicate, and which were changed.

        Of replicates that would end with a dead component while more than the tolerance of V's sum is positive in a row
        of V - W H, that row becomes the component; without the right to, they end as `Status.STUCK`. The loss falls:
        in those cells the reconstruction becomes V.
        """
        ended = (status == int(Status.CONVERGED)) | (status == int(Status.STUCK))
        rows = (ended & dead_components(factors).any(-1)).nonzero()[:, 0]
        if len(rows) == 0:
            return factors, status, None
        some, chosen = Factors(*(x.index_select(0, rows) for x in factors)), problem.select(rows)
        row, left, mass = _largest_row(chosen, some)
        wanting = mass > mass_limit(self.limit, left.dtype)
        rows, row, left, some = rows[wanting], row[wanting], left[wanting], Factors(*(x[wanting] for x in some))
        if len(rows) == 0:
            return factors, status, None
        again = self.times[rows] < REVIVALS if self.able else torch.zeros_like(rows, dtype=torch.bool)
        status = status.index_fill(0, rows, int(Status.STUCK)).index_fill(0, rows[again], PENDING)
        rows, row, left, some = rows[again], row[again], left[again], Factors(*(x[again] for x in some))
        if len(rows) == 0:
            return factors, status, None
        self.times[rows] += 1
        which, one = dead_components(some).int().argmax(-1), torch.arange(len(rows), device=rows.device)
        size = left.sum(-1).sqrt()
        W, H = some.W.clone(), some.H.clone()
        W[one, :, which] = 0.0
        W[one, row, which] = size
        H[one, which] = left / size[:, None]
        return Factors(factors.W.index_copy(0, rows, W), factors.H.index_copy(0, rows, H)), status, rows

    def select(self, rows: Tensor) -> None:
        """Keep the replicates `rows`."""
        self.times = self.times.index_select(0, rows)


def renewed(rule: Any, problem: Problem, factors: Factors, memory: Any, rows: Tensor) -> Any:
    """Return the memory of a rule, a tuple of Tensors with the replicate axis first, begun anew in some replicates."""
    fresh = rule.begin(problem.select(rows), Factors(*(x.index_select(0, rows) for x in factors)))
    return type(memory)(*(old.index_copy(0, rows, new) for old, new in zip(memory, fresh, strict=True)))


def dead_components(factors: Factors) -> Tensor:
    """Return which components are zero, or as good as zero, in one of the factors; bool, shape (B, k)."""
    least = smallest(factors.W.dtype)
    return (factors.W.amax(-2) <= least) | (factors.H.amax(-1) <= least)


def _largest_row(problem: Problem, factors: Factors) -> tuple[Tensor, Tensor, Tensor]:
    # The row with most of the positive part of V - W H: its number (B,), that part (B, n), and its fraction of sum(V).
    total = problem.V.sum(dim=(-2, -1))
    if isinstance(problem.V, SparseMatrix):
        left = problem.V.positive_residual(*factors)
        row = torch.from_numpy(left.sum(axis=1)).argmax()[None]
        part = torch.from_numpy(left[[int(row)]].toarray()).to(factors.W.dtype)
    else:
        left = torch.baddbmm(problem.V, *factors, alpha=-1).clamp_min_(0)
        row = left.sum(-1).argmax(-1)
        part = left[torch.arange(len(row), device=row.device), row]
    return row, part, part.sum(-1) / torch.where(total > 0, total, 1.0)
