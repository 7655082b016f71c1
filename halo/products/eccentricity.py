"""Eccentricities of the components: each bin's own distribution, weighted by the component's weight in the bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable

from ..errors import InputError, UsageError
from ..fits.bootstrap import Refits
from ..fits.conventions import checked
from ..fits.engine import CONVERGED
from ..fits.store import FitLike, as_fit
from ..io.columns import described
from ..io.notebook import InWords
from ..rounding import measured
from ..stars.catalogue import StarsLike
from ..stars.selection import choose
from ..stars.variables import values
from ..stars.weights import weights_of
from .settings import EccentricitySettings

CUT = EccentricitySettings.cut
"""Bins in which a component has less than this part of its largest weight are left out (the paper's)."""
BINS = EccentricitySettings.bins
"""Bins of eccentricity from 0 to 1; the paper gives no number."""


@dataclass(frozen=True, repr=False)
class Eccentricities(InWords):
    """F_k(e) of every component, from low to high energy.

    Attributes
    ----------
    names : tuple of str
        Components.
    edges : ndarray, shape (bins + 1,)
        Of e.
    density : ndarray, shape (k, bins)
        Integrates to one.
    bands : ndarray, shape (2, k, bins)
        Lower and upper limits from replicates; NaN without any.
    peaks : ndarray, shape (k,)
        e of the highest point: of the parabola through the highest bin and its neighbours.
    peak_intervals : ndarray, shape (2, k)
        Limits from replicates; NaN without any.
    kept : ndarray of int, shape (k,)
        Bins of the fit that each component is made of.
    n_stars : ndarray of int, shape (k,)
        Stars in those bins that have an eccentricity.
    cut, level : float
        Least part of the largest weight; probability of bands and intervals.
    lost : int
        Replicates that were not good and do not count.
    status : str
        How the fit ended.
    """

    names: tuple[str, ...]
    edges: np.ndarray
    density: np.ndarray
    bands: np.ndarray
    peaks: np.ndarray
    peak_intervals: np.ndarray
    kept: np.ndarray
    n_stars: np.ndarray
    cut: float
    level: float
    lost: int = 0
    status: str = CONVERGED

    def table(self) -> QTable:
        """Return F_k(e) as a table: a row per bin of e, a column per component with its limits.

        The metadata hold the peaks.
        """
        table = QTable()
        table["lower"], table["upper"] = self.edges[:-1], self.edges[1:]
        for j, name in enumerate(self.names):
            table[name] = self.density[j]
            for side, band in zip(("lower", "upper"), self.bands, strict=True):
                table[f"{name}_{side}"] = band[j]
        table.meta["cut"], table.meta["level"] = self.cut, self.level
        table.meta["peaks"] = dict(zip(self.names, self.peaks.tolist(), strict=True))
        table.meta["peak_intervals"] = dict(zip(self.names, self.peak_intervals.T.tolist(), strict=True))
        table.meta["bins"] = dict(zip(self.names, self.kept.tolist(), strict=True))
        table.meta["fit_status"], table.meta["replicates_lost"] = self.status, self.lost
        table.meta["stars"] = dict(zip(self.names, self.n_stars.tolist(), strict=True))
        return described(table, "eccentricity")

    def describe(self) -> str:
        """Return a line per component with its peak and what it was made of, and how many there are."""
        lines = []
        for j, name in enumerate(self.names):
            peak = measured(self.peaks[j], interval=self.peak_intervals[:, j].tolist(), digits=3)
            kept = f"{self.kept[j]:,} bins, {self.n_stars[j]:,} stars"
            lines.append(f"{name}: peak at e = {peak}; {kept}")
        return "\n".join([*lines, f"{len(self.names)} components, {len(self.edges) - 1} bins"])

    def problems(self) -> str:
        """Return what did not converge: the fit, or replicates; empty where all is well."""
        parts = [f"the fit ({self.status})"] if self.status != CONVERGED else []
        parts += [f"{self.lost} replicates"] if self.lost else []
        return f"not converged: {', '.join(parts)}" if parts else ""


def eccentricities(
    fit: FitLike,
    stars: StarsLike,
    *,
    bins: int = BINS,
    cut: float = CUT,
    refits: Refits | None = None,
    level: float = EccentricitySettings.level,
) -> Eccentricities:
    """Return F_k(e) = sum_i W_ik f_i(e) over the bins in which W_ik is above `cut` of its maximum (equation 5).

    f_i integrates to one, so that a bin counts by its weight and not by its number of stars. Bins without a star of
    known eccentricity have no f. Stars with weights count in f_i with theirs.

    Parameters
    ----------
    fit : Fit or path
        In any bins; the paper takes the kinematically pure halo, whose selection does not look at e.
    stars : Table, Catalogue or path
        The prepared stars that it was made of.
    bins : int
        Of e, from 0 to 1.
    cut : float
        Least part of a component's largest weight.
    refits : Refits, optional
        Bootstrap replicates; bands show what scatter of W makes of F, with the f_i held.
    level : float
        Probability of the bands.

    Returns
    -------
    Eccentricities

    Raises
    ------
    InputError
        Other stars than the fit's, or none with an eccentricity.
    UsageError
        A number that makes no sense, or replicates of another fit.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.eccentricities("fit.h5", "stars.fits", refits=halo.refit("fit.h5", 100))  # doctest: +SKIP
    >>> dict(zip(found.names, found.peaks))  # doctest: +SKIP
    """
    fit = as_fit(fit)
    if bins < 3:
        raise UsageError(f"bins must be >= 3, got {bins}.")
    if not 0 <= cut < 1:
        raise UsageError(f"cut must be >= 0 and below 1, got {cut:g}.")
    if not 0 < level < 1:
        raise UsageError(f"level must lie between 0 and 1, got {level:g}.")
    if refits is not None and refits.good.sum() < 2:
        raise UsageError(f"{int(refits.good.sum())} of {len(refits.good)} replicates are good, too few.")
    if refits is not None and refits.W.shape[1:] != fit.W.shape:
        raise UsageError("replicates must be those of this fit; make them with halo.refit(fit).")
    chosen, _ = choose(checked(fit, stars), fit.settings.selection)
    rows = fit.mixtures.bins.assign(chosen)
    if not np.array_equal(np.bincount(rows[rows >= 0], minlength=len(fit.W)), fit.mixtures.n_stars):
        raise InputError("these are not the stars that the fit was made of: other numbers fall into its bins.")
    e, edges = values(chosen, "e"), np.linspace(0, 1, bins + 1)
    inside = (rows >= 0) & (e >= 0) & (e <= 1)
    if not inside.any():
        raise InputError("no star of the fit has an eccentricity between 0 and 1.")
    place = np.minimum((e[inside] * bins).astype(int), bins - 1)
    number = np.zeros((len(fit.W), bins))
    weights = weights_of(chosen, fit.settings.weights)
    np.add.at(number, (rows[inside], place), 1.0 if weights is None else weights[inside])
    total = number.sum(axis=1, keepdims=True)
    stars_with_e = np.bincount(rows[inside], minlength=len(fit.W))
    f = np.divide(number * bins, total, out=np.zeros_like(number), where=total > 0)
    F = _weighted(fit.W, f, cut)
    bands, peak_intervals = np.full((2, *F.shape), np.nan), np.full((2, len(F)), np.nan)
    if refits is not None:
        drawn = np.stack([_weighted(W, f, cut) for W in refits.W[refits.good]])
        tails = 50 * (1 - level), 50 * (1 + level)
        bands = np.percentile(drawn, tails, axis=0)
        peak_intervals = np.percentile([[peak(row) for row in one] for one in drawn], tails, axis=0)
    used = _used(fit.W, cut)
    return Eccentricities(
        names=fit.names,
        edges=edges,
        density=F,
        bands=bands,
        peaks=np.array([peak(row) for row in F]),
        peak_intervals=peak_intervals,
        kept=used.sum(axis=0),
        n_stars=(used * stars_with_e[:, None]).sum(axis=0),
        cut=cut,
        level=level,
        lost=0 if refits is None else refits.lost,
        status=fit.status,
    )


def _used(W: np.ndarray, cut: float) -> np.ndarray:
    return W > cut * W.max(axis=0)


def _weighted(W: np.ndarray, f: np.ndarray, cut: float) -> np.ndarray:
    F = np.where(_used(W, cut), W, 0.0).T @ f
    total = F.mean(axis=1, keepdims=True)  # the integral over e from 0 to 1
    return np.divide(F, total, out=np.zeros_like(F), where=total > 0)


def peak(F: np.ndarray) -> float:
    """Return the e of the highest point of equal bins from 0 to 1, by a parabola through it and its neighbours."""
    if not F.any():
        return float("nan")
    i, width = int(F.argmax()), 1 / len(F)
    if 0 < i < len(F) - 1:
        left, top, right = F[i - 1 : i + 2]
        bend = left - 2 * top + right
        return float((i + 0.5 + (0.5 * (left - right) / bend if bend < 0 else 0.0)) * width)
    return (i + 0.5) * width
