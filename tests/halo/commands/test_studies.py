"""The commands on sub-populations, memberships, simulations and checks: what they write, print and exit with."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import halonmf.halo as halo
from halonmf.halo.mock.galaxy import MockGalaxy, write_galaxy
from halonmf.halo.mock.two_populations import StellarHalo, TwoPopulations, write_two_populations
from halonmf.halo.simulations.mapping import SHIPPED
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from .test_help import ok, run

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small mock, prepared and fitted once."""
    folder = tmp_path_factory.mktemp("made")
    ok("mock", folder / "mock", "--stars", 12000, "--seed", 3, "-q")
    catalogues = (next((folder / "mock").glob(pattern)) for pattern in ("allStar*", "apogee_astroNN*"))
    ok("prepare", *catalogues, "-o", folder / "stars.fits", "-q")
    ok("fit", folder / "stars.fits", "-o", folder / "fit.h5", "--bins", "E:5,Lz:5", "--pixels", 25, "--device", "cpu")
    return folder


def test_members_is_a_catalogue_that_cuts_select_from(made, tmp_path):
    said = ok("members", made / "fit.h5", made / "stars.fits", "-o", tmp_path / "m.fits", "--truth",
              made / "mock" / "truth.fits", "--figure", tmp_path / "reliability")  # fmt: skip
    catalogue = halo.load(tmp_path / "m.fits")
    assert {"P_LE", "P_HE", "bin", "images"} <= set(catalogue.table.colnames)
    assert catalogue.provenance["command"] == "members"
    assert [item["name"] for item in catalogue.provenance["inputs"]] == ["fit.h5", "stars.fits", "truth.fits"]
    brier, base = (
        float(x) for x in re.search(r"Brier score ([\d.]+) \(one probability for all: ([\d.]+)\)", said).groups()
    )
    assert brier < 0.4 * base
    assert sorted(path.name for path in tmp_path.glob("reliability.*")) == [
        f"reliability.{x}" for x in ("pdf", "png", "txt")
    ]
    ok(
        "apply",
        made / "fit.h5",
        tmp_path / "m.fits",
        "--cut",
        "P_HE>0.5",
        "--by",
        "E:4:-2.5e5:-1e5",
        "-o",
        tmp_path / "p.ecsv",
    )
    picked = halo.load(tmp_path / "p.ecsv").meta["stars"]
    assert picked == (catalogue.table["P_HE"] > 0.5).sum()
    assert "prepared catalogue" in ok("info", tmp_path / "m.fits")


def test_a_figure_of_reliability_needs_the_truth(made, tmp_path):
    result = run("members", made / "fit.h5", made / "stars.fits", "-o", tmp_path / "m.fits", "--figure", tmp_path / "r")
    assert result.exit_code == 2
    assert "give --truth too" in result.output
    assert not list(tmp_path.iterdir())


def test_regions_says_which_is_nearest_and_takes_a_file(made, tmp_path):
    said = ok("regions", made / "stars.fits", "-o", tmp_path / "r.ecsv")
    table = halo.load(tmp_path / "r.ecsv")
    assert f"most like Eos: {table.meta['nearest']}" in said
    assert len(table) == 10
    (tmp_path / "mine.toml").write_text('[poor]\ncut = "FE_H < -1"\n[rich]\ncut = "FE_H > -0.5"\n')
    said = ok(
        "regions",
        made / "stars.fits",
        "--regions",
        tmp_path / "mine.toml",
        "--reference",
        "poor",
        "-o",
        tmp_path / "s.ecsv",
    )
    assert "most like poor: rich" in said
    assert halo.load(tmp_path / "s.ecsv").meta["provenance"]["settings"]["regions"]["rich"]["cut"] == "FE_H > -0.5"
    assert run("regions", made / "stars.fits", "--reference", "Eros", "-o", tmp_path / "t.ecsv").exit_code == 2


def test_bifurcation_writes_three_tables(made, tmp_path):
    said = ok("bifurcation", made / "stars.fits", "-o", tmp_path / "b.ecsv", "--region", "none", "--draws", 50)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b-pixels.ecsv", "b-scan.ecsv", "b.ecsv"]
    table = halo.load(tmp_path / "b.ecsv")
    assert table.meta["region"] == "none"
    assert f"of {len(halo.load(tmp_path / 'b-scan.ecsv'))} properties" in said
    before = (tmp_path / "b.ecsv").read_bytes()
    (tmp_path / "b.ecsv").unlink()
    again = run("bifurcation", made / "stars.fits", "-o", tmp_path / "b.ecsv")
    assert again.exit_code == 5  # its companions are there: nothing is computed
    assert not (tmp_path / "b.ecsv").exists()
    assert before


def test_aurora_takes_a_component_by_name(made, tmp_path):
    said = ok("aurora", made / "fit.h5", made / "stars.fits", "-o", tmp_path / "a.ecsv", "--component", "LE",
              "--iterations", 20, "--boundary-of", made / "fit.h5", "--figure", tmp_path / "a")  # fmt: skip
    table = halo.load(tmp_path / "a.ecsv")
    assert len(table) == 25
    assert f"{table['n_stars'].sum():,} stars of the branch" in said
    assert "Lines: the boundary" in (tmp_path / "a.txt").read_text()
    result = run("aurora", made / "fit.h5", made / "stars.fits", "-o", tmp_path / "x.ecsv", "--component", "LE3")
    assert result.exit_code == 2
    assert "no component 'LE3'; the fit has LE, HE" in result.output


def test_stability_prints_a_line_per_change(made, tmp_path):
    said = ok("stability", made / "stars.fits", "-o", tmp_path / "s.ecsv", "--bins", "E:4,Lz:4", "--pixels", 15,
              "--starts", 2, "--vary-bins", "4:5", "--vary-pixels", "10:20:10")  # fmt: skip
    assert re.search(r"^start +2 +2 ", said, re.MULTILINE)
    table = halo.load(tmp_path / "s.ecsv")
    assert table["value"].tolist() == [1, 2, 4, 5, 10, 20]
    assert run("stability", made / "stars.fits", "--vary-bins", "4-5", "-o", tmp_path / "t.ecsv").exit_code == 2


def test_injection_takes_a_stream_of_ones_own(made, tmp_path):
    said = ok("injection", made / "stars.fits", "-o", tmp_path / "i.ecsv", "--bins", "E:5,Lz:5", "--pixels", 20,
              "--abundance", "FE_H:-1.5", "--abundance", "AL_FE:0.4", "--abundance", "MG_FE:0.0", "--orbit", "-1.7e5:0",
              "--widths", "0.1,0.5", "--numbers", "20,1500", "--repeats", 2, "--figure", tmp_path / "i")  # fmt: skip
    table = halo.load(tmp_path / "i.ecsv")
    assert table.meta["stream"]["AL_FE"] == 0.4
    assert table["found"][1] == 1
    assert "narrowest found" in said
    assert run("injection", made / "stars.fits", "--abundance", "FE_H", "-o", tmp_path / "j.ecsv").exit_code == 2


def test_rank_prints_the_choice_and_writes_a_row_per_number(made, tmp_path):
    asked = ("rank", made / "stars.fits", "-o", tmp_path / "rank.ecsv", "--bins", "E:4,Lz:4", "--pixels", 12,
             "--splits", 3, "--max-components", 3, "--starts", 2)  # fmt: skip
    said = ok(*asked, "--figure", tmp_path / "rank")
    table = halo.load(tmp_path / "rank.ecsv")
    assert table["k"].tolist() == [1, 2, 3]
    assert f"{table.meta['choice']} components by squared error (best for" in said
    assert table.meta["provenance"]["settings"]["splits"] == 3
    assert "squared error" in (tmp_path / "rank.txt").read_text()
    printed = json.loads(ok(*asked, "--json", "--overwrite", "--loss", "kullback-leibler").splitlines()[-1])
    assert printed["choice"] == printed["choices"]["kullback-leibler"]
    assert [row["k"] for row in printed["rows"]] == [1, 2, 3]
    assert ok(*asked, "--overwrite", "-q").count("\n") == 1


def test_rank_refuses_what_the_stars_do_not_have(made, tmp_path):
    refused = run("rank", made / "stars.fits", "-o", tmp_path / "r.ecsv", "--by", "field")
    assert refused.exit_code == 2
    assert "--keep FIELD" in refused.output
    few = run("rank", made / "stars.fits", "-o", tmp_path / "r.ecsv", "--bins", "E:2", "--max-components", 3)
    assert few.exit_code == 3
    assert "fewer components" in few.output


def test_simulation_reads_blocks_by_the_mapping_of_the_release(tmp_path):
    paths, _ = write_galaxy(tmp_path, MockGalaxy(n_disc=2000, n_in_situ=3000, n_accreted=3000))
    recipe = SHIPPED["fire2"].read_text().replace("../../track/", "").replace('"FIRE-2"', '"m12f"')
    (tmp_path / "fire2.toml").write_text(recipe)
    said = ok("simulation", *paths, "--columns", tmp_path / "fire2.toml", "-o", tmp_path / "s.ecsv", "--by", "r:6:2:14",
              "--figure", tmp_path / "s")  # fmt: skip
    table = halo.load(tmp_path / "s.ecsv")
    assert f"m12f: half of the mass accreted at r = {table.meta['crossings']['r'][0]:.3g} kpc" in said
    truth = MockGalaxy(n_in_situ=3000, n_accreted=3000).accreted_fraction("r", np.linspace(2, 14, 7))
    np.testing.assert_allclose(table["fraction_accreted"], truth, atol=0.08)
    assert table.meta["provenance"]["settings"]["mapping"]["galaxy"]["name"] == "m12f"
    assert run("simulation", paths[0], "--columns", tmp_path / "fire2.toml", "-o", tmp_path / "t.ecsv").exit_code == 3


def test_observe_leaves_stars_a_fit_and_its_score(tmp_path):
    model = TwoPopulations(
        StellarHalo(5000, 2.5, np.inf, -0.9, 0.4, -0.9, 0.34, -0.2),
        StellarHalo(4000, 9.0, 12.0, -1.3, 0.4, -1.8, 0.32, -0.2), 3000, 20_000, 1000,
    )  # fmt: skip
    paths, _ = write_two_populations(tmp_path / "m12x", model)
    made = tmp_path / "observed"
    said = ok("observe", *paths, "--columns", "fire2", "-o", made, "--stars", 6000, "--pixels", 20, "--device", "cpu",
              "--bins", "E:4,Lz:3")  # fmt: skip
    assert {path.name for path in made.iterdir()} == {
        "stars.fits", "fit.h5", "recovery.ecsv", "recovery.png", "recovery.pdf", "recovery.txt",
    }  # fmt: skip
    table = halo.load(made / "recovery.ecsv")
    assert f"HE: purity {100 * table.meta['fit']['purity']:.1f} %" in said
    assert "planes: MG_FE:FE_H" in said
    assert "wind" in said
    stars = halo.load(made / "stars.fits")
    assert stars.provenance["orbits"]["potential"] == "multipoles of the particles of FIRE-2"
    assert [item["name"] for item in stars.provenance["inputs"]][-1] == "fire2.toml"
    # the files go on through the other commands, and Python gives the same
    ok("members", made / "fit.h5", made / "stars.fits", "-o", tmp_path / "m.fits")
    again = halo.recover(halo.load(made / "fit.h5"), made / "stars.fits")
    assert again.score.purity == pytest.approx(table.meta["fit"]["purity"])
    assert run("observe", *paths, "--columns", "fire2", "-o", made).exit_code == 5
    refused = run("observe", *paths, "--columns", "fire2", "-o", tmp_path / "o", "--potential", "file")
    assert refused.exit_code == 2
    assert "names no potential" in refused.output


def test_what_is_interrupted_while_its_outputs_are_written_goes_on_to_all_of_them(made, tmp_path, monkeypatch):
    words = ("stability", made / "stars.fits", "-o", tmp_path / "s.ecsv", "--bins", "E:4,Lz:4", "--pixels", 15,
             "--starts", 1, "--vary-bins", "3:4", "--vary-pixels", "10:20:10", "--figure", tmp_path / "s")  # fmt: skip

    def stop(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(halo.figures, "stabilities", stop)
        stopped = run(*words)
    assert stopped.exit_code == 130, stopped.output
    assert "which are kept; go on with: " in stopped.output
    assert (tmp_path / "s.ecsv").exists()
    assert (tmp_path / "s.ecsv.partial").is_dir()
    ok(*words, "--resume")
    assert {path.name for path in tmp_path.iterdir()} == {"s.ecsv", "s.png", "s.pdf", "s.txt"}
    again = run(*words, "--resume")
    assert again.exit_code == 5
    assert "exists already" in again.output


@pytest.mark.filterwarnings("default::halonmf.halo.io.alone.UnlockedWarning")
def test_where_nothing_can_be_locked_a_check_goes_on_and_warns_in_a_line(made, tmp_path, monkeypatch):
    monkeypatch.setattr("halonmf.halo.io.alone.fcntl", None)
    words = ("stability", made / "stars.fits", "--bins", "E:4,Lz:4", "--pixels", 15, "--starts", 1)
    words = (*words, "--vary-bins", "3:3", "--vary-pixels", "10:10")
    result = run(*words, "-o", tmp_path / "s.ecsv")
    assert result.exit_code == 0, result.output
    warning = f"{tmp_path}/s.ecsv.partial: cannot be locked (this system has no locks for files); let no other run"
    assert f"halonmf: {warning}" in " ".join(result.output.split("\n"))
    found = json.loads(ok(*words, "-o", tmp_path / "t.ecsv", "--json"))
    assert found["warnings"][0].startswith(warning.replace("s.ecsv", "t.ecsv"))


@pytest.mark.parametrize("command", ["regions", "bifurcation", "rank", "stability", "injection"])
def test_outputs_are_checked_before_anything_is_read(tmp_path, command):
    (tmp_path / "x.ecsv").write_text("mine")
    (tmp_path / "none.fits").touch()  # there, and nothing that could be read
    result = run(command, tmp_path / "none.fits", "-o", tmp_path / "x.ecsv")
    assert result.exit_code == 5
    assert "exists already" in result.output
    (tmp_path / "f.txt").write_text("mine")
    result = run(command, tmp_path / "none.fits", "-o", tmp_path / "y.ecsv", "--figure", tmp_path / "f.png")
    assert result.exit_code == 5
    assert "f.txt" in result.output


def test_the_documents_region_file_is_one(tmp_path):
    text = re.findall(r"```toml\n(.*?)```", (DOCS / "populations.md").read_text(), re.DOTALL)[0]
    (tmp_path / "doc.toml").write_text(text)
    rng = np.random.default_rng(0)
    n = 3000
    stars = Table({"APOGEE_ID": [f"s{i}" for i in range(n)], "E": rng.normal(-1.7e5, 2e4, n), "Lz": -rng.random(n)})
    stars["FE_H"], stars["AL_FE"] = rng.uniform(-2, 0, n), rng.uniform(-0.3, 0.3, n)
    stars["z_gal"], stars["ecc"] = rng.normal(0, 1, n), 0.5
    write_catalogue(tmp_path / "stars.fits", stars, CutFlow(n), {})
    ok("regions", tmp_path / "stars.fits", "-o", tmp_path / "r.ecsv", "--regions", tmp_path / "doc.toml")
    known = halo.load(tmp_path / "r.ecsv").meta["provenance"]["settings"]["regions"]
    assert sorted(known) == ["Eos", "metal-poor, in plane"]
