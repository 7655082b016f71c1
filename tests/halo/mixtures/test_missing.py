"""Stars that lack an abundance: where each counts, how often, and what that does to fractions of components."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.checks.injection import inject
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.apply import apply
from halonmf.halo.fits.bootstrap import refit
from halonmf.halo.fits.fit import fit
from halonmf.halo.fits.settings import FitSettings, settings_of
from halonmf.halo.fits.store import load_fit, save_fit
from halonmf.halo.io.provenance import plain
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mixtures.missing import balanced, planes_measured
from halonmf.halo.mixtures.settings import MISSING, Chemistry
from halonmf.halo.replicates.replicate import Stars, begin, reduce
from halonmf.halo.replicates.setup import Setup

from ..helpers.planted import SMALL, planted

COARSE = SMALL.replace(chemistry=Chemistry(pixels=12), loss="kullback-leibler")
seeded = settings(derandomize=True, deadline=None, max_examples=30)


def without_aluminium(table, missing):
    out = table.copy()
    out["AL_FE"] = np.where(missing, np.nan, out["AL_FE"])
    return out


@pytest.fixture(scope="module")
def stars():
    return planted(8000, apart=True)


def some_of(high, seed=1):
    """A third of all stars at random, and two thirds of the accreted ones."""
    rng = np.random.default_rng(seed)
    return {"random": rng.random(len(high)) < 1 / 3, "accreted": high & (rng.random(len(high)) < 2 / 3)}


@seeded
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_star_counts_once_in_each_plane_that_it_has(seed, fraction):
    rng = np.random.default_rng(seed)
    table, _ = planted(300, seed % 1000, apart=True)
    table = without_aluminium(table, rng.random(300) < fraction)
    made = mix(table, "E:2", Chemistry(pixels=8))
    sums = made.V.reshape(2, 2, -1).sum(axis=(0, 2))
    inside = {name: int((made.columns[:, i] >= 0).sum()) for i, name in enumerate(("al", "mg"))}
    assert sums[0] == inside["al"] <= np.isfinite(table["AL_FE"]).sum()
    assert sums[1] == inside["mg"]


@seeded
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_balanced_stars_have_as_many_counts_as_there_are_planes(seed, fraction):
    rng = np.random.default_rng(seed)
    table, _ = planted(200, seed % 1000)
    table = without_aluminium(table, rng.random(200) < fraction)
    chemistry = Chemistry(pixels=8, missing="balance")
    weights = balanced(table, chemistry, rng.uniform(0.5, 2.0, 200))
    measured = planes_measured(table, chemistry).sum(axis=1)
    rng = np.random.default_rng(seed)
    rng.random(200)
    assert weights * measured == pytest.approx(2 * rng.uniform(0.5, 2.0, 200))


def test_a_star_without_any_plane_counts_nowhere(stars):
    table = stars[0][:10].copy()
    table["FE_H"][0] = np.nan
    assert balanced(table, Chemistry(missing="balance"))[0] == 0


def test_where_nothing_is_missing_nothing_changes(stars):
    found = [fit(stars[0], COARSE.replace(missing=missing)) for missing in MISSING]
    assert np.array_equal(found[0].W, found[1].W)
    assert np.array_equal(found[0].W, found[2].W)
    assert found[1].mixtures.weights is None


def test_dropped_stars_are_a_line_of_the_cutflow_and_in_no_bin(stars):
    missing = some_of(stars[1])["random"]
    found = fit(without_aluminium(stars[0], missing), COARSE.replace(missing="drop"))
    assert found.cutflow.names[-1] == "AL_FE, FE_H, MG_FE measured" or "measured" in found.cutflow.names[-1]
    assert found.cutflow.removed[-1] == missing.sum()
    assert np.ptp(found.mixtures.n_stars) <= 2  # equally full of the stars that are left


@pytest.mark.parametrize("missing", MISSING)
def test_fractions_are_those_of_all_stars_where_a_third_lacks_aluminium_at_random(stars, missing):
    table, high = stars
    whole = fit(table, COARSE).mass_fractions
    found = fit(without_aluminium(table, some_of(high)["random"]), COARSE.replace(missing=missing))
    assert found.mass_fractions == pytest.approx(whole, abs=0.01)


def test_balanced_fractions_stay_where_the_accreted_lack_aluminium_and_others_fall(stars):
    table, high = stars
    lacking = without_aluminium(table, some_of(high)["accreted"])
    true = high.mean()
    off = {m: fit(lacking, COARSE.replace(missing=m)).mass_fractions[1] - true for m in MISSING}
    assert abs(off["balance"]) < 0.01
    # of N_j stars a part f without aluminium: counts are N_j (2 - f), and stars with both N_j (1 - f)
    f = 2 / 3
    assert off["count"] == pytest.approx(true * (2 - f) / (true * (2 - f) + 2 * (1 - true)) - true, abs=0.01)
    assert off["drop"] < true * (1 - f / 2) / (true * (1 - f / 2) + 1 - true) - true  # half of that and more


@pytest.mark.parametrize("missing", MISSING)
def test_what_became_of_missing_abundances_is_recorded_and_read_back(stars, missing, tmp_path):
    made = fit(without_aluminium(stars[0], some_of(stars[1])["random"]), COARSE.replace(missing=missing))
    found = load_fit(save_fit(tmp_path / "fit.h5", made))
    assert found.settings == made.settings
    assert found.settings.chemistry.missing == missing
    assert np.array_equal(found.mixtures.V, made.mixtures.V)
    assert (found.mixtures.weights is None) == (missing != "balance")


@pytest.mark.parametrize("missing", MISSING)
def test_other_bins_count_the_same_way(stars, missing):
    table = without_aluminium(stars[0], some_of(stars[1])["accreted"])
    made = fit(table, COARSE.replace(missing=missing))
    found = apply(made, table, made.mixtures.bins)
    assert np.array_equal(found.mixtures.V, made.mixtures.V)


def test_the_usual_is_not_written_so_that_records_of_older_versions_stay_equal():
    assert "missing" not in FitSettings().record()
    assert "missing" not in plain(Chemistry())
    for missing in MISSING:
        changed = FitSettings.of(missing=missing)
        assert settings_of(plain(changed)) == changed


def test_replicates_of_balanced_stars_scatter_about_the_fit(stars):
    table = without_aluminium(stars[0], some_of(stars[1])["accreted"])
    made = fit(table, COARSE.replace(missing="balance"))
    drawn = refit(made, 40)
    share = drawn.W.sum(axis=1)[:, 1] / drawn.W.sum(axis=(1, 2))
    assert drawn.good.all()
    assert abs(share.mean() - made.mass_fractions[1]) < 3 * share.std()
    # binomial, of stars that lie apart
    expected = np.sqrt(made.mass_fractions.prod() / len(table))
    assert 0.3 * expected < share.std() < 1.5 * expected


def test_an_ensemble_counts_balanced_stars_as_its_fit_does(stars):
    table = without_aluminium(stars[0], some_of(stars[1])["accreted"])
    settings = COARSE.replace(missing="balance", loss="frobenius")
    base = begin(Stars(table), Setup(settings))
    assert np.array_equal(base.fit.mixtures.V, fit(table, settings).mixtures.V)
    found = reduce(base, 0, 20)
    assert abs(np.mean(found["mass_fraction"][:, 1]) - base.fit.mass_fractions[1]) < 0.02


def test_what_counts_every_star_once_refuses_to_balance(stars):
    with pytest.raises(UsageError, match="not balance"):
        inject(stars[0], COARSE.replace(missing="balance", loss="frobenius"))


def test_an_unknown_way_is_refused():
    with pytest.raises(UsageError, match="count, balance, drop"):
        Chemistry(missing="guess")
