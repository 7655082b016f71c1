"""What a fit that converged may rest on all the same: few of its stars, a single pixel, components of no mass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .fit import Fit

HELD, HARDLY = 0.5, 0.1
"""Part of the sample in the bins, and of the stars of the bins in any image, below which a fit is of other stars."""
VANISHED = 1e-6
"""Mass fraction below which a component holds no star of any survey."""


def degenerate(fit: Fit) -> list[tuple[bool, str]]:
    """Return what makes a fit's input or its components degenerate, worst first; empty of most fits.

    Parameters
    ----------
    fit : Fit
        With the stars that it was found from.

    Returns
    -------
    list of (bool, str)
        Whether the fit is for nothing, rather than of part of the sample; and what to tell.
    """
    mixtures, found = fit.mixtures, []
    if int(np.count_nonzero(mixtures.V.any(axis=0))) <= len(mixtures.chemistry.planes):
        found.append((True, "all stars lie in one pixel of each image: take more --pixels or a narrower --range"))
    vanished = [name for name, part in zip(fit.names, fit.mass_fractions, strict=True) if not part >= VANISHED]
    if vanished:
        found.append((True, f"no star is in {', '.join(vanished)} (mass fraction below {VANISHED:g}): take fewer "
                            "components"))  # fmt: skip
    stars, inside = len(mixtures.rows), mixtures.rows >= 0
    held, seen = int(inside.sum()), int((mixtures.columns[inside] >= 0).any(axis=1).sum())
    if held < HELD * stars:
        found.append((held < HARDLY * stars, f"the bins hold {held} of {stars} stars: widen --bins"))
    if seen < HELD * held:
        found.append((seen < HARDLY * held, f"the images hold {seen} of {held} stars of the bins: widen --range"))
    return sorted(found, key=lambda one: not one[0])
