import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Galactocentric, SkyCoord, galactocentric_frame_defaults

from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.orbits.frames import (
    SUN_POSITION,
    SUN_VELOCITY,
    galactocentric_frame,
    to_galactocentric,
    to_heliocentric,
)

MAS_YR = u.mas / u.yr
KM_S = u.km / u.s


def sky(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "ra": rng.uniform(0, 360, n) * u.deg,
        "dec": np.rad2deg(np.arcsin(rng.uniform(-1, 1, n))) * u.deg,
        "distance": rng.uniform(0.05, 10, n) * u.kpc,
        "pmra": rng.normal(0, 10, n) * MAS_YR,
        "pmdec": rng.normal(0, 10, n) * MAS_YR,
        "radial_velocity": rng.normal(0, 200, n) * KM_S,
    }


def test_agrees_with_astropy_to_1e_9():
    stars = sky()
    position, velocity = to_galactocentric(**stars)
    with galactocentric_frame_defaults.set("v4.0"):
        theirs = SkyCoord(
            ra=stars["ra"],
            dec=stars["dec"],
            distance=stars["distance"],
            pm_ra_cosdec=stars["pmra"],
            pm_dec=stars["pmdec"],
            radial_velocity=stars["radial_velocity"],
        ).transform_to(Galactocentric())
    np.testing.assert_allclose(position.to_value(u.kpc).T, theirs.cartesian.xyz.to_value(u.kpc), rtol=0, atol=1e-9)
    np.testing.assert_allclose(velocity.to_value(KM_S).T, theirs.velocity.d_xyz.to_value(KM_S), rtol=0, atol=1e-9)


def test_way_back_returns_what_went_in():
    stars = sky()
    back = to_heliocentric(*to_galactocentric(**stars))
    for name, value in stars.items():
        np.testing.assert_allclose(
            getattr(back, name).to_value(value.unit), value.value, rtol=0, atol=1e-8, err_msg=name
        )


def test_sun_is_where_the_conventions_put_it():
    here = {**sky(1), "distance": [1e-9] * u.kpc, "pmra": [0] * MAS_YR, "pmdec": [0] * MAS_YR}
    here["radial_velocity"] = [0] * KM_S
    position, velocity = to_galactocentric(**here)
    np.testing.assert_allclose(position[0].to_value(u.kpc), SUN_POSITION, atol=1e-8)
    np.testing.assert_allclose(velocity[0].to_value(KM_S), SUN_VELOCITY, atol=1e-8)


def test_astropys_global_frame_is_neither_used_nor_changed():
    stars = sky(5)
    with galactocentric_frame_defaults.set("pre-v4.0"):
        galactocentric_frame.cache_clear()
        position, _ = to_galactocentric(**stars)
        assert Galactocentric().galcen_distance == 8.3 * u.kpc
    np.testing.assert_array_equal(position, to_galactocentric(**stars)[0])
    assert galactocentric_frame().galcen_distance == 8.122 * u.kpc


def test_units_are_converted():
    stars = sky(5)
    other = {**stars, "ra": stars["ra"].to(u.hourangle), "distance": stars["distance"].to(u.pc)}
    np.testing.assert_allclose(to_galactocentric(**other)[0], to_galactocentric(**stars)[0], rtol=1e-12)


@pytest.mark.parametrize("name", ["ra", "distance", "radial_velocity"])
def test_number_without_units_is_refused(name):
    stars = sky(3)
    with pytest.raises(UsageError, match=f"{name} must be a Quantity"):
        to_galactocentric(**{**stars, name: stars[name].value})


def test_units_of_another_kind_are_refused():
    with pytest.raises(UsageError, match="pmra must be in units such as"):
        to_galactocentric(**{**sky(3), "pmra": [1, 2, 3] * KM_S})


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(UsageError, match="one length"):
        to_galactocentric(**{**sky(3), "dec": [1, 2] * u.deg})


@pytest.mark.parametrize("bad", [0.0, -9999.0])
def test_distance_that_is_not_positive_is_refused_with_its_row(bad):
    stars = sky(4)
    stars["distance"][2] = bad * u.kpc
    with pytest.raises(InputError, match=r"1 of 4 .* at row 2"):
        to_galactocentric(**stars)


def test_parsecs_called_kiloparsecs_are_refused():
    stars = sky(4)
    with pytest.raises(InputError, match="parsecs"):
        to_galactocentric(**{**stars, "distance": stars["distance"].value * 1000 * u.kpc})


def test_missing_distance_makes_its_row_nan_and_no_other():
    stars = sky(4)
    stars["distance"][1] = np.nan
    position, velocity = to_galactocentric(**stars)
    assert np.isnan(position[1]).all()
    assert np.isnan(velocity[1]).all()
    assert np.isfinite(position[[0, 2, 3]]).all()
    assert np.isfinite(velocity[[0, 2, 3]]).all()


def test_missing_motion_leaves_the_position():
    stars = sky(3)
    stars["pmra"][0] = np.nan
    position, velocity = to_galactocentric(**stars)
    assert np.isfinite(position).all()
    assert np.isnan(velocity[0]).all()


def test_nan_rows_stay_nan_on_the_way_back():
    position, velocity = to_galactocentric(**sky(3))
    position[1] = np.nan
    back = to_heliocentric(position, velocity)
    assert np.isnan(back.distance[1])
    assert np.isnan(back.pmra[1])
    assert np.isfinite(back.distance[[0, 2]]).all()


def test_big_endian_single_precision_is_read_as_its_value():
    stars = sky(3)
    swapped = {**stars, "pmra": u.Quantity(stars["pmra"].value.astype(">f4"), MAS_YR, dtype=">f4")}
    np.testing.assert_allclose(to_galactocentric(**swapped)[1], to_galactocentric(**stars)[1], rtol=1e-5)


def test_positions_must_have_three_components():
    with pytest.raises(UsageError, match=r"position must have shape \(N, 3\)"):
        to_heliocentric(np.zeros((4, 2)) * u.kpc, np.zeros((4, 3)) * KM_S)
