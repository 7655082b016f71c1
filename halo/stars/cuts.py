"""Cuts: conditions that stars must meet, and how many meet them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .cutflow import CutFlow
from .expressions import parse_cut

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
    """

    name: str
    keep: Callable[[Table], np.ndarray]


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
        What each cut removed, of the stars that the cuts before it left.
    """
    mask = np.ones(len(table), dtype=bool)
    flow = CutFlow(len(table))
    for cut in cuts:
        left = mask & cut.keep(table)
        flow = flow.removing(cut.name, int(mask.sum() - left.sum()))
        mask = left
    return mask, flow
