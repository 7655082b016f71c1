"""The family of mock surveys: populations by the name of a mock; plain Python.

Every member has the same ten populations in the same order, so that their codes and truths can be compared. Two are
calibrated (`populations`, `fair`); the others are the fair one with one thing changed, by about as much as the
literature leaves open (docs/mock.md).

References
----------
C25: Carrillo et al. (2025). K23: Khoperskov et al. (2023). LB25: Lane & Bovy (2025). D24: as in `populations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import UsageError
from .fair import FAIR
from .model import Chemistry, Knots, Population, Spheroid
from .populations import DISC_THINNING, POPULATIONS


@dataclass(frozen=True)
class Galaxy:
    """A member of the family.

    Attributes
    ----------
    about : str
        What distinguishes it, in a line.
    populations : tuple of Population
        In the order of the codes in the truth table.
    """

    about: str
    populations: tuple[Population, ...]

    def shares(self, full: bool) -> list[float]:
        """Return the fraction of each population in the ordinary rows, after thinning unless `full`.

        Parameters
        ----------
        full : bool
            Keep the survey's own fractions.

        Returns
        -------
        list of float
            In the order of the populations; sums to one.
        """
        kept = [p.share / (DISC_THINNING if p.thinned and not full else 1.0) for p in self.populations]
        return [share / sum(kept) for share in kept]


@dataclass(frozen=True)
class Change:
    """What another member does to one population of the fair mock.

    Attributes
    ----------
    share, momenta : float
        Factors of its fraction, and of the widths of its angular momenta.
    energy : float
        Added to E_peak, km2 / s2.
    fe_h, mg_fe, al_fe : float
        Added to all metallicities, and to the tracks, dex.
    gradient : float
        d[Fe/H]/dE about `pivot`, dex per 1e5 km2 / s2.
    pivot : float
        km2 / s2.
    """

    share: float = 1.0
    momenta: float = 1.0
    energy: float = 0.0
    fe_h: float = 0.0
    mg_fe: float = 0.0
    al_fe: float = 0.0
    gradient: float = 0.0
    pivot: float = 0.0

    def of(self, population: Population) -> Population:
        """Return the population so changed."""
        c, orbits = population.chemistry, population.orbits
        if isinstance(orbits, Spheroid):
            orbits = replace(
                orbits,
                E_peak=orbits.E_peak + self.energy,
                lz_sigma=orbits.lz_sigma * self.momenta,
                l_perp_sigma=orbits.l_perp_sigma * self.momenta,
            )
        chemistry: Chemistry = replace(
            c,
            fe_h=_raised(c.fe_h, self.fe_h),
            mg_fe=_raised(c.mg_fe, self.mg_fe),
            al_fe=_raised(c.al_fe, self.al_fe),
            energy_gradient=c.energy_gradient + self.gradient,
            energy_pivot=self.pivot or c.energy_pivot,
        )
        return replace(population, share=population.share * self.share, orbits=orbits, chemistry=chemistry)


def _raised(knots: Knots, by: float) -> Knots:
    return tuple((x, y + by) for x, y in knots)


def _fair_but(changes: Mapping[str, Change]) -> tuple[Population, ...]:
    """Return the fair mock's populations with some changed; the thin disc takes up what their shares leave of one."""
    made = [changes.get(p.name, Change()).of(p) for p in FAIR]
    return (*made[:-1], replace(made[-1], share=1 - sum(p.share for p in made[:-1])))


MODELS: dict[str, Galaxy] = {
    "paper-truth": Galaxy("the truth is what the paper's fit found", POPULATIONS),
    "fair": Galaxy("the paper's method finds what it found in the survey", FAIR),
    "more-accreted": Galaxy(
        "about half of the halo selected by orbit is accreted",
        _fair_but({"GS/E": Change(share=2.4), "Thamnos": Change(share=2.4), "Sagittarius": Change(share=2.4)}),
    ),
    "other-chemistry": Galaxy(
        "Aurora and Splash are chemically closer to the accreted stars",
        # D24 (section 7): the in-situ sequence reaches [Al/Fe] of -0.3 at [Fe/H] of -2
        _fair_but({"Aurora": Change(mg_fe=-0.03, al_fe=-0.08), "Splash": Change(fe_h=-0.10, al_fe=-0.04)}),
    ),
    "no-eos": Galaxy(
        "without Eos", _fair_but({"Eos (Mg-rich)": Change(share=0.0), "Eos (Mg-poor)": Change(share=0.0)})
    ),
    "gradients": Galaxy(
        "metallicity falls with energy inside the populations",
        # GS/E: C25, gradients of -2.0 to -0.4 dex per 1e5 km2/s2 before the merger of which 9 to 91 % are lost; K23,
        # -0.014 dex/kpc today. Those of in-situ populations are of the same sign and a choice.
        _fair_but(
            {
                "GS/E": Change(gradient=-0.2, pivot=-1.55e5),
                "Aurora": Change(gradient=-0.3, pivot=-1.90e5),
                "Splash": Change(gradient=-0.3, pivot=-1.85e5),
                "inner disc and bar": Change(gradient=-0.3, pivot=-2.20e5),
            }
        ),
    ),
    "wide-halo": Galaxy(
        "accreted orbits are rounder, and less bound",
        # LB25: the anisotropy of GS/E falls from 0.9 outside 8 kpc to 0.4 at 2 kpc
        _fair_but({"GS/E": Change(momenta=1.7, energy=0.10e5)}),
    ),
}
"""The mocks by name."""


def galaxy(model: str) -> Galaxy:
    """Return the mock of a name.

    Raises
    ------
    UsageError
        There is none.
    """
    if model not in MODELS:
        raise UsageError(f"model must be one of {', '.join(MODELS)}; got {model!r}.")
    return MODELS[model]
