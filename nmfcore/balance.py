"""The scale of each component, which the data leave open: kept in bounds on the way, and levelled in the answer.

A fit that is asked to converge gives back factors of one scale, whatever solved it and wherever it began: the Euclidean
norms of W[:, c] and H[c] are equal, as those of singular vectors are. With ``tol=0`` a number of iterations is asked
for and with scikit-learn's criterion its answer, so that the factors keep the scale to which the rule took them;
with penalties and with a held factor scale is not free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .late import torch
from .problem import Factors, Problem
from .rules.multiplicative import smallest
from .rules.rank_two import AcceleratedRankTwo
from .rules.resolve import OURS, UpdateRule
from .stopping import Stop

if TYPE_CHECKING:
    from torch import Tensor

# Scale is moved where the sums of W[:, c] and H[c] differ by more than this factor: far beyond what ordinary data and
# starts bring about, so that their numbers stay, and far within what float32 can square.
LOPSIDED = 2.0**16


def may_balance(problem: Problem, rule: UpdateRule, memory: Any) -> bool:
    """Tell whether scale may be moved between the factors: nothing but their product counts, and the rule is ours.

    Penalties give every scale its price, and a held factor stays as given. A memory must have a method ``rescale``.
    """
    return (memory is None or hasattr(memory, "rescale")) and _is_free(problem, rule)


def may_level(problem: Problem, rule: UpdateRule, stop: Stop) -> bool:
    """Tell whether the factors are to be levelled before they are given back.

    The accelerated rule of two components has no scale of its own, so that its factors always are.
    """
    asked = stop.max_iter > 0 and stop.criterion != "sklearn" and stop.tol > 0
    return _is_free(problem, rule) and (asked or isinstance(rule, AcceleratedRankTwo))


def level(factors: Factors) -> Factors:
    """Return the factors with equal norms of W[:, c] and H[c], and the product unchanged but for rounding.

    A component that is zero in one of them stays as it is.
    """
    of_W = torch.linalg.vector_norm(factors.W, dim=-2, dtype=torch.float64)
    of_H = torch.linalg.vector_norm(factors.H, dim=-1, dtype=torch.float64)
    both = (of_W > 0) & (of_H > 0) & torch.isfinite(of_W + of_H)
    by = torch.where(both, of_H / torch.where(both, of_W, 1.0), 1.0).sqrt()
    up, down = (x.to(factors.W.dtype) for x in (by, by.reciprocal()))
    return Factors(factors.W * up[:, None, :], factors.H * down[:, :, None])


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


def _is_free(problem: Problem, rule: UpdateRule) -> bool:
    penalised = any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H))
    return isinstance(rule, OURS) and not penalised and problem.hold is None


def _scaled(factor: Tensor, by: Tensor) -> Tensor:
    return torch.maximum(factor * by, smallest(factor.dtype) * (factor > 0).to(factor.dtype))
