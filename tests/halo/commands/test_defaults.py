"""The command line's defaults and choices are those of the functions and settings that it calls."""

import inspect
from pathlib import Path

import pytest

import halonmf.cli as cli
from halonmf.halo.checks.injection import COMPONENTS, Stream
from halonmf.halo.commands import checks as check_commands
from halonmf.halo.commands import components as component_commands
from halonmf.halo.commands import demo
from halonmf.halo.commands import fit as commands
from halonmf.halo.commands import populations as study_commands
from halonmf.halo.ensembles import archive as summary_files
from halonmf.halo.errors import HalonmfError
from halonmf.halo.fits import intervals
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.settings import parse_axes
from halonmf.halo.mock import survey as mock
from halonmf.halo.orbits import kinematics as orbits
from halonmf.halo.paper import run as paper
from halonmf.halo.paper.study import PaperSettings
from halonmf.halo.products.boundary import boundary
from halonmf.halo.products.four import FILLS, ORDERS, SplitSettings
from halonmf.halo.products.overview import PROFILE_AXES
from halonmf.halo.products.profile import profile_of
from halonmf.halo.stars.selection import SELECTIONS
from halonmf.halo.survey.prepare import PrepareSettings


class CallError(HalonmfError):
    """Stands for a call; holds its arguments."""


@pytest.fixture
def catch(monkeypatch):
    """Run a command with nothing but files, up to its one call; returns the arguments of that by name."""

    def run(command, module, name, *files):
        function = getattr(module, name)

        def stand_in(*args, **options):
            raise CallError(inspect.signature(function).bind(*args, **options).arguments)

        monkeypatch.setattr(module, name, stand_in)
        with pytest.raises(CallError) as caught:
            inspect.unwrap(command)(*files)
        return caught.value.args[0]

    return run


def defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def test_fit_fits_as_the_settings_do(catch):
    given = catch(cli.fit, commands, "fit", Path("stars.fits"))
    assert given["settings"] == FitSettings()


def test_paper_runs_as_the_settings_do(catch):
    given = catch(cli.paper, paper, "run", Path("paper"))
    assert given["settings"] == PaperSettings()
    assert not given["overwrite"]


def test_prepare_prepares_as_the_settings_do(catch):
    given = catch(cli.prepare, commands, "prepare", Path("a.fits"), Path("b.fits"))
    assert given["settings"] == PrepareSettings()


def test_boundary_looks_where_the_functions_do(catch):
    expected = defaults(commands.boundary)
    given = catch(cli.boundary, commands, "boundary", Path("fit.h5"), Path("stars.fits"))
    assert {name: given[name] for name in expected} == expected
    theirs = defaults(boundary)
    del theirs["settings"]
    assert {name: given[name] for name in theirs} == theirs


def test_apply_makes_the_profile_of_the_products(catch):
    expected = defaults(commands.apply)
    given = catch(cli.apply, commands, "apply", Path("fit.h5"), Path("stars.fits"))
    assert given["axes"] == parse_axes(PROFILE_AXES)
    assert given["min_stars"] == defaults(profile_of)["min_stars"]
    assert {name: given[name] for name in expected} == expected


def test_split_splits_as_the_settings_do(catch):
    expected = defaults(component_commands.split)
    given = catch(cli.split, component_commands, "split", Path("fit.h5"), Path("stars.fits"))
    assert given["settings"] == SplitSettings()
    assert {name: given[name] for name in expected} == expected


def test_table_is_the_papers(catch):
    expected = defaults(component_commands.table)
    given = catch(cli.table, component_commands, "table", [Path("fit.h5")])
    assert {name: given[name] for name in expected} == expected


def test_eccentricities_are_the_papers(catch):
    expected = defaults(component_commands.eccentricity)
    given = catch(cli.eccentricity, component_commands, "eccentricity", Path("fit.h5"), Path("stars.fits"))
    assert {name: given[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("members", ["fit.h5", "stars.fits"]),
        ("regions", ["stars.fits"]),
        ("bifurcation", ["stars.fits"]),
        ("aurora", ["fit.h5", "stars.fits"]),
        ("stability", ["stars.fits"]),
        ("injection", ["stars.fits"]),
    ],
)
def test_studies_are_the_papers(catch, name, files):
    module = check_commands if name in ("stability", "injection") else study_commands
    expected = defaults(getattr(module, name))
    given = catch(getattr(cli, name), module, name, *map(Path, files))
    if "settings" in given:
        assert given["settings"] == FitSettings.of(components=COMPONENTS if name == "injection" else 2)
        expected.pop("settings")
    if "stream" in given:
        assert given["stream"] == Stream()
        expected.pop("stream")
    assert {option: given[option] for option in expected} == expected


def test_simulations_are_binned_as_the_papers(catch):
    expected = defaults(check_commands.simulation)
    given = catch(cli.simulation, check_commands, "simulation", [Path("a.h5")], Path("map.toml"))
    assert {option: given[option] for option in expected} == expected


def test_summary_writes_what_the_function_does(catch):
    expected = defaults(summary_files.publish)
    given = catch(cli.summary, summary_files, "publish", Path("runs"))
    assert {name: given[name] for name in expected} == expected


@pytest.mark.parametrize(("command", "module", "name"), [(cli.mock, mock, "make"), (cli.demo, demo, "run")])
def test_mocks_are_those_of_the_functions(catch, command, module, name):
    expected = defaults(getattr(module, name))
    given = catch(command, module, name, Path("mock"))
    del given["progress"]
    assert {name: expected[name] for name in given if name in expected} == {
        name: value for name, value in given.items() if name in expected
    }
    assert {"seed", "overwrite"} <= given.keys()


@pytest.mark.parametrize(
    ("choices", "known"),
    [
        (cli.Selection, SELECTIONS),
        (cli.Backend, orbits.BACKENDS),
        (cli.Eccentricity, orbits.ECCENTRICITIES),
        (cli.Fill, FILLS),
        (cli.Order, ORDERS),
        (cli.Interval, intervals.TYPES),
    ],
)
def test_the_choices_are_those_of_the_functions(choices, known):
    assert {choice.value for choice in choices} == set(known)
