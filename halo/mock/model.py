"""What a population of the mock is made of: a distribution function of orbits, chemical tracks and a fraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Origin = Literal["accreted", "in-situ"]
Knots = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Spheroid:
    """A pressure-supported distribution function of the integrals E, Lz and L_perp = sqrt(L^2 - Lz^2).

    f = 1 / {exp[-(E - E_peak)/rise] + exp[(E - E_peak)/fall]} N(Lz; lz_mean, lz_sigma) exp(-(L_perp -
    l_perp_mean)^2/(2 l_perp_sigma^2)).

    Attributes
    ----------
    E_peak : float
        Energy at which f turns over, km2 / s2 (McMillan 2017, zero at infinity).
    rise, fall : float
        Energy scales over which f grows below E_peak and falls above it, km2 / s2.
    lz_mean, lz_sigma, l_perp_mean, l_perp_sigma : float
        Angular momenta, kpc km / s; prograde is positive.
    """

    E_peak: float
    rise: float
    fall: float
    lz_mean: float
    lz_sigma: float
    l_perp_sigma: float
    l_perp_mean: float = 0.0


@dataclass(frozen=True)
class Disc:
    """Shu's (1969) distribution function in the plane times an isothermal one across it.

    f = Omega Sigma / (pi kappa sigma_R^2) exp[-(E_R - E_c)/sigma_R^2] exp(-E_z/sigma_z^2)/sigma_z at the guiding
    radius of Lz > 0.

    Attributes
    ----------
    scale_length : float
        Of Sigma, kpc.
    sigma_R, sigma_z : float
        Velocity dispersions at the Sun's radius, km / s; both fall as exp(-R/sigma_length).
    sigma_length : float
        kpc.
    """

    scale_length: float
    sigma_R: float
    sigma_z: float
    sigma_length: float


@dataclass(frozen=True)
class Chemistry:
    """Metallicities and the tracks that other abundances follow.

    Attributes
    ----------
    fe_h : tuple of (probability, dex)
        Quantiles of [Fe/H], joined by a monotone cubic.
    mg_fe, al_fe : tuple of (dex, dex)
        ([Fe/H], [X/Fe]) knots, joined linearly and held constant outside.
    mg_scatter, al_scatter : float
        Intrinsic scatter about the track, dex.
    gradient : float
        d[Fe/H]/dR about the Sun's radius, dex / kpc.
    energy_gradient : float
        d[Fe/H]/dE about `energy_pivot`, dex per 1e5 km2 / s2; the other abundances follow their tracks.
    energy_pivot : float
        km2 / s2.
    """

    fe_h: Knots
    mg_fe: Knots
    al_fe: Knots
    mg_scatter: float
    al_scatter: float
    gradient: float = 0.0
    energy_gradient: float = 0.0
    energy_pivot: float = 0.0


@dataclass(frozen=True)
class Population:
    """One stellar population.

    Attributes
    ----------
    name : str
    origin : {"accreted", "in-situ"}
    share : float
        Its fraction of the survey's ordinary rows (no tellurics, clusters, Magellanic stars or repeats); those of all
        populations sum to one.
    orbits : Spheroid or Disc
    chemistry : Chemistry
    dwarfs : float
        Fraction of its rows that are dwarfs and subgiants, which the surface-gravity cut removes.
    thinned : bool
        Whether the default mock keeps only one star in DISC_THINNING of it.
    """

    name: str
    origin: Origin
    share: float
    orbits: Spheroid | Disc
    chemistry: Chemistry
    dwarfs: float = 0.0
    thinned: bool = False
