"""When a replicate is finished: one definition for every rule."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import ProblemError
from .problem import Factors, Problem

# The slowest convergence between two checks that is believed; the change, in units of rounding, that counts as none.
SLOWEST = 0.999
ROUNDING = 4.0


class Status(enum.IntEnum):
    """How a replicate's fit ended."""

    CONVERGED = 0
    MAX_ITER = 1
    NON_FINITE = 2

    @property
    def message(self) -> str:
        """What happened, and what to do about it."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "converged",
    Status.MAX_ITER: "reached max_iter before converging; raise max_iter, loosen tol, or use a faster rule",
    Status.NON_FINITE: "became NaN or infinite and was abandoned; look at its data and start, or use float64",
}


@dataclass(frozen=True)
class Stop:
    """When to stop.

    With ``criterion="change"`` a replicate has converged when its factors are estimated to be within `tol` of
    where they are going. With each row of H scaled to unit sum (and W inversely), c is the largest change of H and
    of W since the check before, each relative to its own largest entry, and r the ratio of this c to the one
    before it (at most 0.999); the changes still to come then add up to about c / (1 - r), which must be at most
    `tol`. Changes of a few units of rounding count as none. The residual of the optimality conditions over the
    entries that are not zero (see `Result.kkt`) must be at most 100 `tol` as well: small entries that still grow show
    there first. Scaling V changes nothing, and a slow rule is not taken for a finished one.

    ``criterion="sklearn"`` is scikit-learn's test for its multiplicative solver: the fall of the square-rooted
    loss since the check before, relative to the loss of the start, is below `tol`. It stops early; it is here for
    comparison.

    Parameters
    ----------
    tol : float
        Tolerance; 0 runs all `max_iter` iterations.
    max_iter : int
        Most iterations.
    criterion : {"change", "sklearn"}
        The test.
    every : int
        Iterations between checks.
    """

    tol: float = 1e-5
    max_iter: int = 10_000
    criterion: str = "change"
    every: int = 10

    def __post_init__(self) -> None:
        if not (self.tol >= 0 and math.isfinite(self.tol)):
            raise ProblemError(f"tol must be a finite number >= 0; got {self.tol}")
        if self.max_iter < 0:
            raise ProblemError(f"max_iter must be >= 0; got {self.max_iter}")
        if self.every < 1:
            raise ProblemError(f"every must be >= 1; got {self.every}")
        if self.criterion not in ("change", "sklearn"):
            raise ProblemError(f"criterion must be 'change' or 'sklearn'; got {self.criterion!r}")


class Change:
    """The state of the default criterion: the unit-sum factors of the check before, and how far they had moved."""

    def __init__(self, factors: Factors) -> None:
        self.previous = unit_sum(factors)
        self.change = torch.full_like(factors.W[:, 0, 0], torch.inf)

    def check(self, problem: Problem, factors: Factors) -> Tensor:
        """Return the relative change estimated to be still to come, shape (B,), and remember these factors."""
        now = unit_sum(factors)
        change = torch.maximum(_relative(now.W, self.previous.W), _relative(now.H, self.previous.H))
        ratio = (change / self.change).clamp_max(SLOWEST)
        self.previous, self.change = now, change
        return torch.where(change <= ROUNDING * torch.finfo(change.dtype).eps, 0.0, change / (1.0 - ratio))

    def select(self, rows: Tensor) -> None:
        """Keep the replicates `rows`."""
        self.previous = Factors(*(x.index_select(0, rows) for x in self.previous))
        self.change = self.change.index_select(0, rows)


class LossFall:
    """The state of scikit-learn's criterion: the loss of the start and of the check before."""

    def __init__(self, problem: Problem, factors: Factors) -> None:
        self.start = self.previous = self._error(problem, factors)

    def check(self, problem: Problem, factors: Factors) -> Tensor:
        """Return the relative fall since the last check, shape (B,); a replicate stops when it is *below* tol."""
        error = self._error(problem, factors)
        fall = (self.previous - error) / self.start.clamp_min(torch.finfo(error.dtype).tiny)
        self.previous = error
        return fall

    def select(self, rows: Tensor) -> None:
        """Keep the replicates `rows`."""
        self.start, self.previous = (x.index_select(0, rows) for x in (self.start, self.previous))

    @staticmethod
    def _error(problem: Problem, factors: Factors) -> Tensor:
        return (2.0 * problem.divergence(factors).clamp_min(0)).sqrt()


def unit_sum(factors: Factors) -> Factors:
    """Return the same product with each row of H at unit sum; rows of zeros stay zero."""
    total = factors.H.sum(dim=-1)
    safe = torch.where(total > 0, total, 1.0)
    return Factors(factors.W * total[:, None, :], factors.H / safe[:, :, None])


def _relative(now: Tensor, before: Tensor) -> Tensor:
    change = (now - before).abs().amax(dim=(-2, -1))
    size = now.amax(dim=(-2, -1))
    # NaN propagates and never passes a test; a factor that is zero altogether has changed by zero or by all of it.
    return torch.where(size == 0, torch.where(change == 0, 0.0, torch.inf), change / size)
