"""The true stars of the mock: phase space, chemistry and kind, before any observation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from . import satellites as mock_satellites
from . import sky as mock_sky
from .family import MODELS, Galaxy
from .model import Chemistry
from .orbits import Stars, concatenate, draw, potential
from .populations import POPULATIONS
from .settings import MockSettings
from .sky import R_SUN

ORDINARY, TELLURIC, CLOUD, CLUSTER = range(4)
"""Kinds of star."""

NAMES = (*(p.name for p in POPULATIONS), "globular cluster", "Magellanic Clouds")
"""Names of the population codes."""

ORIGINS = (*(p.origin for p in POPULATIONS), "cluster", "satellite")
"""Origins of the population codes."""

REPEATS = 0.105
"""Fraction of the rows that repeat a star: 734,000 rows of DR17 hold 657,000 stars."""

# parts of the distinct stars of DR17 (734,000 rows, 657,000 stars): some 26,000 tellurics, 20,000 Magellanic and
# 6,000 cluster stars
TELLURIC_SHARE, CLOUD_SHARE, CLUSTER_SHARE = 0.039, 0.030, 0.009


@dataclass(frozen=True)
class TrueStars:
    """What an ideal survey would measure.

    Attributes
    ----------
    stars : Stars
        Phase space and brightness.
    fe_h, mg_fe, al_fe : ndarray, shape (n,)
        dex.
    log_g, teff : ndarray, shape (n,)
        log10(cm / s2) and K.
    population : ndarray of int, shape (n,)
        Row of NAMES.
    kind : ndarray of int, shape (n,)
        ORDINARY, TELLURIC, CLOUD or CLUSTER.
    system : ndarray of int, shape (n,)
        Row of CLUSTERS or CLOUDS, -1 for ordinary stars.
    """

    stars: Stars
    fe_h: np.ndarray
    mg_fe: np.ndarray
    al_fe: np.ndarray
    log_g: np.ndarray
    teff: np.ndarray
    population: np.ndarray
    kind: np.ndarray
    system: np.ndarray

    def __len__(self) -> int:
        return len(self.fe_h)


def draw_stars(
    n: int,
    rng: np.random.Generator,
    *,
    full: bool,
    giants_only: bool = False,
    galaxy: Galaxy = MODELS[MockSettings.model],
) -> TrueStars:
    """Draw `n` distinct stars of the survey, population by population.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator
    full : bool
        The survey's own fractions instead of a thinned disc.
    giants_only : bool
        Leave out, after counting them, dwarfs, tellurics and Magellanic stars, which every sample cuts.
    galaxy : Galaxy
        The populations and their fractions.
    """
    kinds = rng.multinomial(
        n, [1 - TELLURIC_SHARE - CLOUD_SHARE - CLUSTER_SHARE, TELLURIC_SHARE, CLOUD_SHARE, CLUSTER_SHARE]
    )
    counts = rng.multinomial(kinds[ORDINARY], galaxy.shares(full))
    parts: list[TrueStars] = []
    for code, (population, count) in enumerate(zip(galaxy.populations, counts, strict=True)):
        n_dwarfs = rng.binomial(count, population.dwarfs)
        for dwarf, number in ((False, count - n_dwarfs), (True, 0 if giants_only else n_dwarfs)):
            stars = draw(population, number, rng, dwarf=dwarf)
            parts.append(_ordinary(stars, population.chemistry, code, ORDINARY, rng))
    if giants_only:
        kinds[[TELLURIC, CLOUD]] = 0
    # hot stars in the foreground move with the thin disc
    hot = draw(population, kinds[TELLURIC], rng, dwarf=True)
    parts.append(_ordinary(hot, population.chemistry, code, TELLURIC, rng))
    for kind, draw_members in ((CLUSTER, mock_satellites.draw_clusters), (CLOUD, mock_satellites.draw_clouds)):
        parts.append(_members(draw_members(kinds[kind], rng), kind, rng))
    return _join(parts)


def chemistry(
    c: Chemistry, R: np.ndarray, rng: np.random.Generator, E: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw [Fe/H], [Mg/Fe] and [Al/Fe] of stars at Galactocentric radius R (kpc) and, where it matters, energy E."""
    p, quantile = np.array(c.fe_h).T
    fe_h = PchipInterpolator(p, quantile)(rng.random(R.size)) + c.gradient * (R - R_SUN)
    if E is not None:
        fe_h = fe_h + c.energy_gradient * (E - c.energy_pivot) / 1e5
    mg_fe = np.interp(fe_h, *np.array(c.mg_fe).T) + rng.normal(0, c.mg_scatter, R.size)
    al_fe = np.interp(fe_h, *np.array(c.al_fe).T) + rng.normal(0, c.al_scatter, R.size)
    return fe_h, mg_fe, al_fe


def _ordinary(stars: Stars, abundances: Chemistry, code: int, kind: int, rng: np.random.Generator) -> TrueStars:
    R = np.hypot(stars.position[:, 0], stars.position[:, 1])
    E = None
    if abundances.energy_gradient:
        E = potential(stars.position) + 0.5 * (stars.velocity**2).sum(axis=1)
    fe_h, mg_fe, al_fe = chemistry(abundances, R, rng, E)
    return _complete(stars, fe_h, mg_fe, al_fe, code, kind, np.full(R.size, -1), rng)


def _members(m: mock_satellites.Members, kind: int, rng: np.random.Generator) -> TrueStars:
    code = NAMES.index("globular cluster" if kind == CLUSTER else "Magellanic Clouds")
    return _complete(m.stars, m.fe_h, m.mg_fe, m.al_fe, code, kind, m.system, rng)


def _complete(
    stars: Stars,
    fe_h: np.ndarray,
    mg_fe: np.ndarray,
    al_fe: np.ndarray,
    code: int,
    kind: int,
    system: np.ndarray,
    rng: np.random.Generator,
) -> TrueStars:
    n = len(stars)
    log_g = mock_sky.surface_gravity(stars.M_H)
    teff = mock_sky.effective_temperature(log_g, fe_h) + rng.normal(0, 40, n)
    if kind == TELLURIC:
        log_g, teff = rng.normal(4.1, 0.15, n), rng.uniform(8000, 19000, n)
    return TrueStars(stars, fe_h, mg_fe, al_fe, log_g, teff, np.full(n, code), np.full(n, kind), system)


def _join(parts: list[TrueStars]) -> TrueStars:
    names = [name for name in TrueStars.__dataclass_fields__ if name != "stars"]
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    return TrueStars(stars=concatenate([p.stars for p in parts]), **columns)
