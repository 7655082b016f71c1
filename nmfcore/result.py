"""What a factorisation gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .stopping import Status


@dataclass(frozen=True)
class Result:
    """Factors and how they were reached; NumPy arrays if V was one, else tensors on V's device.

    Where V had no replicate axis, neither have these.

    Attributes
    ----------
    W : array or Tensor, shape (B, m, k)
        Weights.
    H : array or Tensor, shape (B, k, n)
        Components.
    loss : array or Tensor, shape (B,)
        The objective at (W, H), penalties included; float64.
    divergence : array or Tensor, shape (B,)
        The loss without penalties; float64.
    n_iter : array or Tensor of int, shape (B,)
        Iterations done.
    status : array or Tensor of int, shape (B,)
        A `Status` per replicate.
    kkt : array or Tensor, shape (B,)
        Residual of the optimality conditions: with each row of H at unit sum, the largest over both factors of
        min(entry / largest entry, gradient / largest negative half of the gradient) in absolute value. 0 at a
        stationary point, whatever the scale of V.
    start : array or Tensor of int, shape (B,)
        The start that won, 0 being `init`.
    """

    W: Any
    H: Any
    loss: Any
    divergence: Any
    n_iter: Any
    status: Any
    kkt: Any
    start: Any

    @property
    def converged(self) -> Any:
        """Whether each replicate converged; bool, shape (B,)."""
        return self.status == int(Status.CONVERGED)

    @property
    def shares(self) -> Any:
        """Share of each component in the reconstruction's sum; shape (B, k), zero where all is zero.

        With each row of H at unit sum, this is the share of sum(W): a mass fraction.
        """
        mass = self.W.sum(-2) * self.H.sum(-1)
        total = mass.sum(-1)[..., None]
        return mass / (total + (total == 0))

    def normalised(self) -> tuple[Any, Any]:
        """Return (W, H) with each row of H at unit sum and the product unchanged."""
        total = self.H.sum(-1)
        safe = total + (total == 0)
        return self.W * total[..., None, :], self.H / safe[..., :, None]

    def summary(self) -> str:
        """Return one line: how many replicates ended how, and after how many iterations."""
        status = np.atleast_1d(np.asarray(_host(self.status)))
        n_iter = np.atleast_1d(np.asarray(_host(self.n_iter)))
        parts = [f"{int((status == s).sum())} {s.message}" for s in Status if (status == s).any()]
        return f"{status.size} replicates: {'; '.join(parts)} (median {int(np.median(n_iter))} iterations)"


def _host(x: Any) -> Any:
    return x.cpu() if hasattr(x, "cpu") else x
