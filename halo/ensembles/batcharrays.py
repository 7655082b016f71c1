"""The arrays of a batch as HDF5: a group for every configuration, with axes that have names, units and coordinates.

In a group, products of the replicates stand under their names, those of the full sample as ``base_X``, and what else is
known of the full sample as ``sample_X``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ..errors import InputError, UsageError
from ..fits.fit import component_names
from ..io import hdf5_writing
from ..io.hdf5 import Held
from ..io.hdf5 import unpack as read
from ..io.labelled import AGAINST, Labelled, Labels, edges_of, heading, plain_name
from ..replicates.labelled import (
    LEVEL,
    PERCENTILE,
    REPLICATE,
    abundances_of,
    axis_of,
    coordinates_of_axes,
    described,
)
from .plan import Part

BASE, SAMPLE, EDGES, BOUNDS = "base_", "sample_", "edges_", "_bounds"
_IN_AXES = {LEVEL: "levels", PERCENTILE: "percentiles"}
_PREFIXES = {"replicates": "", "base": BASE, "coordinates": SAMPLE}
_OF_FULL = "full sample, "


@dataclass(frozen=True)
class Computed:
    """Results of a part of a batch.

    Attributes
    ----------
    part : Part
        Which replicates of which configuration.
    replicates : dict of str to ndarray
        Products, the leading axis of each is the replicate.
    base, coordinates : dict of str to ndarray
        Of the base fit, with the first replicates only.
    failure : str
        Why there are no results; empty where there are.
    """

    part: Part
    replicates: Mapping[str, np.ndarray] = field(default_factory=dict)
    base: Mapping[str, np.ndarray] = field(default_factory=dict)
    coordinates: Mapping[str, np.ndarray] = field(default_factory=dict)
    failure: str = ""


def unlike(computed: Sequence[Computed]) -> dict[str, dict[str, str]]:
    """Return how arrays are called that are not called so in the file, by group: names of HDF5 are plain.

    Raises
    ------
    UsageError
        Two of a configuration have the same plain name, such as those of columns ``a-b`` and ``a_b``.
    """
    found = {}
    for group, one in zip(_groups([one.part for one in computed]), computed, strict=True):
        abundances = abundances_of([*(one.base or one.replicates)])
        own: dict[str, str] = {}
        for kind, prefix in _PREFIXES.items():
            for name, value in getattr(one, kind).items():
                along = kind == "coordinates" and name.startswith(EDGES) and np.ndim(value) == 1
                made = _bounds_in_file(name, abundances) if along else f"{prefix}{_in_file(name)}"
                if own.setdefault(made, name) != name:
                    raise UsageError(f"{own[made]} and {name} have one name in files, {made}; rename a column.")
        renamed = {made: name for made, name in own.items() if _own_name(made) != name}
        if renamed:
            found[group] = renamed
    return found


def _bounds_in_file(name: str, abundances: set[str]) -> str:
    """Return what the bounds of an axis are called in a file, by the name of its edges."""
    of = name.removeprefix(EDGES)
    return f"{axis_of(of, pixels=of in abundances)}{BOUNDS}"


def _own_name(name: str) -> str:
    """Return what an array of this name in a file is called."""
    if name.endswith(BOUNDS):
        return f"{EDGES}{_of_bounds(name)}"
    return name.removeprefix(SAMPLE).removeprefix(BASE).replace(AGAINST, ":")


def pack(computed: Sequence[Computed]) -> bytes:
    """Return the results of a batch as HDF5; the same results give the same bytes."""
    content = Labels({}, heading("halonmf batch of an ensemble", {"command": "ensemble"}))
    groups = dict(zip(_groups([one.part for one in computed]), map(labelled, computed), strict=True))
    return hdf5_writing.pack(content, compressed=False, groups=groups)


def labelled(one: Computed) -> Labels:
    """Return the results of one configuration as labelled arrays."""
    known = one.base or one.replicates
    mass = np.shape(known["mass_fraction"]) if "mass_fraction" in known else ()
    abundances = abundances_of([*known])
    arrays = coordinates_of_axes(one.coordinates, abundances, component_names(mass[-1]) if mass else ())
    if one.part.count:
        numbers = np.arange(one.part.first, one.part.first + one.part.count)
        arrays[REPLICATE] = Labelled((REPLICATE,), numbers, "number of the replicate")
    edges = [name for name in one.coordinates if name.startswith(EDGES)]
    kept = {name for name in edges if _bounds_in_file(name, abundances) in arrays} | {
        name for axis, name in _IN_AXES.items() if axis in arrays
    }
    sizes = Labels(arrays).sizes
    for kind, prefix in _PREFIXES.items():
        for name, value in getattr(one, kind).items():
            if kind != "coordinates" or name not in kept:
                x = np.asarray(value)
                made = f"{prefix}{_in_file(name)}"
                axes, words, unit = _described(name, kind)
                if not _fits(axes, x.shape, sizes):
                    axes = tuple(f"{made}_axis_{i}" for i in range(x.ndim))
                sizes |= dict(zip(axes, x.shape, strict=True))
                arrays[made] = Labelled(axes, x, words, unit)
    last = one.part.first + one.part.count - 1
    which = f"replicates {one.part.first} to {last}" if one.part.count else "full sample"
    return Labels(arrays, {"title": f"configuration {one.part.setup}, {which}"})


@lru_cache(maxsize=4096)
def _described(name: str, kind: str) -> tuple[tuple[str, ...], str, str]:
    try:
        axes, words, unit = described(name)
    except KeyError:
        axes, words, unit = ("",), "", ""  # of one's own: it has axes of its own
    if kind == "replicates":
        return (REPLICATE, *axes), words, unit
    return axes, f"{_OF_FULL}{words}" if words else "", unit


def _fits(axes: tuple[str, ...], shape: tuple[int, ...], sizes: Mapping[str, int]) -> bool:
    return len(axes) == len(shape) and all(
        axis and sizes.get(axis, size) == size for axis, size in zip(axes, shape, strict=True)
    )


@lru_cache(maxsize=4096)
def _in_file(name: str) -> str:
    return plain_name(name)


def _of_bounds(name: str) -> str:
    """Return the variable of the bounds of an axis, such as ``E`` of ``bin_E_bounds``; empty for anything else."""
    if not name.endswith(BOUNDS):
        return ""
    axis = name.removesuffix(BOUNDS)
    return "boundary" if axis == "column" else axis.partition("_")[2]


def _groups(parts: Sequence[Part]) -> Iterator[str]:
    seen: set[int] = set()
    for part in parts:
        yield f"configuration_{part.setup:06d}" + (f"_from_{part.first}" if part.setup in seen else "")
        seen.add(part.setup)


def unpack(
    image: bytes,
    parts: Sequence[Part],
    failures: Sequence[str],
    *,
    called: Mapping[str, Mapping[str, str]] = {},
) -> tuple[Computed, ...]:
    """Return what `pack` was given; `called` is what `unlike` returned.

    Raises
    ------
    InputError
        No HDF5, or anything else than the arrays of these parts.
    """
    held = read(image)
    names = list(_groups(parts))
    foreign = [*held.arrays, *(name for name in held.groups if name not in names)]
    if foreign:
        raise InputError(f"has data of the name {foreign[0]}, which no batch has; such files are refused.")
    return tuple(
        _computed(part, held.groups.get(name, Held({})), failure, called.get(name, {}))
        for part, name, failure in zip(parts, names, failures, strict=True)
    )


def _computed(part: Part, held: Held, failure: str, called: Mapping[str, str]) -> Computed:
    found: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in _PREFIXES}
    for name, array in held.arrays.items():
        own = called.get(name) or _own_name(name)
        if name in _IN_AXES:
            found["coordinates"][_IN_AXES[name]] = array
        elif name in held.scales:
            continue
        elif name.startswith(SAMPLE):
            found["coordinates"][own] = array
        elif name.startswith(BASE):
            found["base"][own] = array
        elif name.endswith(BOUNDS):
            if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] != 2:
                raise InputError(f"has {name} {array.shape}, no bounds of bins; such files are refused.")
            found["coordinates"][own] = edges_of(array)
        else:
            found["replicates"][own] = array
    return Computed(part, found["replicates"], found["base"], found["coordinates"], failure)


def unpack_first(
    image: bytes, parts: Sequence[Part], failures: Sequence[str], *, texts: Mapping[str, Sequence[str]]
) -> tuple[Computed, ...]:
    """Return the same of a file of layout 1: arrays are ``PLACE.KIND.NAME``, and texts are in its header."""
    held = read(image)
    if held.groups:
        raise InputError("has a group, which no batch of its layout has; such files are refused.")
    named = {**held.arrays, **{key: np.array(value, dtype=str) for key, value in texts.items()}}
    found: list[dict[str, dict[str, np.ndarray]]] = [{kind: {} for kind in _PREFIXES} for _ in parts]
    key = ""
    try:
        for key, array in named.items():
            place, kind, name = key.split(".", 2)
            found[int(place)][kind][name] = array
    except (ValueError, KeyError, IndexError):
        raise InputError(f"has data of the name {key}, which no batch has; such files are refused.") from None
    return tuple(
        Computed(part, one["replicates"], one["base"], one["coordinates"], failure)
        for part, one, failure in zip(parts, found, failures, strict=True)
    )
