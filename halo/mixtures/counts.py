"""From stars to V: one row per bin, the pixels of stacked abundance histograms as columns; and back to images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..stars.variables import values
from .bins import Axis, Bins, make_bins, place

DEFAULT_RANGES: dict[str, tuple[float, float]] = {"FE_H": (-2.5, 0.7), "AL_FE": (-0.6, 0.6), "MG_FE": (-0.2, 0.5)}
"""Histogram ranges where none are given; the paper states none, these enclose its figures."""


MOST_CELLS = 2**27
"""Cells of V above which a fit is refused: a gigabyte of counts, nearly all of them zero."""


@dataclass(frozen=True)
class Plane:
    """An abundance plane: `y` against `x`, such as [Al/Fe] against [Fe/H]."""

    y: str
    x: str

    def __str__(self) -> str:
        return f"{self.y}:{self.x}"


DEFAULT_PLANES = (Plane("AL_FE", "FE_H"), Plane("MG_FE", "FE_H"))


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
    """

    planes: tuple[Plane, ...] = DEFAULT_PLANES
    ranges: tuple[tuple[str, tuple[float, float]], ...] = tuple(DEFAULT_RANGES.items())
    pixels: int = 50

    def __post_init__(self) -> None:
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
    ) -> Chemistry:
        """Return the chemistry with default ranges where none are given."""
        wanted = list(dict.fromkeys(name for plane in planes for name in (plane.x, plane.y)))
        merged = {**DEFAULT_RANGES, **(ranges or {})}
        unused = set(ranges or {}).difference(wanted)
        if unused:
            raise UsageError(f"range given for {', '.join(sorted(unused))}, which no plane uses.")
        kept = tuple((name, merged[name]) for name in wanted if name in merged)
        return cls(tuple(planes), kept, pixels)

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
        return np.linspace(*self.limits[name], self.pixels + 1)

    def centres(self, name: str) -> np.ndarray:
        """Return the pixel centres of a variable, shape (l,), dex."""
        edges = self.edges(name)
        return 0.5 * (edges[:-1] + edges[1:])

    def columns(self, table: Any) -> np.ndarray:
        """Return each star's column of V in every image, -1 where it falls outside; int, shape (n_stars, images).

        Pixels include their lower edge; the last one includes its upper edge too.
        """
        l = self.pixels  # noqa: E741 - the paper's letter
        # By comparison with the edges: (x - low) / (high - low) * l is rounded, and near an edge to the wrong pixel.
        index = {name: place(values(table, name), self.edges(name)) for name in self.variables}
        columns = []
        for i, plane in enumerate(self.planes):
            x, y = index[plane.x], index[plane.y]
            columns.append(np.where((x >= 0) & (y >= 0), i * l * l + y * l + x, -1))
        return np.stack(columns, axis=-1)

    def images(self, H: np.ndarray) -> np.ndarray:
        """Return rows of length n as images; shape (..., images, l, l), y first."""
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


@dataclass(frozen=True)
class Mixtures:
    """Stars counted into bins and pixels.

    Attributes
    ----------
    V : ndarray, shape (m, n)
        Counts, float64.
    bins : Bins
        What the rows are.
    chemistry : Chemistry
        What the columns are.
    n_stars : ndarray of int, shape (m,)
        Stars in each bin, whether or not they fall inside the images.
    rows : ndarray of int, shape (N,)
        Bin of each star, -1 outside.
    columns : ndarray of int, shape (N, images)
        Column of V of each star in each image, -1 outside.
    """

    V: np.ndarray
    bins: Bins
    chemistry: Chemistry
    n_stars: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @property
    def outside_bins(self) -> int:
        """Stars that fall in no bin."""
        return int((self.rows < 0).sum())

    @property
    def outside_images(self) -> tuple[int, ...]:
        """For each image, the stars of the bins that fall outside its ranges."""
        inside = self.rows >= 0
        return tuple(int(x) for x in (self.columns[inside] < 0).sum(axis=0))

    @property
    def empty_bins(self) -> int:
        """Bins with no star."""
        return int((self.n_stars == 0).sum())

    def report(self) -> str:
        """Return one line on what was counted and what was left out."""
        parts = [f"{len(self.rows) - self.outside_bins} of {len(self.rows)} stars in {len(self.bins)} bins"]
        for plane, outside in zip(self.chemistry.planes, self.outside_images, strict=True):
            if outside:
                parts.append(f"{outside} outside the {plane} image")
        if self.empty_bins:
            parts.append(f"{self.empty_bins} bin{'s' * (self.empty_bins > 1)} empty")
        return ", ".join(parts)


def mix(table: Any, bins: Bins | Sequence[Axis], chemistry: Chemistry | None = None) -> Mixtures:
    """Count stars into bins and pixels.

    Parameters
    ----------
    table : Table
        Stars.
    bins : Bins or sequence of Axis
        Bins as they are, or axes to make them from these stars.
    chemistry : Chemistry, optional
        The images; the paper's by default.

    Returns
    -------
    Mixtures

    Raises
    ------
    InputError
        No star, too few for the bins, or none inside the images.
    """
    chemistry = chemistry or Chemistry()
    if len(table) == 0:
        raise InputError("no stars to bin; the selection or the cuts left none.")
    if not isinstance(bins, Bins):
        bins = make_bins(table, bins)
    cells = len(bins) * chemistry.n
    if cells > MOST_CELLS:
        raise UsageError(
            f"{len(bins)} bins x {chemistry.n} pixels make {cells:.3g} cells, more than {MOST_CELLS:.3g} for "
            f"{len(table)} stars; use fewer pixels or bins."
        )
    rows, columns = bins.assign(table), chemistry.columns(table)
    V = count(rows, columns, (len(bins), chemistry.n))
    if not V.any():
        raise InputError(
            f"none of {len(table)} stars falls inside the bins and the images; check the ranges "
            f"({', '.join(f'{name} {low:g} to {high:g}' for name, (low, high) in chemistry.ranges)}) and the bins."
        )
    n_stars = np.bincount(rows[rows >= 0], minlength=len(bins))
    return Mixtures(V, bins, chemistry, n_stars, rows, columns)


def count(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return how many stars fall on each (bin, column) cell; float64, shape (m, n)."""
    inside = (rows[:, None] >= 0) & (columns >= 0)
    cells = (rows[:, None] * shape[1] + columns)[inside]
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
