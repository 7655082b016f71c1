"""The potentials that orbits can be computed in, by name."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..errors import UsageError
from . import mcmillan17, mwpotential14
from .settings import POTENTIALS

__all__ = ["Potential", "potential_of"]


class Potential(Protocol):
    """An axisymmetric potential, symmetric about z = 0 and zero at infinity; kpc, km/s."""

    def potential(self, R: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the potential, (km/s)^2."""
        ...

    def gradient(self, R: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives with R and with z, (km/s)^2 / kpc."""
        ...


def potential_of(model: str) -> Potential:
    """Return a potential by its name in `settings.POTENTIALS`.

    Raises
    ------
    UsageError
        An unknown name.
    """
    if model not in POTENTIALS:
        raise UsageError(f"potential must be one of {', '.join(POTENTIALS)}; got {model!r}.")
    return mcmillan17.table() if model == "mcmillan17" else mwpotential14.table()
