"""Four components: their weights on either side of the boundary above their images."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..products.boundary import Boundary
from ..products.four import Four
from . import captions, panels
from . import style as look
from .picture import Picture, styled


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
    names = captions.listed([part.names[j] for part, j in columns])
    alt = (
        f"{captions.panels(len(columns) * (1 + len(planes)))}, a column each for {names}: weights of the bins in "
        "energy and angular momentum on either side of the boundary, and images of "
        f"{captions.planes(four.fit.settings.chemistry)}."
    )
    return Picture(figure, _caption(four), alt, _weights(four))


def _caption(four: Four) -> str:
    chemistry = four.fit.settings.chemistry
    pixels, bins = f"{chemistry.pixels}{captions.TIMES}{chemistry.pixels}", four.settings.bins
    parts = [
        f"Components of the parts above (HE1, HE2) and below (LE1, LE2) the boundary: weights in {bins}{captions.TIMES}"
        f"{bins} equal-count bins of E, Lz, each divided by its maximum, and images in {captions.planes(chemistry)} "
        f"({pixels} pixels), "
        "square-root stretch from zero to each image's maximum. The outermost bins may reach beyond the frame. "
        "Titles: mass fractions within the part.",
        f"Line: where the sample was split; {four.filled:,} stars lie in Lz columns without a boundary of their own "
        + ("and were left out." if four.settings.fill == "drop" else "and were split at that of the nearest columns."),
    ]
    for part in four.parts:
        cut = captions.selected(part.cutflow, part.mixtures)
        parts.append(f"{captions.listed(part.names[::-1])}: {cut} {captions.ended(part)}")
    if four.disagree:
        others = captions.listed(four.disagree)
        parts.append(f"Ordered by {four.settings.order}; otherwise the order would be another in {others}.")
    return " ".join(parts)


def _line(axes: Any, boundary: Boundary) -> None:
    """Draw where the sample was split, over the width of the boundary's columns."""
    Lz = np.linspace(boundary.Lz_edges[0], boundary.Lz_edges[-1], 401)
    axes.plot(Lz / look.scale("Lz").factor, boundary(Lz) / look.scale("E").factor, c="k", lw=1.6, zorder=5)


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
