"""A few stops of a real ensemble at random moments; benchmarks/stops.py makes many, of a search and the paper too."""

import os
import random
import signal
import subprocess
import sys

import pytest

from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted

CODE = "from halonmf.cli import main; main()"


def files(folder):
    kept = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "claims"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.mark.slow
def test_a_run_that_was_killed_and_stopped_ends_in_every_file_of_one_that_was_not(tmp_path):
    table, _ = planted(2000)
    table["APOGEE_ID"] = [f"2M{i:08d}" for i in range(len(table))]
    stars = write_catalogue(tmp_path / "stars.fits", table, CutFlow(len(table)), {})
    choices = ["--bootstrap", "200", "--batch", "4", "--pixels", "8", "--bins", "E:3,Lz:3", "--no-figures", "-q"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}

    def command(name):
        return [sys.executable, "-c", CODE, "ensemble", str(stars), "-o", str(tmp_path / name), *choices, "--resume"]

    subprocess.run(command("whole"), env=environment, check=True, capture_output=True)
    rng, codes = random.Random(3), {signal.SIGKILL: (-9,), signal.SIGTERM: (75, -15), signal.SIGINT: (130, -2, 1)}
    for one in [*codes] * 2:
        process = subprocess.Popen(
            command("stopped"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(rng.uniform(1, 8))
        except subprocess.TimeoutExpired:
            process.send_signal(one)
        assert process.wait(120) in (0, *codes[one])
    subprocess.run(command("stopped"), env=environment, check=True, capture_output=True)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
