"""What the README shows runs as it is printed, in its order, on the mock's files, in an empty folder."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()
FROM_FILES = TEXT.partition("## From files to the split")[2].partition("## In Python")[0]
IN_PYTHON = TEXT.partition("## In Python")[2].partition("## What else")[0]
TABLE = TEXT.partition("## What else")[2]
FEWER = {
    "halonmf ensemble stars.fits -o runs/ --bootstrap 1000": "halonmf ensemble stars.fits -o runs/ --bootstrap 20",
    "halonmf rank stars.fits": "halonmf rank stars.fits --splits 2 --max-components 2 --starts 1",
}
"""The same with less to compute."""
LEFT_OUT = {
    "halonmf paper paper/": "minutes; tests/halo/paper runs it",
    "halonmf paper recommended/ --analysis recommended": "minutes; tests/halo/paper runs it",
    "halonmf sensitivity stars.fits": "minutes; its own tests run it",
    "halonmf zeropoints apogee.fits galah.fits": "needs stars of two surveys",
    "halonmf classify clusters.csv --boundary boundary.ecsv": "needs a table of one's own",
    "halonmf fetch dr17 members -o data/": "needs a network",
    "halonmf prepare astraAllStarASPCAP-0.6.0.fits.gz": "needs that file",
    "halonmf prepare mine.fits --columns mapping.toml": "needs a catalogue of one's own",
    "halonmf info FILE": "FILE stands for any",
    "halonmf mock --model fair": "needs the name of a folder",
    "halonmf apply --zeropoints": "names an option",
    "halonmf report fit.h5 stars.fits": "half a minute; its own tests run it",
}


def shown(text):
    """Commands of the shell blocks of a text, as they are printed."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def calls():
    """Whole calls in the table: commands with an argument."""
    cells = re.findall(r"`(halonmf [a-z]+ [^`]+)`", TABLE)
    return [cell for cell in dict.fromkeys(cells) if not cell.startswith("halonmf --")]


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Run a line in a shell, in one folder for all."""
    folder, bin_ = tmp_path_factory.mktemp("readme"), tmp_path_factory.mktemp("bin")
    (bin_ / "halonmf").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m halonmf "$@"\n')
    (bin_ / "halonmf").chmod(0o755)
    env = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"}

    def run(line):
        done = subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.mark.slow
def test_the_commands_and_the_code_run_as_they_are_printed(shell):
    lines = shown(FROM_FILES)
    assert [line.split()[1] for line in lines] == ["mock", "prepare", "fit", "apply", "boundary", "split", "plot"]
    for line in lines:
        shell(line)
    (code,) = re.findall(r"```python\n(.*?)```", IN_PYTHON, re.DOTALL)
    said = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}")
    assert said.startswith("('LE', 'HE')")
    for line in calls():
        if line not in LEFT_OUT:
            shell(FEWER.get(line, line))


def test_what_is_left_out_or_shortened_is_in_the_table():
    assert LEFT_OUT.keys() | FEWER.keys() <= {*calls()}
