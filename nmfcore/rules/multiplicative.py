"""Multiplicative updates (Lee & Seung 2001) for any loss, with penalties, weights and a held factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..gradient import add_penalties, gradient_parts
from ..late import torch
from ..losses import FLOOR, BetaDivergence, Loss
from ..problem import Factors, Problem

if TYPE_CHECKING:
    from torch import Tensor

# Positive entries stay at or above this many times the smallest normal number: a little room, so that one update does
# not lead into denormal numbers, which slow the arithmetic down.
ROOM = 2.0**10


@dataclass(frozen=True)
class MultiplicativeUpdate:
    """The multiplicative update: each factor times the negative over the positive half of its gradient, W first.

    For the Frobenius loss that is ``W * (V @ H.T) / (W @ H @ H.T)`` (Lee & Seung 2001, eq. 4); for a beta
    divergence outside 1 <= beta <= 2 the quotient is raised to the exponent of Fevotte & Idier (2011), which
    keeps the loss from rising. Penalties are added to the denominator. Entries at zero stay there; others never get
    there (they stop at `smallest`), unless their row or column of the data is zero.

    Parameters
    ----------
    inner : int
        Updates of one factor before turning to the other. For the Frobenius loss without weights they share the costly
        product with V ("accelerated" updates, Gillis & Glineur 2012, Neural Computation 24, 1085); otherwise they
        cost as much as others.
    """

    inner: int = 1

    def __call__(self, problem: Problem, factors: Factors) -> Factors:
        """Return the factors after the updates of W and those of H."""
        W, H = factors
        if problem.hold != "W":
            # One body for both factors: W is the H of the transposed problem.
            weight = None if problem.weight is None else problem.weight.mT
            W = _multiply(problem.V.mT, H.mT, W.mT, weight, problem.loss, problem.l1_W, problem.l2_W, self.inner).mT
        if problem.hold != "H":
            H = _multiply(problem.V, W, H, problem.weight, problem.loss, problem.l1_H, problem.l2_H, self.inner)
        return Factors(W, H)


def smallest(dtype: torch.dtype) -> float:
    """Return the size at which entries that shrink stop; results have zeros in their place."""
    return ROOM * torch.finfo(dtype).tiny


def _multiply(
    V: Tensor,
    W: Tensor,
    H: Tensor,
    weight: Tensor | None,
    loss: Loss,
    l1: Tensor | None,
    l2: Tensor | None,
    inner: int,
) -> Tensor:
    shared = inner > 1 and weight is None and isinstance(loss, BetaDivergence) and loss.beta == 2
    if shared:
        target, gram = W.mT @ V, W.mT @ W
        for _ in range(inner):
            H = _step(H, target, add_penalties(gram @ H, H, l1, l2), 1.0)
        return H
    for _ in range(inner):
        H = _step(H, *gradient_parts(V, W, H, weight, loss, l1, l2), getattr(loss, "exponent", 1.0))
    return H


def _step(H: Tensor, negative: Tensor, positive: Tensor, exponent: float) -> Tensor:
    step = negative / torch.where(positive == 0, FLOOR, positive)
    if exponent != 1:
        step = step.pow_(exponent)
    # Entries that shrink stop short of zero, from where they could not grow again if the optimum needs them.
    # (scikit-learn zeroes entries below 2^-52 where beta <= 1.) NaN passes, and is found later.
    floor = smallest(H.dtype) * ((negative > 0) & (H > 0)).to(H.dtype)
    return torch.maximum(step.mul_(H), floor)
