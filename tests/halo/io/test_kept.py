"""What files were made from: they are kept only where all of them are as they were written."""

import json
import os

import pytest

from halonmf.halo.io.kept import LIST, digest, remember, still_there


@pytest.fixture
def folder(tmp_path):
    files = [tmp_path / name for name in ("b.txt", "a.txt")]
    for path in files:
        path.write_text(path.name)
    remember(tmp_path, "numbers", files)
    return tmp_path


def test_files_are_still_there(folder):
    assert still_there(folder, "numbers") == [folder / "a.txt", folder / "b.txt"]


def test_another_source_has_none(folder):
    assert still_there(folder, "other numbers") == []


def test_a_changed_file_makes_all_of_them_stale(folder):
    (folder / "a.txt").write_text("b.txt")
    assert still_there(folder, "numbers") == []


def test_a_lost_file_makes_all_of_them_stale(folder):
    (folder / "a.txt").unlink()
    assert still_there(folder, "numbers") == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "[" * 100_000, "1" * 5000, json.dumps({"source": "numbers", "files": ["a.txt"]})],
    ids=range(7),
)
def test_a_list_that_cannot_be_read_is_no_list(folder, text):
    (folder / LIST).write_text(text)
    assert still_there(folder, "numbers") == []


@pytest.mark.parametrize("name", [LIST, "a.txt"])
def test_a_pipe_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert still_there(folder, "numbers") == []


def test_a_list_names_no_file_outside_its_folder(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "a.txt"
    outside.write_text("a.txt")
    record = json.loads((folder / LIST).read_text())
    record["files"] = {str(outside): record["files"]["a.txt"]}
    (folder / LIST).write_text(json.dumps(record))
    assert still_there(folder, "numbers") == [folder / "a.txt"]


def test_where_a_part_ends_counts():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")
