"""One process at a time for an output: a second is refused, a killed one holds nothing up."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from halonmf.halo.errors import OutputError
from halonmf.halo.io import alone as module
from halonmf.halo.io.alone import UnlockedWarning, alone

HOLD = """
import sys, time
from pathlib import Path
from halonmf.halo.io.alone import alone
with alone(Path("there"), Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""
RACE = """
import sys, time
from pathlib import Path
from halonmf.halo.errors import OutputError
from halonmf.halo.io.alone import alone
folder, done = Path(sys.argv[1]), 0
while done < 60:
    try:
        with alone(folder, folder / ".lock"):
            mine = folder / "at work"
            mine.touch(exist_ok=False)  # fails where two are at work
            time.sleep(0.0005)
            mine.unlink()
        done += 1
    except OutputError:
        pass
"""


def held_elsewhere(lock):
    """A process that holds a lock until it reads a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_and_learns_who_holds_the_lock(tmp_path):
    lock = tmp_path / ".out.lock"
    process = held_elsewhere(lock)
    said = rf"search.ecsv: another run is at work there: process {process.pid} on {socket.gethostname()}, since 20"
    with pytest.raises(OutputError, match=said), alone(tmp_path / "search.ecsv", lock):
        pass
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
    with alone(tmp_path / "search.ecsv", lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_free_at_once_and_what_it_left_is_removed(tmp_path):
    lock = tmp_path / ".out.lock"
    process = held_elsewhere(lock)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert lock.exists()
    with alone(tmp_path, lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert not lock.exists()


def test_no_two_of_four_processes_are_ever_at_work_together(tmp_path):
    code = [sys.executable, "-c", RACE, str(tmp_path)]
    processes = [subprocess.Popen(code, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert list(tmp_path.iterdir()) == []


def test_another_thread_is_refused_too(tmp_path):
    refused = []

    def other():
        try:
            with alone(tmp_path, tmp_path / "x.lock"):
                pass
        except OutputError as error:
            refused.append(str(error))

    with alone(tmp_path, tmp_path / "x.lock"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert (tmp_path / "x.lock").exists()
    assert f"process {os.getpid()} on" in refused[0]


def test_an_error_frees_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), alone(tmp_path, tmp_path / "x.lock"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_someone_removed_and_another_took_stays_with_that_one(tmp_path):
    lock = tmp_path / "x.lock"
    with alone(tmp_path, lock):
        lock.unlink()
        process = held_elsewhere(lock)
    assert lock.exists()
    process.communicate("\n", timeout=60)
    assert not lock.exists()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_locks_the_work_goes_on_with_a_warning(tmp_path, monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(module.fcntl, "flock", flock)
    with pytest.warns(UnlockedWarning, match="no other run"), alone(tmp_path, tmp_path / "x.lock"):
        assert list(tmp_path.iterdir()) == []


def test_a_system_without_locks_goes_on_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "fcntl", None)
    with pytest.warns(UnlockedWarning, match="this system has no locks"), alone(tmp_path, tmp_path / "x.lock"):
        pass


@pytest.mark.parametrize("text", [b"", b"[]", b"[" * 5000, b'{"pid": 1}', b"\xff\x00"])
def test_a_holder_that_has_not_said_who_it_is_holds_all_the_same(tmp_path, text):
    lock = tmp_path / "x.lock"
    with alone(tmp_path, lock):
        lock.write_bytes(text)
        with pytest.raises(OutputError, match="a process that has not said which it is"), alone(tmp_path, lock):
            pass


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_is_no_lock_and_never_a_hang(tmp_path, kind):
    lock = tmp_path / "x.lock"
    if kind == "link":
        (tmp_path / "mine").write_text("mine")
        lock.symlink_to(tmp_path / "mine")
    elif kind == "folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    with pytest.raises(OutputError, match="remove it"), alone(tmp_path, lock):
        pass
    assert kind != "link" or (tmp_path / "mine").read_text() == "mine"


def test_where_there_is_no_folder_nothing_is_locked(tmp_path):
    with alone(tmp_path / "none", tmp_path / "none" / "x.lock"):
        assert list(tmp_path.iterdir()) == []
