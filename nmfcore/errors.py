"""The error that the engine raises for data or arguments that it cannot use."""

from __future__ import annotations

from typing import Any

import numpy as np

from .late import is_tensor, torch


class ProblemError(ValueError):
    """The data or an argument cannot be used; the message tells which, what was expected and what was found."""


def refuse_masked(x: Any, name: str, remedy: str) -> None:
    """Raise if a masked array has masked entries: what they mean is for the caller to say, by the `remedy`.

    Raises
    ------
    ProblemError
        What is masked, and the remedy.
    """
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise ProblemError(f"{name} has masked entries; {remedy}")


def refuse_sparse(x: Any, name: str) -> None:
    """Raise if x is one of torch's sparse tensors.

    Raises
    ------
    ProblemError
        What it is, and what to pass in its place.
    """
    if is_tensor(x) and x.layout != torch.strided:
        also = ", or a scipy.sparse matrix" if name in ("V", "X") else ""
        raise ProblemError(f"{name} is a sparse tensor ({x.layout}); pass {name}.to_dense(){also}")


def require_whole(name: str, value: Any) -> None:
    """Raise unless the argument `name` is an integer."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ProblemError(f"{name} must be an integer; got {value!r}")
