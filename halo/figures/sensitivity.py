"""How far each choice of an analysis moves its headline numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..checks.movements import SHOWN, Sensitivity, said
from ..fits.intervals import COVERAGE
from .picture import Picture, styled
from .style import HIGH, LOW, words

_LABELS = {
    "accreted fraction": (100.0, "accreted fraction [%]"),
    "E at 50 %": (1e-5, r"$E$ at 50 % [$10^5$ km$^2$ s$^{-2}$]"),
    "r at 50 %": (1.0, r"$r$ at 50 % [kpc]"),
    "median FE_H": (1.0, "median [Fe/H] of the accreted [dex]"),
}
ABOVE: dict[str, Any] = {"facecolor": HIGH, "edgecolor": "w", "hatch": "/////", "linewidth": 0}
"""Hatched, since without colour it is as dark as what is below."""
BAND = "0.88"


@styled
def tornado(found: Sensitivity) -> Picture:
    """Draw, for each headline number, the range over each choice's alternatives, the widest on top.

    Parameters
    ----------
    found : Sensitivity
        What to draw.
    """
    names = [name for name in SHOWN if np.isfinite(found.base.numbers[name])] or list(SHOWN[:1])
    rows = max([len(found.widest(name)) for name in names] + [1])
    columns = 2 if len(names) > 1 else 1
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(5.6 * columns, lines * (1.3 + 0.24 * rows)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(lines, columns)).ravel()
    for axes, name in zip(panels, names, strict=False):
        _bars(axes, found, name)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    handles: list[Any] = [
        Patch(fc=LOW, label="below the base"),
        Patch(**ABOVE, label="above the base"),
        Line2D([], [], ls="none", marker="|", c="k", ms=7, label="an alternative"),
    ]
    if found.drawn:
        handles.append(Patch(fc=BAND, label="all choices together"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return Picture(figure, _caption(found, names), _alt(found, names))


def _bars(axes: Any, found: Sensitivity, name: str) -> None:
    factor, text = _LABELS[name]
    base = factor * found.base.numbers[name]
    order = found.widest(name)
    low, high = (base + factor * x for x in found.interval(name))
    if np.isfinite(low):
        axes.axvspan(low, high, fc=BAND, lw=0, zorder=0)
    for place, choice in enumerate(order):
        less, more = (factor * x for x in found.range(choice, name))
        axes.barh(place, less, left=base, height=0.62, color=LOW, lw=0)
        axes.barh(place, more, left=base, height=0.62, **ABOVE)
        each = [base + factor * found.moved(row, name) for row in found.alone if row.choice == choice]
        axes.plot(each, np.full(len(each), place), "|", c="k", ms=7, mew=0.9)
    axes.axvline(base, c="k", lw=0.8)
    axes.set_yticks(range(len(order)), list(map(words, order)))
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_xlabel(text)


def _caption(found: Sensitivity, names: list[str]) -> str:
    base = ", ".join(f"{name} {said(found.base.numbers[name], name)}" for name in names)
    text = (
        f"Headline numbers under {len(found.alone)} alternatives of {len(found.choices)} choices, one at a time, the "
        f"choice that moves a number most on top. The line is the base: {base}."
    )
    if found.drawn:
        text += (
            f" Grey: the central {100 * COVERAGE:g} % of {len(found.drawn)} analyses with all choices drawn together."
        )
    if found.left_out:
        text += f" Left out: {', '.join(found.left_out)}."
    return text


def _alt(found: Sensitivity, names: list[str]) -> str:
    most = [f"{name} moves most with {found.widest(name)[0]}" for name in names if found.widest(name)]
    return f"{len(names)} panels of horizontal bars, a bar for each choice, widest first; {'; '.join(most)}."
