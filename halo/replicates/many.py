"""Many fits of the same stars, counted differently often, and what several of their products are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..fits.apply import held_weights
from ..fits.fit import component_names, fractions
from ..fits.reading import LAST, Reading
from ..fits.settings import DIVERGENCE, FitSettings
from ..products.boundary import LEVEL
from ..products.compiling import compiled
from ..products.crossings import boundaries, single_crossings
from ..products.histograms import MIN_SHARE, PERCENTILES, percentiles_of, tracks_of
from ..products.profile import LEVELS, MIN_STARS
from ..stars.variables import values
from .divergence import divergence_weights
from .held import bin_sums, count, weights_of_many
from .sample import Sample


@dataclass(frozen=True)
class Many:
    """B fits of the same stars; what several products need is computed once.

    Attributes
    ----------
    sample : Sample
        The N stars.
    weights : ndarray of uint8, shape (B, N)
        How often each star counts in each replicate.
    W : ndarray of float64, shape (B, m, k)
        Weights; H at unit sum.
    H : ndarray of float64, shape (B, k, n)
        Components, in one order.
    rows : ndarray of int, shape (N,)
        Each star's bin in the fit; -1 outside.
    columns : ndarray of int, shape (N, images)
        Each star's pixels.
    settings : FitSettings
        Of the fit.
    accreted : tuple of int
        Components that the fit of all stars reads as accreted.
    """

    sample: Sample
    weights: np.ndarray
    W: np.ndarray
    H: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    settings: FitSettings
    accreted: tuple[int, ...] = LAST

    def __len__(self) -> int:
        return len(self.H)

    @property
    def each(self) -> np.ndarray:
        """For how many each star counts, shape (N,): 1, or its weight."""
        return self.sample.each(self.settings.weights, self.settings.chemistry)

    @property
    def mass_fractions(self) -> np.ndarray:
        """Mass fractions of the components, shape (B, k)."""
        return self.W.sum(axis=1) / self.W.sum(axis=(1, 2))[:, None]

    @property
    def reading(self) -> Reading:
        """Which components are read as accreted, the same in all fits."""
        return Reading(component_names(self.H.shape[1]), self.accreted)

    @property
    def accreted_fractions(self) -> np.ndarray | None:
        """Mass fractions of the accreted components, shape (B,); None where a component of that name has it."""
        return self.reading.of(self.mass_fractions) if self.reading.nameless else None

    @property
    def mean_fractions(self) -> np.ndarray:
        """Mean over the bins of the fit that have anything, shape (B, k)."""
        each = fractions(self.W)
        good = np.isfinite(each)
        number = good.sum(axis=1)
        return np.where(good, each, 0.0).sum(axis=1) / np.where(number > 0, number, np.nan)

    @property
    def mean_energies(self) -> np.ndarray:
        """Mean energy of the components, shape (B, k), km2 / s2; NaN where the stars have none."""
        x = values(self.sample.stars, "E") if "E" in self.sample.stars.colnames else None
        if x is None:
            return np.full((len(self), self.W.shape[2]), np.nan)
        total, number = np.zeros(self.W.shape[:2]), np.zeros(self.W.shape[:2])
        bin_sums(self.weights, self.each, self.rows, x, total, number)
        held = np.where(number[:, :, None] > 0, self.W, 0.0)
        mass = held.sum(axis=1)
        mean = total / np.where(number > 0, number, 1.0)
        return (held * mean[:, :, None]).sum(axis=1) / np.where(mass > 0, mass, np.nan)

    @cached_property
    def applied(self) -> tuple[np.ndarray, np.ndarray]:
        """Fractions (B, bins, k) and numbers of stars (B, bins) in the bins of every binning of `sample.places`."""
        places, (B, k) = self.sample.places, self.H.shape[:2]
        W, number = np.zeros((B, len(places), k)), np.zeros((B, len(places)), np.int64)
        columns = self.columns.astype(np.int32, copy=False)
        if self.settings.solver.least_squares:
            weights_of_many(self.weights, self.each, columns, places.index, self.H, W, number, 0, B)
        elif self.settings.solver.loss in DIVERGENCE:
            binned = self.sample.binned_cells(self.settings.chemistry)
            divergence_weights(self.weights, self.each, binned, self.H, W, number, 0, B)
        else:
            for b in range(B):
                V = count(self.weights[b], self.each, columns, places.index, number[b], self.H.shape[2])
                W[b], _ = held_weights(V, self.H[b], self.settings.solver)
        return fractions(W), number

    @property
    def read(self) -> np.ndarray:
        """The accreted fraction in those bins, shape (B, bins); NaN where there are too few stars."""
        fraction, number = self.applied
        return np.where(number >= MIN_STARS, self.reading.of(fraction), np.nan)

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that the stars have fractions along."""
        return tuple(name for name in self.sample.places.bins if name != "map")

    @cached_property
    def crossings(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By variable, where the accreted fraction crosses each of `profile.LEVELS` and how often; both (B, levels)."""
        places, read, found = self.sample.places, self.read, {}
        for name in self.variables:
            centre = places.bins[name].bounds[:, 0].mean(axis=-1)
            found[name] = single_crossings(centre, read[:, places.part(name)], LEVELS, run=compiled)
        return found

    @cached_property
    def boundaries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The boundary as `crossings.boundaries` returns it; None of one component, or where the stars have no map."""
        places = self.sample.places
        if "map" not in places.bins or self.H.shape[1] < 2:
            return None
        bins = places.bins["map"]
        columns, cells = (axis.count for axis in bins.axes)
        E = bins.edges[1][0]
        grid = self.read[:, places.part("map")].reshape(-1, columns, cells)
        return boundaries(0.5 * (E[:-1] + E[1:]), grid, LEVEL, run=compiled)

    @property
    def percentiles(self) -> np.ndarray:
        """Percentiles of every abundance, shape (B, abundances, k, percentiles), dex."""
        return percentiles_of(
            self.H, self.settings.chemistry, self.settings.chemistry.variables, PERCENTILES, run=compiled
        )

    @cached_property
    def tracks(self) -> tuple[np.ndarray, np.ndarray]:
        """Median tracks and their deviations, both (B, k, planes, pixels), dex."""
        return tracks_of(self.H, self.settings.chemistry, MIN_SHARE, run=compiled)
