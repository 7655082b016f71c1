import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mock import stars as mock_stars
from halonmf.halo.mock import survey as mock
from halonmf.halo.mock.expected import expected
from halonmf.halo.mock.fair import FAIR
from halonmf.halo.mock.family import MODELS, Change
from halonmf.halo.mock.model import Spheroid
from halonmf.halo.mock.orbits import draw, potential
from halonmf.halo.mock.populations import POPULATIONS
from halonmf.halo.mock.truth import model_of

BY_NAME = {model: {p.name: p for p in each.populations} for model, each in MODELS.items()}


@pytest.mark.parametrize("model", MODELS)
def test_every_mock_has_the_same_populations_and_origins(model):
    assert [(p.name, p.origin) for p in MODELS[model].populations] == [(p.name, p.origin) for p in POPULATIONS]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_shares_of_every_mock_sum_to_one(model, full):
    shares = MODELS[model].shares(full)
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares) >= 0


@pytest.mark.parametrize("model", MODELS)
def test_quantiles_and_tracks_of_every_mock_rise(model):
    for population in MODELS[model].populations:
        c = population.chemistry
        assert (np.diff(np.array(c.fe_h), axis=0) > 0).all()
        assert (np.diff(np.array(c.mg_fe)[:, 0]) > 0).all()
        assert (np.diff(np.array(c.al_fe)[:, 0]) > 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_widths_and_scatter_of_every_mock_are_positive(model):
    for population in MODELS[model].populations:
        assert min(population.chemistry.mg_scatter, population.chemistry.al_scatter) > 0
        if isinstance(population.orbits, Spheroid):
            o = population.orbits
            assert min(o.rise, o.fall, o.lz_sigma, o.l_perp_sigma) > 0


def test_members_besides_the_calibrated_two_differ_from_the_fair_one():
    for model, each in MODELS.items():
        assert (each.populations == FAIR) == (model == "fair")


def test_without_eos_no_star_is_of_eos():
    stars = expected(2000, oversample=1, model="no-eos")
    assert not np.char.startswith(np.asarray(stars["population"]).astype(str), "Eos").any()


def test_metallicity_falls_with_energy_where_there_are_gradients():
    population = BY_NAME["gradients"]["GS/E"]
    rng = np.random.default_rng(1)
    drawn = draw(population, 6000, rng)
    E = potential(drawn.position) + 0.5 * (drawn.velocity**2).sum(axis=1)
    fe_h, _, _ = mock_stars.chemistry(population.chemistry, np.full(E.size, 8.122), rng, E)
    slope = np.polyfit(E / 1e5, fe_h, 1)[0]
    error = fe_h.std() / np.sqrt(E.size) / (E / 1e5).std()
    assert slope == pytest.approx(population.chemistry.energy_gradient, abs=4 * error)


def test_stars_of_a_survey_have_the_gradient():
    true = mock_stars.draw_stars(
        4000, np.random.default_rng(2), full=False, giants_only=True, galaxy=MODELS["gradients"]
    )
    gse = true.population == 0
    E = potential(true.stars.position) + 0.5 * (true.stars.velocity**2).sum(axis=1)
    far = gse & (E > np.median(E[gse]))
    assert true.fe_h[far].mean() < true.fe_h[gse & ~far].mean()


@given(share=st.floats(0, 3), momenta=st.floats(0.3, 3), shift=st.floats(-0.3, 0.3))
def test_a_change_changes_what_it_says(share, momenta, shift):
    before = BY_NAME["fair"]["Aurora"]
    after = Change(share=share, momenta=momenta, al_fe=shift, fe_h=shift).of(before)
    assert after.share == pytest.approx(share * before.share)
    assert after.orbits.lz_sigma == pytest.approx(momenta * before.orbits.lz_sigma)
    for name in ("fe_h", "al_fe"):
        moved, unmoved = (np.array(getattr(p.chemistry, name)) for p in (after, before))
        np.testing.assert_allclose(moved - unmoved, [[0, shift]] * len(moved), atol=1e-12)
    assert after.chemistry.mg_fe == before.chemistry.mg_fe


def test_no_change_is_none():
    assert all(Change().of(p) == p for p in FAIR)


def test_the_truth_says_which_mock_it_is_of(tmp_path):
    paths = mock.make(tmp_path, 200, seed=1, model="fair")
    assert model_of(paths.truth) == "fair"
    assert fits.getheader(paths.allstar, 1)["MOCKMODL"] == "fair"


def test_a_truth_of_before_the_family_is_of_the_first_mock(tmp_path):
    paths = mock.make(tmp_path, 200, seed=1, model="fair")
    fits.delval(paths.truth, "MOCKMODL", ext=1)
    assert model_of(paths.truth) == "paper-truth"


def test_what_is_no_truth_is_refused(tmp_path):
    (tmp_path / "truth.fits").write_text("none")
    with pytest.raises(InputError, match="no truth table"):
        model_of(tmp_path / "truth.fits")


@pytest.mark.parametrize("make", [mock.draw, expected])
def test_an_unknown_mock_is_refused_by_name(make):
    with pytest.raises(UsageError, match=r"model must be one of paper-truth, fair, .*; got 'unfair'"):
        make(1000, model="unfair")


def test_an_unknown_mock_writes_nothing(tmp_path):
    with pytest.raises(UsageError, match="unfair"):
        mock.make(tmp_path / "mock", 1000, model="unfair")
    assert not (tmp_path / "mock").exists()
