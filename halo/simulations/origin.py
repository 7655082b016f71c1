"""Which star particles were accreted: by a flag, by a list of ids, or by how far from the galaxy they were born."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .columns import Source
from .mapping import spec_of

IN_SITU_WITHIN = 30.0
"""Stars born within this radius are in situ unless the mapping gives another, kpc; the limit of FIRE-2's own flag."""
COSMIC_TIME = 9.778
"""1 / (100 km / s / Mpc) in Gyr."""


@dataclass(frozen=True)
class Origin:
    """Where particles come from.

    Attributes
    ----------
    accreted : ndarray of bool, shape (N,)
    known : ndarray of bool, shape (N,)
        Whether the files tell.
    outside : dict of str to ndarray of bool
        Particles that belong to neither part, such as those still bound to a satellite, by the reason.
    criterion : str
        What makes a particle accreted, in words.
    born : ndarray, shape (N,), optional
        Distance of birth in the frame of the criterion, kpc.
    """

    accreted: np.ndarray
    known: np.ndarray
    outside: dict[str, np.ndarray]
    criterion: str
    born: np.ndarray | None = None


def origin_of(
    source: Source, mapping: Mapping[str, Any], ids: np.ndarray | None, formation: np.ndarray | None
) -> Origin:
    """Return the origin of every particle.

    Parameters
    ----------
    source : Source
        The files.
    mapping : mapping
        The mapping file's content.
    ids : ndarray of int, shape (N,), optional
        Of the particles; needed for a list that is joined by them.
    formation : ndarray, shape (N,), optional
        Scale factor at which each star formed.

    Raises
    ------
    InputError
        Columns that cannot be read or do not belong together.
    """
    columns = mapping["columns"]
    if "accreted" in columns:
        spec = spec_of(columns["accreted"])
        if "on" not in spec:
            flag = source.numbers("accreted", spec)
            return _flagged(flag, np.isfinite(flag), np.ones(len(flag), dtype=bool), spec)
        assert ids is not None  # the mapping was checked
        return _listed(source, spec, ids)
    galaxy = mapping.get("galaxy", {})
    within = float(galaxy.get("in_situ_within", IN_SITU_WITHIN))
    frame = str(galaxy.get("frame", "physical" if formation is None else "comoving"))
    born = source.numbers("birth_distance", spec_of(columns["birth_distance"]))
    if frame == "comoving":
        assert formation is not None
        if len(formation) != len(born):
            raise InputError(
                f"{source.mapping}: the columns have different numbers of particles (formation {len(formation):,}, "
                f"birth_distance {len(born):,}); same snapshot?"
            )
        born = np.divide(born, formation, out=np.full(len(born), np.nan), where=formation > 0)
    said = f"born more than {within:g} kpc ({frame}) from the centre"
    return Origin(born > within, np.isfinite(born), {}, said, born)


def _flagged(flag: np.ndarray, known: np.ndarray, listed: np.ndarray, spec: Mapping[str, Any]) -> Origin:
    """Return the origin by a flag: above 0, or one of the values that the mapping gives."""
    if "equals" not in spec:
        return Origin(listed & (flag > 0), known, {}, "flagged as accreted")
    wanted = np.atleast_1d(np.asarray(spec["equals"], dtype=float))
    accreted = listed & np.isin(flag, wanted)
    others = listed & known & ~accreted
    name = str(spec["column"])
    said = f"{name} is {' or '.join(f'{x:g}' for x in wanted)}"
    outside = {f"{name} is another value": others} if spec.get("others", "in situ") == "drop" else {}
    return Origin(accreted, known, outside, said)


def _listed(source: Source, spec: Mapping[str, Any], ids: np.ndarray) -> Origin:
    flag = source.numbers("accreted", spec)
    keys = source.whole("on", {**spec, "column": spec["on"], "index": None})
    if len(keys) != len(flag):
        raise InputError(f"{source.mapping}: accreted has {len(flag):,} flags for {len(keys):,} ids of its list.")
    if len(np.unique(ids)) < len(ids):
        raise InputError(
            f"{source.mapping}: {len(ids) - len(np.unique(ids)):,} ids of particles repeat, so that a list cannot be "
            "joined by them."
        )
    row = _rows(ids, keys)
    listed = row >= 0
    if not listed.any():
        raise InputError(
            f"{source.mapping}: none of {len(keys):,} ids of {spec['on']} is among the {len(ids):,} particles; the "
            "list is of another galaxy or snapshot."
        )
    found = _flagged(np.where(listed, flag[row], np.nan), ~listed | np.isfinite(flag[row]), listed, spec)
    outside = dict(found.outside)
    if "in_situ" in spec:
        here = _rows(ids, source.whole("in_situ", {**spec, "column": spec["in_situ"], "index": None})) >= 0
        outside["in neither list"] = ~listed & ~here
    elif spec.get("unlisted", "in situ") == "drop":
        outside["not in the list"] = ~listed
    return Origin(found.accreted, found.known, outside, f"{found.criterion} in the list, joined by id")


def _rows(ids: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the row of each id among the keys, the last where they repeat, -1 where it is not among them."""
    # of signed and unsigned whole numbers NumPy would make floats
    ids, keys = ids.astype(np.uint64), keys.astype(np.uint64)
    order = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys, ids, side="right", sorter=order) - 1
    row = order[np.clip(at, 0, None)] if len(keys) else np.zeros(len(ids), dtype=np.int64)
    hit = (at >= 0) & (keys[row] == ids) if len(keys) else np.zeros(len(ids), dtype=bool)
    return np.where(hit, row, -1)


def age(formation: np.ndarray, h: float, omega_matter: float) -> np.ndarray:
    """Return the ages of stars today in a flat universe of matter and a cosmological constant, Gyr; shape (N,).

    Parameters
    ----------
    formation : ndarray, shape (N,)
        Scale factor at formation; NaN comes out where it is not above 0.
    h, omega_matter : float
        Hubble constant in 100 km / s / Mpc, and today's density of matter.
    """
    rest = 1 - omega_matter
    a = np.where(formation > 0, formation, np.nan)

    def time(a: np.ndarray | float) -> np.ndarray:
        return np.asarray(2 / (3 * np.sqrt(rest)) * np.arcsinh(np.sqrt(rest / omega_matter) * np.power(a, 1.5)))

    return COSMIC_TIME / h * (time(1.0) - time(a))
