"""An ensemble: products with their sampling error, and the spread over configurations.

The two are drawn apart: shaded, the 68 % interval of the sampling error; between dotted lines, the standard deviation
over configurations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import ScalarFormatter

from ..ensembles.statistics import Part
from ..ensembles.summary import Summary
from ..mixtures.settings import Plane
from ..products.boundary import LEVEL
from ..products.profile import MIN_STARS
from ..replicates.table import key
from ..replicates.table import subjects as of_kind
from ..stars.published_line import belokurov_kravtsov
from . import captions
from .picture import Picture, styled
from .style import AROUND, LINES, colours, label, scale, words
from .style import ticks as set_ticks
from .subjects import Line, Subject, alone, subjects

MOST_SUBJECTS = 12
"""Most groups of configurations of which figures are drawn; the table has all."""
MOST_ROWS = 120
"""Most configurations that one figure lists."""
SHADE = 0.25
DOTTED: dict[str, Any] = {"ls": (0, (1, 1.2)), "lw": 1.1}
FEW = 2
"""Most components whose tracks have room for their deviations."""
THINLY = 0.5
"""Columns in which a smaller fraction of the replicates has a boundary are drawn open."""


def ensemble(summary: Summary) -> dict[str, Picture]:
    """Draw an ensemble; pictures by name.

    ``fractions``, ``boundary`` and ``tracks`` of every group of configurations, such as those of one number of
    components; ``setups``, the mass fractions in all configurations, where there are several. With more than one group
    the names end in -1, -2, ...
    """
    pictures: dict[str, Picture] = {}
    asked = subjects(summary)
    for i, subject in enumerate(asked[:MOST_SUBJECTS]):
        end = f"-{i + 1}" if len(asked) > 1 else ""
        pictures[f"fractions{end}"] = fractions(subject)
        if subject.line(key("boundary")) is not None:
            pictures[f"boundary{end}"] = boundary(subject)
        pictures[f"tracks{end}"] = tracks(subject)
    if len(summary.parts) > 1:
        pictures["setups"] = setups(summary)
    return pictures


@styled
def fractions(subject: Subject) -> Picture:
    """Draw the fractions of the components against every variable, with crossings of one half and their intervals."""
    # The energy above the published line is that of the boundary's figure.
    names = [name for name in of_kind("fraction", subject.part.statistics) if name != "dE"]
    columns = min(3, max(1, len(names)))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(0.6 + 3.5 * columns, 0.9 + 2.7 * rows), layout="constrained")
    grid: Any = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, name in zip(grid.ravel(), names, strict=False):
        _fraction(axes, subject, name)
    for axes in grid.ravel()[len(names) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel("fractional contribution")
    figure.legend(handles=_handles(subject), loc="outside upper center", ncols=6)
    said = (
        "Fractions of the components against each variable, in bins of "
        f"{MIN_STARS} stars or more; diamonds, where {subject.part.reading.label} passes one half, with the same "
        "errors. "
    )
    shown = captions.spoken(names)
    alt = f"{captions.panels(len(names))} of the fractions of {_names(subject)} against {shown}, {_shown(subject)}."
    return Picture(figure, said + subject.about, alt)


def _fraction(axes: Any, subject: Subject, name: str) -> None:
    unit, coordinates = scale(name).factor, subject.part.coordinates
    edges = coordinates[f"edges_{name}"] / unit
    centre = 0.5 * (edges[:-1] + edges[1:])
    told = coordinates[f"n_stars_{name}"] >= MIN_STARS
    line = subject.line(key("fraction", name))
    assert line is not None
    axes.axhline(0.5, c="0.45", lw=0.9, ls=(0, (1, 2)), zorder=1)
    for j, shade in enumerate(subject.shades):
        _band(axes, centre, line, (slice(None), j), shade, told)
        style = LINES[j % len(LINES)]
        axes.plot(centre, np.where(told, line.value[:, j], np.nan), c=shade, lw=1.1, ls=style, marker="o", ms=2)
    crossing = subject.line(key("crossing", name))
    if crossing is not None and np.isfinite(crossing.value[0]):
        at, low, high = (x[0] / unit for x in (crossing.value, crossing.low, crossing.high))
        if np.isfinite([low, high]).all():
            axes.plot([low, high], [0.5, 0.5], c="k", lw=1.4, marker="|", ms=9, mew=1.4, zorder=5)
        axes.plot(at, 0.5, "D", ms=3.4, mfc="w", mec="k", mew=0.9, zorder=6)
    axes.set_xlim(*edges[[0, -1]])
    axes.set_ylim(-0.03, 1.03)
    ticks(axes, 6, 5)
    label(axes, name)


def _band(axes: Any, x: np.ndarray, line: Line, at: Any, shade: Any, told: Any = True) -> None:
    low, high = (np.where(told, y[at], np.nan) for y in (line.low, line.high))
    axes.fill_between(x, low, high, color=shade, alpha=SHADE, lw=0)
    if line.spread is not None:
        for sign in (-1, 1):
            axes.plot(
                x, np.where(told, line.value[at] + sign * line.spread[at], np.nan), c=shade, label=AROUND, **DOTTED
            )


def _handles(subject: Subject, colour: Any = "0.3") -> list[Any]:
    named = zip(subject.part.names, subject.shades, strict=True)
    handles: list[Any] = [
        Line2D([], [], c=shade, lw=1.8, ls=LINES[j % len(LINES)], label=name) for j, (name, shade) in enumerate(named)
    ]
    return handles + _keys(subject, colour)


def _keys(subject: Subject, colour: Any = "0.3") -> list[Any]:
    handles: list[Any] = []
    if subject.part.used:
        handles.append(Patch(color=colour, alpha=SHADE, lw=0, label="sampling, 68 %"))
    if subject.group is not None:
        handles.append(Line2D([], [], c=colour, label="configurations, $\\pm\\sigma$", **DOTTED))
    return handles


@styled
def boundary(subject: Subject) -> Picture:
    """Draw the smoothed boundary with its band, and the line of Belokurov & Kravtsov (2023)."""
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    x, y = scale("Lz").factor, scale("E").factor
    edges = subject.part.coordinates["edges_boundary"]
    centre = 0.5 * (edges[:-1] + edges[1:]) / x
    line = subject.line(key("boundary_smoothed"))
    assert line is not None
    scaled = Line(line.value / y, line.low / y, line.high / y, None if line.spread is None else line.spread / y)
    _band(axes, centre, scaled, slice(None), "k", np.isfinite(scaled.value))
    axes.plot(centre, scaled.value, c="k", lw=1.3)
    sure = _sure(subject)
    for chosen, face in ((sure, "k"), (~sure, "w")):
        axes.plot(centre[chosen], scaled.value[chosen], "o", mec="k", mfc=face, ms=5, zorder=5)
    # a column that only some replicates give a boundary has an interval, but no value of the full sample
    low, high = (subject.part(key("boundary_smoothed"), name) / y for name in ("p16", "p84"))
    for i in np.flatnonzero(~np.isfinite(scaled.value) & np.isfinite(low + high)):
        axes.plot([centre[i]] * 2, [low[i], high[i]], c="0.5", lw=1.6, marker="_", ms=6, mew=1.6)
    Lz = np.linspace(edges[0], edges[-1], 401)
    axes.plot(Lz / x, belokurov_kravtsov(Lz) / y, c="0.35", lw=1.5, ls=(0, (4, 1.8)))
    axes.set_xlim(edges[0] / x, edges[-1] / x)
    ticks(axes, 6, 6)
    label(axes, "Lz", "E")
    handles = [Line2D([], [], c="k", lw=1.3, marker="o", ms=5, label="boundary"), *_keys(subject, "k")]
    handles.append(Line2D([], [], c="0.35", lw=1.5, ls=(0, (4, 1.8)), label="B&K (2023)"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    said = (
        f"Where {subject.part.reading.label}, coming from high energy, first falls below {100 * LEVEL:g} %, smoothed; "
        f"open symbols: columns in which fewer than {100 * THINLY:g} % of the replicates have a boundary; bars without "
        "a symbol: columns in which only replicates have one. Dashed: Belokurov & Kravtsov (2023), lowered to these "
        "energies. "
    )
    alt = (
        f"The boundary between the components in energy against angular momentum, {_shown(subject)}, and the line of "
        "Belokurov & Kravtsov (2023)."
    )
    return Picture(figure, said + subject.about, alt)


def ticks(axes: Any, x: int, y: int) -> None:
    """Set at most so many ticks, whose labels are plain text: formulae take longer than all the rest."""
    set_ticks(axes, x, y)
    _plain(axes)


def _plain(axes: Any) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        if isinstance(axis.get_major_formatter(), ScalarFormatter):
            axis.get_major_formatter().set_useMathText(False)


def _sure(subject: Subject) -> np.ndarray:
    used = subject.part(key("boundary_smoothed"), "n_used")
    return used >= THINLY * subject.part.used


@styled
def tracks(subject: Subject) -> Picture:
    """Draw the median tracks of one configuration with the band of the median, and their median absolute deviations."""
    part = subject.part
    planes = part.setup.fit.chemistry.planes
    figure = Figure(figsize=(0.8 + 4.2 * len(planes), 4.4), layout="constrained")
    grid: Any = figure.subplots(1, len(planes), squeeze=False)[0]
    for axes, plane in zip(grid, planes, strict=True):
        _track(axes, part, subject.shades, plane)
    handles = _handles(Subject(part, None, ""))
    few = len(part.names) <= FEW
    if few:
        handles.append(Line2D([], [], c="0.3", lw=0.9, label="median $\\pm$ MAD"))
    figure.legend(handles=handles, loc="outside upper center", ncols=6)
    said = (
        "Median tracks of the components; shaded, the 68 % interval of the median"
        f"{'; thin, the median absolute deviation on either side' * few}. {part.label}: {part.used:,} of "
        f"{part.replicates:,} replicates ({part.setup.scheme})."
    )
    shown = captions.planes(part.setup.fit.chemistry)
    alt = f"{captions.panels(len(planes))} of the median tracks of {_names(subject)} in {shown}, with bands."
    return Picture(figure, said, alt)


def _track(axes: Any, part: Part, shades: Sequence[Any], plane: Plane) -> None:
    edges = part.coordinates[f"edges_{plane.x}"]
    centre = 0.5 * (edges[:-1] + edges[1:])
    deviation = part(key("deviation", str(plane)), "base")
    line = alone(part, key("track", str(plane)))
    for j, shade in enumerate(shades):
        # where the full sample has no track, replicates that have one are few
        _band(axes, centre, line, j, shade, np.isfinite(line.value[j]))
        axes.plot(centre, line.value[j], c=shade, lw=1.8, ls=LINES[j % len(LINES)])
        for sign in (-1, 1) if len(shades) <= FEW else ():
            axes.plot(centre, line.value[j] + sign * deviation[j], c=shade, lw=0.8, label=AROUND)
    limits: Mapping[str, tuple[float, float]] = part.setup.fit.chemistry.limits
    axes.set_xlim(*limits[plane.x])
    axes.set_ylim(*limits[plane.y])
    ticks(axes, 5, 7)
    label(axes, plane.x, plane.y)


@styled
def setups(summary: Summary) -> Picture:
    """Draw the accreted mass fraction in every configuration with its interval, and the spread over them."""
    parts = summary.parts[:MOST_ROWS]
    figure = Figure(figsize=(7.0, 1.3 + 0.19 * len(parts)), layout="constrained")
    axes = figure.add_subplot()
    for group in summary.groups:
        inside = [i for i in group.members if i < len(parts)]
        if inside:
            mean, spread = (100 * group.accreted(name) for name in ("mean", "spread"))
            axes.fill_betweenx([min(inside) - 0.5, max(inside) + 0.5], mean - spread, mean + spread, color="0.88", lw=0)
    for i, part in enumerate(parts):
        base, low, high = (100 * part.accreted(name) for name in ("base", "low_68", "high_68"))
        shade = colours(len(part.names))[-1]
        axes.plot([low, high], [i, i], c=shade, lw=1.6, alpha=0.6)
        axes.plot(base, i, "o", c=shade, ms=4)
    axes.set_yticks(range(len(parts)), [words(part.label) for part in parts], fontsize=7.5)
    axes.minorticks_off()
    axes.set_ylim(len(parts) - 0.4, -0.6)
    last = {part.reading.label for part in parts}
    axes.set_xlabel(f"mass fraction of {', '.join(sorted(last))} [%]")
    _plain(axes)
    left = (
        f" Of {len(summary.parts):,} configurations the first {len(parts)}." if len(parts) < len(summary.parts) else ""
    )
    said = (
        "Mass fraction of the accreted components in every configuration: points, the full sample; bars, the 68 % "
        f"interval of the sampling error ({summary.interval}); grey, mean and standard deviation over "
        f"configurations.{left}"
    )
    alt = (
        f"A row for each of {len(parts)} configurations: the mass fraction of {captions.listed(sorted(last))} as a "
        "point with the bar of its sampling error, over grey bands of mean and standard deviation."
    )
    return Picture(figure, said, alt)


def _names(subject: Subject) -> str:
    return captions.listed(subject.part.names)


def _shown(subject: Subject) -> str:
    """Return how errors are drawn, for alternative texts."""
    spread = " and dotted lines at the standard deviation over configurations" if subject.group is not None else ""
    return f"with bands of the sampling error{spread}"
