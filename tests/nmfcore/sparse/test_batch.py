"""Dense batches of small problems: by kernels, with the results of single fits."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import Status, Stop
from nmfcore.sparse import batch


def problems(B, m=12, n=20, k=3, dtype=np.float64):
    rng = np.random.default_rng(0)
    return (rng.gamma(0.7, 1, (B, m, k)) @ rng.gamma(0.7, 1, (B, k, n)) * rng.gamma(4, 0.25, (B, m, n))).astype(dtype)


@pytest.mark.parametrize(("k", "starts"), [(3, 1), (3, 3)])
def test_a_replicate_of_a_batch_is_the_single_fit(k, starts):
    V = problems(batch.FEWEST)
    V[5] = 0
    V[6, 3], V[6, :, 7] = 0, 0
    together = nmfcore.factorize(V, k, starts=starts, seed=2)
    for b in (0, 5, 6, batch.FEWEST - 1):
        alone = nmfcore.factorize(V[b], k, starts=starts, seed=2, first_replicate=b)
        assert float(together.loss[b]) == pytest.approx(float(alone.loss), rel=1e-6, abs=1e-12)
        np.testing.assert_allclose(together.fractions[b], alone.fractions, atol=1e-4)
        assert together.status[b] == alone.status == Status.CONVERGED


def test_kernels_take_batches_of_small_problems_alone(monkeypatch):
    seen = []
    monkeypatch.setattr(batch, "plan_pattern", lambda request: seen.append(request.V.shape) or batch.Dense(request))
    stop = Stop(max_iter=3)
    nmfcore.factorize(problems(batch.FEWEST), 2, stop=stop)
    nmfcore.factorize(problems(batch.FEWEST - 1), 2, stop=stop)
    nmfcore.factorize(problems(batch.FEWEST, 200, 200), 2, stop=stop)
    nmfcore.factorize(problems(batch.FEWEST), 2, stop=stop, weight=np.ones(20))
    assert seen == [(batch.FEWEST, 12, 20)]


def test_tensors_come_back_as_tensors_of_their_type():
    V = torch.from_numpy(problems(batch.FEWEST))
    result = nmfcore.factorize(V, 3, starts=1)
    assert isinstance(result.W, torch.Tensor)
    assert result.H.dtype == torch.float64
    assert result.H.shape == (batch.FEWEST, 3, 20)


def test_data_of_extreme_scale_are_solved_all_the_same():
    V = problems(batch.FEWEST)
    plain, tiny = (
        nmfcore.factorize(V * scale, 3, init="random", starts=1, update="ehals") for scale in (1.0, 4.0**-50)
    )
    np.testing.assert_allclose(tiny.loss * 16.0**50, plain.loss, rtol=1e-6)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_a_replicate_far_below_the_others_ends_where_it_does_alone(loss):
    V = np.random.default_rng(5).random((2 * batch.FEWEST, 5, 7))
    V[1::2] *= 1e-25
    found = nmfcore.factorize(V.astype(np.float32), 2, loss=loss)
    alone = nmfcore.factorize(V[1].astype(np.float32), 2, loss=loss)
    assert int(found.status[1]) == int(alone.status) == Status.CONVERGED
    np.testing.assert_allclose(found.W[1] @ found.H[1], alone.W @ alone.H, atol=1e-3 * V[1].max())


def test_bad_entries_are_refused_with_their_place():
    V = problems(batch.FEWEST)
    V[3, 4, 5] = -1
    with pytest.raises(nmfcore.ProblemError, match="first at replicate 3, row 4, column 5"):
        nmfcore.factorize(V, 2)


TIMED = """
import time, numpy as np, nmfcore
V = np.random.default_rng(0).random((400, 20, 30))
nmfcore.factorize(V, 3)
seconds = []
for _ in range(5):
    start = time.perf_counter()
    nmfcore.factorize(V, 3)
    seconds.append(time.perf_counter() - start)
print(min(seconds))
"""


@pytest.mark.slow
def test_busy_neighbours_slow_a_batch_down_by_their_part_of_the_processor_alone():
    def fit():
        options = {"env": {**os.environ, "OMP_NUM_THREADS": "2"}, "capture_output": True, "text": True, "check": True}
        return float(subprocess.run([sys.executable, "-c", TIMED], **options).stdout)

    alone = fit()
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        time.sleep(0.2)
        busy = fit()
    finally:
        for one in neighbours:
            one.kill()
            one.wait()
    # Half of either core is the neighbours' on a machine with two; threads that spun took ten times as long and more.
    assert busy < 2.5 * alone
