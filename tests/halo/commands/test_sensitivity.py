"""The commands sensitivity and recompute, and the refusal of every command to mix energies."""

import json

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.orbits.convention import own, stated

from ..helpers.planted import observed
from .test_help import ok, run

FIT = ("--bins", "E:3,Lz:3", "--pixels", 10, "--selection", "all")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conventions")
    table = observed(1200)
    table["APOGEE_ID"] = [f"2M{i:016d}" for i in range(len(table))]
    halo.save(folder / "stars.fits", halo.recompute(table, backend="builtin"))
    ok("recompute", folder / "stars.fits", "-o", folder / "mw14.fits", "--potential", "mwpotential2014", "-q")
    ok("fit", folder / "stars.fits", "-o", folder / "fit.h5", *FIT, "--device", "cpu", "-q")
    ok(
        "boundary",
        folder / "fit.h5",
        folder / "stars.fits",
        "-o",
        folder / "b.ecsv",
        "--bootstrap",
        0,
        "--grid",
        4,
        "-q",
    )
    return folder


def test_recompute_writes_a_catalogue_that_says_what_it_is_of(folder):
    made = halo.load(folder / "mw14.fits")
    assert made.convention == own("mwpotential2014")
    assert made.provenance["before"]["command"] == "recompute"
    assert made.table["E"].value.mean() > halo.load(folder / "stars.fits").table["E"].value.mean() + 0.4e5


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "fit.h5", "mw14.fits", "-o", "x.ecsv"),
        ("boundary", "fit.h5", "mw14.fits", "-o", "x.ecsv"),
        ("split", "fit.h5", "mw14.fits", "-o", "x"),
        ("members", "fit.h5", "mw14.fits", "-o", "x.fits"),
        ("eccentricity", "fit.h5", "mw14.fits", "-o", "x.ecsv"),
        ("plot", "fit.h5", "mw14.fits", "-o", "x"),
        ("classify", "mw14.fits", "--boundary", "b.ecsv", "-o", "x.ecsv"),
        ("sensitivity", "stars.fits", "mw14.fits", "-o", "x.ecsv"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_refuse_to_mix_energies(folder, tmp_path, arguments):
    made = [folder / x if (folder / x).is_file() else x for x in arguments]
    made[made.index("-o") + 1] = tmp_path / str(made[made.index("-o") + 1])
    result = run(*made)
    assert result.exit_code == 3
    assert "MWPotential2014" in result.output
    assert "ecompute" in result.output
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_classify_computes_energies_again_where_it_is_asked_to(folder, tmp_path):
    for name in ("stars.fits", "mw14.fits"):
        ok(
            "classify",
            folder / name,
            "--boundary",
            folder / "b.ecsv",
            "--recompute",
            "--line",
            "free",
            "-o",
            tmp_path / f"{name}.ecsv",
        )
    a, b = (halo.load(tmp_path / f"{name}.ecsv") for name in ("stars.fits", "mw14.fits"))
    assert stated(b.meta) == own()
    kept = np.isin(a["APOGEE_ID"], b["APOGEE_ID"])
    np.testing.assert_allclose(a["E"][kept], b["E"], rtol=1e-9)


def test_tables_of_commands_state_what_their_energies_are_of(folder, tmp_path):
    ok("apply", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "p.ecsv", "-q")
    ok("regions", folder / "stars.fits", "--selection", "all", "-o", tmp_path / "r.ecsv", "-q")
    ok("eccentricity", folder / "fit.h5", folder / "stars.fits", "-o", tmp_path / "e.ecsv", "-q")
    for name in ("p", "r", "e"):
        assert stated(halo.load(tmp_path / f"{name}.ecsv").meta) == own()
    assert stated(halo.load(folder / "b.ecsv").meta) == own()


def test_sensitivity_writes_table_figure_and_json(folder, tmp_path):
    output = ok(
        "sensitivity", folder / "stars.fits", "-o", tmp_path / "s.ecsv", *FIT, "--choice", "loss",
        "--choice", "distance scale", "--draws", 3, "--figure", tmp_path / "tornado", "--json",
    )  # fmt: skip
    said = json.loads(output)
    table = halo.load(tmp_path / "s.ecsv")
    assert said["base"]["accreted fraction"] == table["accreted_fraction"][0]
    assert table["choice"].tolist() == ["base", "distance scale", "distance scale", "loss", *["together"] * 3]
    assert set(said["ranges"]) == {"distance scale", "loss"}
    assert stated(table.meta) == own()
    assert table.meta["provenance"]["command"] == "sensitivity"
    for suffix in ("png", "pdf", "txt"):
        assert (tmp_path / f"tornado.{suffix}").stat().st_size > 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--astronn", "a.fits"), "go with --allstar"),
        (("--choice", "colour"), "no choice colour"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.fits").touch()  # what is not there at all is told of first
    result = run("sensitivity", folder / "stars.fits", "-o", tmp_path / "s.ecsv", *FIT, *arguments)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.slow
def test_with_the_surveys_files_the_flags_are_varied_too(tmp_path):
    ok("mock", tmp_path / "mock", "--stars", 6000, "--seed", 3, "--quiet")
    allstar, astronn = (next((tmp_path / "mock").glob(p)) for p in ("allStar*", "apogee_astroNN*"))
    members = tmp_path / "mock" / "members"
    ok("prepare", allstar, astronn, "--members", members, "-o", tmp_path / "stars.fits", "-q")
    found = halo.sensitivity(
        tmp_path / "stars.fits",
        settings=halo.FitSettings.of(bins="E:4,Lz:4", pixels=20, device="cpu"),
        survey=halo.SurveyFiles(allstar, astronn, members),
        choices=("flags", "log g", "distance limit", "cluster threshold"),
        draws=0,
    )
    rows = {(r.choice, r.name): r for r in found.alone}
    by_hand = halo.prepare(allstar, astronn, members, settings=halo.PrepareSettings(flags=False))
    fit = halo.fit(by_hand, bins="E:4,Lz:4", pixels=20, device="cpu")
    assert rows["flags", "not applied"].numbers["accreted fraction"] == pytest.approx(fit.accreted_fraction, rel=1e-9)
    assert rows["log g", "LOGG < 3.5"].numbers["stars"] > found.base.numbers["stars"]
    assert rows["distance limit", "distance < 15"].numbers["stars"] > found.base.numbers["stars"]
    assert rows["cluster threshold", "members kept"].numbers["stars"] >= found.base.numbers["stars"]
    assert not found.left_out


def test_stars_count_in_the_base_with_their_weights(folder, tmp_path):
    stars = halo.load(folder / "stars.fits")
    stars.table["W"] = np.where(stars.table["FE_H"] > -1, 3.0, 1.0)
    halo.save(tmp_path / "stars.fits", stars)
    found = []
    for weights in ((), ("--weights", "W")):
        common = (tmp_path / "stars.fits", *FIT, "--device", "cpu", "-q", "--overwrite", *weights)
        ok("fit", *common, "-o", tmp_path / "fit.h5")
        ok("sensitivity", *common, "-o", tmp_path / "s.ecsv", "--draws", 0, "--choice", "pixels")
        found.append(halo.load(tmp_path / "s.ecsv")["accreted_fraction"][0])
        assert found[-1] == pytest.approx(halo.load(tmp_path / "fit.h5").accreted_fraction, abs=1e-6)
    assert abs(found[1] - found[0]) > 1e-3
