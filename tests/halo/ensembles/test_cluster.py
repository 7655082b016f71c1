"""Ensembles on the workers of a dask scheduler: workers that die, configurations that kill them, and the same files."""

import dataclasses
import gc
import os
import signal
import threading
import time

import pytest

from halonmf.halo.ensembles import cluster
from halonmf.halo.ensembles.plan import Plan
from halonmf.halo.ensembles.run import batch_path, open_run
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.errors import InputError, InterruptedRunError, UsageError

from ..helpers.fake_run import PLAN, POISON, run, wait_for_batches
from .test_runs import contents

dask = pytest.importorskip("dask", reason="dask is not installed (extra cluster)")
distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed (extra cluster)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # of distributed's own, when workers die


@pytest.fixture(autouse=True)
def tidied():
    """What distributed leaves open is closed here, where that is no error, not in some later test."""
    yield
    gc.collect()


def local(workers):
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.nanny.environ": {"OMP_NUM_THREADS": "1"}}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def workers():
    yield from local(2)


@pytest.fixture
def few_workers():
    """Workers that may get lost: where one dies while it is being started, its nanny gives up."""
    yield from local(2)


def fake(seconds=0.0):
    """A task of made-up fits that kills its worker where the seed brings bad luck; carried to the workers by value."""

    def task(stars, sha256, version, setup, first, count, keep_factors):
        import json
        import os

        import numpy as np

        setup = json.loads(setup)["fit"]
        seed, pixels = setup["seed"], setup["chemistry"]["pixels"]
        if seed == 13:
            time.sleep(1.0)  # a worker that dies while it is being started is not started again by its nanny
            os._exit(1)
        time.sleep(seconds)
        seeds = [[2, seed, pixels, b] for b in range(first, first + count)]
        draws = [np.random.default_rng(seed).random(pixels) for seed in seeds]
        base = {"mass_fraction": np.random.default_rng([1, seed, pixels]).random(pixels), "n": np.array(pixels)}
        return {
            "replicates": {
                "mass_fraction": np.array(draws),
                "n": np.arange(first, first + count),
                "refused": np.array([draw[0] < 0.1 for draw in draws]),
            },
            "base": {} if first else base,
            "coordinates": {} if first else {"edges": np.arange(pixels + 1.0)},
            "failure": "",
        }

    return task


def on(workers, folder, plan=PLAN, **options):
    with cluster.connected(workers.scheduler_address) as executor:
        return run(folder, plan, executor=executor, **options)


def test_workers_make_the_files_of_one_process(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "task", fake())
    on(workers, tmp_path / "run")
    run(tmp_path / "here")
    assert contents(tmp_path / "run") == contents(tmp_path / "here")


def test_three_workers_that_are_killed_cost_nothing(workers, tmp_path, monkeypatch):
    plan = dataclasses.replace(PLAN, replicates=40)
    monkeypatch.setattr(cluster, "task", fake(0.1))
    killed = []

    def kill():
        with distributed.Client(workers.scheduler_address, set_as_default=False) as client:
            for number in (3, 12, 24):
                wait_for_batches(tmp_path / "run", number)
                for pid in client.run(os.getpid).values():
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    break

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    on(workers, tmp_path / "run", plan)
    thread.join()
    assert len(set(killed)) == 3
    run(tmp_path / "here", plan)
    assert contents(tmp_path / "run") == contents(tmp_path / "here")


def test_a_configuration_that_kills_its_workers_is_listed_and_the_others_are_there(few_workers, tmp_path, monkeypatch):
    plan = Plan(PLAN.base, (parse_sweep(f"seed=1,{POISON},2,3"),), 7, 4)
    monkeypatch.setattr(cluster, "task", fake(0.02))
    on(few_workers, tmp_path / "run", plan)
    found = open_run(tmp_path / "run")
    assert found.complete
    assert [(failure.label, failure.reason) for failure in found.failed] == [("seed=13", cluster.POISON)]
    run(tmp_path / "here", plan)
    for index, header in found.headers.items():
        if not header.failures:
            assert batch_path(tmp_path / "run", index).read_bytes() == batch_path(tmp_path / "here", index).read_bytes()


def test_workers_that_see_another_catalogue_or_version_are_named(workers, tmp_path, monkeypatch):
    (tmp_path / "stars.fits").write_bytes(b"stars")
    with pytest.raises(InputError, match=r"worker on .*stars\.fits"):
        on(workers, tmp_path / "run")  # the real task, and no catalogue
    monkeypatch.setattr(cluster, "own_version", lambda: "9.9")
    with pytest.raises(InputError, match=r"runs halonmf .*, this is 9\.9"):
        on(workers, tmp_path / "run", resume=True)


def test_a_run_whose_scheduler_is_lost_can_be_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "task", fake(0.2))
    made = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50)
    folder = tmp_path / "run"

    def close():
        wait_for_batches(folder, 1)
        made.close()

    thread = threading.Thread(target=close, daemon=True)
    thread.start()
    with pytest.raises(InterruptedRunError, match=r"scheduler is lost.*--resume"):
        on(made, folder)
    thread.join()
    assert 0 < len(open_run(folder).headers) < len(PLAN.batches)
    run(folder, resume=True)
    run(tmp_path / "here")
    assert contents(folder) == contents(tmp_path / "here")


def test_no_scheduler_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with (
        pytest.raises(UsageError, match="no dask scheduler answers at tcp"),
        cluster.connected("tcp://127.0.0.1:9"),
    ):
        pass
    with pytest.raises(UsageError, match="no such file"), cluster.connected(None, tmp_path / "none.json"):
        pass
    with pytest.raises(UsageError, match="not by both"), cluster.connected("tcp://127.0.0.1:9", tmp_path / "none.json"):
        pass
