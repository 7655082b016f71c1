"""The truth table of a mock survey, joined to stars by their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ..errors import InputError


def true_columns(path: str | Path, stars: Any, *columns: str) -> tuple[np.ndarray, ...]:
    """Return columns of a mock's truth for every star; each of shape (N,).

    Parameters
    ----------
    path : path
        ``truth.fits`` of the mock.
    stars : Table
        Stars with ``APOGEE_ID``.
    *columns : str
        Of the truth table.

    Raises
    ------
    InputError
        The file is no truth table with these columns, or does not know one of the stars.
    """
    try:
        table = Table(fits.getdata(Path(path), 1))
        # repeated observations of a star share its id and its truth
        row = {str(name).strip(): i for i, name in enumerate(table["APOGEE_ID"])}
        found = [np.asarray(table[name]) for name in columns]
    except (OSError, KeyError, IndexError, TypeError) as error:
        wanted = f"column{'s' * (len(columns) > 1)} {', '.join(columns)}"
        raise InputError(f"{path}: no truth table of a mock survey with the {wanted} ({error}).") from error
    names = [str(name).strip() for name in stars["APOGEE_ID"]]
    missing = [name for name in names if name not in row]
    if missing:
        raise InputError(f"{path}: does not know {len(missing)} of {len(names)} stars, such as {missing[0]}.")
    index = np.array([row[name] for name in names], dtype=np.int64)
    return tuple(column[index] for column in found)
