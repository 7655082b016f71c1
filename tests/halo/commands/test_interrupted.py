"""Real signals to a real search: what it says, what it keeps, and that it goes on to the same table."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest

from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted

CODE = "from halonmf.cli import main; main()"
CHOICES = [
    "--draws",
    "2000",
    "--folds",
    "3",
    "--pixels",
    "10",
    "--bins",
    "E:4,Lz:4",
    "--selection",
    "all",
    "--no-figure",
]


def start(arguments, folder=None):
    # a shell that runs this in the background has SIGINT ignored, and so would its children
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], cwd=folder,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    table, _ = planted(2000)
    table["APOGEE_ID"] = [f"2M{i:08d}" for i in range(len(table))]
    return write_catalogue(tmp_path_factory.mktemp("stars") / "stars.fits", table, CutFlow(len(table)), {})


SAME = {
    "search": ("out.ecsv", CHOICES, "out.ecsv.partial"),
    "stability": ("out.ecsv", ["--starts", "60", "--selection", "all"], "out.ecsv.partial"),
    "injection": ("out.ecsv", ["--repeats", "40", "--selection", "all"], "out.ecsv.partial"),
    "ensemble": ("runs", ["--bootstrap", "3000", "--selection", "all", "--batch", "100", "--no-figures"], "runs"),
    "paper": ("paper", [], "paper"),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", SAME)
def test_a_second_process_that_goes_on_with_the_same_output_is_refused(stars, tmp_path, command):
    name, choices, named = SAME[command]
    where = [str(tmp_path / name), "--stars", str(stars)] if command == "paper" else [str(stars), "-o", name]
    typed = [command, *where, *choices, "--resume", "-q"]
    first = start(typed, tmp_path)
    locks = ("*.lock", ".*.lock", "*/.*.lock", "*/claims/*.json")
    deadline = time.monotonic() + 200
    while not any(path for one in locks for path in tmp_path.glob(one)) and time.monotonic() < deadline:
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.02)
    second = start(typed, tmp_path)
    said = second.communicate(timeout=200)[1]
    assert first.poll() is None, "over too soon"
    assert second.returncode == 5, said
    assert f"{named}: another run is at work there: process {first.pid} on {socket.gethostname()}, since" in said
    first.send_signal(signal.SIGTERM)
    assert first.communicate(timeout=200)[1]
    assert first.returncode == 75
    assert [path for one in locks for path in tmp_path.glob(one)] == []


@pytest.mark.slow
def test_two_processes_at_once_leave_one_table_and_nothing_else(stars, tmp_path):
    typed = ["stability", str(stars), "-o", "out.ecsv", "--starts", "3", "--selection", "all", "--resume", "-q"]
    processes = [start(typed, tmp_path) for _ in range(3)]
    said = [process.communicate(timeout=300)[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    # one that begins when another is over finds the table
    assert codes[0] in (0, 4), said
    assert codes[1:] == [5, 5], said
    assert [path.name for path in tmp_path.iterdir()] == ["out.ecsv"]


@pytest.mark.slow
def test_a_search_that_was_interrupted_stopped_and_killed_ends_in_the_table_of_one_that_was_not(stars, tmp_path):
    def command(name):
        return ["search", str(stars), "-o", str(tmp_path / name), *CHOICES]

    whole = start(command("whole.ecsv"))
    assert whole.communicate(timeout=300)[1] is not None
    assert whole.returncode in (0, 4)
    kept, typed, before = tmp_path / "search.ecsv.partial", command("search.ecsv"), 0
    for one, code in ((signal.SIGINT, 130), (signal.SIGTERM, 75), (signal.SIGKILL, -9)):
        process = start(typed)
        deadline = time.monotonic() + 200
        while len(list(kept.glob("0*.h5"))) <= before and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(one)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == code, said
        before = len(list(kept.glob("0*.h5")))
        assert before
        if one == signal.SIGKILL:
            continue
        found = re.search(r"after ([\d,]+) of [\d,]+ settings, which are kept; go on with: halonmf (.*)", said)
        assert found, said
        assert 0 < int(found[1].replace(",", "")) <= 128 * before
        typed = shlex.split(found[2])
        assert typed == [*command("search.ecsv"), "--resume"]
    refused = start(command("search.ecsv"))
    assert "holds what an interrupted run has kept; go on with it (--resume)" in refused.communicate(timeout=60)[1]
    assert refused.returncode == 5
    last = start(typed)
    said = last.communicate(timeout=300)[1]
    assert last.returncode == whole.returncode, said
    assert (tmp_path / "search.ecsv").read_bytes() == (tmp_path / "whole.ecsv").read_bytes()
    assert not kept.exists()
