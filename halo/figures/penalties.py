"""Search for penalties: the held-out error of every setting."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..checks.penalties import Search, is_none
from .picture import Picture, styled

LEAST = 1e-5
"""Smallest excess that the colours tell apart."""


@styled
def search(found: Search) -> Picture:
    """Draw the held-out error of every setting over the two strengths, and beside the error of the fit itself.

    Parameters
    ----------
    found : Search
        What to draw.
    """
    table = found.table()
    figure = Figure(figsize=(11.5, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1.0])
    none, held = is_none(table), np.asarray(table["held_out"])
    reference = held[none][0]
    excess = np.clip((held - reference) / reference, LEAST, None)
    nothing = np.asarray(table["components"]) == 0
    _strengths(figure, left, table, excess, nothing)
    dots: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 3.5, "mec": "none"}
    error = np.asarray(table["error"])
    right.plot(error[~nothing & ~none], held[~nothing & ~none], c="#3d9973", alpha=0.7, **dots)
    right.axhline(reference, c="0.6", lw=0.9, ls=":")
    right.plot(error[none], held[none], "D", ms=6.5, mfc="w", mec="k", mew=1.3)
    right.plot(error[0], held[0], "*", ms=11, mfc="#d4c02a", mec="k", mew=0.8)
    right.set_xlabel("error of the fit itself, $||V - WH|| / ||V||$")
    right.set_ylabel("held-out error")
    handles = [
        Line2D([], [], c="#3d9973", label="setting", **dots),
        Line2D([], [], ls="none", marker="D", ms=6.5, mfc="w", mec="k", mew=1.3, label="no penalty"),
        Line2D([], [], ls="none", marker="*", ms=11, mfc="#d4c02a", mec="k", mew=0.8, label="best"),
    ]
    right.legend(handles=handles, loc="lower right")
    said = (
        "Left: held-out error over that without penalties, for each setting drawn, strongest excess on top; grey: no "
        "component is left. Right: the held-out error against that of the fit itself, for settings that leave a "
        f"component. {' '.join(found.describe().splitlines())}."
    )
    alt = (
        "2 panels: the held-out error over the strengths of both penalties, and against the error of the fit itself; "
        "no penalty and the best setting are marked."
    )
    return Picture(figure, said, alt)


def _strengths(figure: Any, axes: Any, table: Any, excess: np.ndarray, nothing: np.ndarray) -> None:
    x, y = np.asarray(table["alpha_W"]), np.asarray(table["alpha_H"])
    axes.plot(x[nothing], y[nothing], "s", ms=2.2, c="0.85", mec="none", label="nothing left")
    left = np.flatnonzero(~nothing)
    shown = left[np.argsort(excess[left])]
    drawn = axes.scatter(x[shown], y[shown], c=excess[shown], s=16, cmap="viridis_r", norm=LogNorm(LEAST, 1), lw=0)
    axes.plot(x[0], y[0], "*", ms=12, mfc="#d4c02a", mec="k", mew=0.8, clip_on=False, zorder=5)
    axes.plot(0, 0, "D", ms=6, mfc="w", mec="k", mew=1.2, clip_on=False, zorder=4)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(r"$\alpha_W$")
    axes.set_ylabel(r"$\alpha_H$")
    figure.colorbar(drawn, ax=axes, label="relative excess of the held-out error")
