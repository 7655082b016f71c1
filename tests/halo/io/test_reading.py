"""What is read must be a regular file, and what is printed of it one clean line."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.errors import InputError
from halonmf.halo.io.reading import LONGEST, check_file, cleaned


@pytest.mark.parametrize(
    ("kind", "says"),
    [("nothing", "no such file; make one"), ("folder", "is a directory"), ("pipe", "is a pipe or a device")],
)
def test_what_is_no_file_is_named(tmp_path, kind, says):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(InputError, match=says):
        check_file(path, "make one.")


def test_names_that_no_system_takes_are_an_error_of_one_line():
    for name in ("x" * 5000, "a\0b", "a\nb"):
        with pytest.raises(InputError) as caught:
            check_file(name)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 2 * LONGEST


def test_a_link_to_a_file_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert check_file(tmp_path / "link") == tmp_path / "link"


@given(st.text(max_size=2000))
def test_nothing_printed_can_move_a_cursor(text):
    line = cleaned(text)
    assert line == "" or line.isprintable()
    assert len(line) <= LONGEST


def test_words_stay_as_they_are():
    assert cleaned("NGC 104 \u00e9") == "NGC 104 \u00e9"
    assert cleaned("a\x1b[31mred\r\nb") == "a [31mred b"
