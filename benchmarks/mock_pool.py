"""Stars of a mock drawn once and weighed again for other populations: what `calibrate_mock.py` fits with.

Each population's stars are drawn from a distribution function wider than its own and observed with errors and cuts as
in `halo.mock.expected`. Other orbits are then weights, f'(E, Lz, L_perp) / f(E, Lz, L_perp), and other chemistry is the
same quantiles and deviations put through other tracks. All quantities vary smoothly with the parameters.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from scipy.interpolate import PchipInterpolator

from halonmf.halo.mock import stars as mock_stars
from halonmf.halo.mock.family import Galaxy
from halonmf.halo.mock.model import Population, Spheroid
from halonmf.halo.mock.observe import observe
from halonmf.halo.mock.orbits import draw, potential
from halonmf.halo.mock.populations import DISC_THINNING
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.orbits.frames import to_galactocentric
from halonmf.halo.orbits.kinematics import angular_momentum, energy, kinematics
from halonmf.halo.stars.cuts import apply_cuts
from halonmf.halo.survey.quality import quality_cuts

NAMES = ("FE_H", "MG_FE", "AL_FE")
WIDER = {"rise": 1.3, "fall": 1.4, "lz_sigma": 1.25, "l_perp_sigma": 1.25}
_OTHERS = mock_stars.TELLURIC_SHARE + mock_stars.CLOUD_SHARE + mock_stars.CLUSTER_SHARE
SURVEY_HALO = MockSettings.stars * (1 - mock_stars.REPEATS) * (1 - _OTHERS)
"""Ordinary stars of one survey of as many rows as by default."""


def log_f(orbits, E, Lz, L_perp):
    """Log of the distribution function of a Spheroid, normalisation apart."""
    x = E - orbits.E_peak
    energies = -np.logaddexp(-x / orbits.rise, x / orbits.fall)
    spin = ((Lz - orbits.lz_mean) / orbits.lz_sigma) ** 2
    return energies - 0.5 * spin - 0.5 * ((L_perp - orbits.l_perp_mean) / orbits.l_perp_sigma) ** 2


@dataclass(frozen=True)
class Pool:
    """The stars of one population: as drawn, and those that the cuts keep.

    `integrals` (E, Lz, L_perp) are true and of all stars drawn; the rest is of the stars at `kept`: `quantile` and
    `deviates` make the chemistry, `errors` are observed minus true, `seen` holds observed E, Lz, ecc, r, R, z, distance
    and LOGG.
    """

    population: Population
    drawn: Spheroid | None
    integrals: np.ndarray
    kept: np.ndarray
    quantile: np.ndarray
    deviates: np.ndarray
    errors: np.ndarray
    R: np.ndarray
    seen: dict

    def weights(self, population):
        """Return one weight per kept star, such that all drawn ones sum to one, and the effective number of stars."""
        if self.drawn is None:
            w = np.ones(self.integrals.shape[1])
        else:
            ratio = log_f(population.orbits, *self.integrals) - log_f(self.drawn, *self.integrals)
            w = np.exp(ratio - ratio.max())
        w /= w.sum()
        return w[self.kept], 1 / (w**2).sum()

    def chemistry(self, population):
        """Return observed [Fe/H], [Mg/Fe], [Al/Fe] of the kept stars, shape (3, n)."""
        c = population.chemistry
        fe_h = PchipInterpolator(*np.array(c.fe_h).T)(self.quantile) + c.gradient * (self.R - mock_stars.R_SUN)
        mg_fe = np.interp(fe_h, *np.array(c.mg_fe).T) + c.mg_scatter * self.deviates[0]
        al_fe = np.interp(fe_h, *np.array(c.al_fe).T) + c.al_scatter * self.deviates[1]
        return np.stack([fe_h, mg_fe, al_fe]) + self.errors


def pool(population, number, seed, orbits=True):
    """Draw `number` stars of a population, observe and cut them; without `orbits` no kinematics."""
    rng = np.random.default_rng(seed)
    drawn = None
    wide = population
    if isinstance(population.orbits, Spheroid):
        drawn = replace(population.orbits, **{k: v * getattr(population.orbits, k) for k, v in WIDER.items()})
        wide = replace(population, orbits=drawn)
    stars = draw(wide, number, rng)
    x, y, _ = stars.position.T
    v = stars.velocity
    E = potential(stars.position) + 0.5 * (v**2).sum(axis=1)
    Lz = y * v[:, 0] - x * v[:, 1]
    L = np.cross(stars.position, v)
    integrals = np.stack([E, Lz, np.hypot(L[:, 0], L[:, 1])])
    R = np.hypot(x, y)
    quantile, deviates = rng.random(number), rng.normal(size=(2, number))
    blank = Pool(population, drawn, integrals, slice(None), quantile, deviates, np.zeros((3, number)), R, {})
    fe_h, mg_fe, al_fe = blank.chemistry(population)
    code = np.zeros(number, dtype=int)
    true = mock_stars._complete(stars, fe_h, mg_fe, al_fe, 0, mock_stars.ORDINARY, code - 1, rng)
    made = observe(true, 0, rng, lean=True)
    c, star = made.columns, made.star
    table = cut_table(c)
    keep = apply_cuts(table, quality_cuts())[0] & np.isfinite(c["pmra"]) & np.isfinite(c["VHELIO_AVG"])
    keep &= np.min([c[name] for name in NAMES], axis=0) > -9000
    errors = np.stack([c[name] for name in NAMES]) - np.stack([fe_h, mg_fe, al_fe])[:, star]
    seen = {"distance": c["weighted_dist"], "LOGG": c["LOGG"]}
    kept = star[keep]
    seen = {name: np.asarray(values, float)[keep] for name, values in seen.items()}
    if orbits:
        seen |= kinematic(c, keep)
    return Pool(population, drawn, integrals, kept, quantile[kept], deviates[:, kept], errors[:, keep], R[kept], seen)


def cut_table(c):
    """The columns that the quality cuts look at."""
    from astropy.table import Table

    table = Table({name: c[name] for name in ("ASPCAPFLAG", "EXTRATARG", "LOGG")})
    table["PROGRAMNAME"] = np.zeros(len(table), dtype="S1")
    table["distance"] = c["weighted_dist"]
    for name in NAMES:
        for end in ("", "_ERR", "_FLAG"):
            table[name + end] = c[name + end]
    return table


def kinematic(c, keep):
    """Observed E, Lz, eccentricity and place of the kept stars."""
    position, velocity = to_galactocentric(
        c["RA"][keep] * u.deg, c["DEC"][keep] * u.deg, c["weighted_dist"][keep] * u.kpc,
        c["pmra"][keep] * u.mas / u.yr, c["pmdec"][keep] * u.mas / u.yr, c["VHELIO_AVG"][keep] * u.km / u.s,
    )  # fmt: skip
    x, y, z = position.T
    R = np.hypot(x, y)
    orbit = kinematics(position, velocity)
    found = {"E": energy(position, velocity), "Lz": angular_momentum(position, velocity), "ecc": orbit["ecc"]}
    found |= {"R": R, "r": np.hypot(R, z), "z": np.abs(z)}
    return {name: np.asarray(getattr(values, "value", values), float) for name, values in found.items()}


def pools(galaxy: Galaxy, number, seed, discs):
    """Pools of all populations: `number` by name, spheroids with orbits, `discs` stars of either disc without."""
    made = []
    for i, p in enumerate(galaxy.populations):
        disc = p.thinned
        made.append(pool(p, discs if disc else number.get(p.name, 3000), [seed, i], orbits=not disc))
    return made


def stacked(made, galaxy, thinned):
    """Return columns of all pooled stars, their weights in stars of one survey, and origin; and effective numbers.

    With `thinned` the spheroids alone, which the selections by orbit hold; without, all, with unthinned discs and no
    orbits.
    """
    shares = galaxy.shares(full=False)
    columns, weight, accreted, effective = [], [], [], {}
    for one, p, share in zip(made, galaxy.populations, shares, strict=True):
        if thinned and one.drawn is None:
            continue
        w, effective[p.name] = one.weights(p)
        scale = SURVEY_HALO * share * (1 if thinned or not p.thinned else DISC_THINNING * (1 - p.dwarfs))
        chemistry = dict(zip(NAMES, one.chemistry(p), strict=True))
        columns.append(chemistry | (one.seen if thinned else {}))
        weight.append(scale * w)
        accreted.append(np.full(w.size, p.origin == "accreted"))
    names = columns[0]
    joined = {name: np.concatenate([c[name] for c in columns]) for name in names}
    return joined, np.concatenate(weight), np.concatenate(accreted), effective
