"""The error that the engine raises for data or arguments that it cannot use."""

from __future__ import annotations

from typing import Any

import numpy as np


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
