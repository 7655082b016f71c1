"""The analyses that are compared on mocks, their headline numbers, and the truth of these."""

import hashlib

import numpy as np

from halonmf.halo.fits.likelihood import likelihood
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mock.family import MODELS
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.mock.truth import true_fractions
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.profile import MIN_STARS
from halonmf.halo.stars.variables import values

PAPER = FitSettings.of(device="cpu")
ANALYSES = {"paper": PAPER, "recommended": PAPER.replace(components=3, loss="kullback-leibler", pixels=20)}
"""The paper's fit, and that which finds the mock's three populations."""
COVERAGES = (0.68, 0.95)
# product, place in it, name in the results; HE is the last component
NUMBERS = (
    ("mass_fraction", (-1,), "HE mass fraction"),
    ("mean_fraction", (-1,), "HE mean over bins"),
    ("mean_energy", (-1,), "HE mean energy"),
    ("crossing_E", (0,), "50 % crossing in E"),
    ("crossing_r", (0,), "50 % crossing in r"),
    ("fraction_E", (10, -1), "HE fraction at -1.71e5"),
    ("percentile_FE_H", (-1, 1), "HE median [Fe/H]"),
    ("percentile_AL_FE", (-1, 1), "HE median [Al/Fe]"),
)


def numbers(products):
    """The numbers that are looked at, of a base (numbers,) or of replicates (B, numbers)."""
    return np.stack([products[name][(..., *at)] for name, at, _ in NUMBERS], axis=-1)


def truth(base, accreted):
    """The same numbers of the stars' true origins, in the order of `NUMBERS`."""
    stars, bins = base.sample.stars, base.fit.mixtures.bins
    in_bins = true_fractions(bins, stars, accreted)
    number = np.bincount(bins.assign(stars)[accreted], minlength=len(bins))
    against = {name: base.sample.places.bins[name] for name in ("E", "r")}
    fractions = {name: true_fractions(each, stars, accreted) for name, each in against.items()}

    def crossing(name):
        each = against[name]
        inside = each.assign(stars)
        enough = np.bincount(inside[inside >= 0], minlength=len(each)) >= MIN_STARS
        at = crossings(each.bounds[:, 0].mean(axis=-1), np.where(enough, fractions[name], np.nan), 0.5)
        return at[0] if len(at) == 1 else np.nan

    return np.array([
        accreted.mean(),
        np.nanmean(in_bins),
        number @ np.nan_to_num(base.fit.bin_energy) / number.sum(),
        crossing("E"),
        crossing("r"),
        fractions["E"][10],
        *(np.nanmedian(values(stars, name)[accreted]) for name in ("FE_H", "AL_FE")),
    ])  # fmt: skip


def by_likelihood(fit):
    """The profile-likelihood intervals of HE's mass fraction by coverage, and the dependence of its counts."""
    found = {}
    for coverage in COVERAGES:
        one = likelihood(fit, level=coverage, groups={"HE": fit.names[-1:]})
        found[f"{coverage:.0%}"] = (one.low[0], one.high[0])
        assert not one.problems(), one.problems()
    return found, float(one.dependence[0])


def of_model(stem, model):
    """The stem of a file with results of a mock's model, which that of the default has without its name."""
    return stem if model == MockSettings.model else f"{stem}_{model}"


def populations(*models):
    """What mocks are made of, as a hash: by it results tell that they were measured before a mock was changed."""
    return hashlib.sha256(repr([MODELS[model].populations for model in models]).encode()).hexdigest()
