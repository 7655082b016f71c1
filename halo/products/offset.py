"""A boundary beside the published line of Belokurov & Kravtsov (2023): how far below or above it, on either side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from .boundary import BK23_OFFSET, Boundary, belokurov_kravtsov
from .profile import Profile


@dataclass(frozen=True)
class Offset:
    """A boundary minus the line of Belokurov & Kravtsov (2023), in the columns that have a boundary.

    Attributes
    ----------
    Lz : ndarray, shape (c,)
        Centres of the columns, kpc km/s.
    difference : ndarray, shape (c,)
        Smoothed boundary minus the line's mean over the column, km2 / s2.
    """

    Lz: np.ndarray
    difference: np.ndarray

    def mean(self, side: int = 0) -> float:
        """Return the mean over the columns of a side: 1 for Lz > 0, -1 for Lz < 0, 0 for both; NaN of none."""
        chosen = self._side(side)
        return float(self.difference[chosen].mean()) if chosen.any() else float("nan")

    def lowest(self, side: int = 0) -> float:
        """Return how far below the line the boundary comes at most (the least difference); NaN of no column."""
        chosen = self._side(side)
        return float(self.difference[chosen].min()) if chosen.any() else float("nan")

    def distance(self) -> float:
        """Return the mean absolute difference; NaN of no column."""
        return float(np.abs(self.difference).mean()) if len(self.difference) else float("nan")

    def columns(self, side: int = 0) -> int:
        """Return how many columns there are on a side."""
        return int(self._side(side).sum())

    def _side(self, side: int) -> np.ndarray:
        return np.ones(len(self.Lz), dtype=bool) if side == 0 else self.Lz * side > 0


def offset(line: Boundary, zero_point: float = BK23_OFFSET) -> Offset:
    """Return how far a boundary is from the line of Belokurov & Kravtsov (2023), lowered by `zero_point` (km2 / s2)."""
    good = np.isfinite(line.smoothed)
    published = np.array(
        [mean_line(low, high, zero_point) for low, high in zip(line.Lz_edges[:-1], line.Lz_edges[1:], strict=True)]
    )
    return Offset(line.Lz[good], (line.smoothed - published)[good])


def mean_line(low: float = -2000.0, high: float = 2000.0, zero_point: float = BK23_OFFSET) -> float:
    """Return the mean of the published line between two Lz (kpc km/s), km2 / s2; -1.564e5 over -2000 to 2000."""
    middles = low + (np.arange(2000) + 0.5) * (high - low) / 2000
    return float(belokurov_kravtsov(middles, zero_point).mean())


def fraction_at(profile: Profile, at: float, component: int = 0) -> float:
    """Return a component's fraction at a value of the profile's variable, by the spline of its crossings.

    Parameters
    ----------
    profile : Profile
        Such as that against energy.
    at : float
        In the variable's unit.
    component : int
        Which; the first is that of the lowest energy.

    Returns
    -------
    float
        NaN outside the bins with stars enough.
    """
    from scipy.interpolate import PchipInterpolator

    mixtures = profile.application.mixtures
    share = profile.application.fractions[:, component]
    good = (mixtures.n_stars >= profile.min_stars) & np.isfinite(share)
    if good.sum() < 2:
        return float("nan")
    centre = mixtures.bins.bounds[good, 0].mean(axis=-1)
    return float(PchipInterpolator(centre, share[good], extrapolate=False)(at))


def offset_table(result: Offset) -> Table:
    """Return the differences as a table, with their means on either side in the metadata (km2 / s2)."""
    table = Table({"Lz": result.Lz, "difference": result.difference})
    table["Lz"].unit, table["difference"].unit = "kpc km / s", "km2 / s2"
    for name, side in (("prograde", 1), ("retrograde", -1), ("both", 0)):
        table.meta[name] = {
            "columns": result.columns(side),
            "mean": result.mean(side),
            "lowest": result.lowest(side),
        }
    return table
