"""Zero points at the prompt: found, recorded, used by apply and boundary; refusals with what to do."""

import numpy as np
import pytest

import halonmf.halo as halo
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted
from .test_help import ok, run

FIT = ("--selection", "all", "--bins", "E:4", "--pixels", 16, "--device", "cpu", "-q")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two surveys of stars in common, and a fit of the first."""
    folder = tmp_path_factory.mktemp("surveys")
    true, _ = planted(5000)
    true["APOGEE_ID"] = [str(i) for i in range(len(true))]
    true["SOURCE_ID"] = np.arange(1, len(true) + 1)
    rng = np.random.default_rng(0)
    for name, offset in (("first", 0.0), ("second", 0.08)):
        table = true.copy()
        table["AL_FE"] = table["AL_FE"] + offset + rng.normal(0, 0.02, len(table))
        record = {"command": "prepare", "survey": name, "settings": {}}
        write_catalogue(folder / f"{name}.fits", table, CutFlow(len(table)), record)
    ok("fit", folder / "first.fits", "-o", folder / "fit.h5", *FIT)
    ok("zeropoints", folder / "first.fits", folder / "second.fits", "-o", folder / "zp.ecsv", "--bootstrap", 20, "-q")
    return folder


def applied(folder, output, *more):
    return ("apply", folder / "fit.h5", folder / "second.fits", "--by", "E:6", "-o", output, *more)


def test_zero_points_are_written_with_errors_and_surveys(folder):
    table = halo.load(folder / "zp.ecsv")
    row = dict(zip(table["abundance"], table, strict=True))["AL_FE"]
    assert abs(row["offset"].value - 0.08) < 5 * row["error"].value
    assert (table.meta["survey"], table.meta["scale"]) == ("second", "first")
    assert [one["name"] for one in table.meta["provenance"]["inputs"]] == ["first.fits", "second.fits"]


@pytest.mark.parametrize("command", ["apply", "boundary", "eccentricity"])
def test_across_surveys_a_fit_is_refused_and_both_are_named(folder, tmp_path, command):
    result = run(command, folder / "fit.h5", folder / "second.fits", "-o", tmp_path / "out.ecsv")
    assert result.exit_code == 2
    assert all(word in result.output for word in ("first", "second", "--zeropoints FILE", "--zeropoints none"))
    assert not (tmp_path / "out.ecsv").exists()


def test_memberships_across_surveys_are_refused_and_stars_that_were_moved_are_taken(folder, tmp_path):
    out = ("-o", tmp_path / "members.fits", "-q")
    assert "--moved" in run("members", folder / "fit.h5", folder / "second.fits", *out).output
    both = (folder / "first.fits", folder / "second.fits", "--moved", tmp_path / "moved.fits")
    ok("zeropoints", *both, "-o", tmp_path / "zp.ecsv", "--bootstrap", 20, "-q")
    ok("members", folder / "fit.h5", tmp_path / "moved.fits", *out)


def test_with_zero_points_the_profile_has_intervals_and_records_them(folder, tmp_path):
    ok(*applied(folder, tmp_path / "p.ecsv", "--zeropoints", folder / "zp.ecsv", "--draws", 10))
    table = halo.load(tmp_path / "p.ecsv")
    assert {"fraction_LE_low", "fraction_HE_high"} <= set(table.colnames)
    assert table.meta["zeropoints"]["draws"] == 10
    assert "zp.ecsv" in [one["name"] for one in table.meta["provenance"]["inputs"]]
    assert table.meta["provenance"]["settings"]["zeropoints"]["scale"] == "first"


def test_without_draws_there_are_no_intervals(folder, tmp_path):
    ok(*applied(folder, tmp_path / "p.ecsv", "--zeropoints", folder / "zp.ecsv", "--draws", 0))
    assert "fraction_LE_low" not in halo.load(tmp_path / "p.ecsv").colnames


def test_none_takes_the_abundances_as_they_are_and_is_recorded(folder, tmp_path):
    ok(*applied(folder, tmp_path / "p.ecsv", "--zeropoints", "none"))
    table = halo.load(tmp_path / "p.ecsv")
    assert table.meta["provenance"]["settings"]["zeropoints"] == "none"
    assert "zeropoints" not in table.meta


def test_moved_stars_need_no_zero_points_and_say_whose_scale_they_are_on(folder, tmp_path):
    files = folder / "first.fits", folder / "second.fits"
    ok("zeropoints", *files, "-o", tmp_path / "z.ecsv", "--bootstrap", 20, "--moved", tmp_path / "moved.fits", "-q")
    moved = halo.load(tmp_path / "moved.fits")
    assert (moved.provenance["survey"], moved.provenance["scale"]) == ("second", "first")
    ok("apply", folder / "fit.h5", tmp_path / "moved.fits", "--by", "E:6", "-o", tmp_path / "p.ecsv")
    ok(*applied(folder, tmp_path / "q.ecsv", "--zeropoints", tmp_path / "z.ecsv"))
    p, q = halo.load(tmp_path / "p.ecsv"), halo.load(tmp_path / "q.ecsv")
    assert np.asarray(p["fraction_HE"]) == pytest.approx(np.asarray(q["fraction_HE"]), abs=1e-6)


def test_a_fit_as_reference_finds_them_by_populations(folder, tmp_path):
    said = ok("zeropoints", folder / "fit.h5", folder / "second.fits", "-o", tmp_path / "z.ecsv", "--bootstrap", 4)
    assert "by populations" in said
    assert halo.load(tmp_path / "z.ecsv").meta["method"] == "populations"


def test_python_and_the_prompt_agree(folder):
    found = halo.zeropoints(folder / "first.fits", folder / "second.fits", bootstrap=20)
    assert np.array_equal(found.offset, halo.load(folder / "zp.ecsv")["offset"].value)
    profile = halo.profile(folder / "fit.h5", folder / "second.fits", "E:6", zeropoints=found)
    assert profile.application.zeropoints == found
    assert profile.application.interval()[0].shape == (6, 2)
