"""Pictures of sub-populations: regions on a component, their energies, Eos's branches, Aurora (Fig 12-15)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, PowerNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle

from ..errors import UsageError
from ..fits.fit import Fit
from ..mixtures.settings import Chemistry
from ..populations.aurora import PLANE, Aurora
from ..populations.bifurcation import ACTIONS, Bifurcation
from ..populations.regions import Region, RegionEnergies, outlines
from ..products.boundary import Boundary
from ..stars.variables import values
from . import panels
from . import style as look
from .picture import Picture, styled

COLOURS = {"Eos": "#882255", "Splash": "#33bbee", "Aurora": "#2166ac", "GS/E": "#b2182b"}
"""As the paper's purple, turquoise, blue and red; shades that the colour-blind tell apart."""
OTHERS = ("#44aa88", "#d4c02a", "#e06a20", "0.3")
"""Of regions by other names."""
DASHES = {"Eos": "-", "Splash": (0, (5, 1.5)), "Aurora": (0, (1.2, 1.2)), "GS/E": (0, (5, 1.2, 1, 1.2))}
SEQUENTIAL = "viridis"
FRAME: dict[str, Any] = {"ec": "#b2182b", "fc": "none", "ls": (0, (4, 2)), "lw": 1.8}
LINE: dict[str, Any] = {"c": "#33bbee", "ls": (0, (4, 1.6)), "lw": 2.2}
RIM = [patheffects.withStroke(linewidth=3.5, foreground="white")]


def colours(names: Any) -> dict[str, Any]:
    """Return a colour for every region."""
    left = iter(OTHERS * 9)
    return {name: COLOURS.get(name) or next(left) for name in names}


@styled
def labelled_component(fit: Fit, component: int, regions: Mapping[str, Region]) -> Picture:
    """Draw a component's image of [Al/Fe] against [Fe/H] with the regions of sub-populations on it (Fig 12).

    Parameters
    ----------
    fit : Fit
        With such an image.
    component : int
        Which: HE2 in the paper.
    regions : mapping of str to Region
        Those of other planes are left out.

    Raises
    ------
    UsageError
        No such image.
    """
    chemistry = fit.mixtures.chemistry
    if PLANE not in chemistry.planes:
        raise UsageError(f"the figure needs the plane {PLANE}; the fit has {', '.join(map(str, chemistry.planes))}.")
    image = fit.images[component, chemistry.planes.index(PLANE)]
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.add_subplot()
    extent = (*chemistry.limits[PLANE.x], *chemistry.limits[PLANE.y])
    drawn = axes.imshow(
        image / (image.max() or 1.0),
        origin="lower",
        extent=extent,
        aspect="auto",
        interpolation="none",
        cmap="Greys",
        norm=PowerNorm(0.5, vmin=0, vmax=1),
    )
    figure.colorbar(drawn, label="density / maximum, sqrt scale")
    shown = [region for region in regions.values() if region.plane == PLANE]
    _outline(axes, shown, label=True)
    look.label(axes, PLANE.x, PLANE.y)
    _zoom(axes, shown, chemistry)
    name = fit.names[component]
    axes.set_title(name)
    caption = (
        f"Component {name} of {int(fit.mixtures.n_stars.sum()):,} stars ({', '.join(fit.cutflow.names) or 'no cut'}): "
        f"{PLANE.y} against {PLANE.x}, {chemistry.pixels} pixels a side, square-root stretch; outlines: "
        f"{', '.join(region.name for region in shown)}, selections of the region file. The frame is cut around them."
    )
    return Picture(figure, caption, outlines(regions, PLANE))


@styled
def energies(
    stars: Any, regions: Mapping[str, Region], result: RegionEnergies, images: Chemistry | None = None
) -> Picture:
    """Draw the selections, the energy distributions of their stars, and the reference's over the others' (Fig 13).

    Parameters
    ----------
    stars : Table
        Those that were selected from.
    regions : mapping of str to Region
        The selections.
    result : RegionEnergies
        Of them.
    images : Chemistry, optional
        Ranges of the abundances.
    """
    images = images or Chemistry()
    figure = Figure(figsize=(13.2, 4.2), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    x, y = values(stars, PLANE.x), values(stars, PLANE.y)
    edges = tuple(np.linspace(*images.limits[name], 101) for name in (PLANE.x, PLANE.y))
    number = np.histogram2d(x, y, edges)[0].T
    greys = mpl.colormaps["Greys"]
    first.pcolormesh(
        *edges, np.ma.masked_equal(number, 0), cmap=greys, norm=LogNorm(0.7, max(2, 2 * number.max())), rasterized=True
    )
    _outline(first, [region for region in regions.values() if region.plane == PLANE], label=True)
    look.label(first, PLANE.x, PLANE.y)
    first.set(xlim=images.limits[PLANE.x], ylim=images.limits[PLANE.y], title=f"{len(x):,} stars")
    shades, unit = colours(result.names), look.scale("E").factor
    middle = 0.5 * (result.edges[:-1] + result.edges[1:]) / unit
    for j, name in enumerate(result.names):
        style: dict[str, Any] = {"color": shades[name], "linestyle": DASHES.get(name, "-")}
        density, error = result.density[j], result.density_error[j]
        second.stairs(density, result.edges / unit, lw=2, label=f"{name}  ({result.n_stars[j]:,})", **style)
        offset = (j - 1.5) * 0.06 * (middle[1] - middle[0])
        second.errorbar(middle + offset, density, error, fmt="none", ecolor=shades[name], elinewidth=1.2)
        if j > 0:
            ratio, spread = result.ratio[j], result.ratio_error[j]
            third.errorbar(
                middle + offset, ratio, spread, marker=look.MARKERS[j], ms=5, lw=1.8, elinewidth=1.2,
                label=f"{result.names[0]} / {name}", **style,
            )  # fmt: skip
    for axes, text in ((second, "share of the stars per $10^5$ km$^2$ s$^{-2}$"), (third, "ratio of the shares")):
        look.label(axes, "E")
        axes.set_ylabel(text)
        axes.set_xlim(*(result.edges[[0, -1]] / unit))
        axes.legend(loc="upper left" if axes is second else "best")
    second.set_ylim(0, 1.35 * np.nanmax(result.density + result.density_error))
    third.axhline(1, c="0.45", lw=0.9, ls=(0, (1, 2)), zorder=0)
    third.set_yscale("log")
    ratios = result.ratio[1:][np.isfinite(result.ratio[1:])]
    if ratios.size:
        third.set_ylim(0.4 * ratios.min(), 3 * ratios.max())
    said = "; ".join(
        f"{name} {result.distance[j]:.3f} (p = {result.p_value[j]:.1g})" for j, name in enumerate(result.names) if j > 0
    )
    caption = (
        f"Left: {len(x):,} stars and the selections. Middle: energies of the selected stars in {len(middle)} bins, as "
        "shares of each selection, with counting errors; outside the range of energies are "
        f"{', '.join(f'{n:,} of {name}' for n, name in zip(result.outside, result.names, strict=True))}. Right: the "
        f"share of {result.names[0]} over that of the others, where both have stars. Kolmogorov-Smirnov distance from "
        f"{result.names[0]}: {said}; nearest: {result.nearest}, as in "
        f"{100 * result.support[result.names.index(result.nearest)]:.0f} % of the bootstrap draws."
    )
    return Picture(figure, caption, result.table())


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
        handles.append(Line2D([], [], marker=".", ls="none", c=shade, ms=7, label=f"{result.region} by [Al/Fe]"))
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
            *result.edges, np.ma.masked_invalid(mean / scale.factor), cmap="PuOr" if signed else SEQUENTIAL, norm=norm,
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
    return Picture(figure, caption, result.tables()["pixels"])


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
    first.set_title(f"the branch in {name}: {result.n_stars.sum():,} stars")
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
    known = np.isfinite(result.al_fe)
    caption = (
        f"Black: pixels of {name} above 5 % of its maximum and below [Fe/H] = -1, {int(result.mask.sum())} of "
        f"{chemistry.pixels} x {chemistry.pixels}; grey: the whole component. Maps: means over {result.iterations:,} "
        f"bootstrap samples of the {result.n_stars.sum():,} stars of the branch, in {int(known.sum())} of "
        f"{len(result.bins)} bins; the others have too few. Last: both against each other; thin bars are bootstrap "
        "standard errors, thick ones the spread that the paper's removal of sqrt(N) stars gives, which is no standard "
        f"error. Triangles: {int(result.metal_poor.sum())} retrograde bins of distinctly low [Fe/H]."
    )
    E, drop = result.cut_off
    caption += f" The percentile drops by {drop:.2f} dex at E = {E:.4g} km2/s2." if np.isfinite(E) else ""
    caption += "" if boundary is None else " Lines: the boundary E_b(Lz)."
    return Picture(figure, caption, result.table())


def _scatter(axes: Axes, result: Aurora, boundary: Boundary | None) -> None:
    above = None if boundary is None else result.above(boundary)
    groups = ((slice(None), "0.25", "bins"),) if above is None else (
        (above, look.HIGH, "above the boundary"), (~above, look.LOW, "below it"),
    )  # fmt: skip
    handles = []
    for chosen, shade, text in groups:
        x, y = result.fe_h[chosen], result.al_fe[chosen]
        low = result.metal_poor[chosen]
        for spread, width in ((result.drawn_std, 0.8), (result.removed_std, 2.6)):
            dy, dx = spread[:, chosen]
            axes.errorbar(x, y, dy, dx, fmt="none", ecolor=shade, lw=width, alpha=0.6)
        axes.plot(x[~low], y[~low], "o", c=shade, ms=4.5, mec="w", mew=0.5)
        axes.plot(x[low], y[low], "^", c=shade, ms=8.5, mec="k", mew=0.7)
        handles.append(Line2D([], [], marker="o", ls="none", c=shade, label=text))
    if result.metal_poor.any():
        handles.append(Line2D([], [], marker="^", ls="none", c="0.5", mec="k", ms=8, label="retrograde, metal-poor"))
    axes.set_xlabel("median [Fe/H] [dex]")
    axes.set_ylabel("90th percentile of [Al/Fe] [dex]")
    axes.legend(handles=handles, loc="lower right", fontsize="small")


def _outline(axes: Axes, regions: Any, *, label: bool) -> None:
    shades = colours(region.name for region in regions)
    for region in regions:
        if region.polygon is None:
            continue
        axes.add_patch(Polygon(region.polygon, closed=True, fc="none", ec="w", lw=4, alpha=0.8))
        dashes = DASHES.get(region.name, "-")
        axes.add_patch(Polygon(region.polygon, closed=True, fc="none", ec=shades[region.name], lw=2.2, ls=dashes))
        if label:
            x, y = region.polygon.mean(axis=0)
            axes.text(
                x, y, region.name, c=shades[region.name], ha="center", va="center", fontweight="bold", path_effects=RIM
            )


def _zoom(axes: Axes, regions: Any, chemistry: Chemistry) -> None:
    """Limit the frame to the regions and some room around them."""
    polygons = [region.polygon for region in regions if region.polygon is not None]
    if not polygons:
        return
    low, high = (f(np.concatenate(polygons), axis=0) for f in (np.min, np.max))
    room = 0.2 * (high - low)
    x, y = chemistry.limits[PLANE.x], chemistry.limits[PLANE.y]
    axes.set_xlim(max(x[0], low[0] - room[0]), min(x[1], high[0] + room[0]))
    axes.set_ylim(max(y[0], low[1] - room[1]), min(y[1], high[1] + room[1]))
