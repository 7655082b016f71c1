"""The sample that ships is what its script makes, says that it is a mock, and goes through the pipeline."""

import gzip
import importlib
import io
import pathlib
import sys
from importlib.resources import files

import pytest
from astropy.io import fits

from halonmf import halo
from halonmf.halo.archives.sample import BINS, PIXELS, SAMPLE_FILES, next_commands, write_sample
from halonmf.halo.errors import OutputError

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHIPPED = [files("halonmf.halo.archives") / name for name in SAMPLE_FILES]


def test_it_is_under_a_megabyte():
    assert sum(len(path.read_bytes()) for path in SHIPPED) < 1_000_000


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_it_says_that_it_is_a_mock(path):
    assert fits.getheader(path, 1)["MOCK"]


@pytest.fixture(scope="module")
def stars():
    return halo.sample()


def test_its_stars_have_orbits_and_chemistry(stars):
    assert len(stars) > 2_000
    assert {"E", "Lz", "FE_H", "AL_FE", "MG_FE"} <= set(stars.table.colnames)


def test_its_stars_are_enough_for_a_fit_in_the_bins_that_it_names(stars):
    fit = halo.fit(stars, bins=BINS, pixels=PIXELS)
    assert not fit.verdict.unsound
    low, high = fit.mass_fractions
    assert low == pytest.approx(0.64, abs=0.05)
    assert low + high == pytest.approx(1)


def test_writing_it_twice_keeps_it_and_another_file_is_not_replaced(tmp_path):
    paths = write_sample(tmp_path / "new")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in SHIPPED]
    before = [path.stat().st_mtime_ns for path in paths]
    write_sample(tmp_path / "new")
    assert [path.stat().st_mtime_ns for path in paths] == before
    paths[1].write_bytes(b"mine")
    with pytest.raises(OutputError, match="is not the sample's file"):
        write_sample(tmp_path / "new")


def test_paths_with_spaces_are_quoted():
    assert "'my data/mock-allStarLite" in next_commands(pathlib.Path("my data"))[0]


@pytest.mark.slow
def test_its_script_makes_the_same_files(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    sys.modules.pop("sample", None)
    made = importlib.import_module("sample").make()
    for path in SHIPPED:
        with fits.open(path) as ours, fits.open(io.BytesIO(gzip.decompress(made[path.name]))) as again:
            difference = fits.FITSDiff(ours, again, rtol=1e-5)
            assert difference.identical, difference.report()
