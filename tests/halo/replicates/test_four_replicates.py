"""Replicates of four components together: fractions about those found, scattering as counts of drawn stars do."""

import numpy as np
import pytest
from scipy.optimize import nnls

from halonmf.halo.ensembles.spread import spread
from halonmf.halo.errors import InputError
from halonmf.halo.fits.bootstrap import refit, star_weights
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.products.four import sides
from halonmf.halo.products.overview import PROFILES
from halonmf.halo.products.profile import profile
from halonmf.halo.replicates.four import four_replicates

from ..helpers.four import four_found, four_planted


@pytest.fixture(scope="module")
def made():
    table, population = four_planted()
    _, four = four_found()
    return table, population, four, four_replicates(four, table, 80, seed=1)


def test_fractions_lie_about_those_of_the_four(made):
    table, _, four, found = made
    for name in ("r", "E"):
        own = profile(four.fit, table, parse_axes(PROFILES[name])).application.fractions
        assert found[name].shape == (80, *own.shape)
        assert np.nanmax(np.abs(np.nanmean(found[name], axis=0) - own)) < 0.03


def test_they_scatter_as_counts_of_drawn_stars_do(made):
    table, population, _, found = made
    # populations that never overlap: within a bin a fraction is nearly a count
    inside = (table["r_sph"] >= 4.4) & (table["r_sph"] < 5.6)
    n, share = inside.sum(), (population[inside] == 1).mean()
    assert 0.1 < share < 0.95
    assert 0.5 < found["r"][:, 2, 1].std() / np.sqrt(share * (1 - share) / n) < 2.0


def test_the_parts_are_drawn_apart(made):
    *_, four, found = made
    # above the boundary only the upper part has a say, below it only the lower one
    high, low = found["r"][:, 8, 3], found["r"][:, 2, 1]
    assert abs(np.corrcoef(high, low)[0, 1]) < 0.35
    assert four.boundary.status


def test_a_replicate_is_its_own_stars_shared_out_among_its_own_components(made):
    table, _, four, found = made
    parts = [refit(part, 80, seed=1 + i) for i, part in enumerate(four.parts)]
    H = np.concatenate([parts[1].H[5], parts[0].H[5]]).astype(float)
    _, above, _ = sides(table, four.boundary)
    weights = np.zeros(len(table), int)
    for i, mask in enumerate((above, ~above)):
        weights[mask] = star_weights(four.parts[i], 80, seed=1 + i)[5]
    stars = table[np.repeat(np.arange(len(table)), weights)]
    V = mix(stars, parse_axes(PROFILES["r"]), four.fit.settings.chemistry).V
    W = np.array([nnls(H.T, row)[0] for row in V])
    assert found["r"][5] == pytest.approx(W / W.sum(axis=1, keepdims=True), abs=1e-4)


def test_replicates_that_are_not_good_in_either_part_are_left_out(made):
    table, _, four, _ = made
    least = [refit(part, 12, seed=1 + i).similarity.min(axis=1) for i, part in enumerate(four.parts)]
    for floor in (np.median(least[0]), np.median(least[1])):
        good = (least[0] >= floor) & (least[1] >= floor)
        assert 0 < good.sum() < 12
        assert len(four_replicates(four, table, 12, seed=1, floor=float(floor))["r"]) == good.sum()


def test_they_are_what_a_spread_takes(made):
    *_, four, found = made
    edges = np.linspace(2, 14, 11)
    result = spread("r", edges, four.fit.names, found["r"][:1], np.full(10, 100), replicates=found["r"])
    assert (result.noise[1] >= result.noise[0]).all()
    assert result.replicates == 80


def test_variables_that_the_stars_lack_are_left_out(made):
    *_, found = made
    assert set(found) == {"E", "Lz", "r", "e", "dE"}


def test_other_stars_are_refused():
    table, _ = four_planted()
    _, four = four_found()
    table["E"] *= 1.01
    with pytest.raises(InputError, match="not the stars that were split"):
        four_replicates(four, table, 3)
