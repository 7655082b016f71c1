"""Bins of stars: equal-count or regular, on one or two variables, the second nested in the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, UsageError
from ..stars.variables import values
from .settings import Axis, Chemistry, as_axes

ROUNDED = 4 * float(np.finfo(np.float32).eps)
"""Part of a range's larger limit that rounding can move a value by: catalogues hold abundances in single precision."""
CONVERTED = 8 * float(np.finfo(float).eps)
"""The same for a change of units: stars in other units must fall into the bins that were made of them."""
MOST_BINS = 2**20
"""Most bins; any survey of abundances has fewer stars, and the edges of more bins would fill the memory."""


@dataclass(frozen=True)
class Bins:
    """Bins with their edges; bin ``i * count_2 + j`` is the j-th of the second axis within the i-th of the first.

    Attributes
    ----------
    axes : tuple of Axis
        One or two.
    edges : tuple of ndarray
        Edges of the first axis, shape (q1 + 1,); of the second within each bin of the first, shape (q1, q2 + 1).
        The unit is the variable's.
    """

    axes: tuple[Axis, ...]
    edges: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return math.prod(axis.count for axis in self.axes)

    @property
    def bounds(self) -> np.ndarray:
        """Lower and upper edge of every bin on every axis; shape (m, axes, 2)."""
        first = np.stack([self.edges[0][:-1], self.edges[0][1:]], axis=-1)
        if len(self.axes) == 1:
            return first[:, None]
        second = np.stack([self.edges[1][:, :-1], self.edges[1][:, 1:]], axis=-1)
        repeated = np.broadcast_to(first[:, None], second.shape)
        return np.stack([repeated, second], axis=2).reshape(-1, 2, 2)

    def assign(self, table: Any) -> np.ndarray:
        """Return the bin of every star, -1 outside; int, shape (n_stars,).

        Bins include their lower edge; the last of each axis includes its upper edge too. The outermost edges of
        bins of equal counts, which are stars', reach out by `CONVERTED`.
        """
        rows = place(values(table, self.axes[0].variable), _reaching(self.edges[0], self.axes[0]))
        if len(self.axes) == 1:
            return rows
        second = values(table, self.axes[1].variable)
        index = np.full(len(rows), -1)
        for i, edges in enumerate(self.edges[1]):
            inside = np.flatnonzero(rows == i)
            column = place(second[inside], _reaching(edges, self.axes[1]))
            index[inside] = np.where(column >= 0, i * self.axes[1].count + column, -1)
        return index


BinsLike: TypeAlias = Bins | str | Axis | Sequence[Axis]
"""Bins as they are, or what `make_bins` makes them from."""


def make_bins(table: Any, axes: str | Axis | Sequence[Axis]) -> Bins:
    """Return bins for these stars: regular ones as asked, the others equally full.

    Equal counts are nested: the first axis is cut so that each part has the same number of stars (to one), then
    each part along the second axis. Stars of exactly equal value stay together, so ties can make counts differ by more.

    Parameters
    ----------
    table : Table
        Stars.
    axes : str, Axis or sequence of Axis
        One or two, such as ``"E:8,Lz:8"``.

    Raises
    ------
    InputError
        Fewer stars than bins.
    UsageError
        No axis, more than two, or more than `MOST_BINS` bins.
    """
    axes = as_axes(axes)
    if not 1 <= len(axes) <= 2:
        raise UsageError(f"bins need one or two variables, got {len(axes)}.")
    if math.prod(axis.count for axis in axes) > MOST_BINS:
        raise UsageError(f"{' x '.join(str(axis.count) for axis in axes)} bins are more than {MOST_BINS:,}; use fewer.")
    columns = [values(table, axis.variable) for axis in axes]
    usable = np.all([np.isfinite(column) for column in columns], axis=0)
    needed = 0 if all(axis.regular for axis in axes) else math.prod(axis.count for axis in axes if not axis.regular)
    if usable.sum() < needed:
        raise InputError(
            f"{needed} equal-count bins need at least as many stars; {int(usable.sum())} of {len(usable)} "
            "have the variables. Use fewer bins or a wider selection."
        )
    first = _edges(columns[0][usable], axes[0])
    if len(axes) == 1:
        return Bins(axes, (first,))
    rows = place(columns[0], first)
    second = []
    for i in range(axes[0].count):
        part = columns[1][usable & (rows == i)]
        if not axes[1].regular and len(part) < axes[1].count:
            raise InputError(
                f"bin {i} of {axes[0].variable} has {len(part)} stars, too few for {axes[1].count} equal-count bins "
                f"of {axes[1].variable}{_remedy(columns[0][usable], axes[0])}"
            )
        second.append(_edges(part, axes[1]))
    return Bins(axes, (first, np.stack(second)))


def _remedy(x: np.ndarray, axis: Axis) -> str:
    """Return why a bin of the first axis has few stars, and what to do: stars of one value cannot be parted."""
    found, times = np.unique(x, return_counts=True)
    if axis.regular or times.max() <= len(x) // axis.count:
        return ". Use fewer bins."
    return (
        f": {times.max()} of {len(x)} stars have {axis.variable} = {found[times.argmax()]:g}, and equal values stay in "
        f"one bin. Use regular bins, {axis.variable}:{axis.count}:LOW:HIGH, or values that are not rounded."
    )


def _edges(x: np.ndarray, axis: Axis) -> np.ndarray:
    if axis.low is not None and axis.high is not None:
        return np.linspace(axis.low, axis.high, axis.count + 1)
    ordered = np.sort(x)
    # Sizes differ by one at most; an edge lies half-way between the stars on its two sides.
    cuts = np.linspace(0, len(ordered), axis.count + 1).round().astype(int)[1:-1]
    below, above = ordered[cuts - 1], ordered[cuts]
    middle = 0.5 * below + 0.5 * above
    # Between neighbouring floats there is no middle; the lower star would fall into the upper bin.
    inner = np.where(middle > below, middle, above)
    return np.concatenate([ordered[:1], inner, ordered[-1:]])


def place(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the bin of every value, -1 outside and for NaN; int, shape of `x`.

    Bins include their lower edge; the last one includes its upper edge too.

    Parameters
    ----------
    x : ndarray, shape (N,)
        Values.
    edges : ndarray, shape (q + 1,)
        In rising order; bins of no width stay empty.
    """
    index = np.searchsorted(edges, x, side="right") - 1
    index[x == edges[-1]] = len(edges) - 2
    return np.where(np.isfinite(x) & (index >= 0) & (index < len(edges) - 1), index, -1)


def _reaching(edges: np.ndarray, axis: Axis) -> np.ndarray:
    """Return edges of which the outermost, where they are stars', lie farther out by what other units can move them."""
    if axis.regular:
        return edges
    slack = CONVERTED * np.abs(edges[[0, -1]]).max()
    return np.concatenate([[edges[0] - slack], edges[1:-1], [edges[-1] + slack]])


def place_on_pixels(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the pixel of every value, -1 outside and for NaN; int, shape (N,).

    As `place`, with edges that reach out by `ROUNDED`: -2.18 is an edge of 50 pixels from -2.5 to 0.7; in single
    precision it reads -2.18000007 and would lie below it.

    Parameters
    ----------
    x : ndarray, shape (N,)
        Abundances, dex.
    edges : ndarray, shape (l + 1,)
        Of the pixels, at regular distances, dex.
    """
    slack = min(ROUNDED * np.abs(edges[[0, -1]]).max(), 0.01 * (edges[-1] - edges[0]) / (len(edges) - 1))
    reaching = edges - slack
    reaching[-1] = edges[-1] + slack
    return place(x, reaching)


def columns_of(table: Any, chemistry: Chemistry) -> np.ndarray:
    """Return each star's column of V in every image, -1 where it falls outside; int, shape (n_stars, images).

    Pixels include their lower edge; the last one includes its upper edge too. A value within `ROUNDED` of an edge lies
    on it.
    """
    l = chemistry.pixels  # noqa: E741 - the paper's letter
    # By comparison with the edges: (x - low) / (high - low) * l is rounded, and near an edge to the wrong pixel.
    index = {name: place_on_pixels(values(table, name), chemistry.edges(name)) for name in chemistry.variables}
    columns = []
    for i, plane in enumerate(chemistry.planes):
        x, y = index[plane.x], index[plane.y]
        columns.append(np.where((x >= 0) & (y >= 0), i * l * l + y * l + x, -1))
    return np.stack(columns, axis=-1)
