"""Stars that lack some of the abundances: which planes each has, and how often it counts in these.

A star that counts once in every plane that it has is counted less often than others. Where a component lacks abundances
more often than another, such as aluminium at low metallicity, its fraction of the counts is then too small. Counted
P / p times in its p of P planes, every star has P counts, and fractions of counts are fractions of stars whatever the
stars without an abundance are, as long as that depends on a star's chemistry and not on its bin (docs/transfer.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..stars.variables import values
from .settings import BALANCE, Chemistry


def planes_measured(table: Any, chemistry: Chemistry) -> np.ndarray:
    """Return which planes each star has both abundances of, in or out of the images; bool, shape (N, images)."""
    finite = {name: np.isfinite(values(table, name)) for name in chemistry.variables}
    return np.stack([finite[plane.x] & finite[plane.y] for plane in chemistry.planes], axis=-1)


def balanced(table: Any, chemistry: Chemistry, weights: np.ndarray | None = None) -> np.ndarray | None:
    """Return for how many each star counts in each plane that it has: `weights`, times P / p if that is to balance.

    Parameters
    ----------
    table : Table
        Stars.
    chemistry : Chemistry
        The planes, and whether stars that lack some are balanced.
    weights : ndarray, shape (N,), optional
        Those that the stars have anyhow.

    Returns
    -------
    ndarray, shape (N,), or None
        None where every star counts once. A star without any plane counts nowhere, and has a weight of zero.
    """
    if chemistry.missing != BALANCE:
        return weights
    number = planes_measured(table, chemistry).sum(axis=1)
    if (number == len(chemistry.planes)).all():
        return weights
    factor = np.divide(len(chemistry.planes), number, out=np.zeros(len(number)), where=number > 0)
    return factor if weights is None else weights * factor
