"""The command for ensembles: what it takes, what it says, what it leaves, and how it exits."""

import json
import re
import shutil

import pytest

from halonmf.halo.ensembles.run import open_run
from halonmf.halo.ensembles.summary import summarise
from halonmf.halo.ensembles.sweeps import AXES
from halonmf.halo.fits.store import load_fit

from .test_help import run

SMALL = ("--bins", "E:3,Lz:3", "--pixels", 8, "--selection", "all", "--device", "cpu", "--no-figures")


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stars")
    assert run("mock", folder / "mock", "--stars", 6000, "--seed", 3, "-q").exit_code == 0
    files = *folder.glob("mock/allStar*"), *folder.glob("mock/apogee_astroNN*")
    assert run("prepare", *files, "-o", folder / "stars.fits", "-q").exit_code == 0
    return folder / "stars.fits"


@pytest.fixture(scope="module")
def made(stars, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "run"
    result = run("ensemble", stars, "-o", folder, "--bootstrap", 20, "--batch", 8, *SMALL)
    assert result.exit_code == 0, result.output
    return folder, result


def batches(folder):
    return {path.name: path.read_bytes() for path in (folder / "batches").iterdir()}


def test_an_ensemble_ends_with_its_summary(made):
    folder, result = made
    assert "1 configuration, 21 fits in 3 batches: complete, 21 fits computed now" in result.output
    assert "mass fraction HE" in result.output
    assert (folder / "summary.ecsv").exists()
    assert open_run(folder).complete


def test_it_says_nothing_but_its_one_line_and_that_of_the_verdict_when_it_is_quiet(stars, tmp_path):
    result = run("ensemble", stars, "-o", tmp_path / "run", "--bootstrap", 4, *SMALL, "-q")
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    assert result.stderr.startswith("halonmf: not to be trusted: ")
    assert result.stderr.count("\n") == 1


def test_json_is_lines_that_programs_can_read(stars, tmp_path):
    result = run("ensemble", stars, "-o", tmp_path / "run", "--bootstrap", 4, *SMALL, "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[-1]["event"] == "done"
    assert lines[-1]["complete"] is True
    assert lines[-1]["failed"] == []
    assert lines[-1]["summary"]
    progress = [line for line in lines if line["event"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 5


def test_a_dry_run_says_what_it_will_take_and_writes_nothing(stars, tmp_path):
    before = set(tmp_path.iterdir())
    arguments = (
        "ensemble",
        stars,
        "-o",
        tmp_path / "run",
        "--bootstrap",
        50,
        "--sweep",
        "bins=2:4",
        *SMALL,
        "--dry-run",
    )
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "3 configurations, 153 fits in 3 batches" in result.output
    assert re.search(r"about [\d.]+ (s|min) and [\d.]+ [kM]B on this machine: an estimate", result.output)
    assert set(tmp_path.iterdir()) == before
    record = json.loads(run(*arguments, "--json").stdout)
    assert (record["setups"], record["fits"], record["batches"]) == (3, 153, 3)
    real = run(*arguments[:-1], "-q")
    assert real.exit_code == 0
    size = sum(len(image) for image in batches(tmp_path / "run").values())
    assert record["estimated_bytes"] == pytest.approx(size, rel=0.3)


def test_a_dry_run_names_configurations_that_cannot_be_computed(stars, tmp_path):
    result = run("ensemble", stars, "-o", tmp_path / "run", "--sweep", "loss=frobenius,-1", *SMALL, "--dry-run")
    assert result.exit_code == 4
    assert "loss=-1: " in result.stderr


def test_a_file_can_say_it_all(stars, tmp_path, made):
    config = tmp_path / "run.toml"
    config.write_text(
        '[ensemble]\nbootstrap = 20\nbatch = 8\nbins = "E:3,Lz:3"\npixels = 4\nselection = "all"\ndevice = "cpu"\n'
        'figures = false\n[ensemble.sweep]\npixels = "6:8:2"\nseed = [0, 1]\n'
    )
    result = run("ensemble", stars, "-o", tmp_path / "run", "--config", config, "-q")
    assert result.exit_code == 0, result.output
    found = open_run(tmp_path / "run")
    assert found.labels == ("pixels=6 seed=0", "pixels=6 seed=1", "pixels=8 seed=0", "pixels=8 seed=1")
    assert found.plan.replicates == 20
    again = run("ensemble", stars, "-o", tmp_path / "two", "--config", config, "--sweep", "pixels=8", "-q")
    assert again.exit_code == 0, again.output
    assert open_run(tmp_path / "two").labels == ("pixels=8",)  # the command line wins


def test_shards_make_the_files_of_one_run_and_the_summary_comes_after(stars, tmp_path, made):
    folder = tmp_path / "run"
    choices = ("ensemble", stars, "-o", folder, "--bootstrap", 20, "--batch", 8, *SMALL)
    for i in (2, 1):
        result = run(*choices, "--shard", f"{i}/2", "-q")
        assert result.exit_code == 0, result.output
        assert not (folder / "summary.ecsv").exists()
    assert batches(folder) == batches(made[0])
    assert run(*choices, "--resume", "-q").exit_code == 0
    assert (folder / "summary.ecsv").exists()
    assert batches(folder) == batches(made[0])


def test_threads_change_no_number(stars, tmp_path, made):
    for threads in (1, 3):
        folder = tmp_path / f"{threads}"
        choices = ("--bootstrap", 20, "--batch", 8, "--threads", threads, *SMALL)
        assert run("ensemble", stars, "-o", folder, *choices, "-q").exit_code == 0
        assert batches(folder) == batches(made[0])


def test_what_cannot_be_computed_exits_4_with_the_reason_and_the_others_are_there(stars, tmp_path):
    result = run(
        "ensemble", stars, "-o", tmp_path / "run", "--sweep", "loss=frobenius,-1", "--bootstrap", 4, *SMALL, "-q"
    )
    assert result.exit_code == 4
    assert re.search(r"1 of 2 configurations could not be computed: loss=-1: .*zero", result.stderr)
    assert len(open_run(tmp_path / "run").replicates(0)["loss"]) == 4


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ((), 2, "nothing to do but one fit; give --bootstrap N, --sweep AXIS=VALUES"),
        (("--sweep", "pixel=1:2"), 2, "no axis 'pixel'"),
        (("--sweep", "pixels=2:1"), 2, "2:1 is empty"),
        (("--bootstrap", 3, "--shard", "4/3"), 2, "from 1 to 3"),
        (("--bootstrap", 3, "--drop", "some"), 2, "drop must be sqrt or a number"),
        (("--bootstrap", 3, "--overwrite", "--resume"), 2, "--overwrite does not go with"),
        (("--bootstrap", 3, "--device", "tpu"), 2, "device must be"),
        (("--bootstrap", 3, "--device", "cuda:99"), 2, "CUDA"),
        (("--bootstrap", 3, "--scheduler", "tcp://x:1", "--shard", "1/2"), 2, "goes with neither --shard nor"),
        (("--bootstrap", 3, "--cut", "LOGG<-9"), 3, "no stars"),
    ],
)
def test_requests_that_lead_nowhere_are_refused_in_a_line_and_leave_nothing(stars, tmp_path, options, code, says):
    result = run("ensemble", stars, "-o", tmp_path / "run", *SMALL, *options)
    assert result.exit_code == code, result.output
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("run/batches/*"))


def test_a_folder_for_which_the_command_has_no_leave_is_told_before_the_stars_are_read(tmp_path):
    (tmp_path / "run").touch()
    (tmp_path / "none.fits").touch()  # there, and nothing that could be read
    result = run("ensemble", tmp_path / "none.fits", "-o", tmp_path / "run", "--bootstrap", 3)
    assert result.exit_code == 5
    assert "is a file" in result.stderr


def test_the_page_names_every_axis():
    import pathlib

    page = (pathlib.Path(__file__).resolve().parents[3] / "docs" / "ensembles.md").read_text()
    for name in AXES:
        assert f"`{name}`" in page


# the verdict on the base configuration


def test_the_base_configurations_verdict_is_in_the_folder_the_summary_and_on_the_terminal(made):
    folder, result = made
    record = json.loads((folder / "verdict.json").read_text())
    assert record["run"] == open_run(folder).sha256
    word = record["verdict"]["word"]
    assert f"verdict: {word}" in result.output
    again = run("summary", folder, "--no-figures")
    assert f"verdict: {word}" in again.output
    said = json.loads(run("summary", folder, "--no-figures", "--json").stdout)
    assert said["verdict"]["measures"].keys() == record["verdict"]["measures"].keys()
    assert summarise(folder).table().meta["verdict"]["word"] == word


def test_it_is_the_verdict_of_the_fit_of_all_stars(stars, made, tmp_path):
    folder, _ = made
    choices = SMALL[:-1]
    assert run("fit", stars, "-o", tmp_path / "fit.h5", *choices, "-q").exit_code in (0, 4)
    assert summarise(folder).verdict == load_fit(tmp_path / "fit.h5").verdict


def test_what_is_not_to_be_trusted_is_warned_of_and_exits_4_if_strict(made, tmp_path):
    folder = shutil.copytree(made[0], tmp_path / "run")
    path = folder / "verdict.json"
    record = json.loads(path.read_text())
    record["verdict"] |= {"word": "not to be trusted", "reasons": ["few stars: 3 a bin"]}
    del record["sha256"]  # as an earlier version wrote it
    path.write_text(json.dumps(record))
    loose = run("summary", folder, "--no-figures", "-q")
    assert loose.exit_code == 0
    assert loose.stderr == "halonmf: not to be trusted: few stars: 3 a bin\n"
    assert run("summary", folder, "--no-figures", "-q", "--strict").exit_code == 4
    record["verdict"] |= {"word": "doubtful"}
    path.write_text(json.dumps(record))
    assert run("summary", folder, "--no-figures", "-q", "--strict").exit_code == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"run": "RUN"}', '{"run": "RUN", "verdict": {"word": "fine"}}'])
def test_a_damaged_verdict_is_an_error_in_one_line(made, tmp_path, text):
    folder = shutil.copytree(made[0], tmp_path / "run")
    (folder / "verdict.json").write_text(text.replace("RUN", open_run(folder).sha256))
    result = run("summary", folder, "--no-figures", "-q")
    assert result.exit_code == 3
    assert "verdict.json: damaged" in result.stderr


def test_a_verdict_of_another_run_is_none_and_resuming_measures_it(stars, made, tmp_path):
    folder = shutil.copytree(made[0], tmp_path / "run")
    path = folder / "verdict.json"
    before = path.read_bytes()
    other = json.loads(before) | {"run": "another"}
    del other["sha256"]
    path.write_text(json.dumps(other))
    assert summarise(folder).verdict is None
    assert "verdict:" not in run("summary", folder, "--no-figures").output
    arguments = ("ensemble", stars, "-o", folder, "--bootstrap", 20, "--batch", 8, *SMALL, "--resume", "-q")
    assert run(*arguments).exit_code == 0
    assert path.read_bytes() == before


def test_a_base_that_cannot_be_fitted_has_no_verdict(stars, tmp_path):
    choices = [x if x != "E:3,Lz:3" else "E:90,Lz:90" for x in SMALL]
    made = run("ensemble", stars, "-o", tmp_path / "run", "--sweep", "bins=3,4", *choices)
    assert made.exit_code == 0, made.output
    assert "verdict" not in made.output
    assert not (tmp_path / "run" / "verdict.json").exists()


def test_weights_are_a_choice_of_an_ensemble_and_stay_in_its_plan(stars, tmp_path):
    arguments = ("--bootstrap", 4, *SMALL, "--weights", "distance")
    made = run("ensemble", stars, "-o", tmp_path / "run", *arguments, "-q")
    assert made.exit_code in (0, 4), made.output
    assert open_run(tmp_path / "run").plan.base.fit.weights == "distance"
    bare = run("ensemble", stars, "-o", tmp_path / "bare", "--bootstrap", 4, *SMALL, "-q")
    assert bare.exit_code == 0
    one, other = (summarise(tmp_path / name).parts[0]("mass_fraction", "base") for name in ("run", "bare"))
    assert abs(one - other).max() > 1e-4
