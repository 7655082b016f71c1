"""Memberships: how often stars of a given probability are what they are taken for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable, vstack
from matplotlib.figure import Figure

from ..products.memberships import Reliability
from . import style as look
from .picture import Picture, styled


@styled
def reliabilities(results: Mapping[str, Reliability], what: str = "accreted") -> Picture:
    """Draw the true fraction of stars against their probability: on the diagonal where probabilities are right.

    Parameters
    ----------
    results : mapping of str to Reliability
        By name, the first of them drawn full.
    what : str
        The property that has the probabilities.
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
    upper.set(ylabel=f"fraction that is {what}", xlim=(0, 1), ylim=(-0.02, 1.02))
    upper.legend(loc="upper left")
    lower.set(xlabel=f"probability of being {what}", ylabel="stars", yscale="log")
    scores = "; ".join(
        f"{name}: {int(r.n.sum()):,} stars, Brier score {r.brier:.3f} (one probability for all: {r.brier_base:.3f}), "
        f"calibration error {r.calibration:.3f}"
        for name, r in results.items()
    )
    caption = (
        f"Fraction of stars that are {what} in truth against their probability, in bins of it, with binomial errors; "
        f"below, the stars of each bin. {scores}."
    )
    tables = []
    for name, result in results.items():
        table = QTable(result.table())
        table.add_column(np.full(len(table), name), index=0, name="of")
        table.meta.clear()
        tables.append(table)
    alt = (
        f"The fraction of stars that are {what} in truth against their probability, a curve for each of: "
        f"{', '.join(results)}; with the diagonal on which the two would agree. Below: the number of stars in each bin "
        "of probability."
    )
    return Picture(figure, caption, alt, vstack(tables))
