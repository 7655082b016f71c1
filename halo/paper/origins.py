"""What the four components of a mock truly are: its stars by the side of the boundary and by their origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..fits.fit import Fit, fit_mixtures
from ..mock.populations import INNER_DISC
from ..mock.truth import true_fit, without_noise
from ..products.four import sides
from .numbers import of_parts
from .study import CHEMICAL, Study

FOUR = ("LE2", "LE1", "HE2", "HE1")
"""The components by number, as `products.four.stack` orders them."""


def origins(study: Study) -> np.ndarray:
    """Return which of `FOUR` each star of the chemically pure halo belongs to; int, shape (N,), -1 where to none.

    Above the boundary that the fit found, HE1 are the accreted stars and HE2 those formed in situ; below it LE2 are
    the stars of the inner disc and bar, which the paper finds there, and LE1 all others.

    Raises
    ------
    InputError
        No mock, or no four components.
    """
    four, known = study.four, study.truth(CHEMICAL)
    used, above, _ = sides(study.two(CHEMICAL).stars, four.boundary, four.settings.fill)
    high = np.where(known.accreted, FOUR.index("HE1"), FOUR.index("HE2"))
    low = np.where(known.population == INNER_DISC.name, FOUR.index("LE2"), FOUR.index("LE1"))
    return np.where(used, np.where(above, high, low), -1)


def true_parts(study: Study) -> tuple[Fit, Fit]:
    """Return the parts of the split sample, as fits that know every star's origin: the counts themselves."""
    origin = origins(study)
    made = []
    for part in study.four.parts:
        own = np.isin(origin, [FOUR.index(name) for name in part.names])
        made.append(true_fit(part, origin[own] == FOUR.index(part.names[1])))
    high, low = made
    return high, low


def noise_free_parts(study: Study) -> tuple[Fit, Fit] | None:
    """Return fits of the parts' expected counts: what the method makes of them; None where these were not asked for."""
    if study.settings.expected == 0:
        return None
    origin, known = origins(study), study.truth(CHEMICAL).population
    stars, images = study.two(CHEMICAL).stars, study.population_images
    made = []
    for part in study.four.parts:
        own = np.isin(origin, [FOUR.index(name) for name in part.names])
        quiet = without_noise(part.mixtures, known[own], images)
        fit = fit_mixtures(quiet, stars[own], part.cutflow, part.settings)
        made.append(replace(fit, names=part.names))
    high, low = made
    return high, low


def true_four(study: Study) -> tuple[dict[str, float], dict[str, float]]:
    """Return the numbers of R5 to R7 of four components by id, as they truly are and as a fit without noise has them.

    Both are empty where the sample is no mock.
    """
    if not study.is_mock or study.no_four:
        return {}, {}
    quiet = noise_free_parts(study)
    return of_parts(true_parts(study)), {} if quiet is None else of_parts(quiet)


def true_fractions_of_four(study: Study, variable: str) -> np.ndarray:
    """Return the fraction that the stars of each of `FOUR` make up in the bins of a profile; shape (bins, 4).

    NaN where a bin is empty.
    """
    mixtures, origin = study.two(CHEMICAL).applications[variable].mixtures, origins(study)
    inside = (mixtures.rows >= 0) & (origin >= 0)
    number = np.zeros((len(mixtures.bins), len(FOUR)))
    np.add.at(number, (mixtures.rows[inside], origin[inside]), 1)
    total = number.sum(axis=1, keepdims=True)
    return np.divide(number, total, out=np.full_like(number, np.nan), where=total > 0)
