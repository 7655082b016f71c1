"""The boundary of Belokurov & Kravtsov (2023), to compare others with."""

from __future__ import annotations

import numpy as np

BK23_OFFSET = -0.285e5
"""Added to the line of Belokurov & Kravtsov (2023) to bring it to McMillan (2017) energies with Phi(infinity) = 0.

Inferred, not published: any value from -0.32e5 to -0.25e5 reproduces the public in-situ and accreted flags of all
154 globular clusters.
"""


def belokurov_kravtsov(Lz: np.ndarray, offset: float = BK23_OFFSET) -> np.ndarray:
    """Return the in-situ/accreted line of Belokurov & Kravtsov (2023), km2 / s2, at Lz in kpc km/s.

    Parameters
    ----------
    Lz : ndarray
        Prograde positive.
    offset : float
        Added to their energies, km2 / s2: see `BK23_OFFSET`.

    References
    ----------
    Belokurov & Kravtsov (2023), MNRAS 525, 4456, as coded publicly.
    """
    x = np.asarray(Lz, dtype=float) / 1e3
    line = np.where(x < -0.58, -1.3, np.where(x <= 0.58, -1.4 + 0.3 * x**2, -1.325 + 0.075 * x**2))
    return 1e5 * line + offset


def mean_line(low: float = -2000.0, high: float = 2000.0, zero_point: float = BK23_OFFSET) -> float:
    """Return the mean of the published line between two Lz (kpc km/s), km2 / s2; -1.564e5 over -2000 to 2000."""
    middles = low + (np.arange(2000) + 0.5) * (high - low) / 2000
    return float(belokurov_kravtsov(middles, zero_point).mean())
