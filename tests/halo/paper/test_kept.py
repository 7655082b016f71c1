"""The paper made in pieces: what an interrupted run left is taken up, what is damaged or out of date made again."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from astropy.io import fits

from halonmf.halo import prepare
from halonmf.halo.errors import OutputError, UsageError
from halonmf.halo.io.atomic import temporary_name
from halonmf.halo.mock.survey import ALLSTAR, make
from halonmf.halo.paper import kept as module
from halonmf.halo.paper import run as paper
from halonmf.halo.paper.blocks import Sheet
from halonmf.halo.paper.kept import Left, Steps, own_files, source_of
from halonmf.halo.paper.part import Part
from halonmf.halo.paper.scoreboard import Value
from halonmf.halo.paper.settings import PaperSettings
from halonmf.halo.paper.steps import STEPS, steps_of
from halonmf.halo.stars.catalogue import write_catalogue

from ..helpers.recorded import Recorded

SMALL = PaperSettings(rows=9000, bootstrap=2, expected=1, draws=3)
LEFT = Left(
    Part(
        values={"R0.gap": Value(-2.1e5, 1 / 3, None, truth=float("nan"), note="why")},
        sheets={"t": Sheet("t", "caption", ("a", "b"), (("1", ""), ("2", "x")), ("tables/t.ecsv",))},
        said=("one", "two"),
        skipped={"R5": "too few stars"},
        warnings=("not converged",),
        headlines=("line",),
    ),
    {"note": ["tables/note.txt"]},
)


class StoppedError(Exception):
    """In place of a kill."""


@pytest.fixture
def steps(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "note.txt").write_text("kept")
    made = Steps(tmp_path, "source", resume=True)
    made.keep("r0", LEFT)
    return made


def test_a_step_comes_back_as_it_was(steps):
    found = steps.find("r0")
    assert str(found.part) == str(replace(LEFT.part, sheets={}))  # sheets are those of tables, of which there is none
    assert found.files == LEFT.files
    assert steps.named() == {"tables/note.txt"}


@pytest.mark.parametrize("what", ["edited", "gone", "other source", "other step", "not resumed", "damaged record"])
def test_a_step_is_made_again_where_anything_is_not_as_it_was(steps, what):
    path, record = steps.directory / "tables" / "note.txt", steps.directory / "steps" / "r0.json"
    name = "r0"
    if what == "edited":
        path.write_text("mine")
    elif what == "gone":
        path.unlink()
    elif what == "other source":
        steps = replace(steps, source="other")
    elif what == "other step":
        name = record.with_name("r1.json").write_bytes(record.read_bytes()) and "r1"
    elif what == "not resumed":
        steps = replace(steps, resume=False)
    else:
        record.write_text(record.read_text()[:-20])
    assert steps.find(name) is None


@pytest.mark.parametrize("text", ["", "null", "[]", "3", "{}", "[" * 100_000, "1" * 5000, '{"source": NaN}'])
def test_a_record_of_any_other_content_is_none(steps, text):
    (steps.directory / "steps" / "r0.json").write_text(text)
    assert steps.find("r0") is None
    assert steps.named() == set()


@pytest.mark.parametrize("value", [None, "x", -2.0e5, float("nan"), 2**70, []])
def test_a_number_that_was_changed_is_made_again(steps, value):
    path = steps.directory / "steps" / "r0.json"
    record = json.loads(path.read_text())
    record["values"]["R0.gap"]["value"] = value
    path.write_text(json.dumps(record))
    assert steps.find("r0") is None


@pytest.mark.parametrize("name", ["steps/r0.json", "tables/note.txt"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(steps, name):
    (steps.directory / name).unlink()
    os.mkfifo(steps.directory / name)
    assert steps.find("r0") is None


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"files": 3}', None])
def test_an_earlier_scoreboard_that_cannot_be_read_names_no_files(tmp_path, text):
    if text is None:
        os.mkfifo(tmp_path / "scoreboard.json")
    else:
        (tmp_path / "scoreboard.json").write_text(text)
    assert paper._left_before(tmp_path) == set()


@pytest.mark.parametrize("damage", [b"", b"SIMPLE  =", b"x" * 5000])
def test_a_mock_that_is_damaged_is_made_again(tmp_path, damage):
    make(tmp_path, 300)
    wanted = PaperSettings(rows=len(fits.getdata(tmp_path / ALLSTAR)))
    wanted = replace(wanted, seed=fits.getheader(tmp_path / ALLSTAR, 0).get("MOCKSEED", 0))
    whole = (tmp_path / ALLSTAR).read_bytes()
    for change in (damage, whole[:2880], whole[:4000]):
        (tmp_path / ALLSTAR).write_bytes(change)
        assert not paper._is_made(tmp_path, wanted)


def test_a_record_that_names_files_outside_the_folder_is_refused(steps):
    path = steps.directory / "steps" / "r0.json"
    record = json.loads(path.read_text())
    (steps.directory.parent / "secret").write_text("x")
    record["files"] = {"../secret": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
    path.write_text(json.dumps(record))
    assert steps.find("r0") is None


def test_only_files_of_the_papers_folders_are_its_own(tmp_path):
    names = [
        "figures/a.png",
        "tables/b.ecsv",
        "mine.txt",
        "figures/../mine.txt",
        "figures/..",
        "/figures/a.png",
        "steps/a.json",
    ]
    assert own_files(names) == {"figures/a.png", "tables/b.ecsv"}


@pytest.mark.parametrize("text", ["", "[]", '{"files": [1]}', "[" * 100_000], ids=range(4))
def test_a_scoreboard_that_cannot_be_read_names_no_files(tmp_path, text):
    (tmp_path / "scoreboard.json").write_text(text)
    assert paper._left_before(tmp_path) == set()


def test_steps_that_are_no_part_of_the_paper_any_more_are_forgotten(steps):
    steps.keep("stars", Left(Part(), {}))
    steps.forget(["r1"])
    assert sorted(path.name for path in (steps.directory / "steps").iterdir()) == ["stars.json"]


def test_the_source_changes_with_settings_inputs_and_the_software_alone(tmp_path, monkeypatch):
    stars = tmp_path / "stars.fits"
    stars.write_bytes(b"1")
    base = source_of(SMALL, "cpu", [stars])
    assert source_of(SMALL, "cpu", [stars]) == base
    others = [source_of(replace(SMALL, draws=4), "cpu", [stars]), source_of(SMALL, "cuda:0", [stars])]
    (tmp_path / "other.fits").write_bytes(b"1")
    assert source_of(SMALL, "cpu", [tmp_path / "other.fits"]) == base  # the name is no part of it
    stars.write_bytes(b"2")
    others.append(source_of(SMALL, "cpu", [stars]))
    stars.write_bytes(b"1")
    monkeypatch.setattr(module, "code", lambda: "other code")
    others.append(source_of(SMALL, "cpu", [stars]))
    assert len({base, *others}) == 5


def test_resume_does_not_go_with_overwrite(tmp_path):
    with pytest.raises(UsageError, match="--overwrite does not go with --resume"):
        paper.run(tmp_path, settings=SMALL, resume=True, overwrite=True)


def test_a_folder_whose_steps_were_not_kept_is_not_written_over(tmp_path):
    (tmp_path / "report.html").touch()
    with pytest.raises(OutputError, match="its steps were not kept"):
        paper.run(tmp_path, settings=SMALL, resume=True)


def test_every_step_has_a_name_of_its_own():
    names = [step.name for step in steps_of("both")]
    assert len({*names, "stars"}) == len(names) + 1


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    paths = make(folder / "mock", n_stars=SMALL.rows, seed=SMALL.seed)
    made = prepare(paths.allstar, paths.astronn, paths.members)
    write_catalogue(folder / "stars.fits", made.table, made.cutflow, made.provenance)
    return {"stars": folder / "stars.fits", "truth": paths.truth}


@pytest.mark.slow
def test_a_paper_killed_at_every_step_ends_in_the_files_of_one_that_was_not(survey, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    told = Recorded()
    paper.run(tmp_path / "whole", **survey, settings=SMALL, progress=told)
    told.check()
    for i, step in enumerate(STEPS):

        def stop(stage, done, total, step=step, after=i % 2):
            # its files are there and the step is not yet kept; or the step before it is, and it begins
            if stage == step.title and done == after:
                raise StoppedError

        with pytest.raises(StoppedError):
            paper.run(tmp_path / "killed", **survey, settings=SMALL, resume=True, progress=stop)
        for folder in {path.parent for path in (tmp_path / "killed").rglob("*")}:
            temporary_name(folder / "report.html").write_text("half")  # a kill leaves what was being written
    told = Recorded()
    found = paper.run(tmp_path / "killed", **survey, settings=SMALL, resume=True, progress=told)
    told.check()
    assert list(found.kept) == told.skipped == [step.title for step in STEPS[: len(found.kept)]]
    assert len(found.kept) >= len(STEPS) - 2
    whole = files(tmp_path / "whole")
    assert files(tmp_path / "killed") == whole

    # what is damaged, edited or lost is made again, and nothing else is
    shutil.rmtree(tmp_path / "killed" / "fits")
    (tmp_path / "killed" / "tables" / "aurora.ecsv").write_text("mine")
    found = paper.run(tmp_path / "killed", **survey, settings=SMALL, resume=True)
    lost = {step.title for step in STEPS if "aurora" in step.tables or found.parts[step.title].fits}
    assert {step.title for step in STEPS} - set(found.kept) == lost
    assert files(tmp_path / "killed") == whole


@pytest.mark.slow
def test_a_mock_is_taken_up_too_and_other_settings_make_everything_again(tmp_path, monkeypatch):
    monkeypatch.setattr(paper, "steps_of", lambda analysis: STEPS[:1])
    made = paper.run(tmp_path, settings=SMALL)
    assert made.kept == ()
    stars = (tmp_path / "stars.fits").read_bytes()
    told = Recorded()
    again = paper.run(tmp_path, settings=SMALL, resume=True, progress=told)
    assert told.skipped == ["stars", "The sample"]
    assert again.scores.counts == made.scores.counts
    other = paper.run(tmp_path, settings=replace(SMALL, bootstrap=3), resume=True)
    assert other.kept == ()
    assert (tmp_path / "stars.fits").read_bytes() == stars
