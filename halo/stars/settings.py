"""Which stars of a prepared catalogue make the sample; plain Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from ..fields import Option

SELECTIONS = ("chemically-pure", "kinematically-pure", "retrograde", "all")
"""Names of the halo selections; see `selection.halo_cuts`."""
DEFAULT_ELEMENTS = ("FE_H", "AL_FE", "MG_FE")
"""Abundances of the paper's two planes."""
Cuts = Annotated[
    tuple[str, ...], 'Condition that stars must meet, such as "LOGG<2.5" or "|z|<2"; repeatable.', Option("--cut")
]


@dataclass(frozen=True)
class Selection:
    """A halo selection and further conditions.

    Attributes
    ----------
    name : str
        One of `SELECTIONS`.
    max_fe_h : float
        [Fe/H] limit of ``kinematically-pure``, dex.
    min_eccentricity : float
        Prograde limit of ``chemically-pure``.
    cuts : tuple of str
        Further conditions to keep, such as ``"LOGG<2.5"``.
    measured : tuple of str
        Variables that stars must have; a fit sets them where its stars without an abundance are dropped.
    """

    name: Annotated[str, "Halo selection.", Option("--selection", keyword="selection", choices=SELECTIONS)] = (
        "chemically-pure"
    )
    max_fe_h: Annotated[float, "[Fe/H] limit of kinematically-pure."] = -1.1
    min_eccentricity: Annotated[float, "Prograde limit of chemically-pure."] = 0.7
    cuts: Cuts = ()
    measured: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # one text is one condition, not its letters
        object.__setattr__(self, "cuts", (self.cuts,) if isinstance(self.cuts, str) else tuple(self.cuts))

    def __str__(self) -> str:
        return self.name


def as_selection(selection: Selection | str | None, own: Selection | None = None) -> Selection:
    """Return the selection that is meant: one as it is, a name with the limits and cuts of `own`, or `own` itself.

    Parameters
    ----------
    selection : Selection, str or None
        What a user gave.
    own : Selection, optional
        What holds where nothing else is said, such as that of a fit; the paper's by default.
    """
    own = own or Selection()
    if isinstance(selection, str):
        return replace(own, name=selection)
    return own if selection is None else selection
