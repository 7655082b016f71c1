"""Decimal values that lie on a pixel's edge belong to the pixel above it, whatever the precision that holds them."""

from fractions import Fraction

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import InputError
from halonmf.halo.mixtures.bins import columns_of, make_bins
from halonmf.halo.mixtures.settings import Chemistry, Plane

PLANE = Plane("AL_FE", "FE_H")


def pixels_of(hundredths, low, high, pixels, dtype):
    """Pixel of each value on the x axis as the package finds it, the range being in hundredths too."""
    ranges = {"FE_H": (low / 100, high / 100), "AL_FE": (-1.0, 1.0)}
    x = (np.asarray(hundredths) / 100).astype(dtype)
    columns = columns_of(Table({"FE_H": x, "AL_FE": np.zeros(len(x))}), Chemistry.of([PLANE], ranges, pixels))[:, 0]
    return np.where(columns >= 0, columns % pixels, -1)


def exactly(hundredths, low, high, pixels):
    """The same in whole numbers."""
    if not low <= hundredths <= high:
        return -1
    return min(Fraction((hundredths - low) * pixels, high - low).__floor__(), pixels - 1)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.integers(-300, 100), st.integers(5, 400), st.integers(1, 80), st.sampled_from([np.float32, np.float64]))
def test_two_decimals_fall_where_whole_numbers_say(low, width, pixels, dtype):
    high = low + width
    values = np.arange(low - 3, high + 4)
    expected = [exactly(int(x), low, high, pixels) for x in values]
    assert pixels_of(values, low, high, pixels, dtype).tolist() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("low", "high", "pixels"), [(-250, 70, 50), (-250, 70, 20), (-60, 60, 60), (-20, 50, 35)])
def test_two_decimals_of_the_usual_images(low, high, pixels, dtype):
    values = np.arange(low, high + 1)
    expected = [exactly(int(x), low, high, pixels) for x in values]
    assert pixels_of(values, low, high, pixels, dtype).tolist() == expected


def test_a_ratio_of_decimals_lies_on_its_edge():
    # [Mg/Mn] = 0.31 - 0.11, in single precision 0.19999999; 0.2 is an edge
    table = Table({"MG_FE": np.float32([0.31]), "MN_FE": np.float32([0.11]), "FE_H": np.float32([0.05])})
    chemistry = Chemistry.of([Plane("FE_H", "MG_MN")], {"MG_MN": (0.0, 1.0), "FE_H": (0.0, 1.0)}, 10)
    assert columns_of(table, chemistry).tolist() == [[2]]


def test_a_value_clearly_below_an_edge_stays_below():
    table = Table({"FE_H": [-2.18001, -2.17999], "AL_FE": [0.0, 0.0]})
    assert (columns_of(table, Chemistry.of([PLANE]))[:, 0] % 50).tolist() == [4, 5]


def test_equal_values_are_named_as_the_cause_of_bins_of_few_stars():
    table = Table({"E": np.repeat([-2e5, -1.5e5], [30, 10]), "Lz": np.arange(40.0)})
    with pytest.raises(InputError, match=r"30 of 40 stars have E = -200000, and equal values stay in one bin.*E:4:LOW"):
        make_bins(table, "E:4,Lz:3")
