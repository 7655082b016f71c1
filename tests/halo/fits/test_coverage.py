"""The bootstrap's scatter and intervals over many skies whose true scatter is known: the machinery of the coverage."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo.fits.intervals import TYPES, Ordered, standard_error
from halonmf.halo.mixtures.settings import Chemistry, parse_axes
from halonmf.halo.replicates.replicate import begin, reduce
from halonmf.halo.replicates.setup import Setup

from ..helpers.planted import SMALL, planted

SKIES, REPLICATES = 60, 150
SETUP = Setup(SMALL.replace(axes=parse_axes("E:4,Lz:2"), chemistry=Chemistry(pixels=10)))


@pytest.fixture(scope="module")
def skies():
    """HE's share in every sky, and in the replicates of each, by scheme."""
    shares, drawn, factor = [], {"multinomial": [], "poisson": [], "delete": []}, 0.0
    for seed in range(SKIES):
        table, _ = planted(2000, seed=seed)
        for scheme, replicates in drawn.items():
            base = begin(table, replace(SETUP, scheme=scheme))
            replicates.append(reduce(base, 0, REPLICATES)["mass_fraction"][:, 1])
            factor = float(base.coordinates["delete_factor"])
        shares.append(base.products["mass_fraction"][1])
    return np.array(shares), {name: np.array(x).T for name, x in drawn.items()}, factor


@pytest.mark.slow
def test_the_bootstraps_scatter_is_the_true_one(skies):
    shares, drawn, _ = skies
    for scheme in ("multinomial", "poisson"):
        assert 0.8 < standard_error(drawn[scheme]).mean() / shares.std(ddof=1) < 1.4, scheme


@pytest.mark.slow
def test_deletion_is_short_of_it_by_the_factor_and_by_what_it_holds_fixed(skies):
    _, drawn, factor = skies
    ratio = (standard_error(drawn["multinomial"]) / standard_error(drawn["delete"])).mean()
    # the factor is of one bin; the bootstrap also varies how many stars the bins have, deletion does not
    assert 3 < factor < ratio < 1.5 * factor


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPES)
def test_intervals_hold_the_mean_of_the_estimates(skies, name):
    shares, drawn, _ = skies
    low, high = TYPES[name](Ordered.of(drawn["multinomial"]), shares, 0.68)
    held = ((low <= shares.mean()) & (shares.mean() <= high)).mean()
    assert 0.5 < held < 0.88  # 60 skies know it to 0.06
