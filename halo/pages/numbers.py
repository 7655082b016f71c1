"""The numbers of a fit or an ensemble as tables of a page: fractions, crossings, and the range of the bias."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..ensembles.rows import Summary
from ..ensembles.statistics import Part
from ..fits.bootstrap import refit, star_weights
from ..fits.fit import NAMES, Fit, fractions
from ..fits.intervals import COVERAGE, Ordered, centred
from ..fits.likelihood import likelihood
from ..fits.settings import DIVERGENCE, LEAST_SQUARES, Bootstrap
from ..paper.amounts import readable, unit_text
from ..paper.blocks import Block, Sheet
from ..products.classifier import Classifier
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


@dataclass(frozen=True)
class Numbers:
    """The numbers of a fit.

    Attributes
    ----------
    blocks : tuple of Block
        Mass fractions and crossings, with intervals.
    bins : ndarray, shape (2, m), or None
        Lower and upper limit of the accreted fraction in each bin; None without replicates.
    """

    blocks: tuple[Block, ...]
    bins: np.ndarray | None = None


def bin_intervals(fit: Fit, W: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Return the limits of the accreted fraction in each bin from weights of replicates.

    Parameters
    ----------
    fit : Fit
    W : ndarray, shape (B, m, k)
        Replicates in the fit's bins, their components in its order.
    factor : float
        From the spread of the replicates to that of samples.

    Returns
    -------
    ndarray, shape (2, m)
        From 0 to 1; NaN of bins without stars.
    """
    ours, drawn = (fit.reading.of(fractions(x)) for x in (fit.W, W))
    limits = np.stack(centred(Ordered.of(drawn), ours, COVERAGE))
    return np.clip(ours + factor * (limits - ours), 0, 1)


def fit_numbers(fit: Fit, stars: StarsLike, bootstrap: Bootstrap, progress: Progress = silent) -> Numbers:
    """Return the mass fractions and crossings of a fit, and the accreted fraction of its bins, with intervals.

    Mass fractions of a fit by Kullback-Leibler without penalties have those of the profile likelihood; everything else
    has those of bootstrap replicates.

    Raises
    ------
    InputError
        Stars other than the fit's, or energies of another convention.
    """
    sample = sample_of(fit, stars)
    base = _many(fit, sample, np.ones((1, len(fit.mixtures.rows)), np.uint8), fit.W[None], fit.H[None])
    drawn, lost, bins = None, 0, None
    whole = fit.names != NAMES
    if bootstrap.replicates and whole:
        refits = refit(fit, bootstrap.replicates, seed=bootstrap.seed, progress=progress)
        good, lost = refits.good, refits.lost
        if good.sum() > 1:
            often = star_weights(fit, bootstrap.replicates, seed=bootstrap.seed)[good]
            drawn = _many(fit, sample, often, refits.W[good], refits.H[good])
            bins = bin_intervals(fit, refits.W[good])
    said = (
        f"Intervals of {100 * COVERAGE:.0f} % from {bootstrap.replicates:,} bootstrap replicates"
        f"{f', {lost:,} of which did not converge or could not be matched' if lost else ''}."
    )
    if not bootstrap.replicates:
        said = "No replicates were asked for, and crossings have no intervals."
    if not whole:
        said = (
            "These components come from the fits of two parts, and have no intervals here: those of their abundances "
            "and fractions are in the tables of `halonmf split`."
        )
    return Numbers((_fractions(fit, base, drawn), said, _crossings(fit, base, drawn)), bins)


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
            said = _place(value, variable) if np.isfinite(value) else "none"
            rows.append((readable(variable), f"{100 * level:g}", said, interval, once))
    return _crossing_sheet(fit.reading.label, rows, base.crossings)


def _crossing_sheet(label: str, rows: Sequence[tuple[str, ...]], variables: Iterable[str]) -> Sheet:
    units: dict[str, list[str]] = {}
    for variable in variables:
        unit = "10⁵ km² s⁻²" if variable in _SCALES else unit_text(unit_of(variable))
        if unit:
            units.setdefault(unit, []).append(readable(variable))
    measured = "; ".join(f"{', '.join(names)} in {unit}" for unit, names in units.items())
    return Sheet(
        "crossings",
        f"Where the {label} fraction crosses a level, with intervals of {100 * COVERAGE:.0f} %. None: it does not, or "
        "does so more than once. Once: how many of the replicates cross the level once. "
        f"Units: {measured}.",
        ("against", "level [%]", "at", "interval", "once [%]"),
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
    crossed = subjects("crossing", part.statistics)
    return (sheet, _crossing_sheet(part.reading.label, list(_part_crossings(part)), crossed))


def _stated(part: Part, name: str, at: tuple[int, ...], form: Any) -> tuple[str, str, str]:
    base, low, high, se = (float(part(name, x)[at]) for x in ("base", "low_68", "high_68", "se"))
    return form(base), _between(form(low), form(high), low + high), form(se) if np.isfinite(se) else ""


def _part_crossings(part: Part) -> Iterator[tuple[str, ...]]:
    for variable in subjects("crossing", part.statistics):
        name = key("crossing", variable)
        for i, level in enumerate(part.coordinates["levels"]):
            base, low, high = (float(part(name, x)[i]) for x in ("base", "low_68", "high_68"))
            once = f"{100 * int(part.counts[name][1, i]) / part.used:.0f}" if part.used and name in part.counts else ""
            said = _place(base, variable) if np.isfinite(base) else "none"
            interval = _between(_place(low, variable), _place(high, variable), low + high)
            yield readable(variable), f"{100 * level:g}", said, interval, once


def configurations(summary: Summary) -> tuple[Sheet, ...]:
    """Return the accreted fraction and its crossing of one half in energy in each configuration, and their spread."""
    rows, crossing = [], key("crossing", "E")
    for part in summary.parts:
        accreted, low, high = (100 * part.accreted(name) for name in ("base", "low_68", "high_68"))
        at = first = last = np.nan
        if crossing in part.statistics:
            at, first, last = (float(part(crossing, name)[0]) for name in ("base", "low_68", "high_68"))
        rows.append(
            (
                part.label or "base",
                f"{accreted:.2f}",
                _between(f"{low:.2f}", f"{high:.2f}", low + high),
                _place(at, "E") if np.isfinite(at) else "none",
                _between(_place(first, "E"), _place(last, "E"), first + last),
                f"{part.used:,} of {part.replicates:,}",
            )
        )
    interval = f"interval of {100 * COVERAGE:.0f} %"
    header = ("configuration", "accreted [%]", interval, "E at 50 % [10⁵ km² s⁻²]", interval, "replicates that count")
    caption = "The accreted fraction in each configuration, and the energy at which it is one half."
    sheets = [Sheet("configurations", caption, header, tuple(rows))]
    spread = []
    for group in summary.groups:
        mean, over, se = (100 * group.accreted(name) for name in ("mean", "spread", "se"))
        spread.append((group.label or "all", f"{len(group.members):,}", f"{mean:.2f}", f"{over:.2f}", _number(se)))
    if spread:
        caption = (
            "The accreted fraction over configurations: its standard deviation, and the sampling error within one."
        )
        titles = ("configurations", "number", "mean [%]", "spread [%]", "sampling error [%]")
        sheets.append(Sheet("spread", caption, titles, tuple(spread)))
    return tuple(sheets)


def _number(x: float) -> str:
    return f"{x:.2f}" if np.isfinite(x) else "none"


def bias_range(loss: str, components: int) -> tuple[Block, ...]:
    """Return the range of the bias of both analyses over a family of mocks, and which of them such a fit is like."""
    found = json.loads(BIAS.read_text(encoding="utf-8"))
    ranges = {(row["analysis"], row["number"]): row for row in found["ranges"]}
    numbers = list(dict.fromkeys(number for _, number in ranges))
    # a fit is like one of the two analyses or like neither, whose bias is then another one
    whose = ""
    if components == 2 and loss in LEAST_SQUARES:
        whose = "the paper makes its own, so that the paper's range"
    elif components > 2 and loss in DIVERGENCE:
        whose = "the recommended analysis makes its own, so that the recommended range"
    said = (
        f"This fit is made as {whose} may be quoted for it as systematic error, for halos that differ as those mocks "
        "do."
        if whose
        else "This fit is neither as the paper's nor as the recommended analysis makes it; its bias was not measured."
    )
    rows = [(number, *(_range(ranges.get((name, number))) for name in (PAPER, RECOMMENDED))) for number in numbers]
    caption = (
        f"Fit minus truth over {len(found['models'])} mock surveys with other halos: the least and the greatest bias "
        "of either analysis. Energies are in 10⁵ km² s⁻², places in kpc, abundances in dex."
    )
    return (said, Sheet("bias", caption, ("number", "the paper's analysis", "recommended"), tuple(rows)))


def _range(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    digits = 2 if row["number"][0] in "rzR" else 3
    scale = 1e5 if max(abs(row["least"]), abs(row["greatest"])) > 50 else 1.0
    ends = (round(row[end] / scale, digits) + 0.0 for end in ("least", "greatest"))  # no minus before a zero
    return " to ".join(f"{end:+.{digits}f}".replace("-", "\N{MINUS SIGN}") for end in ends)


def _percent(x: float) -> str:
    return f"{100 * x:.2f}"


def _place(x: float, variable: str) -> str:
    text = f"{x / _SCALES[variable]:.4f}" if variable in _SCALES else f"{x:.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def boundary_sheet(line: Classifier) -> tuple[Block, ...]:
    """Return a boundary by columns of Lz with its intervals, and how far it moves the published line."""
    E = [[_place(x, "E") if np.isfinite(x) else "" for x in part]
         for part in (line.free.value, line.free.lower, line.free.upper)]  # fmt: skip
    edges = [f"{x / 1e3:g}".replace("-", "\N{MINUS SIGN}") for x in line.Lz_edges]
    rows = tuple(
        (f"{a} to {b}", at or "none", f"{low} to {high}" if low and high else "")
        for a, b, at, low, high in zip(edges[:-1], edges[1:], *E, strict=True)
    )
    caption = (
        f"Where the accreted fraction passes {100 * line.level:g} %, by columns of Lz, from the table given; intervals "
        f"of {100 * line.coverage:.0f} % from {line.replicates:,} replicates. Energies in 10⁵ km² s⁻², Lz in 10³ kpc "
        "km s⁻¹."
    )
    header = ("Lz", "E", "interval of E")
    sheet = Sheet("boundary", caption, header, rows)
    if not np.isfinite(line.offset.value):
        return (sheet,)
    at, low, high = (_place(x, "E") for x in (line.offset.value, line.offset.lower, line.offset.upper))
    moved = f"The line of Belokurov and Kravtsov (2023) is moved to it by {at} ({low} to {high}), also in 10⁵ km² s⁻²."
    return (sheet, moved)


def _between(low: str, high: str, known: float) -> str:
    return f"{low} to {high}" if np.isfinite(known) else ""
