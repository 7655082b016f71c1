"""Pictures that check: simulated galaxies beside the fit, which streams are found, whether probabilities are true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import QTable, vstack
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..checks.injection import Injection
from ..checks.stability import KINDS, Stability
from ..errors import UsageError
from ..products.memberships import Reliability
from ..products.profile import Profile
from ..simulations.fractions import Simulated
from . import style as look
from .picture import Picture, styled

IN_SITU, ACCRETED = look.LOW, look.HIGH
GALAXIES = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
)
"""Line styles of galaxies, in their order."""
FRAMED: dict[str, Any] = {"frameon": True, "framealpha": 0.95, "edgecolor": "none"}
FLOOR = 1e-8
"""Differences of cosines from one are drawn no smaller: the fits end with larger ones."""


@styled
def simulations(
    galaxies: Sequence[Simulated], fit: Mapping[str, Profile] | None = None, thick: Sequence[str] | None = None
) -> Picture:
    """Draw true mass fractions of simulated galaxies against each variable (Fig 11), and beside them a fit's.

    Parameters
    ----------
    galaxies : sequence of Simulated
        With the same variables.
    fit : mapping of str to Profile, optional
        By variable: fractions of a fit's last and other components, drawn as points.
    thick : sequence of str, optional
        Galaxies drawn thick; none by default.

    Raises
    ------
    UsageError
        No galaxy, or galaxies with other variables.
    """
    if not galaxies or any(list(g.profiles) != list(galaxies[0].profiles) for g in galaxies):
        raise UsageError("simulated galaxies to draw must be one or more, with profiles against the same variables.")
    names = list(galaxies[0].profiles)
    figure = Figure(figsize=(0.6 + 4.3 * len(names), 4.4), layout="constrained")
    panels: Any = np.atleast_1d(figure.subplots(1, len(names), sharey=True))
    for axes, name in zip(panels, names, strict=True):
        axes.axhline(0.5, c="0.45", lw=0.9, ls=(0, (1, 2)), zorder=1)
        for galaxy, style in zip(galaxies, _styles(len(galaxies)), strict=True):
            profile = galaxy.profiles[name]
            wide = galaxy.galaxy.name in (thick or ())
            for j, shade in enumerate((IN_SITU, ACCRETED)):
                y = profile.fractions[:, j]
                axes.plot(profile.centre, y, c=shade, ls=style, lw=3.2 if wide else 1.5)
                band = y - profile.error, y + profile.error
                axes.fill_between(profile.centre, *band, color=shade, alpha=0.15, lw=0)
        if fit is not None and name in fit:
            _points(axes, fit[name])
        look.label(axes, name)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(*galaxies[0].profiles[name].bins.edges[0][[0, -1]])
    panels[0].set_ylabel("fraction of the mass")
    handles = [
        Line2D([], [], c=shade, lw=2, label=text) for shade, text in ((IN_SITU, "in situ"), (ACCRETED, "accreted"))
    ]
    for galaxy, style in zip(galaxies, _styles(len(galaxies)), strict=True):
        wide = galaxy.galaxy.name in (thick or ())
        handles.append(Line2D([], [], c="0.3", ls=style, lw=3.2 if wide else 1.5, label=galaxy.galaxy.name))
    if fit:
        handles.append(Line2D([], [], c="0.3", marker="o", ls="none", label="components of the fit"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(6, len(handles)))
    parts = "; ".join(
        f"{g.galaxy.name}: {g.cutflow.passed:,} of {g.cutflow.total:,} particles "
        f"({', '.join(g.cutflow.names) or 'all'}), accreted if {g.galaxy.criterion}, half of the mass accreted at "
        + ", ".join(f"{n} = {', '.join(f'{x:.1f}' for x in p.crossing) or 'none'}" for n, p in g.profiles.items())
        + " kpc"
        for g in galaxies
    )
    caption = f"True fractions of the stellar mass born in situ and accreted. {parts}. Bands: errors of counting."
    if fit:
        stars = ", ".join(f"{int(p.application.mixtures.n_stars.sum()):,} against {n}" for n, p in fit.items())
        caption += f" Points: shares of a fit's components in stars ({stars}); high energy red, the others blue."
    tables = []
    for galaxy in galaxies:
        table = galaxy.table()
        table.add_column(np.full(len(table), galaxy.galaxy.name), index=0, name="galaxy")
        table.meta.clear()
        tables.append(table)
    return Picture(figure, caption, vstack(tables))


def _points(axes: Any, profile: Profile) -> None:
    application = profile.application
    x = application.mixtures.bins.bounds[:, 0].mean(axis=-1)
    shown = np.where((application.mixtures.n_stars >= profile.min_stars)[:, None], application.fractions, np.nan)
    for y, shade in ((shown[:, :-1].sum(axis=1), IN_SITU), (shown[:, -1], ACCRETED)):
        axes.plot(x, y, "o", c=shade, ms=6, mec="w", mew=0.8, zorder=5)


def _styles(n: int) -> list[Any]:
    return [GALAXIES[i % len(GALAXIES)] for i in range(n)]


@styled
def injections(result: Injection) -> Picture:
    """Draw which planted streams were found, by their width and their number of stars.

    Parameters
    ----------
    result : Injection
        The grid.
    """
    figure = Figure(figsize=(11.4, 4.6), layout="constrained")
    first, second = figure.subplots(1, 2)
    found = result.found
    drawn = first.imshow(
        np.ma.masked_invalid(found), origin="lower", aspect="auto", cmap=look.SHARES, vmin=0, vmax=1,
        interpolation="none",
    )  # fmt: skip
    first.set_facecolor("0.85")
    rim = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    for i, j in np.ndindex(*found.shape):
        good = result.cosine[i, j][np.isfinite(result.cosine[i, j])]
        text = f"{good.mean():.2f}" if len(good) else "\N{EM DASH}"
        first.text(j, i, text, ha="center", va="center", fontsize="small", path_effects=rim)
    first.set_xticks(range(len(result.numbers)), [f"{n:,}" for n in result.numbers])
    first.set_yticks(range(len(result.widths)), [f"{100 * share:.0f} %" for share in result.spanned])
    first.minorticks_off()
    first.tick_params(length=0)
    first.set_xlabel("stars of the stream")
    first.set_ylabel("share of the (E, $L_z$) bins that it spans")
    figure.colorbar(drawn, ax=first, label=f"share of streams found (cosine $\\geq$ {result.threshold:g})")
    shades = look.colours(len(result.widths)) if len(result.widths) <= 7 else [None] * len(result.widths)
    for i, shade in enumerate(shades):
        cosine = result.cosine[i]
        good = np.isfinite(cosine)
        mean = np.where(good, cosine, 0).sum(axis=1) / np.maximum(good.sum(axis=1), 1)
        second.plot(
            result.numbers, np.where(good.any(axis=1), mean, np.nan), c=shade,
            marker=look.MARKERS[i % len(look.MARKERS)], ls=look.LINES[i % len(look.LINES)],
            label=f"{100 * result.spanned[i]:.0f} %",
        )  # fmt: skip
    second.axhline(result.threshold, c="0.3", lw=1.2, ls=(0, (4, 2)))
    second.axhline(result.null, c="0.6", lw=1.2, ls=(0, (1, 2)))
    second.set_xscale("log")
    second.set_xticks(result.numbers, [f"{n:,}" for n in result.numbers], fontsize="small")
    second.minorticks_off()
    second.set_ylim(0, 1.02)
    second.set_xlabel("stars of the stream")
    second.set_ylabel("cosine of the component most like it")
    second.legend(title="bins spanned", loc="upper left", fontsize="small", **FRAMED)
    narrow = result.narrowest()
    said = "none was" if np.isnan(narrow) else f"the narrowest spans {100 * narrow:.0f} % of the bins"
    caption = (
        f"Streams planted in {result.n_stars:,} stars, narrow in chemistry (scatter {result.stream.scatter:g} dex) "
        "around "
        + ", ".join(f"{name} = {x:g}" for name, x in result.stream.abundances)
        + f", with the orbits of the sample's stars around E = {result.stream.E:g} km2/s2, Lz = {result.stream.Lz:g} "
        f"kpc km/s; {result.components} components fitted, {result.cosine.shape[2]} streams of each kind. A stream "
        f"counts as found where a component's images have a cosine of {result.threshold:g} (dashed) or more with its "
        f"own; numbers in the cells are mean cosines, dotted is the cosine without a stream, {result.null:.2f}. Of the "
        f"streams that have no more stars than the sample has where they lie, {said}."
    )
    return Picture(figure, caption, result.table())


@styled
def reliabilities(results: Mapping[str, Reliability], what: str = "accreted") -> Picture:
    """Draw how often what was given a probability is true: on the diagonal, if the probabilities are.

    Parameters
    ----------
    results : mapping of str to Reliability
        By name, the first of them drawn full.
    what : str
        What the probabilities are of.
    """
    figure = Figure(figsize=(5.6, 6.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    upper.plot([0, 1], [0, 1], c="0.45", lw=0.9, ls=(0, (1, 2)))
    shades = look.colours(max(2, len(results)))[::-1]
    for i, (name, result) in enumerate(results.items()):
        upper.errorbar(
            result.predicted, result.observed, result.error, marker=look.MARKERS[i], ms=6, c=shades[i], capsize=2,
            ls=look.LINES[i % len(look.LINES)], label=name,
        )  # fmt: skip
        lower.stairs(
            np.maximum(result.n, 0.5), result.edges, color=shades[i], lw=1.6, ls=look.LINES[i % len(look.LINES)]
        )
    upper.set(ylabel=f"share that is {what}", xlim=(0, 1), ylim=(-0.02, 1.02))
    upper.legend(loc="upper left")
    lower.set(xlabel=f"probability of being {what}", ylabel="stars", yscale="log")
    scores = "; ".join(
        f"{name}: {int(r.n.sum()):,} stars, Brier score {r.brier:.3f} (one probability for all: {r.brier_base:.3f}), "
        f"calibration error {r.calibration:.3f}"
        for name, r in results.items()
    )
    caption = (
        f"Share of stars that are {what} in truth against their probability, in bins of it, with binomial errors; "
        f"below, the stars of each bin. {scores}."
    )
    tables = []
    for name, result in results.items():
        table = QTable(result.table())
        table.add_column(np.full(len(table), name), index=0, name="of")
        table.meta.clear()
        tables.append(table)
    return Picture(figure, caption, vstack(tables))


@styled
def stabilities(result: Stability) -> Picture:
    """Draw mass fractions and cosines of the components over random starts, bins and pixels.

    Parameters
    ----------
    result : Stability
        The fits.
    """
    kinds = [kind for kind in KINDS if result.of(kind).any()]
    if not kinds:
        raise UsageError("no fit converged; nothing can be drawn.")
    figure = Figure(figsize=(0.8 + 3.6 * len(kinds), 5.4), layout="constrained")
    panels: Any = figure.subplots(2, len(kinds), sharex="col", sharey="row", squeeze=False)
    labels = {"start": "random start", "q": "bins on each axis, q", "l": "pixels on each side, l"}
    shades = look.colours(len(result.base.names))
    for column, kind in enumerate(kinds):
        rows = result.of(kind)
        upper, lower = panels[:, column]
        for j, (name, shade) in enumerate(zip(result.base.names, shades, strict=True)):
            style: dict[str, Any] = {"marker": look.MARKERS[j % len(look.MARKERS)], "c": shade, "ms": 5}
            upper.axhline(result.base.mass_fractions[j], c=shade, lw=0.9, ls=(0, (1, 2)))
            upper.plot(result.value[rows], result.share[rows, j], label=name, **style)
            lower.plot(result.value[rows], np.maximum(1 - result.cosine[rows, j], FLOOR), ls="none", **style)
        lower.set_yscale("log")
        lower.set_xlabel(labels[kind])
    panels[0, 0].set_ylabel("mass fraction")
    panels[1, 0].set_ylabel("1 $-$ cosine to the base")
    panels[0, 0].legend(loc="center right")
    said = "; ".join(
        f"over {kind} the least cosine is {result.least_cosine(kind):.4f}, the scatter of the mass fractions "
        f"{result.spread(kind).max():.4f}"
        for kind in kinds
    )
    base = result.base
    caption = (
        f"Fits of {int(base.mixtures.n_stars.sum()):,} stars ({', '.join(base.cutflow.names) or 'no cut'}) beside the "
        f"base, {' x '.join(str(axis.count) for axis in base.mixtures.bins.axes)} bins and "
        f"{base.mixtures.chemistry.pixels} pixels (dotted): {said}. "
        f"{int((~result.good).sum())} of {len(result.value)} fits did not converge or had too "
        "few stars and are left out."
    )
    return Picture(figure, caption, result.table())
