"""The bifurcation of a sub-population: where its branches lie, and their actions pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ..mixtures.settings import Chemistry
from ..populations.bifurcation import ACTIONS, Bifurcation
from ..stars.variables import values
from . import captions
from . import style as look
from .picture import Picture, styled
from .regions import COLOURS, RIM

SEQUENTIAL = "viridis"
FRAME: dict[str, Any] = {"ec": "#b2182b", "fc": "none", "ls": (0, (4, 2)), "lw": 1.8}
LINE: dict[str, Any] = {"c": "#33bbee", "ls": (0, (4, 1.6)), "lw": 2.2}


@styled
def branches(stars: Any, result: Bifurcation, images: Chemistry | None = None) -> Picture:
    """Draw where the bifurcation lies, and the mean actions pixel by pixel on both sides of its line (Fig 14).

    Parameters
    ----------
    stars : Table
        The selection that the stars are from: the background.
    result : Bifurcation
        Its branches.
    images : Chemistry, optional
        Ranges of the abundances.
    """
    images = images or Chemistry()
    figure = Figure(figsize=(11.6, 7.4), layout="constrained")
    grid = figure.add_gridspec(2, 3)
    top = figure.add_subplot(grid[0, :2])
    x, y = values(stars, "FE_H"), values(stars, "MG_FE")
    edges = np.linspace(*images.limits["FE_H"], 121), np.linspace(*images.limits["MG_FE"], 91)
    number = np.histogram2d(x, y, edges)[0].T
    drawn = top.pcolormesh(
        *edges,
        np.ma.masked_equal(number, 0),
        cmap="Greys",
        norm=LogNorm(0.7, max(2, 2 * number.max())),
        rasterized=True,
    )
    if result.region:
        top.plot(result.fe_h, result.mg_fe, ".", c=COLOURS.get(result.region, look.LOW), ms=3, alpha=0.6, mew=0)
    (low_x, high_x), (low_y, high_y) = (e[[0, -1]] for e in result.edges)
    top.add_patch(Rectangle((low_x, low_y), high_x - low_x, high_y - low_y, **FRAME))
    line_x, line_y = np.array(result.line).T
    top.plot(line_x, line_y, **LINE)
    look.label(top, "FE_H", "MG_FE")
    top.set(xlim=images.limits["FE_H"], ylim=images.limits["MG_FE"], title=f"{len(x):,} stars")
    handles = [
        Line2D([], [], c=FRAME["ec"], ls=FRAME["ls"], lw=FRAME["lw"], label="the bifurcation"),
        Line2D([], [], label="between its branches", **LINE),
    ]
    if result.region:
        shade = COLOURS.get(result.region, look.LOW)
        text = f"{look.words(result.region)} by [Al/Fe]"
        handles.append(Line2D([], [], marker=".", ls="none", c=shade, ms=7, label=text))
    top.legend(handles=handles, loc="lower left")
    _branch_numbers(figure.add_subplot(grid[0, 2]), result)
    for j, name in enumerate(ACTIONS):
        axes = figure.add_subplot(grid[1, j])
        mean, scale = result.means[j], look.scale(name)
        known = mean[np.isfinite(mean)] / scale.factor
        low, high = np.percentile(known, [5, 95]) if known.size else (0.0, 1.0)
        signed = low < 0 < high
        norm: Normalize = TwoSlopeNorm(0, low, high) if signed else Normalize(low, high)
        axes.set_facecolor("0.93")
        drawn = axes.pcolormesh(
            *result.edges, np.ma.masked_invalid(mean / scale.factor), cmap="BrBG" if signed else SEQUENTIAL, norm=norm,
            rasterized=True,
        )  # fmt: skip
        axes.plot(line_x, line_y, path_effects=RIM, **LINE)
        look.label(axes, "FE_H", "MG_FE" if j == 0 else None)
        axes.set(xlim=(low_x, high_x), ylim=(low_y, high_y))
        figure.colorbar(drawn, ax=axes, label=f"mean {scale.label}", location="top", extend="both", aspect=28)
    where = f" that lie in the region {result.region}" if result.region else ""
    (above, below), names = result.statistics, [row.name for row in result.scan if row.differs]
    caption = (
        f"Above: {len(x):,} stars, the frame of the bifurcation and the line between its branches; coloured: the "
        f"{int(result.counts.sum()):,} stars of the frame{where}. Below: their mean actions in pixels of three stars "
        f"or more, grey where there are fewer; colours run from the 5th to the 95th percentile. J_r above and below "
        f"the line ({result.n_stars[0]:,} and {result.n_stars[1]:,} stars): median {above[0]:.0f} and {below[0]:.0f}, "
        f"mean {above[1]:.0f} and {below[1]:.0f}, standard deviation {above[2]:.0f} and {below[2]:.0f} kpc km/s. "
        f"Properties in which the branches differ, of {len(result.scan)} and corrected for that: "
        f"{', '.join(names) or 'none'}."
    )
    alt = (
        "Above: MG_FE against FE_H with the frame of the bifurcation and the line between its branches, and median, "
        "mean and standard deviation of the radial action on both sides of the line. Below: mean "
        f"{captions.spoken(ACTIONS)} by pixel."
    )
    return Picture(figure, caption, alt, result.tables()["pixels"])


def _branch_numbers(axes: Axes, result: Bifurcation) -> None:
    """Draw median, mean and standard deviation of J_r of both branches with their bootstrap errors."""
    scale = look.scale("J_r")
    for i, (name, shade, marker) in enumerate((("above", look.HIGH, "^"), ("below", look.LOW, "v"))):
        at = np.arange(3) + (i - 0.5) * 0.2
        y, error = result.statistics[i] / scale.factor, result.error[i] / scale.factor
        axes.errorbar(at, y, error, fmt=marker, c=shade, ms=7, capsize=3, label=f"{name} ({result.n_stars[i]:,})")
    axes.set_xticks(range(3), ["median", "mean", "std. dev."])
    axes.minorticks_off()
    axes.set_xlim(-0.5, 2.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(scale.label)
    axes.legend(loc="lower right")
