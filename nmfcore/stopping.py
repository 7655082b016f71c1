"""When a replicate is finished, and how: one definition for all rules."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Protocol

from .errors import ProblemError
from .late import torch
from .losses import BetaDivergence
from .optimality import examine, unit_sum
from .problem import Factors, Problem

if TYPE_CHECKING:
    from torch import Tensor

# The slowest convergence between two checks that is taken into account; changes of the factors, and missing mass (a sum
# over columns), that count as none, in units of rounding.
SLOWEST = 0.999
ROUNDING = 4.0
MASS_ROUNDING = 64.0
# The fall of a loss is taken to shrink by no more than this from check to check.
STEADY = 0.7
# Of the size of the data, a loss still to fall by less than this is at rest.
LOST = 1e-14
# A replicate has not converged as long as its KKT residual exceeds the limit of the missing mass by more than this.
KKT_MARGIN = 100.0
PENDING = -1
EVERY = 10


class Status(enum.IntEnum):
    """How a replicate's fit ended."""

    CONVERGED = 0
    MAX_ITER = 1
    NON_FINITE = 2
    STUCK = 3

    @property
    def message(self) -> str:
        """What happened, and what to do about it."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "converged",
    Status.MAX_ITER: "reached max_iter before converging; raise max_iter, loosen tol, or use a faster rule",
    Status.NON_FINITE: "became NaN or infinite and was abandoned; look at its data and start, or use float64",
    Status.STUCK: (
        "stuck: the optimum needs entries that are zero and stay so, or a component that is; "
        "start from nndsvda or random, use hals, or ask for fewer components"
    ),
}


@dataclass(frozen=True)
class Stop:
    """When to stop.

    With ``criterion="change"`` a replicate has converged when two estimates are at most `tol`, and the residual of the
    optimality conditions (`Result.kkt`) at most 100 `tol`.

    The first is the distance of its factors from their limit. With each row of H scaled to unit sum (and W
    inversely), c is the largest change of H and of W since the check before, each relative to its own largest entry,
    and r the ratio of this c to the one before it (at most 0.999); the changes still to come then add up to about
    c / (1 - r). Changes of a few units of rounding count as none.

    The second is the mass that is missing: the fraction of V's sum that growing entries would still gain (see
    `optimality.missing_mass`). Small entries that grow slowly do not show in the first. If entries at zero, which
    multiplicative updates cannot move, would gain more than `tol`, the replicate ends as `Status.STUCK`. Below 64 units
    of rounding `tol` asks for no more here and of the residual.

    Both are estimates, not bounds. ``benchmarks/stopping.py`` measures how far fits that stopped are from the optimum
    of their basin; ``benchmarks/results/stopping.json`` has the figures. Scaling V changes nothing.

    ``criterion="sklearn"`` is scikit-learn's test for its multiplicative solver: the fall of the square-rooted
    loss since the check before, relative to the loss of the start, is below `tol`. It stops early; it is here for
    comparison.

    ``criterion="loss"`` asks for the loss alone: it has converged when what it is still to fall is at most `tol` times
    the loss. Falls since the last two checks are extrapolated as a geometric series, with a ratio of 0.7 at least and
    0.999 at most. Where the data are exact and the loss goes to zero, it has converged when falls are rounding. A loss
    within 1e-6 of its limit leaves factors that may be 1e-3 from theirs. `Stop.loss` makes it.

    Parameters
    ----------
    tol : float
        Tolerance; 0 runs all `max_iter` iterations.
    max_iter : int
        Most iterations.
    criterion : {"change", "loss", "sklearn"}
        The test.
    every : int, optional
        Iterations between checks; by default what suits the rule: its attribute ``every``, or 10.
    halve_after : int, optional
        Give starts up by successive halving: after so many iterations only the better half of a replicate's starts, by
        their losses, goes on, after twice as many the better half of those, until one is left, which goes to its end.
        That saves time and now and then gives up the start that would have been best; ``benchmarks/halving.py``
        measures both. Least squares of a `SharedPattern` on the CPU by other rules than "arank2", without penalties, do
        so; elsewhere, and by default, every start goes to its end.

    References
    ----------
    Jamieson & Talwalkar (2016), AISTATS '16, 240 (successive halving).
    """

    tol: float = 1e-5
    max_iter: int = 10_000
    criterion: str = "change"
    every: int | None = None
    halve_after: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.tol, bool) or not isinstance(self.tol, Real):
            raise ProblemError(f"tol must be a finite number >= 0; got {self.tol!r}")
        counts = {name: 1 if getattr(self, name) is None else getattr(self, name) for name in ("every", "halve_after")}
        for name, value in ({"max_iter": self.max_iter} | counts).items():
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise ProblemError(f"{name} must be an integer; got {value!r}")
        if not (self.tol >= 0 and math.isfinite(self.tol)):
            raise ProblemError(f"tol must be a finite number >= 0; got {self.tol}")
        if self.max_iter < 0:
            raise ProblemError(f"max_iter must be >= 0; got {self.max_iter}")
        for name, value in counts.items():
            if value < 1:
                raise ProblemError(f"{name} must be >= 1; got {value}")
        if self.criterion not in ("change", "loss", "sklearn"):
            raise ProblemError(f"criterion must be 'change', 'loss' or 'sklearn'; got {self.criterion!r}")

    @classmethod
    def loss(cls, tol: float = 1e-6, max_iter: int = 10_000) -> Stop:
        """Return the test that asks for the loss alone: within this fraction of what it would become.

        Factors may still be far from their limit then, where many fit nearly as well.
        """
        return cls(tol, max_iter, "loss")

    def interval(self, rule: object) -> int:
        """Return the iterations between checks for a rule."""
        return int(getattr(rule, "every", EVERY)) if self.every is None else self.every

    def criterion_for(self, problem: Problem, factors: Factors) -> Criterion:
        """Return the test at its start, to be applied every `every` iterations."""
        if self.criterion == "change":
            return Change(self.tol, factors)
        return (LossFall if self.criterion == "sklearn" else LossLeft)(self.tol, problem, factors)


class Criterion(Protocol):
    """A test with a memory of the check before."""

    def verdict(self, problem: Problem, factors: Factors, pending: Tensor) -> Tensor:
        """Return a `Status` for each of the `pending` replicates that is finished, else `PENDING`; shape (B,)."""
        ...

    def select(self, rows: Tensor) -> None:
        """Keep the replicates `rows`."""
        ...

    def narrow(self, columns: Tensor) -> None:
        """Keep the columns `columns` of H; it is zero in the others."""
        ...


class Change:
    """The default test: the unit-sum factors of the check before, and how far they had moved."""

    def __init__(self, tol: float, factors: Factors) -> None:
        self.tol = tol
        self.previous = unit_sum(factors)
        self.change = torch.full_like(factors.W[:, 0, 0], torch.inf)

    def verdict(self, problem: Problem, factors: Factors, pending: Tensor) -> Tensor:
        """Return a status per replicate: converged, stuck or `PENDING`."""
        status = torch.full(pending.shape, PENDING, device=pending.device)
        if self.tol == 0:
            return status
        settled = (pending & (self.distance(factors) <= self.tol)).nonzero()[:, 0]
        if len(settled) == 0:
            return status
        if len(settled) < len(pending):
            problem, factors = problem.select(settled), Factors(*(x[settled] for x in factors))
        growing, locked, kkt = examine(problem, factors)
        limit = mass_limit(self.tol, growing.dtype)
        # NaN passes none of these.
        optimal = (locked <= limit) & (kkt <= KKT_MARGIN * limit)
        ended = torch.where(optimal, int(Status.CONVERGED), torch.where(locked > limit, int(Status.STUCK), PENDING))
        status[settled] = torch.where(growing <= limit, ended, PENDING)
        return status

    def distance(self, factors: Factors) -> Tensor:
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

    def narrow(self, columns: Tensor) -> None:
        """Keep the columns `columns` of H."""
        self.previous = Factors(self.previous.W, self.previous.H.index_select(-1, columns))


class LossLeft:
    """The test of the loss: its falls up to the last two checks, and what is still to come by them."""

    def __init__(self, tol: float, problem: Problem, factors: Factors) -> None:
        self.tol = tol
        self.previous = self._loss(problem, factors)
        self.fall = torch.full_like(self.previous, torch.inf)
        # What falls are rounding below, in a loss that goes to zero.
        nothing = Factors(*(torch.zeros_like(x) for x in factors))
        squares = isinstance(problem.loss, BetaDivergence) and problem.loss.beta == 2
        size = problem.divergence(nothing) if squares else problem.V.sum(dim=(-2, -1)).double()
        self.least = max(LOST, 4 * torch.finfo(factors.W.dtype).eps ** 2) * size

    def verdict(self, problem: Problem, factors: Factors, pending: Tensor) -> Tensor:
        """Return converged where the loss is still to fall by at most tol times itself, else `PENDING`."""
        loss = self._loss(problem, factors)
        # Extrapolated steps may raise the loss, and what rises is not at rest.
        fall = (self.previous - loss).abs()
        left = still_to_fall(self.fall, fall)
        self.previous, self.fall = loss, fall
        left = torch.where(left <= self.least, 0.0, left)
        return torch.where(pending & (left <= self.tol * loss) & (self.tol > 0), int(Status.CONVERGED), PENDING)

    def select(self, rows: Tensor) -> None:
        """Keep the replicates `rows`."""
        self.previous, self.fall, self.least = (x.index_select(0, rows) for x in (self.previous, self.fall, self.least))

    def narrow(self, columns: Tensor) -> None:
        """Do nothing: columns where data and reconstruction are zero add nothing to the loss."""

    @staticmethod
    def _loss(problem: Problem, factors: Factors) -> Tensor:
        return problem.divergence(factors) + problem.penalty(factors)


class LossFall:
    """scikit-learn's test: the loss of the start and of the check before."""

    def __init__(self, tol: float, problem: Problem, factors: Factors) -> None:
        self.tol = tol
        self.start = self.previous = self._error(problem, factors)

    def verdict(self, problem: Problem, factors: Factors, pending: Tensor) -> Tensor:
        """Return converged where the relative fall since the last check is *below* tol, else `PENDING`."""
        error = self._error(problem, factors)
        fall = (self.previous - error) / self.start.clamp_min(torch.finfo(error.dtype).tiny)
        self.previous = error
        # At tol = 0 nothing stops, not even a loss that rises by rounding.
        return torch.where(pending & (fall < self.tol) & (self.tol > 0), int(Status.CONVERGED), PENDING)

    def select(self, rows: Tensor) -> None:
        """Keep the replicates `rows`."""
        self.start, self.previous = (x.index_select(0, rows) for x in (self.start, self.previous))

    def narrow(self, columns: Tensor) -> None:
        """Do nothing: columns where data and reconstruction are zero add nothing to the loss."""

    @staticmethod
    def _error(problem: Problem, factors: Factors) -> Tensor:
        return (2.0 * problem.divergence(factors).clamp_min(0)).sqrt()


def still_to_fall(before: Tensor, fall: Tensor) -> Tensor:
    """Return by how much a loss is thought to be above its limit after two falls, one after the other."""
    ratio = (fall / before).nan_to_num(0.0).clamp(STEADY, SLOWEST)
    return torch.maximum(before * ratio, fall) * ratio / (1 - ratio)


def mass_limit(tol: float, dtype: torch.dtype) -> float:
    """Return the fraction of V's sum that may be missing."""
    return max(tol, MASS_ROUNDING * torch.finfo(dtype).eps)


def _relative(now: Tensor, before: Tensor) -> Tensor:
    change = (now - before).abs().amax(dim=(-2, -1))
    size = now.amax(dim=(-2, -1))
    # NaN propagates and never passes a test; a factor that is zero altogether has changed by nothing or beyond measure.
    return change / size.clamp_min(torch.finfo(size.dtype).tiny)
