"""What is computed for every replicate of an ensemble: resampled stars, their fit, and every product of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import InputError, UsageError
from .mixtures import mix
from .model import Fit, FitSettings, fit_mixtures, resolve_device
from .reduced import coordinates, reduced
from .sample import Sample, Stars

SCHEMES = ("multinomial", "poisson", "delete", "none")
EDGES = ("fixed", "redrawn")
ERRORS = ("none", "redrawn")
CHUNK = 256
"""Replicates whose factors are in memory at once."""


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


@dataclass(frozen=True)
class Base:
    """A set-up's full sample: its fit, and what its replicates are compared with.

    Attributes
    ----------
    setup : Setup
        The configuration.
    fit : Fit
        Of all stars of the selection; the replicates' components are matched to its.
    products : dict of str to ndarray
        Every product of the fit; see `reduced.reduced`.
    coordinates : dict of str to ndarray
        What the axes of the products are; see `reduced.coordinates`.
    sample : Sample
        The stars.
    """

    setup: Setup
    fit: Fit
    products: dict[str, np.ndarray]
    coordinates: dict[str, np.ndarray]
    sample: Sample


def begin(stars: Any, setup: Setup) -> Base:
    """Return the fit of a set-up's full sample and every product of it.

    Parameters
    ----------
    stars : Table or Stars
        Prepared stars, before the selection; as `Stars` what set-ups share is computed once.
    setup : Setup
        The configuration.

    Raises
    ------
    InputError
        Too few stars, or none inside the images.
    UsageError
        Settings that make no sense.
    """
    if setup.edges != "fixed" or setup.errors != "none":
        raise UsageError("edges and errors cannot be redrawn yet; use fixed and none.")
    settings = setup.fit
    sample = (stars if isinstance(stars, Stars) else Stars(stars)).sample(settings)
    if len(sample) == 0:
        raise InputError("no stars to bin; the selection or the cuts left none.")
    mixtures = mix(sample.stars, sample.bins(settings.axes), settings.chemistry)
    made = fit_mixtures(mixtures, sample.stars, sample.flow, settings)
    once = np.ones((1, len(sample)), np.uint8)
    found = reduced(sample, once, made.W[None], made.H[None], mixtures.rows, mixtures.columns, settings)
    return Base(setup, made, {name: x[0] for name, x in found.items()}, coordinates(sample, settings), sample)


def reduce(base: Base, first: int, count: int, *, keep_factors: bool = False) -> dict[str, np.ndarray]:
    """Return every product of the replicates first to first + count - 1 of one set-up.

    Parameters
    ----------
    base : Base
        The set-up's full sample.
    first, count : int
        Replicate b is the same in every batch that holds it.
    keep_factors : bool
        Return W (B, m, k) and H (B, k, n) too, H at unit sum.

    Returns
    -------
    dict of str to ndarray
        The products of `reduced.reduced`, and of each fit ``loss``, ``kkt``, ``n_iter``, ``status`` (an
        `nmfcore.Status`), ``start`` (which won, 0 being the full sample's solution), ``similarity`` and ``permutation``
        (B, k) and ``refused``, as `nmfcore.align` says. The leading axis of each is the replicate.

    Raises
    ------
    UsageError
        Settings that make no sense.
    """
    import nmfcore

    try:
        parts = [
            _chunk(base, b, min(CHUNK, first + count - b), keep_factors) for b in range(first, first + count, CHUNK)
        ]
    except nmfcore.ProblemError as error:
        raise UsageError(str(error)) from error
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _chunk(base: Base, first: int, count: int, keep_factors: bool) -> dict[str, np.ndarray]:
    import nmfcore

    setup, mixtures, settings = base.setup, base.fit.mixtures, base.setup.fit
    scheme = {"scheme": setup.scheme, "drop": setup.drop}
    if setup.scheme == "none":
        scheme = {"scheme": "delete", "drop": 0}
    names = {"replicates": count, "seed": settings.seed, "first_replicate": first, **scheme}
    counts = nmfcore.bootstrap(mixtures.rows, mixtures.columns, mixtures.V.shape, **names)
    weights = nmfcore.star_weights(mixtures.rows, **names)
    result = nmfcore.factorize(
        counts,
        settings.components,
        init=(base.fit.W, base.fit.H),
        loss=settings.loss,
        update=settings.update,
        penalty=nmfcore.Penalty(settings.alpha_W, settings.alpha_H, settings.l1_ratio),
        stop=nmfcore.Stop(tol=settings.tol, max_iter=settings.max_iter),
        starts=settings.starts,
        seed=settings.seed,
        first_replicate=first,
        device=resolve_device(settings.device),
    )
    match = nmfcore.align(result.H, base.fit.H, floor=setup.floor)
    W, H = match.apply(*result.normalised())
    out = {
        "loss": result.loss,
        "kkt": result.kkt,
        "n_iter": result.n_iter,
        "status": result.status,
        "start": result.start,
        "permutation": match.permutation,
        "similarity": match.similarity,
        "refused": match.refused,
    }
    if keep_factors:
        out |= {"W": W.astype(np.float64), "H": H.astype(np.float64)}
    return out | _products(base, weights, W, H)


def _products(base: Base, weights: np.ndarray, W: np.ndarray, H: np.ndarray) -> dict[str, np.ndarray]:
    from nmfcore.kernels.parallel import in_parallel

    mixtures, parts = base.fit.mixtures, {}

    def work(first: int, last: int) -> None:
        some = slice(first, last)
        parts[first] = reduced(
            base.sample, weights[some], W[some], H[some], mixtures.rows, mixtures.columns, base.setup.fit
        )

    in_parallel(work, len(W), grain=8)
    ordered = [parts[first] for first in sorted(parts)]
    return {name: np.concatenate([part[name] for part in ordered]) for name in ordered[0]}
