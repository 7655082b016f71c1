"""Planted streams: which are found, by their width and their number of stars."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure

from ..checks.injection import Injection
from . import style as look
from .picture import Picture, styled

FRAMED: dict[str, Any] = {"frameon": True, "framealpha": 0.95, "edgecolor": "none"}


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
        np.ma.masked_invalid(found), origin="lower", aspect="auto", cmap=look.FRACTIONS, vmin=0, vmax=1,
        interpolation="none",
    )  # fmt: skip
    first.set_facecolor("0.85")
    rim = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    for i, j in np.ndindex(*found.shape):
        good = result.cosine[i, j][np.isfinite(result.cosine[i, j])]
        text = f"{good.mean():.2f}" if len(good) else "\N{EM DASH}"
        first.text(j, i, text, ha="center", va="center", fontsize="small", path_effects=rim)
    first.set_xticks(range(len(result.numbers)), [f"{n:,}" for n in result.numbers])
    first.set_yticks(range(len(result.widths)), [f"{100 * part:.0f} %" for part in result.spanned])
    first.minorticks_off()
    first.tick_params(length=0)
    first.set_xlabel("stars of the stream")
    first.set_ylabel("fraction of the (E, $L_z$) bins that it spans")
    figure.colorbar(drawn, ax=first, label=f"fraction of streams found (cosine $\\geq$ {result.threshold:g})")
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
    alt = (
        "2 panels. Left: the fraction of planted streams that were found, as a grid of the fraction of the bins that "
        "they span and their number of stars. Right: the cosine of the component most like the stream against its "
        "number of stars, a line for each width, with the threshold and the cosine without a stream."
    )
    return Picture(figure, caption, alt, result.table())
