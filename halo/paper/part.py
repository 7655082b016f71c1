"""A part of the paper: what one or more of its products came to, and how they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..figures import Picture
from ..fits.apply import Application
from ..fits.engine import not_converged
from ..fits.fit import Fit
from .blocks import Sheet
from .scoreboard import Value
from .study import Study


@dataclass(frozen=True)
class Part:
    """What one or more products of the paper came to.

    Attributes
    ----------
    values : dict of str to Value
        Our numbers, by the paper's ids.
    pictures : dict of str to Picture
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
    pictures: dict[str, Picture] = field(default_factory=dict)
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


def warned(fit: Fit, *applications: Application) -> tuple[str, ...]:
    """Return what of a fit and its applications did not converge, as `Part.warnings` takes it."""
    said = not_converged(fit.status, fit.kkt, sum(len(each.unconverged) for each in applications))
    return (said,) if said else ()
