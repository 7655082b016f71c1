"""Coordinate descent by Newton steps for the Kullback-Leibler divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..late import torch
from ..losses import FLOOR, BetaDivergence
from ..problem import Factors, Problem

if TYPE_CHECKING:
    from torch import Tensor

# The fraction of an entry that a downward Newton step leaves, unless the entry is below this fraction of its row's
# largest.
KEPT, NEGLIGIBLE = 0.1, 1e-8
# Iterations of `NewtonKL` that come first, and more before W is extrapolated: far from the optimum long steps may lead
# to another.
WARM, WAIT = 3, 1
# Sweeps over the shares of one row on the way to the minimum of their quadratic.
INNER = 4
# Two steps of which no more than this part of their squares is independent count as one.
DEPENDENT = 1e-5
# No mixture of components of unit sum counts as less.
LEAST = 2.0**-60


@dataclass(frozen=True)
class NewtonKL:
    """Coordinate descent for the Kullback-Leibler divergence: one Newton step for every entry of a row in turn.

    Multiplicative updates need thousands of iterations to move the small entries; this rule needs some tens, and leaves
    zero again. The slope by one entry is concave in it: a step upwards stops short of the minimum, one downwards may
    overshoot, and ends at a tenth of the entry at the least. Penalties, weights and a held factor are supported.

    Parameters
    ----------
    inner : int
        Sweeps over one factor before turning to the other.

    References
    ----------
    Hsieh & Dhillon (2011), KDD '11, 1064.
    """

    inner: int = 2
    every = 2

    def supports(self, problem: Problem) -> str | None:
        """Return why this rule cannot solve `problem`, or None if it can."""
        if not (isinstance(problem.loss, BetaDivergence) and problem.loss.beta == 1):
            return "Newton's rule minimises the Kullback-Leibler divergence only; use update='mu' for other losses"
        return None

    def __call__(self, problem: Problem, factors: Factors) -> Factors:
        """Return the factors after the sweeps over W and those over H."""
        W, H = factors
        weight = None if problem.weight is None else problem.weight.mT
        if problem.hold != "W":
            W = self._sweep(problem.V.mT, H.mT, W.mT, weight, problem.filled_rows, problem.l1_W, problem.l2_W).mT
        if problem.hold != "H":
            H = self._sweep(problem.V, W, H, problem.weight, problem.filled_columns, problem.l1_H, problem.l2_H)
        return Factors(W, H)

    def _sweep(
        self,
        V: Tensor,
        W: Tensor,
        H: Tensor,
        weight: Tensor | None,
        filled: Tensor,
        l1: Tensor | None,
        l2: Tensor | None,
    ) -> Tensor:
        Y = W @ H
        data = V if weight is None else weight * V
        up = W.sum(dim=-2)[:, :, None].expand(H.shape) if weight is None else W.mT @ weight
        rows = list(H.unbind(dim=-2))
        for _ in range(self.inner):
            for c, row in enumerate(rows):
                w = W[:, :, c]
                floored = Y.clamp_min(FLOOR)
                ratio = data / floored
                slope = up[:, c] - (w[:, None] @ ratio)[:, 0]
                curvature = (w.square()[:, None] @ ratio.div_(floored))[:, 0]
                if l1 is not None:
                    slope = slope + l1[:, 0]
                if l2 is not None:
                    slope, curvature = slope + l2[:, 0] * row, curvature + l2[:, 0]
                new = newton_step(row, slope, curvature) * filled
                Y = Y + w[:, :, None] * (new - row)[:, None]
                rows[c] = new
        return torch.stack(rows, dim=-2)


def newton_step(row: Tensor, slope: Tensor, curvature: Tensor) -> Tensor:
    """Return the entries of one row, shape (B, n), after Newton steps that stay above zero and do not fall at once."""
    step = slope / torch.where(curvature > 0, curvature, 1.0)
    kept = torch.where(row > NEGLIGIBLE * row.amax(dim=-1, keepdim=True), KEPT * row, 0.0)
    new = torch.maximum(row - step, kept)
    # Without curvature there are no data here, or no component: zero is best wherever it matters.
    return torch.where(curvature > 0, new, torch.where(slope > 0, kept, row))


class Mixing(NamedTuple):
    """Memory of `AcceleratedNewtonKL`; points are W with components of unit sum."""

    ahead: Tensor  # Y, where the next iteration begins, (B, m, k)
    scale: Tensor  # how much of V each component is, (B, k)
    X1: Tensor  # Y and T(Y) - Y one and two iterations before
    F1: Tensor
    X2: Tensor
    F2: Tensor
    size: Tensor  # of T(Y) - Y one iteration before, squared; (B,)
    known: Tensor  # iterations that are remembered, up to two; (B,)

    def select(self, rows: Tensor) -> Mixing:
        """Keep the replicates `rows`."""
        return Mixing(*(x.index_select(0, rows) for x in self))


@dataclass(frozen=True)
class AcceleratedNewtonKL:
    """Newton steps for the shares of all components in a row or column at once, W accelerated by Anderson's method.

    Under the Kullback-Leibler divergence the best scale of a column of V is its sum, and what is left to find are the
    shares of the components in it, whose sum is one; so it is for rows. Half an iteration replaces the divergence of
    every row, or column, by its quadratic in the shares and goes to the minimum of that; as in `NewtonKL` no share
    falls below a tenth of itself, unless it is negligible. Between the halves W is extrapolated from the last three
    iterations; where the iteration's own change of W has grown, they are forgotten. An iteration takes V twice, that of
    `NewtonKL` 4 k times.

    The first three iterations are those of `NewtonKL`: they settle in which minimum a fit ends, where many columns have
    data in one row alone. Kullback-Leibler divergence, without weights, penalties or a held factor.

    References
    ----------
    Hofmann (1999), UAI '99, 289 (the mixture). Walker & Ni (2011), SIAM Journal on Numerical Analysis 49, 1715 (the
    acceleration).
    """

    every = 2

    def supports(self, problem: Problem) -> str | None:
        """Return why this rule cannot solve `problem`, or None if it can."""
        refusal = NewtonKL().supports(problem)
        if refusal is not None:
            return refusal
        if problem.weight is not None or problem.hold is not None:
            return "accelerated Newton steps take no weights and hold no factor; use update='newton' with them"
        if any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H)):
            return "accelerated Newton steps take no penalties; use update='newton' with them"
        return None

    def begin(self, problem: Problem, factors: Factors) -> Mixing:
        """Return the memory at the start."""
        return self._at(factors, torch.zeros_like(factors.W[:, 0, 0]) - (WARM + WAIT))

    def __call__(self, problem: Problem, factors: Factors, memory: Mixing) -> tuple[Factors, Mixing]:
        """Return the factors and the memory after one iteration."""
        if bool((memory.known < -WAIT).any()):
            # Replicates begin together: all are at the same iteration.
            factors = NewtonKL()(problem, factors)
            return factors, self._at(factors, memory.known + 1)
        H = _unit(factors.H, -1)
        mass = problem.V.sum(dim=-1)
        shares = _unit(memory.ahead * memory.scale[:, None], -1)
        W = (mixed(problem.V.mT, H.mT, shares.mT, mass) * mass[:, None]).mT
        memory = extrapolate(memory.ahead, _unit(W, -2) - memory.ahead, memory)
        mass = problem.V.sum(dim=-2)
        H = mixed(problem.V, memory.ahead, _unit(H * memory.scale[..., None], -2), mass) * mass[:, None]
        scale = H.sum(dim=-1)
        return Factors(memory.ahead * scale[:, None], _unit(H, -1)), memory._replace(scale=scale)

    def _at(self, factors: Factors, known: Tensor) -> Mixing:
        Y, scale = _unit(factors.W, -2), factors.W.sum(dim=-2) * factors.H.sum(dim=-1)
        none, nothing = torch.zeros_like(Y), torch.zeros_like(Y[:, 0, 0])
        return Mixing(Y, scale, none, none, none, none, nothing + torch.inf, known)


def _unit(x: Tensor, dim: int) -> Tensor:
    total = x.sum(dim=dim, keepdim=True)
    return torch.where(total > 0, x / torch.where(total > 0, total, 1.0), 0.0)


def mixed(V: Tensor, parts: Tensor, shares: Tensor, mass: Tensor) -> Tensor:
    """Return the shares (B, k, n) of the columns of V after one Newton step; `mass` (B, n) are the columns' sums.

    The k `parts` (B, m, k) have unit sums.
    """
    k = parts.shape[-1]
    Y = (parts @ shares).clamp_min(LEAST)
    least = torch.where(shares > NEGLIGIBLE, KEPT * shares, 0.0)
    if k == 2:
        apart = (parts[..., 0] - parts[..., 1])[..., None] / Y
        slope, curvature = (V * apart).sum(dim=-2), (V * apart.square()).sum(dim=-2)
        step = torch.where(curvature > 0, slope / torch.where(curvature > 0, curvature, 1.0), 0.0)
        step = torch.minimum(torch.maximum(step, least[:, 0] - shares[:, 0]), shares[:, 1] - least[:, 1])
        return _unit(torch.stack([shares[:, 0] + step, shares[:, 1] - step], dim=-2), -2)
    ratio = V / Y
    slope = mass[:, None] - parts.mT @ ratio
    second = ratio.div_(Y)
    rows = [(parts * parts[..., c : c + 1]).mT @ second for c in range(k)]
    new = list(shares.unbind(dim=-2))
    for _ in range(INNER):
        for c in range(k):
            own, value = rows[c][:, c], slope[:, c]
            for d in range(k):
                if d != c:
                    value = value + rows[c][:, d] * (new[d] - shares[:, d])
            moved = torch.maximum(shares[:, c] - value / torch.where(own > 0, own, 1.0), least[:, c])
            # Without curvature there are no data here, or no component: zero is best wherever it matters.
            new[c] = torch.where(own > 0, moved, torch.where(slope[:, c] > 0, least[:, c], shares[:, c]))
    return _unit(torch.stack(new, dim=-2), -2)


def extrapolate(Y: Tensor, F: Tensor, memory: Mixing) -> Mixing:
    """Return the memory with the point that Anderson's method of depth two goes to from Y and F = T(Y) - Y."""
    D1, D2 = F - memory.F1, F - memory.F2
    size, a11, a12, a22, b1, b2 = (
        (x * y).sum(dim=(-2, -1)) for x, y in ((F, F), (D1, D1), (D1, D2), (D2, D2), (D1, F), (D2, F))
    )
    # A step that took Y further from a fixed point says that what is remembered no longer holds.
    known = torch.where(size > memory.size, memory.known.clamp_max(0.0), memory.known)
    squares = a11 * a22
    rest = squares - a12 * a12
    both = (rest > DEPENDENT * squares) & (known > 1)
    safe = torch.where(both, rest, 1.0)
    alone = torch.where(a11 > 0, b1 / torch.where(a11 > 0, a11, 1.0), 0.0)
    g1 = torch.where(both, (a22 * b1 - a12 * b2) / safe, alone)[:, None, None]
    g2 = torch.where(both, (a11 * b2 - a12 * b1) / safe, 0.0)[:, None, None]
    W = Y + F
    ahead = W - (Y - memory.X1 + D1) * g1 - (Y - memory.X2 + D2) * g2
    ahead = torch.where((known > 0)[:, None, None], ahead, W)
    ahead = _unit(torch.maximum(ahead, KEPT * W), -2)
    return Mixing(ahead, memory.scale, Y, F, memory.X1, memory.F1, size, (known + 1).clamp_max(2))
