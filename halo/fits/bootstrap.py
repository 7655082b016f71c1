"""A fit's bootstrap replicates: its own stars drawn anew, within its own bins, and fitted from its own solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..progress import Progress, silent
from .engine import CONVERGED, solve
from .fit import NAMES, Fit
from .settings import Bootstrap
from .store import FitLike, as_fit

REPLICATES = Bootstrap.replicates
FLOOR = 0.5
"""Least cosine between a component of a replicate and that of the fit which it is matched to."""
STAGE, PIECE = "bootstraps", 100
"""What progress is told of, and replicates between two words on it."""


@dataclass(frozen=True)
class Refits:
    """Replicates of one fit, their components in the fit's order.

    Attributes
    ----------
    names : tuple of str
        Components.
    W : ndarray, shape (B, m, k)
        Weights, as `Fit.W`.
    H : ndarray, shape (B, k, n)
        Components, each row at unit sum.
    good : ndarray of bool, shape (B,)
        Whether the replicate converged and its components could be matched to the fit's.
    similarity : ndarray, shape (B, k)
        Cosine between the replicate's components and the fit's.
    seed : int
        Of the draws.
    """

    names: tuple[str, ...]
    W: np.ndarray
    H: np.ndarray
    good: np.ndarray
    similarity: np.ndarray
    seed: int

    @property
    def lost(self) -> int:
        """Replicates that did not converge or could not be matched; no interval counts them."""
        return int((~self.good).sum())


def star_weights(fit: Fit, replicates: int = REPLICATES, *, seed: int = 0) -> np.ndarray:
    """Return how often each of a fit's stars is in each replicate that `refit` makes of it; uint8, shape (B, N)."""
    import nmfcore

    return nmfcore.star_weights(fit.mixtures.rows, replicates=replicates, seed=seed)


def refit(
    fit: FitLike,
    replicates: int = REPLICATES,
    *,
    seed: int = 0,
    floor: float = FLOOR,
    progress: Progress = silent,
) -> Refits:
    """Return bootstrap replicates of a fit: as many stars drawn with replacement, in the fit's bins and images.

    Of weighted stars each counts with its weight as often as it is drawn. Each replicate starts from the fit's
    solution, so that it finds what became of this optimum and not another one.

    Parameters
    ----------
    fit : Fit or path
        The fit; the stars that it counted travel with it.
    replicates : int
        B.
    seed : int
        Of the draws; replicate b is the same for every B.
    floor : float
        Replicates with a component less similar than this to the fit's are not good.
    progress : callable, optional
        Called with the stage, the replicates done and those to do.

    Returns
    -------
    Refits

    Raises
    ------
    UsageError
        Fewer than two replicates, a number out of range, or components that no single fit found.

    Examples
    --------
    >>> from halonmf import halo
    >>> replicates = halo.refit("fit.h5", 200, seed=1)  # doctest: +SKIP
    >>> replicates.W.sum(axis=1).std(axis=0)  # doctest: +SKIP
    """
    import nmfcore

    fit = as_fit(fit)

    if fit.names == NAMES:
        raise UsageError(
            f"{', '.join(NAMES)} come from the fits of two parts; take replicates of those (HE.h5 and LE.h5)."
        )
    if replicates < 2:
        raise UsageError(f"an interval needs two or more replicates, got {replicates}.")
    if seed < 0:
        raise UsageError(f"seed must be >= 0, got {seed}.")
    if not 0 <= floor <= 1:
        raise UsageError(f"floor must lie between 0 and 1, got {floor:g}.")
    mixtures, settings = fit.mixtures, fit.settings
    parts = []
    size = replicates if progress is silent else PIECE  # each replicate is the same in whatever piece
    for first in range(0, replicates, size):
        progress(STAGE, first, replicates)
        number = min(size, replicates - first)
        drawn = nmfcore.bootstrap(
            mixtures.rows, mixtures.columns, mixtures.V.shape, replicates=number, seed=seed, first_replicate=first,
            weights=mixtures.weights,
        )  # fmt: skip
        result = solve(drawn, settings.solver, init=(fit.W, fit.H), starts=None)
        match = nmfcore.align(result.H, fit.H, floor=floor)
        W, H = (x.astype(np.float64) for x in match.apply(*result.normalised()))
        converged = result.status == nmfcore.Status[CONVERGED]
        parts.append((W, H, converged & ~match.refused, match.similarity))
    progress(STAGE, replicates, replicates)
    W, H, good, similarity = (np.concatenate(x) for x in zip(*parts, strict=True))
    return Refits(fit.names, W, H, good, similarity, seed)
