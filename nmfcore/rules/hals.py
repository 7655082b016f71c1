"""Hierarchical alternating least squares (HALS) for the Frobenius loss, plain and extrapolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..late import torch
from ..losses import BetaDivergence
from ..problem import Factors, Problem

if TYPE_CHECKING:
    from torch import Tensor

# The extrapolation's first reach, what divides it after a turn, and how it and its ceiling grow (Ang & Gillis 2019,
# section 3.4).
MOMENTUM, SHRINK, GROW, GROW_LIMIT = 0.5, 1.5, 1.05, 1.01


@dataclass(frozen=True)
class HALS:
    """Hierarchical alternating least squares: each column of W, then each row of H, set to its exact minimum in turn.

    Frobenius loss, no weights; penalties and a held factor are supported. Unlike the multiplicative rule it can
    leave zero again, so its fixed points are stationary points of the objective.

    Parameters
    ----------
    inner : int
        Sweeps over one factor before turning to the other; the costly product with V is shared.

    References
    ----------
    Cichocki, Zdunek & Amari (2007), ICA 2007, LNCS 4666, 169; Gillis & Glineur (2012), Neural Computation 24, 1085.
    """

    inner: int = 1

    def supports(self, problem: Problem) -> str | None:
        """Return why this rule cannot solve `problem`, or None if it can."""
        return least_squares_only(problem, "HALS")

    def __call__(self, problem: Problem, factors: Factors) -> Factors:
        """Return the factors after the sweeps over W and those over H."""
        W, H = factors
        if problem.hold != "W":
            W = sweep(problem.V.mT, H.mT, W.mT, problem.filled_rows, problem.l1_W, problem.l2_W, self.inner).mT
        if problem.hold != "H":
            H = sweep(problem.V, W, H, problem.filled_columns, problem.l1_H, problem.l2_H, self.inner)
        return Factors(W, H)


class Momentum(NamedTuple):
    """What an extrapolated run remembers: what H is fitted to, and how far it reaches beyond W."""

    ahead: Tensor  # (B, m, k)
    step: Tensor  # (B,)
    ceiling: Tensor  # (B,)

    def select(self, rows: Tensor) -> Momentum:
        """Keep the replicates `rows`."""
        return Momentum(*(x.index_select(0, rows) for x in self))

    def rescale(self, by: Tensor) -> Momentum:
        """Return the memory of a run whose W was multiplied by `by`, shape (B, k)."""
        return self._replace(ahead=self.ahead * by[:, None, :])


@dataclass(frozen=True)
class ExtrapolatedHALS:
    """HALS with several sweeps per product with V, and W extrapolated along its last step before H is fitted to it.

    Each iteration fits H to the extrapolated W, then W to that H. The extrapolation grows while it helps; where a step
    turns against the one before, it begins anew from W. Extrapolating W alone does as well as extrapolating both
    factors, since H is all but a function of W, and needs no memory of H. Frobenius loss, no weights; penalties and a
    held factor are supported (with a held factor there is nothing to extrapolate).

    Parameters
    ----------
    sweeps_W, sweeps_H : int
        Sweeps over either factor for one product with V. W is short, and its sweeps cost next to nothing.

    References
    ----------
    Ang & Gillis (2019), Neural Computation 31, 417 (the schedule); Gillis & Glineur (2012), Neural Computation 24, 1085
    (the sweeps); O'Donoghue & Candes (2015), Foundations of Computational Mathematics 15, 715 (the test for turning).
    """

    sweeps_W: int = 4
    sweeps_H: int = 2
    every = 2

    def supports(self, problem: Problem) -> str | None:
        """Return why this rule cannot solve `problem`, or None if it can."""
        return least_squares_only(problem, "extrapolated HALS")

    def begin(self, problem: Problem, factors: Factors) -> Momentum:
        """Return the memory at the start, where H is first fitted to what W becomes with the H that is given."""
        step = torch.full_like(factors.W[:, 0, 0], MOMENTUM)
        ahead = factors.W
        if problem.hold is None:
            ahead = sweep(
                problem.V.mT, factors.H.mT, ahead.mT, problem.filled_rows, problem.l1_W, problem.l2_W, self.sweeps_W
            ).mT
        return Momentum(ahead, step, torch.ones_like(step))

    def __call__(self, problem: Problem, factors: Factors, memory: Momentum) -> tuple[Factors, Momentum]:
        """Return the factors and the memory after one iteration."""
        W, H = factors
        if problem.hold != "H":
            H = sweep(problem.V, memory.ahead, H, problem.filled_columns, problem.l1_H, problem.l2_H, self.sweeps_H)
        if problem.hold == "W":
            return Factors(W, H), memory
        new = sweep(
            problem.V.mT, H.mT, memory.ahead.mT, problem.filled_rows, problem.l1_W, problem.l2_W, self.sweeps_W
        ).mT
        if problem.hold == "H":
            return Factors(new, H), memory._replace(ahead=new)
        turned = ((memory.ahead - new) * (new - W)).sum(dim=(-2, -1)) > 0
        reach = torch.where(turned, 0.0, memory.step)[:, None, None]
        ceiling = torch.where(turned, memory.step, (GROW_LIMIT * memory.ceiling).clamp_max(1.0))
        step = torch.where(turned, memory.step / SHRINK, torch.minimum(ceiling, GROW * memory.step))
        return Factors(new, H), Momentum((new + reach * (new - W)).clamp_min(0), step, ceiling)


def fits_H_first(rule: object) -> bool:
    """Tell whether random starts under a rule are of W alone: where H is zero, W waits until H is fitted to it.

    Without penalties: they would move W meanwhile.
    """
    return isinstance(rule, (HALS, ExtrapolatedHALS))


def least_squares_only(problem: Problem, name: str) -> str | None:
    """Return why the least-squares rule `name` cannot solve `problem`, or None if it can."""
    if not (isinstance(problem.loss, BetaDivergence) and problem.loss.beta == 2):
        return f"{name} minimises the Frobenius loss only; use update='mu' for other losses"
    if problem.weight is not None:
        return f"{name} takes no weights; use update='mu' with weights"
    return None


def sweep(V: Tensor, W: Tensor, H: Tensor, filled: Tensor, l1: Tensor | None, l2: Tensor | None, sweeps: int) -> Tensor:
    """Return H after `sweeps` sweeps: each of its rows in turn set to its minimum, the others held.

    `filled` (B, n) tells the columns that have data.
    """
    gram = W.mT @ W
    target = W.mT @ V
    if l1 is not None:
        target = target - l1
    if l2 is not None:
        gram.diagonal(dim1=-2, dim2=-1).add_(l2[:, :, 0])
    curvature = gram.diagonal(dim1=-2, dim2=-1)[..., None]
    inverse = curvature.clamp_min(torch.finfo(V.dtype).tiny).reciprocal()
    # A row's minimum is goal[j] + sum over i != j of slope[j, i] * row[i], or zero. Small factors cost the calls rather
    # than the arithmetic, so there are few of them.
    goal, slope = (target * inverse).unbind(dim=-2), (gram * inverse).neg_()[..., None].unbind(dim=1)
    slopes = [one.unbind(dim=1) for one in slope]
    # Where the other factor's column is zero a row has no effect; it stays as it is where there are data, unless an L1
    # penalty makes zero its minimum.
    moved = l1 is not None or (V.device.type == "cpu" and bool((curvature > 0).all()))
    idle = None if moved else (curvature <= 0).unbind(dim=1)
    rows = list(H.unbind(dim=-2))
    for _ in range(sweeps):
        for j, row in enumerate(rows):
            minimum = goal[j]
            for i, other in enumerate(rows):
                if i != j:
                    minimum = torch.addcmul(minimum, slopes[j][i], other)
            minimum = minimum.clamp_min(0)
            rows[j] = minimum if idle is None else torch.where(idle[j], row * filled, minimum)
    return torch.stack(rows, dim=-2)
