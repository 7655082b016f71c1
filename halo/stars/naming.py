"""What the variables are in words, and their units as files have them."""

from __future__ import annotations

import re
from functools import lru_cache

from ..io.labelled import DEX, PURE, cf_unit
from .variables import ELEMENTS, VARIABLES

_WORDS = {
    "E": "orbital energy, zero at infinity",
    "Lz": "angular momentum about z, prograde is positive",
    "dE": "energy above the line of Belokurov & Kravtsov (2023)",
    "e": "eccentricity of the orbit",
    "J_r": "radial action",
    "J_phi": "azimuthal action",
    "J_z": "vertical action",
    "r_peri": "pericentre",
    "r_apo": "apocentre",
    "z_max": "greatest height along the orbit",
    "r": "Galactocentric distance",
    "R": "distance from the Galactic axis",
    "z": "distance from the Galactic plane",
    "distance": "distance from the Sun",
    "TEFF": "effective temperature",
    "LOGG": "surface gravity, log10 of its value in cm s-2",
    "SNR": "signal-to-noise ratio",
    "M_H": "[M/H]",
    "ALPHA_M": "[alpha/M]",
    "FE_H": "[Fe/H]",
}
_SPELT = {"CI": "C I", "TIII": "Ti II"}
_PURE = ("e", "SNR", "LOGG", "pmra_pmdec_corr")
_RATIO = re.compile(rf"({'|'.join(ELEMENTS)})_({'|'.join(ELEMENTS)}|FE|H)")


@lru_cache(maxsize=256)
def in_words(name: str) -> str:
    """Return what a variable is: ``[Al/Fe]`` of ``AL_FE``; its name where there is nothing more to say."""
    ratio = _RATIO.fullmatch(name)
    if ratio is not None and name not in _WORDS:
        return "[{}/{}]".format(*(_SPELT.get(part, part.capitalize()) for part in ratio.groups()))
    return _WORDS.get(name, name)


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
