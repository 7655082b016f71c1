"""Measurements scattered by their errors, and the orbits that follow from them."""

import numpy as np
import pytest
from astropy import units as u

from halonmf.halo.errors import UsageError
from halonmf.halo.orbits.kinematics import energy
from halonmf.halo.replicates.scatter import require_errors, scatter

from ..helpers.planted import observed, planted

ELEMENTS = ("FE_H", "AL_FE")


@pytest.fixture(scope="module")
def stars():
    return observed(600)


def test_measurements_scatter_by_their_errors(stars):
    found = scatter(stars, ELEMENTS, 0, 0)
    assert len(found) == len(stars)  # all of these stay bound
    for name, error in (
        *((name, f"{name}_ERR") for name in ELEMENTS),
        *((name, f"{name}_error") for name in ("distance", "pmra", "pmdec", "radial_velocity")),
    ):
        off = (np.asarray(found[name]) - np.asarray(stars[name])) / np.asarray(stars[error])
        assert abs(off.mean()) < 4 / np.sqrt(len(off)), name
        assert abs(off.std() - 1) < 0.15, name
    for name in ("RA", "DEC", "MG_FE"):  # nobody asked for the last to be scattered
        assert np.array_equal(np.asarray(found[name]), np.asarray(stars[name]))


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.6, 1.0])
def test_proper_motions_scatter_together_as_their_errors_do(stars, rho):
    some = stars.copy()
    some["pmra_pmdec_corr"] = rho
    found = scatter(some, ELEMENTS, 0, 0)
    off = [(np.asarray(found[name]) - some[name].value) / some[f"{name}_error"].value for name in ("pmra", "pmdec")]
    assert np.corrcoef(off)[0, 1] == pytest.approx(rho, abs=4 / np.sqrt(len(off[0])))
    assert np.std(off[1]) == pytest.approx(1, abs=0.15)


def test_unknown_correlations_change_nothing(stars):
    some = stars.copy()
    some["pmra_pmdec_corr"] = np.nan
    plain, found = (scatter(table, ELEMENTS, 0, 0) for table in (stars, some))
    assert np.array_equal(plain["pmdec"], found["pmdec"])


def test_a_correlation_with_an_unknown_error_changes_nothing(stars):
    some = stars.copy()
    some["pmra_error"] = np.nan
    some["pmra_pmdec_corr"] = 0.9
    found = scatter(some, ELEMENTS, 0, 0)
    off = (np.asarray(found["pmdec"]) - some["pmdec"].value) / some["pmdec_error"].value
    assert np.std(off) == pytest.approx(1, abs=0.15)
    assert np.array_equal(np.asarray(found["pmra"]), some["pmra"].value)


def test_orbits_are_those_of_the_scattered_measurements(stars):
    found = scatter(stars, ELEMENTS, 0, 1)
    x = np.stack([found[name] for name in ("x", "y", "z_gal")], axis=1) * u.kpc
    v = np.stack([found[name] for name in ("v_x", "v_y", "v_z")], axis=1) * (u.km / u.s)
    np.testing.assert_allclose(found["E"], energy(x, v).value, rtol=1e-12)
    np.testing.assert_allclose(found["Lz"], (x[:, 1] * v[:, 0] - x[:, 0] * v[:, 1]).value, rtol=1e-12)
    np.testing.assert_allclose(found["r_sph"], np.linalg.norm(x.value, axis=1), rtol=1e-12)
    assert np.std(np.asarray(found["E"]) - stars["E"].value) > 500


def test_the_table_itself_is_left_alone(stars):
    before = np.array(stars["FE_H"]), np.array(stars["E"])
    scatter(stars, ELEMENTS, 0, 0)
    assert np.array_equal(before[0], stars["FE_H"])
    assert np.array_equal(before[1], stars["E"].value)


def test_draws_are_named_by_seed_and_replicate(stars):
    one, same, other, seed = (scatter(stars, ELEMENTS, *name)["E"] for name in ((0, 3), (0, 3), (0, 4), (1, 3)))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, seed)


def test_a_star_without_an_error_keeps_its_measurement(stars):
    some = stars.copy()
    some["pmra_error"][:5], some["FE_H_ERR"][:5] = np.nan, np.nan
    found = scatter(some, ELEMENTS, 0, 0)
    assert np.array_equal(found["FE_H"][:5], some["FE_H"][:5])
    assert np.array_equal(np.asarray(found["pmra"][:5]), some["pmra"][:5].value)


def test_unbound_stars_are_left_out_and_distances_stay_positive(stars):
    wild = stars.copy()
    wild["distance_error"] = 10 * wild["distance"]
    found = scatter(wild, ELEMENTS, 0, 0)
    assert 0 < len(found) < len(wild)
    assert (found["E"] < 0).all()
    assert (found["distance"] > 0).all()


def test_errors_that_are_missing_are_named(stars):
    require_errors(stars, ELEMENTS)
    with pytest.raises(UsageError, match=r"have no RA, DEC, distance.*FE_H_ERR, AL_FE_ERR"):
        require_errors(planted(10)[0], ELEMENTS)
    empty = stars.copy()
    empty["pmdec_error"] = np.nan * u.mas / u.yr
    with pytest.raises(UsageError, match="have no pmdec_error"):
        require_errors(empty, ELEMENTS)
