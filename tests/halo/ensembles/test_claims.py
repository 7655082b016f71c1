"""Who is at work in a folder: one process, or shards side by side; the claims of the dead are taken over."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from halonmf.halo.ensembles import claims, runner
from halonmf.halo.ensembles.claims import claim
from halonmf.halo.ensembles.run import open_run
from halonmf.halo.errors import InterruptedRunError, OutputError

from ..helpers.fake_run import run

SCRIPT = pathlib.Path(__file__).parents[1] / "helpers" / "fake_run.py"


def held(folder, name="run"):
    return claim(folder / "claims", name, rivals=lambda other: runner._rivals(name, other))


def write(folder, name="run", age=0.0, **changes):
    """A claim of somebody else."""
    folder = folder / "claims"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(claims._myself(name) | changes))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_second_run_is_refused_and_told_of_the_first(tmp_path):
    with held(tmp_path), pytest.raises(OutputError) as caught, held(tmp_path):
        pass
    assert f"process {os.getpid()} on " in str(caught.value)
    assert "another run is at work there" in str(caught.value)


def test_a_claim_ends_with_its_work_also_when_that_fails(tmp_path):
    with contextlib.suppress(ZeroDivisionError), held(tmp_path):
        _ = 1 / 0
    assert not list((tmp_path / "claims").iterdir())
    with held(tmp_path):
        pass


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("shard-1-of-3", "shard-2-of-3", True),
        ("shard-1-of-3", "shard-1-of-3", False),
        ("shard-1-of-3", "shard-2-of-4", False),
        ("shard-1-of-3", "run", False),
        ("run", "shard-1-of-3", False),
    ],
)
def test_shards_of_one_division_work_side_by_side_and_nothing_else_does(tmp_path, first, second, together):
    refused = contextlib.nullcontext() if together else pytest.raises(OutputError, match="is at work there")
    with held(tmp_path, first):
        with refused, held(tmp_path, second):
            pass
        assert (tmp_path / "claims" / f"{first}.json").exists()


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("name", ["run", "shard-1-of-2"])
def test_the_claim_of_a_dead_process_is_taken_over(tmp_path, name):
    write(tmp_path, name, pid=dead_process())
    with held(tmp_path):
        assert json.loads((tmp_path / "claims" / "run.json").read_text())["pid"] == os.getpid()
    assert not list((tmp_path / "claims").iterdir())


def test_a_number_that_another_process_has_now_is_no_claim(tmp_path):
    write(tmp_path, pid=os.getpid(), started="1")
    with held(tmp_path):
        pass


def test_a_process_that_is_dead_but_not_yet_buried_is_dead(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write(tmp_path, pid=process.pid, started=claims._started(process.pid))
    with pytest.raises(OutputError), held(tmp_path):
        pass
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: not yet waited for
    with held(tmp_path):
        pass
    process.communicate()


def test_a_claim_from_another_machine_holds_as_long_as_it_is_touched(tmp_path):
    write(tmp_path, host="node7", place="node7", machine="", age=claims.STALE / 2)
    with pytest.raises(InterruptedRunError, match=r"on node7.*Run again later"), held(tmp_path):
        pass
    write(tmp_path, host="node7", place="node7", age=claims.STALE * 2)
    with held(tmp_path):
        pass


@pytest.mark.parametrize("ahead", [0.5, 2.0])
def test_a_claim_from_the_future_holds_no_longer_than_one_from_the_past(tmp_path, ahead):
    write(tmp_path, host="node7", place="node7", age=-claims.STALE * ahead)
    taken = contextlib.nullcontext() if ahead > 1 else pytest.raises(InterruptedRunError)
    with taken, held(tmp_path):
        pass


def test_a_claim_of_this_machine_before_it_started_is_dead_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_machine", lambda: "1f3a node1")
    write(tmp_path, place="node1 earlier", boot="earlier", pid=os.getpid())
    with held(tmp_path):
        pass
    write(tmp_path, place="node2 earlier", boot="earlier", machine="77aa node1")
    with pytest.raises(InterruptedRunError), held(tmp_path):
        pass


def test_a_claim_in_another_container_of_this_machine_is_waited_for(tmp_path):
    write(tmp_path, place=claims._place() + " inner", pid=1)
    with pytest.raises(InterruptedRunError, match="process 1 on"), held(tmp_path):
        pass


@pytest.mark.parametrize("kind", ["dangling link", "link", "folder", "pipe"])
def test_what_is_no_file_is_no_claim_and_never_a_hang(tmp_path, kind):
    path = tmp_path / "claims" / "run.json"
    path.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/etc/hostname" if kind == "link" else tmp_path / "nothing")
    with pytest.raises(OutputError, match="no regular file"), held(tmp_path):
        pass


def test_a_claim_is_touched_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with held(tmp_path):
        path = tmp_path / "claims" / "run.json"
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


def test_a_claim_that_cannot_be_read_holds_until_it_is_old(tmp_path):
    path = write(tmp_path)
    path.write_text("{")
    with pytest.raises(InterruptedRunError, match="is at work there"), held(tmp_path):
        pass
    os.utime(path, (0, 0))
    with held(tmp_path):
        pass


def test_a_run_whose_claim_was_taken_over_writes_no_more(tmp_path):
    from halonmf.halo.ensembles.worker import compute

    def robbed(batches, plan, stars):
        for i, made in enumerate(compute(batches, plan, stars)):
            if i == 2:
                write(tmp_path / "run", host="node7", place="node7")
            yield made

    with pytest.raises(OutputError, match="was taken over by another process"):
        run(tmp_path / "run", executor=robbed)
    assert len(open_run(tmp_path / "run").headers) == 2
    assert (tmp_path / "run" / "claims" / "run.json").exists()  # the other's


def test_a_run_whose_folder_was_removed_says_so(tmp_path):
    from halonmf.halo.ensembles.worker import compute

    def moved(batches, plan, stars):
        for i, made in enumerate(compute(batches, plan, stars)):
            if i == 2:
                (tmp_path / "run").rename(tmp_path / "elsewhere")
            yield made

    with pytest.raises(OutputError, match="run: the folder of the run has gone; was it moved or removed"):
        run(tmp_path / "run", executor=moved)
    assert not (tmp_path / "run").exists()


def test_file_systems_without_hard_links_do(tmp_path, monkeypatch):
    def none(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    with held(tmp_path), pytest.raises(OutputError, match="is at work there"), held(tmp_path):
        pass
    write(tmp_path, pid=dead_process())
    with held(tmp_path):
        pass


@pytest.mark.parametrize("left", [False, True])
def test_of_four_processes_that_start_together_one_works(tmp_path, left):
    (tmp_path / "stars.fits").write_bytes(b"stars")
    if left:
        (tmp_path / "run").mkdir()
        write(tmp_path / "run", pid=dead_process())
    command = [sys.executable, str(SCRIPT), str(tmp_path / "run"), "0.15", "wait=1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    four = [subprocess.Popen(command, **pipes, text=True) for _ in range(4)]
    for process in four:
        assert process.stdout.readline() == "ready\n"
    for process in four:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[1] for process in four]
    codes = [process.returncode for process in four]
    assert sorted(codes) == [0, 5, 5, 5], said
    winner = four[codes.index(0)].pid
    assert sum(f"process {winner} on" in text for text in said) == 3
    assert open_run(tmp_path / "run").complete
    assert not list((tmp_path / "run" / "claims").iterdir())
