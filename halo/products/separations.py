"""How far the median tracks of two components are apart, in units of their own scatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import QTable, vstack

from ..errors import UsageError
from ..fits.fit import Fit
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.settings import Plane
from .tracks import MIN_SHARE, Track, track

POOR = -1.5
"""[Fe/H] below which simple cuts had become unreliable (the paper's section 7)."""


@dataclass(frozen=True)
class Separation:
    """Two tracks in one plane, where both have a median.

    Attributes
    ----------
    plane : Plane
        The image.
    names : tuple of str
        The two components, lower energy first.
    x : ndarray, shape (c,)
        Centres of the columns, dex.
    difference : ndarray, shape (c,)
        Median of the first minus that of the second, dex.
    deviation : ndarray, shape (2, c)
        Their median absolute deviations, dex.
    """

    plane: Plane
    names: tuple[str, str]
    x: np.ndarray
    difference: np.ndarray
    deviation: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """Distance over the sum of both deviations, with the sign of the difference: bands overlap between -1 and 1."""
        total = self.deviation.sum(axis=0)
        # of tracks without any scatter, a distance is infinitely many deviations
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.difference == 0, 0.0, self.difference / total)

    def above(self, below: float = np.inf) -> float:
        """Return the fraction of columns, with x below a limit, in which the first track is above; NaN of no column."""
        chosen = self.x < below
        return float((self.difference[chosen] > 0).mean()) if chosen.any() else float("nan")

    def smallest(self, below: float = np.inf) -> tuple[float, float]:
        """Return the smallest ratio in the columns with x below a limit, and where it is; NaN of no column.

        It is negative where the tracks have changed places.
        """
        chosen = np.flatnonzero(self.x < below)
        if len(chosen) == 0:
            return float("nan"), float("nan")
        i = chosen[self.ratio[chosen].argmin()]
        return float(self.ratio[i]), float(self.x[i])


def separation(first: Track, second: Track, names: tuple[str, str]) -> Separation:
    """Return how far two tracks of the same plane are apart, in the columns in which both have a median.

    Raises
    ------
    UsageError
        Tracks of different planes or columns.
    """
    if first.plane != second.plane or not np.array_equal(first.x, second.x):
        raise UsageError(f"tracks must be of one plane and its columns; got {first.plane} and {second.plane}.")
    both = np.isfinite(first.median) & np.isfinite(second.median)
    return Separation(
        plane=first.plane,
        names=names,
        x=first.x[both],
        difference=(first.median - second.median)[both],
        deviation=np.stack([first.deviation, second.deviation])[:, both],
    )


class Separations(InWords, tuple[Separation, ...]):
    """How far the tracks of two components are apart, by plane: a tuple of `Separation`."""

    __slots__ = ()

    def table(self, poor: float = POOR) -> QTable:
        """Return separations as a table: a row per plane and column; what is least, and where, in the metadata."""
        parts = []
        meta: dict[str, Any] = {}
        for s in self:
            part = QTable()
            part["plane"] = [str(s.plane)] * len(s.x)
            part["x"], part["difference"] = s.x, s.difference
            part[f"deviation_{s.names[0]}"], part[f"deviation_{s.names[1]}"] = s.deviation
            part["ratio"] = s.ratio
            parts.append(part)
            least, at = s.smallest()
            least_poor, _ = s.smallest(poor)
            meta[str(s.plane)] = {
                "columns": len(s.x),
                f"fraction_{s.names[0]}_above": s.above(),
                f"fraction_{s.names[0]}_above_poor": s.above(poor),
                "smallest_ratio": least,
                "smallest_ratio_at": at,
                "smallest_ratio_poor": least_poor,
            }
        table = vstack(parts) if parts else QTable()
        table.meta.update(planes=meta, poor=poor)
        return described(table, "separations")

    def describe(self) -> str:
        """Return a line per plane: in how many columns the first track is above, and where they come nearest."""
        lines = []
        for s in self:
            least, at = s.smallest()
            above = f"{s.names[0]} above {s.names[1]} in {100 * s.above():.0f} % of {len(s.x)} columns"
            lines.append(f"{s.plane}: {above}; smallest ratio {least:.2f} at {at:.2f}")
        return "\n".join(lines)

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def separations(fit: Fit, *, min_share: float = MIN_SHARE) -> Separations:
    """Return how far the tracks of two components are apart in every plane.

    Of three and more components they are those of the in-situ and of the accreted part.

    Raises
    ------
    UsageError
        A fit of one component.
    """
    if len(fit.names) < 2:
        raise UsageError("tracks are apart of two components; this fit has one.")
    if fit.reading.nameless:
        fit = fit.merged
    names = fit.names[0], fit.names[1]
    return Separations(
        separation(track(fit, 0, i, min_share=min_share), track(fit, 1, i, min_share=min_share), names)
        for i in range(len(fit.settings.chemistry.planes))
    )
