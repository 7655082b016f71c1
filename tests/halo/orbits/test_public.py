"""Public catalogues' conventions are known by name, and none is taken for another."""

import itertools

import pytest

from halonmf.halo.errors import InputError
from halonmf.halo.orbits.convention import UNKNOWN, Convention, check_same, own
from halonmf.halo.orbits.public import PUBLIC, named


@pytest.mark.parametrize("name", PUBLIC)
def test_a_catalogue_is_known_by_its_name_however_it_is_written(name):
    assert named(name) == named(f" {name.upper()} ") == PUBLIC[name].convention


@pytest.mark.parametrize(("a", "b"), [*itertools.combinations([*PUBLIC, "mcmillan17", "mwpotential2014"], 2)])
def test_no_two_known_conventions_may_be_mixed(a, b):
    with pytest.raises(InputError, match="measured otherwise"):
        check_same(named(a), named(b))


@pytest.mark.parametrize("name", ["McMillan (2017)", "McMillan17", "mc-millan 17"])
def test_ours_is_known_too_and_may_be_used_with_ours(name):
    assert named(name).potential == own().potential
    check_same(named(name), own())


def test_another_sun_is_another_convention():
    with pytest.raises(InputError, match="the Sun at"):
        check_same(named("mcmillan17", sun="(-8.2, 0, 0) kpc"), own())


def test_what_is_not_stated_is_not_compared():
    check_same(None, own())
    check_same({}, own())
    check_same(own(), None)
    check_same(Convention(UNKNOWN, UNKNOWN), own())


def test_a_name_that_is_not_known_is_taken_as_it_is():
    assert named("Irrgang (2013)", "Phi(200 kpc) = 0") == Convention("Irrgang (2013)", "Phi(200 kpc) = 0", "")
    assert named("Irrgang (2013)").zero_point == UNKNOWN


def test_the_refusal_says_that_no_constant_converts():
    with pytest.raises(InputError, match=r"No constant converts them.*halonmf recompute"):
        check_same(named("astroNN"), own())


def test_every_known_one_has_a_source_and_units():
    assert all(one.source and one.energy and one.momentum and one.catalogue for one in PUBLIC.values())
