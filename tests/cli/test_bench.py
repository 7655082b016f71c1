"""`halonmf bench`: the short table, beside scikit-learn on the user's machine."""

import re

import pytest

from nmfcore import bench

from .test_help import run


def test_bench_prints_milliseconds_and_ratios(monkeypatch):
    rows = [bench.Row("one thing", 0.25, "cd", 10.0, 40.0), bench.Row("another", 2.0, "mu", 1.0, 0.5)]
    monkeypatch.setattr(bench, "short_table", lambda progress: rows)
    result = run("bench", "-q")
    assert result.exit_code == 0
    assert re.search(r"^one thing +0\.250 ms +10\.000 ms +40\.0x  cd$", result.stdout, re.MULTILINE)
    assert re.search(r"^another +2\.000 ms +1\.000 ms +0\.5x  mu$", result.stdout, re.MULTILINE)


@pytest.mark.slow
def test_bench_times_bootstraps_iterations_and_a_fit():
    result = run("bench")
    assert result.exit_code == 0
    assert len(re.findall(r" ms +[\d.]+ ms +[\d.]+x", result.stdout)) == 3
