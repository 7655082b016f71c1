"""Choices of the checks on fits; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..fields import LIMITS, NAMED, NUMBERS, STEPS, WHOLE_NUMBERS, Form, Option
from ..units import ACTION, ENERGY, convert

COMPONENTS = 3
"""Of a fit with a planted stream: two for the sample, one for the stream."""
ORBIT = Form(LIMITS.read, LIMITS.write, "E:LZ")
"""Energy and angular momentum as text."""


PIXELS = 20
"""Of the images by which numbers of components are compared: with finer ones too few stars share a pixel."""


@dataclass(frozen=True)
class RankSettings:
    """How numbers of components are compared; see `rank.rank`.

    Attributes
    ----------
    max_components : int
        Numbers from 1 to this one are compared.
    splits : int
        Random splits of the stars into halves.
    loss : str
        The one that makes the choice.
    by : str
        ``star``, ``bin`` or a column.
    starts : int
        Starts of each fit.
    seed : int
        Of the splits and starts.
    """

    max_components: Annotated[int, "Numbers of components from 1 to this one are compared.", Option(minimum=2)] = 6
    splits: Annotated[int, "Random splits of the stars into halves.", Option(minimum=2)] = 20
    loss: Annotated[
        str, "Whose score makes the choice; both are given.", Option(choices=("frobenius", "kullback-leibler"))
    ] = "frobenius"
    by: Annotated[
        str,
        "What is split: star; bin (every bin by itself); or a column, such as FIELD (field), whose stars of equal "
        "values stay together.",
    ] = "star"
    starts: Annotated[int, "Starts of each fit, the best of which is kept.", Option(minimum=1)] = 8
    seed: Annotated[int, "Seed of the splits and of random starts."] = 0


@dataclass(frozen=True)
class StabilitySettings:
    """What is varied to see how components hold; see `stability.stability`.

    Attributes
    ----------
    starts : int
        Random starts.
    bins : tuple of int
        q, bins along each axis of equal counts.
    pixels : tuple of int
        l; the paper's range, in steps that it does not give.
    """

    starts: Annotated[int, "Random starts.", Option(minimum=0)] = 10
    bins: Annotated[tuple[int, ...], "LOW:HIGH[:STEP], bins on each axis.", Option(keyword="vary_bins", form=STEPS)] = (
        tuple(range(5, 13))
    )
    pixels: Annotated[tuple[int, ...], "LOW:HIGH[:STEP], pixels.", Option(keyword="vary_pixels", form=STEPS)] = tuple(
        range(10, 61, 5)
    )


@dataclass(frozen=True)
class Stream:
    """What is planted: a normal distribution in every property.

    Attributes
    ----------
    abundances : tuple of (str, float)
        Mean of each abundance of the images, dex; the default lies where few stars of the halo do.
    scatter : float
        Standard deviation of each, dex.
    E, Lz : float or Quantity
        Mean energy and angular momentum, plain numbers in km2 / s2 and kpc km / s.
    """

    abundances: Annotated[
        tuple[tuple[str, float], ...],
        "NAME:MEAN of the stream, for each of the images'; repeatable.",
        Option("--abundance", form=NAMED, repeat=True),
    ] = (("FE_H", -1.3), ("AL_FE", 0.35), ("MG_FE", 0.1))
    scatter: Annotated[float, "Scatter of the stream's abundances [dex]."] = 0.06
    E: float = -1.6e5
    Lz: float = -500.0

    def __post_init__(self) -> None:
        convert(self, E=ENERGY, Lz=ACTION)


@dataclass(frozen=True)
class InjectionSettings:
    """Which streams are planted; see `injection.inject`.

    Attributes
    ----------
    widths : tuple of float
        The fractions of the sample's stars that lie where the stream does in (E, Lz).
    numbers : tuple of int
        Stars of the stream.
    repeats : int
        Streams drawn anew for every width and number.
    threshold : float
        Least cosine between a component's images and the stream's for it to count as found.
    seed : int
        Of the streams.
    """

    widths: Annotated[
        tuple[float, ...], "Fractions of the sample whose orbits the stream has.", Option(form=NUMBERS)
    ] = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
    numbers: Annotated[tuple[int, ...], "Stars of the stream.", Option(form=WHOLE_NUMBERS)] = (
        *(200, 400, 600, 800),
        *(1200, 1600, 2400, 3200),
    )
    repeats: Annotated[int, "Streams of each width and number.", Option(minimum=1)] = 5
    threshold: Annotated[float, "Least cosine of a stream that is found."] = 0.8
    seed: Annotated[int, "Seed of the streams."] = 0


@dataclass(frozen=True)
class SearchSettings:
    """How penalties are searched for; see `penalties.search`.

    Attributes
    ----------
    draws : int
        Settings drawn from the grid.
    folds : int
        Parts of the entries, held out in turn.
    seed : int
        Of all that is random.
    """

    draws: Annotated[int, "Settings drawn from the grid.", Option(minimum=1)] = 5000
    folds: Annotated[int, "Parts of the entries, held out in turn.", Option(minimum=2)] = 5
    seed: Annotated[int, "Seed of the draws, the folds and random starts."] = 0


@dataclass(frozen=True)
class CompareSettings:
    """How two fits are compared; see `compare.compare`.

    Attributes
    ----------
    replicates : int
        Bootstrap replicates of each fit; 0 for no intervals.
    seed : int
        Of the draws.
    """

    replicates: Annotated[int, "Bootstrap replicates of each fit, for intervals; 0 for none.", Option(minimum=0)] = 200
    seed: Annotated[int, "Seed of the draws.", Option(minimum=0)] = 0


SCALES = (0.95, 1.05)
"""By which all distances are multiplied: some of what distance catalogues differ by."""


@dataclass(frozen=True)
class SensitivitySettings:
    """What is varied to see how the headline numbers move; see `sensitivity.sensitivity`.

    Attributes
    ----------
    choices : tuple of str
        Which choices to vary; all where none is named.
    scales : tuple of float
        By which distances are multiplied.
    distances : tuple of str
        Columns of other distances.
    draws : int
        Analyses with all choices drawn together.
    seed : int
        Of the draws.
    """

    choices: Annotated[tuple[str, ...], "Vary this choice alone, such as bins; repeatable.", Option("--choice")] = ()
    scales: Annotated[tuple[float, ...], "Factors of all distances.", Option("--distance-scale", form=NUMBERS)] = SCALES
    distances: Annotated[tuple[str, ...], "Column of other distances; repeatable.", Option("--distance-column")] = ()
    draws: Annotated[int, "Analyses with all choices drawn together; 0 for none.", Option(minimum=0)] = 40
    seed: Annotated[int, "Seed of the draws."] = 0
