"""How many components: gains of each number over the one before, and how often each was best."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..checks.rank import SHORT, Rank
from . import captions
from . import style as look
from .picture import Picture, styled

GAIN, LOSS = look.BETWEEN[1], look.BETWEEN[3]
"""A component that helps, and one that does not."""


@styled
def ranks(result: Rank) -> Picture:
    """Draw what each number of components gains over the one before, and for how many halves it was best.

    Parameters
    ----------
    result : Rank
        The numbers compared.
    """
    both = result.found.by_loss
    figure = Figure(figsize=(1.0 + 4.4 * len(both), 5.2), layout="constrained")
    panels: Any = figure.subplots(2, len(both), sharex=True, squeeze=False, height_ratios=[2, 1])
    for (upper, lower), one in zip(panels.T, both, strict=True):
        _gains(upper, one)
        lower.bar(one.ranks, one.chosen, width=0.7, color=[_shade(k == one.choice) for k in one.ranks])
        lower.set_ylim(0, 2 * len(one.scores) * 1.05)
        lower.set_xlabel("components, $k$")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        lower.minorticks_off()
    panels[0, 0].set_ylabel("gain over $k - 1$")
    panels[1, 0].set_ylabel("halves")
    choices = captions.listed([f"{one.choice} by {SHORT[one.loss]}" for one in both])
    unit = {"star": "stars", "bin": "the stars of every bin"}.get(result.by, f"groups of stars by {result.by}")
    caption = (
        f"Numbers of components compared on {result.n_stars:,} stars in {result.bins} bins and {result.pixels} pixels: "
        f"fits of halves of {unit}, judged by the other halves, {len(both[0].scores)} splits. Above: by how much the "
        "score of a half that was not fitted rises with one component more (a logarithmic scale beyond the largest "
        "error), with standard errors that admit that the splits share stars; triangles where it is less than its "
        "error. Below: for how many of the halves each number was best. Filled: the smallest number within one "
        f"standard error of the best, {choices}."
    )
    alt = (
        f"{captions.panels(2 * len(both))}. Above: gain of each number of components over the one before, by "
        f"{captions.listed([SHORT[one.loss] for one in both])}. Below: a bar for each number, as high as the number of "
        "halves for which it was best."
    )
    return Picture(figure, caption, alt, result.table())


def _gains(axes: Any, one: Any) -> None:
    errors, gains = one.gain_se[1:], one.gain[1:]
    for k, gain, error in zip(one.ranks[1:], gains, errors, strict=True):
        kept, (shade, marker) = k == one.choice, (GAIN, "o") if gain > error else (LOSS, "v")
        axes.errorbar(k, gain, error, fmt=marker, ms=7, c=shade, mfc=shade if kept else "w", capsize=3)
    axes.axhline(0, c="0.5", lw=0.9, ls=(0, (4, 2)))
    # Gains span orders of magnitude, and losses are of the size of their errors.
    straight = max(float(np.max(errors)), 1e-12)
    axes.set_yscale("symlog", linthresh=straight)
    low, high = (2 * float(x) for x in (np.min(gains - errors), np.max(gains + errors)))
    axes.set_ylim(min(low, -2 * straight), max(high, 2 * straight))
    axes.set_title(SHORT[one.loss], fontsize="medium")
    axes.set_xlim(one.ranks[0] - 0.6, one.ranks[-1] + 0.6)


def _shade(chosen: bool) -> str:
    return GAIN if chosen else "0.8"
