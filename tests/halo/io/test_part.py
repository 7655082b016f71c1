"""Units of a file, before its table is read."""

import pytest
from astropy import units as u

from halonmf.halo.io.part import as_unit, same_unit


@pytest.mark.parametrize(("a", "b"), [("km2 / s2", "km^2 s^-2"), ("1e3 pc", "kpc"), ("mas yr-1", "mas / yr")])
def test_a_unit_is_the_same_however_it_is_written(a, b):
    assert same_unit(as_unit(a), as_unit(b))


@pytest.mark.parametrize(("a", "b"), [("pc", "kpc"), ("km / s", "kpc"), ("deg", "rad")])
def test_another_size_or_dimension_is_another_unit(a, b):
    assert not same_unit(u.Unit(a), u.Unit(b))


def test_a_unit_that_cannot_be_read_is_none_of_ours():
    assert not same_unit(as_unit("parsecs??"), u.pc)
