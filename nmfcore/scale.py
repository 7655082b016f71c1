"""Scales: of the data, of which others than ordinary ones have a power of four divided out, and of NumPy's factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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


def level_of(squares_W: np.ndarray, squares_H: np.ndarray) -> np.ndarray:
    """Return what to multiply components of W by, and to divide those of H by, so that both have one norm.

    From the sums of their squares; 1 where one of them is zero. `balance.level` does so for tensors.
    """
    level = np.sqrt(np.sqrt(squares_H / np.where(squares_W > 0, squares_W, 1.0)))
    return np.where(level > 0, level, 1.0)
