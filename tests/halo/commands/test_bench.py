"""`halonmf bench`: the short table, beside scikit-learn on the user's machine."""

import re

import numba
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


def test_bench_says_what_multiplies_matrices(monkeypatch):
    monkeypatch.setattr(bench, "short_table", lambda progress: [])
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    last = run("bench", "-q").stdout.splitlines()[-1]
    assert last == bench.blas()
    assert re.search(r"(openblas|mkl|blis) [\d.]+ for \w+.*; torch: ", last)
    assert "set here: OPENBLAS_CORETYPE=Nehalem" in last
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    assert "CORETYPE" not in bench.blas()


@pytest.mark.parametrize(("options", "times"), [([], 1), (["-q"], 0)])
def test_who_waits_for_kernels_to_be_compiled_is_told_once(options, times, monkeypatch):
    def compiles(progress):
        for _ in range(2):
            numba.njit(lambda x: x + 1)(1)
        return []

    monkeypatch.setattr(bench, "short_table", compiles)
    assert run("bench", *options).stderr.count("compiling kernels") == times


@pytest.mark.slow
def test_bench_times_bootstraps_iterations_and_a_fit():
    result = run("bench")
    assert result.exit_code == 0
    assert len(re.findall(r" ms +[\d.]+ ms +[\d.]+x", result.stdout)) == 3
