"""The stars of a selection as arrays for the loops over replicates: the bin of each star in every binning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..fits.conventions import checked
from ..fits.fit import Fit
from ..mixtures.bins import Bins, columns_of, make_bins
from ..mixtures.missing import balanced
from ..mixtures.settings import Axis, Chemistry, parse_axes
from ..products.boundary import grid_axes
from ..products.overview import PROFILES
from ..stars.catalogue import StarsLike
from ..stars.cutflow import CutFlow
from ..stars.selection import choose
from ..stars.settings import Selection
from ..stars.variables import VARIABLES
from ..stars.weights import weights_of

APART = 0.05
"""Other catalogues differ in nearly every pixel; fits of earlier versions where values lie on a pixel's very edge."""


@dataclass(frozen=True)
class Places:
    """Each star's bin in every binning that products are made of, the bins of all binnings numbered through.

    Attributes
    ----------
    bins : dict of str to Bins
        Binnings by name: the variables of `overview.PROFILES` that the stars have, and ``map``, that of the boundary.
    index : ndarray of int32, shape (N, binnings)
        Places; -1 outside.
    first : dict of str to int
        The number of each binning's first bin.
    """

    bins: Mapping[str, Bins]
    index: np.ndarray
    first: Mapping[str, int]

    def __len__(self) -> int:
        return sum(len(bins) for bins in self.bins.values())

    def part(self, name: str) -> slice:
        """Return which of all bins are those of one binning."""
        return slice(self.first[name], self.first[name] + len(self.bins[name]))


def binnings(stars: Any) -> dict[str, tuple[Axis, ...]]:
    """Return the axes of every binning that stars with these columns have products in."""
    found = {name: parse_axes(text) for name, text in PROFILES.items() if VARIABLES[name].within(stars)}
    if {"E", "Lz"} <= set(stars.colnames):
        found["map"] = grid_axes()
    return found


def places(stars: Any) -> Places:
    """Return the stars' places in the bins of every product."""
    return placed(stars, {name: make_bins(stars, axes) for name, axes in binnings(stars).items()})


def placed(stars: Any, bins: Mapping[str, Bins]) -> Places:
    """Return the stars' places in some binnings by name."""
    index, first, number = np.full((len(stars), len(bins)), -1, np.int32), {}, 0
    for i, (name, each) in enumerate(bins.items()):
        inside = each.assign(stars)
        index[:, i] = np.where(inside >= 0, inside + number, -1)
        first[name] = number
        number += len(each)
    return Places(bins, index, first)


def sample_of(fit: Fit, stars: StarsLike) -> Sample:
    """Return the stars that a fit was made from, found again in their catalogue.

    Parameters
    ----------
    fit : Fit
    stars : Table, Catalogue or path
        Prepared stars.

    Raises
    ------
    InputError
        Other stars than the fit's, or energies of another convention.
    """
    sample = Sample(*choose(checked(fit, stars), fit.settings.selection))
    number = len(fit.mixtures.rows)
    if len(sample) != number or _apart(sample.columns(fit.mixtures.chemistry), fit.mixtures.columns) > APART:
        raise InputError(
            f"the stars are not those of the fit: {len(sample):,} pass its selection and {number:,} were fitted, or "
            "their abundances differ; give the catalogue that it was made from."
        )
    return sample


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Return which fraction of the pixels of stars differs."""
    return float((a != b).mean()) if a.shape == b.shape and a.size else 1.0


class Sample:
    """The stars of a selection; bins and columns are computed once.

    Attributes
    ----------
    stars : Table
        The chosen stars.
    flow : CutFlow
        From the catalogue to them.
    among : Places, optional
        Their places in other bins than those of every product.
    """

    def __init__(self, stars: Any, flow: CutFlow, among: Places | None = None) -> None:
        self.stars, self.flow = stars, flow
        self._known: dict[Any, Any] = {} if among is None else {"places": among}

    def __len__(self) -> int:
        return len(self.stars)

    @property
    def places(self) -> Places:
        """The stars' places in the bins of every product."""
        return self._once("places", lambda: places(self.stars))

    def bins(self, axes: tuple[Axis, ...]) -> Bins:
        """Return bins of these stars."""
        return self._once(("bins", axes), lambda: make_bins(self.stars, axes))

    def rows(self, axes: tuple[Axis, ...]) -> np.ndarray:
        """Return each star's bin."""
        return self._once(("rows", axes), lambda: self.bins(axes).assign(self.stars))

    def columns(self, chemistry: Chemistry) -> np.ndarray:
        """Return each star's column of V in every image."""
        return self._once(("columns", chemistry), lambda: columns_of(self.stars, chemistry))

    def weights(self, column: str | None) -> np.ndarray:
        """Return for how many each star counts: what a column says, or 1."""

        def found() -> np.ndarray:
            weights = weights_of(self.stars, column)
            return np.ones(len(self)) if weights is None else weights

        return self._once(("weights", column), found)

    def each(self, column: str | None, chemistry: Chemistry) -> np.ndarray:
        """Return for how many each star counts in each plane that it has: its weight, balanced if that is asked for."""

        def found() -> np.ndarray:
            weights = balanced(self.stars, chemistry, self.weights(column))
            return np.ones(len(self)) if weights is None else weights

        return self._once(("each", column, chemistry), found)

    def binned_cells(self, chemistry: Chemistry) -> Any:
        """Return the pixels of every bin of `places`, as `divergence.binned_cells` does."""
        from .divergence import binned_cells

        return self._once(
            ("cells", chemistry),
            lambda: binned_cells(self.places.index, self.columns(chemistry), len(self.places), chemistry.n),
        )

    def _once(self, key: Any, make: Any) -> Any:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


class Stars:
    """Prepared stars whose selections are made once, for all configurations that use them.

    Attributes
    ----------
    table : Table
        Not to be changed afterwards.
    """

    def __init__(self, table: Any) -> None:
        self.table = table
        self._samples: dict[Any, Sample] = {}

    def sample(self, selection: Selection) -> Sample:
        """Return the stars of a selection."""
        if selection not in self._samples:
            self._samples[selection] = Sample(*choose(self.table, selection))
        return self._samples[selection]
