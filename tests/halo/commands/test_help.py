"""The command line's help: fast, light, complete."""

import re
import resource
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from halonmf.cli import app

COMMANDS = [
    "mock",
    "prepare",
    "fit",
    "apply",
    "boundary",
    "split",
    "table",
    "eccentricity",
    "members",
    "simulation",
    "regions",
    "bifurcation",
    "aurora",
    "stability",
    "injection",
    "plot",
    "ensemble",
    "summary",
    "search",
    "demo",
    "paper",
    "bench",
    "info",
]


def run(*args, **options):
    return CliRunner().invoke(app, [str(a) for a in args], env={"COLUMNS": "120"}, **options)


def ok(*args):
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.output


def test_help_comes_in_under_half_a_second_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['halonmf', '--help']\n"
        "from halonmf.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'astropy', 'matplotlib', 'numpy', 'h5py'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    # processor time, so that a busy machine does not fail it
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


def test_help_names_every_command():
    result = run("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command}\b", result.output, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: halonmf {command}" in re.sub(r"\s+", " ", result.output)


def test_every_option_has_help():
    import typer

    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        for parameter in command.params:
            if parameter.name != "help":
                assert parameter.help, f"{name} {parameter.name}"


def test_version_is_the_installed_one():
    from importlib.metadata import version

    assert run("--version").output.strip() == f"halonmf {version('halonmf')}"


def test_no_command_is_wrong_usage_and_shows_the_help():
    result = run()
    assert result.exit_code == 2
    assert "Commands" in result.output


def test_itakura_saito_warns_of_zeros_in_the_help():
    assert "kullback-leibler" in run("fit", "--help").output
    assert "without zeros" in re.sub(r"\s+", " ", run("fit", "--help").output)
