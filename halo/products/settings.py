"""Choices of what is computed from a fit; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..errors import UsageError
from ..fields import LIMITS, NUMBERS, MinStars, Option
from ..fits.settings import INTERVALS, RECOMMENDED
from ..fits.transfer import DRAWS
from ..units import ACTION, ENERGY, convert

FILLS = ("nearest", "drop")
ORDERS = ("energy", "metallicity")
LINES = ("shifted", "free")
"""The published line with the fitted offset, or the boundary found in each column of Lz."""
PROFILES = {
    "E": "E:20:-2.5e5:-1.0e5",
    "Lz": "Lz:20:-2000:2000",
    "r": "r:10:2:14",
    "z": "z:10:0:10",
    "R": "R:10:2:14",
    "e": "e:10:0:1",
    "dE": "dE:20:-1.0e5:0.5e5",
}
"""Bins of the profiles against each variable: km2 / s2, kpc km / s, kpc; those of E, r, z and R are the paper's. dE is
the energy above the line of Belokurov & Kravtsov (2023)."""
Interval = Annotated[str, "Type of the intervals; docs/uncertainties.md compares.", Option(choices=INTERVALS)]
PRIOR_COUNTS = 1.0
"""Counts spread evenly over the pixels of each distribution before it is read off an image."""


@dataclass(frozen=True)
class ApplySettings:
    """How a fit is applied to stars.

    Attributes
    ----------
    by : str
        The bins.
    min_stars : int
        Of a bin whose fraction counts for a crossing.
    draws, seed : int
        Of the zero points, where there are some.
    """

    by: Annotated[str, "VARIABLE:COUNT[:LOW:HIGH] for a profile, two with a comma for a map."] = PROFILES["E"]
    min_stars: MinStars = 10
    draws: Annotated[
        int, "Draws of the zero points behind intervals of the fractions; 0 for no intervals.", Option(minimum=0)
    ] = DRAWS
    seed: Annotated[int, "Seed of the draws.", Option(minimum=0)] = 0


@dataclass(frozen=True)
class BoundarySettings:
    """How the boundary is found; see `boundary.boundary`.

    Attributes
    ----------
    grid : int
        Bins of the map on either axis.
    level : float
        Accreted fraction at the boundary.
    smoothing : float
        Sigma of the Gaussian filter, in columns.
    E_range, Lz_range : (float, float) or Quantity
        Limits of the map, km2 / s2 and kpc km / s.
    min_stars : int
        Of a bin whose fraction counts.
    """

    grid: Annotated[int, "Bins of the boundary's map on either axis.", Option(minimum=2)] = 10
    level: Annotated[float, "Accreted fraction at the boundary."] = 0.5
    smoothing: Annotated[float, "Sigma of the boundary's Gaussian filter [columns]."] = 1.0
    E_range: Annotated[tuple[float, float], "LOW:HIGH [km2/s2].", Option(form=LIMITS)] = (-3.0e5, -1.0e5)
    Lz_range: Annotated[tuple[float, float], "LOW:HIGH [kpc km/s].", Option(form=LIMITS)] = (-2000.0, 2000.0)
    min_stars: MinStars = ApplySettings.min_stars

    def __post_init__(self) -> None:
        convert(self, E_range=ENERGY, Lz_range=ACTION)


@dataclass(frozen=True)
class SplitSettings:
    """Choices of the split.

    Attributes
    ----------
    bins : int
        q: each part has q x q equal-count bins of E and Lz.
    fill : str
        Where an Lz column has no boundary: ``nearest`` takes it from the columns that have one, linear between them
        and constant beyond the last; ``drop`` leaves the stars of such columns out.
    order : str
        Which of a part's two components is the first: that of higher mean ``energy`` (the paper's words: "in order of
        decreasing energy"), or that of lower median ``metallicity``. In the paper both say the same.
    min_stars : int
        A part with fewer stars per bin on average is refused.

    Raises
    ------
    UsageError
        A value that makes no sense.
    """

    bins: Annotated[int, "Each part has so many bins of E, and of Lz in each.", Option(minimum=2)] = 5
    fill: Annotated[
        str,
        "Where an Lz column has no boundary: nearest takes its neighbours', drop leaves its stars out.",
        Option(choices=FILLS),
    ] = FILLS[0]
    order: Annotated[str, "HE1 and LE1: of higher mean energy, or of lower median [Fe/H].", Option(choices=ORDERS)] = (
        ORDERS[0]
    )
    min_stars: Annotated[int, "A part with fewer stars per bin is refused.", Option(minimum=1)] = 10

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise UsageError(f"bins must be >= 2, got {self.bins}.")
        for name, known in (("fill", FILLS), ("order", ORDERS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be {' or '.join(known)}, got {getattr(self, name)!r}.")
        if self.min_stars < 1:
            raise UsageError(f"min_stars must be >= 1, got {self.min_stars}.")


@dataclass(frozen=True)
class TableSettings:
    """What Table 1 holds; see `table1.table1`.

    Attributes
    ----------
    percentiles : tuple of float
        Of the abundances.
    level : float
        Probability of the intervals.
    interval : str
        One of `INTERVALS`.
    """

    percentiles: Annotated[tuple[float, ...], "Which, with commas between.", Option(form=NUMBERS)] = (10.0, 50.0, 90.0)
    level: Annotated[float, "Probability of the intervals."] = 0.68
    interval: Interval = RECOMMENDED


@dataclass(frozen=True)
class EccentricitySettings:
    """How distributions of eccentricity are found; see `eccentricity.eccentricities`.

    Attributes
    ----------
    bins : int
        Bins of e.
    cut : float
        Bins of the fit with less than this fraction of the largest weight are left out.
    level : float
        Probability of the bands.
    """

    bins: Annotated[int, "Bins of e, from 0 to 1.", Option(minimum=3)] = 20
    cut: Annotated[
        float, "Leave out bins with less than this fraction of the largest weight.", Option("--weight-cut")
    ] = 0.1
    level: Annotated[float, "Probability of the bands."] = TableSettings.level
