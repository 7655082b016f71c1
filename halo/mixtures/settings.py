"""Axes of the bins, abundance planes and their images; plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import UsageError
from ..fields import Form, Option
from ..units import in_unit

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Axis:
    """One binning variable.

    Attributes
    ----------
    variable : str
        A name such as ``E`` or ``Lz``.
    count : int
        Number of bins.
    low, high : float, Quantity or None
        Limits of regular bins, plain numbers in the variable's unit; None makes bins of equal counts.
    """

    variable: str
    count: int
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not self.variable:
            raise UsageError("bins need the name of a variable, such as E:8; got none.")
        if self.count < 1:
            raise UsageError(f"bins of {self.variable}: the count must be >= 1, got {self.count}.")
        if any(getattr(x, "unit", None) is not None for x in (self.low, self.high)):
            from ..stars.variables import unit_of  # needs numpy, which the help of commands does without

            unit = unit_of(self.variable)
            for name in ("low", "high"):
                limit = in_unit(getattr(self, name), unit, f"bins of {self.variable}: limits")
                object.__setattr__(self, name, limit)
        if (self.low is None) != (self.high is None):
            raise UsageError(f"bins of {self.variable}: give both limits or none.")
        if self.low is not None and self.high is not None and not -math.inf < self.low < self.high < math.inf:
            raise UsageError(
                f"bins of {self.variable}: limits must be finite and rise, got {self.low:g} to {self.high:g}."
            )

    @property
    def regular(self) -> bool:
        """Whether the bins have equal widths rather than equal counts."""
        return self.low is not None

    def __str__(self) -> str:
        limits = f":{self.low:g}:{self.high:g}" if self.regular else ""
        return f"{self.variable}:{self.count}{limits}"


def parse_axes(text: str) -> tuple[Axis, ...]:
    """Return the axes that a text names: ``E:8,Lz:8`` (equal counts) or ``E:20:-2.5e5:-1.0e5`` (regular).

    Raises
    ------
    UsageError
        The text cannot be read, or names more than two variables or one of them twice. Whether the stars have the
        variables is checked when they are binned.
    """
    axes = []
    for part in text.split(","):
        fields = [field.strip() for field in part.split(":")]
        try:
            if len(fields) == 2:
                axes.append(Axis(fields[0], int(fields[1])))
            elif len(fields) == 4:
                axes.append(Axis(fields[0], int(fields[1]), float(fields[2]), float(fields[3])))
            else:
                raise ValueError
        except ValueError:
            raise UsageError(
                f"bins {text!r}: expected VARIABLE:COUNT for equal counts or VARIABLE:COUNT:LOW:HIGH for regular bins, "
                f"one or two of them with a comma between; {part.strip()!r} is neither."
            ) from None
    if len(axes) > 2 or len({axis.variable for axis in axes}) < len(axes):
        raise UsageError(f"bins {text!r}: expected one or two different variables.")
    return tuple(axes)


def as_axes(axes: str | Axis | Sequence[str | Axis]) -> tuple[Axis, ...]:
    """Return the axes that are meant: text as `parse_axes` reads it, one axis, or several."""
    if isinstance(axes, str):
        return parse_axes(axes)
    if isinstance(axes, Axis):
        return (axes,)
    return tuple(axis for one in axes for axis in (parse_axes(one) if isinstance(one, str) else (one,)))


AXES = Form(parse_axes, lambda axes: ",".join(map(str, axes)))
"""One or two axes as text."""

DEFAULT_RANGES: dict[str, tuple[float, float]] = {"FE_H": (-2.5, 0.7), "AL_FE": (-0.6, 0.6), "MG_FE": (-0.2, 0.5)}
"""Default histogram ranges, dex; the paper states none, these enclose its figures."""


@dataclass(frozen=True)
class Plane:
    """An abundance plane: `y` against `x`, such as [Al/Fe] against [Fe/H]."""

    y: str
    x: str

    def __str__(self) -> str:
        return f"{self.y}:{self.x}"


DEFAULT_PLANES = (Plane("AL_FE", "FE_H"), Plane("MG_FE", "FE_H"))
COUNT, BALANCE, DROP = MISSING = ("count", "balance", "drop")
"""What becomes of a star that lacks some of the planes' abundances; see `missing`."""


@dataclass(frozen=True)
class Chemistry:
    """The images of which V is made.

    Attributes
    ----------
    planes : tuple of Plane
        One image each, stacked in this order.
    ranges : tuple of (str, (float, float))
        Range of every variable of the planes, dex.
    pixels : int
        l: each image has l x l pixels.
    missing : str
        What becomes of stars that lack abundances: ``count`` counts them once in each plane that they have, ``balance``
        so often in those that all stars count alike, ``drop`` leaves them out.
    """

    planes: Annotated[
        tuple[Plane, ...], "Abundance plane Y:X; repeatable. AL_FE:FE_H and MG_FE:FE_H.", Option("--plane")
    ] = DEFAULT_PLANES
    ranges: Annotated[
        tuple[tuple[str, tuple[float, float]], ...],
        "Histogram range, such as FE_H:-2.5:0.7; repeatable.",
        Option("--range"),
    ] = tuple(DEFAULT_RANGES.items())
    pixels: Annotated[int, "Pixels along one side of each image.", Option(minimum=1)] = 50
    missing: Annotated[
        str,
        "Stars that lack abundances: count once in each plane they have, balance so that all stars count alike, or "
        "drop.",
        Option(choices=MISSING),
    ] = COUNT

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise UsageError(f"missing must be one of {', '.join(MISSING)}; got {self.missing!r}.")
        if not self.planes:
            raise UsageError("at least one abundance plane is needed, such as AL_FE:FE_H.")
        if len(set(self.planes)) < len(self.planes) or any(plane.x == plane.y for plane in self.planes):
            raise UsageError(
                f"planes must be different ones, each of two variables; got {', '.join(map(str, self.planes))}."
            )
        if self.pixels < 1:
            raise UsageError(f"pixels must be >= 1, got {self.pixels}.")
        for name in self.variables:
            if name not in self.limits:
                raise UsageError(f"no default histogram range for {name}; give one, such as --range {name}:-0.5:0.8.")
            low, high = self.limits[name]
            if not (low < high and math.isfinite(low) and math.isfinite(high)):
                raise UsageError(f"range of {name}: limits must be finite and rise, got {low:g} to {high:g}.")

    @classmethod
    def of(
        cls,
        planes: Sequence[Plane] = DEFAULT_PLANES,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        pixels: int = 50,
        missing: str = COUNT,
    ) -> Chemistry:
        """Return the chemistry with default ranges where none are given.

        Raises
        ------
        UsageError
            A range of what no plane uses, or as `Chemistry`.
        """
        wanted = list(dict.fromkeys(name for plane in planes for name in (plane.x, plane.y)))
        merged = {**DEFAULT_RANGES, **(ranges or {})}
        unused = set(ranges or {}).difference(wanted)
        if unused:
            raise UsageError(f"range given for {', '.join(sorted(unused))}, which no plane uses.")
        kept = tuple((name, merged[name]) for name in wanted if name in merged)
        return cls(tuple(planes), kept, pixels, missing)

    def record(self) -> dict[str, Any]:
        """Return the images as files hold them; ``missing`` only where it is not the usual."""
        record = {"planes": self.planes, "ranges": self.ranges, "pixels": self.pixels}
        return record if self.missing == COUNT else {**record, "missing": self.missing}

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Range by variable."""
        return dict(self.ranges)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of all planes, each once."""
        return tuple(dict.fromkeys(name for plane in self.planes for name in (plane.x, plane.y)))

    @property
    def n(self) -> int:
        """Columns of V."""
        return len(self.planes) * self.pixels**2

    def edges(self, name: str) -> np.ndarray:
        """Return the pixel edges of a variable, shape (l + 1,), dex."""
        import numpy as np  # only where arrays are made: the help of commands reads this file

        return np.linspace(*self.limits[name], self.pixels + 1)

    def centres(self, name: str) -> np.ndarray:
        """Return the pixel centres of a variable, shape (l,), dex."""
        edges = self.edges(name)
        return 0.5 * (edges[:-1] + edges[1:])

    def images(self, H: np.ndarray) -> np.ndarray:
        """Return rows of length n as images; shape (..., images, l, l), y first."""
        import numpy as np

        return np.asarray(H).reshape(*np.shape(H)[:-1], len(self.planes), self.pixels, self.pixels)


def parse_plane(text: str) -> Plane:
    """Return the plane that ``Y:X`` names, such as ``AL_FE:FE_H``."""
    fields = [field.strip() for field in text.split(":")]
    if len(fields) != 2 or not all(fields):
        raise UsageError(f"plane {text!r}: expected Y:X, such as AL_FE:FE_H.")
    return Plane(*fields)


def parse_range(text: str) -> tuple[str, tuple[float, float]]:
    """Return name and limits of ``NAME:LOW:HIGH``, such as ``FE_H:-2.5:0.7``."""
    fields = text.split(":")
    try:
        name, low, high = fields[0].strip(), float(fields[1]), float(fields[2])
        if len(fields) != 3 or not name:
            raise ValueError
    except (IndexError, ValueError):
        raise UsageError(f"range {text!r}: expected NAME:LOW:HIGH, such as FE_H:-2.5:0.7.") from None
    return name, (low, high)


def parse_ranges(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the limits by name of several such texts.

    Raises
    ------
    UsageError
        A text that cannot be read, or two of the same name.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for name, limits in map(parse_range, texts):
        if name in ranges:
            raise UsageError(f"range of {name}: given twice; keep one of them.")
        ranges[name] = limits
    return ranges
