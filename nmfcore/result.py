"""What a factorisation returns."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .late import is_tensor, torch
from .stopping import Status

# A later start must lower the loss by more than this fraction: rounding is not to choose between equals.
MARGIN = 1e-6


@dataclass(frozen=True, repr=False)
class Result:
    """Factors and how they were reached; NumPy arrays if V was one, else tensors on V's device.

    Where V had no replicate axis, neither have these. The scale of each component, which the data leave open, is
    divided by one rule, whatever solved the problem: the Euclidean norms of W[:, c] and H[c] are equal. Not with
    penalties or held factors, which decide on it, nor with rules of the user's own; and with ``tol=0`` or
    scikit-learn's criterion the factors keep the scale to which the rule took them.

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
    def fractions(self) -> Any:
        """Fraction of each component in the sum of the reconstruction; shape (B, k), zero where all is zero.

        With each row of H at unit sum, this is the fraction of sum(W): a mass fraction.
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
        status, n_iter = _on_host(self.status), _on_host(self.n_iter)
        parts = [f"{int((status == s).sum())} {s.message}" for s in Status if (status == s).any()]
        return f"{status.size} replicates: {'; '.join(parts)} (median {int(np.median(n_iter))} iterations)"

    def map(self, change: Callable[[Any], Any]) -> Result:
        """Return a result whose every field is change(field)."""
        return Result(**{name: change(getattr(self, name)) for name in FIELDS})

    def __repr__(self) -> str:
        lines = (f"  {name + ':':<11} {value}" for name, value in self._essentials())
        return "\n".join(["nmfcore.Result", *lines])

    def _repr_html_(self) -> str:
        rows = (
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in self._essentials()
        )
        return f"<table><caption>nmfcore.Result</caption>{''.join(rows)}</table>"

    def _essentials(self) -> list[tuple[str, str]]:
        status, n_iter = _on_host(self.status), _on_host(self.n_iter)
        ended = [
            f"{int((status == s).sum())} {s.name}" for s in Status if s != Status.CONVERGED and (status == s).any()
        ]
        converged = f"{int((status == Status.CONVERGED).sum())} of {status.size}"
        return [
            ("W", f"{tuple(self.W.shape)} {_type_of(self.W)}"),
            ("H", f"{tuple(self.H.shape)} {_type_of(self.H)}"),
            ("converged", f"{converged} ({', '.join(ended)})" if ended else converged),
            ("iterations", _range_of(n_iter, "d")),
            ("loss", _range_of(_on_host(self.loss), ".6g")),
            ("worst kkt", f"{_on_host(self.kkt).max(initial=0.0):.1e}"),
        ]


FIELDS = tuple(field.name for field in fields(Result))


def concatenate(parts: Sequence[Result]) -> Result:
    """Return the replicates of several results as one; all have the replicate axis."""
    if len(parts) == 1:
        return parts[0]
    join: Any = torch.cat if is_tensor(parts[0].W) else np.concatenate
    return Result(**{name: join([getattr(one, name) for one in parts]) for name in FIELDS})


def clearly_better(loss: Any, before: Any) -> Any:
    """Return where `loss` is lower than `before` by more than rounding, or finite where `before` is not; shape (B,)."""
    return (loss < before * (1 - MARGIN)) | ((abs(loss) < float("inf")) & ~(abs(before) < float("inf")))


def _on_host(x: Any) -> np.ndarray:
    return np.atleast_1d(np.asarray(x.cpu() if hasattr(x, "cpu") else x))


def _type_of(x: Any) -> str:
    return str(x.dtype).removeprefix("torch.")


def _range_of(x: np.ndarray, form: str) -> str:
    if x.size == 0:
        return "none"
    low, high = x.min(), x.max()
    return f"{low:{form}}" if low == high else f"{low:{form}} to {high:{form}}"
