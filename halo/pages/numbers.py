"""The numbers of a fit or an ensemble as tables of a page: fractions, crossings, and the range of the bias."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..ensembles.rows import Summary
from ..ensembles.statistics import Part
from ..fits.bootstrap import refit, star_weights
from ..fits.fit import Fit
from ..fits.intervals import COVERAGE, Ordered, centred
from ..fits.likelihood import likelihood
from ..fits.settings import DIVERGENCE, LEAST_SQUARES, Bootstrap
from ..paper.amounts import readable
from ..paper.blocks import Block, Sheet
from ..products.profile import LEVELS
from ..progress import Progress, silent
from ..replicates.many import Many
from ..replicates.sample import Sample, sample_of
from ..replicates.table import key, subjects
from ..stars.catalogue import StarsLike
from ..stars.variables import unit_of

BIAS = Path(__file__).with_name("bias.json")
"""Ranges of the bias over a family of mock surveys, a copy of what `benchmarks/family.py` found (docs/mock.md)."""
PAPER, RECOMMENDED = "paper", "recommended"
_SCALES = {"E": 1e5, "dE": 1e5}


def fit_numbers(fit: Fit, stars: StarsLike, bootstrap: Bootstrap, progress: Progress = silent) -> tuple[Block, ...]:
    """Return the mass fractions and crossings of a fit, with intervals.

    Mass fractions of a fit by Kullback-Leibler without penalties have those of the profile likelihood; everything else
    has those of bootstrap replicates.

    Raises
    ------
    InputError
        Stars other than the fit's, or energies of another convention.
    """
    sample = sample_of(fit, stars)
    base = _many(fit, sample, np.ones((1, len(fit.mixtures.rows)), np.uint8), fit.W[None], fit.H[None])
    drawn, lost = None, 0
    if bootstrap.replicates:
        refits = refit(fit, bootstrap.replicates, seed=bootstrap.seed, progress=progress)
        good, lost = refits.good, refits.lost
        if good.sum() > 1:
            often = star_weights(fit, bootstrap.replicates, seed=bootstrap.seed)[good]
            drawn = _many(fit, sample, often, refits.W[good], refits.H[good])
    said = [
        f"Intervals of {100 * COVERAGE:.0f} % from {bootstrap.replicates:,} bootstrap replicates"
        f"{f', {lost:,} of which did not converge or could not be matched' if lost else ''}."
        if bootstrap.replicates
        else "No replicates were asked for, and crossings have no intervals."
    ]
    return (_fractions(fit, base, drawn), *said, _crossings(fit, base, drawn))


def _many(fit: Fit, sample: Sample, often: np.ndarray, W: np.ndarray, H: np.ndarray) -> Many:
    return Many(sample, often, W, H, fit.mixtures.rows, fit.mixtures.columns, fit.settings, fit.reading.accreted)


def _fractions(fit: Fit, base: Many, drawn: Many | None) -> Sheet:
    names, ours = list(fit.names), [base.mass_fractions]
    many = [] if drawn is None else [drawn.mass_fractions]
    if fit.reading.nameless:
        names.append(f"accreted ({fit.reading.label})")
        ours.append(fit.reading.of(base.mass_fractions)[:, None])
        many = [*many, fit.reading.of(many[0])[:, None]] if many else many
    values = np.concatenate(ours, axis=1)[0]
    low = high = np.full(len(values), np.nan)
    how = "none: no replicates"
    if many:
        how = "bootstrap"
        low, high = (np.clip(x, 0, 1) for x in centred(Ordered.of(np.concatenate(many, axis=1)), values, COVERAGE))
    rows = [(name, _percent(x), _between(_percent(a), _percent(b), a + b), how) for name, x, a, b in
            zip(names, values, low, high, strict=True)]  # fmt: skip
    solver = fit.settings.solver
    if solver.loss in DIVERGENCE and not (solver.alpha_W or solver.alpha_H):
        found = likelihood(fit, level=COVERAGE)
        exact = dict(zip(found.names, zip(found.low, found.high, strict=True), strict=True))
        for i, (name, value, *_) in enumerate(rows):
            if name in exact:
                a, b = exact[name]
                rows[i] = (name, value, _between(_percent(a), _percent(b), a + b), "profile likelihood")
    caption = f"Mass fractions of the components, with intervals of {100 * COVERAGE:.0f} %."
    return Sheet("fractions-table", caption, ("component", "mass fraction [%]", "interval [%]", "from"), tuple(rows))


def _crossings(fit: Fit, base: Many, drawn: Many | None) -> Sheet:
    rows = []
    for variable, (at, times) in base.crossings.items():
        for j, level in enumerate(LEVELS):
            value = at[0, j] if times[0, j] == 1 else np.nan
            interval, once = "", ""
            if drawn is not None:
                places, number = drawn.crossings[variable]
                good = number[:, j] == 1
                once = f"{100 * good.mean():.0f}"
                if np.isfinite(value) and good.sum() > 1:
                    low, high = centred(Ordered.of(places[good, j][:, None]), np.array([value]), COVERAGE)
                    interval = _between(_place(low[0], variable), _place(high[0], variable), low[0])
            said = _place(value, variable) if np.isfinite(value) else "no single crossing"
            rows.append((readable(variable), f"{100 * level:g}", said, interval, _unit(variable), once))
    return _crossing_sheet(fit.reading.label, rows)


def _crossing_sheet(label: str, rows: Sequence[tuple[str, ...]]) -> Sheet:
    return Sheet(
        "crossings",
        f"Where the {label} fraction crosses a level, with intervals of {100 * COVERAGE:.0f} %.",
        ("against", "level [%]", "at", "interval", "unit", "replicates that cross once [%]"),
        tuple(rows),
    )


def ensemble_numbers(summary: Summary) -> tuple[Block, ...]:
    """Return the mass fractions and crossings of an ensemble's first configuration, with its replicates' intervals."""
    part = summary.parts[0]
    rows = [
        (name, *_stated(part, key("mass_fraction"), (j,), _percent)) for j, name in enumerate(part.names)
    ]  # fmt: skip
    if key("accreted_fraction") in part.statistics and part.reading.nameless:
        rows.append((f"accreted ({part.reading.label})", *_stated(part, key("accreted_fraction"), (), _percent)))
    caption = (
        f"Mass fractions of {part.label or 'the configuration'}: {part.used:,} of {part.replicates:,} replicates "
        f"count; intervals of {100 * COVERAGE:.0f} % ({summary.interval})."
    )
    sheet = Sheet(
        "fractions-table",
        caption,
        ("component", "mass fraction [%]", "interval [%]", "standard error [%]"),
        tuple(rows),
    )
    return (sheet, _crossing_sheet(part.reading.label, list(_part_crossings(part))))


def _stated(part: Part, name: str, at: tuple[int, ...], form: Any) -> tuple[str, str, str]:
    base, low, high, se = (float(part(name, x)[at]) for x in ("base", "low_68", "high_68", "se"))
    return form(base), _between(form(low), form(high), low + high), form(se) if np.isfinite(se) else ""


def _part_crossings(part: Part) -> Iterator[tuple[str, ...]]:
    for variable in subjects("crossing", part.statistics):
        name = key("crossing", variable)
        for i, level in enumerate(part.coordinates["levels"]):
            base, low, high = (float(part(name, x)[i]) for x in ("base", "low_68", "high_68"))
            once = f"{100 * int(part.counts[name][1, i]) / part.used:.0f}" if part.used and name in part.counts else ""
            said = _place(base, variable) if np.isfinite(base) else "no single crossing"
            interval = _between(_place(low, variable), _place(high, variable), low + high)
            yield readable(variable), f"{100 * level:g}", said, interval, _unit(variable), once


def bias_range(loss: str, components: int) -> tuple[Block, ...]:
    """Return the range of the bias of both analyses over a family of mocks, and which of them such a fit is like."""
    found = json.loads(BIAS.read_text(encoding="utf-8"))
    ranges = {(row["analysis"], row["number"]): row for row in found["ranges"]}
    numbers = list(dict.fromkeys(number for _, number in ranges))
    # a fit is like one of the two analyses or like neither, whose bias is then another one
    like = ""
    if components == 2 and loss in LEAST_SQUARES:
        like = PAPER
    elif components > 2 and loss in DIVERGENCE:
        like = RECOMMENDED
    said = (
        f"This fit is made as the {'paper makes' if like == PAPER else 'recommended analysis makes'} its own, so that "
        f"the {like + chr(39) + 's' if like == PAPER else like} range may be quoted for it as systematic error, for "
        "halos that differ as those mocks do."
        if like
        else "This fit is neither as the paper's nor as the recommended analysis makes it; its bias was not measured."
    )
    rows = [
        (number, *(_range(ranges[name, number]) for name in (PAPER, RECOMMENDED) if (name, number) in ranges))
        for number in numbers
    ]
    caption = (
        f"Fit minus truth over {len(found['models'])} mock surveys with other halos: the least and the greatest bias "
        "of either analysis. Energies are in 10⁵ km² s⁻², places in kpc, abundances in dex."
    )
    return (said, Sheet("bias", caption, ("number", "the paper's analysis", "recommended"), tuple(rows)))


def _range(row: dict[str, Any]) -> str:
    digits = 2 if row["number"][0] in "rzR" else 3
    scale = 1e5 if max(abs(row["least"]), abs(row["greatest"])) > 50 else 1.0
    low, high = (f"{row[end] / scale:+.{digits}f}".replace("-", "\N{MINUS SIGN}") for end in ("least", "greatest"))
    return f"{low} to {high}"


def _percent(x: float) -> str:
    return f"{100 * x:.2f}"


def _place(x: float, variable: str) -> str:
    text = f"{x / _SCALES[variable]:.4f}" if variable in _SCALES else f"{x:.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _unit(variable: str) -> str:
    return "10⁵ km² s⁻²" if variable in _SCALES else unit_of(variable)


def _between(low: str, high: str, known: float) -> str:
    return f"{low} to {high}" if np.isfinite(known) else ""
