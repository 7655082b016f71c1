"""A mock survey's truth beside what a fit says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from .binning import Bins
from .errors import InputError

ACCRETED = "accreted"


def accreted(truth: str | Path, stars: Any) -> np.ndarray:
    """Return whether each star was accreted, from the truth file of the mock it came from; bool, shape (N,).

    Parameters
    ----------
    truth : path
        ``truth.fits`` of a mock survey.
    stars : Table
        Stars with ``APOGEE_ID``.

    Raises
    ------
    InputError
        The file is no truth table, or does not know one of the stars.
    """
    path = Path(truth)
    try:
        table = Table(fits.getdata(path, 1))
        known = {str(name): origin for name, origin in zip(table["APOGEE_ID"], table["origin"], strict=True)}
    except (OSError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path}: no truth table of a mock survey ({error}).") from error
    names = [str(name) for name in stars["APOGEE_ID"]]
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"{path}: does not know {len(missing)} of {len(names)} stars, such as {missing[0]}.")
    return np.array([str(known[name]).strip() == ACCRETED for name in names])


def true_fractions(bins: Bins, stars: Any, is_accreted: np.ndarray) -> np.ndarray:
    """Return the accreted share of the stars in each bin; shape (m,), NaN where a bin is empty."""
    rows = bins.assign(stars)
    inside = rows >= 0
    number = np.bincount(rows[inside], minlength=len(bins)).astype(float)
    hits = np.bincount(rows[inside & is_accreted], minlength=len(bins)).astype(float)
    return np.divide(hits, number, out=np.full(len(bins), np.nan), where=number > 0)
