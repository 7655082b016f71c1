"""One-dimensional densities of the abundances in each component: where they peak, and where they fall off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable

from ..errors import UsageError
from ..fits.store import FitLike, as_fits
from ..io.columns import described
from ..io.notebook import InWords
from .histograms import marginal

FALL = 0.5
"""A density has fallen off where it is below this part of its maximum."""
PROMINENCE = 0.1
"""Smaller peaks count where they rise by this part of the maximum above the higher of their two valleys."""


@dataclass(frozen=True)
class Density:
    """How one abundance is distributed in one component.

    Attributes
    ----------
    component, variable : str
        Which.
    edges : ndarray, shape (l + 1,)
        Pixels, dex.
    density : ndarray, shape (l,)
        Per dex; integrates to one over the pixels, zero where the component has nothing.
    """

    component: str
    variable: str
    edges: np.ndarray
    density: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        """Centres of the pixels, dex."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])

    @property
    def smooth(self) -> np.ndarray:
        """The mean over three pixels, of which peaks and edges are read: single pixels are noisy; shape (l,)."""
        return np.convolve(self.density, np.ones(3) / 3, mode="same")

    @property
    def peak(self) -> float:
        """Centre of the highest pixel, dex; NaN for an empty component."""
        return float(self.centres[self.smooth.argmax()]) if self.density.any() else float("nan")

    def edge(self, part: float = FALL) -> float:
        """Return where, coming from large values, the density first reaches `part` of its maximum, dex.

        Linear between the centres of pixels; NaN for an empty component.

        Raises
        ------
        UsageError
            A part that does not lie between 0 and 1.
        """
        if not 0 < part < 1:
            raise UsageError(f"part must lie between 0 and 1, got {part:g}.")
        if not self.density.any():
            return float("nan")
        y = self.smooth
        level = part * y.max()
        i = int(np.flatnonzero(y >= level)[-1])
        if i == len(y) - 1:
            return float(self.edges[-1])
        share = (y[i] - level) / (y[i] - y[i + 1])
        return float(self.centres[i] + share * (self.centres[i + 1] - self.centres[i]))

    def peaks(self, prominence: float = PROMINENCE) -> np.ndarray:
        """Return the centres of all peaks that rise by this part of the maximum above their valleys; dex."""
        from scipy.signal import find_peaks

        # a zero beyond either end, so that a density may peak in its first or last pixel
        y = np.pad(self.smooth, 1)
        found, _ = find_peaks(y, prominence=max(prominence * y.max(), np.finfo(float).tiny))
        return self.centres[found - 1]


class Densities(InWords, tuple[Density, ...]):
    """Densities by fit, then component, then abundance: a tuple of `Density`."""

    __slots__ = ()

    def table(self) -> QTable:
        """Return densities as a table: a row per component, abundance and pixel; peaks and edges in the metadata."""
        table = QTable()
        table["component"] = np.concatenate([[d.component] * len(d.density) for d in self])
        table["variable"] = np.concatenate([[d.variable] * len(d.density) for d in self])
        table["lower"] = np.concatenate([d.edges[:-1] for d in self])
        table["upper"] = np.concatenate([d.edges[1:] for d in self])
        table["density"] = np.concatenate([d.density for d in self])
        table.meta["peak"] = {f"{d.component} {d.variable}": d.peak for d in self}
        table.meta["peaks"] = {f"{d.component} {d.variable}": d.peaks().tolist() for d in self}
        table.meta[f"falls_below_{FALL:g}_of_maximum"] = {f"{d.component} {d.variable}": d.edge() for d in self}
        return described(table, "densities")

    def describe(self) -> str:
        """Return a line per density: its peaks, and where it falls off."""
        lines = []
        for d in self:
            peaks = ", ".join(f"{x:.2f}" for x in d.peaks()) or "none"
            lines.append(
                f"{d.component} {d.variable}: peaks at {peaks}; below {FALL:g} of the maximum at {d.edge():.2f}"
            )
        return "\n".join(lines)

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def densities(fits: FitLike | Sequence[FitLike]) -> Densities:
    """Return the density of every abundance in every component of some fits, those of each from high to low energy.

    An abundance that is in several planes is averaged over them, so it counts once.

    Parameters
    ----------
    fits : Fit, path or sequence of them
        Such as that of two components and those of its two parts.

    Returns
    -------
    Densities
        By fit, then component, then abundance.

    Raises
    ------
    UsageError
        No fit.

    Examples
    --------
    >>> from halonmf import halo
    >>> for one in halo.densities("fit.h5"):  # doctest: +SKIP
    ...     print(one.component, one.variable, one.peak)
    """
    fits = as_fits(fits)
    if not fits:
        raise UsageError("densities need a fit, got none.")
    found = []
    for fit in fits:
        chemistry = fit.settings.chemistry
        for name, row in zip(fit.names[::-1], fit.H[::-1], strict=True):
            for variable in chemistry.variables:
                edges = chemistry.edges(variable)
                found.append(Density(name, variable, edges, marginal(chemistry, row, variable) / np.diff(edges)))
    return Densities(found)
