"""Pictures of weights on bins of E and Lz: a selection beside another's boundary, and four components with images."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import UsageError
from ..fits.apply import Application
from ..fits.fit import Fit
from ..products.boundary import Boundary
from ..products.four import Four
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
        What that is.

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
    for j, (name, share) in enumerate(zip(fit.names, fit.mass_fractions, strict=True)):
        axes = figure.add_subplot(grid[0, j], sharex=first, sharey=first)
        first = first or axes
        shade = look.line_of(name, fit.settings.selection.name)["color"]
        drawn = panels.weights(axes, fit, j, shade)
        axes.set_title(f"{name}  {100 * share:.1f} %", color=shade, fontweight="bold", fontsize="x-large")
        if j > 0:
            axes.tick_params(labelleft=False)
            axes.set_ylabel("")
    if drawn is not None:
        figure.colorbar(drawn, cax=figure.add_subplot(grid[0, k]), label="weight / maximum")
    axes = figure.add_subplot(grid[0, k + 2])
    drawn, handles = panels.share_map(axes, application)
    figure.colorbar(drawn, cax=figure.add_subplot(grid[0, k + 3]), label=panels.share_name(application.names))
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
    text = captions.selection_maps(fit, application, boundary, None if other is None else other_name)
    return Picture(figure, text, _boundaries(boundary, other, other_name))


@styled
def four_components(four: Four) -> Picture:
    """Draw four components from high to low energy: weights above their images in every plane (the paper's Fig 5)."""
    planes = four.fit.settings.chemistry.planes
    columns = [(part, j) for part in four.parts for j in (1, 0)]
    figure = Figure(figsize=(1.2 + 2.75 * len(columns), 0.5 + 2.6 * (1 + len(planes))), layout="constrained")
    grid = figure.add_gridspec(1 + len(planes), len(columns) + 1, width_ratios=[*[1.0] * len(columns), 0.07])
    first: list[Any] = [None] * (1 + len(planes))
    shades = [look.line_of(part.names[j])["color"] for part, j in columns]
    frames = [[panels.frame(part.mixtures.bins, i) for i in (1, 0)] for part in four.parts]
    for i, ((part, j), shade) in enumerate(zip(columns, shades, strict=True)):
        for row in range(1 + len(planes)):
            axes = figure.add_subplot(grid[row, i], sharex=first[row], sharey=first[row])
            first[row] = first[row] or axes
            if row == 0:
                drawn = panels.weights(axes, part, j, shade)
                _line(axes, four.boundary)
                axes.set_title(
                    f"{part.names[j]}  {100 * part.mass_fractions[j]:.1f} %",
                    color=shade,
                    fontweight="bold",
                    fontsize="x-large",
                )
            else:
                panels.image(axes, part.settings.chemistry, row - 1, part.images[j, row - 1], shade)
            if i > 0:
                axes.tick_params(labelleft=False)
                axes.set_ylabel("")
    for k, limit in enumerate((first[0].set_xlim, first[0].set_ylim)):
        limit(min(frame[k][0] for frame in frames), max(frame[k][1] for frame in frames))
    figure.colorbar(drawn, cax=figure.add_subplot(grid[0, -1]), label="weight / maximum")
    for row in range(1, 1 + len(planes)):
        panels.image_key(figure.add_subplot(grid[row, -1]), (shades[0], shades[2]))
    first[0].legend(handles=[Line2D([], [], c="k", lw=1.6, label="boundary")], loc="lower left", fontsize="small")
    return Picture(figure, captions.four_components(four), _weights(four))


def _line(axes: Any, boundary: Boundary) -> None:
    """Draw where the sample was split, over the width of the boundary's columns."""
    Lz = np.linspace(boundary.Lz_edges[0], boundary.Lz_edges[-1], 401)
    axes.plot(Lz / look.scale("Lz").factor, boundary(Lz) / look.scale("E").factor, c="k", lw=1.6, zorder=5)


def _boundaries(boundary: Boundary, other: Boundary | None, other_name: str) -> QTable:

    table = boundary.table()
    if other is not None and np.array_equal(other.Lz_edges, boundary.Lz_edges):
        table[f"E_smoothed {other_name}"] = other.smoothed * table["E"].unit
    return table


def _weights(four: Four) -> QTable:
    """One row per bin of either part: its edges, stars and the weights of the part's two components."""
    table = QTable()
    bounds = np.concatenate([part.mixtures.bins.bounds for part in four.parts])
    table["part"] = [name for name, part in zip(("HE", "LE"), four.parts, strict=True) for _ in part.W]
    for i, (variable, unit) in enumerate((("E", "km2 / s2"), ("Lz", "kpc km / s"))):
        for side, name in enumerate(("lower", "upper")):
            table[f"{name}_{variable}"] = bounds[:, i, side]
            table[f"{name}_{variable}"].unit = unit
    table["n_stars"] = np.concatenate([part.mixtures.n_stars for part in four.parts])
    table["weight_1"], table["weight_2"] = np.concatenate([part.W[:, ::-1] for part in four.parts]).T
    return table
