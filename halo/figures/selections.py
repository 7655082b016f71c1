"""A halo selection compared with another: weights, map and boundary in E and Lz."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import UsageError
from ..fits.apply import Application
from ..fits.fit import Fit
from ..io.columns import described
from ..products.boundary import Boundary
from . import captions, panels
from . import style as look
from .picture import Picture, styled

DOTTED: dict[str, Any] = {"c": "k", "lw": 1.8, "ls": (0, (1.1, 1.3))}


@styled
def selection_maps(
    fit: Fit,
    application: Application,
    boundary: Boundary,
    other: Boundary | None = None,
    other_name: str = "chemically pure",
) -> Picture:
    """Draw a fit's weights and its map with its boundary, and that of another selection (the paper's Fig 4).

    Parameters
    ----------
    fit : Fit
        Such as that of the kinematically pure halo.
    application : Application
        The fit applied to a grid of Lz and E.
    boundary : Boundary
        The fit's: solid.
    other : Boundary, optional
        Another selection's: dotted.
    other_name : str
        The name of that selection.

    Raises
    ------
    UsageError
        A map of other variables.
    """
    if {axis.variable for axis in application.mixtures.bins.axes} != {"E", "Lz"}:
        raise UsageError("the map must be one of E and Lz.")
    k = len(fit.names)
    figure = Figure(figsize=(0.9 + 3.1 * (k + 1), 3.6), layout="constrained")
    grid = figure.add_gridspec(1, k + 4, width_ratios=[*[1.0] * k, 0.055, 0.02, 1.0, 0.055])
    first = None
    for j, (name, fraction) in enumerate(zip(fit.names, fit.mass_fractions, strict=True)):
        axes = figure.add_subplot(grid[0, j], sharex=first, sharey=first)
        first = first or axes
        shade = look.line_of(name, fit.settings.selection.name)["color"]
        drawn = panels.weights(axes, fit, j, shade)
        axes.set_title(f"{name}  {100 * fraction:.1f} %", color=shade, fontweight="bold", fontsize="x-large")
        if j > 0:
            axes.tick_params(labelleft=False)
            axes.set_ylabel("")
    if drawn is not None:
        figure.colorbar(drawn, cax=figure.add_subplot(grid[0, k]), label="weight / maximum")
    axes = figure.add_subplot(grid[0, k + 2])
    drawn, handles = panels.fraction_map(axes, application)
    figure.colorbar(drawn, cax=figure.add_subplot(grid[0, k + 3]), label=panels.fraction_name(application.reading))
    of_lines = panels.lines(axes, boundary)
    if other is not None:
        x, y = look.scale("Lz").factor, look.scale("E").factor
        axes.plot(other.Lz / x, other.smoothed / y, c="w", alpha=0.8, lw=3.6, zorder=6)
        axes.plot(other.Lz / x, other.smoothed / y, zorder=7, **DOTTED)
        of_lines.append(Line2D([], [], label=other_name, **DOTTED))
    # above: few orbits reach the lower corners, but this map is too small for a legend in them
    axes.legend(
        handles=[*of_lines, *handles],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
        fontsize="small",
        handlelength=2.2,
        columnspacing=1.0,
    )
    text = _caption(fit, application, boundary, None if other is None else other_name)
    dotted = "" if other is None else f", that of the {other_name} halo"
    alt = (
        f"{captions.panels(k + 1)}: weights of the bins in "
        f"{captions.spoken([axis.variable for axis in fit.mixtures.bins.axes])} of {captions.listed(fit.names)}, and a "
        f"map of the {panels.fraction_name(application.reading)} in energy and angular momentum with its boundary"
        f"{dotted} and the line of Belokurov & Kravtsov (2023)."
    )
    return Picture(figure, text, alt, _boundaries(boundary, other, other_name))


def _caption(fit: Fit, application: Application, boundary: Boundary, other: str | None) -> str:
    fractions = ", ".join(f"{name} {100 * x:.2f} %" for name, x in zip(fit.names, fit.mass_fractions, strict=True))
    parts = [
        f"{captions.headline(fit)}. {captions.selected(fit.cutflow, fit.mixtures)}",
        "Left: weights of the bins, each component divided by its maximum; the outermost equal-count bins may reach "
        f"beyond the frame. Mass fractions: {fractions}.",
        *captions.of_map(application, boundary),
    ]
    if other is not None:
        parts.append(f"Dotted: the boundary of the {other} halo.")
    return " ".join([*parts, captions.ended(fit)])


def _boundaries(boundary: Boundary, other: Boundary | None, other_name: str) -> QTable:
    table = boundary.table()
    if other is not None and np.array_equal(other.Lz_edges, boundary.Lz_edges):
        table[f"E_smoothed {other_name}"] = other.smoothed * table["E"].unit
    return described(table, "boundary")
