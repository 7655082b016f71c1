"""Alternating exact least squares for two components."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ProblemError
from ..problem import Factors, Problem
from .hals import least_squares_only


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
        if W.shape[-1] != 2:
            raise ProblemError(
                f"rank-two least squares is for 2 components; n_components is {W.shape[-1]}. Use 'ehals'."
            )
        if problem.hold != "W":
            W = _pairs(problem.V.mT, H.mT, W.mT, problem.filled_rows, problem.l1_W, problem.l2_W).mT
        if problem.hold != "H":
            H = _pairs(problem.V, W, H, problem.filled_columns, problem.l1_H, problem.l2_H)
        return Factors(W, H)


def _pairs(V: Tensor, W: Tensor, H: Tensor, filled: Tensor, l1: Tensor | None, l2: Tensor | None) -> Tensor:
    gram = W.mT @ W
    target = W.mT @ V
    if l1 is not None:
        target = target - l1
    if l2 is not None:
        gram.diagonal(dim1=-2, dim2=-1).add_(l2[:, :, 0])
    a, b, c = gram[:, 0, 0, None], gram[:, 0, 1, None], gram[:, 1, 1, None]
    x, y = target[:, 0], target[:, 1]
    determinant = a * c - b * b
    # Nearly parallel components: rounding would decide; one of the two then serves as well as both.
    sound = determinant > 16 * torch.finfo(V.dtype).eps * a * c
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
