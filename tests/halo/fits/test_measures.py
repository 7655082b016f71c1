"""What a verdict is made of: the gain of components between halves of the stars."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.measures import HALVES, Halves, _scores, gains, halves
from halonmf.halo.fits.verdict import LIMITS, UNSOUND
from nmfcore.halves import halves as counted
from nmfcore.rank import Background, held_out

from ..helpers.planted import SMALL, planted, planted_fit


def in_first(made):
    """Which stars are in the first half of each split, as `halves` draws them."""
    rng, number = np.random.default_rng(made.settings.solver.seed), len(made.mixtures.rows)
    return np.stack([rng.permutation(number) < number // 2 for _ in range(HALVES)])


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_scores_are_those_of_the_engines_choice_of_rank(loss):
    made = planted_fit(loss)
    found, mixtures = halves(made), made.mixtures
    parts = counted(mixtures.rows, mixtures.columns, mixtures.V.shape, in_first(made))
    np.testing.assert_array_equal(found.V, parts.counts.to_dense())
    np.testing.assert_array_equal(found.rows, parts.n_stars)
    expected = held_out(parts, found.W * parts.ratio[:, :, None], found.H, "kullback-leibler", Background.of(parts))
    np.testing.assert_allclose(_scores(found.V, found.rows, found.W, found.H), expected, rtol=1e-9)


def test_halves_are_of_whole_stars_and_make_the_sample():
    made = planted_fit()
    found = halves(made)
    np.testing.assert_array_equal(found.V[::2] + found.V[1::2], np.broadcast_to(made.mixtures.V, found.V[::2].shape))
    np.testing.assert_allclose(found.H.sum(axis=2), 1.0)


def test_halves_keep_the_weights_of_their_stars():
    table, _ = planted(2000)
    table["weight"] = np.random.default_rng(0).uniform(0.5, 2.0, len(table))
    made = fit(table, SMALL.replace(pixels=12, weights="weight"))
    found = halves(made)
    np.testing.assert_allclose(found.V[0] + found.V[1], made.mixtures.V)
    inside = made.mixtures.rows >= 0
    assert (found.rows[0] + found.rows[1]).sum() == pytest.approx(np.asarray(table["weight"])[inside].sum())


@pytest.mark.parametrize("stars", [1500, 6000])
def test_the_second_of_two_populations_gains_and_a_third_component_does_not(stars):
    measures = fit(planted(stars)[0], SMALL.replace(pixels=12)).verdict.measures
    assert measures["gain"] > LIMITS["gain"].doubtful
    assert measures["next_gain"] < LIMITS["next_gain"].doubtful


def test_a_second_component_of_one_population_gains_nothing_and_is_not_to_be_trusted():
    table, high = planted(6000)
    found = fit(table[~high], SMALL.replace(pixels=12)).verdict
    assert found.measures["gain"] < LIMITS["gain"].unsound
    assert found.word == UNSOUND
    assert any("predict each other worse, by" in reason for reason in found.reasons)
    assert "so many components" in found.advice


def test_one_component_of_two_populations_asks_for_another():
    measures = planted_fit(k=1).verdict.measures
    assert np.isnan(measures["gain"])
    assert measures["next_gain"] > LIMITS["next_gain"].doubtful


def test_no_more_components_are_tried_than_there_are_bins():
    made = fit(planted(2000)[0], SMALL.replace(bins="E:2,Lz:2", pixels=12, components=4))
    gain, next_gain = gains(halves(made), made.settings.solver)
    assert np.isfinite(gain)
    assert np.isnan(next_gain)


def test_halves_that_are_all_alike_have_no_error_and_no_gain():
    made = planted_fit()
    found = halves(made)
    same = [np.repeat(x[:1], len(x), axis=0) for x in (found.V, found.rows, found.W, found.H)]
    assert np.isnan(gains(Halves(*same), replace(made.settings.solver, components=1))[0])
    assert np.isnan(gains(Halves(*same), made.settings.solver)[0])
