"""How far factors are from optimal: the KKT residual, and the mass that entries would still gain."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .gradient import gradient_parts
from .late import torch
from .losses import BetaDivergence
from .problem import Factors, Problem

if TYPE_CHECKING:
    from torch import Tensor


class Optimality(NamedTuple):
    """How far each replicate is from a stationary point, and what it lacks; each of shape (B,)."""

    growing: Tensor
    locked: Tensor
    kkt: Tensor


class _Side(NamedTuple):
    """A free factor with components as rows, the other with components as columns, the halves of the gradient."""

    name: str
    entry: Tensor
    other: Tensor
    negative: Tensor
    positive: Tensor


def examine(problem: Problem, factors: Factors) -> Optimality:
    """Return `missing_mass` and `kkt_residual` of the same gradients."""
    sides = _sides(problem, factors)
    return Optimality(*_missing_mass(problem, factors, sides), _kkt_residual(factors, sides))


def kkt_residual(problem: Problem, factors: Factors) -> Tensor:
    """Return how far each replicate is from a stationary point, shape (B,); see `Result.kkt`."""
    return _kkt_residual(factors, _sides(problem, factors))


def missing_mass(problem: Problem, factors: Factors) -> tuple[Tensor, Tensor]:
    """Estimate the fraction of the data's sum that growing entries would still gain.

    Let N and P be the halves of the objective's gradient by an entry of H in column j. Where N > P the entry
    grows. Had component and column one constant value each, w and y, N / P would be v / y for every beta divergence,
    and the entry would grow by (v - y) / w: by the fraction 1 - P / N of the column's sum. This is summed over the
    columns, with the largest such fraction in each, and likewise over the rows for W; the larger of the two counts. A
    column or row of zeros adds nothing. Scaling V or the components changes nothing.

    Returns
    -------
    growing, locked : Tensor, shape (B,)
        By entries above zero and by entries at zero, as fractions of the (weighted) sum of V, in [0, 1].
    """
    return _missing_mass(problem, factors, _sides(problem, factors))


def unit_sum(factors: Factors) -> Factors:
    """Return the same product with each row of H at unit sum; rows of zeros stay zero."""
    total = factors.H.sum(dim=-1)
    return Factors(factors.W * total[:, None, :], factors.H / _positive(total)[:, :, None])


def _kkt_residual(factors: Factors, sides: list[_Side]) -> Tensor:
    residual = factors.W.new_zeros(factors.W.shape[0])
    unit = unit_sum(factors)
    # Penalties are not invariant under the rescaling to unit sum: gradients are taken at the factors as they are
    # and carried over by the chain rule.
    total = _positive(factors.H.sum(-1))[..., None]
    for name, _, _, negative, positive in sides:
        entry, chain = (unit.W.mT, 1.0 / total) if name == "W" else (unit.H, total)
        slope = (positive - negative) * chain / _largest(negative * chain)
        distance = torch.minimum(entry / _largest(entry), slope).abs()
        residual = torch.maximum(residual, distance.amax(dim=(-2, -1)))
    return residual


def _missing_mass(problem: Problem, factors: Factors, sides: list[_Side]) -> tuple[Tensor, Tensor]:
    data = problem.V if problem.weight is None else problem.weight * problem.V
    total = _positive(data.sum(dim=(-2, -1)))
    penalised = any(x is not None for x in (problem.l1_W, problem.l2_W, problem.l1_H, problem.l2_H))
    growing = locked = torch.zeros_like(total)
    for name, entry, other, negative, positive in sides:
        mass = data.sum(-1 if name == "W" else -2)
        wanted = torch.where(negative > positive, 1.0 - positive / _positive(negative), 0.0)
        by_growing = torch.where(entry > 0, wanted, 0.0).amax(-2)
        by_locked = torch.where(entry == 0, wanted, 0.0).amax(-2)
        if not penalised:
            # Where the reconstruction is zero throughout, gradients may vanish: a saddle point. With penalties it may
            # be the optimum; so it may for least squares, unless a whole component is missing.
            unreached = _unreached(entry, other, squares=_of_squares(problem))
            by_locked = by_locked if unreached is None else torch.where(unreached, 1.0, by_locked)
        growing = torch.maximum(growing, (by_growing * mass).sum(-1) / total)
        locked = torch.maximum(locked, (by_locked * mass).sum(-1) / total)
    return growing, locked


def _of_squares(problem: Problem) -> bool:
    return isinstance(problem.loss, BetaDivergence) and problem.loss.beta == 2


def _unreached(entry: Tensor, other: Tensor, *, squares: bool) -> Tensor | None:
    # Where the reconstruction is zero; of least squares where a component is missing besides, None if none is.
    if squares:
        missing = ((entry.sum(-1) == 0) & (other.sum(-2) == 0)).any(-1)[:, None]
        # Other devices would have to be waited for to tell.
        if entry.device.type == "cpu" and not bool(missing.any()):
            return None
    unreached = (entry * other.sum(-2)[..., None]).sum(-2) == 0
    return unreached & missing if squares else unreached


def _sides(problem: Problem, factors: Factors) -> list[_Side]:
    W, H = factors
    weight_T = None if problem.weight is None else problem.weight.mT
    sides = []
    if problem.hold != "W":
        parts = gradient_parts(problem.V.mT, H.mT, W.mT, weight_T, problem.loss, problem.l1_W, problem.l2_W)
        sides.append(_Side("W", W.mT, H.mT, *parts))
    if problem.hold != "H":
        parts = gradient_parts(problem.V, W, H, problem.weight, problem.loss, problem.l1_H, problem.l2_H)
        sides.append(_Side("H", H, W, *parts))
    return sides


def _largest(x: Tensor) -> Tensor:
    return _positive(x.amax(dim=(-2, -1)))[:, None, None]


def _positive(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 1.0)
