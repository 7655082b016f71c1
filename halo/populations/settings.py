"""Choices of the studies of sub-populations; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..fields import LIMITS, LINE, Option
from ..units import ENERGY, convert


@dataclass(frozen=True)
class RegionSettings:
    """How the energies of regions are compared; see `regions.region_energies`.

    Attributes
    ----------
    reference : str
        The region that the others are compared with.
    bins : int
        Bins of energy.
    E_range : (float, float) or Quantity
        Their limits, km2 / s2.
    seed : int
        Of the bootstrap draws.
    draws : int
        How many.
    """

    reference: Annotated[str, "Region to compare the others with."] = "Eos"
    bins: Annotated[int, "Bins of energy.", Option(minimum=1)] = 10
    E_range: Annotated[tuple[float, float], "LOW:HIGH [km2/s2].", Option(form=LIMITS)] = (-2.5e5, -1.0e5)
    seed: Annotated[int, "Seed of the bootstrap draws."] = 0
    draws: int = 1000

    def __post_init__(self) -> None:
        convert(self, E_range=ENERGY)


@dataclass(frozen=True)
class BifurcationSettings:
    """How the branches of Eos are compared; see `bifurcation.bifurcation`.

    Attributes
    ----------
    line : ((float, float), (float, float))
        Two points, [Fe/H] and [Mg/Fe] each, of the line between the branches.
    fe_h, mg_fe : (float, float)
        The frame.
    draws, seed : int
        Of the bootstrap behind the errors.
    """

    line: Annotated[
        tuple[tuple[float, float], tuple[float, float]],
        "X1:Y1:X2:Y2, the line between the branches in [Fe/H], [Mg/Fe].",
        Option(form=LINE),
    ] = ((-0.9, 0.175), (-0.2, 0.195))
    fe_h: Annotated[tuple[float, float], "LOW:HIGH, the frame in [Fe/H].", Option(form=LIMITS)] = (-0.9, -0.2)
    mg_fe: Annotated[tuple[float, float], "LOW:HIGH, the frame in [Mg/Fe].", Option(form=LIMITS)] = (0.05, 0.35)
    draws: Annotated[int, "Bootstrap draws behind the errors.", Option(minimum=2)] = 1000
    seed: Annotated[int, "Seed of the draws."] = 0


@dataclass(frozen=True)
class AuroraSettings:
    """How Aurora's branch is mapped; see `aurora.aurora`.

    Attributes
    ----------
    share : float
        Pixels of the mask exceed this fraction of the component's maximum; the paper's.
    max_fe_h : float
        Pixels of the mask lie below this [Fe/H], dex; the paper's.
    percentile : float
        Of [Al/Fe] in each bin; the paper's.
    iterations, seed : int
        Of the resamplings; the paper's number.
    """

    share: Annotated[float, "Pixels of the mask exceed this fraction of the maximum."] = 0.05
    max_fe_h: Annotated[float, "Pixels of the mask lie below this [Fe/H]."] = -1.0
    percentile: Annotated[float, "Percentile of [Al/Fe] in each bin."] = 90.0
    iterations: Annotated[int, "Resamplings of either kind.", Option(minimum=2)] = 1000
    seed: Annotated[int, "Seed of the resamplings."] = 0
