"""Weights of stars: for how many each stands, such as one over the probability that a survey selects it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from .variables import values

RANGE = 1e-100, 1e100
"""Between these lies the largest weight: the squares of others are beyond the range of numbers."""


def weights_of(stars: Any, column: str | None) -> np.ndarray | None:
    """Return the weights that a column holds; float64, shape (N,), None where no column is named.

    Parameters
    ----------
    stars : Table
        The stars that are counted.
    column : str or None
        A column, or a named variable.

    Raises
    ------
    InputError
        A weight that is negative, infinite or missing, none that is positive, or a largest one beyond `RANGE`.
    UsageError
        No such column, or one that holds no numbers.
    """
    if column is None:
        return None
    try:
        found = values(stars, column)
    except UsageError as error:
        raise UsageError(f"weights {column}: {error}") from error
    for wrong, said in ((~np.isfinite(found), "not finite"), (found < 0, "negative")):
        if wrong.any():
            raise InputError(
                f"weights {column}: {int(wrong.sum()):,} of {len(found):,} stars have one that is {said} (the first: "
                f"{found[wrong][0]:g}); leave these stars out with a cut, or give them a weight."
            )
    if len(found) and not found.any():
        raise InputError(f"weights {column}: all of {len(found):,} are zero, so that no star would count.")
    if len(found) and not RANGE[0] <= found.max() <= RANGE[1]:
        raise InputError(f"weights {column}: the largest is {found.max():g}; take other units, only ratios matter.")
    return found


def effective_number(weights: np.ndarray) -> float:
    """Return the number of equally weighted stars that tell as much: (sum w)^2 / sum w^2 (Kish 1965, 11.7).

    Parameters
    ----------
    weights : ndarray, shape (N,)
        Not negative.
    """
    largest = weights.max(initial=0.0)
    if largest <= 0:
        return 0.0
    part = weights / largest  # squares of weights may be beyond the range of numbers
    return float(part.sum() ** 2 / (part**2).sum())
