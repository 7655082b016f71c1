"""A fit of an observed simulated galaxy and its truth: fractions, chemistry, purity and completeness."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..simulations.recovery import LIKELY, GalaxyRecovery
from . import captions, panels
from . import style as look
from .picture import Picture, styled

PLANE = -1
"""The plane that is drawn: the last, which is that of magnesium by default."""


@styled
def galaxy_recovery(result: GalaxyRecovery) -> Picture:
    """Draw what a fit finds of an observed simulated galaxy, and the truth.

    Parameters
    ----------
    result : GalaxyRecovery
        As `recover` gives it.
    """
    names = list(result.profiles)
    columns = max(2, -(-len(names) // 2))
    figure = Figure(figsize=(4.1 * (columns + 1), 7.4), layout="constrained")
    grid: Any = figure.subplots(2, columns + 1)
    places = [grid[i, j] for i in range(2) for j in range(columns)]
    for axes, name in zip(places, names, strict=False):
        _profile(axes, result, name)
    for axes in places[len(names) :]:
        axes.set_axis_off()
    _chemistry(grid[0, -1], result)
    _tradeoff(grid[1, -1], result)
    label = result.fit.reading.label
    handles = [
        Line2D([], [], c=look.HIGH, marker="o", ms=5, lw=1.8, label=f"{label} of the fit"),
        Line2D([], [], c="k", ls=(0, (3, 1.5)), lw=1.4, label="accreted, the truth"),
        Line2D([], [], c=look.LOW, ls=look.LINES[2], lw=1.8, label="with known components"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    fit, best = result.score, result.best
    few = next(iter(result.profiles.values())).min_stars
    found = f"{100 * result.fit.accreted_fraction:.1f} % are found and {100 * result.true_fraction:.1f} % are true"
    caption = (
        f"{captions.selected(result.fit.cutflow, result.fit.mixtures)} Fractions of {label} (points; open where a bin "
        f"has fewer than {few} stars) and the true accreted fraction of the same stars (dashed) against "
        f"{captions.listed(names)}; over all stars {found}. Upper right: {label} in "
        f"{result.fit.mixtures.chemistry.planes[PLANE]}, with contours of the accreted stars that enclose 90, 50 and "
        f"10 % of them. Lower right: purity against completeness for every limit of the probability, symbols at "
        f"{LIKELY:g}. Purity and completeness by probability {100 * fit.purity:.1f} and {100 * fit.completeness:.1f} "
        f"%, with known components {100 * best.purity:.1f} and {100 * best.completeness:.1f} %."
    )
    alt = (
        f"{captions.panels(len(names))} of the accreted fraction against {captions.spoken(names)}, of the fit and "
        "true; one of the accreted component's chemistry with contours of the truth; one of purity against "
        "completeness."
    )
    return Picture(figure, caption, alt, result.table())


def _profile(axes: Any, result: GalaxyRecovery, name: str) -> None:
    found = result.profiles[name]
    mixtures = found.application.mixtures
    unit = look.scale(name).factor
    x = mixtures.bins.bounds[:, 0].mean(axis=-1) / unit
    y, enough = found.application.accreted_fractions, mixtures.n_stars >= found.min_stars
    axes.axhline(0.5, c="0.45", lw=0.9, ls=(0, (1, 2)), zorder=1)
    axes.plot(x, np.where(enough, y, np.nan), c=look.HIGH, marker="o", ms=5, lw=1.8)
    axes.plot(x[~enough], y[~enough], c=look.HIGH, marker="o", ms=5, mfc="w", ls="none")
    axes.plot(x, result.true_fractions[name], c="k", ls=(0, (3, 1.5)), lw=1.4)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("accreted fraction of the stars")
    look.label(axes, name)


def _chemistry(axes: Any, result: GalaxyRecovery) -> None:
    chemistry = result.fit.mixtures.chemistry
    found = result.fit.reading.of(np.moveaxis(result.fit.images * result.fit.W.sum(axis=0)[:, None, None, None], 0, -1))
    panels.image(axes, chemistry, PLANE % len(chemistry.planes), found[PLANE], look.HIGH)
    true = result.known.images[-1, PLANE]
    order = np.sort(true.ravel())[::-1]
    inside = np.cumsum(order) / max(order.sum(), 1e-300)
    levels = sorted({float(order[np.searchsorted(inside, part)]) for part in (0.1, 0.5, 0.9)})
    plane = chemistry.planes[PLANE]
    x, y = (chemistry.centres(name) for name in (plane.x, plane.y))
    if levels[-1] > levels[0] > 0:
        axes.contour(x, y, true, levels=levels, colors="k", linewidths=1.0)


def _tradeoff(axes: Any, result: GalaxyRecovery) -> None:
    truth = result.accreted
    for probability, shade, dashes, score in (
        (result.probability, look.HIGH, look.LINES[0], result.score),
        (result.best_probability, look.LOW, look.LINES[2], result.best),
    ):
        order = np.argsort(-np.nan_to_num(probability), kind="stable")
        hits = np.cumsum(truth[order])
        number = np.arange(1, len(order) + 1)
        shown = number >= 20  # the purity of a handful is noise
        axes.plot((hits / truth.sum())[shown], (hits / number)[shown], c=shade, ls=dashes, lw=1.8)
        axes.plot(
            score.likely_completeness,
            score.likely_purity,
            "D" if shade == look.HIGH else "s",
            c=shade,
            ms=7,
            mec="w",
            zorder=5,
        )
    axes.axhline(result.true_fraction, c="k", ls=(0, (3, 1.5)), lw=1.0)
    axes.annotate("drawn blindly", (0.02, result.true_fraction), xytext=(0, 3), textcoords="offset points", va="bottom")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("completeness")
    axes.set_ylabel("purity")
