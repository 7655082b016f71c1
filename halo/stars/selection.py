"""Which stars count: the quality cuts of the survey, the halo selections, and the table of what each cut removed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from .cutflow import CutFlow
from .expressions import parse_cut
from .variables import ELEMENTS, values

if TYPE_CHECKING:
    from astropy.table import Table

DEFAULT_ELEMENTS = ("FE_H", "AL_FE", "MG_FE")
"""Abundances of the paper's two planes."""

ASPCAP_BAD = {"TEFF_BAD": 16, "LOGG_BAD": 17, "STAR_BAD": 23}
"""Bits of ASPCAPFLAG that reject a star."""

EXTRATARG_TELLURIC = 2
EXTRATARG_DUPLICATE = 4

SELECTIONS = ("chemically-pure", "kinematically-pure", "retrograde", "all")
"""Names that `halo_cuts` and `select` accept."""


@dataclass(frozen=True)
class Cut:
    """A named condition on stars.

    Attributes
    ----------
    name : str
        What the cut-flow calls it: the condition that stars must meet.
    keep : callable
        Table to boolean array: True for the stars that pass. A missing value never passes.
    """

    name: str
    keep: Callable[["Table"], np.ndarray]


@dataclass(frozen=True)
class QualityCuts:
    """Thresholds of the quality cuts.

    Attributes
    ----------
    elements : tuple of str
        Abundances that must be measured well: ``FE_H`` or the survey's ``X_FE``.
    max_error : float
        Upper limit of each abundance error, dex, exclusive.
    max_logg : float
        Upper limit of log g, exclusive: giants.
    max_distance : float
        Upper limit of the heliocentric distance, kpc, exclusive.
    flags : bool
        Apply the flag cuts (ASPCAPFLAG and each ``X_FE_FLAG``).
    """

    elements: tuple[str, ...] = DEFAULT_ELEMENTS
    max_error: float = 0.2
    max_logg: float = 3.0
    max_distance: float = 10.0
    flags: bool = True

    def __post_init__(self) -> None:
        check_elements(self.elements)
        if math.isnan(self.max_logg):
            raise UsageError("max_logg must be a number, got nan.")
        for name in ("max_error", "max_distance"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be positive, got {getattr(self, name)}.")


def check_elements(elements: Sequence[str]) -> None:
    """Raise `UsageError` unless every name is ``FE_H`` or an ``X_FE`` of the survey, and none comes twice."""
    known = ("FE_H", *(f"{x}_FE" for x in ELEMENTS))
    unknown = [name for name in elements if name not in known]
    if not elements or unknown or isinstance(elements, str):
        raise UsageError(f"elements must be names among {', '.join(known)}; got {unknown or elements!r}.")
    if len(set(elements)) < len(elements):
        raise UsageError(f"elements must not repeat, got {', '.join(elements)}.")


def no_bits(flags: np.ndarray, bits: Sequence[int]) -> np.ndarray:
    """Return True where none of the bits is set, in 64 bits since ASPCAPFLAG goes up to bit 41."""
    mask = np.bitwise_or.reduce([np.int64(1) << np.int64(bit) for bit in bits])
    return (np.asarray(flags, dtype=np.int64) & mask) == 0


def quality_cuts(settings: QualityCuts | None = None) -> tuple[Cut, ...]:
    """Return cuts on flags, programmes, abundances, surface gravity and distance (Davies et al., section 2).

    Parameters
    ----------
    settings : QualityCuts, optional
        Thresholds; the paper's by default.

    Returns
    -------
    tuple of Cut
        To be applied in this order to a table that `apogee.read_survey` has read.
    """
    s = settings or QualityCuts()
    cuts = []
    if s.flags:
        cuts.append(Cut(f"no {', '.join(ASPCAP_BAD)}", lambda t: no_bits(t["ASPCAPFLAG"], tuple(ASPCAP_BAD.values()))))
    cuts += [
        Cut("no duplicates", lambda t: no_bits(t["EXTRATARG"], [EXTRATARG_DUPLICATE])),
        Cut("no tellurics", lambda t: no_bits(t["EXTRATARG"], [EXTRATARG_TELLURIC])),
        Cut("no Magellanic Cloud programmes", lambda t: ~_is_magellanic(np.asarray(t["PROGRAMNAME"]))),
    ]
    for name in s.elements:
        if s.flags:
            cuts.append(_flag_cut(name))
        cuts.append(_error_cut(name, s.max_error))
    return (*cuts, _below("LOGG", s.max_logg), _below("distance", s.max_distance, " kpc"))


def mapped_quality_cuts(
    table: "Table", settings: QualityCuts, keep: np.ndarray, condition: str = ""
) -> tuple[Cut, ...]:
    """Return the quality cuts that a user's own catalogue has the columns for.

    Parameters
    ----------
    table : Table
        As `mapping.read_mapped` makes it.
    settings : QualityCuts
        Thresholds.
    keep : ndarray of bool
        Rows that satisfy the catalogue's own quality condition.
    condition : str
        That condition, for the cut-flow; empty where there is none.
    """
    cuts = [Cut(f"quality: {condition}", lambda t: keep)] if condition else []
    for name in settings.elements:
        if settings.flags and f"{name}_FLAG" in table.colnames:
            cuts.append(_flag_cut(name))
        cuts.append(_error_cut(name, settings.max_error) if f"{name}_ERR" in table.colnames else _present_cut(name))
    if "LOGG" in table.colnames:
        cuts.append(_below("LOGG", settings.max_logg))
    if "distance" in table.colnames:
        cuts.append(_below("distance", settings.max_distance, " kpc"))
    return tuple(cuts)


def _flag_cut(name: str) -> Cut:
    return Cut(f"{name}_FLAG = 0", lambda t: np.asarray(t[f"{name}_FLAG"]) == 0)


def _error_cut(name: str, limit: float) -> Cut:
    return Cut(f"{name}_ERR < {limit:g}", lambda t: np.isfinite(values(t, name)) & (values(t, f"{name}_ERR") < limit))


def _present_cut(name: str) -> Cut:
    return Cut(f"{name} measured", lambda t: np.isfinite(values(t, name)))


def _below(name: str, limit: float, unit: str = "") -> Cut:
    return Cut(f"{name} < {limit:g}{unit}", lambda t: values(t, name) < limit)


def _is_magellanic(programme: np.ndarray) -> np.ndarray:
    # few programmes among many rows: look at each distinct name once
    names, inverse = np.unique(programme, return_inverse=True)
    texts = [n.decode("ascii", "replace") if isinstance(n, bytes) else str(n) for n in names]
    return np.array(["magcloud" in text.lower() for text in texts], dtype=bool)[inverse]


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
        # the paper leaves out Lz = 0 exactly; such a star is as halo-like as any
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


def user_cuts(texts: Sequence[str]) -> tuple[Cut, ...]:
    """Return cuts written as text, such as ``LOGG<3``, ``|z|<2`` or ``0.1<MG_FE<0.3``; the text states what is kept.

    Raises
    ------
    UsageError
        A text that is no condition.
    """
    if isinstance(texts, str):
        texts = (texts,)
    return tuple(Cut(text.strip(), parse_cut(text)) for text in texts)


def apply_cuts(table: "Table", cuts: Sequence[Cut]) -> tuple[np.ndarray, CutFlow]:
    """Apply cuts one after the other.

    Returns
    -------
    mask : ndarray of bool, shape (len(table),)
        True for the stars that pass every cut.
    cutflow : CutFlow
        What each cut removed of what the ones before had left.
    """
    mask = np.ones(len(table), dtype=bool)
    flow = CutFlow(len(table))
    for cut in cuts:
        left = mask & cut.keep(table)
        flow = flow.removing(cut.name, int(mask.sum() - left.sum()))
        mask = left
    return mask, flow


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
