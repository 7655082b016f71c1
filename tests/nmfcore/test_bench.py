"""What the benchmarks compare: the same counts on both sides, ratios of the right quantities, equal loss."""

import subprocess
import sys

import numpy as np
import pytest

import nmfcore
from nmfcore import bench

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
    pair = bench.beside(lambda: calls.append("ours"), lambda: calls.append("peer"), rounds=2)
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
