"""Numbers as they are printed."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.rounding import count, measured, number, of_bytes, percent, rounded_at, titled, unit_text
from halonmf.halo.units import ACTION, ENERGY

FINITE = st.floats(-1e12, 1e12, allow_nan=False).filter(lambda x: abs(x) > 1e-9)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (count(12979), "12,979"),
        (number(-170312.4, ENERGY), "-1.703e5"),
        (number(1994.76, ACTION), "1,995"),
        (number(12979.0), "12,979"),
        (number(0.40312), "0.4031"),
        (number(2.3e-7, digits=2), "2.3e-7"),
        (number(629.84, ENERGY, signed=True), "+629.8"),
        (number(9.9996), "10.00"),
        (number(-99996.0, ENERGY), "-1.000e5"),
        (number(0.0), "0.000"),
        (number(math.nan), "-"),
        (number(7.0842, "kpc", error=0.31), "7.08"),
        (measured(-170312.4, ENERGY, error=1234.0), "-1.703e5 +- 0.012e5 km2/s2"),
        (measured(-170312.4, ENERGY, error=86.0), "-1.70312e5 +- 0.00086e5 km2/s2"),
        (measured(-170312.4, ENERGY, interval=(-171900.0, -168800.0)), "-1.703e5 (-1.719e5 to -1.688e5) km2/s2"),
        (measured(1234.5, ACTION, error=120.0), "1,230 +- 120 kpc km/s"),
        (measured(0.0123, "dex", error=0.0996, signed=True), "+0.01 +- 0.10 dex"),
        (measured(0.40312, interval=(0.391, 0.417)), "0.403 (0.391 to 0.417)"),
        (measured(0.40312, interval=(math.nan, math.nan)), "0.4031"),
        (percent(0.3937), "39.4 %"),
        (of_bytes(999), "999 bytes"),
        (of_bytes(1_170_000_000), "1.17 GB"),
        (of_bytes(999_900_000), "1 GB"),
        (of_bytes(52_400), "52.4 kB"),
        (of_bytes(2.5e15), "2,500 TB"),
        (percent(0.3937, error=0.0042), "39.37 +- 0.42 %"),
        (unit_text("kpc km / s"), "kpc km/s"),
        (titled("E", ENERGY), "E [km2/s2]"),
        (titled("k", ""), "k"),
    ],
)
def test_numbers_are_written_in_one_style(said, expected):
    assert said == expected


@given(st.floats(1e-9, 1e9))
def test_two_digits_of_an_error_are_kept(error):
    decimals = rounded_at(error)
    shown = round(Decimal(error), decimals)
    assert 10 <= abs(shown.scaleb(decimals)) <= 100
    assert abs(float(shown) - error) <= 0.05 * error * (1 + 1e-9)


@given(FINITE, st.floats(1e-6, 1e6), st.sampled_from(["", ENERGY, "kpc"]))
def test_what_is_written_is_the_number_to_a_tenth_of_its_error(x, error, unit):
    text = number(x, unit, error=error)
    assert abs(float(text.replace(",", "")) - x) <= 0.05 * error * (1 + 1e-6) + 1e-9 * abs(x)
    assert "e+" not in text
    assert "e0" not in text


@given(FINITE, st.sampled_from(["", ENERGY, "kpc"]))
def test_four_digits_are_kept_without_an_error(x, unit):
    assert float(number(x, unit).replace(",", "")) == pytest.approx(x, rel=5.001e-4)


def test_no_error_rounds_nothing():
    assert rounded_at(math.nan) is None
    assert rounded_at(0.0) is None
