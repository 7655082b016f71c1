"""A run that is cut off anywhere: every prefix of its writes replayed, kills of real processes, a full disk."""

import contextlib
import dataclasses
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import weakref
from unittest import mock

import pytest

from halonmf.halo.ensembles import signals
from halonmf.halo.ensembles.run import batch_path, open_run
from halonmf.halo.ensembles.signals import stoppable
from halonmf.halo.errors import InputError, InterruptedRunError
from halonmf.halo.io import atomic as files

from ..helpers.fake_run import PLAN, run, wait_for_batches
from .test_runs import contents, damage

SCRIPT = pathlib.Path(__file__).parents[1] / "helpers" / "fake_run.py"
CUTS = 12
"""Places at which each write is cut, evenly spread, beside its beginning and its last byte."""


class Disk:
    """What a run does to its files, recorded; and the folder as it is when a crash leaves a part of that.

    A crash keeps a prefix of the operations. Of those that were not flushed it may also lose: what was written to a
    file, and renames in a folder.
    """

    def __init__(self, root, monkeypatch):
        self.root, self.operations = root, []
        for name in ("_write", "_rename", "_remove", "_sync"):
            monkeypatch.setattr(files, name, self._recording(name, getattr(files, name)))

    def _recording(self, name, function):
        def record(path, *rest):
            function(path, *rest)
            relative = [
                x.absolute().relative_to(self.root) if isinstance(x, pathlib.Path) else x for x in (path, *rest)
            ]
            self.operations.append((name, *relative))

        return record

    def replay(self, folder, number, *, cut=None, lose=False):
        """Put a folder into the state after `number` operations, the last one cut to `cut` bytes."""
        state, dirty, renamed = {}, set(), {}
        for i, (name, path, *rest) in enumerate(self.operations[:number]):
            if name == "_write":
                state[path] = rest[0] if cut is None or i < number - 1 else rest[0][:cut]
                dirty.add(path)
            elif name == "_rename":
                target = rest[0]
                renamed[target] = (path, state.get(target), target in dirty)
                state[target] = state.pop(path)
                dirty = {target if x == path else x for x in dirty if x != target}
            elif name == "_remove":
                state.pop(path, None)
            else:
                dirty.discard(path)
                renamed = {target: old for target, old in renamed.items() if target.parent != path}
        if lose:
            for target, (source, before, _) in renamed.items():
                content = state.pop(target)
                state[source] = content
                if before is not None:
                    state[target] = before
            state |= {path: b"" for path in dirty if path in state}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path, content in state.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A run with one interruption and one damaged file in it, so that every kind of operation occurs."""
    root = tmp_path / "recorded"
    root.mkdir()
    with monkeypatch.context() as patch:
        disk = Disk(root, patch)
        run(root / "run")
        damage(batch_path(root / "run", 2), "cut")
        at = len(disk.operations)
        disk.operations.append(
            ("_write", pathlib.Path("run/batches/000002.h5"), batch_path(root / "run", 2).read_bytes())
        )
        disk.operations.append(("_sync", pathlib.Path("run/batches/000002.h5")))
        run(root / "run", resume=True)
        assert len(disk.operations) > at + 8
    return disk, contents(root / "run")


def right(folder, whole):
    """Whether what counts as there is what an uninterrupted run wrote; False where nothing counts yet."""
    try:
        found = open_run(folder)
    except InputError:
        return False
    for index in found.headers:
        assert batch_path(folder, index).read_bytes() == whole[f"{index:06d}.h5"]
    assert found.complete == (len(found.headers) == len(PLAN.batches))
    return True


def test_no_prefix_of_the_writes_is_read_as_complete_and_wrong(recorded, tmp_path):
    disk, whole = recorded
    seen = [0, 0]
    for number, (name, _, *rest) in enumerate(disk.operations, 1):
        size = len(rest[0]) if name == "_write" else 0
        cuts = sorted({size * i // CUTS for i in range(CUTS)} | {max(size - 1, 0)}) if size else []
        for state in (*({"cut": cut} for cut in cuts), {}, {"lose": True}):
            disk.replay(tmp_path / "crash", number, **state)
            seen[right(tmp_path / "crash" / "run", whole)] += 1
    assert min(seen) > 10
    assert sum(seen) > 300


@pytest.mark.slow
def test_from_every_prefix_a_run_goes_on_to_the_same_files(recorded, tmp_path):
    disk, whole = recorded
    for number in range(len(disk.operations) + 1):
        for lose in (False, True):
            disk.replay(tmp_path / "crash", number, lose=lose)
            run(tmp_path / "crash" / "run", resume=True)
            assert contents(tmp_path / "crash" / "run") == whole, number


# real processes


def start(folder, seconds="0.02", *options, **popen):
    (folder.parent / "stars.fits").write_bytes(b"stars")
    command = [sys.executable, str(SCRIPT), str(folder), seconds, *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # A shell lets the jobs in its background ignore Ctrl-C, and what they start inherits that.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return subprocess.Popen(command, **pipes, **popen, text=True)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [("SIGTERM", 75, "stopped by SIGTERM"), ("SIGUSR1", 75, "stopped by SIGUSR1"), ("SIGINT", 130, "")],
)
def test_a_run_that_is_asked_to_stop_leaves_in_order_and_can_be_gone_on_with(tmp_path, name, code, says):
    folder = tmp_path / "run"
    process = start(folder, "0.2")
    wait_for_batches(folder, 2, process)
    process.send_signal(getattr(signal, name))
    _, error = process.communicate(timeout=30)
    assert process.returncode == code, error
    assert says in error
    assert not list((folder / "claims").iterdir())
    assert not list((folder / "batches").glob(".*"))
    found = open_run(folder)
    assert 2 <= len(found.headers) < len(PLAN.batches)
    run(folder, resume=True)
    run(tmp_path / "whole")
    assert contents(folder) == contents(tmp_path / "whole")


def test_a_second_signal_does_not_cut_short_what_the_first_set_going():
    done = []

    @stoppable()
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR1)
            done.append(True)

    with pytest.raises(InterruptedRunError, match="stopped by SIGTERM"):
        work()
    assert done


def test_a_signal_lost_in_a_callback_stops_at_the_next_step():
    class Anything:
        pass

    went_on = []

    @stoppable()
    def work():
        anything = Anything()
        with mock.patch.object(sys, "unraisablehook", went_on.append):
            watched = weakref.ref(anything, lambda _: signal.raise_signal(signal.SIGTERM))
            del anything
        assert watched() is None
        assert went_on[0].exc_type is signals.Stop
        signals.check()
        went_on.append("past the check")

    with pytest.raises(InterruptedRunError, match="stopped by SIGTERM"):
        work()
    assert len(went_on) == 1
    signals.check()  # the request ended with its block


def test_a_signal_that_something_else_than_python_heeds_is_left_to_it(monkeypatch):
    known, own = signal.getsignal, signal.getsignal(signal.SIGUSR1)
    monkeypatch.setattr(signals.signal, "getsignal", lambda one: None if one == signal.SIGUSR1 else known(one))
    with stoppable():
        assert known(signal.SIGUSR1) is own
        assert known(signal.SIGTERM) is not signal.SIG_DFL
    assert known(signal.SIGUSR1) is own


def test_a_run_whose_signal_was_lost_ends_after_the_batch(tmp_path):
    def lost(_, *numbers):
        with contextlib.suppress(signals.Stop):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(InterruptedRunError), stoppable():
        run(tmp_path / "run", progress=lost)
    assert len(open_run(tmp_path / "run").headers) < len(PLAN.batches)
    run(tmp_path / "run", resume=True)
    run(tmp_path / "whole")
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_late_second_signal_ends_the_clean_up(monkeypatch):
    monkeypatch.setattr(signals, "GRACE", 0.0)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
    done = []

    @stoppable()
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGHUP)
            done.append(True)

    try:
        with pytest.raises(InterruptedRunError, match="stopped by SIGTERM"):
            work()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not done


def test_a_signal_is_no_failure_of_a_configuration():
    with pytest.raises(InterruptedRunError), stoppable(), contextlib.suppress(Exception):
        signal.raise_signal(signal.SIGTERM)


def test_a_full_disk_exits_5_and_leaves_nothing_half_written(tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    # The batches are larger than the limit, the settings smaller.
    folder = tmp_path / "run"
    process = start(folder, "0", preexec_fn=limit)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 5, error
    assert "cannot be written (File too large)" in error
    assert [path.name for path in (folder / "batches").iterdir()] == []
    assert not open_run(folder).headers
    run(folder, resume=True)
    run(tmp_path / "whole")
    assert contents(folder) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_runs_that_are_killed_at_random_end_as_if_they_had_not_been(tmp_path):
    rng = random.Random(7)
    folder = tmp_path / "run"
    for _ in range(6):
        process = start(folder, "0.02", "replicates=60")
        process.stdout.readline()  # everything is loaded: what follows is the run itself
        # By batches, not by seconds alone: a busy machine would see it killed before it did anything.
        wait_for_batches(folder, len(list((folder / "batches").glob("*.h5"))) + rng.randint(0, 6), process)
        time.sleep(rng.uniform(0, 0.04))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    process = start(folder, "0", "replicates=60")
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
    run(tmp_path / "whole", dataclasses.replace(PLAN, replicates=60))
    assert contents(folder) == contents(tmp_path / "whole")
    assert not list((folder / "claims").iterdir())
