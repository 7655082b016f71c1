"""Beta divergences: their values, and the two halves of their gradients that multiplicative updates need."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .errors import ProblemError
from .late import torch

if TYPE_CHECKING:
    from torch import Tensor

# Reconstructions are kept above this before they are divided by; scikit-learn's constant, float32's epsilon.
FLOOR = 2.0**-23

NAMED_BETA = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}


@runtime_checkable
class Loss(Protocol):
    """What `MultiplicativeUpdate` needs of a loss; any object with these two methods is one.

    An optional attribute ``exponent`` (float, default 1) is the power to which the multiplicative step is raised,
    for losses whose proof of descent needs one. An optional attribute ``degree`` (float) says that
    ``value(c V, c Y) = c**degree * value(V, Y)``; with it, data of extreme scale are rescaled internally.
    """

    def value(self, V: Tensor, Y: Tensor, weight: Tensor | None) -> Tensor:
        """Return the loss of reconstruction `Y`, shape (B,), from `V`, `Y` of shape (B, m, n)."""
        ...

    def split(self, V: Tensor, Y: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, P), both non-negative of V's shape, such that the derivative by each entry of `Y` is P - N."""
        ...


@dataclass(frozen=True)
class BetaDivergence:
    """The beta divergence; 2 is half the squared Frobenius norm, 1 Kullback-Leibler, 0 Itakura-Saito.

    Parameters
    ----------
    beta : float
        Any finite number. ``beta <= 0`` needs strictly positive data.

    References
    ----------
    Fevotte & Idier (2011), Neural Computation 23, 2421.
    """

    beta: float = 2.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.beta):
            raise ProblemError(f"beta must be finite; got {self.beta}")

    @property
    def exponent(self) -> float:
        """Power of the multiplicative step that makes the loss non-increasing (Fevotte & Idier 2011, eq. 4.1)."""
        if self.beta < 1:
            return 1.0 / (2.0 - self.beta)
        if self.beta > 2:
            return 1.0 / (self.beta - 1.0)
        return 1.0

    @property
    def degree(self) -> float:
        """Degree of homogeneity."""
        return self.beta

    def value(self, V: Tensor, Y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the divergence of `Y` from `V`.

        Parameters
        ----------
        V, Y : Tensor, shape (B, m, n)
            Data and reconstruction.
        weight : Tensor, shape (B, m, n), optional
            Weight of every entry.

        Returns
        -------
        Tensor, shape (B,)
        """
        beta = self.beta
        if beta == 2:
            difference = V - Y
            terms = difference.mul_(difference).mul_(0.5)
        elif beta == 1:
            terms = torch.special.xlogy(V, V / Y.clamp_min(FLOOR)) - V + Y
        elif beta == 0:
            ratio = V / Y.clamp_min(FLOOR)
            terms = ratio - ratio.log() - 1.0
        else:
            safe = Y.clamp_min(FLOOR)
            terms = (V.pow(beta) + (beta - 1.0) * Y.pow(beta) - beta * V * safe.pow(beta - 1.0)) / (beta * (beta - 1.0))
        if weight is not None:
            terms = torch.where(weight > 0, terms * weight, terms.new_zeros(()))
        return terms.sum(dim=(-2, -1))

    def split(self, V: Tensor, Y: Tensor) -> tuple[Tensor, Tensor]:
        """Return V Y^(beta-2) and Y^(beta-1): the derivative by Y is the second less the first.

        Parameters
        ----------
        V, Y : Tensor, shape (B, m, n)
            Data and reconstruction.

        Returns
        -------
        negative, positive : Tensor, shape (B, m, n)
        """
        beta = self.beta
        if beta == 2:
            return V, Y
        safe = Y.clamp_min(FLOOR)
        if beta == 1:
            return V / safe, torch.ones_like(Y)
        negative = V * safe.pow(beta - 2.0) if beta < 2 else V * Y.pow(beta - 2.0)
        positive = safe.pow(beta - 1.0) if beta < 1 else Y.pow(beta - 1.0)
        return negative, positive


def as_loss(loss: str | float | Loss) -> Loss:
    """Return the loss that a name, a number (beta) or a loss object stands for.

    Raises
    ------
    ProblemError
        If the name is unknown.
    TypeError
        If the object lacks ``value`` or ``split``.
    """
    if isinstance(loss, str):
        if loss in NAMED_BETA:
            return BetaDivergence(NAMED_BETA[loss])
        try:
            return BetaDivergence(float(loss))
        except ValueError:
            raise ProblemError(f"loss must be one of {sorted(NAMED_BETA)} or a number beta; got {loss!r}") from None
    if isinstance(loss, (int, float)):
        return BetaDivergence(float(loss))
    if isinstance(loss, Loss):
        return loss
    raise TypeError(f"loss must be a name, a number or an object with value() and split(); got {type(loss).__name__}")


def degree_of(loss: Loss) -> float | None:
    """Return the loss's degree of homogeneity, or None where it has none: its data are then never rescaled."""
    return getattr(loss, "degree", None)
