"""The command line's help: fast, light, complete."""

import os
import re
import resource
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from halonmf.cli import app
from halonmf.halo.commands.console import first_line

COMMANDS = [
    "fetch",
    "mock",
    "prepare",
    "fit",
    "apply",
    "boundary",
    "classify",
    "split",
    "table",
    "likelihood",
    "eccentricity",
    "members",
    "simulation",
    "observe",
    "regions",
    "bifurcation",
    "aurora",
    "rank",
    "stability",
    "injection",
    "plot",
    "ensemble",
    "summary",
    "search",
    "compare",
    "zeropoints",
    "report",
    "sensitivity",
    "recompute",
    "demo",
    "paper",
    "init",
    "bench",
    "info",
]


def run(*args, **options):
    return CliRunner().invoke(app, [str(a) for a in args], env={"COLUMNS": "120"}, **options)


SHARED = ("answer", "config", "console", "interruption", "metavars", "options", "output", "paths", "progress")
"""Modules of the commands' folder that all of them may load."""


def module_of(command):
    return typer.main.get_command(app).modules[command]


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


GROUPS = ("Data", "Fit", "Results", "Populations", "Ensembles", "Checks", "Simulations", "Whole pipeline", "About")


def test_help_lists_commands_in_groups():
    titles = re.findall(r"^(\w[\w ]*):$", run("--help").output, re.MULTILINE)
    assert titles == ["Options", *GROUPS]
    assert sorted(typer.main.get_command(app).modules) == sorted(COMMANDS)


def test_first_lines_are_whole_at_80_columns():
    said = run("--help").output
    assert max(map(len, said.splitlines())) <= 80
    assert "..." not in said.replace("[ARGS]...", "")
    for name, command in typer.main.get_command(app).commands.items():
        first = first_line(command.help)
        assert first.endswith("."), name
        assert first in re.sub(r"\s+", " ", said), name
        assert name == "demo" or first in said, f"{name}: {first} takes two lines"


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)])
def test_h_is_help(words):
    assert run(*words, "-h").exit_code == 0
    assert run(*words, "-h").output == run(*words, "--help").output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_nothing_heavy(command):
    code = (
        f"import sys; sys.argv = ['halonmf', '{command}', '--help']\n"
        "from halonmf.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'astropy', 'matplotlib', 'numpy', 'h5py', 'scipy', 'numba'} & set(sys.modules)\n"
        "loaded = {name.rpartition('.')[2] for name in sys.modules if name.startswith('halonmf.halo.commands.')}\n"
        f"other = loaded - {{*{SHARED}, '{module_of(command)}'}}\n"
        "sys.exit(str(heavy | other) if heavy | other else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_completion_is_installed_and_shown():
    said = run("--help").output
    assert "--install-completion" in said
    code = "from halonmf.cli import main; main()"
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "true"}
    arguments = [sys.executable, "-c", code, "--show-completion", "bash"]
    shown = subprocess.run(arguments, env=env, check=True, capture_output=True, text=True).stdout
    assert "_HALONMF_COMPLETE=complete_bash" in shown


def test_completion_can_be_installed(tmp_path):
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "true", "HOME": str(tmp_path)}
    arguments = [sys.executable, "-c", "from halonmf.cli import main; main()", "--install-completion", "bash"]
    subprocess.run(arguments, env=env, check=True, capture_output=True)
    assert (tmp_path / ".bash_completions" / "halonmf.sh").exists()
    assert "halonmf.sh" in (tmp_path / ".bashrc").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: halonmf {command}" in re.sub(r"\s+", " ", result.output)


def test_every_option_has_help():
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
    assert "Whole pipeline:" in result.output


def test_itakura_saito_warns_of_zeros_in_the_help():
    assert "kullback-leibler" in run("fit", "--help").output
    assert "without zeros" in re.sub(r"\s+", " ", run("fit", "--help").output)


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "halonmf", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("halonmf 0.")
