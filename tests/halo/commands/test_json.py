"""--json: every command prints one document, and the schema that ships is true of it."""

import errno
import json
import math
from importlib import resources

import jsonschema
import numpy as np
import pytest
from astropy.table import QTable
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf import halo
from halonmf.halo.commands import answer, documents
from halonmf.halo.commands.answer import Answer
from halonmf.halo.errors import UsageError
from halonmf.halo.fits.settings import Bootstrap
from halonmf.halo.mock.two_populations import StellarHalo, TwoPopulations, write_two_populations
from halonmf.halo.products.record import jsonable

from ...scripts import script
from .test_help import COMMANDS, ok, run

BINS = ("--bins", "E:3,Lz:3", "--pixels", 12)
FULL = documents.schema()
FILES = {
    "fetch": "sample",
    "mock": "{new}/again --stars 3000",
    "prepare": "{mock}/allStarLite-dr17-synspec_rev1.fits {mock}/apogee_astroNN-DR17.fits",
    "recompute": "{stars}",
    "fit": "{stars} {bins}",
    "apply": "{fit} {stars} --by E:4",
    "boundary": "{fit} {stars} --bootstrap 3",
    "classify": "{clusters} --boundary {boundary}",
    "plot": "{fit}",
    "zeropoints": "{stars} {other} --bootstrap 3",
    "split": "{fit} {stars} --bootstrap 3",
    "table": "{fit} --bootstrap 3",
    "likelihood": "{kl}",
    "eccentricity": "{fit} {stars} --bootstrap 3",
    "members": "{fit} {stars} --truth {mock}/truth.fits",
    "report": "{fit} {stars} --bootstrap 3",
    "regions": "{stars}",
    "bifurcation": "{stars} --draws 10",
    "aurora": "{fit} {stars} --iterations 3",
    "ensemble": "{stars} --bootstrap 3 --no-figures {bins}",
    "summary": "{runs} --no-figures",
    "rank": "{stars} --splits 2 --max-components 2 --starts 1 --bins E:2,Lz:2 --pixels 10",
    "stability": "{stars} --starts 1 --vary-bins 2:3 --vary-pixels 8:10 {bins}",
    "injection": "{stars} --widths 0.1 --numbers 30 --repeats 1 {bins}",
    "search": "{stars} --draws 2 --no-figure {bins}",
    "compare": "{fit} {kl} {stars} --replicates 3",
    "sensitivity": "{stars} --choice pixels --draws 1 {bins}",
    "init": "{stars} --slurm",
    "info": "{fit}",
    "demo": "{new} --stars 3000",
    "bench": "",
    "paper": "{new} --stars {stars} --bootstrap 0 --draws 0",
}
"""What every command is called with."""
SLOW = {"demo", "bench", "paper", "report"}
ELSEWHERE = {"simulation", "observe"}
"""Commands that have a test of their own below."""
WRITE_NOTHING = {"info", "bench"}
TAKE_A_FOLDER = {"mock", "demo", "paper", "summary", "info", "bench"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A mock survey and what is made of it, by name."""
    folder = tmp_path_factory.mktemp("json")
    names = ("mock", "stars.fits", "fit.h5", "kl.h5", "boundary.ecsv", "clusters.ecsv", "runs")
    found = {name.partition(".")[0]: folder / name for name in names}
    survey = [found["mock"] / name for name in ("allStarLite-dr17-synspec_rev1.fits", "apogee_astroNN-DR17.fits")]
    ok("mock", found["mock"], "--stars", 3000, "-q")
    ok("prepare", *survey, "-o", found["stars"], "-q")
    ok("fit", found["stars"], "-o", found["fit"], *BINS)
    ok("fit", found["stars"], "-o", found["kl"], *BINS, "--loss", "kullback-leibler")
    ok("boundary", found["fit"], found["stars"], "-o", found["boundary"], "--bootstrap", 3)
    ok("ensemble", found["stars"], "-o", found["runs"], "--bootstrap", 3, "--no-figures", *BINS, "-q")
    halo.load(found["stars"]).table["E", "Lz"][:50].write(found["clusters"])
    return found


def document(result, name):
    """The document of a command, valid by its part of the schema."""
    assert result.exit_code in (0, 4), result.output
    found = json.loads(result.stdout.splitlines()[-1], parse_constant=pytest.fail)
    check(found, name)
    return found


def faults(found, name):
    """What is wrong with a document, by its part of the schema."""
    part = {"$ref": f"#/$defs/{name.replace(' ', '%20')}", "$defs": FULL["$defs"]}
    errors = jsonschema.Draft202012Validator(part).iter_errors(found)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


def check(found, name):
    assert faults(found, name) == []
    jsonschema.Draft202012Validator(FULL).validate(found)
    if "columns" in found and isinstance(found.get("rows"), list):
        assert all(list(row) == list(found["columns"]) for row in found["rows"])


def arguments(name, made, new):
    words = FILES[name].split()
    given = []
    for word in words:
        if word == "{bins}":
            given += BINS
        else:
            given.append(word.format(new=new, other=made["stars"], **made))
    if name not in TAKE_A_FOLDER:
        given += ["-o", new / {"plot": "figures", "split": "four", "ensemble": "runs"}.get(name, "made")]
    return [name, *given, "--json"]


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.slow) if x in SLOW else x for x in COMMANDS if x not in ELSEWHERE]
)
def test_every_command_prints_one_document_that_the_schema_knows(made, tmp_path, name):
    result = run(*arguments(name, made, tmp_path))
    found = document(result, name if name != "info" else "info, fit")
    assert found["command"] == name
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(line.get("event") == "progress" for line in lines[:-1])
    assert name == "ensemble" or len(lines) == 1
    assert result.stderr == ""
    assert bool(found["outputs"]) == (name not in WRITE_NOTHING)
    for path in found["outputs"]:
        assert (tmp_path / path).exists(), path
    assert (result.exit_code == 4) == bool(found["problems"])


def test_the_commands_are_those_of_the_schema_and_all_have_the_option():
    assert {*FILES} | ELSEWHERE == {*COMMANDS}
    assert {*documents.KEYS, "info"} == {*COMMANDS}
    for name in COMMANDS:
        assert "--json" in ok(name, "--help"), name


@pytest.mark.slow
def test_simulated_galaxies_have_documents_too(tmp_path):
    model = TwoPopulations(
        StellarHalo(5000, 2.5, np.inf, -0.9, 0.4, -0.9, 0.34, -0.2),
        StellarHalo(4000, 9.0, 12.0, -1.3, 0.4, -1.8, 0.32, -0.2), 3000, 20_000, 1000,
    )  # fmt: skip
    paths, _ = write_two_populations(tmp_path / "m12x", model)
    document(run("simulation", *paths, "--columns", "fire2", "-o", tmp_path / "s.ecsv", "--json"), "simulation")
    observed = ("observe", *paths, "--columns", "fire2", "-o", tmp_path / "o", "--stars", 6000, "--pixels", 20)
    found = document(run(*observed, "--device", "cpu", "--bins", "E:4,Lz:3", "--json"), "observe")
    assert found["fit"]["stars"] == halo.load(tmp_path / "o" / "fit.h5").mixtures.n_stars.sum()


@pytest.mark.parametrize(
    ("kind", "name"), [("stars", "prepared catalogue"), ("boundary", "table"), ("runs", "ensemble")]
)
def test_what_info_knows_of_a_file_is_in_the_schema(made, kind, name):
    document(run("info", made[kind], "--json"), f"info, {name}")


def test_a_summary_is_known_too(made):
    document(run("info", made["runs"] / "summary.h5", "--json"), "info, summary")


def test_the_numbers_are_those_of_the_file_to_the_last_digit(made, tmp_path):
    found = json.loads(ok("apply", made["fit"], made["stars"], "--by", "E:6", "-o", tmp_path / "p.ecsv", "--json"))
    table = halo.load(tmp_path / "p.ecsv")
    for name in table.colnames:
        ours = [math.nan if row[name] is None else row[name] for row in found["rows"]]
        np.testing.assert_array_equal(np.asarray(table[name].value, float), ours)
        unit = table[name].unit
        assert found["columns"][name] == ("" if unit is None else str(unit))
    assert found["meta"]["crossings"] == json.loads(json.dumps(dict(table.meta["crossings"])))


def test_python_gives_the_record_that_the_command_prints(made, tmp_path):
    printed = json.loads(
        ok("boundary", made["fit"], made["stars"], "-o", tmp_path / "b.ecsv", "--bootstrap", 3, "--json")
    )
    found = halo.record(halo.classifier(made["fit"], made["stars"], bootstrap=Bootstrap(3)))
    assert {name: printed[name] for name in found} == json.loads(json.dumps(found))


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (("fit", "nowhere.fits"), 3, "InputError"),
        (("fit", "{stars}", "--bins", "nothing"), 2, "UsageError"),
        (("fit", "{stars}", "-o", "{fit}"), 5, "OutputError"),
        (("fit", "{stars}", "--pixels", "many"), 2, "BadParameter"),
        (("fit", "{stars}", "--no-such-option"), 2, "NoSuchOption"),
        (("nothing",), 2, "UsageError"),
    ],
)
def test_an_error_is_an_object_on_standard_error_with_the_same_code(made, words, code, kind):
    given = [word.format(**made) for word in words]
    said, result = run(*given), run(*given, "--json")
    assert said.exit_code == result.exit_code == code
    assert result.stdout == ""
    found = json.loads(result.stderr)
    check(found, "error")
    assert (found["error"]["code"], found["error"]["kind"]) == (code, kind)
    assert found["error"]["message"].rstrip(".") in " ".join(said.stderr.split())


def test_an_internal_error_is_an_object_too(made, monkeypatch):
    monkeypatch.setattr("halonmf.halo.commands.contents.contents", lambda file: 1 / 0)
    result = run("info", made["fit"], "--json")
    assert result.exit_code == 1
    check(json.loads(result.stderr), "error")
    assert result.stdout == ""


def test_a_full_disk_at_the_end_is_said_and_leaves_with_5(made, monkeypatch, capfd):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Answer, "_print", full)
    monkeypatch.setattr("halonmf.halo.commands.console._mute", lambda: None)
    result = run("info", made["fit"], "--json")
    assert result.exit_code == 5
    check(json.loads(result.stderr), "error")


def test_problems_are_in_the_document_and_in_the_exit_code(made, tmp_path):
    result = run("fit", made["stars"], "-o", tmp_path / "f.h5", *BINS, "--max-iter", 1, "--json")
    found = document(result, "fit")
    assert result.exit_code == 4
    assert found["status"] != "CONVERGED"
    assert len(found["problems"]) == 1


def test_the_plan_of_an_ensemble_is_a_document(made, tmp_path):
    found = document(
        run("ensemble", made["stars"], "-o", tmp_path, "--bootstrap", 9, *BINS, "--dry-run", "--json"), "ensemble"
    )
    assert (found["event"], found["fits"]) == ("plan", 10)


@pytest.mark.parametrize("name", ["search", "injection", "stability"])
def test_the_plan_of_a_check_is_a_document(made, tmp_path, name):
    found = document(run(*arguments(name, made, tmp_path), "--dry-run"), f"{name}, plan")
    assert found["fits"] > 0
    assert found["outputs"] == []


def test_the_schema_of_a_command_knows_its_documents_alone(made):
    one = jsonschema.Draft202012Validator(halo.schema("info"))
    one.validate(json.loads(ok("info", made["fit"], "--json")))
    assert not one.is_valid(Answer("report", as_json=True, facts={"title": "A fit", "bytes": 1}).document())
    with pytest.raises(UsageError, match="command must be one of fetch, "):
        halo.schema("nothing")


def test_what_can_be_fetched_is_listed_as_a_document():
    assert "dr17" in document(run("fetch", "--json"), "fetch")["known"]


def test_the_schema_is_valid_ships_and_is_what_the_code_declares():
    jsonschema.Draft202012Validator.check_schema(FULL)
    text = resources.files("halonmf.halo.commands").joinpath("results.schema.json").read_text()
    assert json.loads(text) == FULL == halo.schema() == json.loads(ok("--schema"))


def test_the_page_and_the_file_are_up_to_date():
    made = script("schema").written()
    assert [path.name for path, text in made.items() if path.read_text() != text] == []


def test_an_unknown_key_is_refused():
    keys = {key.name: None for key in documents.KEYS["report"]}
    found = {
        **Answer("report", True).head(),
        "outputs": [],
        "warnings": [],
        "problems": [],
        **keys,
        "title": "",
        "bytes": 1,
    }
    check(found, "report")
    assert faults(found | {"more": 1}, "report") != []


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(st.floats()).map(np.array),
    )
)
def test_json_can_hold_any_facts(value):
    text = json.dumps(jsonable(value), allow_nan=False)
    assert json.loads(text) == jsonable(value)


def test_masked_and_missing_values_are_null():
    table = QTable({"x": np.ma.array([1.0, 2.0, np.nan], mask=[False, True, False])})
    assert [row["x"] for row in halo.record(table)["rows"]] == [1.0, None, None]


def test_outside_of_the_command_line_there_is_text(capsys):
    answer.answer("a line", {"not": "shown"})
    answer.warn("careful")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a line\n", "halonmf: careful\n")


def test_nothing_is_kept_from_one_command_to_the_next(made, tmp_path):
    for _ in range(2):
        found = json.loads(ok("init", made["stars"], "-o", tmp_path / "s.toml", "--overwrite", "--json"))
        assert found["outputs"] == [str(tmp_path / "s.toml")]


def test_the_help_names_the_schema():
    assert "--schema" in run("--help").output
