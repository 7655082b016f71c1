"""From which component each star comes: probabilities from its bin and its pixels, and how reliable they are.

A star of bin i is of component k with the probability that the fit gives its bin and its chemistry,

    P(k | i, f, y_1 ... y_P)  ~  W_ik  m_k(f)  prod_p p_k(y_p | f),

where f is the abundance that all planes share ([Fe/H]), y_p the other one of plane p ([Al/Fe], [Mg/Fe]), m_k(f) the
component's distribution of f, the mean over the planes, and p_k(y_p | f) that of y_p in the pixel column of f, read off
the component's image. So [Fe/H] counts once, although every image shows it: the product of the star's pixels would
count it P times over and be far too sure. What is assumed is that the y_p are independent given f within a component.

An image is known from M_k = sum_i W_ik counts only, and a pixel that none of them fell on is not impossible. Each
distribution is therefore smoothed by `PRIOR_COUNTS` spread evenly over its pixels, the mean of a Dirichlet posterior:
p = (M_k H + a / l) / (M_k H_f + a), with H_f the sum over the column. Where a star lies outside an image, or lacks an
abundance, that image does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from ..errors import UsageError
from ..fits.conventions import checked
from ..fits.engine import not_converged
from ..fits.fit import Fit, percentages
from ..fits.reading import LAST, Reading
from ..fits.store import FitLike, as_fit
from ..io.columns import described
from ..io.notebook import InWords
from ..mixtures.bins import place, place_on_pixels
from ..mixtures.settings import Chemistry, Plane
from ..stars.catalogue import StarsLike
from ..stars.cutflow import CutFlow
from ..stars.selection import choose
from ..stars.variables import values
from ..stars.weights import weights_of
from .record import flow_record
from .settings import PRIOR_COUNTS as PRIOR_COUNTS


@dataclass(frozen=True, repr=False)
class Memberships(InWords):
    """Probabilities of components for stars.

    Attributes
    ----------
    probability : ndarray, shape (N, k)
        Rows sum to one; NaN for stars outside the fit's bins, or in a bin where the fit has nothing.
    bins : ndarray of int, shape (N,)
        Bin of each star, -1 outside.
    images : ndarray of int, shape (N,)
        How many images were used: the number of planes for a star inside them all, 0 where only the bin was.
    names : tuple of str
        Components.
    cutflow : CutFlow
        From the catalogue to these stars.
    stars : Table
        Them.
    fit_status, fit_kkt : str, float
        How the fit ended, and its residual of the optimality conditions.
    accreted : tuple of int
        Components that the fit reads as accreted.
    weights : ndarray, shape (N,), optional
        For how many each star counts, of a fit with weights.
    """

    probability: np.ndarray
    bins: np.ndarray
    images: np.ndarray
    names: tuple[str, ...]
    cutflow: CutFlow
    stars: Any
    fit_status: str
    fit_kkt: float
    accreted: tuple[int, ...] = LAST
    weights: np.ndarray | None = None

    @property
    def reading(self) -> Reading:
        """Which of the components are read as accreted."""
        return Reading(self.names, self.accreted)

    @property
    def P_accreted(self) -> np.ndarray:
        """Probability of being of an accreted component: the sum over these; shape (N,), NaN as `probability`."""
        return np.minimum(self.reading.of(self.probability), 1.0)  # a sum may exceed one by rounding

    @property
    def outside(self) -> int:
        """Stars without a probability."""
        return int(np.isnan(self.probability[:, 0]).sum())

    def table(self) -> Any:
        """Return the stars with their probabilities: columns ``P_`` and the component's name, ``bin``, ``images``.

        Of three and more components also ``P_accreted``, the sum over those that are read so.
        """
        table = self.stars.copy()
        for j, name in enumerate(self.names):
            table[f"P_{name}"] = self.probability[:, j]
        if self.reading.nameless:
            table["P_accreted"] = self.P_accreted
        table["bin"], table["images"] = self.bins, self.images
        return described(table, "stars")

    def record(self) -> dict[str, Any]:
        """Return how many stars belong to each component by probability: the stars stand in the table."""
        sums = np.nansum(self.probability, axis=0)
        return {
            "stars": len(self.stars),
            "probability": dict(zip(self.names, sums.tolist(), strict=True)),
            "accreted_by_probability": float(self.reading.of(sums)),
            "without_probability": self.outside,
            "partly_outside_images": int((self.images < self.images.max(initial=0)).sum()),
            "cutflow": flow_record(self.cutflow),
        }

    def describe(self) -> str:
        """Return the cut-flow, how many stars belong to each component by probability, and how many have none."""
        sums = np.nansum(self.probability, axis=0)
        said = ", ".join(f"{name} {total:,.0f}" for name, total in zip(self.names, sums, strict=True))
        if self.reading.nameless:
            said += f", accreted ({self.reading.label}) {self.reading.of(sums):,.0f}"
        if self.weights is not None:
            mass = np.nansum(self.probability * self.weights[:, None], axis=0)
            said += f"; by weight {percentages(self.names, mass / mass.sum())}"
        partly = int((self.images < self.images.max(initial=0)).sum())
        return (
            f"{self.cutflow}\n"
            f"sum of probabilities {said}; {self.outside:,} stars have none, {partly:,} lie outside an image\n"
            f"{len(self.stars):,} stars"
        )

    def problems(self) -> str:
        """Return a line on the fit where it did not converge; empty where it did."""
        return not_converged(self.fit_status, self.fit_kkt)


def memberships(fit: FitLike, stars: StarsLike, *, prior_counts: float = PRIOR_COUNTS) -> Memberships:
    """Return from which component each star of a fit's selection comes.

    Parameters
    ----------
    fit : Fit or path
        Any number of components and of planes that share one variable.
    stars : Table, Catalogue or path
        Prepared stars; those of the fit's selection are taken.
    prior_counts : float
        a of the module's formula, > 0.

    Returns
    -------
    Memberships

    Raises
    ------
    UsageError
        Planes without one variable in common, or `prior_counts` that is not positive.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.memberships("fit.h5", "stars.fits")  # doctest: +SKIP
    >>> found.P_accreted > 0.9  # stars that look accreted  # doctest: +SKIP
    """
    fit = as_fit(fit)
    if not prior_counts > 0:
        raise UsageError(f"prior_counts must be positive, got {prior_counts:g}: a pixel without stars would forbid.")
    chosen, flow = choose(checked(fit, stars), fit.settings.selection)
    chemistry = fit.mixtures.chemistry
    shared = shared_variable(chemistry)
    bins = fit.mixtures.bins.assign(chosen)
    mass = fit.W.sum(axis=0) * fit.mixtures.per_weight  # beside a, which is in stars
    with np.errstate(divide="ignore"):
        log_weight = np.log(np.where(bins[:, None] >= 0, fit.W[bins], 0.0))
    index = {name: place_on_pixels(values(chosen, name), chemistry.edges(name)) for name in chemistry.variables}
    f, images = index[shared], np.zeros(len(chosen), dtype=np.int64)
    counts = [_by_shared(picture, plane.x == shared) for picture, plane in _images(fit)]  # (k, l of f, l of y)
    inside_any = np.zeros(len(chosen), dtype=bool)
    for plane, count in zip(chemistry.planes, counts, strict=True):
        y = index[plane.y if plane.x == shared else plane.x]
        inside = (f >= 0) & (y >= 0)
        smooth = (count * mass[:, None, None] + prior_counts / chemistry.pixels) / (
            count.sum(axis=2, keepdims=True) * mass[:, None, None] + prior_counts
        )
        log_weight[inside] += np.log(smooth[:, f[inside], y[inside]]).T
        inside_any |= inside
        images += inside
    column = np.mean([count.sum(axis=2) for count in counts], axis=0) * mass[:, None] + prior_counts / chemistry.pixels
    column = np.divide(column, mass[:, None], out=np.ones_like(column), where=mass[:, None] > 0)
    log_weight[f >= 0] += np.log(column[:, f[f >= 0]]).T
    weights = weights_of(chosen, fit.settings.weights)
    accreted = fit.reading.accreted
    return Memberships(
        _normalised(log_weight), bins, images, fit.names, flow, chosen, fit.status, fit.kkt, accreted, weights
    )


def shared_variable(chemistry: Chemistry) -> str:
    """Return the variable that every plane has, [Fe/H] by default; of one plane, that along x.

    Raises
    ------
    UsageError
        There is none, or more than one.
    """
    planes = [{plane.x, plane.y} for plane in chemistry.planes]
    common = set.intersection(*planes)
    if len(planes) == 1:
        return chemistry.planes[0].x
    if len(common) != 1:
        raise UsageError(
            "memberships need planes with exactly one variable in common, such as AL_FE:FE_H and MG_FE:FE_H; got "
            f"{', '.join(map(str, chemistry.planes))}."
        )
    return common.pop()


@dataclass(frozen=True, repr=False)
class Reliability(InWords):
    """Reliability of probabilities: how often that which was given a probability is true.

    Attributes
    ----------
    edges : ndarray, shape (bins + 1,)
        Of the probability.
    predicted, observed, error : ndarray, shape (bins,)
        Mean probability, fraction that is true, and its binomial standard error; NaN where a bin is empty.
    n : ndarray of int, shape (bins,)
        Stars.
    brier : float
        Mean squared difference between probability and truth (Brier 1950).
    brier_base : float
        The same of one probability for all stars, the fraction that is true: what the probabilities must beat.
    calibration : float
        Mean over stars of |observed - predicted| of their bin: the expected calibration error.
    """

    edges: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray
    error: np.ndarray
    n: np.ndarray
    brier: float
    brier_base: float
    calibration: float

    def table(self) -> Table:
        """Return the reliability as a table: one row per bin of probability, the scores in the metadata."""
        table = Table()
        table["lower"], table["upper"] = self.edges[:-1], self.edges[1:]
        for name in ("n", "predicted", "observed", "error"):
            table["n_stars" if name == "n" else name] = getattr(self, name)
        table.meta |= {"brier": self.brier, "brier_base": self.brier_base, "calibration_error": self.calibration}
        return described(table, "reliability")

    def describe(self) -> str:
        """Return the scores of the probabilities, compared with the truth."""
        return (
            f"compared with the truth: Brier score {self.brier:.4f} (one probability for all: {self.brier_base:.4f}), "
            f"calibration error {self.calibration:.4f}"
        )

    def problems(self) -> str:
        """Return the empty string: nothing here can fail to converge."""
        return ""


def reliability(probability: np.ndarray, truth: np.ndarray, bins: int = 10) -> Reliability:
    """Return the reliability of probabilities, compared with the truth.

    Parameters
    ----------
    probability : ndarray, shape (N,)
        That `truth` holds; NaN are left out.
    truth : ndarray of bool, shape (N,)
        Whether it is.
    bins : int
        Equal bins of the probability.

    Raises
    ------
    UsageError
        No probability, other lengths, or a probability outside 0 to 1.
    """
    p, true = np.asarray(probability, dtype=float), np.asarray(truth, dtype=bool)
    if p.shape != true.shape or p.ndim != 1:
        raise UsageError(f"probability and truth must have one entry per star; got {p.shape} and {true.shape}.")
    p, true = p[np.isfinite(p)], true[np.isfinite(p)]
    if len(p) == 0 or p.min() < 0 or p.max() > 1:
        raise UsageError("probabilities must lie between 0 and 1, and one of them be known.")
    edges = np.linspace(0, 1, bins + 1)
    row = place(p, edges)
    n = np.bincount(row, minlength=bins)
    some = np.maximum(n, 1)
    predicted, observed = (
        np.where(n > 0, np.bincount(row, weights=x, minlength=bins) / some, np.nan) for x in (p, true)
    )
    fraction = np.where(
        n > 0, (observed * n + 1) / (some + 2), np.nan
    )  # never exactly 0 or 1, where the error would vanish
    return Reliability(
        edges=edges,
        predicted=predicted,
        observed=observed,
        error=np.sqrt(fraction * (1 - fraction) / some),
        n=n,
        brier=float(np.mean((p - true) ** 2)),
        brier_base=float(true.mean() * (1 - true.mean())),
        calibration=float(np.nansum(n * np.abs(observed - predicted)) / n.sum()),
    )


def _images(fit: Fit) -> list[tuple[np.ndarray, Plane]]:
    return [(fit.images[:, i], plane) for i, plane in enumerate(fit.mixtures.chemistry.planes)]


def _by_shared(picture: np.ndarray, along_x: bool) -> np.ndarray:
    """Return images (k, l of y, l of x) with the shared variable first."""
    return picture.transpose(0, 2, 1) if along_x else picture


def _normalised(log_weight: np.ndarray) -> np.ndarray:
    best = log_weight.max(axis=1, keepdims=True)
    known = np.isfinite(best[:, 0])
    out = np.full(log_weight.shape, np.nan)
    weight = np.exp(log_weight[known] - best[known])
    out[known] = weight / weight.sum(axis=1, keepdims=True)
    return out
