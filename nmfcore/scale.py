"""The scale of the data: ordinary ones are used as they are, of others a power of four is divided out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .late import torch

if TYPE_CHECKING:
    from torch import Tensor

# Within this range of the largest entry the data are used as they are, so that the numbers equal scikit-learn's;
# outside it float32 squares and the absolute floors would spoil them.
SAFE_MAXIMUM = (2.0**-10, 2.0**20)


def are_extreme(largest: Any) -> Any:
    """Return which replicates are of a scale that is divided out, by their largest entries, an array or Tensor."""
    low, high = SAFE_MAXIMUM
    return (largest > 0) & ((largest < low) | (largest > high))


def scale_of(largest: Tensor, degree: float | None) -> Tensor:
    """Return what is divided out of each replicate, by its largest entry; float64, shape (B,).

    Parameters
    ----------
    largest : Tensor
        Of every replicate.
    degree : float or None
        Of the loss in the data; None where it has none, and the scale must stay.
    """
    largest = largest.double().reshape(-1)
    if degree is None:
        return torch.ones_like(largest)
    outside = are_extreme(largest)
    if not bool(outside.any()):
        return torch.ones_like(largest)
    exponent = 2 * torch.floor(torch.log2(torch.where(outside, largest, torch.ones_like(largest))) / 2)
    return torch.where(outside, torch.exp2(exponent), torch.ones_like(largest))
