"""The mock's selection function: with which probability a star of the fields' volume is in the survey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import sky as mock_sky
from .populations import POPULATIONS
from .stars import ORDINARY, TrueStars
from .truth_table import true_columns

COLUMN = "selection"
"""Column of the truth table."""


def selection_probability(true: TrueStars, thinning: float = 1.0) -> np.ndarray:
    """Return the probability with which each star was selected; shape (n,), NaN of stars that no field was drawn for.

    It is the part of the giants (for a dwarf, of the dwarfs) at its place that are within the magnitude limits, times
    the part of the visible giants in its field that get a fibre, times the part of its population that was kept. One
    over it is for how many stars of its population one stands, in the volume that the fields see out to
    `sky.MAX_DISTANCE`; the same unknown factor is left out for all stars of a population, whose fraction of the rows is
    given. Quality cuts, which take stars away by chance and nearly alike from all populations, are not part of it.

    Parameters
    ----------
    true : TrueStars
        The stars.
    thinning : float
        One star in so many of the thinned populations was kept.
    """
    x, y, z = true.stars.position.T
    sun = mock_sky.R_SUN
    tilt = np.arcsin(mock_sky.Z_SUN / sun)
    # back to the directions of the fields: the inverse of sky.galactocentric
    towards = x * np.cos(tilt) - z * np.sin(tilt) + sun
    height = z * np.cos(tilt) + x * np.sin(tilt)
    distance = np.sqrt(towards**2 + y**2 + height**2)
    latitude = np.arctan2(height, np.hypot(towards, y))
    field = np.maximum(true.stars.field, 0)
    dwarf = true.stars.M_H > mock_sky.luminosity_function(False)[0][-1]
    seen = np.zeros(len(true))
    for kind in (False, True):
        some = dwarf == kind
        bright, faint = mock_sky.visible_range(field[some], distance[some], latitude[some], kind)
        seen[some] = faint - bright
    kept = np.where(np.array([p.thinned for p in POPULATIONS] + [False, False])[true.population], 1 / thinning, 1.0)
    known = (true.kind == ORDINARY) & (true.stars.field >= 0) & (seen > 0)
    return np.where(known, seen * mock_sky.sampling_rate()[field] * kept, np.nan)


def selection_weights(path: str | Path, stars: Any) -> np.ndarray:
    """Return one over the probability of selection of stars of a mock survey; 0 of those that no field was drawn for.

    Parameters
    ----------
    path : path
        ``truth.fits`` of the mock.
    stars : Table
        Stars with ``APOGEE_ID``.

    Returns
    -------
    ndarray, shape (N,)

    Raises
    ------
    InputError
        The file is no truth table with the column, or does not know one of the stars.
    """
    (column,) = true_columns(path, stars, COLUMN)
    found = column.astype(np.float64)
    return np.divide(1.0, found, out=np.zeros(len(found)), where=found > 0)
