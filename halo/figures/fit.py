"""A fit: weights of the bins above images of the components, and how the components compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ..errors import UsageError
from ..fits.apply import Application
from ..fits.fit import Fit, percentages
from ..products.boundary import Boundary
from ..products.tracks import Track, track
from ..products.tracks import Tracks as MedianTracks
from . import captions, panels
from . import style as look
from .picture import Picture, styled

BOXED: dict[str, Any] = {
    "frameon": True,
    "framealpha": 0.9,
    "edgecolor": "none",
    "borderpad": 0.4,
    "borderaxespad": 0.3,
    "fontsize": "small",
    "handlelength": 1.8,
    "handletextpad": 0.5,
}
Tracks = Sequence[Sequence[Track]]
"""Tracks by component, then by plane."""


@styled
def components(
    fit: Fit,
    map_application: Application | None = None,
    boundary: Boundary | None = None,
    tracks: Tracks | None = None,
) -> Picture:
    """Draw a fit: the weights of its bins above the images of its components, and how the components compare.

    Parameters
    ----------
    fit : Fit
        Any number of components and planes, bins on one or two variables.
    map_application : Application, optional
        The fit applied to a grid of two variables; by default the one behind the boundary.
    boundary : Boundary, optional
        Drawn on the map where that is one of E and Lz.
    tracks : sequence of sequences of Track, optional
        Median tracks by component, then by plane; by default the fit's own where there is a map.

    Returns
    -------
    Picture

    Raises
    ------
    UsageError
        A map on one variable, or tracks that are not the fit's.
    """
    if map_application is None and boundary is not None:
        map_application = boundary.application
    k, planes = len(fit.names), len(fit.mixtures.chemistry.planes)
    if map_application is not None and tracks is None:
        tracks = [[track(fit, j, i) for i in range(planes)] for j in range(k)]
    beside = tracks is not None
    shades = look.colours(k)
    # columns: components, their key, and then a spacer, the comparison, its key
    ratios = [1.0] * k + [0.055] + ([0.02, 1.0, 0.055] if beside else [])
    figure = Figure(figsize=(0.9 + 3.1 * (k + beside), 0.5 + 2.75 * (1 + planes)), layout="constrained")
    grid = figure.add_gridspec(1 + planes, len(ratios), width_ratios=ratios)
    component_block(figure, grid, fit, shades)
    if map_application is not None:
        axes = figure.add_subplot(grid[0, k + 2])
        fraction_map(figure, axes, figure.add_subplot(grid[0, k + 3]), map_application, boundary)
    if tracks is not None:
        _check_tracks(fit, tracks)
        for i in range(planes):
            axes = figure.add_subplot(grid[1 + i, k + 2])
            panels.tracks(axes, [row[i] for row in tracks], fit.names, shades)
            limits = fit.mixtures.chemistry.limits
            axes.set(xlim=limits[tracks[0][i].plane.x], ylim=limits[tracks[0][i].plane.y])
            if i == 0:
                axes.set_title("median tracks and MAD")
                axes.legend(loc="lower right", ncols=2 if k > 2 else 1)
    data = None if tracks is None else MedianTracks(fit.names, tracks).table()
    caption = components_caption(fit, map_application, boundary, tracks)
    return Picture(figure, caption, _alt(fit, map_application, boundary, tracks is not None), data)


def components_caption(fit: Fit, application: Application | None, boundary: Boundary | None, tracks: Any) -> str:
    """Return the caption of `components`."""
    mixtures, planes = fit.mixtures, captions.planes(fit.mixtures.chemistry)
    pixels = mixtures.chemistry.pixels
    parts = [
        f"{captions.headline(fit)}. {captions.selected(fit.cutflow, mixtures)}",
        "Top: weights of the bins, each component divided by its maximum. "
        f"Below: the components' images in {planes} ({pixels}{captions.TIMES}{pixels} pixels), "
        "square-root stretch from zero to each image's maximum.",
        f"Titles: mass fractions, {percentages(fit.names, fit.mass_fractions)}.",
    ]
    if fit.reading.nameless:
        parts.append(f"Read as accreted: {fit.reading.label}, {100 * fit.accreted_fraction:.2f} %.")
    if not all(axis.regular for axis in mixtures.bins.axes):
        parts.append("The outermost equal-count bins may reach beyond the frame.")
    if mixtures.empty_bins:
        parts.append(f"{mixtures.empty_bins} bins without stars are hatched.")
    parts += captions.of_map(application, boundary)
    if tracks is not None:
        parts.append("Median tracks of the components, with bands of the median absolute deviation.")
    return " ".join([*parts, captions.ended(fit)]).strip()


def _alt(fit: Fit, application: Application | None, boundary: Boundary | None, beside: bool) -> str:
    planes, names = fit.mixtures.chemistry.planes, fit.names
    axes = captions.spoken([axis.variable for axis in fit.mixtures.bins.axes])
    columns = [*names, *["their comparison"] * beside]
    number = captions.panels(len(columns) * (1 + len(planes)))
    each = "a column each for" if len(columns) > 1 else "a column for"
    line = " with the boundary and the line of Belokurov & Kravtsov (2023)" if boundary is not None else ""
    and_map = f" and a map of the {panels.fraction_name(fit.reading)}{line}" if application is not None else ""
    return (
        f"{number}, {each} {captions.listed(columns)}: weights of the bins in {axes}{and_map}; "
        f"images of {captions.planes(fit.mixtures.chemistry)}{', and median tracks with bands' if beside else ''}."
    )


def component_block(figure: Any, grid: Any, fit: Fit, shades: Sequence[Any]) -> None:
    """Fill the first k + 1 columns of a grid: weights above images, their keys at the right."""
    images, k = fit.images, len(fit.names)
    planes = len(fit.mixtures.chemistry.planes)
    first: list[Any] = [None] * (1 + planes)
    for j, (name, fraction, shade) in enumerate(zip(fit.names, fit.mass_fractions, shades, strict=True)):
        for row in range(1 + planes):
            axes = figure.add_subplot(grid[row, j], sharex=first[row], sharey=first[row])
            first[row] = first[row] or axes
            if row == 0:
                drawn = panels.weights(axes, fit, j, shade)
                axes.set_title(f"{name}  {100 * fraction:.1f} %", color=shade, fontweight="bold", fontsize="x-large")
            else:
                panels.image(axes, fit.mixtures.chemistry, row - 1, images[j, row - 1], shade)
            if j > 0:
                axes.tick_params(labelleft=False)
                axes.set_ylabel("")
    if drawn is not None:
        figure.colorbar(drawn, cax=figure.add_subplot(grid[0, k]), label="weight / maximum")
        if (fit.mixtures.n_stars == 0).any():
            first[0].legend(handles=[panels.no_stars()], loc="lower right")
    for row in range(1, 1 + planes):
        panels.image_key(figure.add_subplot(grid[row, k]), shades)


def fraction_map(figure: Any, axes: Any, key: Any, application: Application, boundary: Boundary | None) -> None:
    """Draw the map of fractions with its key, its legend and, where it is one of E and Lz, the boundary.

    Raises
    ------
    UsageError
        A map on one variable.
    """
    bins = application.mixtures.bins
    if len(bins.axes) != 2:
        raise UsageError(f"a map has two variables; got {', '.join(str(axis) for axis in bins.axes)}.")
    drawn, handles = panels.fraction_map(axes, application)
    figure.colorbar(drawn, cax=key, label=panels.fraction_name(application.reading))
    # two small legends, since few orbits reach the lower corners but many the middle between them
    if handles:
        axes.add_artist(axes.legend(handles=handles, loc="lower right", **BOXED))
    if boundary is not None and {axis.variable for axis in bins.axes} == {"E", "Lz"}:
        axes.legend(handles=panels.lines(axes, boundary), loc="lower left", **BOXED)


def _check_tracks(fit: Fit, tracks: Tracks) -> None:
    planes = list(fit.mixtures.chemistry.planes)
    if len(tracks) != len(fit.names) or any([track.plane for track in row] != planes for row in tracks):
        raise UsageError(
            f"tracks must hold one track per component ({len(fit.names)}) and plane ({', '.join(map(str, planes))}), "
            "in this order; make them with halo.tracks(fit)."
        )
