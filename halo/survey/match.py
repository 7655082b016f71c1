"""Match the rows of two catalogues of the same stars by identifier."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError

JOIN_WITNESSES = ("TELESCOPE", "LOCATION_ID", "VHELIO_AVG")
"""Columns that both files copy from the same visit spectra: they distinguish the rows of a star that has several."""

MIN_MATCHED = 0.5
"""Fraction of allStar that must be found; with fewer, the files are of different releases."""

_VALUES = ("WEIGHTED_DIST", "PMRA", "PMDEC", "VHELIO_AVG")


def pair_rows(
    stars: Mapping[str, np.ndarray],
    vac: Mapping[str, np.ndarray],
    duplicate: np.ndarray,
    witnesses: Sequence[str] = (),
    *,
    allstar: Path,
    astronn: Path,
) -> np.ndarray:
    """Row of astroNN for every row of allStar.

    One to one where the identifiers agree in every row, as in the survey's own files. Otherwise duplicates are dropped
    first and the rest are joined by identifier.

    Parameters
    ----------
    stars, vac : mapping of str to ndarray
        Columns of allStar and astroNN, with ``APOGEE_ID`` and the witnesses.
    duplicate : ndarray of bool
        Rows of allStar that EXTRATARG calls duplicates.
    witnesses : sequence of str
        Columns of both that decide between rows of astroNN with the same identifier.
    allstar, astronn : Path
        Named in errors.

    Returns
    -------
    ndarray of int64, shape (rows of allStar,)
        -1 where there is none.

    Raises
    ------
    InputError
        Identifiers still repeated, or few of them found.
    """
    ids, vac_ids = stars["APOGEE_ID"], vac["APOGEE_ID"]
    if len(ids) == len(vac_ids) and np.array_equal(ids, vac_ids):
        return np.arange(len(ids))
    kept = np.flatnonzero(~duplicate)
    unique, counts = np.unique(ids[kept], return_counts=True)
    if (counts > 1).any():
        _refuse(
            allstar, unique[counts > 1], "among rows that EXTRATARG does not call duplicates", "flag or remove them"
        )

    order = np.argsort(vac_ids, kind="stable")
    first = np.searchsorted(vac_ids, ids[kept], "left", sorter=order)
    count = np.searchsorted(vac_ids, ids[kept], "right", sorter=order) - first
    found = np.count_nonzero(count)
    if found < MIN_MATCHED * len(kept):
        raise InputError(
            f"{astronn}: has only {found:,} of the {len(kept):,} stars in {allstar}, matched by APOGEE_ID; take both "
            "files from DR17."
        )
    rows = np.full(len(ids), -1, dtype=np.int64)
    once = count == 1
    rows[kept[once]] = order[first[once]]
    ambiguous = []
    for i in np.flatnonzero(count > 1):
        star = kept[i]
        chosen = _decide(stars, vac, star, order[first[i] : first[i] + count[i]], witnesses)
        if chosen is None:
            ambiguous.append(ids[star])
        else:
            rows[star] = chosen
    if ambiguous:
        _refuse(
            astronn, np.array(ambiguous), f"with different values; {allstar} is in another order", "keep one row each"
        )
    return rows


def _decide(
    stars: Mapping[str, np.ndarray],
    vac: Mapping[str, np.ndarray],
    star: int,
    candidates: np.ndarray,
    witnesses: Sequence[str],
) -> int | None:
    for name in witnesses:
        value = stars[name][star]
        agree = candidates[vac[name][candidates].astype(stars[name].dtype) == value]
        # a witness that is blank or NaN in one file decides nothing
        candidates = agree if agree.size else candidates
    same = all(len(np.unique(vac[name][candidates])) == 1 for name in _VALUES)  # NaN equals NaN here
    return int(candidates[0]) if len(candidates) == 1 or same else None


def _refuse(path: Path, ids: np.ndarray, where: str, remedy: str) -> None:
    listed = ", ".join(i.decode("ascii", "replace") if isinstance(i, bytes) else str(i) for i in ids[:5])
    more = f" and {len(ids) - 5:,} more" if len(ids) > 5 else ""
    raise InputError(f"{path}: {len(ids):,} APOGEE_ID repeated {where}: {listed}{more}; {remedy}.")
