"""Zero points without common stars: components held, moved until they describe the other survey's histograms best.

In every bin of the fit the other survey's stars are a mixture of the same components in proportions of their own, so
that neither survey's selection of orbits matters: only that a component's chemistry is the same in both. The images of
the components are moved by the zero points and blurred by a Gaussian, the additional noise. Per bin and plane the
likelihood is that of the pixels given their number: how many stars have an abundance does not enter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError, UsageError
from ..mixtures.counts import count, mix
from ..mixtures.settings import Chemistry
from ..progress import Progress, silent
from ..stars.catalogue import Catalogue, StarsLike
from ..stars.origin import survey_of
from ..stars.selection import choose
from ..stars.weights import weights_of
from .bootstrap import refit
from .engine import solve
from .fit import Fit
from .settings import Bootstrap
from .store import FitLike, as_fit
from .zeropoints import ZeroPoints

FLOOR = 0.7
"""Least blur in pixels: with less, images between two pixels would be smoother than others, and preferred for it."""
FURTHEST = 0.5
"""Largest offset that is looked for, dex."""
WIDEST = 0.4
"""Largest blur, dex."""
BLURRED = 0.1
"""Blur of the first search, dex, by which it finds the right hill."""
STAGE = "replicates"
"""What progress is told of."""
FOLDS = 5
"""Parts of the fit's own stars by which the offsets that blur and noise feign are found."""
OUTLIERS = 0.01
"""Fraction of each component's image that is spread evenly, for stars that no component describes."""


@dataclass(frozen=True)
class Cells:
    """Counts that are not zero.

    Attributes
    ----------
    row, column : ndarray of int, shape (cells,)
        Bin and pixel.
    number : ndarray, shape (cells,)
        Stars, or the sum of their weights.
    total : ndarray, shape (m, planes)
        Their sums over each image.
    """

    row: np.ndarray
    column: np.ndarray
    number: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, V: np.ndarray, chemistry: Chemistry) -> Cells:
        """Return those of V, shape (m, n); bins without any are left out."""
        V = V[V.any(axis=1)]
        row, column = np.nonzero(V)
        total = V.reshape(len(V), len(chemistry.planes), -1).sum(axis=2)
        return cls(row, column, V[row, column], total)


def move(offset: float, blur: float, pixels: int, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how counts of each pixel are spread once moved and blurred, and the derivatives by both.

    Counts are even within a pixel. With F the integral of the integral of a Gaussian of standard deviation s, pixel j
    gives pixel i at distance x the fraction (F(x + h) - 2 F(x) + F(x - h)) / h; F(u) = u Phi(u / s) + s phi(u / s).

    Parameters
    ----------
    offset, blur : float
        In dex.
    pixels : int
        l.
    width : float
        h, that of a pixel, dex.

    Returns
    -------
    ndarray, shape (l, l)
        To be multiplied from the left with an image's axis.
    by_offset, by_blur : ndarray, shape (l, l)
    """
    from scipy.special import ndtr

    x = width * (np.arange(pixels)[:, None] - np.arange(pixels)) - offset
    value, by_offset, by_blur = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for step, factor in ((width, 1.0), (0.0, -2.0), (-width, 1.0)):
        u = (x + step) / blur
        Phi, phi = ndtr(u), np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi)
        value += factor * blur * (u * Phi + phi)
        by_offset -= factor * Phi
        by_blur += factor * phi
    return np.maximum(value, 0.0) / width, by_offset / width, by_blur / width


class Moved:
    """Components as images that can be moved along every abundance.

    Attributes
    ----------
    images : ndarray, shape (k, planes, l, l)
        y first.
    chemistry : Chemistry
        What they are of.
    """

    def __init__(self, H: np.ndarray, chemistry: Chemistry) -> None:
        self.images, self.chemistry = chemistry.images(H), chemistry
        self.width = {name: np.ptp(chemistry.limits[name]) / chemistry.pixels for name in chemistry.variables}

    def at(self, offset: np.ndarray, blur: np.ndarray) -> tuple[np.ndarray, dict[tuple[int, int], np.ndarray]]:
        """Return the moved images, shape (k, n), and derivatives by (kind, variable), kinds 0 offset and 1 blur."""
        names, l = self.chemistry.variables, self.chemistry.pixels  # noqa: E741
        A = {n: move(o, s, l, self.width[n]) for n, o, s in zip(names, offset, blur, strict=True)}
        k = len(self.images)
        found = np.zeros_like(self.images)
        slopes = {(kind, i): np.zeros_like(found) for kind in (0, 1) for i in range(len(names))}
        for p, plane in enumerate(self.chemistry.planes):
            x, y = A[plane.x], A[plane.y]
            image = self.images[:, p]
            right = image @ x[0].T
            found[:, p] = y[0] @ right
            for kind in (0, 1):
                slopes[kind, names.index(plane.y)][:, p] = y[kind + 1] @ right
                slopes[kind, names.index(plane.x)][:, p] = y[0] @ (image @ x[kind + 1].T)
        even = found.mean(axis=(2, 3), keepdims=True)
        for one in slopes.values():
            one += OUTLIERS * (one.mean(axis=(2, 3), keepdims=True) - one)
        found += OUTLIERS * (even - found)
        return found.reshape(k, -1), {key: one.reshape(k, -1) for key, one in slopes.items()}


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is largest.

    Attributes
    ----------
    offset, blur : ndarray, shape (variables,)
        In dex.
    log_w : ndarray, shape (m, k)
        Log of the weights of the components in every bin that has stars.
    value : float
        Log likelihood.
    converged : bool
    """

    offset: np.ndarray
    blur: np.ndarray
    log_w: np.ndarray
    value: float
    converged: bool


def log_likelihood(
    cells: Cells, moved: Moved, offset: np.ndarray, blur: np.ndarray, log_w: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Return the log likelihood and its gradients by offsets, blurs and `log_w`.

    It is that of the pixels given the number of stars in each bin and plane.

    Parameters
    ----------
    cells : Cells
        Counts of the second survey.
    moved : Moved
        The components, to be moved.
    offset, blur : ndarray, shape (variables,)
        Zero points and additional noise of the abundances, dex.
    log_w : ndarray, shape (m, k)
        Logarithms of the weights of k components in m bins.
    """
    H, slopes = moved.at(offset, blur)
    planes = len(moved.chemistry.planes)
    w = np.exp(log_w)
    sums = H.reshape(len(H), planes, -1).sum(axis=2)  # (k, planes)
    inside = w @ sums  # (m, planes)
    Y = (w[cells.row] * H[:, cells.column].T).sum(axis=1)
    value = float((cells.number * np.log(Y)).sum() - (cells.total * np.log(inside)).sum())
    ratio, per_plane = cells.number / Y, cells.total / inside
    n = H.shape[1]
    G = np.stack([np.bincount(cells.column, ratio * w[cells.row, j], minlength=n) for j in range(len(H))])
    G -= np.repeat(w.T @ per_plane, n // planes, axis=1)
    V = len(offset)
    gradient = np.array([[(G * slopes[kind, i]).sum() for i in range(V)] for kind in (0, 1)])
    by_w = np.stack(
        [np.bincount(cells.row, ratio * H[j, cells.column], minlength=len(w)) for j in range(len(H))], axis=1
    )
    by_w -= per_plane @ sums.T
    return value, gradient[0], gradient[1], by_w * w


def maximise(cells: Cells, moved: Moved, start: Maximum | None = None) -> Maximum:
    """Return the largest likelihood near a start; without one, near that of strongly blurred images."""
    least = np.array([FLOOR * moved.width[name] for name in moved.chemistry.variables])
    if start is None:
        m, k = len(cells.total), len(moved.images)
        zero = Maximum(np.zeros(len(least)), np.maximum(least, BLURRED), np.zeros((m, k)), -np.inf, False)
        start = _climbed(cells, moved, zero, zero.blur, zero.blur)
    return _climbed(cells, moved, start, least, np.maximum(least, WIDEST))


def _climbed(cells: Cells, moved: Moved, start: Maximum, low: np.ndarray, high: np.ndarray) -> Maximum:
    from scipy.optimize import minimize

    V, shape, stars = len(low), start.log_w.shape, cells.number.sum()

    def objective(p: np.ndarray) -> tuple[float, np.ndarray]:
        log_w = p[2 * V :].reshape(shape)
        value, by_offset, by_blur, by_w = log_likelihood(cells, moved, p[:V], np.exp(p[V : 2 * V]), log_w)
        gradient = np.concatenate([by_offset, by_blur * np.exp(p[V : 2 * V]), by_w.ravel()])
        return -value / stars, -gradient / stars

    bounds = [(-FURTHEST, FURTHEST)] * V
    bounds += [(np.log(a), np.log(b)) for a, b in zip(low, high, strict=True)]
    bounds += [(-12.0, 12.0)] * start.log_w.size
    first = np.concatenate([start.offset, np.log(np.clip(start.blur, low, high)), start.log_w.ravel()])
    found = minimize(
        objective, first, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 1000, "maxfun": 2000, "ftol": 1e-9, "gtol": 1e-6, "maxcor": 20},
    )  # fmt: skip
    p = found.x
    inside = np.abs(p[:V]).max() < FURTHEST
    return Maximum(
        p[:V], np.exp(p[V : 2 * V]), p[2 * V :].reshape(shape), -found.fun * stars, bool(found.success and inside)
    )


def own_offsets(fit: Fit, seed: int = 0) -> np.ndarray:
    """Return the offsets that are found of the fit's own stars, which have none: what blur and noise feign.

    Components of four fifths of the stars are moved to describe the other fifth, in turn; mean over the five.
    """
    import nmfcore

    mixtures, chemistry = fit.mixtures, fit.mixtures.chemistry
    fold = np.random.default_rng(seed).permutation(len(mixtures.rows)) % FOLDS
    counted = []
    for f in range(FOLDS):
        for some in (fold != f, fold == f):
            weights = None if mixtures.weights is None else mixtures.weights[some]
            counted.append(count(mixtures.rows[some], mixtures.columns[some], mixtures.V.shape, weights))
    result = solve(np.stack(counted[::2]), fit.settings.solver, init=(fit.W, fit.H), starts=None)
    _, H = nmfcore.align(result.H, fit.H).apply(*result.normalised())
    first = maximise(Cells.of(mixtures.V, chemistry), Moved(fit.H, chemistry))
    found = []
    for V, components in zip(counted[1::2], H, strict=True):
        start = Maximum(first.offset, first.blur, first.log_w[_filled(mixtures.V, V)], -np.inf, False)
        found.append(maximise(Cells.of(V, chemistry), Moved(components.astype(float), chemistry), start).offset)
    return np.mean(found, axis=0)


def _filled(V: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Return which of the bins that have stars in V have some in a part of them; int."""
    return np.flatnonzero(np.asarray(some.any(axis=1))[np.asarray(V.any(axis=1))])


def populations(
    fit: FitLike, stars: StarsLike, bootstrap: Bootstrap | None = None, *, progress: Progress = silent
) -> ZeroPoints:
    """Return the zero points of a survey's abundances on the scale of a fit's, from how its populations overlap.

    Parameters
    ----------
    fit : Fit or path
        Its components are held.
    stars : Table, Catalogue or path
        Prepared stars of the survey whose zero points are wanted; the fit's selection and bins are theirs too.
    bootstrap : Bootstrap, optional
        Replicates of both surveys' stars behind the covariance: each has components of its own.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    ZeroPoints
        Without trends; `own_offsets` are subtracted; `ZeroPoints.scatter` is the blur, at least `FLOOR` pixels.

    Raises
    ------
    InputError
        No star in the bins and the images, or offsets beyond `FURTHEST`.
    UsageError
        No replicates, which the errors come from, or a fit of images that are no abundances.
    """
    import nmfcore

    fit, bootstrap = as_fit(fit), bootstrap or Bootstrap()
    if not bootstrap.replicates:
        raise UsageError("the errors of zero points come from replicates; give bootstrap two and more.")
    chemistry, settings = fit.mixtures.chemistry, fit.settings
    chosen, _ = choose(stars, settings.selection)
    mixtures = mix(chosen, fit.mixtures.bins, chemistry, weights_of(chosen, settings.weights))
    best = maximise(Cells.of(mixtures.V, chemistry), Moved(fit.H, chemistry))
    if not best.converged:
        raise InputError(
            "the likelihood has no maximum within "
            f"{FURTHEST:g} dex of no zero points ({', '.join(f'{x:+.3f}' for x in best.offset)}): the stars have other "
            "populations than the fit's components, or are too few."
        )
    refits = refit(fit, bootstrap.replicates, seed=bootstrap.seed, progress=progress)
    drawn = nmfcore.bootstrap(
        mixtures.rows, mixtures.columns, mixtures.V.shape, replicates=bootstrap.replicates, seed=bootstrap.seed + 1,
        weights=mixtures.weights,
    )  # fmt: skip
    found, good = [], np.flatnonzero(refits.good).tolist()
    for i, b in enumerate(good):
        progress(STAGE, i, len(good))
        V, H = drawn.to_dense([b])[0].astype(np.float64), refits.H[b]
        start = Maximum(best.offset, best.blur, best.log_w[_filled(mixtures.V, V)], -np.inf, False)
        one = maximise(Cells.of(V, chemistry), Moved(H, chemistry), start)
        if one.converged:
            found.append(one.offset)
    progress(STAGE, len(good), len(good))
    if len(found) < 2:
        raise InputError("fewer than two replicates converged, so that there are no errors; the stars are too few.")
    own = own_offsets(fit, bootstrap.seed)
    names, K = chemistry.variables, len(chemistry.variables)
    covariance = np.zeros((2 * K, 2 * K))
    covariance[:K, :K] = np.cov(np.array(found), rowvar=False)
    inside = (mixtures.rows[:, None] >= 0) & (mixtures.columns >= 0)
    number = [int(inside[:, [n in (p.x, p.y) for p in chemistry.planes]].any(axis=1).sum()) for n in names]
    return ZeroPoints(
        survey_of(stars if isinstance(stars, Catalogue) else chosen), fit.survey, names, best.offset - own, np.zeros(K),
        covariance, 0.0, np.array(number), best.blur, "populations", bootstrap.replicates - len(found), own,
    )  # fmt: skip
