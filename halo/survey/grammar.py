"""What mapping files say, as plain data; `parsing` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .conditions import Condition
from .flags import Flag

IDENTIFIERS = {"id": "APOGEE_ID", "source_id": "SOURCE_ID"}
ALIASES = {
    "ra": "RA", "dec": "DEC", "rv": "radial_velocity", "z": "z_gal", "e": "ecc", "r": "r_sph", "R": "R_cyl",
    "rv_error": "radial_velocity_error",
}  # fmt: skip
SKY_KEYS = ("ra", "dec", "distance", "pmra", "pmdec", "rv")
CARTESIAN_KEYS = ("x", "y", "z", "v_x", "v_y", "v_z")
ORBIT_KEYS = ("E", "Lz")


@dataclass(frozen=True)
class Value:
    """A number per row, made of columns.

    Attributes
    ----------
    column : str
        Empty where `low` and `high`, or `quadrature`, stand in its place.
    plus, minus : tuple of str
        Columns that are added and subtracted.
    unit : str
        Empty where none is stated.
    overrule : bool
        `unit` holds against the file's.
    scale : float
    missing : tuple of float or str
        Values that mean "none", besides those of the file.
    low, high, centre : str
        Limits, of which half the difference counts, and what lies between them.
    quadrature : tuple of str
        Columns whose squares are added.
    """

    column: str = ""
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    unit: str = ""
    overrule: bool = False
    scale: float = 1.0
    missing: tuple[float | str, ...] = ()
    low: str = ""
    high: str = ""
    centre: str = ""
    quadrature: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every column it is made of."""
        single = (self.column, self.low, self.high, self.centre)
        return (*(name for name in single if name), *self.plus, *self.minus, *self.quadrature)


@dataclass(frozen=True)
class Abundance:
    """An abundance with its error and flags."""

    value: Value
    error: Value | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every column it is made of."""
        return (
            *self.value.names,
            *(self.error.names if self.error else ()),
            *(flag.column for flag in self.flags),
        )


@dataclass(frozen=True)
class Source:
    """How one file is read, and how its rows are joined to the first one's.

    Attributes
    ----------
    key : str
        By which its columns are named; empty for the first.
    on : tuple of str
        The column of the other files, and its own, by which rows are joined; empty for the first.
    """

    key: str = ""
    on: tuple[str, ...] = ()
    optional: bool = False
    format: str | None = None
    extension: int | str | None = None
    missing: tuple[float | str, ...] = ()
    require: tuple[Condition, ...] = ()
    best: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that is needed to choose its rows."""
        own = self.on[1:]
        best = (self.best.removeprefix("-"),) if self.best else ()
        conditions = tuple(name for one in self.require for name in one.names)
        return tuple(f"{self.key}.{name}" if self.key else name for name in (*own, *best, *conditions))


@dataclass(frozen=True)
class Mapped:
    """What a mapping file says.

    Attributes
    ----------
    path : Path
        The mapping file, for messages.
    content : dict
        All of it, for the record.
    catalogue : Source
        The first file.
    tables : tuple of Source
        Further ones.
    quality : tuple of Condition
    unusual : tuple of str
        Entries that are not held to plausible values.
    columns, abundances : mapping of str to tuple of Value, Abundance
        Alternatives for each entry, of which the first whose files are given counts.
    """

    path: Path
    content: dict[str, Any]
    catalogue: Source
    tables: tuple[Source, ...]
    quality: tuple[Condition, ...]
    unusual: tuple[str, ...]
    columns: Mapping[str, tuple[Value, ...]]
    abundances: Mapping[str, tuple[Abundance, ...]]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The first file and the further ones."""
        return (self.catalogue, *self.tables)

    def split(self, name: str) -> tuple[str, str]:
        """Return the key of the file and the column's name in it, of a name such as ``dist.weighted_dist``."""
        key, dot, column = name.partition(".")
        return (key, column) if dot and any(source.key == key for source in self.tables) else ("", name)

    def states(self) -> dict[str, str]:
        """Return what it says of the energies of the catalogue: ``potential``, ``zero_point``."""
        section = self.content.get("catalogue", {})
        return {key: str(section[key]) for key in ("potential", "zero_point") if key in section}
