"""Star particles: read in any layout, centred and turned, and their true fractions those of closed forms."""

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.mock.galaxy import HUBBLE, MockGalaxy, write_galaxy
from halonmf.halo.products.profile import profile_of
from halonmf.halo.simulations.fractions import simulate, unlikeness
from halonmf.halo.simulations.mapping import SHIPPED
from halonmf.halo.simulations.particles import Galaxy, read_galaxy

from ..helpers.planted import hand_made_application

DOCS = Path(__file__).parents[3] / "docs" / "simulations.md"
PLAIN = """
[galaxy]
centre = "origin"
axis = "z"
[columns]
position = ["x", "y", "z"]
velocity = ["vx", "vy", "vz"]
mass = { column = "m", unit = "1e5 Msun" }
fe_h = "feh"
accreted = "ex_situ"
"""


GALAXY = Galaxy("toy", Table(), 0, "flagged", np.zeros(3), np.array([0.0, 0.0, 1.0]), {})


def recipe(which=None, track="host_coordinates.hdf5"):
    """The mapping of FIRE-2 that comes with the package, or one of the document; of the mock all lies in one folder."""
    blocks = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    text = SHIPPED["fire2"].read_text() if which is None else blocks[which]
    return text.replace("../../track/host_coordinates.hdf5", track)


@pytest.fixture(scope="module")
def fire(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fire")
    snapshot, _ = write_galaxy(folder)
    (folder / "fire2.toml").write_text(recipe())
    return folder, snapshot, read_galaxy(snapshot, folder / "fire2.toml")


def plain(folder, suffix="ecsv", n=200, text=PLAIN, **columns):
    """A small table of particles with its mapping."""
    rng = np.random.default_rng(0)
    table = Table({name: rng.normal(0, 5, n) for name in ("x", "y", "z")})
    for name in ("vx", "vy", "vz"):
        table[name] = rng.normal(0, 100, n)
    table["m"], table["feh"] = np.full(n, 0.7), np.full(n, -1.5)
    table["ex_situ"] = (np.arange(n) % 4 == 0).astype(int)
    for name, value in columns.items():
        table[name] = value
    path, mapping = folder / f"galaxy.{suffix}", folder / "map.toml"
    table.write(path, overwrite=True)
    mapping.write_text(text)
    return path, mapping, table


# the FIRE-2 layout


def test_the_documents_recipe_reads_the_layout(fire):
    _, _, galaxy = fire
    truth = MockGalaxy()
    assert galaxy.name == "FIRE-2"
    assert len(galaxy.table) == galaxy.read == 60_000
    assert galaxy.table["accreted"].sum() == truth.n_accreted
    assert galaxy.table["mass"].sum().to_value(u.Msun) == pytest.approx(60_000 * truth.mass, rel=1e-5)
    assert galaxy.table["FE_H"].min() == pytest.approx(-2.5, abs=0.01)
    assert "30 kpc (comoving)" in galaxy.criterion


def test_the_centre_and_the_axis_are_found(fire):
    _, _, galaxy = fire
    truth = MockGalaxy()
    assert np.linalg.norm(galaxy.centre - truth.centre) < 0.15
    tilt = np.radians(truth.tilt)
    assert abs(galaxy.axis @ [0, -np.sin(tilt), np.cos(tilt)]) > np.cos(np.radians(2))
    disc = galaxy.table["FE_H"] > -0.7
    assert np.std(galaxy.table["z_gal"][disc].value) < 0.5
    assert abs(np.mean(galaxy.table["v_x"].value)) < 5


def test_the_disc_rotates_as_the_conventions_say(fire):
    _, _, galaxy = fire
    t = galaxy.table[galaxy.table["FE_H"] > -0.7]
    Lz = t["y"] * t["v_x"] - t["x"] * t["v_y"]
    assert np.median((Lz / t["R_cyl"]).to_value(u.km / u.s)) == pytest.approx(220, abs=8)


@pytest.mark.parametrize("variable", ["r", "z", "R"])
def test_fractions_are_those_of_the_closed_form(fire, variable):
    _, _, galaxy = fire
    profile = simulate(galaxy).profiles[variable]
    truth = MockGalaxy().accreted_fraction(variable, profile.bins.edges[0])
    np.testing.assert_allclose(profile.fractions.sum(axis=1), 1)
    pull = (profile.fractions[:, 1] - truth) / profile.error
    assert np.abs(pull).max() < 4.5  # the centre is known to 0.1 kpc
    assert np.sqrt(np.mean(pull**2)) < 2
    assert np.interp(profile.crossing[0], profile.centre, truth) == pytest.approx(0.5, abs=0.02)


def test_the_cut_takes_the_disc_away(fire):
    _, _, galaxy = fire
    truth = MockGalaxy()
    halo = simulate(galaxy)
    assert halo.cutflow.passed == truth.n_in_situ + truth.n_accreted
    everything = simulate(galaxy, max_fe_h=np.inf)
    assert everything.cutflow.passed == len(galaxy.table)
    assert everything.profiles["r"].fractions[0, 0] > halo.profiles["r"].fractions[0, 0]
    few = simulate(galaxy, cuts=["R<1"])
    assert few.cutflow.names == ("FE_H < -1.1", "R<1")


def test_the_limit_on_the_birth_distance_decides(fire):
    folder, snapshot, _ = fire
    other = folder / "wide.toml"
    other.write_text(recipe().replace("in_situ_within = 30", "in_situ_within = 1000"))
    assert read_galaxy(snapshot, other).table["accreted"].sum() == 0


def test_files_that_do_not_belong_together_are_refused(fire, tmp_path):
    folder, snapshot, _ = fire
    with pytest.raises(InputError, match="id and birth_id differ for"):
        read_galaxy(snapshot[::-1], folder / "fire2.toml")
    with pytest.raises(InputError, match="different numbers of particles"):
        read_galaxy(snapshot[0], folder / "fire2.toml")


def test_a_column_that_is_missing_is_named_with_what_is_there(fire):
    folder, snapshot, _ = fire
    other = folder / "bad.toml"
    other.write_text(recipe().replace("PartType4/Masses", "PartType4/Mass"))
    with pytest.raises(InputError, match=r"no 'PartType4/Mass', which .*bad\.toml names; found Coordinates, Masses"):
        read_galaxy(snapshot, other)
    other.write_text(recipe().replace("Header/HubbleParam", "Header/h"))
    with pytest.raises(InputError, match="no attribute 'Header/h' for hubble; found HubbleParam"):
        read_galaxy(snapshot, other)


@pytest.mark.parametrize("link", ["external", "soft"])
def test_links_out_of_a_file_are_refused(fire, tmp_path, link):
    folder, snapshot, _ = fire
    path = tmp_path / "evil.hdf5"
    with h5py.File(path, "w") as file:
        target = h5py.ExternalLink(str(snapshot[0]), "PartType4") if link == "external" else h5py.SoftLink("/x")
        file["PartType4"] = target
        file.create_group("Header").attrs["HubbleParam"] = HUBBLE
    with pytest.raises(InputError, match=r"evil\.hdf5"):
        read_galaxy(path, folder / "fire2.toml")


def test_a_mock_galaxy_is_not_overwritten_unasked(fire):
    folder, *_ = fire
    with pytest.raises(OutputError, match="exists already"):
        write_galaxy(folder)


def test_the_same_seed_gives_the_same_galaxy(tmp_path):
    small = MockGalaxy(n_disc=50, n_in_situ=50, n_accreted=50)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("a", "b"):
        write_galaxy(tmp_path / name, small, seed=4, blocks=1)
    with h5py.File(tmp_path / "a/snapshot_600.0.hdf5") as a, h5py.File(tmp_path / "b/snapshot_600.0.hdf5") as b:
        assert (a["PartType4/Coordinates"][()] == b["PartType4/Coordinates"][()]).all()


# tables


@pytest.mark.parametrize("suffix", ["ecsv", "fits"])
def test_plain_tables_are_read_by_the_documents_other_mapping(tmp_path, suffix):
    path, mapping, table = plain(tmp_path, suffix, text=recipe(0))
    galaxy = read_galaxy(path, mapping)
    np.testing.assert_allclose(
        galaxy.table["r_sph"].value, np.sqrt(table["x"] ** 2 + table["y"] ** 2 + table["z"] ** 2)
    )
    assert galaxy.table["mass"][0].to_value(u.Msun) == pytest.approx(7e4)
    assert galaxy.table["accreted"].sum() == 50
    assert galaxy.name == "my galaxy"


def test_a_files_own_units_are_used_and_contradictions_refused(tmp_path):
    path, mapping, table = plain(tmp_path)
    for name in ("x", "y", "z"):
        table[name] = table[name] * 1e3
        table[name].unit = "pc"
    table.write(path, overwrite=True)
    galaxy = read_galaxy(path, mapping)
    np.testing.assert_allclose(galaxy.table["z_gal"].to_value(u.kpc), table["z"] / 1e3)
    mapping.write_text(
        PLAIN.replace('position = ["x", "y", "z"]', 'position = { column = ["x", "y", "z"], unit = "kpc" }')
    )
    with pytest.raises(InputError, match="in kpc by the mapping, in pc by the file"):
        read_galaxy(path, mapping)
    mapping.write_text(PLAIN)
    table["z"].unit = "kpc"
    table.write(path, overwrite=True)
    with pytest.raises(InputError, match="columns in different units"):
        read_galaxy(path, mapping)


def test_flags_may_stand_in_a_text_file(tmp_path):
    path, mapping, _ = plain(tmp_path, text=PLAIN.replace('"ex_situ"', '{ column = "col1", file = "flag.txt" }'))
    (tmp_path / "flag.txt").write_text("# ex situ\n" + "1\n0\n" * 100)
    assert read_galaxy(path, mapping).table["accreted"].sum() == 100


def test_particles_that_lack_a_value_are_dropped_and_counted(tmp_path):
    feh = np.full(200, -1.5)
    feh[:3] = np.nan
    path, mapping, _ = plain(tmp_path, feh=feh)
    galaxy = read_galaxy(path, mapping)
    assert galaxy.dropped == 3
    assert simulate(galaxy).table().meta["particles_dropped"] == 3


def test_particles_without_iron_are_metal_poor(tmp_path):
    text = PLAIN.replace('fe_h = "feh"', 'iron = { column = "feh", solar = 1e-3 }')
    iron = np.full(200, 1e-4)
    iron[:2], iron[2] = 0.0, -1.0
    path, mapping, _ = plain(tmp_path, text=text, feh=iron)
    galaxy = read_galaxy(path, mapping)
    assert galaxy.table["FE_H"][0] == -10
    assert galaxy.table["FE_H"][5] == pytest.approx(-1)
    assert galaxy.dropped == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('mass = { column = "m", unit = "1e5 Msun" }', "", "must name mass"),
        ('fe_h = "feh"', "", "either fe_h or iron"),
        ('accreted = "ex_situ"', 'accreted = "ex_situ"\nbirth_distance = "x"', "either accreted or birth_distance"),
        ('fe_h = "feh"', 'iron = "feh"', "needs solar"),
        ('unit = "1e5 Msun"', 'unit = "kpc"', "mass: bad unit"),
        ('fe_h = "feh"', "fe_h = 3", "fe_h must be a column's name"),
        ('fe_h = "feh"', 'fe_h = { column = "feh", power = 2 }', "fe_h must have column"),
        ('fe_h = "feh"', 'fe_h = { column = "feh", index = 2 }', "no column 2 in data of shape"),
        ('fe_h = "feh"', 'fe_h = ["x", "y", "z"]', "fe_h must have one number per particle"),
        ('position = ["x", "y", "z"]', 'position = "x"', "position must have three numbers"),
        ('axis = "z"', 'axis = "up"', "axis must be"),
        ('centre = "origin"', 'centre = "there"', "centre must be"),
        ('centre = "origin"', "centre = [900, 0, 0]", "no particle within 10 kpc"),
        ('axis = "z"', "axis = [0, 0, 0]", "axis has no length"),
        ('axis = "z"', "turn = 3", "unknown turn"),
        ("[columns]", "[column]", "unknown column"),
        ("[galaxy]", "[galaxy", "is not TOML"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_told_so(tmp_path, old, new, said):
    path, mapping, _ = plain(tmp_path, text=PLAIN.replace(old, new))
    with pytest.raises(InputError, match=said):
        read_galaxy(path, mapping)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path, mapping, _ = plain(tmp_path)
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        read_galaxy(path, tmp_path / "none.toml")
    path.write_text("<html>")
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_galaxy(path, mapping)
    (tmp_path / "x.hdf5").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        read_galaxy(tmp_path / "x.hdf5", mapping)


# profiles


def test_masses_weigh_and_errors_are_those_of_poisson_numbers():
    rng = np.random.default_rng(5)
    found, errors = [], []
    for _ in range(300):
        n = rng.poisson(80)
        m = rng.choice([1.0, 3.0], n)
        table = Table({"r_sph": np.full(n, 3.0) * u.kpc, "FE_H": np.full(n, -2.0), "mass": m * u.Msun})
        table["accreted"] = rng.random(n) < 0.3
        profile = simulate(replace(GALAXY, table=table), ["r:1:2:14"]).profiles["r"]
        found.append(profile.fractions[0, 1])
        errors.append(profile.error[0])
    assert np.mean(found) == pytest.approx(0.3, abs=0.01)
    assert np.std(found) == pytest.approx(np.mean(errors), rel=0.15)


def test_profiles_need_regular_bins_and_particles(tmp_path):
    path, mapping, _ = plain(tmp_path)
    galaxy = read_galaxy(path, mapping)
    with pytest.raises(UsageError, match="regular bins, such as r:10:2:14"):
        simulate(galaxy, ["r:4"])
    with pytest.raises(InputError, match="none of 200 particles passes"):
        simulate(galaxy, max_fe_h=-3)
    with pytest.raises(UsageError, match="in kpc"):
        simulate(galaxy, ["FE_H:2:-2:0"]).table()


def test_the_table_has_a_row_per_bin_and_says_what_was_cut(fire):
    _, _, galaxy = fire
    result = simulate(galaxy)
    table = result.table()
    assert len(table) == 30
    assert list(dict.fromkeys(table["variable"])) == ["r", "z", "R"]
    np.testing.assert_allclose(table["fraction_in_situ"] + table["fraction_accreted"], 1)
    assert table.meta["cuts"] == ["FE_H < -1.1"]
    assert table.meta["crossings"]["r"] == list(result.profiles["r"].crossing)


def test_the_likest_galaxy_is_the_one_with_our_fractions(fire):
    _, _, galaxy = fire
    result = simulate(galaxy)
    same = hand_made_application(result.profiles["r"].fractions[:, 1], "r:10:2:14")
    other = hand_made_application(np.full(10, 0.9), "r:10:2:14")
    assert unlikeness(result.profiles["r"], profile_of(same)) == pytest.approx(0, abs=1e-12)
    assert unlikeness(result.profiles["r"], profile_of(other)) > 0.1
    with pytest.raises(UsageError, match="the same bins"):
        unlikeness(result.profiles["z"], profile_of(same))
