"""Orbits computed again: nothing changes where nothing is asked for, and what is asked for changes as it must."""

import numpy as np
import pytest
from astropy import units as u

from halonmf import halo
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.orbits.convention import own, stated
from halonmf.halo.orbits.frames import to_galactocentric
from halonmf.halo.orbits.kinematics import kinematics

from ..helpers.planted import observed


@pytest.fixture(scope="module")
def stars():
    return observed(150)


def test_the_same_orbits_are_found_again(stars):
    made = halo.recompute(stars, backend="builtin")
    np.testing.assert_allclose(made.table["E"].value, stars["E"].value, rtol=1e-9)
    np.testing.assert_allclose(made.table["ecc"], stars["ecc"], atol=1e-6)


@pytest.mark.parametrize("scale", [0.9, 1.1])
def test_other_distances_move_energies_as_positions_and_velocities_say(stars, scale):
    made = halo.recompute(stars, distance_scale=scale, backend="builtin")
    assert len(made) == len(stars)
    sky = (stars["RA"], stars["DEC"], stars["distance"] * scale)
    expected = kinematics(*to_galactocentric(*sky, stars["pmra"], stars["pmdec"], stars["radial_velocity"]))
    np.testing.assert_allclose(made.table["E"].value, expected["E"].value, rtol=1e-9)
    np.testing.assert_allclose(made.table["distance"].to_value(u.kpc), stars["distance"].to_value(u.kpc) * scale)


def test_a_column_of_distances_in_its_own_unit_is_the_same_as_a_scale(stars):
    table = stars.copy()
    table["other"] = (1.1 * table["distance"]).to(u.pc)
    column = halo.recompute(table, distance="other", backend="builtin")
    scale = halo.recompute(table, distance_scale=1.1, backend="builtin")
    np.testing.assert_allclose(column.table["E"].value, scale.table["E"].value, rtol=1e-9)


def test_stars_without_a_distance_in_the_column_are_left_out(stars):
    table = stars.copy()
    table["other"] = np.where(np.arange(len(table)) < 10, np.nan, table["distance"].value)
    assert len(halo.recompute(table, distance="other")) == len(stars) - 10


def test_the_other_potential_is_stated_in_the_table_its_file_and_its_header(stars, tmp_path):
    from astropy.io import fits

    table = stars.copy()
    table["APOGEE_ID"] = [f"2M{i:016d}" for i in range(len(table))]
    made = halo.recompute(table, potential="mwpotential2014")
    assert stated(made.table.meta) == made.convention == own("mwpotential2014")
    read = halo.load(halo.save(tmp_path / "stars.fits", made))
    assert read.convention == stated(read.table.meta) == own("mwpotential2014")
    header = fits.getheader(tmp_path / "stars.fits", "STARS")
    assert (header["POTENTL"], header["ZEROPNT"]) == ("MWPotential2014", "Phi(infinity) = 0")
    assert header["SUN"] == own().sun


def test_no_constant_would_have_converted(stars):
    made = halo.recompute(stars, potential="mwpotential2014")
    kept = np.isin(stars["RA"].value, made.table["RA"].value)
    moved = made.table["E"].value - stars["E"].value[kept]
    assert moved.std() > 1e3  # the depth of a potential differs from star to star


def test_eccentricities_of_orbits_are_those_of_integration(stars):
    few = stars[:20]
    made = halo.recompute(few, eccentricity="orbit", backend="builtin")
    position = np.stack([few[n] for n in ("x", "y", "z_gal")], axis=1)
    velocity = np.stack([few[n] for n in ("v_x", "v_y", "v_z")], axis=1)
    expected = kinematics(position, velocity, backend="builtin", eccentricity="orbit")
    np.testing.assert_allclose(made.table["ecc"], expected["ecc"], atol=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"distance": "mine"}, InputError, "no column 'mine' of distances"),
        ({"distance": "pmra"}, InputError, "no unit of distance"),
        ({"distance_scale": 0.0}, UsageError, "above 0"),
        ({"distance_scale": float("nan")}, UsageError, "above 0"),
        ({"potential": "mine"}, UsageError, "potential must be one of"),
    ],
)
def test_what_makes_no_sense_is_refused(stars, options, error, said):
    with pytest.raises(error, match=said):
        halo.recompute(stars, **options)


def test_stars_without_positions_are_refused(stars):
    table = stars["APOGEE_ID" if "APOGEE_ID" in stars.colnames else "E", "Lz", "FE_H"]
    with pytest.raises(InputError, match="nothing to compute orbits from"):
        halo.recompute(table)
