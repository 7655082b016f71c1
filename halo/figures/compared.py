"""Two fits compared: their accreted fractions along energy, and by how many standard errors their numbers differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..checks.comparison import Comparison
from ..errors import UsageError
from ..fits.intervals import COVERAGE
from ..rounding import measured, number
from . import style as look
from .picture import Picture, styled

FARTHEST = 10.0
"""Differences of more standard errors are drawn at the edge, as arrows."""


@styled
def fits_compared(found: Comparison) -> Picture:
    """Draw the accreted fractions of two fits along energy, and the differences of their numbers in standard errors.

    Parameters
    ----------
    found : Comparison
        Of `compare`, with stars and replicates.

    Raises
    ------
    UsageError
        It has no curves.
    """
    if len(found.curves) != 2:
        raise UsageError("nothing to draw: a comparison has curves where it was given the stars of the fits.")
    rows = [row for row in found.differences if np.isfinite(row.value) and row.se > 0]
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1]) if rows else (figure.add_subplot(), None)
    size = look.scale("E")
    for curve, name, shade, line, marker, read in zip(
        found.curves, "ab", (look.LOW, look.HIGH), look.LINES, look.MARKERS, found.read, strict=False
    ):
        x = curve.centre / size.factor
        left.fill_between(x, curve.low, curve.high, color=shade, alpha=0.25, lw=0)
        style: dict[str, Any] = {"c": shade, "ls": line, "marker": marker, "ms": 4}
        left.plot(x, curve.fraction, label=f"{name} ({read})", **style)
    left.set(xlabel=size.label, ylabel="accreted fraction", ylim=(-0.02, 1.02))
    left.legend(loc="upper left")
    if right is not None:
        _in_errors(right, rows)
    return Picture(figure, _caption(found, bool(rows)), _alt(found), found.table())


def _in_errors(panel: Any, rows: list[Any]) -> None:
    off = np.array([row.value / row.se for row in rows])
    y = np.arange(len(rows))[::-1]
    panel.axvspan(-1, 1, color="0.9", lw=0)
    panel.axvline(0, c="0.4", lw=0.8)
    inside = np.abs(off) <= FARTHEST
    panel.plot(off[inside], y[inside], ls="none", marker="o", c="0.2")
    for at, place in zip(off[~inside], y[~inside], strict=True):
        panel.plot(np.sign(at) * FARTHEST, place, ls="none", marker="<" if at < 0 else ">", c="0.2", ms=7)
    panel.tick_params(axis="y", which="both", left=False, right=False)
    panel.set_yticks(y, [look.words(row.name) for row in rows])
    panel.set(
        xlim=(-1.08 * FARTHEST, 1.08 * FARTHEST), xlabel="(b $-$ a) / standard error", ylim=(-0.7, len(rows) - 0.3)
    )


def _caption(found: Comparison, differences: bool) -> str:
    parts = [
        f"Accreted fractions of two fits against energy ({found.read[0]} of a, {found.read[1]} of b); "
        f"shaded: {100 * COVERAGE:g} % intervals of the bootstrap."
    ]
    if differences:
        how = "the same stars drawn alike" if found.paired else "replicates of either as of independent samples"
        parts.append(f"Right: differences of their numbers in standard errors, from {how}; arrows lie beyond 10.")
    if found.settings:
        parts.append(f"Settings that differ (a | b): {'; '.join(found.settings)}.")
    return " ".join([*parts, *(f"{problem}." for problem in found.problems_of)])


def _alt(found: Comparison) -> str:
    rows = found.differences[:4]
    said = "; ".join(f"{row.name} {number(row.a, row.unit)} and {measured(row.b, row.unit)}" for row in rows)
    return (
        f"Two curves of the accreted fraction against energy, with bands; next to them points for differences. {said}."
    )
