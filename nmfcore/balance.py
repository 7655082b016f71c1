"""The scale of each component, which the data leave open: kept from passing into one of its factors altogether."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .late import torch
from .problem import Factors, Problem
from .rules.multiplicative import smallest
from .rules.resolve import OURS, UpdateRule

if TYPE_CHECKING:
    from torch import Tensor

# Scale is moved where the sums of W[:, c] and H[c] differ by more than this factor: far beyond what ordinary data and
# starts bring about, so that their numbers stay, and far within what float32 can square.
LOPSIDED = 2.0**16


def may_balance(problem: Problem, rule: UpdateRule, memory: Any) -> bool:
    """Tell whether scale may be moved between the factors: nothing but their product counts, and the rule is ours.

    Penalties give every scale its price, and a held factor stays as given. A memory must have a method ``rescale``.
    """
    penalised = any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H))
    known = memory is None or hasattr(memory, "rescale")
    return isinstance(rule, OURS) and known and not penalised and problem.hold is None


def excess(factors: Factors) -> Tensor | None:
    """Return the powers of two, shape (B, k), by which to multiply W and divide H, or None where all are 1."""
    W, H = factors.W.sum(dim=-2), factors.H.sum(dim=-1)
    lopsided = ((H > LOPSIDED * W) | (W > LOPSIDED * H)) & (W > 0) & (H > 0) & torch.isfinite(W + H)
    if not bool(lopsided.any()):
        return None
    halves = torch.round(0.5 * (torch.log2(H.double()) - torch.log2(W.double())))
    return torch.exp2(torch.where(lopsided, halves, 0.0)).to(W.dtype)


def rescale(factors: Factors, by: Tensor) -> Factors:
    """Return the factors with W multiplied and H divided by the powers of two `by`, which rounds nothing.

    Entries above zero stay so: a multiplicative rule could not bring them back.
    """
    return Factors(_scaled(factors.W, by[:, None, :]), _scaled(factors.H, by.reciprocal()[:, :, None]))


def _scaled(factor: Tensor, by: Tensor) -> Tensor:
    return torch.maximum(factor * by, smallest(factor.dtype) * (factor > 0).to(factor.dtype))
