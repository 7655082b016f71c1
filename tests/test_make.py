"""make says what it does while pip says nothing; Python is replaced by a script that notes how it is called."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PYTHON = """#!/bin/sh
echo "$@" >> "{log}"
case "$1 $2" in
    --version*) echo "Python 3.0";;
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/halonmf";;
esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_steps_of_setting_up_are_announced_and_are_those_that_run(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(PYTHON.format(log=tmp_path / "log"))
    (tmp_path / "python").chmod(0o755)
    words = ["make", "demo", f"PYTHON={tmp_path / 'python'}"]
    # a make that runs the tests would have this one say which folders it enters and leaves
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    said = subprocess.run(words, cwd=tmp_path, env=outside, capture_output=True, text=True, check=True).stdout
    locked = len(re.findall(r"^[a-zA-Z0-9].*==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert [line.partition(":")[0] for line in said.splitlines() if " of 4" in line] == [
        f"{i} of 4" for i in range(1, 5)
    ]
    assert f"2 of 4: {locked} packages" in said
    assert said.splitlines()[-2].startswith("demo: ")
    ran = (tmp_path / "log").read_text().splitlines()
    steps = [line for line in ran if "venv" in line or "pip install" in line]
    assert [next(i for i, word in enumerate(("venv", "--require-hashes", "torch", "--editable"), 1) if word in line)
            for line in steps] == [1, 2, 3, 4]  # fmt: skip
    again = subprocess.run(words, cwd=tmp_path, env=outside, capture_output=True, text=True, check=True).stdout
    assert " of 4" not in again
