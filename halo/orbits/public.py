"""Conventions of the energies that public catalogues have: none of them may be mixed with another.

They differ by up to 0.65e5 km2 / s2 in the zero point alone, and by the depth of the potential from star to star, so
that no constant brings one to another: energies are converted by computing them again from positions and velocities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .convention import POTENTIAL, UNKNOWN, ZERO_POINT, Convention, own
from .settings import POTENTIALS

__all__ = ["PUBLIC", "Public", "named"]


@dataclass(frozen=True)
class Public:
    """What a public catalogue's energies and angular momenta are measured in.

    Attributes
    ----------
    catalogue : str
        Where they are published.
    convention : Convention
        Potential, zero point and Sun.
    energy, momentum : str
        Units of E and Lz in its files.
    note : str
        What else to know.
    source : str
        Of these facts.
    """

    catalogue: str
    convention: Convention
    energy: str
    momentum: str
    note: str
    source: str


PUBLIC: dict[str, Public] = {
    "astroNN": Public(
        "astroNN catalogue of APOGEE DR16 and DR17",
        Convention("MWPotential2014", "galpy's: the bulge is zero at its centre, the rest at infinity", UNKNOWN),
        "km2 / s2",
        "kpc km / s",
        "the bulge alone raises E by 0.651e5 km2 / s2 over zero at infinity, so that bound stars can have E > 0",
        "Leung & Bovy (2019); Bovy (2015), table 1; galpy's PowerSphericalPotentialwCutoff",
    ),
    "MINESweeper": Public(
        "MINESweeper catalogue of SDSS-V DR19",
        Convention("MW2022", "about +0.29e5 km2 / s2 from McMillan (2017)'s", UNKNOWN),
        "km2 / s2",
        "kpc km / s",
        "MilkyWayPotential2022 of gala",
        "SDSS DR19 value-added catalogues",
    ),
    "GravPot16": Public(
        "GravPot16 orbits of SDSS-V DR19",
        Convention("GravPot16, with a rotating bar", "of its own", UNKNOWN),
        "100 km2 / s2",
        "10 kpc km / s",
        "Lz is rounded to a 16-bit integer, and in a bar neither E nor Lz is conserved",
        "SDSS DR19 value-added catalogues",
    ),
    "GALAH": Public(
        "dynamics of GALAH DR3 and DR4",
        Convention(
            "McMillan (2017) as galpy rounds it", ZERO_POINT, "R0 8.21 kpc, v0 233.1 km/s; Lz 2038.3, E -152,783"
        ),
        "km2 / s2",
        "kpc km / s",
        "the Sun has Lz 1994.8 and E -153,521 here; the header's units are wrong (km-2 s-2, 1/(km2 s2))",
        "Buder et al. (2021, 2025); galpy.potential.mwpotentials",
    ),
}
"""By the name that a mapping file gives as ``potential``."""
_ALIASES = {"mw2022": "MINESweeper", "gravpot": "GravPot16", "galahdr3": "GALAH", "galahdr4": "GALAH"}


def named(potential: str, zero_point: str = "", sun: str = "") -> Convention:
    """Return the convention that a mapping file states by a name: a public catalogue's, one of ours, or another.

    Parameters
    ----------
    potential : str
        A key of `PUBLIC`, a potential of this package, or any other name; case and punctuation do not count.
    zero_point, sun : str
        What the file says of them; of a name that is known, only in place of what is known.
    """
    key = _plain(potential)
    public = {_plain(name): one.convention for name, one in PUBLIC.items()}
    public |= {alias: PUBLIC[name].convention for alias, name in _ALIASES.items()}
    ours = {_plain(model): own(model) for model in POTENTIALS} | {_plain(POTENTIAL): own()}
    if key in public:
        known = public[key]
        return Convention(known.potential, zero_point or known.zero_point, sun or known.sun)
    if key in ours:  # of ours, but with whose Sun?
        return Convention(ours[key].potential, zero_point or ZERO_POINT, sun)
    return Convention(potential, zero_point or UNKNOWN, sun)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
