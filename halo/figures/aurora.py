"""Aurora: the mask of its branch, its chemistry over E and Lz, and both against each other."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..populations.aurora import PLANE, Aurora
from ..products.boundary import Boundary
from ..rounding import measured
from ..units import ENERGY
from . import captions, panels
from . import style as look
from .picture import Picture, styled

SEQUENTIAL = "viridis"


@styled
def aurora_maps(result: Aurora, boundary: Boundary | None = None, name: str = "LE1") -> Picture:
    """Draw Aurora's mask, the chemistry of its branch over E and Lz, and both against each other (Fig 15).

    Parameters
    ----------
    result : Aurora
        The branch.
    boundary : Boundary, optional
        Drawn on the maps; bins above it are red in the last panel, those below blue.
    name : str
        The component that made the mask.
    """
    figure = Figure(figsize=(10.6, 8.4), layout="constrained")
    first, second, third, fourth = figure.subplots(2, 2).ravel()
    chemistry, limits = result.chemistry, result.chemistry.limits
    extent = (*limits[PLANE.x], *limits[PLANE.y])
    peak = result.image.max() or 1.0
    first.imshow(
        result.image / peak, origin="lower", extent=extent, aspect="auto", interpolation="none",
        cmap="Greys", norm=PowerNorm(0.5, vmin=0, vmax=2.5),
    )  # fmt: skip
    first.imshow(
        np.ma.masked_equal(result.mask.astype(float), 0), origin="lower", extent=extent, aspect="auto",
        interpolation="none", cmap="gray", vmin=1, vmax=2,
    )  # fmt: skip
    look.label(first, PLANE.x, PLANE.y)
    first.set_title(f"the branch in {look.words(name)}: {result.n_stars.sum():,} stars")
    quantities = ((second, result.drawn_mean[0], "90th percentile of [Al/Fe] [dex]"),
                  (third, result.drawn_mean[1], "median [Fe/H] [dex]"))  # fmt: skip
    for axes, x, text in quantities:
        known = x[np.isfinite(x)]
        norm = Normalize(known.min(), known.max()) if known.size else Normalize(0, 1)
        drawn = panels.cells(axes, result.bins, x, SEQUENTIAL, norm)
        figure.colorbar(drawn, ax=axes, label=text)
        handles = [] if boundary is None else panels.lines(axes, boundary)[:1]
        handles += [panels.no_stars("too few stars")] if np.isnan(x).any() else []
        if boundary is not None:  # the paper draws ours alone
            for line in axes.lines[:2]:
                line.remove()
        if handles:
            axes.legend(handles=handles, loc="lower right", frameon=True, framealpha=0.9, edgecolor="none",
                        fontsize="small")  # fmt: skip
    _scatter(fourth, result, boundary)
    known, poor = np.isfinite(result.al_fe), int(result.metal_poor.sum())
    caption = (
        f"Black: pixels of {name} above 5 % of its maximum and below [Fe/H] = -1, {int(result.mask.sum())} of "
        f"{chemistry.pixels} x {chemistry.pixels}; grey: the whole component. Maps: means over {result.iterations:,} "
        f"bootstrap samples of the {result.n_stars.sum():,} stars of the branch, in {int(known.sum())} of "
        f"{len(result.bins)} bins; the others have too few. Last: both against each other; thin bars are bootstrap "
        "standard errors, thick ones the spread that the paper's removal of sqrt(N) stars gives, which is no standard "
        f"error. Triangles: {poor} retrograde bin{'s' * (poor != 1)} of distinctly low [Fe/H]."
    )
    E, drop = result.cut_off
    caption += f" The percentile drops by {drop:.2f} dex at {measured(E, ENERGY)}." if np.isfinite(E) else ""
    caption += "" if boundary is None else " Lines: the boundary E_b(Lz)."
    alt = (
        f"4 panels: the mask of the branch on the image of component {name} in {PLANE.y} against {PLANE.x}; maps of "
        "the 90th percentile of [Al/Fe] and of the median [Fe/H] over "
        f"{captions.spoken([axis.variable for axis in result.bins.axes])}"
        f"{'' if boundary is None else ' with the boundary'}; the two against each other with errors."
    )
    return Picture(figure, caption, alt, result.table())


def _scatter(axes: Axes, result: Aurora, boundary: Boundary | None) -> None:
    above = None if boundary is None else result.above(boundary)
    groups = ((slice(None), "0.25", ("o", "^"), "bins"),) if above is None else (
        (above, look.HIGH, ("o", "^"), "above the boundary"), (~above, look.LOW, ("s", "v"), "below it"),
    )  # fmt: skip
    handles = []
    for chosen, shade, (marker, triangle), text in groups:
        x, y = result.fe_h[chosen], result.al_fe[chosen]
        low = result.metal_poor[chosen]
        for spread, width in ((result.drawn_std, 0.8), (result.removed_std, 2.6)):
            dy, dx = spread[:, chosen]
            axes.errorbar(x, y, dy, dx, fmt="none", ecolor=shade, lw=width, alpha=0.6)
        axes.plot(x[~low], y[~low], marker, c=shade, ms=4.5, mec="w", mew=0.5)
        axes.plot(x[low], y[low], triangle, c=shade, ms=8.5, mec="k", mew=0.7)
        handles.append(Line2D([], [], marker=marker, ls="none", c=shade, label=text))
    if result.metal_poor.any():
        handles.append(
            Line2D([], [], marker="^", ls="none", c="0.5", mec="k", ms=8, label="triangles: retrograde, metal-poor")
        )
    axes.set_xlabel("median [Fe/H] [dex]")
    axes.set_ylabel("90th percentile of [Al/Fe] [dex]")
    axes.legend(handles=handles, loc="lower right", fontsize="small")
