"""The halo selections: their cuts, the stars that pass them, and the cut-flow."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from .catalogue import StarsLike, as_table
from .cutflow import CutFlow
from .cuts import Cut, apply_cuts, user_cuts
from .settings import SELECTIONS, Selection
from .variables import values


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
    stars: StarsLike,
    selection: Selection | str = "chemically-pure",
    *,
    max_fe_h: float = -1.1,
    min_eccentricity: float = 0.7,
    cuts: Sequence[str] = (),
) -> tuple[np.ndarray, CutFlow]:
    """Return mask and cut-flow of a halo sample.

    Parameters
    ----------
    stars : Table, Catalogue or path
        The prepared catalogue.
    selection : str or Selection
        A name as in `halo_cuts`; a `Selection` has its own limits and cuts, and the other arguments have no effect.
    max_fe_h, min_eccentricity : float
        As in `halo_cuts`.
    cuts : sequence of str
        Further conditions, as in `user_cuts`.

    Returns
    -------
    mask : ndarray of bool, shape (N,)
        Which stars are chosen.
    cutflow : CutFlow
        How many stars each cut removed.

    Raises
    ------
    UsageError
        An unknown selection, a text that is no condition, or a variable that the table lacks.

    Examples
    --------
    >>> from halonmf import halo
    >>> stars = halo.load("stars.fits")  # doctest: +SKIP
    >>> mask, cutflow = halo.select(stars, "retrograde", cuts=["LOGG<2.5"])  # doctest: +SKIP
    """
    if isinstance(selection, str):
        selection = Selection(selection, max_fe_h, min_eccentricity, (cuts,) if isinstance(cuts, str) else tuple(cuts))
    chosen = halo_cuts(selection.name, max_fe_h=selection.max_fe_h, min_eccentricity=selection.min_eccentricity)
    return apply_cuts(as_table(stars), (*chosen, *user_cuts(selection.cuts), *measured_cuts(selection.measured)))


def measured_cuts(names: Sequence[str]) -> tuple[Cut, ...]:
    """Return the cut that stars pass which have these variables; none where none are named."""
    if not names:
        return ()

    def keep(table: Any) -> np.ndarray:
        return np.logical_and.reduce([np.isfinite(values(table, name)) for name in names])

    return (Cut(f"{', '.join(names)} measured", keep),)


def choose(stars: StarsLike, selection: Selection | str) -> tuple[Any, CutFlow]:
    """Return the table of the stars of a selection and their cut-flow."""
    table = as_table(stars)
    mask, flow = select(table, selection)
    return table[mask], flow
