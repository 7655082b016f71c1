"""The halo selections: their cuts, the stars that pass them, and the cut-flow."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .cutflow import CutFlow
from .cuts import Cut, apply_cuts, user_cuts
from .settings import SELECTIONS, Selection
from .variables import values

if TYPE_CHECKING:
    from astropy.table import Table


def halo_cuts(selection: str, *, max_fe_h: float = -1.1, min_eccentricity: float = 0.7) -> tuple[Cut, ...]:
    """Return cuts that make a halo sample.

    Parameters
    ----------
    selection : str
        ``chemically-pure``: Lz < 0, or e > `min_eccentricity`; a kinematic cut, so chemistry is untouched.
        ``kinematically-pure``: [Fe/H] <= `max_fe_h`; a chemical cut.
        ``retrograde``: Lz < 0. ``all``: every star.
    max_fe_h : float
        Upper limit of [Fe/H], inclusive.
    min_eccentricity : float
        Lower limit of the eccentricity of prograde stars, exclusive.

    Raises
    ------
    UsageError
        An unknown selection, or a limit that is NaN.
    """
    if math.isnan(max_fe_h) or math.isnan(min_eccentricity):
        raise UsageError(f"max_fe_h and min_eccentricity must be numbers, got {max_fe_h:g} and {min_eccentricity:g}.")
    if selection == "chemically-pure":
        # the paper leaves out Lz = 0 exactly; such a star belongs to the halo as well
        name = f"Lz < 0 or e > {min_eccentricity:g}"
        return (
            Cut(name, lambda t: (values(t, "Lz") < 0) | ((values(t, "Lz") >= 0) & (values(t, "e") > min_eccentricity))),
        )
    if selection == "kinematically-pure":
        return (Cut(f"FE_H <= {max_fe_h:g}", lambda t: values(t, "FE_H") <= max_fe_h),)
    if selection == "retrograde":
        return (Cut("Lz < 0", lambda t: values(t, "Lz") < 0),)
    if selection == "all":
        return ()
    raise UsageError(f"selection must be one of {', '.join(SELECTIONS)}; got {selection!r}.")


def select(
    table: "Table",
    selection: str = "chemically-pure",
    *,
    max_fe_h: float = -1.1,
    min_eccentricity: float = 0.7,
    cuts: Sequence[str] = (),
) -> tuple[np.ndarray, CutFlow]:
    """Return mask and cut-flow of a halo sample.

    Parameters
    ----------
    table : Table
        The prepared catalogue.
    selection, max_fe_h, min_eccentricity
        As in `halo_cuts`.
    cuts : sequence of str
        Further conditions, as in `user_cuts`.

    Returns
    -------
    mask : ndarray of bool, shape (len(table),)
    cutflow : CutFlow

    Raises
    ------
    UsageError
        An unknown selection, a text that is no condition, or a variable that the table lacks.
    """
    chosen = halo_cuts(selection, max_fe_h=max_fe_h, min_eccentricity=min_eccentricity)
    return apply_cuts(table, (*chosen, *user_cuts(cuts)))


def choose(table: Any, selection: Selection) -> tuple[Any, CutFlow]:
    """Return the stars of a selection and their cut-flow."""
    mask, flow = select(
        table,
        selection.name,
        max_fe_h=selection.max_fe_h,
        min_eccentricity=selection.min_eccentricity,
        cuts=selection.cuts,
    )
    return table[mask], flow
