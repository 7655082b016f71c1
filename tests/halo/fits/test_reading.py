"""Which components are read as accreted: the last one of up to three, a group of more, and what is read off it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.fits.apply import apply
from halonmf.halo.fits.reading import Reading, mean_abundance, read
from halonmf.halo.mixtures.settings import Chemistry, Plane
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.memberships import memberships
from halonmf.halo.products.profile import profile
from halonmf.halo.products.table1 import table1
from halonmf.halo.replicates.replicate import begin
from halonmf.halo.replicates.setup import Setup

from ..helpers.planted import SMALL, planted, planted_fit

ALUMINIUM = Chemistry((Plane("AL_FE", "FE_H"),), (("AL_FE", (-0.6, 0.6)), ("FE_H", (-2.5, 0.7))), 6)


def components(*al):
    """Components whose images lie in one row of pixels each, that of the given [Al/Fe]."""
    images = np.zeros((len(al), 6, 6))
    for j, x in enumerate(al):
        images[j, int((x + 0.6) / 0.2)] = 1 / 6
    return images.reshape(len(al), -1)


def names(k):
    return tuple(f"C{i + 1}" for i in range(k))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_up_to_three_the_last_component_alone_is_accreted(k):
    assert read(components(*[-0.3] * k), names(k), ALUMINIUM).accreted == (k - 1,)


def test_of_more_than_three_those_nearer_to_the_last_than_to_the_richest_in_aluminium_are_accreted():
    found = read(components(0.1, 0.3, -0.1, -0.3), names(4), ALUMINIUM)
    assert found.accreted == (2, 3)
    assert found.others == (0, 1)
    assert (found.label, found.label_of_others) == ("C3 + C4", "C1 + C2")


def test_the_last_component_is_accreted_whatever_its_aluminium():
    assert read(components(-0.3, -0.3, -0.1, 0.3), names(4), ALUMINIUM).accreted == (3,)


def test_without_an_image_of_aluminium_the_last_component_alone_is_accreted():
    chemistry = Chemistry((Plane("MG_FE", "FE_H"),), (("MG_FE", (-0.6, 0.6)), ("FE_H", (-2.5, 0.7))), 6)
    H = components(0.3, 0.3, -0.3, -0.3)
    assert mean_abundance(H, chemistry, "AL_FE") is None
    assert read(H, names(4), chemistry).accreted == (3,)


def test_the_mean_abundance_is_that_of_the_pixels():
    found = mean_abundance(components(-0.3, 0.1), ALUMINIUM, "AL_FE")
    assert found == pytest.approx([-0.3, 0.1])


@given(k=st.integers(2, 6), group=st.sets(st.integers(0, 5), min_size=1), seed=st.integers(0, 99))
def test_both_parts_make_up_the_whole(k, group, seed):
    rng = np.random.default_rng(seed)
    reading = Reading(names(k), tuple(j % k for j in group))
    W, H = rng.random((4, k)), rng.dirichlet(np.ones(7), k)
    assert reading.both(W).sum(axis=1) == pytest.approx(W.sum(axis=1))
    both, images = reading.merged(W, H)
    assert both.sum(axis=0) @ images == pytest.approx(W.sum(axis=0) @ H)
    assert images.sum(axis=1)[both.sum(axis=0) > 0] == pytest.approx(1)


def test_of_one_accreted_component_its_own_numbers_come_back_bit_for_bit():
    parts = np.random.default_rng(0).random((5, 3))
    assert np.array_equal(Reading(names(3)).of(parts), parts[:, 2])


# fits of more components than there are populations


@pytest.fixture(scope="module")
def many():
    """Five components of two populations by Kullback-Leibler, several of them accreted."""
    found = planted_fit("kullback-leibler", 5)
    assert len(found.reading.accreted) > 1
    return found


def test_the_group_finds_the_accreted_stars_that_its_last_component_alone_misses(many):
    _, high = planted()
    assert abs(many.accreted_fraction - high.mean()) < 0.05
    assert many.mass_fractions[-1] < high.mean() - 0.1


def test_a_profile_crosses_where_the_sum_of_the_group_does(many):
    found = profile(many, planted()[0], "E:10:-2.5e5:-1e5")
    group = list(many.reading.accreted)
    share = found.application.fractions[:, group].sum(axis=1)
    assert found.application.accreted_fractions == pytest.approx(share)
    (at,) = found.crossings[0].at
    centre = found.application.mixtures.bins.bounds[:, 0].mean(axis=-1)
    assert at == pytest.approx(np.interp(0.5, share, centre), abs=2000)
    assert at == pytest.approx(-1.7e5, abs=0.03e5)
    assert many.reading.label in found.describe()


def test_a_boundary_is_that_of_the_group(many):
    line = boundary(many, planted()[0], grid=5)
    good = np.isfinite(line.E)
    assert good.sum() >= 3
    assert np.abs(line.E[good] + 1.7e5).max() < 0.1e5


def test_the_probability_of_being_accreted_is_the_sum_over_the_group(many):
    found = memberships(many, planted()[0])
    group = list(many.reading.accreted)
    assert np.allclose(found.P_accreted, found.probability[:, group].sum(axis=1), equal_nan=True)
    assert np.nanmax(found.P_accreted) <= 1
    assert np.array_equal(found.table()["P_accreted"], found.P_accreted, equal_nan=True)


def test_table_1_has_the_group_first_with_the_sum_of_its_fractions(many):
    found = table1(many)
    assert found.components[0] == "accreted"
    assert found.components[1:] == many.names[::-1]
    assert found.describe().splitlines()[-1] == "5 components"
    group = [found.components.index(many.names[j]) for j in many.reading.accreted]
    assert found.fraction[0] == pytest.approx(found.fraction[group].sum())
    low, high = (f(found.values[group, 0, 1]) for f in (np.min, np.max))
    assert low <= found.values[0, 0, 1] <= high


def test_products_of_replicates_read_the_group_of_the_fit(many):
    base = begin(planted()[0], Setup(SMALL.replace(loss="kullback-leibler", components=5, pixels=12)))
    assert tuple(base.coordinates["accreted"]) == base.fit.reading.accreted
    one = profile(base.fit, planted()[0], "E:20:-2.5e5:-1e5")
    assert base.products["crossing_E"][0] == pytest.approx(one.crossings[0].at[0], rel=1e-4)
    assert base.products["accreted_fraction"] == pytest.approx(base.fit.accreted_fraction)


def test_the_merged_fit_describes_both_parts(many):
    found = many.merged
    assert found.names == ("in situ", "accreted")
    assert found.mass_fractions[1] == pytest.approx(many.accreted_fraction)
    assert found.mean_energy[0] < found.mean_energy[1]


def test_applications_carry_the_reading_of_their_fit(many):
    found = apply(many, planted()[0], "E:4:-2.5e5:-1e5")
    assert found.reading == many.reading
