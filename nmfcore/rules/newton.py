"""Coordinate descent by Newton steps for the Kullback-Leibler divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..late import torch
from ..losses import FLOOR, BetaDivergence
from ..problem import Factors, Problem

if TYPE_CHECKING:
    from torch import Tensor

# The fraction of an entry that a downward Newton step leaves, unless the entry is below this fraction of its row's
# largest.
KEPT, NEGLIGIBLE = 0.1, 1e-8


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
