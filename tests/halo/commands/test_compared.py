"""`halonmf compare` on files: what it prints, writes and refuses."""

import json

import pytest

import halonmf.halo as halo

from .test_commands import small  # noqa: F401 - a fixture
from .test_help import ok, run


@pytest.fixture(scope="module")
def pair(small, tmp_path_factory):  # noqa: F811
    """The small mock's stars, its fit, and one with fewer pixels."""
    folder, _ = small
    other = tmp_path_factory.mktemp("other") / "other.h5"
    ok("fit", folder / "stars.fits", "-o", other, "--bins", "E:5,Lz:4", "--pixels", 10)
    return folder / "stars.fits", folder / "fit.h5", other


def test_it_says_what_differs_and_by_how_much(pair, tmp_path):
    stars, a, b = pair
    said = ok("compare", a, b, stars, "-o", tmp_path / "c.ecsv", "--replicates", 20)
    assert "chemistry.pixels: 20 | 10" in said
    assert "the same draws of the same stars" in said
    table = halo.load(tmp_path / "c.ecsv")
    assert {"accreted fraction", "E at 50 %"} <= set(table["name"])
    assert [each["name"] for each in table.meta["provenance"]["inputs"]] == ["fit.h5", "other.h5", "stars.fits"]


def test_json_is_the_comparison_of_python(pair, tmp_path):
    stars, a, b = pair
    said = ok("compare", a, b, stars, "-o", tmp_path / "c.ecsv", "--replicates", 20, "--json")
    found = halo.compare(a, b, stars, replicates=20).record()
    assert {name: json.loads(said)[name] for name in found} == found


def test_the_figure_is_drawn_beside_the_table(pair, tmp_path):
    stars, a, b = pair
    ok("compare", a, b, stars, "-o", tmp_path / "c.ecsv", "--replicates", 20, "--figure", tmp_path / "c")
    assert (tmp_path / "c.png").stat().st_size > 10_000
    assert "chemistry.pixels" in (tmp_path / "c.txt").read_text()


def test_a_figure_without_stars_is_refused_before_anything_is_computed(pair, tmp_path):
    _, a, b = pair
    result = run("compare", a, b, "-o", tmp_path / "c.ecsv", "--figure", tmp_path / "c")
    assert result.exit_code == 2
    assert "STARS" in result.output
    assert not (tmp_path / "c.ecsv").exists()


def test_one_replicate_is_refused(pair, tmp_path):
    _, a, b = pair
    result = run("compare", a, b, "-o", tmp_path / "c.ecsv", "--replicates", 1)
    assert result.exit_code == 2
    assert "0, or 2 and more" in result.output
