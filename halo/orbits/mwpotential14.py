"""MWPotential2014 of Bovy (2015), by its closed forms: the potential of galpy's users and of the astroNN catalogue.

Zero at infinity here. galpy's own bulge is zero at its centre, so that its energies lie higher by the bulge's depth,
some 0.65e5 km2 / s2 (docs/orbits.md).

Arrays are plain floats in kpc, km/s and (km/s)^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gamma, gammainc, gammaincc

__all__ = ["MWPotential2014", "table"]

_R0, _V0 = 8.0, 220.0
_BULGE, _DISC, _HALO = 0.05, 0.60, 0.35  # parts of the radial force at R0 in the plane: his Table 1
_ALPHA, _CUTOFF = 1.8, 1.9  # of the bulge's density r^-alpha exp(-(r / cutoff)^2); kpc
_A, _B = 3.0, 0.28  # of the disc of Miyamoto & Nagai (1975), kpc
_RS = 16.0  # of the halo of Navarro, Frenk & White (1996), kpc
_CENTRE = 1e-9  # kpc


@dataclass(frozen=True)
class MWPotential2014:
    """Bulge, disc and halo, each with the amplitude that its part of the force at R0 asks for.

    Attributes
    ----------
    bulge, disc, halo : float
        Amplitudes: those of `_bulge`, and G M of the disc and of the halo's scale, kpc (km/s)^2.
    """

    bulge: float
    disc: float
    halo: float

    def potential(self, R: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the potential, (km/s)^2, zero at infinity; R, z in kpc."""
        r = np.maximum(np.hypot(R, z), _CENTRE)
        square = (r / _CUTOFF) ** 2
        inside = gamma(1.5 - 0.5 * _ALPHA) * gammainc(1.5 - 0.5 * _ALPHA, square)
        outside = gamma(1.0 - 0.5 * _ALPHA) * gammaincc(1.0 - 0.5 * _ALPHA, square)
        return (
            -self.bulge * (_CUTOFF / r * inside + outside)
            - self.disc / np.hypot(R, _A + np.hypot(z, _B))
            - self.halo * np.log1p(r / _RS) / r
        )

    def gradient(self, R: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives with R and with z, (km/s)^2 / kpc."""
        r = np.maximum(np.hypot(R, z), _CENTRE)
        inside = gamma(1.5 - 0.5 * _ALPHA) * gammainc(1.5 - 0.5 * _ALPHA, (r / _CUTOFF) ** 2)
        round_ = (
            self.bulge * _CUTOFF * inside / r**3 + self.halo * (np.log1p(r / _RS) / r - 1.0 / (r + _RS)) / r**2
        )  # of the spherical parts, over r
        height = np.hypot(z, _B)
        pull = self.disc / np.hypot(R, _A + height) ** 3
        return R * (round_ + pull), z * (round_ + pull * (_A + height) / height)


@cache
def table() -> MWPotential2014:
    """Return the potential with its amplitudes."""
    R0, plane = np.array([_R0]), np.zeros(1)
    unit = [MWPotential2014(*(float(i == j) for j in range(3))).gradient(R0, plane)[0][0] for i in range(3)]
    force = _V0**2 / _R0
    return MWPotential2014(*(part * force / one for part, one in zip((_BULGE, _DISC, _HALO), unit, strict=True)))
