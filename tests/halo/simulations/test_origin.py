"""Origins of particles: the comoving rule of FIRE-2, its flag as text, lists joined by id, wind, filters."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import InputError
from halonmf.halo.mock.galaxy import MockGalaxy, write_galaxy
from halonmf.halo.simulations.mapping import SHIPPED
from halonmf.halo.simulations.origin import _rows, age
from halonmf.halo.simulations.particles import in_order, read_galaxy

PLAIN = """
[galaxy]
centre = "origin"
axis = "z"
[columns]
position = ["x", "y", "z"]
velocity = ["vx", "vy", "vz"]
mass = "m"
fe_h = "feh"
"""
SMALL = MockGalaxy(n_disc=2000, n_in_situ=1500, n_accreted=1000)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A mock in the folders of the FIRE-2 release, with its flag."""
    root = tmp_path_factory.mktemp("m12f")
    snapshot, track = root / "output" / "snapdir_600", root / "track"
    snapshot.mkdir(parents=True)
    track.mkdir()
    paths, formation = write_galaxy(snapshot, SMALL)
    formation.rename(track / formation.name)
    with h5py.File(track / formation.name) as file:
        born = np.linalg.norm(file["star.form.host.distance"][()], axis=1)
    a = []
    for path in paths:
        with h5py.File(path) as file:
            a.append(file["PartType4/StellarFormationTime"][()])
    flag = (born / np.concatenate(a) > 30).astype(int)
    (track / "star_exsitu_flag_600.txt").write_text("\n".join(map(str, flag)) + "\n")
    return root, paths, born


def particles(folder, n=100, **columns):
    rng = np.random.default_rng(3)
    table = Table({name: rng.normal(0, 4, n) for name in ("x", "y", "z")})
    for name in ("vx", "vy", "vz"):
        table[name] = rng.normal(0, 100, n)
    table["m"], table["feh"] = np.ones(n), np.full(n, -1.5)
    table["pid"] = np.arange(n) + 2**60
    for name, x in columns.items():
        table[name] = x
    table.write(folder / "p.fits", overwrite=True)
    return folder / "p.fits"


def read(folder, text, **columns):
    path = particles(folder, **columns)
    (folder / "map.toml").write_text(PLAIN + text)
    return read_galaxy(path, folder / "map.toml")


# FIRE-2


def test_the_shipped_mapping_reads_the_release_from_its_own_folders(release):
    _, paths, _ = release
    galaxy = read_galaxy(paths, "fire2")
    assert galaxy.table["accreted"].sum() == SMALL.n_accreted
    assert len(galaxy.table) == galaxy.read == 4500


def test_the_flag_of_the_release_and_the_rule_agree(release):
    root, paths, _ = release
    text = SHIPPED["fire2"].read_text()
    lines = [x for x in text.splitlines() if not x.startswith(("birth_distance", "birth_id", "frame"))]
    where = lines.index("[abundances]                 # aluminium is not among the elements")
    lines.insert(where, 'accreted = { column = "col1", file = "../../track/star_exsitu_flag_600.txt" }')
    (root / "flag.toml").write_text("\n".join(lines))
    by_flag, by_rule = read_galaxy(paths, root / "flag.toml"), read_galaxy(paths, "fire2")
    assert (by_flag.table["accreted"] == by_rule.table["accreted"]).all()


def test_a_physical_limit_calls_too_few_accreted(release):
    root, paths, born = release
    (root / "physical.toml").write_text(SHIPPED["fire2"].read_text().replace('"comoving"', '"physical"'))
    galaxy = read_galaxy(paths, root / "physical.toml")
    assert galaxy.table["accreted"].sum() == (born > 30).sum() < 0.95 * SMALL.n_accreted
    assert "30 kpc (physical)" in galaxy.criterion


@pytest.mark.parametrize(("distance", "accreted"), [(7.4, False), (7.6, True)])
def test_a_star_born_at_a_quarter_is_ex_situ_beyond_seven_and_a_half_kpc(tmp_path, distance, accreted):
    text = 'birth_distance = "d"\nformation = "a"\n'
    galaxy = read(tmp_path, text, d=np.full(100, distance), a=np.full(100, 0.25))
    assert galaxy.table["accreted"].all() == galaxy.table["accreted"].any() == accreted
    np.testing.assert_allclose(galaxy.table["birth_distance"], distance / 0.25)


# lists, as Auriga has them


def listed(folder, ids, flag, in_situ=()):
    with h5py.File(folder / "list.hdf5", "w") as file:
        file["Exsitu/ParticleIDs"], file["Exsitu/AccretedFlag"] = np.asarray(ids, dtype=np.uint64), flag
        file["Insitu/ParticleIDs"] = np.asarray(in_situ, dtype=np.uint64)


LIST = """accreted = {{ column = "Exsitu/AccretedFlag", file = "list.hdf5", on = "Exsitu/ParticleIDs", {} }}
id = "pid"
"""


def test_lists_are_joined_by_id_whatever_their_order(tmp_path):
    ids = 2**60 + np.array([70, 3, 12, 99])
    listed(tmp_path, ids, [0, 0, 1, 0])
    galaxy = read(tmp_path, LIST.format('equals = 0, others = "drop"'))
    assert sorted(galaxy.table["particle_id"][galaxy.table["accreted"]] - 2**60) == [3, 70, 99]
    assert 2**60 + 12 not in galaxy.table["particle_id"]
    assert galaxy.cutflow.removed[galaxy.cutflow.names.index("not Exsitu/AccretedFlag is another value")] == 1


def test_without_their_sense_flags_above_zero_are_accreted(tmp_path):
    listed(tmp_path, 2**60 + np.array([3, 12]), [0, 1])
    galaxy = read(tmp_path, LIST.format('unlisted = "in situ"'))
    assert list(galaxy.table["particle_id"][galaxy.table["accreted"]] - 2**60) == [12]


def test_particles_of_neither_list_are_left_out_and_counted(tmp_path):
    listed(tmp_path, 2**60 + np.array([3, 12]), [0, 0], in_situ=2**60 + np.arange(20, 60))
    galaxy = read(tmp_path, LIST.format('equals = 0, in_situ = "Insitu/ParticleIDs"'))
    assert len(galaxy.table) == 42
    assert galaxy.cutflow.removed[galaxy.cutflow.names.index("not in neither list")] == 58


def test_a_list_of_another_galaxy_is_refused(tmp_path):
    listed(tmp_path, [5, 6], [0, 0])
    with pytest.raises(InputError, match="none of 2 ids of Exsitu/ParticleIDs is among the 100 particles"):
        read(tmp_path, LIST.format("equals = 0"))


def test_ids_that_repeat_cannot_be_joined(tmp_path):
    listed(tmp_path, [7], [0])
    with pytest.raises(InputError, match="99 ids of particles repeat"):
        read(tmp_path, LIST.format("equals = 0"), pid=np.full(100, 7))


@given(st.lists(st.integers(2**53, 2**63 - 1), max_size=30), st.lists(st.integers(2**53, 2**63 - 1), max_size=30))
def test_rows_of_ids_are_those_of_a_dictionary(keys, ids):
    last = {key: i for i, key in enumerate(keys)}
    wanted = [last.get(i, -1) for i in [*ids, *keys]]
    assert list(_rows(np.array([*ids, *keys], dtype=np.uint64), np.array(keys, dtype=np.int64))) == wanted


# wind and filters


def test_wind_particles_are_dropped_and_counted(tmp_path):
    a = np.full(100, 0.5)
    a[:7] = [0, -0.5, -1, 0, 0, -0.1, -2]
    galaxy = read(tmp_path, 'accreted = "feh"\nformation = "a"\n', a=a)
    assert galaxy.cutflow.removed[0] == 7
    assert "wind" in galaxy.cutflow.names[0]
    assert "wind" in galaxy.describe()


def test_the_mappings_conditions_filter_and_say_what_they_removed(tmp_path):
    a = np.linspace(0.1, 1, 100)
    path = particles(tmp_path, a=a)
    text = PLAIN.replace("[galaxy]", '[galaxy]\nhubble = 0.7\nomega_matter = 0.3\nkeep = ["age > 10", "r < 5"]')
    (tmp_path / "map.toml").write_text(text + 'accreted = "feh"\nformation = "a"\n')
    galaxy = read_galaxy(path, tmp_path / "map.toml")
    old = FlatLambdaCDM(70, 0.3, Tcmb0=0).lookback_time(1 / a - 1).value > 10
    assert galaxy.cutflow.names[-2:] == ("age > 10", "r < 5")
    assert galaxy.cutflow.removed[-2] == (~old).sum()
    assert galaxy.cutflow.passed == len(galaxy.table) < old.sum()


def test_a_condition_that_nobody_meets_or_understands_is_named(tmp_path):
    for keep, said in (("r > 9000", "none of 100 particles meets r > 9000"), ("colour > 1", "unknown variable")):
        path = particles(tmp_path)
        (tmp_path / "map.toml").write_text(
            PLAIN.replace("[galaxy]", f'[galaxy]\nkeep = "{keep}"') + 'accreted = "feh"\n'
        )
        with pytest.raises(InputError, match=said):
            read_galaxy(path, tmp_path / "map.toml")


@given(st.floats(0.02, 1.0), st.floats(0.5, 0.9), st.floats(0.1, 0.6))
def test_ages_are_astropys(a, h, omega):
    wanted = FlatLambdaCDM(100 * h, omega, Tcmb0=0).lookback_time(1 / a - 1).value
    assert age(np.array([a]), h, omega)[0] == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_blocks_without_stars_are_passed_over(tmp_path):
    paths, _ = write_galaxy(tmp_path, SMALL)
    with h5py.File(tmp_path / "snapshot_600.9.hdf5", "w") as file:
        file.create_group("Header").attrs["HubbleParam"] = 0.702
    (tmp_path / "map.toml").write_text(SHIPPED["fire2"].read_text().replace("../../track/", ""))
    assert read_galaxy([*paths, tmp_path / "snapshot_600.9.hdf5"], tmp_path / "map.toml").read == 4500


def test_block_ten_follows_block_nine():
    names = [Path(f"snapshot_600.{i}.hdf5") for i in range(12)]
    assert in_order(sorted(names)) == names
