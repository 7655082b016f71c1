"""Weights through a fit: the same as stars counted several times, and a selection that they undo."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nmfcore
from halonmf import halo
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings, settings_of
from halonmf.halo.fits.store import load_fit, save_fit
from halonmf.halo.io.provenance import plain
from halonmf.halo.mixtures.counts import count, mix
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..commands.test_help import run
from ..helpers.planted import SMALL, planted

REGULAR = SMALL.replace(bins="E:5:-2.5e5:-1e5,Lz:3:-2000:2000", pixels=12)


def weighted(n=3000, most=4, seed=1):
    """Planted stars with whole weights, and the table that has each star as often as its weight says."""
    table, high = planted(n)
    table["weight"] = np.random.default_rng(seed).integers(0, most, n).astype(float)
    return table, table[np.repeat(np.arange(n), table["weight"].astype(int))], high


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_counts_of_weighted_stars_are_those_of_repeated_ones(seed, most):
    table, again, _ = weighted(300, most + 1, seed)
    if len(again) == 0:
        return
    counted = mix(table, REGULAR.axes, REGULAR.chemistry, np.asarray(table["weight"]))
    whole = mix(again, counted.bins, REGULAR.chemistry)
    np.testing.assert_array_equal(counted.V, whole.V)
    assert counted.n_stars.sum() == (counted.rows >= 0).sum()
    assert (counted.effective <= counted.n_stars * (1 + 1e-12)).all()


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_a_fit_of_weighted_stars_is_that_of_repeated_ones(loss):
    table, again, _ = weighted()
    one = fit(table, REGULAR.replace(weights="weight", loss=loss))
    other = fit(again, REGULAR.replace(loss=loss))
    np.testing.assert_array_equal(one.W, other.W)
    np.testing.assert_array_equal(one.H, other.H)
    np.testing.assert_allclose(one.mean_energy, other.mean_energy, rtol=1e-12)
    profiles = [halo.profile(found, stars, "E:10:-2.5e5:-1e5") for found, stars in ((one, table), (other, again))]
    np.testing.assert_array_equal(*(p.application.fractions for p in profiles))
    lines = [halo.boundary(found, stars) for found, stars in ((one, table), (other, again))]
    assert np.isfinite(lines[0].E).any()
    # the weighted columns have fewer stars, and only stars are asked to be enough
    known = np.isfinite(lines[0].E)
    np.testing.assert_array_equal(lines[0].application.W, lines[1].application.W)
    assert known.sum() <= np.isfinite(lines[1].E).sum()


def test_weights_undo_a_selection():
    table, high = planted(20000)
    rng = np.random.default_rng(5)
    # bright stars of low energy are seen more often, whatever their population
    probability = np.where(np.asarray(table["E"]) < -1.8e5, 0.9, 0.2)
    seen = table[rng.random(len(table)) < probability]
    seen["weight"] = 1 / np.where(np.asarray(seen["E"]) < -1.8e5, 0.9, 0.2)
    chosen = REGULAR.replace(loss="kullback-leibler")
    whole = fit(table, chosen).mass_fractions
    selected, corrected = (fit(seen, chosen.replace(weights=w)).mass_fractions for w in (None, "weight"))
    assert abs(selected - whole).max() > 0.1
    assert abs(corrected - whole).max() < 0.02
    assert abs(corrected[1] - high.mean()) < 0.02


def test_bootstrap_replicates_count_drawn_stars_with_their_weights():
    table, _, _ = weighted()
    made = fit(table, REGULAR.replace(weights="weight"))
    mixtures, weights = made.mixtures, np.asarray(table["weight"])
    drawn = nmfcore.bootstrap(
        mixtures.rows, mixtures.columns, mixtures.V.shape, replicates=5, seed=3, weights=mixtures.weights
    )
    times = nmfcore.star_weights(mixtures.rows, replicates=5, seed=3)
    for b, V in enumerate(drawn.to_dense(dtype=np.float64)):
        expected = count(mixtures.rows, mixtures.columns, mixtures.V.shape, times[b] * weights)
        np.testing.assert_allclose(V, expected, rtol=1e-6)
    replicates = halo.refit(made, 20, seed=3)
    assert replicates.good.all()
    fraction = replicates.W.sum(axis=1) / replicates.W.sum(axis=(1, 2))[:, None]
    assert 0 < fraction.std(axis=0)[0] < 0.05
    assert abs(fraction.mean(axis=0) - made.mass_fractions).max() < 4 * fraction.std(axis=0)[0]


@pytest.mark.parametrize("scale", [1.0, 5e3])
def test_equal_weights_change_no_fraction_of_a_replicate(scale):
    table, _ = planted(3000)
    table["weight"] = np.full(len(table), scale)
    one, other = (halo.refit(fit(table, REGULAR.replace(weights=w)), 6) for w in (None, "weight"))
    np.testing.assert_allclose(other.W / scale, one.W, rtol=1e-4, atol=1e-3)


def test_uneven_weights_make_errors_larger():
    table, _ = planted(6000)
    table["weight"] = np.random.default_rng(0).lognormal(0, 1.0, len(table))
    chosen = REGULAR.replace(loss="kullback-leibler")
    made = fit(table, chosen.replace(weights="weight"))
    spread = []
    for found in (fit(table, chosen), made):
        replicates = halo.refit(found, 60)
        spread.append((replicates.W.sum(axis=1) / replicates.W.sum(axis=(1, 2))[:, None])[:, 1].std())
    expected = np.sqrt(len(table) / made.mixtures.effective_stars)
    assert spread[1] / spread[0] == pytest.approx(expected, rel=0.35)


def test_a_file_keeps_the_weights_and_a_fit_without_them_has_none(tmp_path):
    table, _, _ = weighted()
    made = fit(table, REGULAR.replace(weights="weight"))
    again = load_fit(save_fit(tmp_path / "fit.h5", made))
    np.testing.assert_array_equal(again.mixtures.weights, made.mixtures.weights)
    assert again.settings == made.settings
    bare = fit(table, REGULAR)
    assert load_fit(save_fit(tmp_path / "bare.h5", bare)).mixtures.weights is None
    assert "weights" not in bare.settings.record()
    assert settings_of(plain(made.settings.record())).weights == "weight"


def test_the_effective_number_is_said_and_judged_by():
    table, _ = planted(6000)
    table["weight"] = np.where(np.arange(len(table)) % 50, 0.01, 50.0)
    made = fit(table, REGULAR.replace(weights="weight"))
    assert made.mixtures.effective_stars < 150
    assert "by their weights as many as 12" in made.mixtures.describe()
    assert made.verdict.measures["stars_per_bin"] < 12
    assert any("by their weights" in reason for reason in made.verdict.reasons)
    assert made.table()["effective"].sum() < 200
    assert "effective" not in fit(table, REGULAR).table().colnames


def test_a_verdict_does_not_depend_on_the_unit_of_weights():
    table, _, _ = weighted()
    table["heavy"] = 1e4 * table["weight"]
    one, other = (fit(table, REGULAR.replace(weights=w)).verdict for w in ("weight", "heavy"))
    assert one.word == other.word
    for name, value in one.measures.items():
        assert other.measures[name] == pytest.approx(value, rel=0.02, abs=1e-3, nan_ok=True), name


def test_memberships_are_the_same_in_every_unit_of_weights():
    table, _, _ = weighted()
    table["heavy"] = 1e4 * table["weight"]
    one, other = (halo.memberships(fit(table, REGULAR.replace(weights=w)), table) for w in ("weight", "heavy"))
    np.testing.assert_allclose(one.probability, other.probability, atol=1e-3)
    assert "by weight" in one.describe()


def test_parts_of_a_split_sample_keep_the_weights():
    table, _ = planted(8000)
    table["weight"] = np.where(np.asarray(table["E"]) > -1.75e5, 3.0, 1.0)
    made = fit(table, SMALL.replace(weights="weight", pixels=12))
    four = halo.split(made, table, halo.SplitSettings(bins=3))
    for part in four.parts:
        assert part.mixtures.weights is not None
        assert part.settings.weights == "weight"


def test_other_stars_must_have_the_column():
    table, again, _ = weighted()
    made = fit(table, REGULAR.replace(weights="weight"))
    again.remove_column("weight")
    with pytest.raises(UsageError, match="weight"):
        halo.profile(made, again, "E:10:-2.5e5:-1e5")


@pytest.mark.parametrize("what", ["rank", "inject", "search"])
def test_what_counts_every_star_once_refuses_weights(what):
    table, _, _ = weighted(400)
    with pytest.raises(UsageError, match="counts every star once"):
        getattr(halo, what)(table, REGULAR.replace(weights="weight"))


def test_the_table_of_fractions_has_intervals_of_weighted_replicates():
    table, _, _ = weighted()
    made = fit(table, REGULAR.replace(weights="weight"))
    found = halo.table1(made, [halo.refit(made, 20)])
    np.testing.assert_allclose(found.fraction[::-1], made.mass_fractions)
    assert (found.fraction_interval[0] < found.fraction).all()
    assert (found.fraction < found.fraction_interval[1]).all()


def test_the_command_takes_a_column_and_refuses_a_bad_one(tmp_path):
    table, _, _ = weighted(2000)
    bad = np.array(table["weight"])
    bad[7] = -1
    table["bad"], table["APOGEE_ID"] = bad, [f"star{i}" for i in range(len(table))]
    stars = write_catalogue(tmp_path / "stars.fits", table, CutFlow(len(table)), {})
    options = ("--selection", "all", "--bins", "E:3,Lz:3", "--pixels", 10, "--device", "cpu")
    good = run("fit", stars, "-o", tmp_path / "fit.h5", *options, "--weights", "weight")
    assert good.exit_code == 0, good.output
    assert "(effective number)" in good.output
    refused = run("fit", stars, "-o", tmp_path / "bad.h5", *options, "--weights", "bad")
    assert refused.exit_code == 3
    assert "weights bad: 1 of 2,000 stars have one that is negative" in refused.stderr
    absent = run("fit", stars, "-o", tmp_path / "bad.h5", *options, "--weights", "none")
    assert absent.exit_code == 2


def test_settings_take_weights_by_name():
    assert FitSettings.of(weights="w").weights == "w"
    assert FitSettings.of(weights="w").replace(pixels=8).weights == "w"
    assert replace(FitSettings.of(weights="w"), weights=None) == FitSettings()
