"""What the variables are in words, and their units as files have them."""

from __future__ import annotations

import re
from functools import lru_cache

from ..io.columns import known
from ..io.labelled import DEX, PURE, cf_unit
from .variables import ELEMENTS, VARIABLES

_PURE = ("e", "SNR", "LOGG", "pmra_pmdec_corr")
_RATIO = re.compile(rf"({'|'.join(ELEMENTS)})_({'|'.join(ELEMENTS)}|FE|H)")


@lru_cache(maxsize=256)
def in_words(name: str) -> str:
    """Return what a variable is: ``[Al/Fe]`` of ``AL_FE``; its name where there is nothing more to say."""
    found = known(name)
    if found is None:
        return name
    # of abundances what they are relative to goes without saying, and the unit stands apart
    return found.text.partition(" relative to ")[0].partition(", metallicity")[0].removesuffix(", dex")


@lru_cache(maxsize=256)
def unit_in_files(name: str) -> str:
    """Return the unit of a variable as `cf_unit` writes it, ``dex`` of abundances; empty where none is known."""
    found = VARIABLES.get(name)
    if found is not None and found.unit:
        return cf_unit(found.unit)
    if name in _PURE:
        return PURE
    return DEX if name in ("FE_H", "M_H", "ALPHA_M") or _RATIO.fullmatch(name) else ""


def plane_in_words(plane: str) -> str:
    """Return what a plane is: ``[Al/Fe] against [Fe/H]`` of ``AL_FE:FE_H``."""
    y, _, x = plane.partition(":")
    return f"{in_words(y)} against {in_words(x)}"
