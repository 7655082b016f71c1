"""Real signals to a real search: what it says, what it keeps, and that it goes on to the same table."""

import os
import re
import shlex
import signal
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


def start(arguments):
    # a shell that runs this in the background has SIGINT ignored, and so would its children
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


@pytest.mark.slow
def test_a_search_that_was_interrupted_stopped_and_killed_ends_in_the_table_of_one_that_was_not(tmp_path):
    table, _ = planted(2000)
    table["APOGEE_ID"] = [f"2M{i:08d}" for i in range(len(table))]
    stars = write_catalogue(tmp_path / "stars.fits", table, CutFlow(len(table)), {})

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
