"""Arrays with named axes, units and a sentence on each: what HDF5 files are written from, and what xarray is given.

Names and attributes are those of the CF conventions (https://cfconventions.org) and of netCDF-4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError

if TYPE_CHECKING:
    import xarray

CONVENTIONS = "CF-1.11"
PURE = "1"
"""The unit of a pure number."""
DEX = "dex"
"""The unit of an abundance."""
BOUND = "bound"
"""The axis of the lower and the upper edge of a bin, a pixel or a column."""


@dataclass(frozen=True)
class Labelled:
    """An array whose axes have names.

    Attributes
    ----------
    axes : tuple of str
        Their names; that of a coordinate is the name of its axis.
    values : ndarray
        Numbers, truth values or texts.
    long_name : str
        What they are.
    units : str
        As `cf_unit` writes them; empty for texts, truth values, places in another array, and where none is known.
    others : dict of str to str
        Further attributes, such as ``bounds``.
    """

    axes: tuple[str, ...]
    values: np.ndarray
    long_name: str = ""
    units: str = ""
    others: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        object.__setattr__(self, "values", values)
        if values.ndim != len(self.axes):
            raise ValueError(f"an array {values.shape} with the axes {self.axes}")

    @property
    def attributes(self) -> dict[str, str]:
        """All attributes that are not empty."""
        own = {"units": self.units, "long_name": self.long_name, **self.others}
        return {name: text for name, text in own.items() if text}


@dataclass(frozen=True)
class Labels:
    """Arrays that have axes in common, and what is to be known of all of them.

    Attributes
    ----------
    arrays : dict of str to Labelled
        By name.
    attributes : dict of str to str or int
        Of all.
    auxiliary : tuple of str
        Those of the arrays that are coordinates, but not of an axis of their own name, such as the lower edges of bins.
    """

    arrays: Mapping[str, Labelled]
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    auxiliary: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every axis.

        Raises
        ------
        ValueError
            Two arrays do not agree on it.
        """
        found: dict[str, int] = {}
        for name, array in self.arrays.items():
            for axis, size in zip(array.axes, array.values.shape, strict=True):
                if found.setdefault(axis, size) != size:
                    raise ValueError(f"{name} has {size} along {axis}, others have {found[axis]}")
        return found

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates: those of axes, and the auxiliary ones."""
        return (*(name for name, array in self.arrays.items() if array.axes == (name,)), *self.auxiliary)

    def beside(self, name: str) -> dict[str, str]:
        """Return the attribute by which files say which auxiliary coordinates an array has; empty for none."""
        if not self.auxiliary or name in self.coordinates:
            return {}
        axes = set(self.arrays[name].axes)
        theirs = [one for one in self.auxiliary if axes >= set(self.arrays[one].axes)]
        return {"coordinates": " ".join(theirs)} if theirs else {}

    def to_xarray(self) -> xarray.Dataset:
        """Return the arrays as a `xarray.Dataset`, as ``xarray.open_dataset`` makes it of the file.

        Raises
        ------
        UsageError
            xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise UsageError('to_xarray needs xarray: pip install "halonmf[xarray]".') from None
        variables = {name: (one.axes, one.values, one.attributes) for name, one in self.arrays.items()}
        return xarray.Dataset(variables, attrs=dict(self.attributes)).set_coords(self.coordinates)


def heading(title: str, record: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the attributes that the CF conventions ask of every file.

    Parameters
    ----------
    title : str
        What is in it.
    record : mapping
        Its provenance, as `provenance.provenance` makes it; may be empty.
    """
    command, version = (str(record.get(name, "")) for name in ("command", "version"))
    inputs = [str(one.get("name", "")) for one in record.get("inputs", ()) if isinstance(one, Mapping)]
    history = " ".join(
        part for part in (str(record.get("time", "")), f"halonmf {command}" if command else "", *inputs) if part
    )
    source = f"halonmf {version}".strip()
    found = {"Conventions": CONVENTIONS, "title": title, "source": source, "history": history}
    return {name: text for name, text in found.items() if text}


@lru_cache(maxsize=256)
def cf_unit(text: str) -> str:
    """Return a unit that astropy reads as the CF conventions write it: ``km2 s-2`` of ``km2 / s2``; empty for none."""
    if not text or text in (PURE, DEX):
        return text
    from astropy import units

    unit = units.Unit(text)
    pairs = zip(unit.bases, unit.powers, strict=True)
    ordered = sorted(pairs, key=lambda pair: (pair[1] < 0, text.find(pair[0].to_string())))  # as they stand
    return " ".join(f"{base.to_string()}{'' if power == 1 else power}" for base, power in ordered)


def plain_name(text: str) -> str:
    """Return a text as a name of an array or axis: letters, digits and underscores."""
    return re.sub(r"\W", "_", text.replace(":", AGAINST), flags=re.ASCII)


AGAINST = "_against_"
"""What stands for the colon of a plane in names."""


def bounds(edges: np.ndarray) -> np.ndarray:
    """Return the lower and upper edges, shape (..., bins, 2), from edges, shape (..., bins + 1)."""
    return np.stack([edges[..., :-1], edges[..., 1:]], axis=-1)


def edges_of(bounds: np.ndarray) -> np.ndarray:
    """Return the edges, shape (bins + 1,), from lower and upper ones, shape (bins, 2)."""
    return np.concatenate([bounds[:, 0], bounds[-1:, 1]])


def along(axis: str, edges: np.ndarray, long_name: str, units: str) -> dict[str, Labelled]:
    """Return the coordinate of an axis of bins, their centres, and their bounds.

    Parameters
    ----------
    axis : str
        Its name.
    edges : ndarray, shape (bins + 1,)
    long_name, units : str
        Of the variable that is binned.
    """
    name = f"{axis}_bounds"
    centres = 0.5 * (edges[:-1] + edges[1:])
    return {
        axis: Labelled((axis,), centres, long_name, units, {"bounds": name}),
        name: Labelled((axis, BOUND), bounds(edges), f"lower and upper edge: {long_name}", units),
    }


def labels(axis: str, names: Sequence[str], long_name: str) -> dict[str, Labelled]:
    """Return the coordinate of an axis whose places have names."""
    return {axis: Labelled((axis,), np.array(list(names), dtype=str), long_name)}
