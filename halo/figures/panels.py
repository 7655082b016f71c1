"""One product on one set of axes: the panels of which the figures are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, PowerNorm
from matplotlib.lines import Line2D
from scipy.interpolate import PchipInterpolator

from ..fits.apply import Application
from ..fits.fit import Fit
from ..fits.reading import Reading
from ..mixtures.bins import Bins
from ..mixtures.settings import Chemistry
from ..products.boundary import Boundary
from ..products.profile import MIN_STARS, Profile
from ..products.tracks import Track
from ..stars.published_line import belokurov_kravtsov
from .style import DENSITY, EMPTY, FRACTIONS, LINES, LOW, MARKERS, WEIGHTS, colours, label, no_stars, ramp, scale, ticks


def oriented(bins: Bins) -> tuple[int, int]:
    """Return which axis of two-variable bins is drawn along x and which along y: energy stands upright."""
    return (1, 0) if bins.axes[0].variable == "E" else (0, 1)


def cells(axes: Axes, bins: Bins, values: np.ndarray, cmap: Any, norm: Normalize, *, lines: bool = True) -> Any:
    """Draw two-variable bins as rectangles coloured by `values`, shape (m,); those of NaN are hatched."""
    x, y = oriented(bins)
    x_bounds = bins.bounds[:, x] / scale(bins.axes[x].variable).factor
    y_bounds = bins.bounds[:, y] / scale(bins.axes[y].variable).factor
    corners = np.stack([x_bounds[:, [0, 1, 1, 0]], y_bounds[:, [0, 0, 1, 1]]], axis=-1)
    empty = ~np.isfinite(values)
    if empty.any():
        axes.add_collection(PolyCollection(corners[empty], **EMPTY), autolim=False)
    edge: dict[str, Any] = (
        {"edgecolor": "0.35", "linewidth": 0.35} if lines else {"edgecolor": "face", "linewidth": 0.2}
    )
    drawn = PolyCollection(corners[~empty], cmap=cmap, norm=norm, **edge)
    drawn.set_array(values[~empty])
    axes.add_collection(drawn, autolim=False)
    axes.set_xlim(*frame(bins, x))
    axes.set_ylim(*frame(bins, y))
    ticks(axes, 5, 5)
    label(axes, bins.axes[x].variable, bins.axes[y].variable)
    return drawn


def frame(bins: Bins, index: int) -> tuple[float, float]:
    """Return the limits that an axis of bins is drawn within, in drawn units.

    The outermost equal-count bins reach to the most extreme star: a frame that held them whole would leave the
    others no room, so they are cut at a third of the span of the edges between bins.
    """
    axis, edges = bins.axes[index], bins.edges[index]
    low, high = edges.min(), edges.max()
    if not axis.regular and axis.count >= 4:
        between = edges[..., 1:-1]
        room = (between.max() - between.min()) / 3
        low, high = max(low, between.min() - room), min(high, between.max() + room)
    factor = scale(axis.variable).factor
    return low / factor, high / factor


def weights(axes: Axes, fit: Fit, component: int, colour: Any) -> Any:
    """Draw a component's weights, divided by their maximum, on the fit's bins: rectangles, or bars on one variable."""
    W = fit.W[:, component]
    values = np.where(fit.mixtures.n_stars > 0, W / (W.max() if W.max() > 0 else 1.0), np.nan)
    bins = fit.mixtures.bins
    if len(bins.axes) == 2:
        return cells(axes, bins, values, WEIGHTS, Normalize(0, 1))
    name = bins.axes[0].variable
    edges = bins.edges[0] / scale(name).factor
    axes.bar(edges[:-1], np.nan_to_num(values), np.diff(edges), align="edge", color=colour, ec="white", lw=0.4)
    for i in np.flatnonzero(np.isnan(values)):
        axes.axvspan(edges[i], edges[i + 1], **EMPTY)
    axes.set_xlim(*frame(bins, 0))
    axes.set_ylim(0, 1.05)
    label(axes, name)
    axes.set_ylabel("weight / maximum")
    return None


def image(axes: Axes, chemistry: Chemistry, index: int, picture: np.ndarray, colour: Any) -> Any:
    """Draw one image of a component, shape (l, l), with a square-root stretch from zero to its maximum."""
    plane, limits = chemistry.planes[index], chemistry.limits
    norm = PowerNorm(0.5, vmin=0, vmax=picture.max() if picture.max() > 0 else 1.0)
    extent = (*limits[plane.x], *limits[plane.y])
    drawn = axes.imshow(
        picture, origin="lower", extent=extent, aspect="auto", interpolation="none", cmap=ramp(colour), norm=norm
    )
    ticks(axes, 5, 7)
    label(axes, plane.x, plane.y)
    return drawn


def image_key(axes: Axes, shades: Sequence[Any]) -> None:
    """Draw the key to images: one strip per component, from zero to the image's maximum, on a square-root scale."""
    level = np.linspace(0, 1, 256)
    strips = np.stack([ramp(shade)(level) for shade in shades], axis=1)
    axes.imshow(strips, origin="lower", extent=(0, len(shades), 0, 1), aspect="auto", interpolation="none")
    ticks = np.array([0, 0.05, 0.2, 0.5, 1.0])
    axes.set_yticks(np.sqrt(ticks), [f"{tick:g}" for tick in ticks])
    axes.set_xticks([])
    axes.tick_params(which="both", top=False, bottom=False, left=False, right=True, labelleft=False, labelright=True)
    axes.minorticks_off()
    axes.yaxis.set_label_position("right")
    axes.set_ylabel("density / maximum, sqrt scale", fontsize="small")


def fraction_map(axes: Axes, application: Application) -> tuple[Any, list[Any]]:
    """Draw the fraction of all components that are not accreted (LE, of two): blue where it is 1, red where it is 0.

    Cells without stars are hatched, those with fewer than `MIN_STARS` carry a dot. Returns the coloured cells and the
    handles of a legend for the others.
    """
    mixtures = application.mixtures
    fractions, others = application.fractions, application.reading.others
    values = fractions[:, list(others)].sum(axis=1) if others else fractions[:, 0]
    drawn = cells(axes, mixtures.bins, values, FRACTIONS, Normalize(0, 1), lines=False)
    drawn.set_rasterized(True)  # thin rectangles side by side show seams in vector form
    handles: list[Any] = []
    scarce = np.isfinite(values) & (mixtures.n_stars < MIN_STARS)
    if scarce.any():
        x, y = (
            mixtures.bins.bounds[scarce, i].mean(axis=-1) / scale(mixtures.bins.axes[i].variable).factor
            for i in oriented(mixtures.bins)
        )
        dot: dict[str, Any] = {"marker": "o", "ls": "none", "ms": 2.6, "mfc": "w", "mec": "0.35", "mew": 0.5}
        axes.plot(x, y, **dot)
        handles.append(Line2D([], [], label=f"< {MIN_STARS} stars", **dot))
    if np.isnan(values).any():
        handles.append(no_stars())
    return drawn, handles


def fraction_name(reading: Reading) -> str:
    """Return the name of the fraction that `fraction_map` draws."""
    return f"{reading.label_of_others} fraction"


def lines(axes: Axes, boundary: Boundary) -> list[Any]:
    """Draw the boundary (solid) and the line of Belokurov & Kravtsov (2023) (dashed); returns the legend's handles.

    Columns that cross once have a full symbol, those that cross more often an open one.
    """
    x, y = scale("Lz").factor, scale("E").factor
    ours: dict[str, Any] = {"ls": "-", "c": "k", "lw": 2.2}
    theirs: dict[str, Any] = {"ls": (0, (4, 1.8)), "c": "k", "lw": 1.6}
    rim: dict[str, Any] = {"c": "w", "alpha": 0.7, "zorder": 3}
    Lz = np.linspace(boundary.Lz_edges[0], boundary.Lz_edges[-1], 401)
    line = belokurov_kravtsov(Lz)
    axes.plot(Lz / x, line / y, lw=3.2, **rim)
    axes.plot(Lz / x, line / y, zorder=4, **theirs)
    axes.plot(boundary.Lz / x, boundary.smoothed / y, lw=4.2, **rim)
    axes.plot(boundary.Lz / x, boundary.smoothed / y, zorder=5, **ours)
    for chosen, face in ((boundary.n_crossings == 1, "k"), (boundary.n_crossings > 1, "w")):
        axes.plot(boundary.Lz[chosen] / x, boundary.smoothed[chosen] / y, "o", mec="k", mfc=face, ms=4.5, zorder=6)
    return [
        Line2D([], [], marker="o", ms=4.5, label="boundary", **ours),
        Line2D([], [], label="B&K (2023)", **theirs),
    ]


def tracks(axes: Axes, drawn: Sequence[Track], names: Sequence[str], shades: Sequence[Any]) -> None:
    """Draw median tracks with bands of the median absolute deviation, one per component."""
    for i, (track, name, shade) in enumerate(zip(drawn, names, shades, strict=True)):
        band = (track.median - track.deviation, track.median + track.deviation)
        axes.fill_between(track.x, *band, color=shade, alpha=0.22, lw=0)
        axes.plot(track.x, track.median, c=shade, ls=LINES[i % len(LINES)], label=name)
    ticks(axes, 5, 7)
    label(axes, drawn[0].plane.x, drawn[0].plane.y)


def profile_lines(
    axes: Axes, profile: Profile, bands: np.ndarray | None = None, truth: np.ndarray | None = None
) -> list[Any]:
    """Draw every component's fraction, the accreted one with its crossings; returns legend handles.

    Where several components are accreted, their sum is a line of its own.

    Parameters
    ----------
    axes : Axes
        Where.
    profile : Profile
        What.
    bands : ndarray, shape (2, m, k), optional
        Lower and upper limits of the fractions.
    truth : ndarray, shape (m,), optional
        True accreted fraction.
    """
    mixtures, names = profile.application.mixtures, profile.application.names
    reading = profile.application.reading
    label_of = reading.label
    unit = scale(profile.variable).factor
    x = mixtures.bins.bounds[:, 0].mean(axis=-1) / unit
    fractions = profile.application.fractions
    trusted = (mixtures.n_stars >= profile.min_stars) & np.isfinite(fractions[:, -1])
    scarce = ~trusted & np.isfinite(fractions[:, -1])
    handles: list[Any] = []
    axes.axhline(0.5, c="0.45", lw=0.9, ls=(0, (1, 2)), zorder=1)
    for j, (name, shade) in enumerate(zip(names, colours(len(names)), strict=True)):
        y = fractions[:, j]
        point: dict[str, Any] = {"marker": MARKERS[j % len(MARKERS)], "ms": 5, "c": shade}
        dashes = LINES[j % len(LINES)]
        if bands is not None:
            axes.fill_between(x, bands[0][:, j], bands[1][:, j], color=shade, alpha=0.22, lw=0)
        if trusted.sum() > 1:  # the spline whose crossings are reported
            fine = np.linspace(x[trusted][0], x[trusted][-1], 400)
            axes.plot(fine, PchipInterpolator(x[trusted], y[trusted])(fine), c=shade, lw=2, ls=dashes)
        axes.plot(x[trusted], y[trusted], ls="none", **point)
        axes.plot(x[scarce], y[scarce], ls="none", mfc="w", **point)
        handles.append(Line2D([], [], lw=2, ls=dashes, label=name, **point))
    if len(reading.accreted) > 1:
        read = profile.application.accreted_fractions
        if trusted.sum() > 1:
            axes.plot(fine, PchipInterpolator(x[trusted], read[trusted])(fine), c="0.25", lw=1.6, ls=(0, (4, 1.2)))
        axes.plot(x[trusted], read[trusted], "P", c="0.25", ms=5)
        handles.append(Line2D([], [], c="0.25", lw=1.6, ls=(0, (4, 1.2)), marker="P", ms=5, label=label_of))
    if truth is not None:
        (line,) = axes.plot(x, truth, ls=(0, (3, 1.5)), c="k", lw=1.3, label=f"true {label_of}", zorder=4)
        handles.append(line)
    if scarce.any():
        handles.append(Line2D([], [], ls="none", marker="o", mec="0.3", mfc="w", label=f"< {profile.min_stars} stars"))
    diamond: dict[str, Any] = {"marker": "D", "ls": "none", "ms": 6.5, "mfc": "w", "mec": "k", "mew": 1.3}
    for crossing in profile.crossings:
        for at in crossing.at:
            axes.axvline(at / unit, c="0.6", lw=0.8, ls=":", zorder=1)
            axes.plot(at / unit, crossing.level, zorder=6, **diamond)
            # in the opening between a rising last component and the falling others
            low, high = mixtures.bins.edges[0][[0, -1]]
            right = crossing.level >= 0.5 and at < low + 0.85 * (high - low)  # or it would leave the frame
            axes.annotate(
                f"{100 * crossing.level:g} %:  {at / unit:#.3g}".replace("-", "\N{MINUS SIGN}"),
                (at / unit, crossing.level),
                xytext=(10 if right else -10, -9 * np.sign(crossing.level - 0.5)),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
                path_effects=[patheffects.withStroke(linewidth=4, foreground="white")],
                zorder=7,
            )
    if any(crossing.at for crossing in profile.crossings):
        handles.append(Line2D([], [], label=f"{label_of} crosses", **diamond))
    axes.set_xlim(*(mixtures.bins.edges[0][[0, -1]] / unit))
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("fractional contribution")
    return handles


def star_counts(axes: Axes, profile: Profile) -> None:
    """Draw how many stars each bin of a profile has."""
    mixtures = profile.application.mixtures
    axes.stairs(
        mixtures.n_stars,
        mixtures.bins.edges[0] / scale(profile.variable).factor,
        fill=True,
        fc="0.85",
        ec="0.5",
        lw=0.8,
    )
    axes.set_ylim(0, 1.12 * max(1, mixtures.n_stars.max()))
    axes.set_ylabel("stars")
    label(axes, profile.variable)


def density(axes: Axes, x: np.ndarray, y: np.ndarray, edges: tuple[np.ndarray, np.ndarray], most: float) -> Any:
    """Draw stars as counts per cell on a logarithmic scale up to `most`, or as points where `most` is zero."""
    drawn: Any
    if most == 0:
        drawn = axes.scatter(x, y, s=7, c=LOW, alpha=0.45, lw=0, rasterized=True)
    else:
        number = np.histogram2d(x, y, edges)[0].T
        shades = LinearSegmentedColormap.from_list("density", mpl.colormaps[DENSITY](np.linspace(0.22, 1, 256)))
        number = np.ma.masked_equal(number, 0)
        drawn = axes.pcolormesh(*edges, number, cmap=shades, norm=LogNorm(1, max(2, most)), rasterized=True)
    axes.set_xlim(*edges[0][[0, -1]])
    axes.set_ylim(*edges[1][[0, -1]])
    return drawn
