"""What the benchmarks compare: the same counts on both sides, ratios of the right quantities, equal loss."""

import ast
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import nmfcore
from nmfcore import bench
from nmfcore.kernels.cuda import devices

STARS = bench.mock_stars(stars=900, bins=9, pixels=8)


def test_the_peer_fits_the_counts_that_the_engine_resamples():
    pattern = nmfcore.bootstrap(STARS.rows, STARS.columns, STARS.shape, replicates=1)
    np.testing.assert_array_equal(bench.dense_counts(STARS), pattern.base_dense())


def test_a_resample_holds_as_many_stars_and_not_the_same_ones():
    # a star outside an image is not counted, so the mock is made to lie inside for the count
    inside = bench.Stars(STARS.rows, np.abs(STARS.columns), STARS.shape)
    V = bench.resampled(inside, 1)
    assert V.sum() == 2 * 900
    assert (V != bench.counts(inside)).nnz > 0
    assert (V != bench.resampled(inside, 1)).nnz == 0


def test_stars_outside_the_images_are_minus_one():
    far = bench._pixel(np.array([-0.1, 0.0, 0.49, 0.5, 0.999, 1.0]), 0.0, 1.0, 2)
    assert far.tolist() == [-1, 0, 0, 1, 1, -1]


def test_the_ratio_is_of_the_best_rounds():
    assert bench.Pair(ours=[2.0, 1.0, 3.0], peer=[30.0, 10.0, 20.0]).ratio == 10.0


def test_rounds_are_taken_in_turn_after_one_untimed_call():
    calls = []
    pair = bench.in_turn(lambda: calls.append("ours"), lambda: calls.append("peer"), rounds=2)
    assert calls == ["ours", "ours", "peer", "ours", "peer"]
    assert [len(x) for x in pair] == [2, 2]


def test_costs_are_per_fit():
    row = bench._row("x", bench.Pair([2.0], [3.0]), 100, "cd", 10)
    assert (row.ours_ms, row.peer_ms, row.ratio) == pytest.approx((20.0, 300.0, 15.0))


def test_the_tolerance_is_the_loosest_that_brings_the_peer_to_the_loss():
    V = bench.dense_counts(STARS)
    losses = {tol: bench.frobenius(V, *bench.peer_fit(V, 2, tol=tol)) for tol in bench.TOLERANCES}
    easy = losses[1e-4] * (1 + 1e-9)
    assert bench.tolerance([V], [easy], 2) == 1e-4
    assert bench.tolerance([V], [losses[1e-8] * 0.9], 2) == bench.TOLERANCES[-1]


def test_the_loss_is_half_the_squared_distance():
    V, W, H = np.array([[3.0, 1.0]]), np.array([[1.0]]), np.array([[1.0, 1.0]])
    assert bench.frobenius(V, W, H) == 2.0


def test_both_sides_are_limited_and_the_number_of_threads_is_put_back():
    import torch
    from threadpoolctl import threadpool_info

    before = torch.get_num_threads()
    with bench.threads(2):
        assert torch.get_num_threads() == 2
    with bench.threads(1):
        assert {library["num_threads"] for library in threadpool_info()} == {1}
    assert torch.get_num_threads() == before


def test_scikit_learn_is_loaded_before_its_libraries_are_limited():
    # in a process of its own: a library that is loaded after the limit was set would use all cores
    code = (
        "import sys\nfrom nmfcore import bench\nwith bench.threads(1):\n"
        "    sys.exit(0 if 'sklearn.decomposition' in sys.modules else 'not loaded')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text()


@pytest.fixture
def scripts(monkeypatch):
    """The folder of the benchmarks, from where its scripts import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return ROOT / "benchmarks"


def test_the_page_has_every_benchmark_and_every_target(scripts):
    names = re.findall(r"^def (test_\w+)", (scripts / "test_engine.py").read_text(), re.MULTILINE)
    assert sorted(re.findall(r"^\| `(test_\w+)`", PAGE, re.MULTILINE)) == sorted(names)
    block = re.search(r"^TARGETS = (\{.*?^\})", (scripts / "targets.py").read_text(), re.MULTILINE | re.DOTALL)
    targets = ast.literal_eval(block.group(1))
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name, *limits in zip(*(cell.split(", ") for cell in cells[:3]), strict=False):
            if name.strip("`") in targets:
                found[name.strip("`")] = tuple(float(x) for x in limits)
    assert found == {name: tuple(float(x) for x in limits[:2]) for name, limits in targets.items()}


SAVED = {
    "one": {"ratio": 10.0, "peer": "cd", "slow": False, "counters": {"loss": 1.0, "iterations": 7, "allocations": 3}},
    "two": {"ratio": 4.0, "peer": "mu", "slow": True, "counters": {"bytes_moved": 100}},
}


def changed(name="one", ratio=None, **counters):
    new = {key: value | {"counters": dict(value["counters"])} for key, value in SAVED.items()}
    new[name]["ratio"] = ratio or new[name]["ratio"]
    new[name]["counters"] |= counters
    return new


@pytest.mark.parametrize(
    ("new", "failed", "noted"),
    [
        (SAVED, [], []),
        (changed(ratio=7.1), [], []),
        (changed(ratio=6.9), ["ratio to cd"], []),
        (changed(ratio=13.1), [], ["faster: ratio to cd"]),
        (changed(loss=1 + 1e-10), [], []),
        (changed(loss=1 + 1e-8), ["loss"], []),
        (changed(iterations=8), ["iterations"], []),
        (changed(allocations=2), ["allocations"], []),
        (changed("two", bytes_moved=101), ["bytes_moved"], []),
        (changed(extra=1), [], ["extra, not saved yet"]),
        ({"one": SAVED["one"]}, [], ["not run"]),
        ({"two": SAVED["two"]}, ["not run"], []),
        (SAVED | {"three": SAVED["one"]}, [], ["not saved yet"]),
    ],
)
def test_counters_are_held_exactly_and_ratios_to_thirty_per_cent(new, failed, noted, scripts):
    failures, notes = importlib.import_module("compare").compare(SAVED, new)
    assert ([row[1] for row in failures], [row[1] for row in notes]) == (failed, noted)


def test_a_run_is_saved_with_where_it_was_made_and_then_compared(scripts, tmp_path, capsys):
    compare = importlib.import_module("compare")
    run, saved = tmp_path / "run.json", tmp_path / "saved.json"
    run.write_text(json.dumps({"benchmarks": [{"name": name, "extra_info": info} for name, info in SAVED.items()]}))
    assert compare.main([str(run), "--saved", str(saved), "--save"]) == 0
    record = json.loads(saved.read_text())
    assert record["benchmarks"] == SAVED
    assert record["provenance"]["machine"]["blas"] == bench.blas()
    assert {"processor", "cores", "load", "system"} < set(record["provenance"]["machine"])
    assert record["provenance"]["commit"]
    assert compare.main([str(run), "--saved", str(saved)]) == 0
    slower = {"benchmarks": [{"name": name, "extra_info": info} for name, info in changed(ratio=5.0).items()]}
    run.write_text(json.dumps(slower))
    assert compare.main([str(run), "--saved", str(saved)]) == 1
    assert "ratio to cd" in capsys.readouterr().out


def test_the_report_fills_its_place_in_the_readme_and_leaves_the_rest(scripts):
    report, marked = importlib.import_module("report"), importlib.import_module("marked")
    page = (ROOT / "docs" / "speed.md").read_text()
    rows = [
        {"target": "dense_fit", "threads": 1, "value": 0.5, "sense": "most", "must": 1.0},
        {"target": "dense_fit", "threads": 1, "value": 0.75, "sense": "most", "must": 1.0},
        {"target": "k2_bootstrap", "threads": 2, "value": 39.0, "sense": "least", "must": 40},
    ]
    record = {"machine": {"processor": "X", "cores": 2}, "commit": "abc"}
    table = report.table({"rows": rows, "provenance": record})
    assert "| 0.75 times scikit-learn's time |  | 1.00 |" in table  # the worse of two rows; nothing on two threads
    assert "|  | 39x faster than scikit-learn cd (short of the target) | 40x |" in table
    empty = marked.put(page, report.MARKERS, "").replace(report.MARKERS[0] + "\n\n", report.MARKERS[0] + "\n")
    for start in (page, empty):
        filled = marked.put(start, report.MARKERS, table)
        assert marked.between(filled, report.MARKERS) == table
        assert filled.replace(table + "\n", "") == empty


ALONE = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"astropy", "galpy", "typer", "rich", "h5py", "matplotlib", "halonmf", "halo"}:
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, "benchmarks")
import gpu
from machine import provenance
stars = gpu.mock_stars(stars=60, bins=3, pixels=3)
figures, answer = gpu.timed(lambda: gpu.converged(stars, 2, 2, "cpu"), 1)
assert figures["median_ms"] > 0 and answer.W.shape == (2, 3, 2), figures
assert gpu.compared(stars, answer, 2, 2)["largest_relative_loss_difference"] == 0
assert gpu.multiplied(stars, 2, "cpu", 3).n_iter.max() <= 3
assert {"blas", "processor"} < set(provenance()["machine"])
"""


@pytest.mark.slow
def test_the_gpu_benchmark_needs_nothing_but_the_engine():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", ALONE], check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def test_the_gpu_script_says_where_there_is_no_gpu(tmp_path):
    if devices.visible_devices("cuda"):
        pytest.skip("a GPU is here")
    environment = os.environ | {"PYTHON": sys.executable}
    command = ["bash", str(ROOT / "benchmarks" / "gpu.sh"), str(tmp_path / "new")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no such CUDA device" in done.stderr or "lacks cuda-core" in done.stderr
    assert list((tmp_path / "new").iterdir()) == []
