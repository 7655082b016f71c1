"""Stars of four chemical populations that never overlap, two on either side of a boundary in energy."""

from dataclasses import replace
from functools import cache

import numpy as np
from astropy.table import Table

from halonmf.halo.fits.fit import fit
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.four import split

from .planted import SMALL

EDGE = -1.7e5
POPULATIONS = ("LE2", "LE1", "HE2", "HE1")
MEDIANS = {"FE_H": (0.2, -0.4, -0.8, -1.5), "AL_FE": (0.05, 0.3, -0.05, -0.3), "MG_FE": (0.05, 0.4, 0.25, 0.12)}
WIDTHS = {"FE_H": 0.14, "AL_FE": 0.05, "MG_FE": 0.03}


def four_planted(n=8000, seed=0, *, upside_down=False):
    """Stars and the index of their population in `POPULATIONS`; `upside_down`: HE1's chemistry lies below HE2's."""
    rng = np.random.default_rng(seed)
    E, Lz = rng.uniform(-2.5e5, -1.0e5, n), rng.uniform(-1500.0, 1500.0, n)
    high = E >= EDGE
    # within its part the upper population's share rises with energy alone; bins at either end are pure, without
    # which a factorisation is not unique
    height = np.where(high, (E - EDGE) / 0.7e5, (E - EDGE + 0.8e5) / 0.8e5)
    upper = rng.random(n) < (height - 0.25) / 0.5
    population = np.where(high, 2 + upper, 0 + upper)
    look = np.where(population >= 2, 5 - population, population) if upside_down else population
    table = Table({"E": E, "Lz": Lz, "ecc": rng.uniform(0.0, 1.0, n), "r_sph": 8.0 + (E + 1.75e5) / 0.125e5})
    for name, centres in MEDIANS.items():
        table[name] = np.array(centres)[look] + WIDTHS[name] * rng.uniform(-1, 1, n)
    return table, population


def flat(fit, table, E=EDGE, columns=None):
    """A boundary at one energy in the given Lz columns of ten, NaN in the others."""
    line = boundary(fit, table)
    level = np.where(np.isin(np.arange(10), np.arange(10) if columns is None else columns), E, np.nan)
    return replace(line, E=level, smoothed=level)


@cache
def four_found(upside_down=False):
    """The fit of two components, and the four that `split` finds on either side of `EDGE`; not to be changed."""
    table, _ = four_planted(upside_down=upside_down)
    two = fit(table, SMALL.replace(chemistry=replace(SMALL.chemistry, pixels=30)))
    return two, split(two, table, line=flat(two, table))
