"""The script that calibrates the mock: weighed stars stand for other populations, and its numbers are the package's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from halonmf.halo.mock.orbits import draw, potential
from halonmf.halo.mock.populations import AURORA, GSE, SPLASH

from ...scripts import script

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def scripts():
    return {name: script(name, "benchmarks") for name in ("mock_pool", "mock_targets", "calibrate_mock")}


@pytest.fixture(scope="module")
def pooled(scripts):
    return scripts["mock_pool"].pool(SPLASH, 4000, 1)


def test_weighed_stars_have_the_energies_of_stars_drawn_from_other_orbits(scripts):
    other = replace(SPLASH, orbits=replace(SPLASH.orbits, E_peak=-1.8e5, lz_sigma=500.0))
    pool = scripts["mock_pool"].pool(SPLASH, 6000, 1, orbits=False)
    weight = np.zeros(pool.integrals.shape[1])
    everyone = replace(pool, kept=np.arange(weight.size))
    weight, effective = everyone.weights(other)
    stars = draw(other, 6000, np.random.default_rng(2))
    E = potential(stars.position) + 0.5 * (stars.velocity**2).sum(axis=1)
    error = np.hypot(E.std() / np.sqrt(E.size), E.std() / np.sqrt(effective))
    assert abs(weight @ pool.integrals[0] - E.mean()) < 4 * error


def test_weights_of_all_stars_drawn_sum_to_one(pooled):
    everyone = replace(pooled, kept=np.arange(pooled.integrals.shape[1]))
    assert everyone.weights(SPLASH)[0].sum() == pytest.approx(1.0)


def test_pooled_chemistry_has_the_median_of_its_population(pooled):
    fe_h, _, _ = pooled.chemistry(SPLASH)
    assert np.median(fe_h) == pytest.approx(-0.57, abs=0.02)


def test_moving_nothing_leaves_a_population_as_it_is(scripts):
    moved = scripts["calibrate_mock"].moved(AURORA, {"fe": 0.0, "al_later": 0.0, "share": 0.0, "rise": 0.0})
    assert moved.share == AURORA.share
    assert moved.orbits == AURORA.orbits
    np.testing.assert_allclose(moved.chemistry.fe_h, AURORA.chemistry.fe_h)
    np.testing.assert_allclose(moved.chemistry.al_fe, AURORA.chemistry.al_fe)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_moved_quantiles_still_rise(low, high):
    moved = script("calibrate_mock", "benchmarks").moved(
        GSE, {"fe_low": 0.1 * low, "fe_high": 0.1 * high, "al_scatter": 0.02 * low}
    )
    assert (np.diff(np.array(moved.chemistry.fe_h), axis=0) > 0).all()
    assert moved.chemistry.al_scatter > 0


def test_a_written_population_is_read_again(scripts):
    from halonmf.halo.mock.model import Chemistry, Population, Spheroid

    script = scripts["calibrate_mock"]
    population = script.rounded(AURORA)
    names = {"Population": Population, "Spheroid": Spheroid, "Chemistry": Chemistry}
    again = eval(script.code(population), names)
    assert vars(again.orbits) == pytest.approx(vars(population.orbits))
    assert (again.share, again.chemistry) == (population.share, population.chemistry)


def test_bins_of_equal_counts_hold_equal_weights(scripts):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=5000), rng.exponential(size=5000)
    rows = scripts["mock_targets"].equal_counts(x, weight, 8)
    np.testing.assert_allclose(np.bincount(rows, weight), weight.sum() / 8, rtol=0.02)
    assert all(x[rows == i].max() <= x[rows == i + 1].min() for i in range(7))


def test_held_weights_are_those_of_non_negative_least_squares(scripts):
    rng = np.random.default_rng(1)
    H = rng.random((2, 40))
    V = np.array([[2, -1.5], [1, 3], [-1, 2]]) @ H + 0.1 * rng.random((3, 40))
    wanted = [nnls(H.T, v)[0] for v in V]
    np.testing.assert_allclose(scripts["mock_targets"].held(V, H), wanted, atol=1e-9)


def test_the_scripts_fit_is_that_of_the_package(scripts, stars_of_mock):
    """Every star weighing one, the script's fraction, percentiles and crossing are those of `fit` and `table1`."""
    from halonmf.halo.fits.fit import fit
    from halonmf.halo.fits.settings import FitSettings
    from halonmf.halo.products.table1 import table1

    stars, columns = stars_of_mock
    found = scripts["mock_targets"].of_paper(columns, np.ones(len(stars)))
    fitted = fit(stars, FitSettings.of(device="cpu"))
    table = table1(fitted)
    row = list(table.components).index("HE")
    assert found["HE"] == pytest.approx(fitted.mass_fractions[-1], abs=0.005)
    median = table.values[row, list(table.variables).index("AL_FE"), list(table.q).index(50)]
    assert found["HE AL_FE 50 %"] == pytest.approx(median, abs=0.005)


@pytest.fixture(scope="module")
def stars_of_mock():
    from halonmf.halo.mock.expected import expected

    stars = expected(30_000, seed=5, oversample=1)
    names = {"r": "r_sph", "R": "R_cyl", "z": "z_gal"} | {n: n for n in ("E", "Lz", "ecc", "FE_H", "AL_FE", "MG_FE")}
    columns = {n: np.asarray(getattr(stars[c], "value", stars[c]), float) for n, c in names.items()}
    columns["z"] = np.abs(columns["z"])
    # of retrograde stars the eccentricity is not known here, nor needed
    columns["ecc"] = np.where(np.isfinite(columns["ecc"]), columns["ecc"], 0.5)
    return stars, columns
