"""The one table of products: what is computed of every fit and replicate, under which name, along which axes.

Names are made and taken apart here alone. To add a product, compute it in a function from `Many` and give it a line in
`PRODUCTS`: replicates, an ensemble's files, its summary and its tables then have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..products.boundary import LEVEL, SMOOTHING, smooth
from ..products.settings import PROFILES
from ..stars.variables import unit_of

if TYPE_CHECKING:
    from .many import Many  # with numba: those who ask for names alone need none of it

Make = Callable[["Many"], np.ndarray | Mapping[str, np.ndarray]]
AXES = ("component", "level", "percentile", "bin", "column", "pixel")
"""Axes of products: the components; `profile.LEVELS`; `tracks.PERCENTILES`; the bins of a variable; the Lz columns of
the boundary; the pixels of a plane's x axis."""


@dataclass(frozen=True)
class Product:
    """A number, or an array of numbers, that every fit has.

    Attributes
    ----------
    name : str
        The key in files, such as ``mass_fraction``, or its pattern, such as ``fraction_{variable}``. In braces stands
        what there are several of: variable, abundance or plane.
    axes : tuple of str
        Of `AXES`, behind that of the replicates.
    make : callable
        From B fits (`Many`) to the array, its first axis B; of a pattern, to a dict by what stands in the braces. An
        empty dict where the fits have none.
    label : str
        What it is, in words.
    unit : str
        The variable whose unit it has, or ``{variable}`` for that in the name; empty for dex and pure numbers.
    counted : str
        Name or pattern of the product that says how many there are, such as the number of crossings; empty where there
        is always one.
    count : bool
        It is such a number or a status: counted, in no mean and no row of its own.
    limits : (float, float), optional
        No value lies beyond them, and no interval.
    at : float, optional
        Level of a fraction that it belongs to, where no axis has it.
    """

    name: str
    axes: tuple[str, ...]
    make: Make
    label: str
    unit: str = ""
    counted: str = ""
    count: bool = False
    limits: tuple[float, float] | None = None
    at: float | None = None

    @property
    def kind(self) -> str:
        """The name without its braces, such as ``fraction``: by it `key` and `subjects` know the product."""
        return "_".join(part for part in (self._ends[0].rstrip("_"), self._ends[1].lstrip("_")) if part)

    def key(self, of: str = "") -> str:
        """Return the key of a variable, an abundance or a plane; without one, that of a product without braces."""
        if bool(of) != self.several:
            raise KeyError(
                f"{self.name} is {'of one thing at a time' if self.several else 'one of a kind'}; got {of!r}."
            )
        return f"{self._ends[0]}{of}{self._ends[1]}" if of else self.name

    def subject(self, key: str) -> str | None:
        """Return what stands in the braces in a key; empty where there are none, None where it is another's key."""
        start, end = self._ends
        if not self.several:
            return "" if key == self.name else None
        inside = key.startswith(start) and key.endswith(end) and len(key) > len(start) + len(end)
        return key[len(start) : len(key) - len(end)] if inside else None

    @property
    def several(self) -> bool:
        """Whether there is one for every variable, abundance or plane."""
        return "{" in self.name

    @property
    def _ends(self) -> tuple[str, str]:
        start, _, rest = self.name.partition("{")
        return start, rest.partition("}")[2]

    def made(self, fits: Many) -> dict[str, np.ndarray]:
        """Return the arrays of some fits by key."""
        found = self.make(fits)
        if isinstance(found, Mapping):
            return {self.key(of): x for of, x in found.items()}
        return {self.key(): found}


def _by_variable(fits: Many) -> dict[str, np.ndarray]:
    fraction, _ = fits.applied
    return {name: fraction[:, fits.sample.places.part(name)] for name in fits.variables}


def _crossing(part: int) -> Make:
    return lambda fits: {name: both[part] for name, both in fits.crossings.items()}


def _boundary(part: int) -> Make:
    return lambda fits: {} if fits.boundaries is None else fits.boundaries[part]


def _smoothed(fits: Many) -> np.ndarray | Mapping[str, np.ndarray]:
    return {} if fits.boundaries is None else smooth(fits.boundaries[0], SMOOTHING)


def _accreted(fits: Many) -> np.ndarray | Mapping[str, np.ndarray]:
    return {} if fits.accreted_fractions is None else fits.accreted_fractions


def _percentile(fits: Many) -> dict[str, np.ndarray]:
    found = fits.percentiles
    return {name: found[:, i] for i, name in enumerate(fits.settings.chemistry.variables)}


def _track(part: int) -> Make:
    return lambda fits: {
        str(plane): fits.tracks[part][:, :, i] for i, plane in enumerate(fits.settings.chemistry.planes)
    }


_EACH, _WHOLE = ("component",), (0.0, 1.0)
PRODUCTS: tuple[Product, ...] = (
    Product("mass_fraction", _EACH, lambda fits: fits.mass_fractions, "mass fraction", limits=_WHOLE),
    Product("mean_fraction", _EACH, lambda fits: fits.mean_fractions, "mean over bins", limits=_WHOLE),
    Product("accreted_fraction", (), _accreted, "accreted fraction", limits=_WHOLE),
    Product("mean_energy", _EACH, lambda fits: fits.mean_energies, "mean energy", unit="E"),
    Product("fraction_{variable}", ("bin", "component"), _by_variable, "fraction", limits=_WHOLE),
    Product(
        "crossing_{variable}", ("level",), _crossing(0), "where the accreted fraction crosses a level",
        unit="{variable}", counted="crossing_{variable}_number",
    ),
    Product(
        "boundary", ("column",), _boundary(0), "where it first falls below a level, from high E", unit="E",
        counted="boundary_number", at=LEVEL,
    ),
    Product("boundary_smoothed", ("column",), _smoothed, "the same, smoothed over columns", unit="E", at=LEVEL),
    Product("percentile_{abundance}", ("component", "percentile"), _percentile, "percentile, dex"),
    Product("track_{plane}", ("component", "pixel"), _track(0), "median of y, dex"),
    Product("deviation_{plane}", ("component", "pixel"), _track(1), "median absolute deviation of y, dex"),
    Product("crossing_{variable}_number", ("level",), _crossing(1), "crossings; -1: too few bins", count=True),
    Product("boundary_number", ("column",), _boundary(1), "how often it passes the level", count=True),
    Product("boundary_status", ("column",), _boundary(2), "index into `boundary.STATUSES`", count=True),
)  # fmt: skip
"""Every product, in the order of summaries."""


@dataclass(frozen=True)
class Found:
    """A key taken apart.

    Attributes
    ----------
    product : Product
        What it is a key of.
    of : str
        The variable, abundance or plane; empty for none.
    """

    product: Product
    of: str

    @property
    def axis(self) -> str | None:
        """What the bins, columns or pixels are of: the rest of the name of their edges; None where there are none."""
        if "bin" in self.product.axes:
            return self.of
        if "pixel" in self.product.axes:
            return self.of.partition(":")[2]
        return "boundary" if "column" in self.product.axes else None

    @property
    def axis_unit(self) -> str:
        """Unit of the edges of those; empty for none."""
        return "" if self.axis is None else unit_of("Lz" if self.axis == "boundary" else self.axis)

    @property
    def unit(self) -> str:
        """Unit of the numbers; empty for dex and pure numbers."""
        return unit_of(self.of if self.product.unit == "{variable}" else self.product.unit)

    @property
    def counted(self) -> str | None:
        """Key of the product that says how many there are; None where there is always one."""
        return self.product.counted.replace("{variable}", self.of) or None

    @property
    def rank(self) -> tuple[int, int, str]:
        """Place in summaries: as in `PRODUCTS`, then as in `overview.PROFILES`, then by the alphabet."""
        of = list(PROFILES).index(self.of) if self.of in PROFILES else len(PROFILES)
        return PRODUCTS.index(self.product), of, self.of


def key(kind: str, of: str = "") -> str:
    """Return the key of a product, such as ``fraction_E`` of "fraction" and "E".

    Raises
    ------
    KeyError
        No product of this kind, or it is of something that is not given.
    """
    return _of_kind(kind).key(of)


def find(name: str) -> Found:
    """Return what a key is of.

    Raises
    ------
    KeyError
        It is no product's.
    """
    found = _find(name)
    if found is None:
        raise KeyError(f"{name} is no product; known are {', '.join(product.name for product in PRODUCTS)}.")
    return found


def _find(name: str) -> Found | None:
    found = [Found(product, of) for product in PRODUCTS if (of := product.subject(name)) is not None]
    # crossing_E_number is no crossing of E_number
    return min(found, key=lambda one: len(one.of), default=None)


def subjects(kind: str, keys: Iterable[str]) -> list[str]:
    """Return what there are products of a kind of among some keys, such as the variables with a ``fraction``."""
    product = _of_kind(kind)
    return [found.of for found in map(_find, keys) if found is not None and found.product is product]


def averaged(keys: Iterable[str]) -> list[str]:
    """Return those of some keys whose products have a mean and rows in tables, in the order of summaries."""
    found = {name: one for name in keys if (one := _find(name)) is not None}
    return sorted((name for name, one in found.items() if not one.product.count), key=lambda name: found[name].rank)


def _of_kind(kind: str) -> Product:
    for product in PRODUCTS:
        if product.kind == kind:
            return product
    raise KeyError(f"no product is called {kind}; known are {', '.join(product.kind for product in PRODUCTS)}.")
