"""What is computed for every replicate of an ensemble: resampled stars, their fit, and every product of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import UsageError
from .model import Fit, FitSettings

SCHEMES = ("multinomial", "poisson", "delete", "none")
EDGES = ("fixed", "redrawn")
ERRORS = ("none", "redrawn")


@dataclass(frozen=True)
class Setup:
    """One configuration of an ensemble: what its replicates have in common.

    Attributes
    ----------
    fit : FitSettings
        Selection, bins, images and the fit. Its seed names the replicates' random streams too.
    scheme : str
        How stars are resampled: ``multinomial`` (the bootstrap), ``poisson``, ``delete`` (the paper's, without
        replacement), or ``none``, which keeps the sample as it is.
    drop : int or str
        Stars to take from each bin with ``delete``: a number, or ``sqrt`` of the bin's.
    edges : str
        ``fixed`` keeps the full sample's bins; ``redrawn`` makes equal-count bins from each replicate's own stars.
    errors : str
        ``redrawn`` scatters abundances, distances, proper motions and radial velocities by their errors in each
        replicate, before orbits, cuts and bins; ``none`` leaves them.
    floor : float
        Least cosine between a component and that of the reference it is matched to; replicates below are refused.

    Raises
    ------
    UsageError
        A value that makes no sense.
    """

    fit: FitSettings = field(default_factory=FitSettings)
    scheme: str = "multinomial"
    drop: int | str = "sqrt"
    edges: str = "fixed"
    errors: str = "none"
    floor: float = 0.5

    def __post_init__(self) -> None:
        for name, known in (("scheme", SCHEMES), ("edges", EDGES), ("errors", ERRORS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if self.drop != "sqrt" and (isinstance(self.drop, str | bool) or self.drop < 0):
            raise UsageError(f"drop must be sqrt or a number of stars >= 0; got {self.drop!r}.")
        if not 0 <= self.floor <= 1:
            raise UsageError(f"floor must lie between 0 and 1, got {self.floor:g}.")
        if self.fit.components < 1:
            raise UsageError(f"components must be >= 1, got {self.fit.components}.")
        if self.fit.seed < 0:
            raise UsageError(f"seed must be >= 0, got {self.fit.seed}.")


def reduce(stars: Any, base_fit: Fit, setup: Setup, first: int, count: int) -> dict[str, np.ndarray]:
    """Return every product of the replicates first to first + count - 1 of one set-up.

    Parameters
    ----------
    stars : Table
        Prepared stars, before the selection.
    base_fit : Fit
        Whose components the replicates' are matched to.
    setup : Setup
        The configuration.
    first, count : int
        Replicate b is the same in every batch that holds it.

    Returns
    -------
    dict of str to ndarray
        The leading axis of each is the replicate.

    Raises
    ------
    InputError
        Too few stars, or none inside the images.
    UsageError
        Settings that make no sense.
    """
    import nmfcore

    from .mixtures import mix
    from .model import choose, fractions

    settings = setup.fit
    chosen, _ = choose(stars, settings)
    mixtures = mix(chosen, base_fit.mixtures.bins, settings.chemistry)
    counts = nmfcore.bootstrap(
        mixtures.rows, mixtures.columns, mixtures.V.shape, replicates=count, scheme=setup.scheme, drop=setup.drop,
        seed=settings.seed, first_replicate=first,
    )  # fmt: skip
    result = nmfcore.factorize(counts, settings.components, init=(base_fit.W, base_fit.H), loss=settings.loss)
    match = nmfcore.align(result.H, base_fit.H, floor=setup.floor)
    W, _ = match.apply(*result.normalised())
    return {
        "mass_fraction": W.sum(axis=1) / W.sum(axis=(1, 2))[:, None],
        "mean_fraction": np.nanmean(fractions(W), axis=1),
        "loss": result.loss,
        "kkt": result.kkt,
        "n_iter": result.n_iter,
        "status": result.status,
        "permutation": match.permutation,
        "similarity": match.similarity,
        "refused": match.refused,
    }
