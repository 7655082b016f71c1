"""Whether the values of a catalogue can be what its mapping says: wrong units and signs are found by magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..errors import InputError
from ..stars.variables import values

PLAUSIBLE_KPC = (0.05, 200.0)
"""Range of the median heliocentric distance; pc taken for kpc, or kpc for pc, fall outside."""


def check_plausible(table: Table, path: Path, mapping: Path, unusual: Sequence[str] = ()) -> None:
    """Raise where values are of another size than those of any catalogue of stars.

    Parameters
    ----------
    table : Table
        Columns of the conventions page.
    path, mapping : Path
        Their file and the mapping file, for messages.
    unusual : sequence of str
        Entries that are not looked at.

    Raises
    ------
    InputError
        They are in another unit, or have another sign or meaning.
    """
    if "distance" in table.colnames and "distance" not in unusual:
        distance = values(table, "distance")
        finite = distance[np.isfinite(distance)]
        if finite.size and not PLAUSIBLE_KPC[0] <= np.median(finite) <= PLAUSIBLE_KPC[1]:
            raise InputError(
                f"{path}: the median distance would be {np.median(finite):g} kpc; correct the unit of distance in "
                f"{mapping} (pc or kpc)."
            )
