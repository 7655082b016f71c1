"""Weights of stars: what is read, what is refused, and the effective number."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.stars.weights import effective_number, weights_of


def test_a_column_is_read_as_it_is():
    assert weights_of(Table({"w": np.array([1, 0, 3])}), "w").tolist() == [1.0, 0.0, 3.0]
    assert weights_of(Table({"w": [1.0]}), None) is None


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([1.0, -2.0, 3.0], "1 of 3 stars have one that is negative .the first: -2."),
        ([1.0, np.nan, np.inf], "2 of 3 stars have one that is not finite"),
        ([0.0, 0.0, 0.0], "all of 3 are zero"),
        ([1e200, 0.0], "the largest is 1e.200; take other units"),
        ([1e-200, 0.0], "the largest is 1e-200; take other units"),
        (MaskedColumn([1.0, 2.0, 3.0], mask=[True, False, False]), "1 of 3 stars have one that is not finite"),
    ],
)
def test_weights_that_make_no_sense_are_refused(column, said):
    with pytest.raises(InputError, match=said):
        weights_of(Table({"w": column}), "w")


@pytest.mark.parametrize("column", ["absent", "name"])
def test_a_column_that_holds_no_numbers_is_refused(column):
    with pytest.raises(UsageError, match=f"weights {column}: "):
        weights_of(Table({"name": ["a", "b"]}), column)


@given(st.integers(1, 200), st.floats(1e-200, 1e200))
def test_equal_weights_leave_the_number_of_stars(number, weight):
    assert effective_number(np.full(number, weight)) == pytest.approx(number)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_the_effective_number_is_between_one_and_that_of_positive_weights(weights):
    found, positive = effective_number(np.array(weights)), int((np.array(weights) > 0).sum())
    assert min(1, positive) * (1 - 1e-12) <= found <= positive * (1 + 1e-12)
