"""Bootstrap replicates of four components together: either part drawn and fitted anew, then all four re-applied."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..fits.bootstrap import FLOOR, REPLICATES, refit, star_weights
from ..products.four import Four, sides
from ..products.overview import PROFILES
from .products import reduced
from .sample import Stars
from .table import key

CHUNK = 64
"""Replicates whose products are in memory at once."""


def four_replicates(
    four: Four, table: Any, replicates: int = REPLICATES, *, seed: int = 0, floor: float = FLOOR
) -> dict[str, np.ndarray]:
    """Return the fractions of four components along every variable of `overview.PROFILES`, in every replicate.

    The boundary is held fixed. The stars of either part are resampled; the components and the bins along a variable
    are made of the same resampled stars. Replicates of a part that did not converge, or whose components could not be
    matched, are left out.

    Parameters
    ----------
    four : Four
        As `four.split` makes it.
    table : Table
        The prepared stars that it was made of.
    replicates : int
        B, of which B' are good.
    seed : int
        Of the draws of the upper part; those of the lower one have the next.
    floor : float
        As in `bootstrap.refit`.

    Returns
    -------
    dict of str to ndarray, shape (B', bins, 4)
        By variable, those that the stars have; what `spread.spreads` takes.

    Raises
    ------
    InputError
        Other stars than those that were split.
    UsageError
        Numbers that make no sense.
    """
    sample = (table if isinstance(table, Stars) else Stars(table)).sample(four.fit.settings.selection)
    used, above, _ = sides(sample.stars, four.boundary, four.settings.fill)
    masks = used & above, used & ~above
    if any(mask.sum() != len(part.mixtures.rows) for mask, part in zip(masks, four.parts, strict=True)):
        raise InputError("these are not the stars that were split: other numbers lie on either side of the boundary.")
    # seeds of their own, or the two parts would draw alike
    high, low = (refit(part, replicates, seed=seed + i, floor=floor) for i, part in enumerate(four.parts))
    weights = np.zeros((replicates, len(used)), np.uint8)
    for i, (mask, part) in enumerate(zip(masks, four.parts, strict=True)):
        weights[:, mask] = star_weights(part, replicates, seed=seed + i)
    good = np.flatnonzero(high.good & low.good)
    rows, columns = four.fit.mixtures.rows, sample.columns(four.fit.settings.chemistry)
    found: dict[str, list[np.ndarray]] = {name: [] for name in PROFILES}
    for first in range(0, len(good), CHUNK):
        some = good[first : first + CHUNK]
        H = np.concatenate([low.H[some], high.H[some]], axis=1)
        W = np.ones((len(some), *four.fit.W.shape))  # the products kept here are of H alone
        made = reduced(sample, weights[some], W, H, rows, columns, four.fit.settings)
        for name in PROFILES:
            if key("fraction", name) in made:
                found[name].append(made[key("fraction", name)])
    return {name: np.concatenate(parts) for name, parts in found.items() if parts}
