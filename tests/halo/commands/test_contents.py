"""`halonmf info`: what files and folders hold, in a few lines and for programs."""

import json
import os

import h5py
import pytest

import halonmf.halo as halo
from halonmf.halo.commands.contents import _wrapped

from .test_commands import small  # noqa: F401 - a fixture
from .test_help import ok, run


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):  # noqa: F811
    """The small mock's folder with a profile and an ensemble in it."""
    folder, _ = small
    more = tmp_path_factory.mktemp("made")
    ok("apply", folder / "fit.h5", folder / "stars.fits", "-o", more / "profile.ecsv")
    options = ("--bootstrap", 4, "--bins", "E:4", "--pixels", 10, "--no-figures", "--quiet")
    ok("ensemble", folder / "stars.fits", "-o", more / "run", *options)
    return {
        "fit": folder / "fit.h5",
        "prepared catalogue": folder / "stars.fits",
        "table": more / "profile.ecsv",
        "ensemble": more / "run",
        "summary": more / "run" / "summary.h5",
    }


@pytest.mark.parametrize("kind", ["fit", "prepared catalogue", "table", "ensemble", "summary"])
def test_it_takes_some_fifteen_lines_and_the_last_says_how_it_was_made(made, kind):
    lines = ok("info", made[kind]).splitlines()
    assert len(lines) <= 20
    assert lines[0].startswith(kind if kind != "summary" else "summary of an ensemble")
    assert lines[-1].startswith("made by halonmf")


@pytest.mark.parametrize("kind", ["fit", "prepared catalogue", "table", "ensemble", "summary"])
def test_json_has_the_kind_the_facts_and_the_whole_provenance(made, kind):
    found = json.loads(ok("info", made[kind], "--json"))
    assert (found["schema"], found["kind"]) == (1, kind)
    assert found["provenance"]["inputs"]


def test_the_facts_of_a_fit_are_its_own(made):
    fit, found = halo.load(made["fit"]), json.loads(ok("info", made["fit"], "--json"))
    assert found["mass_fractions"] == dict(zip(fit.names, fit.mass_fractions.tolist(), strict=True))
    assert found["stars"] == fit.mixtures.n_stars.sum()
    assert found["cutflow"]["passed"] == fit.cutflow.passed
    assert found["verdict"]["word"] == fit.verdict.word


def test_provenance_prints_every_setting_and_checksum(made):
    found = ok("info", made["fit"], "--provenance")
    sha256 = halo.load(made["fit"]).provenance["inputs"][0]["sha256"]
    assert sha256 in found
    assert sha256 not in ok("info", made["fit"])


def test_crossings_of_a_profile_are_printed_as_energies(made):
    profile = halo.load(made["table"])
    (crossing,) = profile.meta["crossings"]["HE=0.5"]
    assert f"HE=0.5 crossed at {crossing / 1e5:.3f}e5 km2/s2" in ok("info", made["table"])


def test_a_run_that_is_not_whole_says_how_to_go_on(made, tmp_path):
    import shutil

    shutil.copytree(made["ensemble"], tmp_path / "run")
    for batch in (tmp_path / "run" / "batches").iterdir():
        batch.unlink()
    said = ok("info", tmp_path / "run")
    assert "0 of 1 batches" in said
    assert "--resume" in said
    assert json.loads(ok("info", tmp_path / "run", "--json"))["complete"] is False


def test_a_summary_file_tells_the_fractions_and_crossings_of_its_folder(made):
    folder, file = (ok("info", made[kind]).splitlines() for kind in ("ensemble", "summary"))
    assert folder[1:-1] == file[1:-1]
    assert any(line.startswith("  mass fraction HE ") and ", se " in line for line in file)
    assert any("HE 50 % against E" in line for line in file)
    whole = halo.summarise(made["ensemble"]).record()
    found = json.loads(ok("info", made["summary"], "--json"))
    assert [found[name] for name in ("run", "interval", "failed", "missing")] == [whole["run"], "centred", {}, []]
    (right,), (setup,) = whole["setups"], found["setups"]
    assert {"mass_fraction", "mean_energy", "crossing_E"} <= set(setup["products"])
    for name, product in setup["products"].items():
        assert product == right["products"][name]
    for name in ("crossing_E", "crossing_z"):
        assert setup["crossings"][name] == right["crossings"][name]


def test_a_summary_of_several_configurations_tells_each_and_the_spread(made, tmp_path):
    sweep = ("--sweep", "components=2,3", "--sweep", "seed=0:2")
    options = ("--bootstrap", 3, "--bins", "E:4", "--pixels", 8, "--no-figures", "--quiet")
    ok("ensemble", made["prepared catalogue"], "-o", tmp_path / "run", *sweep, *options)
    folder, file = (ok("info", tmp_path / "run" / name).splitlines() for name in ("", "summary.h5"))
    assert folder[1:-1] == file[1:-1]
    assert any("components=3" in line for line in file)
    assert file[-2].startswith("... ")


def test_a_summary_of_an_unfinished_run_says_so(made, tmp_path):
    from halonmf.halo.ensembles.archive import archive

    options = ("--bootstrap", 3, "--bins", "E:4", "--pixels", 8, "--no-figures", "--quiet", "--batch", 2)
    ok("ensemble", made["prepared catalogue"], "-o", tmp_path / "run", "--sweep", "seed=0:2", *options)
    max((tmp_path / "run" / "batches").iterdir()).unlink()
    archive(tmp_path / "run")
    assert json.loads(ok("info", tmp_path / "run" / "summary.h5", "--json"))["missing"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record.update(setups=[]), "no configuration"),
        (lambda record: record.update(statistics=["base"]), "its statistics are others"),
        (lambda record: record["setups"][0]["setup"]["fit"].update(components=10**9), "components, of 2"),
        (lambda record: record.update(setups=7), "damaged or incomplete"),
        (lambda record: record.update(failed=[1]), "damaged or incomplete"),
        (lambda record: record["setups"].append(record["setups"][0]), "damaged or incomplete"),
    ],
)
def test_a_forged_summary_is_refused_in_a_line(made, tmp_path, change, says):
    forged = tmp_path / "summary.h5"
    forged.write_bytes(made["summary"].read_bytes())
    with h5py.File(forged, "a") as file:
        record = json.loads(file.attrs["record"])
        change(record)
        file.attrs["record"] = json.dumps(record)
        del file.attrs["sha256"]
    result = run("info", forged)
    assert result.exit_code == 3
    assert says in result.output
    assert "Traceback" not in result.output


def test_a_summary_that_was_changed_is_refused(made, tmp_path):
    changed = tmp_path / "summary.h5"
    changed.write_bytes(made["summary"].read_bytes())
    with h5py.File(changed, "r+") as file:
        name = next(name for name in file if file[name].shape and file[name].dtype.kind == "f")
        file[name][...] = 0.25
    result = run("info", changed)
    assert result.exit_code == 3
    assert "checksum" in result.output


def test_a_paper_tells_its_scores(tmp_path):
    scores = {"sample": "mock", "chemically_pure": 12979, "counts": {"PASS": 86, "FAIL": 17}, "warnings": []}
    (tmp_path / "scoreboard.json").write_text(json.dumps(scores))
    assert "86 PASS, 17 FAIL" in ok("info", tmp_path)
    assert json.loads(ok("info", tmp_path, "--json"))["scores"] == scores["counts"]


@pytest.mark.parametrize("text", ["", "[]", '{"counts": 3}', "[" * 100_000])
def test_a_paper_whose_scores_cannot_be_read_is_refused(tmp_path, text):
    (tmp_path / "scoreboard.json").write_text(text)
    result = run("info", tmp_path)
    assert result.exit_code == 3
    assert "cannot be read" in result.output


def test_a_paper_that_is_not_complete_says_how_many_steps_it_has(tmp_path):
    (tmp_path / "steps").mkdir()
    for name in ("s", "r4"):
        (tmp_path / "steps" / f"{name}.json").write_text("{}")
    lines = ok("info", tmp_path).splitlines()
    assert "2 steps are kept" in lines[0]
    assert lines[1] == "go on with halonmf paper ... --resume"
    assert json.loads(ok("info", tmp_path, "--json"))["steps"] == 2


def test_a_folder_of_results_names_some_of_them(tmp_path):
    for name in ("LE.h5", "HE.h5", "notes.txt"):
        (tmp_path / name).touch()
    result = run("info", tmp_path)
    assert result.exit_code == 3
    assert "give one of its files: HE.h5, LE.h5." in result.output


@pytest.mark.parametrize(("number", "more"), [(3, ""), (40, " more"), (500, " more")])
def test_lists_end_in_whole_items_and_the_number_of_those_left_out(number, more):
    items = [f"column_{i} [kpc km/s]" for i in range(number)]
    text = _wrapped("columns", items)
    assert len(text.splitlines()) <= 3
    shown, _, rest = text.replace("\n  ", " ").removeprefix("columns: ").partition(" and ")
    assert shown.split(", ") == items[: len(shown.split(", "))]
    assert rest == (f"{number - len(shown.split(', '))} more" if more else "")


def test_a_folder_of_something_else_is_named(tmp_path):
    result = run("info", tmp_path)
    assert result.exit_code == 3
    assert "neither an ensemble" in result.output


@pytest.mark.parametrize("name", ["x.h5", "x.fits", "x.ecsv"])
def test_a_pipe_is_refused_at_once(tmp_path, name):
    os.mkfifo(tmp_path / name)
    result = run("info", tmp_path / name)
    assert result.exit_code == 3
    assert "is a pipe or a device" in result.output
