"""The gradient of the objective by one factor, as its negative and positive halves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .losses import FLOOR, BetaDivergence, Loss

if TYPE_CHECKING:
    from torch import Tensor


def gradient_parts(
    V: Tensor, W: Tensor, H: Tensor, weight: Tensor | None, loss: Loss, l1: Tensor | None, l2: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the negative and positive halves of the objective's gradient by H.

    Parameters
    ----------
    V : Tensor, shape (B, m, n)
        Data.
    W, H : Tensor, shapes (B, m, k), (B, k, n)
        Factors.
    weight : Tensor, shape (B, m, n), or None
        Weights of the entries.
    loss : Loss
        What is minimised.
    l1, l2 : Tensor, shape (B, 1, 1), or None
        Penalty coefficients on H.

    Returns
    -------
    negative, positive : Tensor, shape (B, k, n)
        The gradient is positive - negative.
    """
    beta = loss.beta if isinstance(loss, BetaDivergence) else None
    if beta == 2 and weight is None:
        negative, positive = W.mT @ V, (W.mT @ W) @ H
    elif beta == 1 and weight is None:
        quotient = V / (W @ H).clamp_min_(FLOOR)
        negative, positive = W.mT @ quotient, W.sum(dim=-2)[:, :, None].expand(H.shape)
    else:
        slope_down, slope_up = loss.split(V, W @ H)
        if weight is not None:
            slope_down, slope_up = weight * slope_down, weight * slope_up
        negative, positive = W.mT @ slope_down, W.mT @ slope_up
    return negative, add_penalties(positive, H, l1, l2)


def add_penalties(positive: Tensor, H: Tensor, l1: Tensor | None, l2: Tensor | None) -> Tensor:
    """Return the positive half of the gradient by H with the penalties' part."""
    if l1 is not None:
        positive = positive + l1
    return positive if l2 is None else positive + l2 * H
