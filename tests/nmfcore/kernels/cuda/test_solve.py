"""The GPU kernels give what the CPU's give; where there is no GPU, numba's simulator runs them on tiny problems."""

import os
import pathlib
import subprocess
import sys
from concurrent.futures import Future

import numpy as np
import pytest
import torch

import nmfcore
from nmfcore import Penalty, SharedPattern, Status, Stop, resample
from nmfcore.kernels import settings
from nmfcore.kernels.cuda import devices, launch, placement
from nmfcore.sparse import plan

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
READY = SIMULATED or bool(devices.visible_devices("cuda"))
on_gpu = pytest.mark.skipif(not READY, reason="no GPU is here; test_the_simulator_runs_the_kernels runs these")
real = pytest.mark.skipif(SIMULATED or not READY, reason="too large for the simulator, and no GPU is here")
# Compiled code wraps numbers around in silence; the simulator's NumPy scalars say so.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning", "ignore:.*[Oo]ccupancy")

M, N, B = (4, 8, 2) if SIMULATED else (9, 40, 19)
PENALTIES = {"none": None, "elastic": Penalty(1e-3, 2e-3, 0.5), "l2": Penalty(2e-3, 3e-3, 0.0)}


@pytest.fixture(autouse=True)
def _few_threads(monkeypatch):
    if SIMULATED:
        monkeypatch.setattr(launch, "THREADS", 2)


@pytest.mark.slow
@pytest.mark.skipif(READY, reason="the tests below run the kernels here")
def test_the_simulator_runs_the_kernels():
    command = [sys.executable, "-m", "pytest", __file__, "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    root = pathlib.Path(__file__).resolve().parents[4]
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def counts(seed=0, replicates=B, m=M, n=N, mean=1.5):
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.5, mean / 0.5, (m, 3)) @ rng.random((3, n))
    rate[:, 3] = 0
    rate[2] = 0
    V = rng.poisson(rate, (replicates, m, n)).astype(np.float64)
    V[0, :, 1] = 0  # a column that only the others have
    return V


def start(k, m=M, n=N, seed=1):
    rng = np.random.default_rng(seed)
    return 0.1 + rng.random((m, k)), 0.1 + rng.random((k, n))


def both(V, k, values=None, dtype=torch.float64, **options):
    """Return the GPU's answer and that of the dense path in float64."""
    pattern = SharedPattern.from_dense(V, dtype=values)
    ours = nmfcore.factorize(pattern, k, device="cuda", dtype=dtype, **options)
    assert ours.W.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    return ours, nmfcore.factorize(V, k, **options)


def assert_equal(ours, theirs, tolerance):
    for name in ("W", "H", "loss", "divergence"):
        x, y = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * np.abs(y).max(), err_msg=name)
    np.testing.assert_allclose(ours.kkt, theirs.kkt, atol=10 * tolerance)
    np.testing.assert_array_equal(ours.n_iter, theirs.n_iter)
    np.testing.assert_array_equal(ours.status, theirs.status)


@on_gpu
@pytest.mark.parametrize(
    ("update", "k", "iterations", "penalty"),
    [
        ("mu", 2, 1, "none"),
        ("mu", 3, 5, "elastic"),
        ("amu", 2, 5, "l2"),
        ("hals", 1, 5, "none"),
        ("hals", 3, 5, "elastic"),
        ("ehals", 2, 1, "l2"),
        ("ehals", 3, 5, "none"),
        ("rank2", 2, 5, "none"),
        ("rank2", 2, 1, "elastic"),
    ],
)
def test_iterations_equal_the_dense_ones(update, k, iterations, penalty):
    options = {
        "init": start(k), "update": update, "penalty": PENALTIES[penalty], "stop": Stop(tol=0, max_iter=iterations),
    }  # fmt: skip
    assert_equal(*both(counts(), k, **options), 1e-11)
    if iterations == 5 and k > 1:
        assert_equal(*both(counts(), k, dtype=torch.float32, **options), 1e-4)


@on_gpu
@pytest.mark.parametrize("threads", [4, 16])
def test_several_threads_share_a_row_where_rows_are_few(threads, monkeypatch):
    monkeypatch.setattr(launch, "THREADS", threads if SIMULATED else 16 * threads)
    V = counts(m=3)
    V[:, 2] = 1 + np.arange(N)
    assert_equal(*both(V, 2, init=start(2, m=3), update="ehals", stop=Stop(tol=0, max_iter=2)), 1e-11)


@on_gpu
@pytest.mark.parametrize("values", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_type_of_values_is_solved(values, dtype):
    options = {"init": start(2), "update": "hals", "stop": Stop(tol=0, max_iter=1)}
    tolerance = 1e-11 if dtype == torch.float64 else 1e-4
    assert_equal(*both(counts(), 2, values=values, dtype=dtype, **options), tolerance)


@on_gpu
@pytest.mark.parametrize("update", ["hals", "ehals"])
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_lies_in_global_memory_changes_nothing(update, kept, monkeypatch):
    pattern = SharedPattern.from_dense(counts())
    options = {"init": start(2), "update": update, "stop": Stop(tol=0, max_iter=3), "dtype": torch.float64}
    whole = nmfcore.factorize(pattern, 2, device="cuda", **options)
    sizes = 8 * np.cumsum([placement.scratch_size(2, launch.THREADS), (4 * 2 + 1) * M, 2 * len(pattern.columns)])
    chosen = []

    def less(*arguments):
        chosen.append(place(*arguments[:-1], int(sizes[kept])))
        return chosen[-1]

    place = launch.place
    monkeypatch.setattr(launch, "place", less)
    ours = nmfcore.factorize(pattern, 2, device="cuda", **options)
    assert chosen[-1][:3] == (kept > 0, kept > 1, False)
    for name in ("W", "H", "loss", "kkt"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(whole, name))


@on_gpu
@pytest.mark.parametrize("update", ["rank2", "ehals"])
def test_converged_runs_stop_where_the_dense_ones_do(update):
    ours, theirs = both(counts(), 2, init=start(2), update=update, stop=Stop(tol=1e-2))
    assert (theirs.status == Status.CONVERGED).all()
    assert_equal(ours, theirs, 1e-9)


@on_gpu
def test_a_fit_that_zeros_hold_up_is_stuck():
    W, H = start(2)
    H[:, 5] = 0
    V = counts()
    V[:, 0, 5] += V.sum()
    ours, theirs = both(V, 2, init=(W, H), update="mu", stop=Stop(tol=0.4, every=2))
    assert (theirs.status == Status.STUCK).all()
    assert_equal(ours, theirs, 1e-9)


@on_gpu
def test_a_replicate_of_zeros_has_factors_of_zeros():
    V = counts()
    V[0] = 0
    ours, theirs = both(V, 2, init=start(2), update="hals", stop=Stop(max_iter=3, every=1))
    assert not ours.W[0].any()
    assert not ours.H[0].any()
    assert_equal(ours, theirs, 1e-11)


@on_gpu
def test_each_replicate_begins_at_its_own_start():
    W, H = (np.stack([start(2, seed=s)[i] for s in range(B)]) for i in (0, 1))
    assert_equal(*both(counts(), 2, init=(W, H), update="mu", stop=Stop(tol=0, max_iter=2)), 1e-11)


@on_gpu
def test_chunks_that_run_out_of_memory_are_halved_and_change_nothing(monkeypatch):
    pattern = SharedPattern.from_dense(counts(replicates=3))
    options = {"init": start(2), "update": "hals", "stop": Stop(tol=0, max_iter=1)}
    whole = nmfcore.factorize(pattern, 2, device="cuda", **options)
    tried = []
    original = launch._Runner.__call__

    def scarce(self, replicates, *starts):
        tried.append(len(replicates))
        if len(replicates) > 1:
            raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
        return original(self, replicates, *starts)

    monkeypatch.setattr(launch._Runner, "__call__", scarce)
    parts = nmfcore.factorize(pattern, 2, device="cuda", **options)
    assert tried == [3, 1, 1, 1]
    np.testing.assert_array_equal(parts.H, whole.H)
    np.testing.assert_array_equal(parts.loss, whole.loss)


class OneByOne:
    """A pool that runs what it is given at once: the simulator knows one thread of the host."""

    def __init__(self, workers):
        assert workers > 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, function, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done


@on_gpu
def test_several_devices_share_the_drawing_and_the_solving(monkeypatch):
    options = {"replicates": 3, "seed": 4}
    alone = nmfcore.bootstrap(*stars(), (M, N), device="cuda", **options)
    settings = {"init": start(2), "update": "hals", "stop": Stop(tol=0, max_iter=1)}
    whole = nmfcore.factorize(alone, 2, **settings)
    for module in (resample, plan):
        monkeypatch.setattr(module, "visible_devices", lambda device: [0, 0])  # one GPU plays two
    monkeypatch.setattr(devices, "ThreadPoolExecutor", OneByOne)
    shared = nmfcore.bootstrap(*stars(), (M, N), device="cuda", **options)
    assert [(part.first, part.last) for part in shared.on_device] == [(0, 1), (1, 3)]
    np.testing.assert_array_equal(shared.to_dense(), alone.to_dense())
    jobs = []
    run = launch._Runner.__call__
    monkeypatch.setattr(
        launch._Runner, "__call__", lambda self, some, *x: jobs.append(list(some)) or run(self, some, *x)
    )
    for counts_of in (shared, alone.to_host()):  # where they were drawn, and shared out from the host
        jobs.clear()
        parts = nmfcore.factorize(counts_of, 2, device="cuda", **settings)
        assert jobs == [[0], [1, 2]]
        for name in ("W", "H", "loss"):
            np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@on_gpu
def test_chunks_on_a_device_are_what_its_free_memory_holds(monkeypatch):
    pattern = SharedPattern.from_dense(counts(replicates=3))
    runner = launch._Runner(
        pattern,
        placement.layout_of(pattern),
        settings.rule_of(nmfcore.HALS(), [0.0] * 4),
        settings.Limits(0.0, 0.9, 0.0, 0.0, 1, 1),
        2,
        np.float32,
        None,
    )
    context = type("Context", (), {"get_memory_info": lambda self: type("Memory", (), {"free": 1e5})})
    monkeypatch.setattr(runner, "cuda", type("Cuda", (), {"current_context": lambda self=None: context()}))
    long, cells = len(pattern.columns) * 2, len(pattern.rows)
    assert runner.room() == pytest.approx(0.8 * 1e5 / (4 * (3 * long + 6 * 2 * M + M) + 64 + cells))
    sizes = []
    options = {"init": start(2), "update": "hals", "stop": Stop(tol=0, max_iter=1)}
    whole = nmfcore.factorize(pattern, 2, device="cuda", **options)
    run = launch._Runner.__call__
    monkeypatch.setattr(launch._Runner, "room", lambda self: 2.5)
    monkeypatch.setattr(
        launch._Runner, "__call__", lambda self, some, *x: sizes.append(len(some)) or run(self, some, *x)
    )
    parts = nmfcore.factorize(pattern, 2, device="cuda", **options)
    assert sizes == [2, 1]
    np.testing.assert_array_equal(parts.H, whole.H)


def stars(number=15, m=M, n=N):
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, m, number), rng.integers(0, n, (number, 2))
    rows[3], columns[5, 0] = -1, -1
    return rows, columns


@on_gpu
@pytest.mark.parametrize("number", [14, 15])
@pytest.mark.parametrize("scheme", ["multinomial", "poisson", "delete"])
def test_counts_drawn_on_a_gpu_are_those_of_the_cpu(scheme, number):
    options = {"replicates": 3, "scheme": scheme, "seed": 4, "first_replicate": 2}
    here, there = (nmfcore.bootstrap(*stars(number), (M, N), device=d, **options) for d in ("cpu", "cuda"))
    assert there.on_device is not None
    assert there.values.size == 0
    np.testing.assert_array_equal(there.to_dense(), here.to_dense())
    np.testing.assert_array_equal(there.to_dense([2, 0]), here.to_dense([2, 0]))
    np.testing.assert_array_equal(there.to_host().values, here.values)


@on_gpu
def test_wide_counts_are_drawn_too():
    rows, columns = np.zeros(300, int), np.repeat([0, 1, 1], 100)
    here, there = (nmfcore.bootstrap(rows, columns, (1, 2), replicates=2, device=d) for d in ("cpu", "cuda"))
    assert there.values.dtype == np.uint16
    np.testing.assert_array_equal(there.to_dense(), here.to_dense())


@on_gpu
def test_counts_that_are_on_a_gpu_are_solved_there(monkeypatch):
    options = {"replicates": 3, "seed": 1}
    there = nmfcore.bootstrap(*stars(40), (M, N), device="cuda", **options)
    full = nmfcore.factorize(there.base_dense(dtype=np.float64), 2, stop=Stop(max_iter=2))
    expected = nmfcore.factorize(
        there.to_dense(dtype=np.float64), 2, init=(full.W, full.H), update="ehals", stop=Stop(max_iter=2)
    )
    monkeypatch.setattr(SharedPattern, "to_host", None)
    assert_equal(nmfcore.factorize(there, 2, stop=Stop(max_iter=2)), expected, 1e-4)


@on_gpu
def test_counts_on_a_gpu_serve_other_losses_and_named_starts_too():
    options = {"replicates": 2, "seed": 1}
    there = nmfcore.bootstrap(*stars(40), (M, N), device="cuda", **options)
    for more in ({"loss": "kullback-leibler", "device": "cpu", "init": start(2)}, {"init": "nndsvda"}):
        expected = nmfcore.factorize(there.to_dense(dtype=np.float64), 2, stop=Stop(max_iter=2), **more)
        ours = nmfcore.factorize(there, 2, stop=Stop(max_iter=2), **more)
        np.testing.assert_allclose(ours.W @ ours.H, expected.W @ expected.H, atol=1e-4)


@real
@pytest.mark.cuda
@pytest.mark.parametrize(("update", "k"), [("mu", 2), ("hals", 3), ("ehals", 4), ("rank2", 2), ("ehals", 12)])
def test_large_batches_have_the_cpus_answers(update, k):
    V = counts(seed=3, replicates=300, m=64, n=2000, mean=0.02)
    options = {"init": start(k, 64, 2000), "update": update, "stop": Stop(tol=0, max_iter=20), "dtype": torch.float64}
    pattern = SharedPattern.from_dense(V)
    ours, again, theirs = (nmfcore.factorize(pattern, k, device=d, **options) for d in ("cuda", "cuda", "cpu"))
    assert_equal(ours, theirs, 1e-7)
    np.testing.assert_array_equal(again.H, ours.H)


@real
@pytest.mark.cuda
def test_a_whole_bootstrap_has_the_cpus_shares():
    rows, columns = stars(13000, 64, 5000)
    results = [
        nmfcore.factorize(nmfcore.bootstrap(rows, columns, (64, 5000), replicates=100, device=d), 2)
        for d in ("cpu", "cuda")
    ]
    settled = (results[0].status == Status.CONVERGED) & (results[1].status == Status.CONVERGED)
    assert settled.mean() > 0.5
    np.testing.assert_allclose(results[1].shares[settled], results[0].shares[settled], atol=1e-3)


@pytest.mark.skipif(READY, reason="there is a device here")
def test_a_device_that_is_not_there_is_said_to_be_missing():
    with pytest.raises(RuntimeError, match="no such CUDA device"):
        nmfcore.bootstrap([0], [0], (1, 1), device="cuda")
    with pytest.raises(RuntimeError, match="no CUDA device"):
        nmfcore.factorize(SharedPattern.from_dense(counts()), 2, device="cuda")
