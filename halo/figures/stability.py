"""Stability: the same components over random starts, numbers of bins and numbers of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..checks.stability import KINDS, Stability
from ..errors import UsageError
from . import captions
from . import style as look
from .picture import Picture, styled

FLOOR = 1e-8
"""Differences of cosines from one are drawn no smaller: the fits end with larger ones."""


@styled
def stabilities(result: Stability) -> Picture:
    """Draw mass fractions and cosines of the components over random starts, bins and pixels.

    Parameters
    ----------
    result : Stability
        The fits.

    Raises
    ------
    UsageError
        No fit converged.
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
            upper.axhline(result.base.mass_fractions[j], c=shade, lw=0.9, ls=(0, (1, 2)), label=look.AROUND)
            upper.plot(result.value[rows], result.fraction[rows, j], label=name, **style)
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
        f"Fits of {int(base.mixtures.n_stars.sum()):,} stars ({', '.join(base.cutflow.names) or 'no cut'}) compared "
        f"with the base, {' x '.join(str(axis.count) for axis in base.mixtures.bins.axes)} bins and "
        f"{base.mixtures.chemistry.pixels} pixels (dotted): {said}. "
        f"{int((~result.good).sum())} of {len(result.value)} fits did not converge or had too "
        "few stars and are left out."
    )
    over = {"start": "random starts", "q": "numbers of bins", "l": "numbers of pixels"}
    alt = (
        f"{captions.panels(2 * len(kinds))} over {captions.listed([over[kind] for kind in kinds])}. Above: mass "
        f"fractions of {captions.listed(base.names)}. Below: one minus the cosine of each component to that of the "
        "base fit."
    )
    return Picture(figure, caption, alt, result.table())
