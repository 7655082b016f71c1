"""Zero points of one survey's abundances on the scale of another's, and stars that are moved by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy import units
from astropy.table import QTable, Table

from ..errors import InputError, UsageError
from ..io.columns import described
from ..io.notebook import InWords
from ..io.tables import load_table
from ..rounding import measured
from ..stars.catalogue import Catalogue, StarsLike, read_catalogue
from ..stars.origin import MOVED, check_scale, scale_of, survey_of
from ..stars.variables import parts_of, values
from .transfer import NONE

IRON = "FE_H"


@dataclass(frozen=True, repr=False)
class ZeroPoints(InWords):
    """By how much abundances of one survey exceed those of another: offset + slope ([Fe/H] - pivot), in dex.

    [Fe/H] of the trend is that on the other survey's scale.

    Attributes
    ----------
    survey, scale : str
        Whose abundances are moved, and on whose scale they are then.
    names : tuple of str
        The K abundances.
    offset, slope : ndarray, shape (K,)
        At the pivot, in dex; and its change per dex of [Fe/H], zero where there is no trend.
    covariance : ndarray, shape (2 K, 2 K)
        Of the offsets, then the slopes.
    pivot : float
        [Fe/H] at which the offsets hold.
    n_stars : ndarray of int, shape (K,)
        Stars that they come from.
    scatter : ndarray, shape (K,)
        Robust standard deviation of the differences of common stars, in dex; of populations the broadening.
    method : str
        ``common stars`` or ``populations``.
    lost : int
        Replicates that did not converge.
    subtracted : ndarray, shape (K,), optional
        Of populations, the offsets that the reference's own stars have by the same method.
    """

    survey: str
    scale: str
    names: tuple[str, ...]
    offset: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray
    pivot: float
    n_stars: np.ndarray
    scatter: np.ndarray
    method: str
    lost: int = 0
    subtracted: np.ndarray | None = None

    @property
    def error(self) -> np.ndarray:
        """Standard errors of the offsets, shape (K,), dex."""
        return np.sqrt(np.diag(self.covariance)[: len(self.names)])

    @property
    def slope_error(self) -> np.ndarray:
        """Standard errors of the slopes, shape (K,)."""
        return np.sqrt(np.diag(self.covariance)[len(self.names) :])

    def draws(self, number: int, seed: int = 0) -> tuple[ZeroPoints, ...]:
        """Return so many zero points drawn from the normal distribution of these."""
        mean = np.concatenate([self.offset, self.slope])
        drawn = np.random.default_rng(seed).multivariate_normal(mean, self.covariance, number, method="eigh")
        K = len(self.names)
        return tuple(replace(self, offset=one[:K], slope=one[K:]) for one in drawn)

    def moved(self, stars: Any) -> Any:
        """Return a table of stars with its abundances on the other survey's scale; those that are not named stay."""
        out = stars.copy(copy_data=False)
        trend = bool(self.slope.any())
        iron = values(stars, IRON) if trend or IRON in self.names else np.zeros(0)
        if IRON in self.names:
            i = self.names.index(IRON)
            iron = (iron - self.offset[i] + self.slope[i] * self.pivot) / (1 + self.slope[i])
        for name, offset, slope in zip(self.names, self.offset, self.slope, strict=True):
            if name == IRON:
                out[name] = iron
            elif name in stars.colnames:
                out[name] = values(stars, name) - offset - (slope * (iron - self.pivot) if trend else 0.0)
        out.meta[MOVED] = self.scale
        return out

    def check(self, names: Sequence[str], survey: str, scale: str) -> None:
        """Raise where these are no zero points of some abundances, or are those of other surveys.

        Raises
        ------
        UsageError
            They lack an abundance, or move from or to another survey.
        """
        if survey and scale and (survey, scale) != (self.survey, self.scale):
            turned = (scale, survey) == (self.survey, self.scale)
            raise UsageError(
                f"the zero points put {self.survey} on the scale of {self.scale}; the stars are of {survey}, the fit's "
                f"of {scale}. Find those " + ("the other way round." if turned else "between these two.")
            )
        lacking = [name for name in parts_of(names) if name not in self.names]
        if lacking:
            raise UsageError(
                f"the zero points have no {', '.join(lacking)}, which the fit's planes need; they have "
                f"{', '.join(self.names)}."
            )

    def table(self) -> QTable:
        """Return them as a table, one row per abundance; the metadata have the rest."""
        table = QTable({"abundance": list(self.names), "n_stars": self.n_stars})
        for name, column in (("offset", self.offset), ("error", self.error), ("scatter", self.scatter)):
            table[name] = column * units.dex
        table["slope"], table["slope_error"] = self.slope, self.slope_error
        if self.subtracted is not None:
            table["subtracted"] = self.subtracted * units.dex
        table.meta |= {
            "survey": self.survey,
            "scale": self.scale,
            "method": self.method,
            "pivot": self.pivot,
            "covariance": self.covariance.tolist(),
            "lost": self.lost,
        }
        return described(table, "zeropoints")

    @classmethod
    def from_table(cls, table: Table, where: str) -> ZeroPoints:
        """Return what `table` made.

        Raises
        ------
        InputError
            It is no table of zero points.
        """
        try:
            meta = table.meta
            number = {n: np.asarray(table[n], dtype=float) for n in ("offset", "error", "slope", "scatter")}
            covariance = np.asarray(meta["covariance"], dtype=float)
            names = tuple(str(name) for name in table["abundance"])
            subtracted = np.asarray(table["subtracted"], dtype=float) if "subtracted" in table.colnames else None
            if covariance.shape != (2 * len(names),) * 2 or not np.isfinite(covariance).all():
                raise ValueError("covariance")
            if not np.isfinite([number["offset"], number["slope"]]).all():
                raise ValueError("offset or slope")
            return cls(
                str(meta["survey"]), str(meta["scale"]), names, number["offset"], number["slope"], covariance,
                float(meta["pivot"]), np.asarray(table["n_stars"], dtype=int), number["scatter"], str(meta["method"]),
                int(meta.get("lost", 0)), subtracted,
            )  # fmt: skip
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(f"{where}: no table of zero points ({error}); make one with halonmf zeropoints.") from None

    def brief(self) -> dict[str, Any]:
        """Return what results say of the zero points that they were made with."""
        rows = zip(self.names, self.offset, self.error, self.slope, strict=True)
        return {
            "survey": self.survey,
            "scale": self.scale,
            "method": self.method,
            "pivot": self.pivot,
            "offsets": {
                name: {"offset": float(x), "error": float(e), "slope": float(slope)} for name, x, e, slope in rows
            },
        }

    def describe(self) -> str:
        """Return a line on the surveys and one per abundance."""
        lines = [f"{self.survey or 'the stars'} - {self.scale or 'the reference'}, by {self.method}:"]
        for i, name in enumerate(self.names):
            slope = measured(self.slope[i], error=self.slope_error[i], signed=True)
            offset = measured(self.offset[i], "dex", error=self.error[i], signed=True)
            scatter = measured(self.scatter[i], "dex", digits=2)
            trend = f", {slope} per dex" if self.slope[i] else ""
            lines.append(f"{name:8s} {offset}{trend} ({self.n_stars[i]:,} stars, scatter {scatter})")
        if self.slope.any():
            lines.append(f"trends are about [Fe/H] = {self.pivot:.2f}")
        return "\n".join(lines)

    def problems(self) -> str:
        """Return a line on replicates that did not converge; empty where all did."""
        return f"{self.lost} replicates did not converge and were left out of the errors" if self.lost else ""


ZeroPointsLike: TypeAlias = ZeroPoints | str | Path
"""Zero points, the path of their table, or ``none``."""


def as_zeropoints(zeropoints: ZeroPointsLike) -> ZeroPoints:
    """Return the zero points, which may be given as the path of their table.

    Raises
    ------
    InputError
        The file is no such table.
    """
    if isinstance(zeropoints, ZeroPoints):
        return zeropoints
    return ZeroPoints.from_table(load_table(zeropoints), str(zeropoints))


def on_scale(
    stars: StarsLike, scale: str, names: Sequence[str], zeropoints: ZeroPointsLike | None = None
) -> tuple[StarsLike, ZeroPoints | None]:
    """Return stars on the scale of a survey, and the zero points that moved them there.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars.
    scale : str
        Survey of the fit; empty where that is not known.
    names : sequence of str
        Variables of the fit's planes.
    zeropoints : ZeroPoints, path or "none", optional
        None refuses stars of another survey; ``"none"`` takes their abundances as they are.

    Returns
    -------
    stars : Table, Catalogue or path
    zeropoints : ZeroPoints or None
        None where the stars are as they were.

    Raises
    ------
    UsageError
        The stars are of another survey and there are no zero points; or those of other surveys or abundances; or zero
        points that stars of the same scale do not need.
    """
    if isinstance(stars, str | Path):
        stars = read_catalogue(stars)
    own = scale_of(stars)
    if zeropoints is None:
        check_scale(stars, scale)
        return stars, None
    if isinstance(zeropoints, str) and zeropoints == NONE:
        return _labelled(stars, scale), None
    found = as_zeropoints(zeropoints)
    if own and own == scale:
        raise UsageError(f"the fit and the stars are both on the scale of {scale}; leave the zero points out.")
    found.check(names, own, scale)
    table = stars.table if isinstance(stars, Catalogue) else stars
    moved = found.moved(table)
    return (replace(stars, table=moved) if isinstance(stars, Catalogue) else moved), found


def _labelled(stars: Any, scale: str) -> Any:
    # as if they were of the fit's survey, so that nothing that is computed of them asks again
    table = (stars.table if isinstance(stars, Catalogue) else stars).copy(copy_data=False)
    table.meta[MOVED] = scale or survey_of(stars)
    return replace(stars, table=table) if isinstance(stars, Catalogue) else table
