"""What a verdict is made of: fits of halves of the stars, of stars less one a bin, and what a fit leaves over.

Stars that have weights keep them in every part of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..mixtures.counts import count
from .engine import solve
from .settings import Solver

if TYPE_CHECKING:
    from .fit import Fit

HALVES, OMITTED, GAINED = 10, 10, 5
"""Times that the stars are halved, that one star a bin is left out, and halvings at one component less and more."""
EVERYWHERE = 0.02
"""Part of the model that is the mean image of all bins, in the misfit."""
BACKGROUND = 0.05
"""Part of a prediction that is the mean image of all bins, as in `nmfcore.select_rank`."""
BLOCKS = 10
"""Blocks of pixels on a side of an image in which the misfit is sought: what smears over pixels adds up in them."""


@dataclass(frozen=True)
class Halves:
    """Counts of halves of a fit's stars, whole stars with all their images, and the fit of each by itself.

    Attributes
    ----------
    V : ndarray, shape (2 x HALVES, m, n)
        The two halves of each split, one after the other.
    rows : ndarray, shape (2 x HALVES, m)
        Stars of each bin, or the sums of their weights.
    W, H : ndarray, shapes (2 x HALVES, m, k) and (2 x HALVES, k, n)
        Fits of as many components, each from its own start; H at unit sum.
    """

    V: np.ndarray
    rows: np.ndarray
    W: np.ndarray
    H: np.ndarray


def halves(fit: Fit) -> Halves:
    """Return the halves of a fit's stars, and what either finds."""
    mixtures = fit.mixtures
    rng = np.random.default_rng(fit.settings.solver.seed)
    V, rows = [], []
    for _ in range(HALVES):
        first = rng.permutation(len(mixtures.rows)) < len(mixtures.rows) // 2
        for some in (first, ~first):
            V.append(_counted(fit, some))
            row, weights = mixtures.rows[some], None if mixtures.weights is None else mixtures.weights[some]
            inside = row >= 0
            each = None if weights is None else weights[inside]
            rows.append(np.bincount(row[inside], each, minlength=len(mixtures.V)))
    counted = np.stack(V)
    return Halves(counted, np.stack(rows).astype(np.float64), *_refitted(fit.settings.solver, counted))


def cosine(found: Halves, pixels: int) -> float:
    """Return the least cosine of a component of one half with its counterpart of the other, median over the splits."""
    import nmfcore

    # In blocks: fine pixels differ by their noise alone.
    H = np.stack([in_blocks(one, pixels) for one in found.H])
    pairs = zip(H[::2], H[1::2], strict=True)
    similarity = [np.min(np.nan_to_num(nmfcore.align(b[None], a).similarity)) for a, b in pairs]
    return float(np.median(similarity))


def gains(found: Halves, solver: Solver) -> tuple[float, float]:
    """Return what the last component gains in predicting the other halves, and what one more would.

    The prediction, its score by the Kullback-Leibler divergence and the standard error of a gain are those of
    `nmfcore.select_rank`; here either half is fitted as the fit itself was.

    Parameters
    ----------
    found : Halves
        Of the fit.
    solver : Solver
        The fit's.

    Returns
    -------
    gain, next_gain : float
        In standard errors. NaN where there is no number of components less, or no room for one more.
    """
    k, some = solver.components, slice(0, 2 * GAINED)
    V, rows = found.V[some], found.rows[some]
    scores = {k: _scores(V, rows, found.W[some], found.H[some])}
    # of V without its empty bins and pixels
    room = min(int(V.any(axis=axis).sum(axis=1).min()) for axis in (1, 2))
    for other in (k - 1, k + 1):
        if 1 <= other <= room:
            scores[other] = _scores(V, rows, *_refitted(replace(solver, components=other, starts=1), V))
    return _in_errors(scores, k), _in_errors(scores, k + 1)


def _in_errors(scores: dict[int, np.ndarray], k: int) -> float:
    if not {k - 1, k} <= set(scores):
        return np.nan
    gain = scores[k] - scores[k - 1]
    error = gain.std(ddof=1) * np.sqrt(1 / len(gain) + 1)  # halves share stars: Nadeau & Bengio (2003)
    return float(gain.mean() / error) if error > 0 else np.nan


def _scores(V: np.ndarray, rows: np.ndarray, W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Return minus the divergence of the other half's counts from what each half predicts; shape (halves,)."""
    found = np.empty(len(V))
    for b in range(len(V)):
        other = V[b ^ 1]
        ratio = np.divide(rows[b ^ 1], rows[b], out=np.ones(len(rows[b])), where=rows[b] > 0)
        image, total = V[b].sum(axis=0), V[b].sum(axis=1) * ratio
        image = image / max(image.sum(), np.finfo(float).tiny)
        row, column = np.nonzero((other > 0) & (image > 0) & (total > 0)[:, None])
        v, scaled = other[row, column], W[b] * ratio[:, None]
        mean = (1 - BACKGROUND) * (scaled[row] * H[b][:, column].T).sum(axis=1)
        mean += BACKGROUND * total[row] * image[column]
        whole = (1 - BACKGROUND) * float(scaled.sum(axis=0) @ H[b].sum(axis=1)) + BACKGROUND * total.sum()
        found[b] = -(v @ np.log(v / mean) - v.sum() + whole)
    return found


def omission(fit: Fit) -> float:
    """Return the largest change of the accreted mass fraction when one star is left out of every bin.

    NaN where no star is left.
    """
    import nmfcore

    weights = nmfcore.star_weights(
        fit.mixtures.rows, replicates=OMITTED, scheme="delete", drop=1, seed=fit.settings.solver.seed
    )
    V = np.stack([_counted(fit, weight > 0) for weight in weights])
    W, _ = _refitted(fit.settings.solver, V, (fit.W, fit.H))
    mass = W.sum(axis=(1, 2))
    if not mass.all():  # bins of a star each, of which nothing is left
        return np.nan
    fraction = W.sum(axis=1) / mass[:, None]
    return float(np.abs(fit.reading.of(fraction) - fit.accreted_fraction).max())


def _counted(fit: Fit, some: np.ndarray) -> np.ndarray:
    mixtures = fit.mixtures
    weights = None if mixtures.weights is None else mixtures.weights[some]
    return count(mixtures.rows[some], mixtures.columns[some], mixtures.V.shape, weights)


def _refitted(solver: Solver, V: np.ndarray, own: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Return W and H of fits of other counts in the same bins; from a solution of one's own, or from the first."""
    import nmfcore

    data = V if solver.least_squares else nmfcore.SharedPattern.from_dense(V)
    init, starts = (solver.init, solver.starts) if own is None else (own, None)
    return solve(data, solver, init=init, starts=starts).normalised()


def misfit(V: np.ndarray, Y: np.ndarray, pixels: int, k: int) -> float:
    """Return the deviance of counts over what it is expected to be where Y are their Poisson means.

    Counts and means are added up in blocks of pixels, in which a misfit that smears over pixels adds up; the k
    components of a bin and of a block are taken from the number of blocks.

    Parameters
    ----------
    V, Y : ndarray, shape (m, n)
        Counts and model.
    pixels : int
        l: each image has l x l pixels.
    k : int
        Components.

    Returns
    -------
    float
        About 1 where the model holds; NaN where there are no more blocks than parameters.
    """
    counted, expected = in_blocks(V, pixels), in_blocks(np.maximum(Y, 0.0), pixels)
    # A bin's total is not what the loss fits: least squares leave it off by tens of per cent.
    total = expected.sum(axis=1, keepdims=True)
    expected = np.divide(
        expected * counted.sum(axis=1, keepdims=True), total, out=np.zeros_like(expected), where=total > 0
    )
    # A little of the mean image everywhere: where factors are zero a single count would forbid the model.
    mean_image = counted.sum(axis=1, keepdims=True) * counted.sum(axis=0) / max(counted.sum(), 1)
    expected = (1 - EVERYWHERE) * expected + EVERYWHERE * mean_image
    kept = expected > 0
    x, mean = counted[kept], expected[kept]
    deviance = 2 * (np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0) / mean), 0.0) - (x - mean)).sum()
    usual = np.interp(np.log(mean), *_usual_deviance()).sum()
    # Each parameter takes its part of the deviance of the blocks.
    free = k * (np.count_nonzero(kept.any(axis=1)) + np.count_nonzero(kept.any(axis=0)))
    left = usual * (1 - free / max(kept.sum(), 1))
    return float(deviance / left) if left > 0 else np.nan


def in_blocks(V: np.ndarray, pixels: int) -> np.ndarray:
    """Return rows of images, shape (m, n), added up in `BLOCKS` x `BLOCKS` blocks of pixels each."""
    side = min(pixels, BLOCKS)
    edges = np.unique(np.linspace(0, pixels, side + 1).round().astype(int))[:-1]
    images = V.reshape(len(V), -1, pixels, pixels)
    summed = np.add.reduceat(np.add.reduceat(images, edges, axis=2), edges, axis=3)
    return summed.reshape(len(V), -1)


@cache
def _usual_deviance() -> tuple[np.ndarray, np.ndarray]:
    # Logarithms of Poisson means, and the mean deviance of a count of each
    from scipy.stats import poisson

    means = np.geomspace(1e-8, 1e4, 241)
    expected = []
    for mean in means:
        x = np.arange(poisson.ppf(1e-12, mean), poisson.ppf(1 - 1e-12, mean) + 2)
        each = 2 * (np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0) / mean), 0.0) - (x - mean))
        expected.append(float((poisson.pmf(x, mean) * each).sum()))
    return np.log(means), np.array(expected)
