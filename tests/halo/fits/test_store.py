"""What is read from a fit's file is what was written, and could be a fit."""

import dataclasses
import re
import shutil

import h5py
import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.commands.contents import contents
from halonmf.halo.errors import InputError

from ..helpers.planted import planted


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    table, _ = planted(1500)
    path = tmp_path_factory.mktemp("fit") / "fit.h5"
    halo.save(path, halo.fit(table, bins="E:4", pixels=8, selection="all"))
    return path


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copy(made, tmp_path / "fit.h5")


NUMBERS = ["W", "H", "V", "n_stars", "rows", "columns", "bin_energy", "mean_energy", "edges_1", "fraction", "pixel_x"]


@pytest.mark.parametrize("name", NUMBERS)
def test_one_bit_of_any_number_is_noticed(copy, name):
    with h5py.File(copy, "a") as file:
        data = file[name][()]
        data.reshape(-1).view(np.uint8)[3] ^= 1
        file[name][...] = data
    with pytest.raises(InputError, match="another checksum than it should"):
        halo.load(copy)


@pytest.mark.parametrize("name", ["settings", "cutflow", "outcome", "provenance"])
def test_one_character_of_any_text_is_noticed(copy, name):
    with h5py.File(copy, "a") as file:
        file.attrs[name] = file.attrs[name].replace(": ", ":  ", 1)
    with pytest.raises(InputError, match="another checksum than it should"):
        halo.load(copy)


def test_flipped_bits_anywhere_in_the_file_change_no_number(made, tmp_path):
    whole, rng = made.read_bytes(), np.random.default_rng(5)
    right = halo.load(made)
    read = 0
    for place in rng.integers(len(whole) * 8, size=300):
        image = bytearray(whole)
        image[place // 8] ^= 1 << (place % 8)
        (tmp_path / "flipped.h5").write_bytes(image)
        try:
            found = halo.load(tmp_path / "flipped.h5")
        except InputError:
            continue
        read += 1
        for name in ("W", "H", "bin_energy", "mean_energy"):
            np.testing.assert_array_equal(getattr(found, name), getattr(right, name))
        np.testing.assert_array_equal(found.mixtures.V, right.mixtures.V)
        assert found.settings == right.settings
    assert read < 150  # what HDF5 leaves unused may change


def test_a_file_without_a_checksum_opens_and_is_called_unverified(copy):
    assert halo.load(copy).verified
    assert "unverified" not in contents(copy).describe()
    with h5py.File(copy, "a") as file:
        del file.attrs["sha256"]
    assert not halo.load(copy).verified
    assert "unverified: an earlier version wrote this file" in contents(copy).describe()


CHANGES = [
    ("W", lambda x: -x, "W has negative"),
    ("W", lambda x: x * np.nan, "W has negative or infinite entries or NaN"),
    ("H", lambda x: x / 0.0, "H has negative or infinite"),
    ("V", lambda x: x - 1, "V has negative"),
    ("edges_1", lambda x: x[::-1].copy(), "edges of bins"),
    ("edges_1", lambda x: np.where(x == x[0], np.nan, x), "edges of bins"),
    ("rows", lambda x: x + 4, "rows has numbers outside"),
    ("rows", lambda x: np.full_like(x, -1), "n_stars and rows do not agree"),
    ("columns", lambda x: x - 2, "columns has numbers outside"),
    ("columns", lambda x: x.astype(float), "columns has numbers outside"),
    ("mean_energy", lambda x: x * np.inf, "mean_energy is infinite"),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "change", "says"), CHANGES)
def test_numbers_that_no_fit_has_are_refused_also_without_a_checksum(copy, name, change, says):
    with h5py.File(copy, "a") as file:
        del file.attrs["sha256"]
        changed = change(file[name][()])
        del file[name]
        file[name] = changed
    with pytest.raises(InputError, match=re.escape(says)):
        halo.load(copy)


@pytest.mark.parametrize("what", ["nothing", "folder"])
def test_what_is_no_file_is_said_in_a_line(tmp_path, what):
    path = tmp_path / "fit.h5"
    if what == "folder":
        path.mkdir()
    with pytest.raises(InputError, match="no such file; make it" if what == "nothing" else "is a directory"):
        halo.load(path)


def test_a_fit_written_again_has_the_same_checksum(made, tmp_path):
    fit = halo.load(made)
    halo.save(tmp_path / "again.h5", dataclasses.replace(fit))
    with h5py.File(made) as one, h5py.File(tmp_path / "again.h5") as two:
        assert one.attrs["sha256"] == two.attrs["sha256"]
