"""Alternating exact least squares for two components, plain and accelerated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ProblemError
from ..late import torch
from ..problem import Factors, Problem
from .hals import least_squares_only

if TYPE_CHECKING:
    from torch import Tensor

# A step is dropped where the explained part of V falls by more than this many units of rounding: less is blur.
BLUR = 16.0
# Differences of so many units of rounding count as none.
NOTHING = 4.0
# Two differences count as parallel where what one has across the other is less than this fraction of its square.
PARALLEL = 1e-5


@dataclass(frozen=True)
class RankTwo:
    """Alternating least squares for two components: each factor set to its exact minimum, the other held.

    With two components every row of W and every column of H is one of four closed forms: both entries positive, one of
    them, or none. Frobenius loss, no weights, k = 2; penalties and a held factor are supported.

    References
    ----------
    Gillis, Kuang & Park (2015), IEEE Transactions on Geoscience and Remote Sensing 53, 2066.
    """

    every = 2

    def supports(self, problem: Problem) -> str | None:
        """Return why this rule cannot solve `problem`, or None if it can."""
        return least_squares_only(problem, "rank-two least squares")

    def __call__(self, problem: Problem, factors: Factors) -> Factors:
        """Return the factors after W, then H, were set to their minima."""
        W, H = factors
        require_two(W)
        if problem.hold != "W":
            W = best_W(problem, factors)
        if problem.hold != "H":
            H = best_H(problem, Factors(W, H))
        return Factors(W, H)


class Trail(NamedTuple):
    """What an accelerated run remembers: the last two points W and how far each was from what it is mapped to."""

    fresh: Tensor  # whether H has not been fitted to W yet, (B,)
    size: Tensor  # the sum at which columns of W are held, (B, 1, 1)
    depth: Tensor  # points remembered, (B,)
    fit: Tensor  # what the last point explained of the sum of V^2, halved, (B,)
    slope: Tensor  # the least |change of F| / |change of W| so far, (B,)
    distance: Tensor  # how far W may be from its limit, of its largest entry, (B,)
    W1: Tensor  # (B, m, 2), as are those that follow
    F1: Tensor
    W2: Tensor
    F2: Tensor

    def select(self, rows: Tensor) -> Trail:
        """Keep the replicates `rows`."""
        return Trail(*(x.index_select(0, rows) for x in self))


@dataclass(frozen=True)
class AcceleratedRankTwo:
    """Exact least squares for two components, accelerated: H is the exact minimum for W, and W a fixed point.

    Let T(W) be the exact minimum for the H that is the exact minimum for W. Both columns of W are held at one fixed
    sum, which H makes up for, so that T has fixed points. Each iteration takes Anderson's step (depth 2) towards
    T(W) = W, sets negative entries to zero and fits H to it. A step of that kind after which less of V is explained is
    dropped: the run goes on from T of the point before, which explains more, with its memory cleared. H is a function
    of W, so that a start needs W alone; where the columns of the given W are parallel, W is first fitted to the given
    H. Frobenius loss, no weights, no penalties, k = 2; with a held factor there is nothing to accelerate.

    Accelerated steps do not shrink evenly, so that their sizes alone would tell too little of what is still to come.
    F = T(W) - W falls by at least the fraction norm(dF) / norm(dW) of any distance: F over the least such slope seen,
    which steps along the slowest direction set, is asked to be at most `Stop.tol` too.

    References
    ----------
    Anderson (1965), Journal of the ACM 12, 547; Walker & Ni (2011), SIAM Journal on Numerical Analysis 49, 1715 (the
    step as a small least-squares problem); Gillis, Kuang & Park (2015), IEEE Transactions on Geoscience and Remote
    Sensing 53, 2066 (the exact minima).
    """

    every = 1

    def supports(self, problem: Problem) -> str | None:
        """Return why this rule cannot solve `problem`, or None if it can."""
        if any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H)):
            return "accelerated rank-two least squares takes no penalties; use update='rank2' with them"
        return least_squares_only(problem, "accelerated rank-two least squares")

    def begin(self, problem: Problem, factors: Factors) -> Trail:
        """Return the memory at the start: a point, and none behind it."""
        W = factors.W
        require_two(W)
        B, m, n = problem.V.shape
        mass = problem.V.sum((-2, -1))
        # Entries of W and H are then alike on average.
        size = (torch.where(mass > 0, mass, 1.0) * (m / (2 * n))).sqrt()[:, None, None]
        none = W.new_zeros(B)
        if problem.hold is None:
            W = W * problem.filled_rows[:, :, None]
            gram = W.mT @ W
            a, b, c = gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]
            alike = a * c - b * b <= BLUR * torch.finfo(W.dtype).eps * a * c
            if bool(alike.any()):
                W = torch.where(alike[:, None, None], best_W(problem, factors), W)
            W = _held(W, size)
        fresh = torch.ones_like(none, dtype=torch.bool)
        apart = none + (torch.inf if problem.hold is None else 0.0)
        return Trail(fresh, size, none, none, none + 1, apart, W, W, W, W)

    def __call__(self, problem: Problem, factors: Factors, memory: Trail) -> tuple[Factors, Trail]:
        """Return the factors and the memory after one iteration."""
        W, H = factors
        if problem.hold == "W":
            return Factors(W, best_H(problem, factors)), memory
        if problem.hold == "H":
            return Factors(best_W(problem, factors), H), memory
        if bool(memory.fresh.any()):
            new = memory.fresh[:, None, None]
            W = torch.where(new, memory.W1, W)
            H = torch.where(new, best_H(problem, Factors(W, H)), H)
        gram, target = _normal(problem.V.mT, H.mT)
        F = _held(_pairs(gram, target, W.mT, problem.filled_rows).mT, memory.size) - W
        eps = torch.finfo(W.dtype).eps
        fit = (W.mT * target).sum((-2, -1)) - 0.5 * (W.mT @ W * gram).sum((-2, -1))
        worse = (memory.depth > 1) & (fit < memory.fit * (1 - BLUR * eps))
        ahead, slope = _accelerate(W, F, memory)
        apart = F.abs().amax((-2, -1)) / W.amax((-2, -1)).clamp_min(torch.finfo(W.dtype).tiny)
        distance = torch.where(apart <= NOTHING * eps, 0.0, apart / slope)
        new = _held(ahead.clamp_min_(0), memory.size)
        lost = (new.sum(-2) == 0).any(-1)[:, None, None]
        new = torch.where(lost, W + F, new)
        W1, F1, depth = W, F, (memory.depth + 1).clamp_max(2)
        if bool(worse.any()):
            back = worse[:, None, None]
            new = torch.where(back, memory.W1 + memory.F1, new)
            fit, depth = torch.where(worse, memory.fit, fit), torch.where(worse, 0.0, depth)
            distance = torch.where(worse, torch.inf, distance)
        done = torch.zeros_like(memory.fresh)
        trail = Trail(done, memory.size, depth, fit, slope, distance, W1, F1, memory.W1, memory.F1)
        return Factors(new, best_H(problem, Factors(new, H))), trail


def best_W(problem: Problem, factors: Factors) -> Tensor:
    """Return the W that is the exact minimum for H; where that leaves entries free they stay as they are."""
    normal = _normal(problem.V.mT, factors.H.mT, problem.l1_W, problem.l2_W)
    return _pairs(*normal, factors.W.mT, problem.filled_rows).mT


def best_H(problem: Problem, factors: Factors) -> Tensor:
    """Return the H that is the exact minimum for W; where that leaves entries free they stay as they are."""
    return _pairs(*_normal(problem.V, factors.W, problem.l1_H, problem.l2_H), factors.H, problem.filled_columns)


def require_two(W: Tensor) -> None:
    """Raise unless there are two components."""
    if W.shape[-1] != 2:
        raise ProblemError(f"rank-two least squares is for 2 components; n_components is {W.shape[-1]}. Use 'ehals'.")


def _accelerate(W: Tensor, F: Tensor, memory: Trail) -> tuple[Tensor, Tensor]:
    # The point that would be fixed if T were affine along the last two steps, and the least slope so far.
    one, two = (memory.depth >= number for number in (1, 2))
    d1, d2 = ((F - before) * there[:, None, None] for before, there in ((memory.F1, one), (memory.F2, two)))
    a11, a12, a22 = ((x * y).sum((-2, -1)) for x, y in ((d1, d1), (d1, d2), (d2, d2)))
    b1, b2 = ((x * F).sum((-2, -1)) for x in (d1, d2))
    safe = torch.where(a11 > 0, a11, 1.0)
    across = a22 - a12 * (a12 / safe)
    sound = across > PARALLEL * a22
    g2 = torch.where(sound, (b2 - a12 * (b1 / safe)) / torch.where(sound, across, 1.0), 0.0)
    g1 = (b1 - a12 * g2) / safe
    first, second = ((W - before) * there[:, None, None] for before, there in ((memory.W1, one), (memory.W2, two)))
    for d, step, g in ((d1, first, g1), (d2, second, g2)):
        F = F - (step + d) * g[:, None, None]
    square = first.square().sum((-2, -1))
    slope = (a11 / torch.where(square > 0, square, 1.0)).sqrt()
    return W + F, torch.where(slope > 0, torch.minimum(memory.slope, slope), memory.slope)


def _held(W: Tensor, size: Tensor) -> Tensor:
    # Columns at their fixed sum; those of zeros stay so.
    total = W.sum(-2, keepdim=True)
    return W * (size / torch.where(total > 0, total, size))


def _normal(V: Tensor, W: Tensor, l1: Tensor | None = None, l2: Tensor | None = None) -> tuple[Tensor, Tensor]:
    gram = W.mT @ W
    target = W.mT @ V
    if l1 is not None:
        target = target - l1
    if l2 is not None:
        gram.diagonal(dim1=-2, dim2=-1).add_(l2[:, :, 0])
    return gram, target


def _pairs(gram: Tensor, target: Tensor, H: Tensor, filled: Tensor) -> Tensor:
    a, b, c = gram[:, 0, 0, None], gram[:, 0, 1, None], gram[:, 1, 1, None]
    x, y = target[:, 0], target[:, 1]
    determinant = a * c - b * b
    # Nearly parallel components: rounding would decide; one of the two then serves as well as both.
    sound = determinant > 16 * torch.finfo(H.dtype).eps * a * c
    inverse = torch.where(sound, 1.0 / torch.where(sound, determinant, 1.0), 0.0)
    both = (c * x - b * y) * inverse, (a * y - b * x) * inverse
    inside = (both[0] > 0) & (both[1] > 0)
    only_x = torch.where(a > 0, x.clamp_min(0) / torch.where(a > 0, a, 1.0), H[:, 0] * filled)
    only_y = torch.where(c > 0, y.clamp_min(0) / torch.where(c > 0, c, 1.0), H[:, 1] * filled)
    first = only_x * x >= only_y * y
    zero = x.new_zeros(())
    row_x = torch.where(inside, both[0], torch.where(first, only_x, zero))
    row_y = torch.where(inside, both[1], torch.where(first, zero, only_y))
    return torch.stack((row_x, row_y), dim=-2)
