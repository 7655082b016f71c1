"""Chemistry along Aurora's branch, bin by bin in energy and angular momentum, with resampled errors (R14)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.table import QTable

from ..errors import InputError, UsageError
from ..fits.conventions import checked
from ..fits.engine import not_converged
from ..fits.fit import Fit
from ..fits.store import FitLike, as_fit
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.bins import Bins, columns_of
from ..mixtures.settings import Chemistry, Plane
from ..products.boundary import Boundary
from ..rounding import measured
from ..stars.catalogue import StarsLike
from ..stars.selection import choose
from ..stars.variables import values
from ..units import ENERGY
from .settings import AuroraSettings

PLANE = Plane("AL_FE", "FE_H")
NAME = "LE1"
"""The component that makes the mask; the paper's."""
SHARE = AuroraSettings.share
"""Pixels of the mask exceed this fraction of the component's maximum; the paper's."""
MAX_FE_H = AuroraSettings.max_fe_h
"""Pixels of the mask lie below this [Fe/H], dex; the paper's."""
PERCENTILE = AuroraSettings.percentile
"""Of [Al/Fe] in each bin; the paper's."""
ITERATIONS = AuroraSettings.iterations
"""Resamplings; the paper's number."""
MIN_STARS = 5
"""Bins with fewer stars in the mask have no value: removing sqrt(N) of them leaves too little."""
LOW_DEVIATIONS = 1.5
"""Retrograde bins whose median [Fe/H] is so many median absolute deviations below that of all of them are marked."""


@dataclass(frozen=True, repr=False)
class Aurora(InWords):
    """[Al/Fe] and [Fe/H] of the branch in every bin.

    Attributes
    ----------
    mask : ndarray of bool, shape (l, l)
        Pixels of the branch in the image of [Al/Fe] (rows) against [Fe/H].
    image : ndarray, shape (l, l)
        The component that the mask is made of.
    chemistry : Chemistry
        What the pixels are.
    bins : Bins
        In energy and angular momentum.
    n_stars : ndarray of int, shape (m,)
        Stars of the branch in each bin.
    E, Lz : ndarray, shape (m,)
        Their mean energy (km2 / s2) and angular momentum (kpc km / s); NaN where there are none.
    al_fe, fe_h : ndarray, shape (m,)
        90th percentile of [Al/Fe] and median [Fe/H], dex; NaN in bins of fewer than `MIN_STARS`.
    removed_mean, removed_std : ndarray, shape (2, m)
        Mean and standard deviation of both over the paper's iterations, which remove sqrt(N) stars from each bin.
    drawn_mean, drawn_std : ndarray, shape (2, m)
        The same over bootstrap samples, N of N stars with replacement: these are standard errors.
    iterations : int
        Of either.
    fit_status, fit_kkt : str, float
        How the fit of the component ended, and its residual of the optimality conditions.
    """

    mask: np.ndarray
    image: np.ndarray
    chemistry: Chemistry
    bins: Bins
    n_stars: np.ndarray
    E: np.ndarray
    Lz: np.ndarray
    al_fe: np.ndarray
    fe_h: np.ndarray
    removed_mean: np.ndarray
    removed_std: np.ndarray
    drawn_mean: np.ndarray
    drawn_std: np.ndarray
    iterations: int
    fit_status: str
    fit_kkt: float

    @property
    def retrograde(self) -> np.ndarray:
        """Bins whose stars have Lz < 0 in the mean and a value; bool, shape (m,)."""
        return (self.Lz < 0) & np.isfinite(self.fe_h)

    @property
    def metal_poor(self) -> np.ndarray:
        """Retrograde bins of distinctly low median [Fe/H], see `LOW_DEVIATIONS`; bool, shape (m,)."""
        chosen = self.retrograde
        if not chosen.any():
            return chosen
        middle = np.median(self.fe_h[chosen])
        deviation = np.median(np.abs(self.fe_h[chosen] - middle))
        return chosen & (np.nan_to_num(self.fe_h, nan=np.inf) < middle - LOW_DEVIATIONS * deviation)

    @property
    def cut_off(self) -> tuple[float, float]:
        """The energy (km2 / s2) at which the 90th percentile of [Al/Fe] drops most sharply, and by how much (dex).

        The bins are split at the energy with the least sum of squares around the means of both parts; the drop is the
        lower part's mean minus the upper one's. NaN for fewer than four bins with a value.
        """
        known = np.flatnonzero(np.isfinite(self.al_fe))
        if len(known) < 4:
            return float("nan"), float("nan")
        order = known[np.argsort(self.E[known])]
        E, y = self.E[order], self.al_fe[order]
        squares = [y[:i].var() * i + y[i:].var() * (len(y) - i) for i in range(1, len(y))]
        i = 1 + int(np.argmin(squares))
        return float(0.5 * (E[i - 1] + E[i])), float(y[:i].mean() - y[i:].mean())

    def above(self, boundary: Boundary) -> np.ndarray:
        """Return which bins lie, in the mean of their stars, above a boundary E_b(Lz); bool, shape (m,).

        Between the boundary's columns it is linear, beyond the last it is constant.

        Raises
        ------
        UsageError
            The boundary was found in no column.
        """
        found = np.isfinite(boundary.smoothed)
        if not found.any():
            raise UsageError("the boundary was found in no column.")
        line = np.interp(np.nan_to_num(self.Lz), boundary.Lz[found], boundary.smoothed[found])
        return np.nan_to_num(self.E, nan=-np.inf) > line

    def table(self) -> QTable:
        """Return the branch as a table, one row per bin.

        Columns of the two resamplings end in ``_removed`` and ``_drawn``.
        """
        table = QTable()
        for i, axis in enumerate(self.bins.axes):
            unit = units.km**2 / units.s**2 if axis.variable == "E" else units.kpc * units.km / units.s
            lower, upper = self.bins.bounds[:, i].T
            table[f"lower_{axis.variable}"], table[f"upper_{axis.variable}"] = lower * unit, upper * unit
        table["E"] = self.E * units.km**2 / units.s**2
        table["Lz"] = self.Lz * units.kpc * units.km / units.s
        table["n_stars"] = self.n_stars
        for j, name in enumerate(("AL_FE_90", "FE_H_50")):
            table[name] = (self.al_fe, self.fe_h)[j]
            for kind in ("removed", "drawn"):
                for what in ("mean", "std"):
                    table[f"{name}_{what}_{kind}"] = getattr(self, f"{kind}_{what}")[j]
        table["metal_poor"] = self.metal_poor
        table.meta |= {
            "cut_off_E": self.cut_off[0],
            "cut_off_drop": self.cut_off[1],
            "fit_status": self.fit_status,
            "fit_kkt": self.fit_kkt,
            "iterations": self.iterations,
            "mask_pixels": int(self.mask.sum()),
            "stars": int(self.n_stars.sum()),
            "removed": "sqrt(N) stars of each bin removed at random, as in the paper: a spread, not a standard error",
            "drawn": "bootstrap: N of N stars with replacement, standard errors",
        }
        return described(table, "aurora")

    def describe(self) -> str:
        """Return the branch's map in numbers, and how many stars it has."""
        E, drop = self.cut_off
        said = "too few for a drop of [Al/Fe]"
        if np.isfinite(E):
            said = f"[Al/Fe] drops by {drop:.2f} dex at {measured(E, ENERGY)}"
        known, poor = int(np.isfinite(self.al_fe).sum()), int(self.metal_poor.sum())
        return (
            f"{int(self.mask.sum()):,} pixels in the mask; {known} of {len(self.n_stars)} bins have stars enough; "
            f"{said}; {poor} retrograde bin{'s' * (poor != 1)} of low [Fe/H]\n"
            f"{int(self.n_stars.sum()):,} stars of the branch"
        )

    def problems(self) -> str:
        """Return a line on the fit where it did not converge; empty where it did."""
        return not_converged(self.fit_status, self.fit_kkt)


def aurora(
    fit: FitLike,
    stars: StarsLike,
    component: str | int | None = None,
    *,
    bins: Bins | None = None,
    share: float = SHARE,
    max_fe_h: float = MAX_FE_H,
    percentile: float = PERCENTILE,
    iterations: int = ITERATIONS,
    seed: int = 0,
) -> Aurora:
    """Return the chemistry of Aurora's branch, masked by a component, over bins of energy and angular momentum.

    Parameters
    ----------
    fit : Fit or path
        With an image of [Al/Fe] against [Fe/H].
    stars : Table, Catalogue or path
        Prepared stars, not of one part of the halo alone; those of the fit's selection are taken.
    component : str or int, optional
        Name or index of the one whose image makes the mask; LE1, the paper's, where there is one, else the first.
    bins : Bins, optional
        Of E and Lz; by default the fit's own.
    share, max_fe_h, percentile : float
        As the module's constants.
    iterations, seed : int
        Resamplings of either kind, and their seed; a bin's numbers do not depend on the others'.

    Returns
    -------
    Aurora

    Raises
    ------
    UsageError
        No such image or component, or bins of other variables.
    InputError
        No star in the mask.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.aurora("four.h5", "stars.fits", "LE1")  # doctest: +SKIP
    >>> found.cut_off  # km2 / s2 and dex  # doctest: +SKIP
    """
    fit = as_fit(fit)
    index_of = component_index(fit, component)
    chemistry = fit.mixtures.chemistry
    bins = fit.mixtures.bins if bins is None else bins
    if PLANE not in chemistry.planes or not 0 <= index_of < len(fit.names):
        raise UsageError(
            f"aurora needs component 0 to {len(fit.names) - 1} of a fit with the plane {PLANE}; got component "
            f"{component} and {', '.join(map(str, chemistry.planes))}."
        )
    if {axis.variable for axis in bins.axes} != {"E", "Lz"}:
        raise UsageError(f"aurora needs bins of E and Lz; got {', '.join(map(str, bins.axes))}.")
    if not 0 <= percentile <= 100:
        raise UsageError(f"percentile must lie between 0 and 100, got {percentile:g}.")
    index = chemistry.planes.index(PLANE)
    image = fit.images[index_of, index]
    mask = branch(chemistry, image, share, max_fe_h)
    table, _ = choose(checked(fit, stars), fit.settings.selection)
    column = columns_of(table, chemistry)[:, index]
    pixel = column - index * chemistry.pixels**2
    chosen = (column >= 0) & mask.ravel()[np.where(column >= 0, pixel, 0)]
    rows = np.where(chosen, bins.assign(table), -1)
    if not (rows >= 0).any():
        raise InputError("no star lies in the mask and the bins; lower share, or check the component.")
    n_stars = np.bincount(rows[rows >= 0], minlength=len(bins))
    x = np.stack([values(table, "AL_FE"), values(table, "FE_H")])
    q = np.array([percentile / 100, 0.5])
    found = np.full((5, 2, len(bins)), np.nan)
    for i, sequence in enumerate(np.random.SeedSequence(seed).spawn(len(bins))):
        sample = x[:, rows == i]
        if sample.shape[1] >= MIN_STARS:
            found[0, :, i] = _quantiles(sample, q)
            removed, drawn = resample(sample, q, iterations, np.random.default_rng(sequence))
            found[1:3, :, i] = removed.mean(axis=0), removed.std(axis=0, ddof=1)
            found[3:, :, i] = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
    mean = [_means(values(table, name), rows, n_stars) for name in ("E", "Lz")]
    return Aurora(
        mask, image, chemistry, bins, n_stars, mean[0], mean[1], found[0, 0], found[0, 1],
        found[1], found[2], found[3], found[4], iterations, fit.status, fit.kkt,
    )  # fmt: skip


def component_index(fit: Fit, component: str | int | None = None) -> int:
    """Return the index of a component by its name or index; by default that of LE1, where there is none the first.

    Raises
    ------
    UsageError
        No component of that name.
    """
    if component is None:
        return fit.names.index(NAME) if NAME in fit.names else 0
    if isinstance(component, str) and component not in fit.names:
        raise UsageError(f"no component {component!r}; the fit has {', '.join(fit.names)}.")
    return fit.names.index(component) if isinstance(component, str) else component


def branch(chemistry: Chemistry, image: np.ndarray, share: float = SHARE, max_fe_h: float = MAX_FE_H) -> np.ndarray:
    """Return the pixels above `share` of the image's maximum that lie wholly below `max_fe_h`; bool, shape (l, l)."""
    below = chemistry.edges(PLANE.x)[1:] <= max_fe_h + 1e-9
    return (image > share * image.max()) & below[None, :]


def resample(
    sample: np.ndarray, q: np.ndarray, iterations: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles of a sample resampled in both ways, shape (iterations, rows) each.

    Parameters
    ----------
    sample : ndarray, shape (rows, N)
        Properties of N stars, resampled together.
    q : ndarray, shape (rows,)
        The quantile of each.
    iterations : int
    rng : numpy.random.Generator

    Returns
    -------
    removed, drawn : ndarray
        After removing sqrt(N) stars, rounded, at random; and of N stars drawn with replacement. The spread of the
        former is no standard error: for a mean it is sqrt(d / (N - d)) of one, for a quantile not even that.
    """
    n = sample.shape[1]
    removed, drawn = np.empty((iterations, len(q))), np.empty((iterations, len(q)))
    kept = n - round(np.sqrt(n))
    step = max(1, 2**22 // max(n, 1))  # bounds the memory of a bin with many stars
    for first in range(0, iterations, step):
        last = min(first + step, iterations)
        # the stars of the smallest random numbers are a random subset without replacement
        left = np.argpartition(rng.random((last - first, n)), kept - 1, axis=1)[:, :kept]
        anew = rng.integers(0, n, (last - first, n))
        for out, chosen in ((removed, left), (drawn, anew)):
            for j, p in enumerate(q):
                out[first:last, j] = np.quantile(sample[j][chosen], p, axis=1)
    return removed, drawn


def _quantiles(sample: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.array([np.quantile(row, p) for row, p in zip(sample, q, strict=True)])


def _means(x: np.ndarray, rows: np.ndarray, number: np.ndarray) -> np.ndarray:
    inside = rows >= 0
    total = np.bincount(rows[inside], weights=x[inside], minlength=len(number))
    return np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)
