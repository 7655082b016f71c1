"""Compare two fits: what was chosen otherwise, how alike the components are, by how much their numbers differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UsageError
from ..fits.bootstrap import refit, star_weights
from ..fits.fit import NAMES, Fit
from ..fits.intervals import COVERAGE, Ordered, centred, standard_error
from ..fits.store import FitLike, as_fit
from ..io.provenance import differing, plain
from ..io.reading import cleaned
from ..orbits.convention import check_same
from ..products.profile import LEVELS
from ..progress import Progress, announce, part_of, silent, stage
from ..replicates.many import Many
from ..replicates.sample import Sample, sample_of
from ..stars.catalogue import StarsLike
from ..stars.variables import unit_of
from .comparison import Comparison, Curve, Difference
from .settings import CompareSettings

HALF = 0.5
"""The level whose crossing is compared along every variable; along E all levels are."""
MEASURED, REFITTED, DRAWN = "numbers of both fits", "bootstraps of both fits", "numbers of the bootstraps"
"""What progress is told of."""


def compare(
    a: FitLike,
    b: FitLike,
    stars: StarsLike | None = None,
    other: StarsLike | None = None,
    *,
    replicates: int = CompareSettings.replicates,
    seed: int = CompareSettings.seed,
    progress: Progress = silent,
) -> Comparison:
    """Compare two fits: their settings, components, fractions, and with stars their crossings.

    Intervals of the differences come from bootstrap replicates of either fit. Two fits of the same stars are given the
    same draws, so that what both have in common leaves the difference.

    Parameters
    ----------
    a, b : Fit or path
        The fits.
    stars : Table, Catalogue or path, optional
        The prepared stars of the first; with them the energies, crossings and curves are compared too.
    other : Table, Catalogue or path, optional
        Those of the second, where they are others.
    replicates : int
        Of each fit; 0 for no intervals.
    seed : int
        Of the draws.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        Stars other than the fit's; energies of different conventions.
    UsageError
        Components that no single fit found, a single replicate, or a number out of range.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.compare("fit.h5", "recommended.h5", "stars.fits")  # doctest: +SKIP
    >>> print(found.describe())  # doctest: +SKIP
    """
    pair = as_fit(a), as_fit(b)
    if any(fit.names == NAMES for fit in pair):
        raise UsageError(f"{', '.join(NAMES)} come from the fits of two parts; compare those (HE.h5 and LE.h5).")
    check_same(pair[0].mixtures.convention, pair[1].mixtures.convention, "those of the second fit")
    if replicates < 0 or replicates == 1:
        raise UsageError(f"replicates must be 0, or 2 and more; got {replicates}.")
    announce(progress, MEASURED, *(REFITTED, DRAWN) * bool(replicates))
    samples: list[Sample | None] = [None, None]
    if stars is not None:
        second = stars if other is None else other
        samples = [sample_of(fit, each) for fit, each in zip(pair, (stars, second), strict=True)]
    elif other is not None:
        raise UsageError("give the stars of the first fit too.")
    with stage(progress, MEASURED):
        base = [_measured(fit, sample, None) for fit, sample in zip(pair, samples, strict=True)]
    paired, lost, drawn = _same_stars(pair, samples), 0, [_Measured({}), _Measured({})]
    if replicates:
        # Samples that are drawn alike without being the same would look less different than they are.
        seeds = seed, seed if paired else seed + 1
        refits = [
            refit(fit, replicates, seed=each, progress=part_of(progress, REFITTED, i, 2))
            for i, (fit, each) in enumerate(zip(pair, seeds, strict=True))
        ]
        with stage(progress, DRAWN):
            drawn = [
                _measured(fit, sample, (star_weights(fit, replicates, seed=each), found.W, found.H)).only(found.good)
                for fit, sample, each, found in zip(pair, samples, seeds, refits, strict=True)
            ]
        lost = sum(found.lost for found in refits)
    return Comparison(
        names=(pair[0].names, pair[1].names),
        settings=tuple(_changed(*(_choices(fit) for fit in pair))),
        cosine=cosines(*pair),
        differences=tuple(_differences(base, drawn)),
        paired=paired,
        curves=tuple(_curves(base, drawn)),
        problems_of=tuple(f"{which}: {x.problems()}" for which, x in zip("ab", pair, strict=True) if x.problems()),
        lost=lost,
        read=(pair[0].reading.label, pair[1].reading.label),
    )


def cosines(a: Fit, b: Fit) -> np.ndarray:
    """Return the cosines between the components of two fits, shape (k of a, k of b), on the coarser one's pixels.

    NaN where their planes or the ranges of these differ.
    """
    one, two = a.mixtures.chemistry, b.mixtures.chemistry
    if one.planes != two.planes or one.limits != two.limits:
        return np.full((len(a.H), len(b.H)), np.nan)
    few = min(one.pixels, two.pixels)
    first, second = (_coarser(fit.images, few) for fit in (a, b))
    first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    return first @ second.T


def _coarser(images: np.ndarray, few: int) -> np.ndarray:
    """Return images (k, images, l, l) on `few` pixels a side, each pixel spread evenly over its area; (k, all)."""
    edges, wanted = np.linspace(0, 1, images.shape[-1] + 1), np.linspace(0, 1, few + 1)
    low = np.maximum(edges[None, :-1], wanted[:-1, None])
    high = np.minimum(edges[None, 1:], wanted[1:, None])
    part = np.maximum(high - low, 0.0) * images.shape[-1]
    return (part @ images @ part.T).reshape(len(images), -1)


@dataclass(frozen=True)
class _Measured:
    """Numbers (B,) of B fits by name, and the accreted fraction (B, bins) along E at centres (bins,)."""

    numbers: Mapping[str, np.ndarray]
    centre: np.ndarray = field(default_factory=lambda: np.zeros(0))
    fraction: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def only(self, good: np.ndarray) -> _Measured:
        """Return the same with NaN for the others."""
        numbers = {name: np.where(good, x, np.nan) for name, x in self.numbers.items()}
        return _Measured(numbers, self.centre, np.where(good[:, None], self.fraction, np.nan))


def _measured(fit: Fit, sample: Sample | None, drawn: tuple[np.ndarray, np.ndarray, np.ndarray] | None) -> _Measured:
    """Return the numbers of a fit, or of its replicates: how often each star counts, W and H."""
    mixtures = fit.mixtures
    weights, W, H = drawn or (np.ones((1, len(mixtures.rows)), np.uint8), fit.W[None], fit.H[None])
    reading = fit.reading
    mass_fractions = W.sum(axis=1) / W.sum(axis=(1, 2))[:, None]
    numbers = {"accreted fraction": reading.of(mass_fractions)}
    if reading.nameless:
        numbers |= {f"mass fraction {name}": mass_fractions[:, j] for j, name in enumerate(fit.names)}
    if sample is None:
        return _Measured(numbers, fraction=np.zeros((len(W), 0)))
    many = Many(sample, weights, W, H, mixtures.rows, mixtures.columns, fit.settings, reading.accreted)
    for variable, (at, times) in many.crossings.items():
        for j, level in enumerate(LEVELS):
            if level == HALF or variable == "E":
                numbers[f"{variable} at {100 * level:g} %"] = np.where(times[:, j] == 1, at[:, j], np.nan)
    if "E" not in many.crossings:
        return _Measured(numbers, fraction=np.zeros((len(W), 0)))
    bins = sample.places.bins["E"].bounds[:, 0]
    return _Measured(numbers, bins.mean(axis=-1), many.read[:, sample.places.part("E")])


def _differences(base: list[_Measured], drawn: list[_Measured]) -> Iterator[Difference]:
    for name in base[0].numbers:
        if name not in base[1].numbers:
            continue
        one, two = (float(each.numbers[name][0]) for each in base)
        low = high = se = float("nan")
        if drawn[0].numbers:
            apart = (drawn[1].numbers[name] - drawn[0].numbers[name])[:, None]
            se = float(standard_error(apart)[0])
            low, high = (float(x[0]) for x in centred(Ordered.of(apart), np.array([two - one]), COVERAGE))
        if np.isfinite(one) or np.isfinite(two):
            yield Difference(name, unit_of(name.split(" at ")[0]) if " at " in name else "", one, two, low, high, se)


def _curves(base: list[_Measured], drawn: list[_Measured]) -> Iterator[Curve]:
    if any(each.fraction.shape[1] == 0 for each in base):
        return
    for each, many in zip(base, drawn, strict=True):
        estimate = each.fraction[0]
        low = high = np.full(len(estimate), np.nan)
        if many.numbers:
            low, high = centred(Ordered.of(many.fraction), estimate, COVERAGE)
        yield Curve("E", each.centre, estimate, np.clip(low, 0, 1), np.clip(high, 0, 1))


def _same_stars(pair: tuple[Fit, Fit], samples: Sequence[Sample | None]) -> bool:
    """Return whether two fits have the same stars in their bins, so that the same draws mean the same stars."""
    one, two = pair[0].mixtures, pair[1].mixtures
    if pair[0].settings.selection != pair[1].settings.selection or len(one.rows) != len(two.rows):
        return False
    if not np.array_equal(one.rows < 0, two.rows < 0):
        return False
    if samples[0] is not None and samples[1] is not None:  # whose pixels are those of their fits
        return np.array_equal(samples[0].columns(one.chemistry), samples[1].columns(one.chemistry))
    if one.chemistry == two.chemistry:
        return np.array_equal(one.columns, two.columns)
    names = [{each.get("sha256") for each in fit.provenance.get("inputs", ())} for fit in pair]
    return bool(names[0]) and names[0] == names[1]


def _choices(fit: Fit) -> Any:
    record = plain(fit.settings)
    return {**record, "axes": ",".join(map(str, fit.settings.axes))} if isinstance(record, Mapping) else record


def _changed(a: Any, b: Any) -> Iterator[str]:
    """Return the values that differ between two plain records, such as ``loss: frobenius | kullback-leibler``."""
    return (f"{name}: {_short(one)} | {_short(two)}" for name, one, two in differing(a, b))


def _short(value: Any) -> str:
    return cleaned(value if isinstance(value, str) else json.dumps(value), 90)
