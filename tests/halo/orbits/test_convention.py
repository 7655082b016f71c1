"""Energies of another potential, zero point or unit are told apart from those of McMillan (2017)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import InputError
from halonmf.halo.orbits.convention import NEAR, Convention, check_energies, circular_energy, own, same_energies, stated

REMEDY = "Do this."


def stars(n=200, seed=0):
    """Energies and angular momenta that orbits in McMillan (2017) can have."""
    rng = np.random.default_rng(seed)
    Lz = rng.uniform(-2500, 2500, n)
    return circular_energy(Lz) * rng.uniform(0.3, 1.0, n), Lz


@pytest.mark.filterwarnings("ignore:'where' used without 'out'")  # galpy's own
def test_the_circular_orbit_of_the_sun_is_galpys():
    galpy = pytest.importorskip("galpy.potential")
    from galpy.potential.mwpotentials import McMillan17

    speed = galpy.vcirc(McMillan17, 1.0, use_physical=False) * 233.1
    Lz = 8.21 * speed
    E = galpy.evaluatePotentials(McMillan17, 1.0, 0, use_physical=False) * 233.1**2 + 0.5 * speed**2
    assert circular_energy(np.array([Lz]))[0] == pytest.approx(E, rel=4e-3)  # galpy expands the discs in series


@given(st.floats(0, 5000), st.floats(1, 500))
def test_circular_orbits_of_more_angular_momentum_have_more_energy(Lz, more):
    low, high, mirrored = circular_energy(np.array([Lz, Lz + more, -Lz]))
    assert low < high
    assert low == mirrored


@given(st.integers(0, 1000))
def test_energies_that_orbits_can_have_pass(seed):
    check_energies(*stars(seed=seed), "stars.fits", REMEDY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda E, Lz: (E / 1e5, Lz), "not in km2 / s2"),
        (lambda E, Lz: (E / 100, Lz), "not in km2 / s2"),
        (lambda E, Lz: (E, Lz / 1e3), "not in kpc km / s"),
        (lambda E, Lz: (E - 0.3e5, Lz), "another potential or zero point"),
        (lambda E, Lz: (-E, Lz), "positive"),
    ],
)
def test_other_units_and_zero_points_are_refused_with_what_to_do(change, said):
    with pytest.raises(InputError, match=said) as error:
        check_energies(*change(*stars()), "stars.fits", REMEDY)
    assert str(error.value).startswith("stars.fits: ")
    assert str(error.value).endswith(REMEDY)


def test_missing_energies_are_no_fault():
    E, Lz = stars()
    E[::2] = np.nan
    check_energies(E, Lz, "stars.fits", REMEDY)
    check_energies(np.full(3, np.nan), Lz[:3], "stars.fits", REMEDY)


@pytest.mark.parametrize(
    ("meta", "potential"),
    [
        ({"convention": own().record()}, own().potential),
        ({"orbits": {"potential": "McMillan (2017)", "backend": "agama"}}, "McMillan (2017)"),
        ({"POTENTIAL": "MWPotential2014"}, "MWPotential2014"),
        ({"potential": "Irrgang (2013)"}, "Irrgang (2013)"),
    ],
)
def test_what_a_file_says_is_read(meta, potential):
    assert stated(meta).potential == potential


@pytest.mark.parametrize("meta", [{}, {"orbits": None}, {"convention": "mine"}])
def test_a_file_that_says_nothing_says_nothing(meta):
    assert stated(meta) is None


def test_the_record_of_a_convention_is_read_back():
    one = Convention("A (2020)", "Phi(200 kpc) = 0", "(-8, 0, 0) kpc")
    assert stated({"convention": one.record()}) == one


def test_the_median_difference_is_of_those_that_both_have():
    assert same_energies(np.array([1.0, 2.0, np.nan]), np.array([1.5, np.nan, 3.0])) == 0.5
    assert np.isnan(same_energies(np.array([np.nan]), np.array([1.0])))
    assert NEAR < 0.1e5
