"""Requests that lead nowhere are refused in words, early, and without doing half of the work."""

import subprocess
import sys

import pytest

from .test_help import ok, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    stars = folder / "stars.fits"
    ok("mock", folder / "mock", "--stars", 6000, "--seed", 3, "-q")
    ok("prepare", *survey(folder), "-o", stars, "-q")
    ok("fit", stars, "-o", folder / "fit.h5", "--bins", "E:5,Lz:4", "--pixels", 20, "-q")
    return folder


def survey(folder):
    return *folder.glob("mock/allStar*"), *folder.glob("mock/apogee_astroNN*")


def test_a_column_to_keep_that_is_not_there_is_refused(made, tmp_path):
    result = run("prepare", *survey(made), "-o", tmp_path / "s.fits", "-q", "--keep", "STARFLGA")
    assert result.exit_code == 3
    assert "no column STARFLGA" in result.output
    assert not (tmp_path / "s.fits").exists()


@pytest.mark.parametrize("option", [("--keep", "SNR2"), ("--element", "SI_FE")])
def test_options_that_a_mapping_would_ignore_are_refused(made, tmp_path, option):
    mapping = tmp_path / "m.toml"
    mapping.touch()
    result = run("prepare", survey(made)[0], "--columns", mapping, "-o", tmp_path / "s.fits", *option)
    assert result.exit_code == 2
    assert "leave out --element, --keep" in result.output


def test_a_profile_of_poor_bins_does_not_say_that_nothing_crosses(made, tmp_path):
    result = run("apply", made / "fit.h5", made / "stars.fits", "-o", tmp_path / "p.ecsv", "--min-stars", 100_000)
    assert result.exit_code == 0, result.output
    assert "no crossings sought: 0 of 20 bins with 100000 stars" in result.output
    assert "never" not in result.output


def test_a_demo_without_its_device_makes_nothing(tmp_path):
    result = run("demo", tmp_path / "demo", "--stars", 300, "--device", "tpu")
    assert result.exit_code == 2
    assert "device must be" in result.output
    assert not (tmp_path / "demo").exists()


def test_a_mock_is_not_drawn_where_a_file_is_in_its_way(tmp_path):
    (tmp_path / "mock").touch()
    result = run("mock", tmp_path / "mock", "--stars", 300)
    assert result.exit_code == 5
    assert "is a file, expected a directory" in result.output
    assert "tables: done" not in result.output


def test_a_reader_that_leaves_is_no_internal_error(made):
    command = [sys.executable, "-c", "from halonmf.cli import main; main()", "info", str(made / "fit.h5")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()  # before anything is written
    said = process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
    assert "internal error" not in said
    assert "Traceback" not in said
