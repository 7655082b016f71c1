"""Options are the fields of settings: help, defaults and choices stand there, and nowhere else."""

import dataclasses
import importlib
import inspect
import re
import shlex
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from halonmf.cli import Commands, app
from halonmf.halo.checks.injection import inject
from halonmf.halo.checks.penalties import search
from halonmf.halo.checks.rank import rank
from halonmf.halo.checks.settings import ORBIT, InjectionSettings, RankSettings, SearchSettings, StabilitySettings
from halonmf.halo.checks.stability import stability
from halonmf.halo.commands import options
from halonmf.halo.commands.options import Only, command, settings_fields
from halonmf.halo.errors import UsageError
from halonmf.halo.fields import LIMITS, LINE, NAMED, NUMBERS, STEPS, WHOLE_NUMBERS, Argument, Option, number
from halonmf.halo.fits.bootstrap import refit
from halonmf.halo.fits.intervals import TYPES
from halonmf.halo.fits.likelihood import likelihood
from halonmf.halo.fits.settings import INTERVALS, Bootstrap, FitSettings, LikelihoodSettings
from halonmf.halo.mixtures.settings import AXES, DEFAULT_PLANES, parse_axes
from halonmf.halo.mock.settings import MockSettings
from halonmf.halo.mock.survey import make
from halonmf.halo.populations.aurora import aurora
from halonmf.halo.populations.bifurcation import bifurcation
from halonmf.halo.populations.regions import region_energies
from halonmf.halo.populations.settings import AuroraSettings, BifurcationSettings, RegionSettings
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.eccentricity import eccentricities
from halonmf.halo.products.memberships import memberships
from halonmf.halo.products.overview import PROFILE_AXES
from halonmf.halo.products.profile import profile
from halonmf.halo.products.settings import (
    PRIOR_COUNTS,
    ApplySettings,
    BoundarySettings,
    EccentricitySettings,
    TableSettings,
)
from halonmf.halo.products.table1 import table1
from halonmf.halo.simulations.fractions import simulate
from halonmf.halo.simulations.settings import SimulationSettings
from halonmf.halo.stars.settings import Selection
from halonmf.halo.stars.variables import VARIABLES

from .test_help import COMMANDS, run


def command_of(name):
    modules = typer.main.get_command(app).modules
    return getattr(importlib.import_module(f"halonmf.halo.commands.{modules[name]}"), name)


ALL = {name: command_of(name) for name in COMMANDS}


@pytest.fixture(autouse=True)
def files(monkeypatch):
    """Whatever is named is there: these tests type commands and run none."""
    monkeypatch.setattr(options, "check_there", lambda given, **_: None)


@pytest.fixture
def typed(monkeypatch):
    """Type a command, up to the call of its function; returns what that is given."""

    def call(name, *arguments):
        caught, one = {}, ALL[name]
        assert one.parts
        monkeypatch.setattr(one, "function", lambda **values: caught.update(values))
        result = run(name, *arguments)
        assert result.exit_code == 0, result.output
        return caught

    return call


def required(name):
    """Arguments and options without which a command is not called."""
    words = []
    for field in ALL[name].fields:
        if field.default is inspect.Parameter.empty:
            words += ["x.h5"] if isinstance(field.option, Argument) else [field.flags[0], "x.toml"]
    return words


def defaults_of(name):
    """Settings of a command by parameter, and as Python makes them."""
    for parameter, part in ALL[name].parts.items():
        cls = getattr(part, "cls", None)
        if cls is not None:
            yield parameter, (cls.of() if hasattr(cls, "of") else cls())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_without_options_has_the_defaults_of_python(name, typed):
    given = typed(name, *required(name))
    for parameter, settings in defaults_of(name):
        if name == "injection" and parameter == "settings":
            settings = settings.replace(components=3)
        if name == "rank" and parameter == "settings":
            settings = settings.replace(pixels=20)
        assert given[parameter] == settings
    for parameter, one in inspect.signature(inspect.unwrap(ALL[name])).parameters.items():
        if one.default is not one.empty and parameter in given:
            assert given[parameter] == one.default


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (boundary, BoundarySettings),
        (profile, ApplySettings),
        (table1, TableSettings),
        (likelihood, LikelihoodSettings),
        (eccentricities, EccentricitySettings),
        (region_energies, RegionSettings),
        (bifurcation, BifurcationSettings),
        (aurora, AuroraSettings),
        (rank, RankSettings),
        (stability, StabilitySettings),
        (inject, InjectionSettings),
        (search, SearchSettings),
        (simulate, SimulationSettings),
        (make, MockSettings),
    ],
)
def test_functions_have_the_defaults_of_the_settings(function, settings):
    signature = inspect.signature(function).parameters
    names = [field.name for field in dataclasses.fields(settings) if field.name in signature]
    assert names
    assert {name: signature[name].default for name in names} == {name: getattr(settings, name) for name in names}


def test_functions_that_name_them_otherwise_have_the_defaults_of_the_settings():
    assert inspect.signature(refit).parameters["replicates"].default == Bootstrap.replicates
    assert inspect.signature(make).parameters["n_stars"].default == MockSettings.stars
    assert inspect.signature(table1).parameters["q"].default == TableSettings.percentiles
    assert inspect.signature(search).parameters["number"].default == SearchSettings.folds
    assert inspect.signature(memberships).parameters["prior_counts"].default == PRIOR_COUNTS
    assert ApplySettings.by == PROFILE_AXES


def test_types_of_intervals_are_those_that_are_computed():
    assert tuple(TYPES) == INTERVALS


def test_the_split_names_its_tables_by_columns():
    from halonmf.halo.commands.components import DISTANCES

    assert {name: VARIABLES[name].column for name in DISTANCES} == DISTANCES


@pytest.mark.parametrize("name", COMMANDS)
def test_texts_of_defaults_are_read_as_the_defaults(name):
    for field in ALL[name].fields:
        if field.form is not None and not field.repeatable and field.default is not None:
            assert field.form.parse(field.form.write(field.default), "--x") == field.default


def as_toml(field):
    if field.repeatable:
        return None
    value = field.form.write(field.default) if field.form else field.default
    return f'"{value}"' if isinstance(value, str | Path) else str(value).lower()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_default_may_stand_in_a_configuration_file(name, typed, tmp_path):
    lines = [
        f"{field.flags[0].partition('/')[0].removeprefix('--')} = {as_toml(field)}"
        for field in ALL[name].fields
        if field.flags and field.default not in (None, inspect.Parameter.empty) and not field.repeatable
    ]
    (tmp_path / "c.toml").write_text("\n".join([f"[{name}]", *lines]))
    file = ["--config", tmp_path / "c.toml"] if lines else []
    assert typed(name, *required(name), *file) == typed(name, *required(name))


def test_settings_from_a_file_reach_every_part(typed, tmp_path):
    (tmp_path / "c.toml").write_text(
        '[ensemble]\nbootstrap = 7\nscheme = "poisson"\npixels = 11\nalpha-W = 0.5\ncut = ["LOGG<2"]\nthreads = 2\n'
        '[ensemble.sweep]\nloss = ["frobenius", 1]\n'
    )
    given = typed("ensemble", "stars.fits", "--config", tmp_path / "c.toml")
    plan = given["plan"]
    assert (plan.replicates, plan.base.scheme, plan.base.fit.chemistry.pixels) == (7, "poisson", 11)
    assert (plan.base.fit.solver.alpha_W, plan.base.fit.selection.cuts) == (0.5, ("LOGG<2",))
    assert (plan.sweeps[0].values, given["options"].threads) == (("frobenius", "1"), 2)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_call_of_its_command(name, typed):
    program, command_name, *words = shlex.split(ALL[name].example)
    assert (program, command_name) == ("halonmf", name)
    typed(name, *words)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_without_a_suffix_takes_that_of_its_kind(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for field in ALL[name].fields:
        if "--output" in field.flags:
            assert field.read(Path("some/name")) == Path(f"some/name{field.default.suffix}")
            assert field.read(Path("name.other")) == Path("name.other")


def test_an_option_is_declared_once():
    """The same flag has the same help wherever it is not that of a settings class, but for what a command writes."""
    declared = {}
    for name, one in ALL.items():
        for part in one.parts.values():
            if not hasattr(part, "cls") and not isinstance(part.option, Argument) and "--output" not in part.flags:
                for flag in part.flags:
                    declared.setdefault(flag, {}).setdefault(part.help, []).append(name)
    helps = {flag: texts for flag, texts in declared.items() if len(texts) > 1}
    assert not helps


def test_no_option_stands_in_a_command_that_a_settings_class_of_it_has():
    for name, one in ALL.items():
        flags = [flag for field in one.fields for flag in field.flags]
        assert len(flags) == len(set(flags)), name


def test_flags_are_given_by_the_fields():
    flags = {field.keyword: field.flags for field in settings_fields(FitSettings)}
    assert flags["components"] == ("--components", "-k")
    assert flags["alpha_W"] == ("--alpha-W",)
    assert flags["ranges"] == ("--range",)
    assert flags["selection"] == ("--selection",)


def test_only_some_fields_with_other_defaults():
    some = settings_fields(FitSettings, Only("pixels", "components", components=3))
    assert {field.keyword: field.default for field in some} == {"pixels": 50, "components": 3}
    with pytest.raises(AssertionError, match="pixel"):
        settings_fields(FitSettings, Only("pixel"))


def test_texts_become_settings(typed):
    words = ("--bins", "r:6", "--plane", "AL_FE:MG_FE", "--range", "AL_FE:-0.5:0.5", "--cut", "LOGG<2", "--cut", "E>-2")
    settings = typed("fit", "stars.fits", *words)["settings"]
    assert settings.axes == parse_axes("r:6")
    assert [str(plane) for plane in settings.chemistry.planes] == ["AL_FE:MG_FE"]
    assert settings.chemistry.limits == {"MG_FE": (-0.2, 0.5), "AL_FE": (-0.5, 0.5)}
    assert settings.selection == Selection(cuts=("LOGG<2", "E>-2"))
    assert typed("fit", "stars.fits")["settings"].chemistry.planes == DEFAULT_PLANES


def test_a_stream_is_planted_as_typed(typed):
    given = typed("injection", "s.fits", "--abundance", "FE_H:-1.5", "--orbit", "-1.7e5:20", "--numbers", "20,1500")
    assert given["stream"].abundances == (("FE_H", -1.5),)
    assert given["orbit"] == (-1.7e5, 20.0)
    assert given["planted"].numbers == (20, 1500)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (LIMITS, "-2.5e5:-1e5"),
        (LIMITS, "-0.9:-0.2"),
        (NUMBERS, "0.02,0.05,0.1"),
        (WHOLE_NUMBERS, "200,1500"),
        (STEPS, "5:12"),
        (STEPS, "10:60:5"),
        (LINE, "-0.9:0.175:-0.2:0.195"),
        (NAMED, "FE_H:-1.5"),
        (ORBIT, "-1.6e5:-500"),
        (AXES, "E:8,Lz:8"),
    ],
)
def test_forms_write_what_they_read(form, text):
    assert form.write(form.parse(text, "--x")) == text


def test_a_text_that_cannot_be_read_names_the_option_and_the_form():
    with pytest.raises(UsageError, match=r"--E-range '1-2': expected LOW:HIGH\."):
        LIMITS.parse("1-2", "--E-range")


@pytest.mark.parametrize(("x", "text"), [(-250000.0, "-2.5e5"), (-2000.0, "-2000"), (0.1, "0.1"), (1e6, "1e+06")])
def test_numbers_are_written_in_few_characters(x, text):
    assert number(x) == text
    assert float(number(x)) == x


# how to add a command: one file and one line

NEW = '''
    """A command of one's own."""

    from __future__ import annotations

    from dataclasses import dataclass
    from typing import Annotated

    import typer

    from halonmf.halo.commands.options import Stars, command
    from halonmf.halo.fields import Option


    @dataclass(frozen=True)
    class Greeting:
        times: Annotated[int, "How often.", Option(minimum=1)] = 2
        loud: Annotated[bool, "Shout."] = False


    @command("halonmf hello stars.fits --times 3")
    def hello(stars: Stars, *, settings: Greeting) -> None:
        """Greet a catalogue."""
        word = "HELLO" if settings.loud else "hello"
        typer.echo(f"{' '.join([word] * settings.times)} -> {stars}")
'''


@pytest.fixture
def greeting(tmp_path, monkeypatch):
    """The command line with one more file and one more line."""
    (tmp_path / "hello.py").write_text(textwrap.dedent(NEW))
    spec = importlib.util.spec_from_file_location("halonmf.halo.commands.hello", tmp_path / "hello.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(Commands, "groups", {**Commands.groups, "Greetings": {"hello": ("hello",)}})


def test_a_new_command_is_one_file_and_one_line(greeting, tmp_path):
    assert re.search(r"^Greetings:\n  hello  Greet a catalogue\.", run("--help").output, re.MULTILINE)
    assert run("hello", "stars.fits").output == "hello hello -> stars.fits\n"
    assert run("hello", "stars.fits", "--times", 1, "--loud").output == "HELLO -> stars.fits\n"
    assert run("hello", "stars.fits", "--times", 0).exit_code == 2
    (tmp_path / "c.toml").write_text("[hello]\ntimes = 3\nloud = true\n")
    assert run("hello", "stars.fits", "--config", tmp_path / "c.toml").output == "HELLO HELLO HELLO -> stars.fits\n"
    assert "How often.  [default: 2; x>=1]" in run("hello", "-h").output


def test_a_parameter_without_a_help_is_a_mistake():
    @command("halonmf wrong")
    def wrong(times: int = 2) -> None:
        """Be wrong."""

    with pytest.raises(AssertionError, match="times has no help"):
        _ = wrong.parts


def test_a_choice_of_a_field_is_checked():
    @dataclasses.dataclass(frozen=True)
    class Colour:
        name: Annotated[str, "Which.", Option(choices=("red", "green"))] = "red"

    assert [field.option.choices for field in settings_fields(Colour)] == [("red", "green")]


def test_completion_knows_commands_options_and_choices():
    def complete(line):
        env = {"_HALONMF_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return CliRunner().invoke(app, [], env=env, prog_name="halonmf").output.split()

    assert complete("halonmf bo") == ["boundary"]
    assert "--level" in complete("halonmf boundary --le")
    assert complete("halonmf fit --selection retro") == ["retrograde"]


def test_contributing_shows_that_command():
    text = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text()
    shown = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Greeting" in block)
    ours = textwrap.dedent(NEW).strip()
    for line in [
        line.strip() for line in ours.splitlines() if line.strip() and "import" not in line and "own." not in line
    ]:
        assert line in shown, line
    assert '"hello": ("hello",)' in text
