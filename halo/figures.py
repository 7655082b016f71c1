"""Pictures of finished products: draws, computes nothing. With its panels, the only import of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from . import captions, panels
from .boundary import Boundary
from .errors import InputError, UsageError
from .mixtures import Chemistry
from .model import Application, Fit
from .picture import Picture, save, styled
from .profile import Profile
from .tracks import Track
from .variables import values

__all__ = ["Picture", "chemistry", "components", "fractions", "sample", "save", "summary"]

POINTS_BELOW = 3000
"""Samples all smaller than this are drawn star by star, larger ones as densities."""

Tracks = Sequence[Sequence[Track]]
"""Tracks by component, then by plane."""


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
        Median tracks by component, then by plane.

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
    beside = map_application is not None or tracks is not None
    k, planes = len(fit.names), len(fit.mixtures.chemistry.planes)
    shades = panels.colours(k)
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
    return Picture(figure, captions.components(fit, map_application, boundary, tracks))


@styled
def fractions(profile: Profile, extra_bands: np.ndarray | None = None) -> Picture:
    """Draw the components' fractions along a variable, their crossings, and the stars of each bin.

    Parameters
    ----------
    profile : Profile
        What to draw.
    extra_bands : ndarray, shape (2, m, k), optional
        Lower and upper limits of the fractions, such as an ensemble gives.

    Returns
    -------
    Picture

    Raises
    ------
    UsageError
        Bands of another shape.
    """
    shape = (2, *profile.application.W.shape)
    if extra_bands is not None and np.shape(extra_bands) != shape:
        raise UsageError(
            f"extra_bands must have shape {shape} (limits, bins, components), got {np.shape(extra_bands)}."
        )
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    _profile(figure, figure.add_gridspec(2, 1, height_ratios=[4, 1], hspace=0.02), profile, extra_bands)
    return Picture(figure, captions.fractions(profile, extra_bands is not None))


@styled
def sample(tables: Mapping[str, Any]) -> Picture:
    """Draw samples of stars side by side in energy and angular momentum.

    Parameters
    ----------
    tables : mapping of str to Table
        Prepared stars by title, such as "all", "chemically pure", "kinematically pure".

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        No star with E and Lz in any table.
    """
    points = [_finite(values(t, "Lz") / 1e3, values(t, "E") / 1e5) for t in tables.values()]
    limits = _limits([np.concatenate(both) for both in zip(*points, strict=True)]) if points else []
    titles = [f"{title}\n$N$ = {len(x):,}" for title, (x, _) in zip(tables, points, strict=True)]
    figure, outside = _densities(points, [("Lz", "E")] * len(points), [limits] * len(points), titles)
    return Picture(figure, captions.sample(list(tables), [len(x) for x, _ in points], outside))


@styled
def chemistry(table: Any, max_fe_h: float = -1.1, images: Chemistry | None = None) -> Picture:
    """Draw stars in abundance planes, with the line of the chemical cut.

    Parameters
    ----------
    table : Table
        Prepared stars.
    max_fe_h : float
        Where the dashed line stands, dex.
    images : Chemistry, optional
        Planes and their ranges; the paper's by default.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        No star with these abundances.
    """
    images = images or Chemistry()
    names = [(plane.x, plane.y) for plane in images.planes]
    points = [_finite(values(table, x), values(table, y)) for x, y in names]
    limits = [[images.limits[x], images.limits[y]] for x, y in names]
    figure, outside = _densities(points, names, limits, [f"$N$ = {len(x):,}" for x, _ in points])
    for axes, (x, _) in zip(figure.axes, names, strict=False):
        if x == "FE_H":
            axes.axvline(max_fe_h, c=panels.HIGH, ls="--", lw=2)
    return Picture(figure, captions.chemistry(len(table), images, outside, max_fe_h))


@styled
def summary(
    fit: Fit,
    map_application: Application | None,
    boundary: Boundary | None,
    profile: Profile,
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
    title : str, optional
        A line above; by default the selection, the number of stars and of bins.

    Returns
    -------
    Picture
    """
    if map_application is None:
        if boundary is None:
            raise UsageError("summary needs a map_application or a boundary, got neither.")
        map_application = boundary.application
    k, planes = len(fit.names), len(fit.mixtures.chemistry.planes)
    shades = panels.colours(k)
    height = 1.0 + 2.6 * (1 + planes)
    left, right = 0.7 + 2.7 * k, 6.0
    figure = Figure(figsize=(left + right, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    figure.suptitle(captions.headline(fit) if title is None else title, fontsize="x-large")
    parts = figure.subfigures(1, 2, width_ratios=[left, right])
    grid = parts[0].add_gridspec(1 + planes, k + 1, width_ratios=[1.0] * k + [0.06])
    _component_block(parts[0], grid, fit, shades)
    grid = parts[1].add_gridspec(3, 2, width_ratios=[1.0, 0.04], height_ratios=[5, 4, 1], hspace=0.02)
    _map(parts[1], parts[1].add_subplot(grid[0, 0]), parts[1].add_subplot(grid[0, 1]), map_application, boundary)
    _profile(parts[1], grid[1:, 0], profile, None)
    return Picture(figure, captions.summary(fit, map_application, boundary, profile))


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
    drawn = panels.share_map(axes, application)
    figure.colorbar(drawn, cax=key, label=panels.share_name(application.names))
    handles: list[Any] = []
    if boundary is not None and {axis.variable for axis in bins.axes} == {"E", "Lz"}:
        handles += panels.lines(axes, boundary)
    if np.isnan(application.fractions).any():
        handles.append(panels.no_stars())
    if handles:
        axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1.2)


def _profile(figure: Any, place: Any, profile: Profile, bands: np.ndarray | None) -> None:
    grid = place.subgridspec(2, 1, height_ratios=[4, 1], hspace=0.02) if hasattr(place, "subgridspec") else place
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper)
    names = profile.application.names
    panels.profile_lines(upper, profile, panels.colours(len(names)), bands)
    panels.star_counts(lower, profile)
    upper.tick_params(labelbottom=False)
    handles, _ = upper.get_legend_handles_labels()
    n_stars = profile.application.mixtures.n_stars
    if ((n_stars > 0) & (n_stars < profile.min_stars)).any():
        text = f"fewer than {profile.min_stars} stars"
        handles.append(Line2D([], [], ls="none", marker="o", ms=5, mec="0.4", mfc="w", label=text))
    if any(crossing.at for crossing in profile.crossings):
        text = f"{names[-1]} crosses"
        handles.append(Line2D([], [], ls="none", marker="D", ms=6.5, mec="k", mfc="w", mew=1.3, label=text))
    upper.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(handles), columnspacing=1.4)
    figure.align_ylabels([upper, lower])


def _densities(points: list[Any], names: list[Any], limits: list[Any], titles: list[str]) -> tuple[Figure, list[int]]:
    """Draw one panel per sample; returns how many stars of each lie outside its frame."""
    n = max((len(x) for x, _ in points), default=0)
    if n == 0:
        raise InputError("no stars to draw; the selection or the cuts left none.")
    figure = Figure(figsize=(0.9 + 3.6 * len(points), 4.0), layout="constrained")
    grid = figure.add_gridspec(1, len(points))
    count = int(np.clip(0.9 * np.sqrt(n), 40, 160))
    edges = [tuple(np.linspace(*limit, count + 1) for limit in pair) for pair in limits]
    most = max(np.histogram2d(x, y, e)[0].max() for (x, y), e in zip(points, edges, strict=True))
    first, outside = None, []
    for i, ((x, y), (x_name, y_name), (x_edges, y_edges)) in enumerate(zip(points, names, edges, strict=True)):
        axes = figure.add_subplot(grid[i])
        drawn = panels.density(axes, x, y, (x_edges, y_edges), most if n >= POINTS_BELOW else 0)
        panels.label(axes, x_name, y_name)
        axes.set_title(titles[i])
        first = first or axes
        if i > 0 and names[i] == names[0]:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
        inside = (x >= x_edges[0]) & (x <= x_edges[-1]) & (y >= y_edges[0]) & (y <= y_edges[-1])
        outside.append(int((~inside).sum()))
    if n >= POINTS_BELOW:
        figure.colorbar(drawn, ax=figure.axes, label="stars per cell", pad=0.01, aspect=30)
    return figure, outside


def _finite(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    good = np.isfinite(x) & np.isfinite(y)
    return x[good], y[good]


def _limits(columns: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """Return a frame around all but the one star in a thousand at either end."""
    frame = []
    for x in columns:
        low, high = np.percentile(x, [0.1, 99.9]) if len(x) else (0.0, 1.0)
        pad = 0.04 * (high - low) or 0.5
        frame.append((float(low - pad), float(high + pad)))
    return frame


def _check_tracks(fit: Fit, tracks: Tracks) -> None:
    planes = list(fit.mixtures.chemistry.planes)
    if len(tracks) != len(fit.names) or any([track.plane for track in row] != planes for row in tracks):
        raise UsageError(
            f"tracks must hold one track per component ({len(fit.names)}) and plane ({', '.join(map(str, planes))}), "
            "in this order; make them with tracks.track(fit, component, image)."
        )
