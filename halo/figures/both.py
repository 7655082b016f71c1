"""Two analyses beside each other: the accreted fraction along every variable, and how far numbers are off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Table, vstack
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..ensembles.spread import Spread
from ..errors import UsageError
from ..io.columns import described
from . import captions
from . import style as look
from .picture import Picture, styled

STYLES: tuple[dict[str, Any], ...] = (
    {"c": look.ORANGE, "ls": (0, (5, 1.6)), "marker": "s"},
    {"c": look.LOW, "ls": "-", "marker": "o"},
)
"""Of the first and the second analysis."""
BAND = 0.22
BEYOND = 4.0
"""Differences of more tolerances than this are drawn at the edge."""


@styled
def analyses(
    curves: Mapping[str, Mapping[str, Mapping[str, Spread]]],
    truths: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Picture:
    """Draw the accreted fraction along every variable as several analyses find it, with bands of the bootstrap.

    Parameters
    ----------
    curves : mapping
        By selection, analysis (two of them) and variable.
    truths : mapping, optional
        By selection and variable the true fraction in each bin, shape (m,), known of a mock survey.

    Raises
    ------
    UsageError
        No selection is given.
    """
    if not curves:
        raise UsageError("no fractions to draw.")
    first = next(iter(curves.values()))
    variables = list(next(iter(first.values())))
    figure = Figure(figsize=(0.6 + 3.2 * len(variables), 0.9 + 2.8 * len(curves)), layout="constrained")
    grid: Any = figure.subplots(len(curves), len(variables), squeeze=False, sharey=True, sharex="col")
    for (selection, of), row in zip(curves.items(), grid, strict=True):
        for name, axes in zip(variables, row, strict=True):
            axes.axhline(0.5, c="0.6", lw=0.8, ls=(0, (1, 2)), zorder=1)
            for (_, spreads), style in zip(of.items(), STYLES, strict=True):
                _curve(axes, spreads[name], style)
            true = (truths or {}).get(selection, {}).get(name)
            if true is not None:
                one = next(iter(of.values()))[name]
                shown = np.where(one.n_stars >= one.min_stars, true, np.nan)
                axes.plot(one.centres / look.scale(name).factor, shown, c="k", lw=1.2, ls=(0, (1, 1.2)), zorder=5)
            look.ticks(axes, 5, 6)
            axes.set_ylim(-0.03, 1.03)
        row[0].set_ylabel(f"accreted fraction,\n{selection.replace('-', ' ')}")
    for name, axes in zip(variables, grid[-1], strict=True):
        look.label(axes, name)
    handles: list[Any] = [
        Line2D([], [], lw=1.8, ms=4, label=name, **style) for name, style in zip(first, STYLES, strict=True)
    ]
    if truths:
        handles.append(Line2D([], [], c="k", lw=1.2, ls=(0, (1, 1.2)), label="truth of the mock"))
    one = next(iter(first.values()))[variables[0]]
    if one.replicates:
        handles.append(Patch(fc="0.4", alpha=2 * BAND, label=f"bootstrap, {100 * one.level:g} %"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, handlelength=3.4)
    names = captions.listed(list(first))
    said = (
        f"Accreted fraction against {captions.listed(variables)}, analyses: {names}; bands hold {100 * one.level:g} % "
        f"of the bootstrap replicates; bins of fewer than {one.min_stars} stars are left out."
        f"{' Dotted: the true fraction of the stars.' if truths else ''}"
    )
    alt = (
        f"{captions.panels(len(curves) * len(variables))}, a row each for the {captions.listed(_words(curves))} halo: "
        f"the accreted fraction against {captions.spoken(variables)}, two curves with bands"
        f"{' and the dotted truth' if truths else ''}."
    )
    return Picture(figure, said, alt, _data(curves, truths or {}))


def _curve(axes: Any, spread: Spread, style: dict[str, Any]) -> None:
    factor = look.scale(spread.variable).factor
    x, good = spread.centres / factor, spread.trusted
    y = np.where(good, spread.reading.of(spread.mean), np.nan)
    low, high = (np.clip(y + side, 0, 1) for side in _noise(spread))
    axes.fill_between(x, low, high, where=good, color=style["c"], alpha=BAND, lw=0, zorder=2)
    axes.plot(x, y, lw=1.6, ms=3.4, zorder=3, **style)
    axes.set_xlim(*(spread.edges[[0, -1]] / factor))


def _noise(spread: Spread) -> np.ndarray:
    """Return the limits of the accreted fraction about it, shape (2, m); NaN where it is a sum, whose are not known."""
    places = spread.reading.accreted
    return spread.noise[:, :, places[0]] if len(places) == 1 else np.full(spread.noise.shape[:2], np.nan)


def _words(names: Mapping[str, Any]) -> list[str]:
    return [name.replace("-", " ") for name in names]


def _data(
    curves: Mapping[str, Mapping[str, Mapping[str, Spread]]], truths: Mapping[str, Mapping[str, np.ndarray]]
) -> Table:
    parts = []
    for selection, of in curves.items():
        for analysis, spreads in of.items():
            for name, one in spreads.items():
                number = len(one.centres)
                fraction = one.reading.of(one.mean)
                of_bins = {"selection": selection, "analysis": analysis, "variable": name}
                part = Table({column: [text] * number for column, text in of_bins.items()})
                part["lower"], part["upper"], part["n_stars"] = one.edges[:-1], one.edges[1:], one.n_stars
                part["accreted"] = fraction
                part["accreted_lower"], part["accreted_upper"] = fraction + _noise(one)
                part["truth"] = truths.get(selection, {}).get(name, np.full(number, np.nan))
                parts.append(part)
    return described(vstack(parts), "fractions")


@styled
def comparison(table: Table) -> Picture:
    """Draw numbers of both analyses minus what they are held to, in units of the tolerance, with their intervals.

    Parameters
    ----------
    table : Table
        Columns ``what``, ``two`` and ``recommended`` with ``_lower``, ``_upper`` and ``_truth``, ``paper`` and
        ``tolerance``. Numbers are held to the truth, or, where there is none, to the paper's.
    """
    known = np.isfinite(table["tolerance"]) & (np.asarray(table["tolerance"]) > 0)
    shown = table[known] if known.any() else table[:0]
    mock = len(shown) > 0 and bool(np.isfinite(shown["two_truth"]).any())
    figure = Figure(figsize=(8.2, 1.4 + 0.21 * max(len(shown), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-1, 1, color="0.92", lw=0)
    axes.axvline(0, c="0.5", lw=0.8)
    for shift, side, style in ((-0.16, "two", STYLES[0]), (0.16, "recommended", STYLES[1])):
        held = np.asarray(shown[f"{side}_truth"] if mock else shown["paper"], float)
        off, low, high = (
            (np.asarray(shown[side + end], float) - held) / np.asarray(shown["tolerance"], float)
            for end in ("", "_lower", "_upper")
        )
        y = np.arange(len(shown)) + shift
        axes.hlines(y, np.clip(low, -BEYOND, BEYOND), np.clip(high, -BEYOND, BEYOND), color=style["c"], lw=1.6)
        inside = np.abs(off) <= BEYOND
        axes.plot(off[inside], y[inside], ls="none", c=style["c"], marker=style["marker"], ms=4)
        for sign, marker in ((1, ">"), (-1, "<")):
            far = off * sign > BEYOND
            axes.plot(np.full(far.sum(), sign * BEYOND), y[far], ls="none", c=style["c"], marker=marker, ms=6)
    axes.set_yticks(range(len(shown)), [str(x) for x in shown["what"]], fontsize=7.5)
    axes.minorticks_off()
    axes.set(xlim=(-BEYOND - 0.2, BEYOND + 0.2), ylim=(len(shown) - 0.4, -0.6))
    held_to = "the truth of the mock" if mock else "the paper's"
    axes.set_xlabel(f"(ours - {held_to}) / tolerance".replace(" - ", " \N{MINUS SIGN} "))
    names = ("the paper's analysis", "recommended")
    handles = [
        Line2D([], [], ls="-", lw=1.6, c=style["c"], marker=style["marker"], ms=4, label=name)
        for name, style in zip(names, STYLES, strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    said = (
        f"Numbers of both analyses minus {held_to}, in units of their tolerance (grey: within it), with intervals of "
        f"16 to 84 % of bootstraps; HE is the accreted part, LE the other one; arrows: off by more than {BEYOND:g} "
        "tolerances."
    )
    alt = (
        f"A row for each of {len(shown)} numbers: two points with bars, the paper's analysis and the recommended one, "
        f"by how many tolerances they differ from {held_to}."
    )
    return Picture(figure, said, alt, shown)
