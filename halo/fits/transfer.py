"""How zero points between two surveys are found; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..errors import UsageError
from ..fields import Option

NONE = "none"
"""In place of zero points: take the abundances as they are, whatever survey they are from."""
DRAWS = 100
"""Draws of zero points behind the intervals of fractions."""
ESTIMATORS = ("median", "mean")
TRENDS = ("auto", "none", "linear")


@dataclass(frozen=True)
class ZeroPointSettings:
    """How zero points are found; see `common.common_stars` and `overlap.populations`.

    Attributes
    ----------
    elements : tuple of str
        Abundances; by default all that both have.
    estimator : str
        Of common stars: ``median``, or ``mean`` of what lies within three robust standard deviations of it.
    trend : str
        Of common stars, with [Fe/H]: ``auto`` where it exceeds three standard errors, ``linear`` always, ``none``.

    Raises
    ------
    UsageError
        An unknown name.
    """

    elements: Annotated[
        tuple[str, ...], "Abundance; repeatable. By default all that both have.", Option("--element")
    ] = ()
    estimator: Annotated[str, "Of common stars: median, or clipped mean.", Option(choices=ESTIMATORS)] = "median"
    trend: Annotated[
        str, "With [Fe/H], of common stars: auto is where it exceeds three standard errors.", Option(choices=TRENDS)
    ] = "auto"

    def __post_init__(self) -> None:
        for name, known in (("estimator", ESTIMATORS), ("trend", TRENDS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")
