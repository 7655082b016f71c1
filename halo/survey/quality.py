"""The quality cuts of a survey."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..stars.cuts import Cut
from ..stars.settings import DEFAULT_ELEMENTS
from ..stars.variables import ELEMENTS, values
from .incomplete import DROP, MISSING, blanked, element_cuts

if TYPE_CHECKING:
    from astropy.table import Table


ASPCAP_BAD = {"TEFF_BAD": 16, "LOGG_BAD": 17, "STAR_BAD": 23}
"""Bits of ASPCAPFLAG that reject a star."""


EXTRATARG_TELLURIC = 2


EXTRATARG_DUPLICATE = 4


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
    missing : str
        ``drop`` or ``keep``: what becomes of stars that lack some of the abundances; see `incomplete`.
    bits : tuple of int
        Bits of the abundances' flags that count; all where there are none.
    """

    elements: tuple[str, ...] = DEFAULT_ELEMENTS
    max_error: float = 0.2
    max_logg: float = 3.0
    max_distance: float = 10.0
    flags: bool = True
    missing: str = DROP
    bits: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_elements(self.elements)
        if self.missing not in MISSING:
            raise UsageError(f"missing must be one of {', '.join(MISSING)}; got {self.missing!r}.")
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
    cuts += element_cuts(s.elements, s.missing, lambda name: _of_element(name, s))
    return (*cuts, _below("LOGG", s.max_logg), _below("distance", s.max_distance, " kpc"))


def mapped_quality_cuts(table: Table, settings: QualityCuts, bits: Sequence[int] = ()) -> tuple[Cut, ...]:
    """Return the quality cuts that a user's own catalogue has the columns for.

    Parameters
    ----------
    table : Table
        As `mapping.read_mapped` makes it.
    settings : QualityCuts
        Thresholds.
    bits : sequence of int
        Bits of the flags that were asked for when the table was read; all where there are none.
    """
    named = tuple(name for name in settings.elements if name in table.colnames)
    cuts = list(element_cuts(named, settings.missing, lambda name: _of_element(name, settings, table, bits)))
    if "LOGG" in table.colnames:
        cuts.append(_below("LOGG", settings.max_logg))
    if "distance" in table.colnames:
        cuts.append(_below("distance", settings.max_distance, " kpc"))
    return tuple(cuts)


def measured_only(table: Table, settings: QualityCuts, *, mapped: bool) -> Table:
    """Return stars that were kept without some of the abundances, NaN for these; others as they are.

    `mapped` says that the table is one of `mapping.read_mapped`.
    """
    if settings.missing == DROP:
        return table
    return blanked(table, settings.elements, lambda name: _of_element(name, settings, table if mapped else None))


def _of_element(name: str, settings: QualityCuts, table: Table | None = None, bits: Sequence[int] = ()) -> list[Cut]:
    """Return the cuts on an abundance; with a table, as a mapping makes it, only those that it has the columns for.

    Such a table's flags have been asked for their `bits` already, of which the cut-flow tells.
    """
    cuts = []
    if settings.flags and table is None:
        cuts.append(_flag_cut(name, settings.bits))
    elif settings.flags and table is not None and f"{name}_FLAG" in table.colnames:
        said = f"no bit {', '.join(map(str, bits))} of the flag of {name}" if bits else f"{name}_FLAG = 0"
        cuts.append(replace(_flag_cut(name), name=said))
    has_error = table is None or f"{name}_ERR" in table.colnames
    return [*cuts, _error_cut(name, settings.max_error) if has_error else _present_cut(name)]


def _flag_cut(name: str, bits: Sequence[int] = ()) -> Cut:
    if bits:
        said = f"no bit {', '.join(map(str, bits))} of {name}_FLAG"
        return Cut(said, lambda t: no_bits(t[f"{name}_FLAG"], bits), on=name)
    return Cut(f"{name}_FLAG = 0", lambda t: np.asarray(t[f"{name}_FLAG"]) == 0, on=name)


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
