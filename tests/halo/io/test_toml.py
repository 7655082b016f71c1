"""TOML files are read whole and with suspicion, and every fault names the file."""

import pytest

from halonmf.halo.errors import InputError
from halonmf.halo.io import toml
from halonmf.halo.io.toml import read_toml


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert read_toml(tmp_path / "a.toml") == {"x": 1}


@pytest.mark.parametrize("content", [b"[a\n", b"x = \xff\n", b"x = 1\nx = 2\n"])
def test_what_is_not_toml_is_named_with_what_to_do(tmp_path, content):
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.toml: the mapping is not TOML \(.*\); see docs/here\.md\.$"):
        read_toml(tmp_path / "a.toml", "the mapping", "see docs/here.md")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml: no such file; check the path"):
        read_toml(tmp_path / "none.toml", "the mapping")
    with pytest.raises(InputError, match="is a directory, expected a file"):
        read_toml(tmp_path, "the mapping")


def test_a_file_that_is_far_too_large_is_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(toml, "LARGEST", 10)
    (tmp_path / "a.toml").write_text("x = 1 # much more\n")
    with pytest.raises(InputError, match="more than 10 bytes"):
        read_toml(tmp_path / "a.toml")


def test_brackets_without_end_are_a_fault_of_the_file(tmp_path):
    (tmp_path / "a.toml").write_text("x = " + "[" * 100_000)
    with pytest.raises(InputError, match="nested too deeply"):
        read_toml(tmp_path / "a.toml")
