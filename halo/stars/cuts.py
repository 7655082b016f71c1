"""Cuts: conditions that stars must meet, and how many meet them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .cutflow import CutFlow
from .expressions import parse_cut
from .variables import values

if TYPE_CHECKING:
    from astropy.table import Table


@dataclass(frozen=True)
class Cut:
    """A named condition on stars.

    Attributes
    ----------
    name : str
        What the cut-flow calls it: the condition that stars must meet.
    keep : callable
        Table to boolean array: True for the stars that pass. A missing value never passes.
    on : str
        The abundance whose flag is cut on: the cut-flow then says how what it removes differs.
    """

    name: str
    keep: Callable[[Table], np.ndarray]
    on: str = ""


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


def apply_cuts(table: Table, cuts: Sequence[Cut]) -> tuple[np.ndarray, CutFlow]:
    """Apply cuts one after the other.

    Returns
    -------
    mask : ndarray of bool, shape (len(table),)
        True for the stars that pass every cut.
    cutflow : CutFlow
        What each cut removed, of the stars that the cuts before it left; with notes on cuts that concern an abundance.
    """
    mask = np.ones(len(table), dtype=bool)
    failed = np.zeros(len(table), dtype=np.int32)
    flow = CutFlow(len(table))
    kept = []
    for cut in cuts:
        keep = cut.keep(table)
        failed += ~keep
        left = mask & keep
        kept.append(keep if cut.on else None)
        flow = flow.removing(cut.name, int(mask.sum() - left.sum()))
        mask = left
    notes = [
        "" if keep is None else _differ(values(table, cut.on), cut.on, ~keep & (failed == 1), mask)
        for cut, keep in zip(cuts, kept, strict=True)
    ]
    return mask, replace(flow, notes=tuple(notes) if any(notes) else ())


def _differ(value: np.ndarray, name: str, gone: np.ndarray, left: np.ndarray) -> str:
    """Return how an abundance of the stars that fail one cut alone differs from that of those that pass all."""
    gone, left = gone & np.isfinite(value), left & np.isfinite(value)
    if not gone.any() or not left.any():
        return ""
    low, high = np.median(value[gone]), np.median(value[left])
    return f"alone it removes {gone.sum():,}, of median {name} {low:+.2f}; of those that pass {high:+.2f}"
