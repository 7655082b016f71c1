"""A replicate of an ensemble: resampled stars, their fit, and every product of the fit.

`begin` fits the full sample of a configuration; `reduce` makes its replicates. Where these have the bins of the full
sample, all are resampled and fitted together, else one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..errors import InputError, UsageError
from ..fits.engine import CONVERGED, in_own_words, resolve_device, solve
from ..fits.fit import Fit, fit_mixtures
from ..mixtures.bins import make_bins
from ..mixtures.counts import mix
from ..stars.selection import choose
from .products import coordinates, reduced
from .sample import Sample, Stars
from .scatter import require_errors, scatter
from .setup import Setup

if TYPE_CHECKING:
    from nmfcore import SharedPattern

CHUNK = 256
"""Replicates whose factors are in memory at once."""
EVERY, SEVERAL = 16, 8
"""With three or more components, one replicate in 16 tries 8 starts, unless the number of starts is given."""


@dataclass(frozen=True)
class Base:
    """The full sample of a configuration: its fit, with which the replicates are compared.

    Attributes
    ----------
    setup : Setup
        The configuration.
    fit : Fit
        Of all stars of the selection; the replicates' components are matched to its.
    products : dict of str to ndarray
        Every product of the fit; see `products.reduced`.
    coordinates : dict of str to ndarray
        What the axes of the products are; see `products.coordinates`. Also ``fit_status`` and ``fit_kkt``, how the fit
        ended, ``delete_factor``, and ``accreted``, the components that are read so.
    sample : Sample
        The selected stars.
    stars : Stars
        All of them.
    """

    setup: Setup
    fit: Fit
    products: dict[str, np.ndarray]
    coordinates: dict[str, np.ndarray]
    sample: Sample
    stars: Stars


def begin(stars: Any, setup: Setup) -> Base:
    """Return the fit of a configuration's full sample and every product of it.

    Parameters
    ----------
    stars : Table or Stars
        Prepared stars, before the selection; as `Stars`, selections and bins that configurations have in common are
        computed once.
    setup : Setup
        The configuration.

    Raises
    ------
    InputError
        Too few stars, or none inside the images.
    UsageError
        Settings that make no sense.
    """
    settings = setup.fit
    stars = stars if isinstance(stars, Stars) else Stars(stars)
    if setup.errors == "redrawn":
        require_errors(stars.table, settings.chemistry.variables)
    sample = stars.sample(settings.selection)
    if len(sample) == 0:
        raise InputError("no stars to bin; the selection or the cuts left none.")
    weights = None if settings.weights is None else sample.weights(settings.weights)
    mixtures = mix(sample.stars, sample.bins(settings.axes), settings.chemistry, weights)
    if delete_factor(setup, mixtures.n_stars) == 0:
        raise UsageError(f"drop={setup.drop} leaves no star: the fullest bin has {mixtures.n_stars.max()}; take fewer.")
    made = fit_mixtures(mixtures, sample.stars, sample.flow, settings)
    once = np.ones((1, len(sample)), np.uint8)
    found = reduced(
        sample, once, made.W[None], made.H[None], mixtures.rows, mixtures.columns, settings, made.reading.accreted
    )
    products = {name: x[0] for name, x in found.items()}
    ended = {
        "fit_status": np.array(made.status),
        "fit_kkt": np.array(made.kkt),
        "delete_factor": np.array(delete_factor(setup, mixtures.n_stars)),
        "accreted": np.array(made.reading.accreted),
    }
    return Base(setup, made, products, coordinates(sample, settings) | ended, sample, stars)


def delete_factor(setup: Setup, n_stars: np.ndarray) -> float:
    """Return the factor from the spread of replicates to a standard error; 1 but for ``delete``.

    Leaving out d of N without replacement makes estimates whose variance is d / (N - d) of the sampling variance
    (the delete-d jackknife of Shao & Wu 1989); d and N are summed over bins.
    """
    if setup.scheme != "delete":
        return 1.0
    drops = np.rint(np.sqrt(n_stars)) if setup.drop == "sqrt" else np.minimum(float(setup.drop), n_stars)
    left = n_stars.sum() - drops.sum()
    return float(np.sqrt(left / drops.sum())) if drops.sum() > 0 else np.inf


def reduce(base: Base, first: int, count: int, *, keep_factors: bool = False) -> dict[str, np.ndarray]:
    """Return every product of the replicates first to first + count - 1 of one configuration.

    Parameters
    ----------
    base : Base
        The configuration's full sample.
    first, count : int
        Replicate b is the same in every batch that holds it.
    keep_factors : bool
        Return W (B, m, k) and H (B, k, n) too, H at unit sum.

    Returns
    -------
    dict of str to ndarray
        The products of `products.reduced`, and of each fit ``loss``, ``kkt``, ``n_iter``, ``status`` (an
        `nmfcore.Status`), ``start`` (which won, 0 being the full sample's solution), ``similarity`` and ``permutation``
        (B, k) and ``refused``, as `nmfcore.align` says. The leading axis of each is the replicate.

    Raises
    ------
    UsageError
        Settings that make no sense.
    """
    import nmfcore

    fixed = base.setup.edges == "fixed" and base.setup.errors == "none"
    work = _in_common_bins if fixed else _in_own_bins
    try:
        parts = []
        for start in range(first, first + count, CHUNK):
            found = work(base, start, min(CHUNK, first + count - start))
            parts.append(found if keep_factors else {name: x for name, x in found.items() if name not in ("W", "H")})
    except nmfcore.ProblemError as error:
        raise UsageError(in_own_words(error)) from error
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def usable(replicates: dict[str, np.ndarray]) -> np.ndarray:
    """Return which replicates converged and were matched to the reference; bool, shape (B,)."""
    import nmfcore

    refused = np.asarray(replicates["refused"], dtype=bool)
    return (replicates["status"] == nmfcore.Status[CONVERGED]) & ~refused


def _in_common_bins(base: Base, first: int, count: int) -> dict[str, np.ndarray]:
    # The same stars in the same bins: one sparse pattern, and one call of the compiled loops for many replicates.
    import nmfcore

    mixtures, (scheme, drop) = base.fit.mixtures, _scheme(base.setup)
    counts = nmfcore.bootstrap(
        mixtures.rows, mixtures.columns, mixtures.V.shape, replicates=count, scheme=scheme, drop=drop,
        seed=base.setup.fit.solver.seed, first_replicate=first, weights=mixtures.weights,
    )  # fmt: skip
    weights = _weights(base.setup, mixtures.rows, first, count)
    out, W, H = _fits(base, counts, first)
    parts: dict[int, dict[str, np.ndarray]] = {}

    def work(begin: int, end: int) -> None:
        some = slice(begin, end)
        parts[begin] = reduced(
            base.sample, weights[some], W[some], H[some], mixtures.rows, mixtures.columns, base.setup.fit,
            base.fit.reading.accreted,
        )  # fmt: skip

    _in_parallel(base, work, count, 8)
    return out | _joined(parts)


def _in_own_bins(base: Base, first: int, count: int) -> dict[str, np.ndarray]:
    # Each has bins or stars of its own, so that there is no common pattern; no replicate depends on its batch.
    parts: dict[int, dict[str, np.ndarray]] = {}

    def work(begin: int, end: int) -> None:
        for b in range(begin, end):
            try:
                parts[b] = _one(base, first + b)
            except InputError:
                # Its stars are not the user's: where they are too few for the bins, the other replicates go on.
                parts[b] = _abandoned(base)

    _in_parallel(base, work, count, 1)
    return _joined(parts)


def _one(base: Base, replicate: int) -> dict[str, np.ndarray]:
    setup, settings, sample = base.setup, base.setup.fit, base.sample
    bins = base.fit.mixtures.bins
    if setup.errors == "redrawn":
        table = scatter(base.stars.table, settings.chemistry.variables, settings.solver.seed, replicate)
        sample = Sample(*choose(table, settings.selection))
    if len(sample) == 0:
        raise InputError("none of its stars passes the selection; use a wider one.")
    rows, columns = bins.assign(sample.stars), sample.columns(settings.chemistry)
    weights = _weights(setup, rows, replicate, 1)
    if setup.edges == "redrawn":
        bins = make_bins(sample.stars[np.repeat(np.arange(len(sample)), weights[0])], settings.axes)
        rows = bins.assign(sample.stars)
    each = weights[0] * sample.each(settings.weights, settings.chemistry)
    counts = _counts(rows, columns, each, (len(bins), settings.chemistry.n))
    out, W, H = _fits(base, counts, replicate)
    return out | reduced(sample, weights, W, H, rows, columns, settings, base.fit.reading.accreted)


def _abandoned(base: Base) -> dict[str, np.ndarray]:
    # A replicate that cannot be binned: no numbers, and a status that keeps it out of every statistic.
    import nmfcore

    k = base.setup.fit.solver.components
    none = {name: _nothing(np.asarray(x)[None]) for name, x in base.products.items()}
    fit = {
        "W": np.full((1, *base.fit.W.shape), np.nan),
        "H": np.full((1, *base.fit.H.shape), np.nan),
        "loss": np.full(1, np.nan),
        "kkt": np.full(1, np.nan),
        "n_iter": np.zeros(1, np.int64),
        "status": np.full(1, int(nmfcore.Status.NON_FINITE), np.int64),
        "start": np.zeros(1, np.int64),
        "permutation": np.arange(k)[None],
        "similarity": np.zeros((1, k)),
        "refused": np.ones(1, bool),
    }
    return fit | none


def _nothing(x: np.ndarray) -> np.ndarray:
    return np.full(x.shape, np.nan) if x.dtype.kind == "f" else np.zeros(x.shape, x.dtype)


def _scheme(setup: Setup) -> tuple[str, int | str]:
    # Keeping every star is deleting none.
    return ("delete", 0) if setup.scheme == "none" else (setup.scheme, setup.drop)


def _weights(setup: Setup, rows: np.ndarray, first: int, count: int) -> np.ndarray:
    import nmfcore

    scheme, drop = _scheme(setup)
    return nmfcore.star_weights(
        rows, replicates=count, scheme=scheme, drop=drop, seed=setup.fit.solver.seed, first_replicate=first
    )


def _fits(base: Base, counts: SharedPattern, first: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    # How the replicates' fits ended, and their factors in the base fit's order, H at unit sum.
    import nmfcore

    solver, start = base.setup.fit.solver, (base.fit.W, base.fit.H)
    result = solve(counts, solver, init=start, starts=solver.starts, first_replicate=first)
    fields = {name: getattr(result, name) for name in ("W", "H", "loss", "kkt", "n_iter", "status", "start")}
    if solver.components > 2 and solver.starts is None:
        # How often a random start wins tells whether the full sample's optimum is also that of the replicates.
        for b in range(-first % EVERY, len(counts), EVERY):
            tried = solve(counts.select([b]), solver, init=start, starts=SEVERAL, first_replicate=first + b)
            for name, x in fields.items():
                x[b] = getattr(tried, name)[0]
    W, H = nmfcore.Result(**fields, divergence=None).normalised()
    match = nmfcore.align(H, base.fit.H, floor=base.setup.floor)
    W, H = (x.astype(np.float64) for x in match.apply(W, H))
    fields |= {"W": W, "H": H, "permutation": match.permutation}
    return fields | {"similarity": match.similarity, "refused": match.refused}, W, H


def _counts(rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, shape: tuple[int, int]) -> SharedPattern:
    import nmfcore

    inside = (rows[:, None] >= 0) & (columns >= 0)
    number = np.broadcast_to(weights[:, None], columns.shape)[inside].astype(np.float64)
    row = np.broadcast_to(rows[:, None], columns.shape)[inside]
    return nmfcore.SharedPattern.from_scipy(sparse.coo_array((number, (row, columns[inside])), shape=shape))


def _in_parallel(base: Base, work: Callable[[int, int], None], count: int, grain: int) -> None:
    from nmfcore import in_parallel

    if resolve_device(base.setup.fit.solver.device) == "cpu":
        in_parallel(work, count, grain=grain)
    else:
        work(0, count)  # several threads do not speed up one GPU


def _joined(parts: dict[int, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    ordered = [parts[key] for key in sorted(parts)]
    return {name: np.concatenate([part[name] for part in ordered]) for name in ordered[0]}
