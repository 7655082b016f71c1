"""Completion in three shells: commands, options, choices, names and files, soon enough to be of use while one types."""

import os
import resource
import shlex
import shutil
import subprocess
import sys

import pytest

SHELLS = ("bash", "zsh", "fish")


def complete(shell, line, action="get-args"):
    """Return the exit code and the lines that a shell is given for what is typed."""
    words = line.split(" ")
    env = {
        **os.environ,
        "_HALONMF_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": action,
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run([sys.executable, "-m", "halonmf"], env=env, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("halonmf compa", ["compare"]),
        ("halonmf fit --pix", ["--pixels"]),
        ("halonmf fit --selection kin", ["kinematically-pure"]),
        ("halonmf fetch dr", ["dr17", "dr17-full"]),
    ],
    ids=["command", "option", "choice", "name"],
)
def test_words_are_completed(shell, line, wanted):
    code, said = complete(shell, line)
    assert code == 0
    for word in wanted:
        assert word in said
    assert "retrograde" not in said
    assert "sample" not in said


@pytest.mark.parametrize("line", ["halonmf fit st", "halonmf fit stars.fits -o re", "halonmf apply fit.h5 s"])
def test_where_a_file_is_wanted_the_shell_completes_files(line):
    assert complete("bash", line)[1].strip() == ""  # then `complete -o default` has bash's own files
    assert complete("zsh", line)[1].strip() == "_files"
    code, said = complete("fish", line, "is-args")
    assert (code, said.strip()) == (1, "")  # the rule does not hold, and fish has its own files


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_for_the_shell_is_shown(shell):
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "true"}
    words = [sys.executable, "-m", "halonmf", "--show-completion", shell]
    shown = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
    assert f"_HALONMF_COMPLETE=complete_{shell}" in shown


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_itself_completes_by_the_script(tmp_path):
    (tmp_path / "halonmf").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m halonmf "$@"\n')
    (tmp_path / "halonmf").chmod(0o755)
    code = (
        "source <(halonmf --show-completion bash); COMP_WORDS=(halonmf fetch members mwm); COMP_CWORD=3; "
        '_halonmf_completion halonmf; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "true"}
    done = subprocess.run(["bash", "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "mwm-dr19\n"


def test_completing_takes_less_than_half_a_second_of_the_processor():
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        complete("bash", "halonmf fit --")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5
