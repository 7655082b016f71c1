"""What energies and angular momenta of stars can be at all: what is beyond was not measured, but damaged or converted.

Unlike `orbits.convention.check_energies` this asks nothing of the potential, so that it holds for any catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError
from ..orbits.convention import ZERO_POINT, stated
from .variables import values

__all__ = ["check_ranges"]

POSSIBLE: Mapping[str, tuple[float, str]] = {"E": (1e7, "km2/s2"), "Lz": (1e6, "kpc km/s")}
"""Largest sizes: the energy of 4,500 km/s, 30 times the depth of the Galaxy's potential, and 1,000 km/s at 1 Mpc."""
REMEDY = "Take these rows out or correct their units, and prepare the catalogue again."


def check_ranges(table: Any, where: str) -> None:
    """Refuse stars whose E or Lz is infinite or impossible, and samples with no star that is bound.

    Parameters
    ----------
    table : Table
        Prepared stars; a column that is absent is not checked, nor are NaN, which stand for missing values.
    where : str
        What they are from, for messages.

    Raises
    ------
    InputError
        Such stars are among them. All energies may be zero or more where the table states another zero point than
        infinity, or no convention.
    """
    for name, (most, unit) in POSSIBLE.items():
        if name not in table.colnames or table[name].dtype.kind not in "iuf" or table[name].ndim != 1:
            continue
        x = values(table, name)
        beyond = np.abs(x) > most
        if beyond.any():
            raise InputError(
                f"{where}: {name} of {int(beyond.sum())} of {len(x)} stars is infinite or beyond {most:g} {unit}, "
                f"which no star has; the first is {x[beyond][0]:g} in row {int(np.argmax(beyond))}. {REMEDY}"
            )
        if name == "E":
            _check_bound(x, table, where)


def _check_bound(E: np.ndarray, table: Any, where: str) -> None:
    said = stated(getattr(table, "meta", {}))
    known = E[np.isfinite(E)]
    if said is not None and said.zero_point == ZERO_POINT and len(known) and known.min() >= 0:
        raise InputError(
            f"{where}: all {len(known)} energies are zero or more, though the potential is stated to be zero at "
            "infinity: no star would be bound. Correct the sign or the zero point, or compute them again with halonmf "
            "recompute."
        )
