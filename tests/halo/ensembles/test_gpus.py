"""Several processes of one machine, each with a device of its own: tried with two that compute on the CPU."""

import dataclasses
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from halonmf.halo.ensembles import gpus, launch
from halonmf.halo.ensembles.plan import Plan
from halonmf.halo.ensembles.run import open_run
from halonmf.halo.ensembles.runner import ensemble
from halonmf.halo.ensembles.settings import RunOptions
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.errors import InputError, UsageError
from halonmf.halo.replicates.setup import Setup
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import SMALL, planted
from .test_runs import contents

PLAN = Plan(Setup(SMALL), (parse_sweep("pixels=8,10"),), 12, 4)


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    table, _ = planted(2000)
    table["APOGEE_ID"] = [f"2M{i:08d}" for i in range(len(table))]
    path = tmp_path_factory.mktemp("stars") / "stars.fits"
    write_catalogue(path, table, CutFlow(len(table)), {})
    return path


@pytest.mark.slow
def test_processes_side_by_side_make_the_files_of_one(stars, tmp_path):
    seen = []
    outcome = gpus.side_by_side(stars, tmp_path / "two", PLAN, 2, RunOptions(progress=lambda *x: seen.append(x)))
    ensemble(stars, tmp_path / "one", PLAN)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert outcome.run.complete
    assert outcome.fits == PLAN.fits
    assert seen[-1] == ("fits", PLAN.fits, PLAN.fits)
    with pytest.raises(UsageError, match="batch: 4 there, 5 here"):
        gpus.side_by_side(stars, tmp_path / "two", dataclasses.replace(PLAN, batch=5), 2, RunOptions(resume=True))


@pytest.mark.slow
def test_what_is_wrong_in_a_process_is_told_by_the_one_that_started_it(stars, tmp_path):
    plan = Plan(Setup(SMALL.replace(cuts=("E>0",))), (), 12, 4)
    with pytest.raises(InputError, match="no stars"):
        gpus.side_by_side(stars, tmp_path / "run", plan, 2)


@pytest.mark.slow
def test_processes_stop_with_the_one_that_started_them(stars, tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests.halo.ensembles.test_gpus import PLAN; import dataclasses;"
        "from halonmf.halo import errors; from halonmf.halo.ensembles import gpus, signals\n"
        "try:\n"
        "  with signals.stoppable():\n"
        "    plan = dataclasses.replace(PLAN, replicates=4_000_000, batch=2000)\n"
        "    gpus.side_by_side(Path(sys.argv[1]), Path(sys.argv[2]), plan, 2)\n"
        "except errors.HalonmfError as error: sys.exit(error.exit_code)"
    )
    folder = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", code, str(stars), str(folder)])
    deadline = time.monotonic() + 100
    # Both have claimed their share, and are not in the midst of writing so.
    while sorted(path.name[:5] for path in (folder / "claims").glob("*shard*")) != ["shard", "shard"]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 75
    assert not list((folder / "claims").iterdir())
    assert not open_run(folder).complete


def test_each_process_sees_one_device(stars, tmp_path, monkeypatch):
    seen = []

    class Process:
        returncode = 0

        def __init__(self, command, env, **_):
            seen.append((command[-2], env["CUDA_VISIBLE_DEVICES"]))

        def poll(self):
            return 0

        def wait(self):
            return 0

    monkeypatch.setattr(gpus.subprocess, "Popen", Process)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    gpus.side_by_side(stars, tmp_path / "a", PLAN, 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    gpus.side_by_side(stars, tmp_path / "b", PLAN, 3)
    assert seen == [("1/2", "GPU-a"), ("2/2", "GPU-b"), ("1/3", "0"), ("2/3", "1"), ("3/3", "2")]


def test_all_devices_are_used_where_there_are_several(monkeypatch, stars, tmp_path):
    calls = []
    unfinished = SimpleNamespace(run=SimpleNamespace(complete=False))
    monkeypatch.setattr(launch, "device_count", lambda device: 4)
    monkeypatch.setattr(gpus, "side_by_side", lambda *x, **_: calls.append(x[3]) or unfinished)
    launch.ensemble(stars, tmp_path / "run", PLAN)
    assert calls == [4]
