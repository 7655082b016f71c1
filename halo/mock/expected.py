"""The mock survey nearly without noise: its expected counts.

A fit of these expected counts shows the bias that a method has on the mock, apart from the scatter that one survey's
number of stars brings.
"""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table, vstack

from ..errors import UsageError
from ..orbits.frames import to_galactocentric
from ..orbits.kinematics import angular_momentum, energy, kinematics
from ..progress import Progress, silent
from ..stars.cuts import apply_cuts
from ..survey.quality import quality_cuts
from .family import Galaxy, galaxy
from .observe import observe
from .populations import DISC_THINNING
from .settings import MockSettings
from .stars import CLUSTER, NAMES, ORIGINS, REPEATS, draw_stars
from .tables import member_probability

_STREAM = 0xE0  # these draws must be independent of those of a survey of the same seed
_MEMBER = 0.8


def expected(
    n_stars: int = 60_000,
    seed: int = 1,
    full: bool = False,
    oversample: int = 40,
    progress: Progress = silent,
    model: str = MockSettings.model,
) -> QTable:
    """Return the stars of `oversample` mock surveys that pass every quality cut, each to count as 1/oversample.

    Populations, selection, errors and cuts are those of `mock.draw` and `prepare`; a count of N stars in one survey is
    known here to sqrt(N / oversample).

    Parameters
    ----------
    n_stars : int
        Rows of one survey.
    seed : int
        Independent of the survey of the same seed.
    full : bool
        As in `mock.draw`.
    oversample : int
        Surveys.
    progress : callable, optional
        Called as progress("expected", surveys done, surveys in all).
    model : str
        As in `mock.draw`.

    Returns
    -------
    QTable
        Observed FE_H, MG_FE, AL_FE, E, Lz, ecc (NaN for retrograde stars, whom the halo selections take at any
        eccentricity), r_sph, R_cyl, z_gal, with the true `population` and `origin`; `oversample` and `thinning` in the
        meta.

    Raises
    ------
    UsageError
        `oversample` below 1, or no such model.
    """
    if oversample < 1:
        raise UsageError(f"oversample must be a positive number of surveys; got {oversample}.")
    drawn = galaxy(model)
    parts = []
    for done, sequence in enumerate(np.random.SeedSequence([seed, _STREAM]).spawn(oversample)):
        progress("expected", done, oversample)
        parts.append(_one(n_stars, np.random.default_rng(sequence), full, drawn))
    progress("expected", oversample, oversample)
    stars = vstack(parts, metadata_conflicts="silent")
    stars.meta = {
        "oversample": oversample,
        "n_stars": n_stars,
        "seed": seed,
        "model": model,
        "thinning": 1.0 if full else DISC_THINNING,
    }
    return stars


def _one(n_stars: int, rng: np.random.Generator, full: bool, drawn: Galaxy) -> QTable:
    true = draw_stars(n_stars - round(REPEATS * n_stars), rng, full=full, giants_only=True, galaxy=drawn)
    seen = observe(true, 0, rng, lean=True)
    c, star = seen.columns, seen.star
    bad = c["FE_H"] < -9000  # sentinels, as the reader of the survey's files treats them
    for name in ("MG_FE", "AL_FE"):
        bad |= c[name] < -9000
    member = (true.kind[star] == CLUSTER) & (member_probability(star.size, rng) >= _MEMBER)
    table = Table({name: c[name] for name in ("ASPCAPFLAG", "EXTRATARG", "LOGG")})
    table["PROGRAMNAME"] = np.zeros(star.size, dtype="S1")
    table["distance"] = c["weighted_dist"]
    for name in ("FE_H", "MG_FE", "AL_FE"):
        for end in ("", "_ERR", "_FLAG"):
            table[name + end] = c[name + end]
    keep = apply_cuts(table, quality_cuts())[0] & ~bad & ~member
    keep &= np.isfinite(c["pmra"]) & np.isfinite(c["VHELIO_AVG"])
    position, velocity = to_galactocentric(
        c["RA"][keep] * u.deg,
        c["DEC"][keep] * u.deg,
        c["weighted_dist"][keep] * u.kpc,
        c["pmra"][keep] * u.mas / u.yr,
        c["pmdec"][keep] * u.mas / u.yr,
        c["VHELIO_AVG"][keep] * u.km / u.s,
    )
    E, Lz = energy(position, velocity), angular_momentum(position, velocity)
    prograde = Lz.value >= 0
    ecc = np.full(E.size, np.nan)
    # orbits take most of the time; retrograde stars are selected whatever their eccentricity
    ecc[prograde] = np.asarray(kinematics(position[prograde], velocity[prograde])["ecc"])
    x, y, z = position.T
    R = np.hypot(x, y)
    out = QTable({name: c[name][keep].astype(np.float64) for name in ("FE_H", "MG_FE", "AL_FE")})
    out["E"], out["Lz"], out["ecc"] = E, Lz, ecc
    out["r_sph"], out["R_cyl"], out["z_gal"] = np.hypot(R, z), R, z
    code = true.population[star][keep]
    out["population"], out["origin"] = np.array(NAMES)[code], np.array(ORIGINS)[code]
    return out[E.value < 0]
