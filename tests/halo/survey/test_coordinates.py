"""Tables of clusters, streams and stars: found by their columns, held to one convention of energies."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from halonmf.halo.errors import InputError
from halonmf.halo.orbits.convention import UNKNOWN, Convention, circular_energy
from halonmf.halo.orbits.frames import to_galactocentric
from halonmf.halo.orbits.kinematics import angular_momentum, energy
from halonmf.halo.survey.coordinates import read_orbital


def sky(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return Table(
        {
            "name": [f"c{i}" for i in range(n)],
            "ra": rng.uniform(0, 360, n),
            "dec": rng.uniform(-80, 80, n),
            "dist": rng.uniform(2, 9, n),
            "pmra": rng.normal(0, 1, n),
            "pmdec": rng.normal(0, 1, n),
            "vlos": rng.normal(0, 60, n),
        }
    )


def orbit(table):
    kinds = (u.deg, u.deg, u.kpc, u.mas / u.yr, u.mas / u.yr, u.km / u.s)
    names = ("ra", "dec", "dist", "pmra", "pmdec", "vlos")
    x, v = to_galactocentric(*(np.asarray(table[name]) * kind for name, kind in zip(names, kinds, strict=True)))
    return energy(x, v).value, angular_momentum(x, v).value, x, v


def written(tmp_path, table, name="t.csv"):
    table.write(tmp_path / name)
    return tmp_path / name


def test_energies_are_computed_from_the_sky(tmp_path):
    table = sky()
    found = read_orbital(written(tmp_path, table))
    E, Lz, *_ = orbit(table)
    np.testing.assert_allclose(found.E, E, rtol=1e-9)
    np.testing.assert_allclose(found.Lz, Lz, rtol=1e-9)
    assert found.computed
    assert found.table.colnames == table.colnames


def test_energies_are_computed_from_the_galactocentric_frame(tmp_path):
    E, Lz, x, v = orbit(sky())
    names = ("x", "y", "z", "vx", "vy", "vz")
    table = Table(dict(zip(names, [*x.to_value("kpc").T, *v.to_value("km/s").T], strict=True)))
    found = read_orbital(written(tmp_path, table))
    np.testing.assert_allclose(found.E, E, rtol=1e-9)
    np.testing.assert_allclose(found.Lz, Lz, rtol=1e-9)


def test_units_of_columns_count(tmp_path):
    table = sky()
    table["dist"] = np.asarray(table["dist"]) * 1000 * u.pc
    found = read_orbital(written(tmp_path, table, "t.ecsv"))
    np.testing.assert_allclose(found.E, orbit(sky())[0], rtol=1e-9)


def test_a_comment_before_the_header_is_no_header(tmp_path):
    path = written(tmp_path, sky())
    path.write_text("# of my own, with a comma\n" + path.read_text())
    assert len(read_orbital(path).E) == 40


def test_columns_of_other_names_are_named_by_a_mapping(tmp_path):
    table = sky()
    table.rename_columns(["dist", "vlos"], ["far", "fast"])
    path = written(tmp_path, table)
    with pytest.raises(InputError, match="--columns"):
        read_orbital(path)
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        '[columns]\nra = "ra"\ndec = "dec"\ndistance = {column = "far", unit = "kpc"}\n'
        'pmra = "pmra"\npmdec = "pmdec"\nrv = "fast"\n'
    )
    np.testing.assert_allclose(read_orbital(path, mapping).E, orbit(sky())[0], rtol=1e-9)


def test_energies_that_agree_with_the_positions_are_taken_in_silence(tmp_path):
    table = sky()
    table["E"], table["Lz"] = orbit(table)[:2]
    found = read_orbital(written(tmp_path, table))
    assert not found.computed
    assert not found.warning


def test_energies_of_another_zero_point_are_refused_by_the_positions(tmp_path):
    table = sky()
    E, table["Lz"], *_ = orbit(table)
    table["E"] = E + 0.3e5
    path = written(tmp_path, table)
    with pytest.raises(InputError, match=r"\+3e\+04 km2 / s2 from those .* --recompute"):
        read_orbital(path)
    found = read_orbital(path, recompute=True)
    np.testing.assert_allclose(found.E, E, rtol=1e-9)


def test_a_stated_potential_must_be_the_boundarys(tmp_path):
    table = Table({"E": [-1.5e5, -1.4e5], "Lz": [300.0, 500.0]}, meta={"potential": "MWPotential2014"})
    path = written(tmp_path, table, "t.ecsv")
    with pytest.raises(InputError, match=r"MWPotential2014.*McMillan"):
        read_orbital(path)
    assert not read_orbital(path, convention=Convention("MWPotential2014")).warning


def test_bare_energies_are_taken_with_a_warning(tmp_path):
    Lz = np.linspace(-1500, 1500, 30)
    path = written(tmp_path, Table({"E": circular_energy(Lz) * 0.7, "Lz": Lz}))
    assert "does not say" in read_orbital(path).warning


def test_energies_that_no_position_can_be_held_to_are_taken_with_a_warning(tmp_path):
    table = sky()
    table["E"], table["Lz"] = orbit(table)[:2]
    table["dist"] = np.nan
    assert "does not say" in read_orbital(written(tmp_path, table, "t.ecsv")).warning


def test_bare_energies_below_every_orbit_are_refused(tmp_path):
    Lz = np.linspace(-1500, 1500, 30)
    path = written(tmp_path, Table({"E": circular_energy(Lz) - 0.3e5, "Lz": Lz}))
    with pytest.raises(InputError, match="another potential or zero point"):
        read_orbital(path)


def test_nothing_is_computed_for_a_boundary_of_unknown_energies(tmp_path):
    with pytest.raises(InputError, match="halonmf prepare"):
        read_orbital(written(tmp_path, sky()), convention=Convention("not stated", "not stated"))


def test_nothing_is_computed_from_nothing(tmp_path):
    with pytest.raises(InputError, match="nothing to compute"):
        read_orbital(written(tmp_path, Table({"E": [-1.5e5], "Lz": [300.0]})), recompute=True)


def test_the_capital_letter_of_the_energy_counts(tmp_path):
    with pytest.raises(InputError, match="no columns to place"):
        read_orbital(written(tmp_path, Table({"e": [0.5], "Lz": [300.0]})))


def test_distances_of_hundreds_without_a_unit_are_not_taken_for_kpc(tmp_path):
    table = sky()
    E, *_ = orbit(table)
    table["dist"] *= 1000
    with pytest.raises(InputError, match=r'state no unit.*column = "dist", unit = "pc"'):
        read_orbital(written(tmp_path, table))
    # what it says to do is enough
    pairs = ("ra", "dec", "pmra", "pmdec")
    lines = [*(f'{key} = "{key}"' for key in pairs), 'rv = "vlos"', 'distance = { column = "dist", unit = "pc" }']
    (tmp_path / "m.toml").write_text("\n".join(["[columns]", *lines]))
    np.testing.assert_allclose(read_orbital(tmp_path / "t.csv", tmp_path / "m.toml").E, E, rtol=1e-9)
    # in a file that states the unit nothing has to be said
    table["dist"].unit = "pc"
    np.testing.assert_allclose(read_orbital(written(tmp_path, table, "t.ecsv")).E, E, rtol=1e-9)


@pytest.mark.parametrize("header", ["E,Lz,E", "# made by hand\n\nE,Lz, E", '"E","Lz","E"'])
def test_two_columns_of_one_name_are_refused(tmp_path, header):
    (tmp_path / "t.csv").write_text(f"{header}\n-1.5e5,100,1\n")
    with pytest.raises(InputError, match="more than one column is called E"):
        read_orbital(tmp_path / "t.csv")


@pytest.mark.parametrize("of", ["E", "dist"])
def test_a_table_of_which_nothing_is_known_is_refused(tmp_path, of):
    table = sky()
    table["E"], table["Lz"], *_ = orbit(table)
    table[of] = np.nan
    path = written(tmp_path, table if of == "E" else table[[name for name in table.colnames if name not in "E Lz"]])
    with pytest.raises(InputError, match="none of its 40 rows"):
        read_orbital(path)


def test_a_file_of_no_known_format_is_refused_without_a_list_of_them(tmp_path):
    (tmp_path / "t.dat").write_text("E Lz\n-1.5e5 100\n")
    with pytest.raises(InputError, match="Format could not be identified") as caught:
        read_orbital(tmp_path / "t.dat")
    assert "Deprecated" not in str(caught.value)
    assert "expected FITS, ECSV, CSV" in str(caught.value)


def test_energies_of_a_boundary_that_states_no_convention_are_taken_with_a_warning(tmp_path):
    table = sky()
    table["E"], table["Lz"], *_ = orbit(table)
    found = read_orbital(written(tmp_path, table), convention=Convention(UNKNOWN, UNKNOWN))
    assert "the boundary's file does not say" in found.warning
    assert not found.computed


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv"):
        read_orbital(tmp_path / "none.csv")
