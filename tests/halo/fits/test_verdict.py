"""The verdict on a fit: each measure sees what it is for, and the word is that of the worst."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.measures import in_blocks, misfit
from halonmf.halo.fits.store import load_fit, save_fit
from halonmf.halo.fits.verdict import (
    DOUBTFUL,
    LIMITS,
    SOUND,
    UNSOUND,
    Limit,
    Verdict,
    assess,
    out_of_order,
    suggested,
)
from halonmf.halo.mixtures.settings import Chemistry, Plane

from ..helpers.planted import SMALL, planted, planted_fit


@pytest.fixture(scope="module")
def many():
    return fit(planted(6000)[0], SMALL.replace(pixels=12))


def test_two_populations_of_many_stars_are_sound(many):
    verdict = many.verdict
    assert verdict.word == SOUND, verdict.describe()
    assert not verdict.reasons
    assert not verdict.advice
    assert verdict.describe() == "verdict: sound"
    assert set(verdict.measures) == set(LIMITS)


def test_a_few_stars_are_not_to_be_trusted_and_told_what_to_do():
    few = fit(planted(150)[0], SMALL.replace(bins="E:5,Lz:5", pixels=50))
    verdict = few.verdict
    assert verdict.word != SOUND
    assert any("few stars: 6 a bin" in reason for reason in verdict.reasons)
    assert "--bins E:2,Lz:2" in verdict.advice
    assert "--pixels" in verdict.advice


def test_the_suggestion_has_stars_enough():
    few = fit(planted(600)[0], SMALL.replace(bins="E:6,Lz:6", pixels=40))
    options = suggested(few).split()
    again = fit(planted(600)[0], SMALL.replace(bins=options[1], pixels=int(options[3])))
    assert again.verdict.measures["stars_per_bin"] >= LIMITS["stars_per_bin"].doubtful
    assert again.verdict.measures["counts_per_pixel"] >= LIMITS["counts_per_pixel"].doubtful


def test_bins_and_pixels_that_the_fit_has_are_not_advised_again():
    few = fit(planted(40)[0], SMALL.replace(bins="E:2,Lz:2", pixels=8))
    assert suggested(few) == "--bins E:2,Lz:2 --pixels 8"
    assert few.verdict.word != SOUND
    assert "try" not in few.verdict.advice
    assert "more stars" in few.verdict.advice


@pytest.mark.parametrize("stars", [1500, 6000, 20000])
def test_two_components_of_one_population_hang_on_single_stars(stars):
    table, high = planted(stars)
    found = fit(table[~high], SMALL.replace(pixels=12)).verdict
    assert found.measures["leverage"] > LIMITS["leverage"].unsound
    assert found.word == UNSOUND
    assert "halonmf rank" in found.advice


def test_a_third_population_is_seen_in_what_is_left():
    table, _ = planted(6000)
    rng = np.random.default_rng(3)
    third = (np.asarray(table["E"]) > -1.45e5) & (rng.random(len(table)) < 0.6)
    table["FE_H"][third] = rng.normal(-2.0, 0.05, third.sum())
    table["AL_FE"][third] = rng.normal(0.4, 0.03, third.sum())
    two, three = (fit(table, SMALL.replace(pixels=12, components=k)).verdict for k in (2, 3))
    assert two.measures["misfit"] > LIMITS["misfit"].doubtful > three.measures["misfit"]
    assert any("Poisson noise allows" in reason for reason in two.reasons)
    assert "halonmf rank" in two.advice


def test_components_in_the_wrong_order_of_aluminium_lose_their_names():
    table, _ = planted(3000)
    table["AL_FE"] = -np.asarray(table["AL_FE"])
    found = fit(table, SMALL.replace(pixels=12))
    assert found.names == ("C1", "C2")
    assert found.verdict.word == UNSOUND
    assert "not what LE and HE mean" in found.verdict.reasons[0]


def test_order_is_asked_of_two_components_with_aluminium_alone(many):
    chemistry = many.mixtures.chemistry
    assert not out_of_order(many.H, chemistry)
    assert out_of_order(many.H[::-1], chemistry)
    assert not out_of_order(many.H[:1], chemistry)
    assert not out_of_order(np.zeros((2, chemistry.n)), chemistry)
    other = Chemistry.of((Plane("MG_FE", "FE_H"),), pixels=12)
    assert not out_of_order(np.eye(2, other.n), other)


def test_stars_of_a_cluster_are_named(many):
    verdict = assess(replace(many, clusters={"NGC_6121_M_4": 900, "NGC_3201": 1}))
    assert verdict.word == UNSOUND
    assert "900 stars of NGC_6121_M_4 and 1 of 1 other cluster" in verdict.reasons[0]
    assert "--clusters remove" in verdict.advice


def test_a_fit_that_did_not_converge_is_doubtful():
    found = fit(planted(6000)[0], SMALL.replace(pixels=12, max_iter=1, update="mu")).verdict
    assert found.word != SOUND
    assert any("did not converge (MAX_ITER)" in reason for reason in found.reasons)


def test_one_component_is_judged_without_comparisons():
    measures = planted_fit(k=1).verdict.measures
    assert np.isnan([measures["cosine"], measures["omission"]]).all()


def test_the_verdict_of_divergence_is_about_that_of_least_squares():
    one, other = (planted_fit(loss).verdict.measures for loss in ("frobenius", "kullback-leibler"))
    assert one["cosine"] == pytest.approx(other["cosine"], abs=0.05)
    assert one["misfit"] == pytest.approx(other["misfit"], abs=0.1)


def test_the_same_fit_has_the_same_verdict(many):
    assert assess(many) == assess(many)


def test_a_file_keeps_the_verdict_and_the_clusters(many, tmp_path):
    judged = replace(many, judged=many.verdict, clusters={"NGC_3201": 2})
    again = load_fit(save_fit(tmp_path / "fit.h5", judged))
    assert again.verdict == many.verdict
    assert again.clusters == {"NGC_3201": 2}
    assert load_fit(save_fit(tmp_path / "bare.h5", many)).judged is None


def test_components_of_several_fits_have_no_verdict(many):
    with pytest.raises(UsageError, match="come from several"):
        assess(replace(many, names=("LE2", "LE1", "HE2", "HE1")))


@given(st.floats(-10, 10), st.booleans())
def test_words_follow_the_limits(value, above):
    limit = Limit(2.0, 5.0, above=True) if above else Limit(5.0, 2.0)
    found = limit.word(value)
    bad, worse = (value > 2, value > 5) if above else (value < 5, value < 2)
    assert found == (UNSOUND if worse else DOUBTFUL if bad else SOUND)
    assert limit.word(float("nan")) == SOUND


def test_a_record_of_no_verdict_is_refused():
    with pytest.raises(ValueError, match="verdict must be one of"):
        Verdict.from_record({"word": "fine", "reasons": [], "advice": "", "measures": {}})


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.3, 30))
def test_counts_of_the_model_itself_leave_what_noise_allows(seed, stars):
    rng = np.random.default_rng(seed)
    Y = rng.gamma(2.0, stars, (16, 2)) @ rng.dirichlet(np.full(800, 0.3), 2)
    assert misfit(rng.poisson(Y).astype(float), Y, 20, 0) == pytest.approx(1.0, abs=0.15)


@given(st.integers(1, 40), st.integers(1, 3))
def test_blocks_keep_every_count(pixels, images):
    V = np.random.default_rng(pixels).poisson(1.0, (3, images * pixels**2)).astype(float)
    blocks = in_blocks(V, pixels)
    assert blocks.shape == (3, images * min(pixels, 10) ** 2)
    np.testing.assert_array_equal(blocks.sum(axis=1), V.sum(axis=1))
