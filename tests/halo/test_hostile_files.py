"""Damaged and hostile files: one line, a known exit code, within limits of time and memory, nothing half-made."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.judge import Case, emptied, judge

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "only"), [(1, ""), (2, "mutation")])
def test_no_file_gets_more_than_a_known_error(tmp_path, seed, only):
    command = [sys.executable, "-m", "tests.fuzz", "--seed", str(seed), "--output", str(tmp_path / "fuzz.json")]
    command += ["--cases", "500" if not only else "110", *(["--only", only] if only else [])]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    found = json.loads((tmp_path / "fuzz.json").read_text())
    assert found["bad"] == 0
    assert found["cases"] >= 100
    assert found["exit codes"]["3"] > found["cases"] / 2  # most are refused, and as bad input


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise RuntimeError('no')", "no known error"),
        ("raise SystemExit(7)", "exit code 7"),
        ("import sys; sys.stderr.write('a\\nb\\n'); raise SystemExit(3)", "2 lines"),
        ("import sys; sys.stderr.write('\\x1b[2J'); raise SystemExit(3)", "control characters"),
        ("open('out.fits', 'w').close(); raise SystemExit(3)", "an output is there all the same"),
        ("open('.out.fits.host.1.tmp', 'w').close(); raise SystemExit(3)", "temporary files are left"),
    ],
)
def test_the_judge_sees_what_is_wrong(tmp_path, code, says, monkeypatch):
    folder = emptied(tmp_path / "case")
    monkeypatch.setattr("halonmf.cli.app", lambda *_, **__: exec(code))
    verdict = judge(Case("a case", (), folder / "out.fits"), folder)
    assert any(says in wrong for wrong in verdict.wrong)
    assert not list(folder.glob("out.fits"))


def test_the_judge_lets_a_known_error_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "halonmf.cli.app", lambda *_, **__: exec("import sys; sys.stderr.write('halonmf: no\\n'); raise SystemExit(3)")
    )
    assert judge(Case("a case", ()), emptied(tmp_path / "case")).wrong == ()
