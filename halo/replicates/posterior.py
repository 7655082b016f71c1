"""The boundary with its intervals: what becomes of it, and of the published line's offset, in a fit's replicates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..fits.apply import apply
from ..fits.bootstrap import Refits, refit
from ..fits.fit import Fit
from ..fits.intervals import RECOMMENDED, Ordered, interval_type
from ..fits.settings import Bootstrap
from ..fits.store import FitLike, as_fit
from ..mixtures.bins import Bins
from ..mixtures.settings import parse_axes
from ..orbits.convention import UNKNOWN, Convention, own, stated
from ..products.boundary import Boundary, boundary, smooth
from ..products.classifier import Classifier, Interval
from ..products.compiling import compiled
from ..products.crossings import boundaries, crossings, single_crossings
from ..products.settings import PROFILES, BoundarySettings, TableSettings
from ..progress import Progress, silent
from ..stars.catalogue import Catalogue, StarsLike, as_table, read_catalogue
from ..stars.cutflow import CutFlow
from ..stars.selection import choose
from ..stars.settings import Selection, as_selection
from .many import Many
from .sample import Sample, placed

STAGE, PIECE = "boundaries of the bootstraps", 100
"""What progress is told of, and replicates between two words on it."""


def classifier(
    fit: FitLike,
    stars: StarsLike,
    *,
    settings: BoundarySettings | None = None,
    bootstrap: Bootstrap | None = None,
    coverage: float = TableSettings.level,
    interval: str = RECOMMENDED,
    selection: Selection | str | None = None,
    device: str | None = None,
    refits: Refits | None = None,
    progress: Progress = silent,
) -> Classifier:
    """Return the boundary of a fit with intervals from its bootstrap replicates, to classify stars with.

    Parameters
    ----------
    fit : Fit or path
        Of two or more components; which count as accreted, `reading.read` says.
    stars : Table, Catalogue or path
        Prepared stars: those of the fit, or others, whose numbers are then drawn independently of the fit's.
    settings : BoundarySettings, optional
        Grid, level and smoothing of the boundary.
    bootstrap : Bootstrap, optional
        Replicates and their seed; none for no intervals.
    coverage, interval : optional
        Of the intervals, and their type; see `fits.intervals`.
    selection, device : optional
        Others than the fit's, as in `apply`.
    refits : Refits, optional
        Replicates of the fit where there are some already, in place of `bootstrap`.
    progress : callable, optional
        Called with the stage, the replicates done and those to do.

    Returns
    -------
    Classifier

    Raises
    ------
    UsageError
        As `boundary` and `refit`.

    Examples
    --------
    >>> from halonmf import halo
    >>> line = halo.classifier("fit.h5", "stars.fits")  # doctest: +SKIP
    >>> line.classify([-1.4e5], [300.0]).P_accreted  # doctest: +SKIP
    """
    fit, settings, bootstrap = as_fit(fit), settings or BoundarySettings(), bootstrap or Bootstrap()
    if not 0 < coverage < 1:
        raise UsageError(f"coverage must lie between 0 and 1, got {coverage:g}.")
    bounds_of = interval_type(interval)
    if isinstance(stars, str | Path):
        stars = read_catalogue(stars)
    convention = _convention(stars)
    table = as_table(stars)
    found = boundary(fit, table, selection=selection, device=device, **vars(settings))
    chosen, flow = choose(table, as_selection(selection, fit.settings.selection))
    along = apply(fit, chosen, parse_axes(PROFILES["dE"]), selection=Selection("all"), device=device)
    edges = along.mixtures.bins.edges[0]
    fraction = np.where(along.mixtures.n_stars >= settings.min_stars, along.accreted_fractions, np.nan)
    at = crossings(_middle(edges), fraction, settings.level)
    offset = at[0] if len(at) == 1 else np.nan
    if refits is None and not bootstrap.replicates:
        none, nowhere = np.full(len(fraction), np.nan), np.full(len(found.E), np.nan)
        return Classifier(
            found.Lz_edges, Interval(found.smoothed, nowhere, nowhere), Interval(offset, np.nan, np.nan), edges,
            Interval(fraction, none, none), settings.level, coverage, 0, 0, convention, found,
        )  # fmt: skip
    refits = refits or refit(fit, bootstrap.replicates, seed=bootstrap.seed, progress=progress)
    fractions, lines, offsets = _replicates(fit, chosen, flow, refits, found, along.mixtures.bins, settings, progress)
    curve = bounds_of(Ordered.of(lines), found.smoothed, coverage)
    moved = (float(x) for x in bounds_of(Ordered.of(offsets), np.asarray(offset), coverage))
    band = (np.clip(x, 0.0, 1.0) for x in bounds_of(Ordered.of(fractions), fraction, coverage))
    number = np.isfinite(fractions).sum(axis=0)
    mean = np.where(number > 0, np.nansum(fractions, axis=0) / np.maximum(number, 1), np.nan)
    return Classifier(
        found.Lz_edges, Interval(found.smoothed, *curve), Interval(offset, *moved), edges,
        Interval(np.where(np.isfinite(fraction), mean, np.nan), *band), settings.level, coverage, len(refits.H),
        refits.lost, convention, found,
    )  # fmt: skip


def _replicates(
    fit: Fit,
    stars: Any,
    flow: CutFlow,
    refits: Refits,
    found: Boundary,
    along: Bins,
    settings: BoundarySettings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return fractions by energy above the line, smoothed boundaries and offsets, all of the good replicates."""
    import nmfcore

    # Where the stars are the fit's own, a replicate's numbers of stars are those of its fit.
    own_stars = len(stars) == len(fit.mixtures.rows) and np.array_equal(
        fit.mixtures.bins.assign(stars), fit.mixtures.rows
    )
    rows = fit.mixtures.rows if own_stars else np.zeros(len(stars), np.int64)
    seed = refits.seed if own_stars else refits.seed + 1
    weights = nmfcore.star_weights(rows, replicates=len(refits.H), seed=seed)[refits.good]
    sample = Sample(stars, flow, placed(stars, {"dE": along, "map": found.application.mixtures.bins}))
    columns = sample.columns(fit.mixtures.chemistry)
    W, H, number = refits.W[refits.good], refits.H[refits.good], len(weights)
    parts = []
    size = max(number, 1) if progress is silent else PIECE  # each replicate is the same in whatever piece
    for first in range(0, max(number, 1), size):
        progress(STAGE, first, number)
        some = slice(first, first + size)
        many = Many(sample, weights[some], W[some], H[some], rows, columns, fit.settings)
        fraction, stars_in = many.applied
        last = np.where(stars_in >= settings.min_stars, fit.reading.of(fraction), np.nan)
        places = sample.places
        fractions = last[:, places.part("dE")]
        grid = places.bins["map"]
        shape = tuple(axis.count for axis in grid.axes)
        E, _, _ = boundaries(
            _middle(grid.edges[1][0]), last[:, places.part("map")].reshape(-1, *shape), settings.level, run=compiled
        )
        offsets, _ = single_crossings(_middle(along.edges[0]), fractions, (settings.level,), run=compiled)
        parts.append((fractions, smooth(E, settings.smoothing), offsets[:, 0]))
    progress(STAGE, number, number)
    fractions, lines, offsets = (np.concatenate(x) for x in zip(*parts, strict=True))
    return fractions, lines, offsets


def _convention(stars: StarsLike) -> Convention:
    # A catalogue's record says whether its orbits were computed here; a table's metadata may.
    record = stars.provenance if isinstance(stars, Catalogue) else getattr(stars, "meta", {})
    said = stated(record)
    if said is None:
        return Convention(UNKNOWN, UNKNOWN)
    return own() if said.potential == own().potential and not said.sun else said


def _middle(edges: np.ndarray) -> np.ndarray:
    return 0.5 * (edges[:-1] + edges[1:])
