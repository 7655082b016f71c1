"""A part of the paper: what one or more of its products came to, and how they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import HalonmfError
from ..figures import Picture
from ..fits.apply import Application
from ..fits.engine import not_converged
from ..fits.fit import Fit
from .blocks import Sheet
from .quoted import numbers
from .scoreboard import Value
from .study import SELECTIONS, Study


@dataclass(frozen=True)
class Drawn:
    """A figure that an earlier run drew: its files are there.

    Attributes
    ----------
    caption, alt : str
        As of a `Picture`.
    """

    caption: str
    alt: str


@dataclass(frozen=True)
class Part:
    """What one or more products of the paper came to.

    Attributes
    ----------
    values : dict of str to Value
        Our numbers, by the paper's ids.
    pictures : dict of str to Picture or Drawn
        Figures, by the names of `steps.TITLES`.
    data : dict of str to Table
        What the figures show where they do not carry it themselves: ``fig03-map`` belongs to the figure ``fig03``.
    tables : dict of str to Table
        Tables of their own.
    sheets : dict of str to Sheet
        How the page shows tables that are too wide or too exact for readers; their files stay what they are.
    fits : dict of str to Fit
        Fits to keep.
    said : tuple of str
        Paragraphs.
    skipped : dict of str to str
        Why products or numbers of this part were not made.
    warnings : tuple of str
        What did not converge.
    headlines : tuple of str
        Lines for the terminal.
    """

    values: dict[str, Value] = field(default_factory=dict)
    pictures: Mapping[str, Picture | Drawn] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    fits: dict[str, Fit] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    headlines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A part to be made: its products, its title, its figures and tables by name, and the function that makes it."""

    products: tuple[str, ...]
    title: str
    figures: tuple[str, ...]
    tables: tuple[str, ...]
    make: Callable[[Study], Part]

    @property
    def name(self) -> str:
        """The step's name in files."""
        return "-".join(self.products).lower()


def refusals(study: Study) -> dict[str, str]:
    """Return why no two components are found of selections, by name; empty where they are of all.

    Raises
    ------
    HalonmfError
        There are none of any.
    """
    found: dict[str, HalonmfError] = {}
    for selection in SELECTIONS:
        try:
            study.two(selection)
        except HalonmfError as error:
            found[selection] = error
    if len(found) == len(SELECTIONS):
        raise found[SELECTIONS[0]]
    return {selection: str(error) for selection, error in found.items()}


def without(product: str, refused: Mapping[str, str]) -> dict[str, str]:
    """Return the numbers of a product that selections without two components do not have, and why."""
    return {
        number.id: f"no two components of the {selection.replace('-', ' ')} halo"
        for number in numbers()
        for selection in refused
        if number.product == product and selection in number.id
    }


def warned(fit: Fit, *applications: Application) -> tuple[str, ...]:
    """Return what of a fit and its applications did not converge, as `Part.warnings` takes it."""
    said = not_converged(fit.status, fit.kkt, sum(len(each.unconverged) for each in applications))
    return (said,) if said else ()
