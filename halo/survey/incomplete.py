"""Stars that lack some of the abundances: left out, or kept where they have [Fe/H] and one more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..stars.cuts import Cut, apply_cuts

if TYPE_CHECKING:
    from astropy.table import Table

IRON = "FE_H"
DROP, KEEP = MISSING = ("drop", "keep")
"""What becomes of a star that lacks some of the abundances."""
OfElement = Callable[[str], Sequence[Cut]]
"""The cuts that one abundance must pass to be a measurement."""


def element_cuts(names: Sequence[str], missing: str, of: OfElement) -> tuple[Cut, ...]:
    """Return the cuts on abundances: on each of them, or where stars are kept on [Fe/H] and on having one more."""
    if missing == DROP or len(names) < 2:
        return tuple(cut for name in names for cut in of(name))
    iron = tuple(of(IRON)) if IRON in names else ()
    others = [name for name in names if name != IRON]
    return (
        *iron,
        Cut(f"{' or '.join(others)} measured", lambda t: np.any([_passes(t, of(n)) for n in others], axis=0)),
    )


def blanked(table: Table, names: Sequence[str], of: OfElement) -> Table:
    """Return the stars with NaN for each abundance that is no measurement, so that nothing counts it."""
    out = table.copy()
    for name in names:
        bad = ~_passes(table, of(name))
        column = np.ma.filled(np.ma.asarray(out[name]).astype(np.float64), np.nan)
        column[bad] = np.nan
        out[name] = column
    return out


def _passes(table: Table, cuts: Sequence[Cut]) -> np.ndarray:
    return apply_cuts(table, cuts)[0]
