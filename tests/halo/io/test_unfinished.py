"""Unfinished work in a folder: taken up where it is whole and of the same settings, refused where it is of others."""

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.io.unfinished import SETTINGS, Unfinished

RECORD = {"seed": 1, "fit": {"pixels": 20}}


def begun(folder, record=RECORD):
    work = Unfinished(folder)
    work.begin(record)
    return work


@pytest.fixture
def work(tmp_path):
    made = begun(tmp_path / "out.ecsv.partial")
    made.save(0, {"x": np.arange(3.0), "good": np.array([True, False, True])})
    made.save(3, {"x": np.array([3.0, np.nan]), "good": np.ones(2, bool)})
    return made


def test_what_was_saved_is_there_again_bit_for_bit(work):
    (first, one), (second, two) = begun(work.folder).load()
    assert (first, second) == (0, 3)
    np.testing.assert_array_equal(one["x"], [0, 1, 2])
    np.testing.assert_array_equal(one["good"], [True, False, True])
    np.testing.assert_array_equal(two["x"], [3, np.nan])


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path):
    work = begun(tmp_path / "none")
    assert not work.begun
    assert list(work.load()) == []
    assert list(tmp_path.iterdir()) == []


def test_work_with_other_settings_is_refused_by_their_names(work):
    with pytest.raises(UsageError, match=r"fit.pixels: 20 there, 30 here; seed: 1 there, 2 here"):
        begun(work.folder, {"seed": 2, "fit": {"pixels": 30}})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_range_with_any_byte_changed_is_missing_or_the_same(work, at, flip):
    path = sorted(work.folder.glob("*.h5"))[0]
    whole = path.read_bytes()
    place = int(at * len(whole))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
    found = dict(begun(work.folder).load())
    assert 3 in found
    if 0 in found:  # bytes of HDF5 that hold nothing
        np.testing.assert_array_equal(found[0]["x"], [0, 1, 2])
    path.write_bytes(whole)


def test_a_range_under_another_name_is_missing(work):
    path = sorted(work.folder.glob("*.h5"))[0]
    path.rename(path.with_name("0000006-0000003.h5"))
    assert [first for first, _ in begun(work.folder).load()] == [3]


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"halonmf": "unfinished", "layout": 99})])
def test_settings_that_cannot_be_read_are_refused_with_what_to_do(work, text):
    (work.folder / SETTINGS).write_text(text)
    with pytest.raises(InputError, match="begin again by removing the folder"):
        begun(work.folder)


@pytest.mark.parametrize("text", ["null", '"x"', "[" * 100_000, "1" * 5000, '{"halonmf": "unfinished", "layout": NaN}'])
def test_settings_of_any_other_content_are_refused_with_what_to_do(work, text):
    (work.folder / SETTINGS).write_text(text)
    with pytest.raises(InputError, match="begin again by removing the folder"):
        begun(work.folder)


def test_settings_that_are_a_pipe_are_refused_at_once(work):
    (work.folder / SETTINGS).unlink()
    os.mkfifo(work.folder / SETTINGS)
    with pytest.raises(InputError, match=r"cannot be read .*; begin again"):
        begun(work.folder)


@pytest.mark.parametrize("value", [None, [], {}, "20", float("nan"), -1, 2**70, True])
def test_settings_of_another_type_are_other_settings(work, value):
    said = json.loads((work.folder / SETTINGS).read_text())
    said["fit"]["pixels"] = value
    said["\x1b[2J"] = 1
    (work.folder / SETTINGS).write_text(json.dumps(said))
    with pytest.raises(UsageError, match=r"with other settings: fit\.pixels: .* there, 20 here") as caught:
        begun(work.folder)
    assert "\x1b" not in str(caught.value)


def test_a_range_of_another_work_is_missing_wherever_its_settings_went(work, tmp_path):
    other = begun(tmp_path / "other.partial", {**RECORD, "seed": 2})
    other.save(0, {"x": np.full(3, 7.0), "good": np.ones(3, bool)})
    name = sorted(path.name for path in work.folder.glob("*.h5"))[0]
    (other.folder / name).replace(work.folder / name)
    assert [first for first, _ in begun(work.folder).load()] == [3]
    (work.folder / SETTINGS).unlink()
    begun(work.folder, {**RECORD, "seed": 3}).save(9, {"x": np.zeros(1)})
    assert [first for first, _ in begun(work.folder, {**RECORD, "seed": 3}).load()] == [9]


def test_it_is_removed_with_what_a_killed_process_left(work):
    (work.folder / ".0000005-0000001.h5.host.00ff.tmp").touch()
    work.remove()
    assert not work.folder.exists()


def test_a_folder_of_anything_else_is_left_alone(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"it holds thesis\.tex"):
        Unfinished(mine)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        Unfinished(tmp_path / "file")
