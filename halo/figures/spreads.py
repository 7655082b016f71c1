"""Fractions with both kinds of error bands: standard deviation over configurations, and bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import QTable, vstack
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.interpolate import PchipInterpolator

from ..ensembles.spread import Spread
from ..errors import UsageError
from ..fits.fit import Fit
from ..products.boundary import LZ_RANGE
from ..products.profile import unit_of
from ..stars.published_line import mean_line
from . import captions
from . import style as look
from .picture import Picture, styled

SETUPS, NOISE = 0.38, 0.16
"""Opacity of the bands over configurations and of those of the bootstrap."""
Fits = Mapping[str, Fit]


@styled
def energy_fractions(spreads: Mapping[str, Spread], fits: Fits | None = None) -> Picture:
    """Draw fractions against energy with both kinds of bands, their crossings and the stars (the paper's Fig 8).

    Parameters
    ----------
    spreads : mapping of str to Spread
        By selection, such as ``chemically-pure`` and ``kinematically-pure``.
    fits : mapping of str to Fit, optional
        By selection, for the caption.
    """
    first = _first(spreads)
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=[4, 1])
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper)
    factor = look.scale(first.variable).factor
    handles = []
    for i, (selection, spread) in enumerate(spreads.items()):
        handles += _curves(upper, spread, selection, label=_words(selection) if len(spreads) > 1 else "")
        _crossings(upper, spread, selection, row=i)
        lower.stairs(
            spread.n_stars,
            spread.edges / factor,
            fill=i == 0,
            fc="0.87",
            ec="0.35",
            lw=1.0,
            ls=look.line_of("HE", selection)["ls"],
        )
    if first.variable == "E":
        upper.axvline(mean_line(*LZ_RANGE) / factor, c="0.55", lw=1.0, ls=(0, (1, 1.5)), zorder=1)
        upper.annotate(
            "B&K (2023), mean",
            (mean_line(*LZ_RANGE) / factor, 0.5),
            xytext=(3, 0),
            textcoords="offset points",
            rotation=90,
            va="center",
            fontsize="small",
            color="0.4",
        )
    upper.tick_params(labelbottom=False)
    upper.legend(
        handles=[*handles, *_bands(spreads.values())],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
        handlelength=3,
    )
    most = max(int(s.n_stars.max()) for s in spreads.values())
    lower.set(ylim=(0, 1.12 * max(1, most)), ylabel="stars")
    look.label(lower, first.variable)
    figure.align_ylabels([upper, lower])
    of = {selection: {first.variable: spread} for selection, spread in spreads.items()}
    return Picture(figure, _caption(of, fits), _alt(of, below=" Below: the stars of each bin."), _data(spreads))


@styled
def distance_fractions(spreads: Mapping[str, Mapping[str, Spread]], fits: Fits | None = None) -> Picture:
    """Draw fractions against distances side by side, with both kinds of bands and crossings (the paper's Fig 9).

    Parameters
    ----------
    spreads : mapping of str to mapping of str to Spread
        By selection, then by variable, such as ``r``, ``z`` and ``R``.
    fits : mapping of str to Fit, optional
        By selection, for the caption.
    """
    variables = list(_first(spreads))
    figure = Figure(figsize=(0.8 + 3.4 * len(variables), 4.4), layout="constrained")
    handles: list[Any] = []
    axes = None
    for i, variable in enumerate(variables):
        axes = figure.add_subplot(1, len(variables), i + 1, sharey=axes)
        for row, (selection, of) in enumerate(spreads.items()):
            label = _words(selection) if len(spreads) > 1 else ""
            made = _curves(axes, of[variable], selection, label=label)
            _half(axes, of[variable], selection, row)
            handles += made if i == 0 else []
        look.label(axes, variable)
        if i > 0:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    bands = _bands(x for of in spreads.values() for x in of.values())
    figure.legend(handles=[*handles, *bands], loc="outside upper center", ncols=3, handlelength=3)
    data = _data({f"{s} {v}": x for s, of in spreads.items() for v, x in of.items()})
    return Picture(figure, _caption(spreads, fits), _alt(spreads), data)


@styled
def four_fractions(spreads: Mapping[str, Spread], fit: Fit | None = None) -> Picture:
    """Draw the fractions of four components against distances side by side, with their bands (the paper's Fig 10).

    Parameters
    ----------
    spreads : mapping of str to Spread
        By variable, such as ``r``, ``z`` and ``R``.
    fit : Fit, optional
        The four components together, for the caption.
    """
    selection = "chemically-pure" if fit is None else fit.settings.selection.name
    figure = Figure(figsize=(0.8 + 3.4 * len(spreads), 4.1), layout="constrained")
    handles: list[Any] = []
    axes = None
    for i, (variable, spread) in enumerate(spreads.items()):
        axes = figure.add_subplot(1, len(spreads), i + 1, sharey=axes)
        made = _curves(axes, spread, selection)
        handles = handles or made
        look.label(axes, variable)
        if i > 0:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    figure.legend(handles=[*handles, *_bands(spreads.values())], loc="outside upper center", ncols=6, handlelength=3.6)
    fits = None if fit is None else {selection: fit}
    return Picture(figure, _caption({selection: spreads}, fits), _alt({selection: spreads}), _data(spreads))


def _caption(found: Mapping[str, Mapping[str, Spread]], fits: Mapping[str, Fit] | None) -> str:
    """Return the caption of fractions with bands, by selection and variable."""
    one = next(iter(next(iter(found.values())).values()))
    variables = list(dict.fromkeys(name for of in found.values() for name in of))
    parts = [
        f"Fractional contribution of {captions.listed(one.names[::-1])} against {captions.listed(variables)}: the mean "
        f"over {one.setups} configurations{' and the monotone spline through it' if len(one.names) == 2 else ''}; dark "
        "bands are the standard deviation over configurations, which is no sampling error"
    ]
    parts[0] += (
        f"; light bands hold {100 * one.level:g} % of {one.replicates} bootstrap replicates." if one.replicates else "."
    )
    parts.append(f"Open symbols: bins of fewer than {one.min_stars} stars.")
    for selection, of in found.items():
        words = selection.replace("-", " ")
        stars = ", ".join(f"{int(s.n_stars.sum()):,} in bins of {name}" for name, s in of.items())
        parts.append(f"{words.capitalize()}: stars {stars}.")
        if fits is not None and selection in fits:
            parts.append(captions.selected(fits[selection].cutflow, fits[selection].mixtures))
        if len(one.names) == 2:
            for name, s in of.items():
                at = "; ".join(c.describe(unit_of(name)) for c in s.crossings)
                parts.append(f"{s.reading.label} against {name}: {at}.")
    return " ".join(parts)


def _alt(found: Mapping[str, Mapping[str, Spread]], below: str = "") -> str:
    of = next(iter(found.values()))
    one = next(iter(of.values()))
    two = len(one.names) == 2
    selections = captions.listed([_words(selection) for selection in found])
    where = "all stars" if selections == "all" else f"the {selections} halo"
    number = f"{captions.panels(len(of))} of the fractions" if len(of) > 1 else "Fractions"
    return (
        f"{number} of {captions.listed(one.names[::-1])} against "
        f"{captions.spoken(list(of))} in {where}: {'curves' if two else 'points'} with bands of the "
        f"spread over configurations{' and of the bootstrap' if one.replicates else ''}"
        f"{f', crossings of {one.reading.label} marked' if two else ''}.{below}"
    )


def _curves(axes: Any, spread: Spread, selection: str, label: str = "") -> list[Any]:
    """Draw every component's mean with both bands; returns legend handles, from high to low energy."""
    factor = look.scale(spread.variable).factor
    x, good = spread.centres / factor, spread.trusted
    axes.axhline(0.5, c="0.6", lw=0.8, ls=(0, (1, 2)), zorder=1)
    handles = []
    for j, name in reversed(list(enumerate(spread.names))):
        style, y = look.line_of(name, selection), spread.mean[:, j]
        for low, high, opacity in (
            (*(y + spread.noise[:, :, j]), NOISE),
            (y - spread.sigma[:, j], y + spread.sigma[:, j], SETUPS),
        ):
            limits = np.clip(low, 0, 1), np.clip(high, 0, 1)
            # four components with bands of the same two colours need to be seen through one another
            shown = opacity if len(spread.names) == 2 else 0.6 * opacity
            axes.fill_between(x, *limits, where=good, color=style["color"], alpha=shown, lw=0, zorder=2)
        if good.sum() > 1:  # the spline whose crossings are reported
            fine = np.linspace(x[good][0], x[good][-1], 400)
            axes.plot(fine, PchipInterpolator(x[good], y[good])(fine), lw=1.8, zorder=3, **style)
        point: dict[str, Any] = {
            "c": style["color"],
            "marker": look.SELECTIONS.get(selection, {}).get("marker", "o"),
            "ms": 3.8,
        }
        axes.plot(x[good], y[good], ls="none", zorder=4, **point)
        scarce = ~good & np.isfinite(y)
        axes.plot(x[scarce], y[scarce], ls="none", mfc="w", zorder=4, **point)
        text = f"{name}, {label}" if label else name
        handles.append(Line2D([], [], lw=1.8, ls=style["ls"], label=text, **point))
        if len(spread.names) > 2:
            handles[-1].set_marker("")  # it would hide the dashes, by which the lines differ
    axes.set(xlim=spread.edges[[0, -1]] / factor, ylim=(-0.03, 1.03), ylabel="fractional contribution")
    look.ticks(axes, 6, 6)
    return handles


def _crossings(axes: Any, spread: Spread, selection: str, row: int) -> None:
    """Mark where the last component's mean passes the levels, with its position in figures."""
    factor = look.scale(spread.variable).factor
    for crossing in spread.crossings:
        for at in crossing.at:
            style = _diamond(axes, at / factor, crossing.level, spread, selection, row)
            # next to a rising curve there is room: the first sample's figures above it, the second's below
            left = row == 0
            axes.annotate(
                _figures(at / factor),
                (at / factor, crossing.level),
                xytext=(-8 if left else 9, 7 if left else -9),
                textcoords="offset points",
                ha="right" if left else "left",
                **style,
            )


def _half(axes: Any, spread: Spread, selection: str, row: int) -> None:
    """Mark where the last component passes one half; the place in figures below, where no curve is."""
    factor = look.scale(spread.variable).factor
    for crossing in (c for c in spread.crossings if c.level == 0.5):
        for at in crossing.at:
            style = _diamond(axes, at / factor, 0.5, spread, selection, row)
            low = 0.04 + 0.08 * row
            axes.plot([at / factor] * 2, [low + 0.04, 0.48], c=style["color"], lw=0.8, ls=":", zorder=1)
            axes.annotate(_figures(at / factor), (at / factor, low), ha="center", **style)


def _diamond(axes: Any, x: float, level: float, spread: Spread, selection: str, row: int) -> dict[str, Any]:
    """Draw a crossing; returns how its figures are written."""
    colour = look.line_of(spread.reading.label, selection)["color"]
    axes.plot(x, level, "D", ms=6, mfc=colour if row else "w", mec="k", mew=1.1, zorder=6)
    rim = [patheffects.withStroke(linewidth=3, foreground="white")]
    return {
        "color": colour,
        "va": "center",
        "fontsize": "small",
        "fontweight": "bold",
        "path_effects": rim,
        "zorder": 7,
    }


def _figures(x: float) -> str:
    return f"{x:#.3g}".replace("-", "\N{MINUS SIGN}")


def _bands(spreads: Any) -> list[Any]:
    spreads = list(spreads)
    found = (
        [Patch(fc="0.3", alpha=SETUPS, label="configurations, 1$\\sigma$")]
        if any(s.setups > 1 for s in spreads)
        else []
    )
    if any(s.replicates for s in spreads):
        found.append(Patch(fc="0.3", alpha=NOISE, label=f"bootstrap, {100 * spreads[0].level:g} %"))
    return found


def _data(spreads: Mapping[str, Spread]) -> QTable:
    parts = []
    meta = {}
    for name, spread in spreads.items():
        part = spread.table()
        meta[name], part.meta = dict(part.meta), {}
        for column in ("lower", "upper", "centre"):  # of several units
            part[column] = getattr(part[column], "value", part[column])
        part.add_column([name] * len(part), index=0, name="curve")
        parts.append(part)
    table = vstack(parts)
    table.meta["curves"] = meta
    return table


def _first(mapping: Mapping[str, Any]) -> Any:
    if not mapping:
        raise UsageError("no fractions to draw.")
    return next(iter(mapping.values()))


def _words(selection: str) -> str:
    return selection.replace("-", " ")
