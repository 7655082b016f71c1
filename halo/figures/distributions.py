"""Distributions of the components: densities of abundances, and eccentricities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import UsageError
from ..fits.fit import Fit
from ..products.densities import Densities, Density
from ..products.eccentricity import Eccentricities
from . import captions
from . import style as look
from .picture import Picture, styled


@styled
def densities(found: Sequence[Density], fits: Sequence[Fit] = ()) -> Picture:
    """Draw densities of the abundances, one panel each, all components in it (the paper's Fig 6).

    Parameters
    ----------
    found : sequence of Density
        As `densities.densities` makes them.
    fits : sequence of Fit, optional
        The fits that they were made from, for the caption.

    Raises
    ------
    UsageError
        No density.
    """
    if not found:
        raise UsageError("no density to draw.")
    variables = list(dict.fromkeys(d.variable for d in found))
    names = list(dict.fromkeys(d.component for d in found))
    figure = Figure(figsize=(5.2, 0.6 + 2.5 * len(variables)), layout="constrained")
    for i, variable in enumerate(variables):
        axes = figure.add_subplot(len(variables), 1, i + 1)
        for d in (d for d in found if d.variable == variable):
            # dotted lines lie over the others, of which they cover less
            order: dict[str, Any] = {
                "zorder": 4 if d.component.endswith("2") else 3,
                "lw": 2.0 if d.component in look.FOUR else 1.6,
            }
            axes.plot(d.centres, d.density, label=d.component, **look.line_of(d.component), **order)
        axes.set(xlim=found[i].edges[[0, -1]], ylim=(0, None), ylabel="density [dex$^{-1}$]")
        look.label(axes, variable)
        look.ticks(axes, 6, 5)
        if i == 0:
            handles, labels = axes.get_legend_handles_labels()
            # by columns: each component of high energy above its counterpart of low energy
            axes.legend(
                handles,
                labels,
                loc="lower center",
                bbox_to_anchor=(0.5, 1.0),
                ncols=(len(names) + 1) // 2,
                handlelength=3.2,
            )
    figure.align_ylabels()
    alt = (
        f"{captions.panels(len(variables))} of the densities of {captions.listed(variables)}, each with curves of "
        f"{captions.listed(names)}."
    )
    return Picture(figure, _densities_caption(found, fits), alt, Densities(found).table())


def _densities_caption(found: Sequence[Density], fits: Sequence[Fit]) -> str:
    names = list(dict.fromkeys(d.component for d in found))
    variables = list(dict.fromkeys(d.variable for d in found))
    parts = [
        f"Densities of {captions.listed(variables)} in the components {captions.listed(names)}, each integrating to "
        "one over the images; an abundance that stands in two planes counts once."
    ]
    for fit in fits:
        cut = captions.selected(fit.cutflow, fit.mixtures)
        parts.append(f"{captions.listed(fit.names[::-1])}: {captions.headline(fit)}. {cut}")
    return " ".join([*parts, *(captions.ended(fit) for fit in fits if not fit.converged)])


@styled
def eccentricities(result: Eccentricities, fit: Fit | None = None) -> Picture:
    """Draw the components' distributions of eccentricity and mark their peaks (the paper's Fig 7).

    Parameters
    ----------
    result : Eccentricities
        The distributions; with bands where it has them.
    fit : Fit, optional
        The fit that they were made from, for colours and caption.
    """
    selection = "kinematically-pure" if fit is None else fit.settings.selection.name
    figure = Figure(figsize=(5.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    centres = 0.5 * (result.edges[:-1] + result.edges[1:])
    top = np.nanmax([result.density.max(), np.nanmax(result.bands) if np.isfinite(result.bands).any() else 0.0])
    for j, name in enumerate(result.names):
        style = {**look.line_of(name, selection), "ls": "-"}
        if np.isfinite(result.bands[:, j]).all():
            axes.fill_between(centres, *result.bands[:, j], color=style["color"], alpha=0.2, lw=0)
        axes.plot(centres, result.density[j], marker=look.MARKERS[j], ms=4, label=name, **style)
        if np.isfinite(result.peaks[j]):
            low = (1.06 + 0.09 * j) * top
            axes.plot([result.peaks[j]] * 2, [low, low + 0.06 * top], c=style["color"], lw=2.5, solid_capstyle="butt")
            axes.annotate(
                f"{result.peaks[j]:.2f}",
                (result.peaks[j], low + 0.03 * top),
                xytext=(-5, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                color=style["color"],
            )
    axes.set(xlim=(0, 1), ylim=(0, (1.1 + 0.09 * len(result.names)) * top), ylabel="density")
    look.label(axes, "e")
    axes.legend(loc="upper left")
    bands = " with bootstrap bands" if np.isfinite(result.bands).any() else ""
    known = [(name, x) for name, x in zip(result.names, result.peaks, strict=True) if np.isfinite(x)]
    peaks = ", ".join(f"{name} at {x:.2f}" for name, x in known) or "none"
    alt = f"Distributions of eccentricity of {captions.listed(result.names)}{bands}; their peaks are marked: {peaks}."
    return Picture(figure, _eccentricities_caption(result, fit), alt, result.table())


def _eccentricities_caption(result: Eccentricities, fit: Fit | None) -> str:
    parts = [
        "Eccentricities of the components: distributions in the fit's bins, weighted by the component's weight, over "
        f"those bins in which it is above {100 * result.cut:g} % of its maximum.",
        *(
            f"{name}: {kept} bins, {stars:,} stars, peak at {peak:.2f}"
            + (f" ({low:.2f} to {high:.2f})." if low == low else ".")
            for name, kept, stars, peak, low, high in zip(
                result.names, result.kept, result.n_stars, result.peaks, *result.peak_intervals, strict=True
            )
        ),
    ]
    if (result.bands == result.bands).any():
        parts.append(f"Bands and ranges: {100 * result.level:g} % of bootstrap replicates.")
    if fit is not None:
        parts.append(f"{captions.headline(fit)}. {captions.selected(fit.cutflow, fit.mixtures)}")
    return " ".join(parts)
