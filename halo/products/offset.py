"""How far a boundary lies from the line of Belokurov & Kravtsov (2023)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from ..io.columns import described
from ..io.notebook import InWords
from ..rounding import measured
from ..stars.published_line import BK23_OFFSET, mean_line
from ..units import ACTION, ENERGY
from .boundary import Boundary


@dataclass(frozen=True, repr=False)
class Offset(InWords):
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

    def table(self) -> Table:
        """Return the differences as a table, with their means on either side in the metadata (km2 / s2)."""
        table = Table({"Lz": self.Lz, "difference": self.difference})
        table["Lz"].unit, table["difference"].unit = ACTION, ENERGY
        for name, side in (("prograde", 1), ("retrograde", -1), ("both", 0)):
            table.meta[name] = {
                "columns": self.columns(side),
                "mean": self.mean(side),
                "lowest": self.lowest(side),
            }
        return described(table, "offset")

    def describe(self) -> str:
        """Return a line with the mean differences."""
        sides = ((0, "all"), (1, "prograde"), (-1, "retrograde"))
        means = ", ".join(
            f"{measured(self.mean(side), ENERGY)} ({name}, {self.columns(side)} columns)" for side, name in sides
        )
        return f"boundary minus the line of Belokurov & Kravtsov (2023), mean: {means}"

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def offset(line: Boundary, zero_point: float = BK23_OFFSET) -> Offset:
    """Return how far a boundary is from the line of Belokurov & Kravtsov (2023), lowered by `zero_point` (km2 / s2)."""
    good = np.isfinite(line.smoothed)
    published = np.array(
        [mean_line(low, high, zero_point) for low, high in zip(line.Lz_edges[:-1], line.Lz_edges[1:], strict=True)]
    )
    return Offset(line.Lz[good], (line.smoothed - published)[good])
