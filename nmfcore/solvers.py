"""Faster rules than the multiplicative one, for the Frobenius loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .losses import BetaDivergence
from .problem import Factors, Problem


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
        if not (isinstance(problem.loss, BetaDivergence) and problem.loss.beta == 2):
            return "HALS minimises the Frobenius loss only; use update='mu' for other losses"
        if problem.weight is not None:
            return "HALS takes no weights; use update='mu' with weights"
        return None

    def __call__(self, problem: Problem, factors: Factors) -> Factors:
        """Return the factors after one sweep over W and one over H."""
        W, H = factors
        if problem.hold != "W":
            W = self._sweep(problem.V.mT, H.mT, W.mT, problem.l1_W, problem.l2_W).mT
        if problem.hold != "H":
            H = self._sweep(problem.V, W, H, problem.l1_H, problem.l2_H)
        return Factors(W, H)

    def _sweep(self, V: Tensor, W: Tensor, H: Tensor, l1: Tensor | None, l2: Tensor | None) -> Tensor:
        gram = W.mT @ W
        target = W.mT @ V
        if l1 is not None:
            target = target - l1
        if l2 is not None:
            gram.diagonal(dim1=-2, dim2=-1).add_(l2[:, :, 0])
        smallest = torch.finfo(V.dtype).tiny
        rows = list(H.unbind(dim=-2))
        for _ in range(self.inner):
            for j, row in enumerate(rows):
                curvature = gram[:, j, j, None]
                residual = target[:, j]
                for i, other in enumerate(rows):
                    if i != j:
                        residual = residual - gram[:, j, i, None] * other
                minimum = (residual / curvature.clamp_min(smallest)).clamp_min_(0)
                # Where the other factor's column is zero this row has no effect; it stays as it is.
                rows[j] = torch.where(curvature > 0, minimum, row)
        return torch.stack(rows, dim=-2)
