"""Regions of sub-populations: on a component's image, and the energies of their stars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from ..errors import UsageError
from ..fits.fit import Fit
from ..mixtures.settings import Chemistry
from ..populations.aurora import PLANE
from ..populations.regions import Region, RegionEnergies, outlines
from ..stars.variables import values
from . import captions
from . import style as look
from .picture import Picture, styled

COLOURS = {"Eos": "#882255", "Splash": "#33bbee", "Aurora": "#2166ac", "GS/E": "#b2182b"}
"""As the paper's purple, turquoise, blue and red; shades that the colour-blind tell apart."""
OTHERS = ("#3d9973", "#d4c02a", "#e06a20", "0.3")
"""Of regions by other names."""
DASHES = {"Eos": "-", "Splash": (0, (5, 1.5)), "Aurora": (0, (1.2, 1.2)), "GS/E": (0, (5, 1.2, 1, 1.2))}
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
    names = captions.listed([region.name for region in shown])
    alt = f"Image of component {name} in {PLANE.y} against {PLANE.x} with the outlines of the regions {names}."
    return Picture(figure, caption, alt, outlines(regions, PLANE))


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
        second.stairs(density, result.edges / unit, lw=2, label=f"{look.words(name)}  ({result.n_stars[j]:,})", **style)
        offset = (j - 1.5) * 0.06 * (middle[1] - middle[0])
        second.errorbar(middle + offset, density, error, fmt="none", ecolor=shades[name], elinewidth=1.2)
        if j > 0:
            ratio, spread = result.ratio[j], result.ratio_error[j]
            third.errorbar(
                middle + offset, ratio, spread, marker=look.MARKERS[j], ms=5, lw=1.8, elinewidth=1.2,
                label=f"{look.words(result.names[0])} / {look.words(name)}", **style,
            )  # fmt: skip
    for axes, text in ((second, "fraction of the stars per $10^5$ km$^2$ s$^{-2}$"), (third, "ratio of the fractions")):
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
        "fractions of each selection, with counting errors; outside the range of energies are "
        f"{', '.join(f'{n:,} of {name}' for n, name in zip(result.outside, result.names, strict=True))}. Right: the "
        f"fraction of {result.names[0]} over that of the others, where both have stars. Kolmogorov-Smirnov distance "
        f"from {result.names[0]}: {said}; nearest: {result.nearest}, as in "
        f"{100 * result.support[result.names.index(result.nearest)]:.0f} % of the bootstrap draws."
    )
    alt = (
        f"3 panels: the regions {captions.listed(result.names)} over the stars in {PLANE.y} against {PLANE.x}; the "
        f"energy distributions of their stars; the ratio of that of {result.names[0]} to each of the others."
    )
    return Picture(figure, caption, alt, result.table())


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
            style = {"c": shades[region.name], "ha": "center", "va": "center", "fontweight": "bold"}
            axes.text(x, y, look.words(region.name), path_effects=RIM, **style)


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
