"""What energies and angular momenta are measured from: stated in every product that others may compare theirs with.

Energies of another potential or zero point look alike and are not: public catalogues differ by 0.3e5 km2 / s2, as much
as the boundary between accreted and in-situ stars is wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..errors import InputError

POTENTIAL, ZERO_POINT = "McMillan (2017)", "Phi(infinity) = 0"
TITLES = {"mcmillan17": POTENTIAL, "mwpotential2014": "MWPotential2014"}
"""What the potentials of this package are called in files."""
UNKNOWN = "not stated"
NEAR = 2e3
"""Energies that differ by no more are the same, km2 / s2: what backends and rounding leave open."""
REMEDY = "No constant converts them: compute them again from positions and velocities, with halonmf recompute."
"""What to do about energies of another convention."""
LEAST_E, LEAST_LZ = 1e4, 10.0
"""Medians of |E| (km2 / s2) and |Lz| (kpc km / s) below which a halo's are in another unit."""
ALLOWED = 0.01
"""Part of the stars that may lie below the circular orbit of their Lz, or be unbound, before energies are refused."""
_RADII = (1e-3, 500.0)  # kpc, of the circular orbits that are tabulated


@dataclass(frozen=True)
class Convention:
    """What E and Lz are measured in.

    Attributes
    ----------
    potential : str
        Author and year.
    zero_point : str
        Where the potential is zero.
    sun : str
        Position and velocity of the Sun, kpc and km / s; Galactocentric, right-handed.
    """

    potential: str = POTENTIAL
    zero_point: str = ZERO_POINT
    sun: str = ""

    def record(self) -> dict[str, str]:
        """Return the convention for a table's metadata."""
        return {"potential": self.potential, "zero_point": self.zero_point, "Sun": self.sun, "Lz": "prograde positive"}

    def differs(self, other: Convention) -> str:
        """Return in what two conventions differ, such as "MW2022, not McMillan (2017)"; empty where they agree.

        What either does not state is not compared.
        """
        for name in ("potential", "zero_point", "sun"):
            a, b = getattr(self, name), getattr(other, name)
            if a != b and a not in ("", UNKNOWN) and b not in ("", UNKNOWN):
                what = {"potential": "", "zero_point": "the zero point ", "sun": "the Sun at "}[name]
                return f"{what}{a}, not {b}"
        return ""


def own(model: str = "mcmillan17") -> Convention:
    """Return the convention of what this package computes from positions and velocities in one of its potentials."""
    from .frames import SUN_POSITION, SUN_VELOCITY  # needs astropy's frames, which files do without

    place, motion = (", ".join(f"{x:.4g}" for x in of) for of in (SUN_POSITION, SUN_VELOCITY))
    return Convention(TITLES[model], sun=f"({place}) kpc, ({motion}) km/s")


def stated(meta: Mapping[str, Any]) -> Convention | None:
    """Return the convention that a table's metadata state, or None where they say nothing of the potential.

    Parameters
    ----------
    meta : mapping
        Of a product (``convention``), of a prepared catalogue's record (``orbits``), or with a bare ``potential``.
    """
    for key in ("convention", "orbits"):
        inner = meta.get(key)
        if isinstance(inner, Mapping) and "potential" in inner:
            return _read(inner)
    return _read(meta) if "potential" in meta or "POTENTIAL" in meta else None


def _read(meta: Mapping[str, Any]) -> Convention:
    named = {str(key).lower(): str(value) for key, value in meta.items()}
    return Convention(named["potential"], named.get("zero_point", ZERO_POINT), named.get("sun", ""))


@cache
def _circular() -> tuple[np.ndarray, np.ndarray]:
    # Lz (kpc km / s) and E (km2 / s2) of circular orbits in the plane
    from .potentials import potential_of

    R = np.geomspace(*_RADII, 600)
    plane = np.zeros_like(R)
    square = R * potential_of("mcmillan17").gradient(R, plane)[0]
    return R * np.sqrt(square), potential_of("mcmillan17").potential(R, plane) + 0.5 * square


def circular_energy(Lz: np.ndarray) -> np.ndarray:
    """Return the energy of the circular orbit of each Lz (kpc km / s), km2 / s2: no star of that Lz has less."""
    momentum, E = _circular()
    return np.interp(np.abs(Lz), momentum, E)


def check_energies(E: np.ndarray, Lz: np.ndarray, where: str, remedy: str) -> None:
    """Refuse energies that cannot be those of McMillan (2017): by their size, and by the circular orbit of each Lz.

    Parameters
    ----------
    E, Lz : ndarray, shape (N,)
        km2 / s2 and kpc km / s; NaN are left out.
    where : str
        What they are from, for messages.
    remedy : str
        What to do about it, for messages.

    Raises
    ------
    InputError
        They are in other units, or of another potential or zero point.
    """
    good = np.isfinite(E) & np.isfinite(Lz)
    if not good.any():
        return
    E, Lz = E[good], Lz[good]
    size, momentum = float(np.median(np.abs(E))), float(np.median(np.abs(Lz)))
    if size < LEAST_E:
        raise InputError(
            f"{where}: energies of {size:.3g} in the median are not in km2 / s2; expected some 1e5 (a public table may "
            f"have units of 1e5 km2 / s2 or of 100 km2 / s2). {remedy}"
        )
    if len(Lz) > 10 and momentum < LEAST_LZ:
        raise InputError(
            f"{where}: Lz of {momentum:.3g} in the median is not in kpc km / s; expected some 1e2 to 1e3. {remedy}"
        )
    below = E < circular_energy(Lz) - NEAR
    if below.mean() > ALLOWED:
        raise InputError(
            f"{where}: {int(below.sum())} of {len(E)} energies lie below the circular orbit of their Lz in the "
            f"potential of {POTENTIAL}, up to {float((circular_energy(Lz) - E).max()):.3g} km2 / s2: they are of "
            f"another potential or zero point. {remedy}"
        )
    if len(E) > 10 and (E >= 0).mean() > 0.5:
        raise InputError(
            f"{where}: {int((E >= 0).sum())} of {len(E)} energies are positive; with {ZERO_POINT} bound stars have "
            f"negative ones: the zero point or the sign is another. {remedy}"
        )


def check_same(stars: Mapping[str, Any] | Convention | None, fit: Convention | None, what: str = "the fit's") -> None:
    """Refuse stars whose energies are measured otherwise than those that they are to be used with.

    Parameters
    ----------
    stars : mapping, Convention or None
        Metadata of a table of stars, or what they state.
    fit : Convention or None
        Of what they are used with; what either does not state is not compared.
    what : str
        Whose convention `fit` is, for the message.

    Raises
    ------
    InputError
        They differ.
    """
    said = stated(stars) if isinstance(stars, Mapping) else stars
    if said is None or fit is None:
        return
    differs = said.differs(fit)
    if differs:
        raise InputError(f"the stars' E and Lz are measured otherwise than {what}: {differs}. {REMEDY}")


def same_energies(found: np.ndarray, given: np.ndarray) -> float:
    """Return the median of what given energies exceed computed ones by, km2 / s2; NaN where none can be compared."""
    with np.errstate(invalid="ignore"):
        difference = given - found
    good = np.isfinite(difference)
    return float(np.median(difference[good])) if good.any() else float("nan")
