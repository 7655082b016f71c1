"""Products of replicates of weighted stars: those of the ordinary functions, in every unit of the weights."""

import numpy as np
import pytest

import nmfcore
from halonmf import halo
from halonmf.halo.errors import InputError
from halonmf.halo.fits.settings import Bootstrap
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.products.overview import PROFILES
from halonmf.halo.replicates.replicate import begin, reduce
from halonmf.halo.replicates.setup import Setup

from ..helpers.planted import SMALL, planted


@pytest.fixture(scope="module")
def table():
    stars, _ = planted(4000)
    rng = np.random.default_rng(7)
    # stars of low energy stand for three times as many
    stars["weight"] = rng.uniform(0.5, 1.5, len(stars)) * np.where(np.asarray(stars["E"]) < -1.7e5, 3.0, 1.0)
    stars["heavy"] = 1e3 * np.asarray(stars["weight"])
    stars["one"] = np.ones(len(stars))
    return stars


def setup(weights, **choices):
    own = {name: choices.pop(name) for name in ("edges", "scheme") if name in choices}
    return Setup(SMALL.replace(weights=weights, **choices), **own)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", "1.5"])
def test_products_of_the_base_are_those_of_the_ordinary_functions(table, loss):
    base = begin(table, setup("weight", loss=loss, pixels=12))
    made, found = halo.fit(table, base.setup.fit), base.products
    limits = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(found["mass_fraction"], made.mass_fractions, **limits)
    np.testing.assert_allclose(found["mean_energy"], made.mean_energy, **limits)
    for name in ("E", "Lz", "e"):
        line = halo.profile(made, table, parse_axes(PROFILES[name]))
        np.testing.assert_allclose(found[f"fraction_{name}"], line.application.fractions, **limits)
    np.testing.assert_allclose(found["boundary"], halo.boundary(made, table).E, rtol=1e-4)
    plain = begin(table, setup(None, loss=loss, pixels=12)).products
    assert found["mass_fraction"][0] > plain["mass_fraction"][0] + 0.05


@pytest.mark.parametrize("edges", ["fixed", "redrawn"])
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_replicates_do_not_depend_on_the_unit_of_weights_and_weights_of_one_change_nothing(table, loss, edges):
    def made(weights):
        return reduce(begin(table, setup(weights, loss=loss, edges=edges, pixels=12)), 0, 4)

    bare, one, weight, heavy = (made(weights) for weights in (None, "one", "weight", "heavy"))
    assert bare.keys() == one.keys() == weight.keys()
    for name in ("mass_fraction", "fraction_E", "percentile_FE_H", "boundary_number"):
        np.testing.assert_array_equal(bare[name], one[name], err_msg=name)
        np.testing.assert_allclose(heavy[name], weight[name], atol=1e-3, err_msg=name)
    assert abs(weight["mass_fraction"] - bare["mass_fraction"]).max() > 0.05


def test_a_replicate_of_weighted_stars_is_the_same_in_every_batch(table):
    base = begin(table, setup("weight", pixels=12))
    whole = reduce(base, 0, 9, keep_factors=True)
    part = reduce(base, 5, 3, keep_factors=True)
    for name, x in whole.items():
        np.testing.assert_array_equal(part[name], x[5:8], err_msg=name)


def test_a_replicate_fits_what_its_stars_count(table):
    base = begin(table, setup("weight", pixels=12))
    found = reduce(base, 0, 2, keep_factors=True)
    mixtures = base.fit.mixtures
    times = nmfcore.star_weights(mixtures.rows, replicates=2)
    for b in range(2):
        again = table[np.repeat(np.arange(len(table)), times[b])]
        V = halo.fit(again, base.setup.fit).mixtures.V  # in bins of its own
        assert V.sum() == pytest.approx((times[b] * np.asarray(table["weight"]) @ (mixtures.columns >= 0)).sum())
        modelled = found["W"][b] @ found["H"][b]
        assert modelled.sum() == pytest.approx(V.sum(), rel=0.1)


def test_a_boundary_of_weighted_stars_has_intervals(table):
    fit = halo.fit(table, SMALL.replace(weights="weight", pixels=12))
    line = halo.classifier(fit, table, bootstrap=Bootstrap(20))
    plain = halo.classifier(halo.fit(table, SMALL.replace(pixels=12)), table, bootstrap=Bootstrap(20))
    assert np.isfinite([line.offset.value, line.offset.lower, line.offset.upper]).all()
    assert line.offset.lower < line.offset.value < line.offset.upper
    assert abs(line.offset.value - plain.offset.value) < 0.1e5  # the transition is where it is


def test_bad_weights_are_refused_before_anything_is_drawn(table):
    bad = table.copy()
    bad["weight"][3] = np.nan
    with pytest.raises(InputError, match="1 of 4,000 stars have one that is not finite"):
        begin(bad, setup("weight"))
