"""Fractions with the spread over configurations and the bootstrap error: numbers made by hand, and fits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.ensembles.setups import over_setups, vary_pixels
from halonmf.halo.ensembles.spread import spread, spreads
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.mixtures.settings import Axis
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.four import split
from halonmf.halo.products.profile import profile

from ..helpers.four import four_found, four_planted
from ..helpers.planted import SMALL, planted

EDGES = np.linspace(-2.5e5, -1.0e5, 7)
CENTRES = 0.5 * (EDGES[:-1] + EDGES[1:])
AXES = {"E": [Axis("E", 6, -2.5e5, -1.0e5)]}
STARS = np.full(6, 100)


def curves(*at, width=0.15e5):
    """Fractions of two components that cross one half at the given energies; shape (len(at), 6, 2)."""
    high = 1 / (1 + np.exp(-(CENTRES - np.array(at)[:, None]) / width))
    return np.stack([1 - high, high], axis=-1)


def of(setups, n_stars=STARS, **choices):
    return spread("E", EDGES, ("LE", "HE"), setups, n_stars, **choices)


def test_mean_and_sigma_are_those_over_setups():
    setups = curves(-1.7e5, -1.65e5, -1.8e5)
    found = of(setups)
    assert found.mean == pytest.approx(setups.mean(axis=0))
    assert found.sigma == pytest.approx(setups.std(axis=0, ddof=1))
    assert np.isnan(found.noise).all()
    assert (found.setups, found.replicates) == (3, 0)


def test_crossings_are_the_means_and_their_sigma_that_of_the_setups():
    setups = curves(-1.7e5, -1.65e5, -1.8e5)
    found = of(setups)
    assert found.crossings[0].at == crossings(CENTRES, setups.mean(axis=0)[:, 1], 0.5)
    each = [crossings(CENTRES, one[:, 1], 0.5)[0] for one in setups]
    assert found.crossing_sigma[0] == pytest.approx(np.std(each, ddof=1))


def test_bootstrap_limits_are_kept_apart_and_relative_to_their_own_median():
    rng = np.random.default_rng(1)
    replicates = curves(*(-1.6e5 + 2e3 * rng.standard_normal(400)))  # about another energy than the configurations
    found = of(curves(-1.7e5), replicates=replicates)
    low, middle, high = np.percentile(replicates, (16, 50, 84), axis=0)
    assert found.noise == pytest.approx(np.stack([low - middle, high - middle]))
    assert found.mean == pytest.approx(curves(-1.7e5)[0])
    assert found.crossing_noise[:, 0] == pytest.approx([-2e3, 2e3], rel=0.15)
    assert np.isnan(found.sigma).all()  # of one configuration there is no spread


def test_replicates_that_do_not_cross_once_are_counted_and_have_no_say():
    replicates = curves(*[-1.7e5] * 10)
    replicates[:3] = 0.5 + np.array([-0.2, 0.2])  # HE above one half everywhere
    found = of(curves(-1.7e5), replicates=replicates)
    assert found.crossing_lost[0] == 3
    assert found.crossing_noise[:, 0] == pytest.approx([0, 0], abs=1e-6)


def test_a_setup_that_crosses_twice_leaves_no_sigma():
    setups = curves(-1.7e5, -1.7e5)
    setups[1, -1] = [0.8, 0.2]
    assert np.isnan(of(setups).crossing_sigma[0])


def test_poor_bins_carry_no_crossing():
    poor = STARS.copy()
    poor[2:4] = 3
    found = of(curves(-1.7e5), poor)
    assert found.trusted.tolist() == [True, True, False, False, True, True]
    assert found.crossings[0].at != of(curves(-1.7e5)).crossings[0].at


def test_poor_bins_carry_no_crossing_of_a_setup_or_a_replicate_either():
    poor = STARS.copy()
    poor[0] = 3
    setups = curves(-1.7e5, -1.65e5)
    setups[:, 0] = [0.2, 0.8]  # only there does HE cross a second time
    found = of(setups, poor, replicates=setups)
    assert np.isfinite(found.crossing_sigma[0])
    assert found.crossing_lost[0] == 0
    assert of(setups, replicates=setups).crossing_lost[0] == 2


def test_empty_bins_stay_empty():
    setups = curves(-1.7e5, -1.6e5)
    setups[:, 0] = np.nan
    found = of(setups, np.r_[0, STARS[1:]])
    assert np.isnan(found.mean[0]).all()
    assert np.isfinite(found.mean[1:]).all()


def test_the_table_keeps_both_errors_and_the_crossings():
    found = of(curves(-1.7e5, -1.65e5), replicates=curves(*np.linspace(-1.72e5, -1.68e5, 20)))
    table = found.table()
    assert np.array_equal(table["fraction_HE"], found.mean[:, 1])
    assert np.array_equal(table["setups_HE"], found.sigma[:, 1])
    assert np.array_equal(table["noise_upper_LE"], found.noise[1, :, 0])
    assert str(table["lower"].unit) == "km2 / s2"
    half = table.meta["crossings"]["HE=0.5"]
    assert half["at"] == list(found.crossings[0].at)
    assert half["sigma_over_setups"] == found.crossing_sigma[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"setups": np.ones((2, 5, 2))},
        {"setups": np.ones((0, 6, 2))},
        {"replicates": np.ones((6, 2))},
        {"n_stars": STARS[1:]},
        {"level": 1.0},
        {"levels": (0.0,)},
    ],
)
def test_arrays_and_levels_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        of(**{"setups": curves(-1.7e5), **wrong})


# fits


def test_setups_are_fits_with_other_pixels():
    table, _ = planted()
    found = over_setups(table, vary_pixels(SMALL, (10, 20)), AXES)
    assert [s.chemistry.pixels for s in found.settings] == [10, 20]
    made = fit(table, SMALL)  # of 20 pixels
    assert found.fractions["E"][1] == pytest.approx(profile(made, table, AXES["E"]).application.fractions)
    assert spreads(found)["E"].crossings[0].at[0] == pytest.approx(-1.7e5, abs=4e3)
    assert found.names == ("LE", "HE")


def test_setups_that_do_not_converge_are_listed_and_left_out():
    table, _ = planted()
    short = SMALL.replace(max_iter=1, chemistry=replace(SMALL.chemistry, pixels=15))
    found = over_setups(table, [SMALL, short], AXES)
    assert (found.settings, found.failed) == ((SMALL,), (short,))
    with pytest.raises(UsageError, match="none of 1 configurations converged"):
        over_setups(table, [short], AXES)


def test_setups_of_other_components_are_refused():
    table, _ = planted()
    with pytest.raises(UsageError, match="same components"):
        over_setups(table, [SMALL, SMALL.replace(components=3)], AXES)


def test_four_components_have_setups_too():
    table, population = four_planted()
    two, four = four_found()
    found = over_setups(
        table,
        vary_pixels(two.settings, (20, 30)),
        {"r_sph": [Axis("r_sph", 6, 2.0, 14.0)]},
        find=lambda stars, settings: split(fit(stars, settings), stars, line=four.boundary).fit,
    )
    mean = spreads(found)["r_sph"].mean
    rows = profile(four.fit, table, [Axis("r_sph", 6, 2.0, 14.0)]).application.mixtures.rows
    truth = np.array([[(population[rows == i] == j).mean() for j in range(4)] for i in range(6)])
    assert np.abs(mean - truth).max() < 0.06


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(0, 2**16), st.randoms(use_true_random=False))
def test_the_order_of_setups_and_replicates_says_nothing(number, seed, shuffle):
    rng = np.random.default_rng(seed)
    share = rng.random((number + 3, 6))
    all_ = np.stack([1 - share, share], axis=-1)
    order = list(range(len(all_)))
    shuffle.shuffle(order)
    one, other = of(all_, replicates=all_), of(all_[order], replicates=all_[order])
    for name in ("mean", "sigma", "noise", "crossing_sigma", "crossing_noise", "crossing_lost"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-9, nan_ok=True), name
    # two components share out everything: their errors are the same
    assert one.sigma[:, 0] == pytest.approx(one.sigma[:, 1])
    assert one.noise[0, :, 0] == pytest.approx(-one.noise[1, :, 1])
