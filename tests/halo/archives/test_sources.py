"""The names of what can be fetched: the list that ships is sound, and another one is checked."""

import re

import pytest

from halonmf.halo.archives.checksums import in_list
from halonmf.halo.archives.sources import ALGORITHMS, SAMPLE, SOURCES, chosen, read_sources
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.mock.settings import FILES

KNOWN = read_sources()


@pytest.mark.parametrize("name", KNOWN)
def test_what_ships_is_fetched_over_https_and_says_what_it_is(name):
    source = KNOWN[name]
    assert source.title
    assert source.cite
    assert source.terms
    assert source.about.startswith("https://")
    assert all(one.url.startswith("https://") for one in source.files)
    assert all(one.checksum or one.checksums for one in source.files), "nothing to check it by"


@pytest.mark.parametrize("name", KNOWN)
def test_the_next_command_names_every_file(name):
    source = KNOWN[name]
    assert {*re.findall(r"\{([^}]+)\}", source.next)} - {"members"} == {one.name for one in source.files}


@pytest.mark.parametrize(("name", "survey"), [("dr17", "apogee-dr17"), ("mwm-dr19", None), ("galah-dr4", None)])
def test_the_files_are_those_that_the_mock_has_in_the_layout_of_the_survey(name, survey):
    assert tuple(one.name for one in KNOWN[name].files) == FILES[survey or name]


def test_every_fact_of_the_list_says_where_it_is_from():
    before = ""
    for line in SOURCES.read_text().splitlines():
        if line.startswith("url ="):
            assert before.startswith("#"), line
        before = line


def test_a_name_that_is_not_known_is_answered_with_those_that_are():
    with pytest.raises(UsageError, match=f"'dr71': not known; names are {SAMPLE}, dr17, "):
        chosen(("dr71",), KNOWN)


def test_a_name_given_twice_counts_once():
    assert [one.name for one in chosen(("members", "dr17", "members"), KNOWN)] == ["members", "dr17"]


def test_names_of_ones_own_are_added_and_win(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[dr17]\ntitle = "mirror"\n[[dr17.files]]\nurl = "https://x.org/a%20b/c.fits"\n')
    found = read_sources(path)
    assert found["dr17"].files[0].name == "c.fits"
    assert found["members"] == KNOWN["members"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = 1", r"\[a\] has no \[\[a.files\]\]"),
        ("[a]\nfiles = []", r"\[a\] has no"),
        ("[a]\nfiles = [1]", "is no table"),
        ('[[a.files]]\nurl = "ftp://x/y"', "no address that begins with https"),
        ('[[a.files]]\nurl = "file:///etc/passwd"', "no address"),
        ('[[a.files]]\nurl = "https://x.org/"', "does not end in the name of a file"),
        ('[[a.files]]\nurl = "https://x.org/%2e%2e"', "does not end in the name of a file"),
        ('[[a.files]]\nurl = "https://x.org/a%2Fb"', "does not end in the name of a file"),
        ('[[a.files]]\nurl = "https://x.org/y"\nsize = -1', "expected a number of bytes"),
        ('[[a.files]]\nurl = "https://x.org/y"\nsize = true', "expected a number of bytes"),
        ('[[a.files]]\nurl = "https://x.org/y"\nchecksum = "sha1:12"', "expected ALGORITHM:HEX"),
        ('[[a.files]]\nurl = "https://x.org/y"\nchecksum = "crc:12345678"', "with one of md5, sha1"),
        ('[[a.files]]\nurl = 3', "expected text"),
        ('[a]\ntitle = "\\u001b[2J"\n[[a.files]]\nurl = "https://x.org/y"', "without control characters"),
        ('[["\\u001b[2J".files]]\nurl = "https://x.org/y"', "is no name in one line"),
        ("[a", "TOML"),
    ],
)  # fmt: skip
def test_a_list_with_a_fault_is_refused_with_the_fault(tmp_path, text, fault):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        read_sources(path)


@pytest.mark.parametrize("line", ["{} *dir/f.fits", "{}  f.fits", "{}  ./a/f.fits", "{} f.fits", "  {}  f.fits  "])
def test_lists_are_read_as_their_programs_write_them(line):
    digits = "aB" * (ALGORITHMS["sha1"] // 2)
    assert in_list(["# c", line.format(digits)], "f.fits", "sha1") == f"sha1:{digits.lower()}"


@pytest.mark.parametrize("line", ["{}  of.fits", "12  f.fits", "zz{}  f.fits", ""])
def test_lines_of_other_files_do_not_count(line):
    assert in_list([line.format("a" * 40)], "f.fits", "sha1") == ""
