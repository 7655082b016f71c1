"""Halves of a sample: whole stars, whole groups, and counts that add up to the sample's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nmfcore.halves import halves, split_units

from .problems import planted_stars


def alone(number):
    return np.arange(number), np.zeros(number, np.int64)


@given(number=st.integers(2, 60), strata=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_half_of_the_units_of_every_stratum_are_in_the_first_half(number, strata, seed):
    of_unit = np.arange(number) % strata
    for first in split_units(np.arange(number), of_unit, 3, seed):
        inside, outside = (np.bincount(of_unit[chosen], minlength=strata) for chosen in (first, ~first))
        assert (abs(inside - outside) <= 1).all()


@given(stars=st.integers(2, 60), groups=st.integers(2, 9), seed=st.integers(0, 2**32))
def test_stars_of_a_group_stay_together(stars, groups, seed):
    units = np.random.default_rng(seed).integers(0, groups, stars)
    for first in split_units(units, np.zeros(groups, np.int64), 3, seed):
        assert all(len(set(first[units == one])) <= 1 for one in range(groups))


def test_every_pair_of_stars_is_parted_equally_often():
    first = split_units(*alone(6), 4000, 0)
    together = (first[:, :, None] == first[:, None, :]).mean(axis=0)[np.triu_indices(6, 1)]
    # Two of six are in one half in 2 of 5 cases; five standard deviations.
    np.testing.assert_allclose(together, 0.4, atol=5 * np.sqrt(0.24 / 4000))


def test_an_odd_unit_goes_to_either_half():
    sizes = split_units(*alone(5), 200, 0).sum(axis=1)
    assert set(sizes) == {2, 3}
    assert 60 < (sizes == 2).sum() < 140


def test_a_split_depends_on_the_seed_and_its_own_number_alone():
    many = split_units(*alone(30), 8, 5)
    np.testing.assert_array_equal(split_units(*alone(30), 3, 5), many[:3])
    assert (split_units(*alone(30), 8, 6) != many).any()


def test_halves_add_up_to_the_sample_and_count_whole_stars():
    row, pixel, shape = planted_stars(2, 300, seed=1)
    pixel[::7, 1] = -1
    first = split_units(*alone(300), 4, 2)
    found = halves(row, pixel, shape, first)
    V = np.zeros((2, *shape))
    for half, chosen in enumerate((first[3], ~first[3])):
        inside = pixel[chosen] >= 0
        np.add.at(V[half], (np.repeat(row[chosen], 2).reshape(-1, 2)[inside], pixel[chosen][inside]), 1)
    np.testing.assert_array_equal(found.counts.to_dense([6, 7]), V)
    np.testing.assert_array_equal(found.n_stars[6], np.bincount(row[first[3]], minlength=shape[0]))


def test_each_half_is_the_others_other():
    row, pixel, shape = planted_stars(1, 50, seed=0)
    found = halves(row, pixel, shape, split_units(*alone(50), 2, 0))
    assert found.other.tolist() == [1, 0, 3, 2]
    filled = (found.n_stars > 0).all(axis=0)
    np.testing.assert_allclose((found.ratio * found.ratio[found.other])[:, filled], 1)
