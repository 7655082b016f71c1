"""Pictures of finished products; the door to the other modules that import matplotlib.

What is drawn is computed elsewhere, but for the median tracks that `components` reads off a fit when it is given
none, and the counts of stars per cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..errors import UsageError
from ..fits.apply import Application
from ..fits.fit import Fit
from ..products.boundary import Boundary
from ..products.overview import Products
from ..products.profile import Profile
from ..products.tracks import Track, track
from ..products.tracks import Tracks as MedianTracks
from . import captions, panels
from . import style as look
from .checks import injections, reliabilities, simulations, stabilities
from .curves import densities, distance_fractions, eccentricities, energy_fractions, four_fractions
from .four import four_components, selection_maps
from .penalties import search
from .picture import Picture, save, styled
from .populations import aurora_maps, branches, energies, labelled_component
from .stars import chemistry, sample

__all__ = [
    "NAMES",
    "Picture",
    "aurora_maps",
    "branches",
    "chemistry",
    "components",
    "densities",
    "distance_fractions",
    "eccentricities",
    "energies",
    "energy_fractions",
    "every",
    "four_components",
    "four_fractions",
    "fractions",
    "injections",
    "labelled_component",
    "reliabilities",
    "sample",
    "save",
    "search",
    "selection_maps",
    "simulations",
    "stabilities",
    "summary",
]

NAMES = ("components", "fractions", "sample", "chemistry")
"""The figures that `every` draws; a fit alone makes the first."""

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


def every(products: Products) -> dict[str, Picture]:
    """Draw all of a fit's products; pictures by name, as in `NAMES`."""
    drawn = (
        components(products.fit, products.map, products.boundary),
        fractions(products.profile),
        sample(products.samples),
        chemistry(products.stars),
    )
    return dict(zip(NAMES, drawn, strict=True))


@styled
def components(
    fit: Fit,
    map_application: Application | None = None,
    boundary: Boundary | None = None,
    tracks: Tracks | None = None,
) -> Picture:
    """Draw a fit: the weights of its bins above the images of its components; beside them, how they compare.

    Parameters
    ----------
    fit : Fit
        Any number of components and planes, bins on one or two variables.
    map_application : Application, optional
        The fit applied to a grid of two variables; by default the one behind the boundary.
    boundary : Boundary, optional
        Drawn on the map where that is one of E and Lz.
    tracks : sequence of sequences of Track, optional
        Median tracks by component, then by plane; by default the fit's own, beside a map.

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
    _component_block(figure, grid, fit, shades)
    if map_application is not None:
        axes = figure.add_subplot(grid[0, k + 2])
        _map(figure, axes, figure.add_subplot(grid[0, k + 3]), map_application, boundary)
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
    return Picture(figure, captions.components(fit, map_application, boundary, tracks), data)


@styled
def fractions(profile: Profile, extra_bands: np.ndarray | None = None, truth: np.ndarray | None = None) -> Picture:
    """Draw the components' fractions along a variable, their crossings, and the stars of each bin.

    Parameters
    ----------
    profile : Profile
        What to draw.
    extra_bands : ndarray, shape (2, m, k), optional
        Lower and upper limits of the fractions, such as an ensemble gives.
    truth : ndarray, shape (m,), optional
        True fraction of the last component, known of a mock survey.

    Returns
    -------
    Picture

    Raises
    ------
    UsageError
        Bands or truth of another shape.
    """
    m, k = profile.application.W.shape
    _check_shape("extra_bands", extra_bands, (2, m, k), "limits, bins, components")
    _check_shape("truth", truth, (m,), "bins")
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    _profile(figure, figure.add_gridspec(2, 1, height_ratios=[4, 1]), profile, extra_bands, truth)
    text = captions.fractions(profile, extra_bands is not None, truth is not None)
    return Picture(figure, text, profile.table())


@styled
def summary(
    fit: Fit,
    map_application: Application | None,
    boundary: Boundary | None,
    profile: Profile,
    *,
    truth: np.ndarray | None = None,
    title: str | None = None,
) -> Picture:
    """Draw a fit on one page: its components, the map of their shares, and their fractions with crossings.

    Parameters
    ----------
    fit : Fit
        The components.
    map_application : Application or None
        The fit applied to a grid of two variables; None takes the one behind the boundary.
    boundary : Boundary or None
        Drawn on the map.
    profile : Profile
        Fractions against one variable.
    truth : ndarray, shape (m,), optional
        True fraction of the last component in the profile's bins, known of a mock survey.
    title : str, optional
        A line above; by default the selection, the number of stars and of bins.

    Returns
    -------
    Picture

    Raises
    ------
    UsageError
        Neither map nor boundary, a map on one variable, or a truth of another shape.
    """
    _check_shape("truth", truth, (len(profile.application.W),), "bins")
    if map_application is None:
        if boundary is None:
            raise UsageError("summary needs a map_application or a boundary, got neither.")
        map_application = boundary.application
    k, planes = len(fit.names), len(fit.mixtures.chemistry.planes)
    shades = look.colours(k)
    height = 1.0 + 2.6 * (1 + planes)
    left, right = 0.7 + 2.7 * k, 6.0
    figure = Figure(figsize=(left + right, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
    figure.suptitle(captions.headline(fit) if title is None else title, fontsize="x-large")
    parts: Any = figure.subfigures(1, 2, width_ratios=[left, right])
    grid = parts[0].add_gridspec(1 + planes, k + 1, width_ratios=[1.0] * k + [0.06])
    _component_block(parts[0], grid, fit, shades)
    grid = parts[1].add_gridspec(2, 2, width_ratios=[1.0, 0.04])
    axes = parts[1].add_subplot(grid[0, 0])
    _map(parts[1], axes, parts[1].add_subplot(grid[0, 1]), map_application, boundary)
    _profile(parts[1], grid[1, :].subgridspec(2, 1, height_ratios=[4, 1]), profile, None, truth)
    return Picture(figure, captions.summary(fit, map_application, boundary, profile, truth is not None))


def _component_block(figure: Any, grid: Any, fit: Fit, shades: Sequence[Any]) -> None:
    """Fill the first k + 1 columns of a grid: weights above images, their keys at the right."""
    images, k = fit.images, len(fit.names)
    planes = len(fit.mixtures.chemistry.planes)
    first: list[Any] = [None] * (1 + planes)
    for j, (name, share, shade) in enumerate(zip(fit.names, fit.mass_fractions, shades, strict=True)):
        for row in range(1 + planes):
            axes = figure.add_subplot(grid[row, j], sharex=first[row], sharey=first[row])
            first[row] = first[row] or axes
            if row == 0:
                drawn = panels.weights(axes, fit, j, shade)
                axes.set_title(f"{name}  {100 * share:.1f} %", color=shade, fontweight="bold", fontsize="x-large")
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


def _map(figure: Any, axes: Any, key: Any, application: Application, boundary: Boundary | None) -> None:
    bins = application.mixtures.bins
    if len(bins.axes) != 2:
        raise UsageError(f"a map has two variables; got {', '.join(str(axis) for axis in bins.axes)}.")
    drawn, handles = panels.share_map(axes, application)
    figure.colorbar(drawn, cax=key, label=panels.share_name(application.names))
    # two small legends, since few orbits reach the lower corners but many the middle between them
    if handles:
        axes.add_artist(axes.legend(handles=handles, loc="lower right", **BOXED))
    if boundary is not None and {axis.variable for axis in bins.axes} == {"E", "Lz"}:
        axes.legend(handles=panels.lines(axes, boundary), loc="lower left", **BOXED)


def _profile(figure: Any, grid: Any, profile: Profile, bands: np.ndarray | None, truth: np.ndarray | None) -> None:
    """Fill two rows of a grid: fractions above, stars of each bin below."""
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper)
    handles = panels.profile_lines(upper, profile, bands, truth)
    panels.star_counts(lower, profile)
    upper.tick_params(labelbottom=False)
    upper.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(5, len(handles)))
    figure.align_ylabels([upper, lower])


def _check_tracks(fit: Fit, tracks: Tracks) -> None:
    planes = list(fit.mixtures.chemistry.planes)
    if len(tracks) != len(fit.names) or any([track.plane for track in row] != planes for row in tracks):
        raise UsageError(
            f"tracks must hold one track per component ({len(fit.names)}) and plane ({', '.join(map(str, planes))}), "
            "in this order; make them with tracks.track(fit, component, image)."
        )


def _check_shape(name: str, array: np.ndarray | None, shape: tuple[int, ...], meaning: str) -> None:
    if array is not None and np.shape(array) != shape:
        raise UsageError(f"{name} must have shape {shape} ({meaning}), got {np.shape(array)}.")
