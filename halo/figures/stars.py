"""Pictures of the stars themselves: samples in energy and angular momentum, and in abundance planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import InputError
from ..mixtures.settings import Chemistry
from ..stars.variables import values
from . import captions, panels
from . import style as look
from .picture import Picture, styled

POINTS_BELOW = 3000
"""Samples all smaller than this are drawn star by star, larger ones as densities."""


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
    names, numbers = list(tables), [len(x) for x, _ in points]
    titled = captions.listed([name.replace("-", " ") for name in names])
    alt = f"{captions.panels(len(names))} of stars in energy against angular momentum: {titled}."
    return Picture(figure, _sample_caption(names, numbers, outside), alt)


def _sample_caption(titles: Sequence[str], numbers: Sequence[int], outside: Sequence[int]) -> str:
    listed = "; ".join(
        f"{t}: {n:,} stars, {o:,} of them outside the frame" for t, n, o in zip(titles, numbers, outside, strict=True)
    )
    return f"Stars in energy and angular momentum (prograde positive). {listed}."


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
    figure, outside = _densities(points, names, limits, [f"{len(x):,} stars" for x, _ in points])
    cut = [axes for axes, (x, _) in zip(figure.axes, names, strict=False) if x == "FE_H"]
    for axes in cut:
        name = f"[Fe/H] = {max_fe_h:g}".replace("-", "\N{MINUS SIGN}")
        axes.axvline(max_fe_h, c=look.HIGH, ls="--", lw=2, label=name)
    if cut:
        cut[0].legend(loc="lower right")
    line = f", with a vertical dashed line at [Fe/H] = {max_fe_h:g}" if cut else ""
    alt = f"{captions.panels(len(names))} of stars in {captions.planes(images)}{line}."
    return Picture(figure, _chemistry_caption(len(table), images, outside, max_fe_h), alt)


def _chemistry_caption(n: int, images: Chemistry, outside: Sequence[int], max_fe_h: float) -> str:
    left = ", ".join(f"{o:,} in {plane.y} against {plane.x}" for o, plane in zip(outside, images.planes, strict=True))
    return f"{n:,} stars in {captions.planes(images)}; outside the frames: {left}. Dashed: [Fe/H] = {max_fe_h:g}."


def _densities(points: list[Any], names: list[Any], limits: list[Any], titles: list[str]) -> tuple[Figure, list[int]]:
    """Draw one panel per sample; returns how many stars of each lie outside its frame."""
    n = max((len(x) for x, _ in points), default=0)
    if n == 0:
        raise InputError("no stars to draw; the selection or the cuts left none.")
    figure = Figure(figsize=(0.9 + 3.6 * len(points), 4.0), layout="constrained")
    grid = figure.add_gridspec(1, len(points))
    count = int(np.clip(0.9 * np.sqrt(n), 40, 160))
    edges = [tuple(np.linspace(low, high, count + 1) for low, high in pair) for pair in limits]
    most = max(np.histogram2d(x, y, e)[0].max() for (x, y), e in zip(points, edges, strict=True))
    first, outside = None, []
    for i, ((x, y), (x_name, y_name), (x_edges, y_edges)) in enumerate(zip(points, names, edges, strict=True)):
        axes = figure.add_subplot(grid[i])
        drawn = panels.density(axes, x, y, (x_edges, y_edges), most if n >= POINTS_BELOW else 0)
        look.label(axes, x_name, y_name)
        look.ticks(axes, 6, 7)
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
