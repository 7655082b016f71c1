"""`halonmf fetch`: what it says, asks and leaves; against a server on this machine."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from halonmf.halo.commands import fetching
from halonmf.halo.commands import progress as lines

from ..archives.server import serving, sha1
from .test_help import ok, run

CONTENT = np.random.default_rng(2).bytes(2_000_000)
RUN = [sys.executable, "-m", "halonmf", "fetch"]


@pytest.fixture
def archive(tmp_path):
    with serving() as one:
        one.put("/a/stars.fits", CONTENT)
        one.put("/a/more.fits", CONTENT[:1000])
        (tmp_path / "mine.toml").write_text(
            f'[mine]\ntitle = "two files"\nnext = "halonmf prepare {{stars.fits}} {{more.fits}}{{members}}"\n'
            'cite = "Nobody (2026)"\nterms = "none"\n'
            f'[[mine.files]]\nurl = "{one.url}/a/stars.fits"\nchecksum = "{sha1(CONTENT)}"\n'
            f'[[mine.files]]\nurl = "{one.url}/a/more.fits"\n'
            f'[lists]\nmembers = "more.fits"\n[[lists.files]]\nurl = "{one.url}/a/more.fits"\n'
        )
        yield one


def test_without_a_name_it_lists_what_there_is():
    said = ok("fetch")
    for name in ("sample: ", "dr17: ", "members: ", "mwm-dr19: ", "galah-dr4: "):
        assert f"\n{name}" in f"\n{said}"


def test_it_says_what_it_does_and_what_to_do_next(archive, tmp_path):
    out = tmp_path / "data"
    said = ok("fetch", "mine", "-o", out, "--sources", tmp_path / "mine.toml", "-q")
    assert "stars.fits: 2 MB, from 127.0.0.1" in said
    assert "to come: 2 MB; free in" in said
    assert f"whole by its sha1 -> {out}/stars.fits" in said
    assert f"whole by its size; its archive gives no checksum -> {out}/more.fits" in said
    assert "cite Nobody (2026)" in said
    assert said.endswith(f"next:\n  halonmf prepare {out}/stars.fits {out}/more.fits\n")
    assert (out / "stars.fits").read_bytes() == CONTENT
    again = ok("fetch", "mine", "-o", out, "--sources", tmp_path / "mine.toml", "-q")
    assert "stars.fits: 2 MB, is there" in again
    assert "to come: 0 bytes" in again


def test_members_that_are_fetched_too_are_in_the_next_command(archive, tmp_path):
    said = ok("fetch", "mine", "lists", "-o", tmp_path / "d", "--sources", tmp_path / "mine.toml", "-q")
    assert f"more.fits --members {tmp_path}/d/more.fits\n" in said
    assert said.count("halonmf prepare") == 1


def test_a_dry_run_writes_nothing(archive, tmp_path):
    said = ok("fetch", "mine", "sample", "-o", tmp_path / "data", "--sources", tmp_path / "mine.toml", "--dry-run")
    assert "to come: 2 MB" in said
    assert not (tmp_path / "data").exists()


def test_large_files_are_asked_for_and_nobody_to_ask_is_an_error(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "LARGE", 1000)
    words = ("fetch", "mine", "-o", tmp_path / "data", "--sources", tmp_path / "mine.toml")
    result = run(*words)
    assert result.exit_code == 2
    assert "fetch 2 MB? Nobody can be asked here: add --yes." in result.output
    assert not (tmp_path / "data").exists()
    ok(*words, "--yes")
    assert (tmp_path / "data" / "stars.fits").exists()


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda one: one.files.clear(), 3, "the server answers 404 Not Found"),
        (lambda one: one.files.update({"/a/stars.fits": CONTENT[::-1]}), 3, "has not the checksum sha1:"),
    ],
    ids=["not there", "other checksum"],
)
def test_a_fault_of_the_archive_is_one_line(archive, tmp_path, change, code, said):
    change(archive)
    result = run("fetch", "mine", "-o", tmp_path / "data", "--sources", tmp_path / "mine.toml", "-q")
    assert result.exit_code == code
    line = result.output.strip().splitlines()[-1]
    assert line.startswith("halonmf: ")
    assert said in line


def test_without_a_network_it_is_one_line_and_75(tmp_path):
    (tmp_path / "off.toml").write_text('[off]\n[[off.files]]\nurl = "http://127.0.0.1:9/stars.fits"\n')
    result = run("fetch", "off", "-o", tmp_path / "data", "--sources", tmp_path / "off.toml")
    assert result.exit_code == 75
    assert result.output.count("\n") == 1
    assert "no answer (it refuses the connection); check the network" in result.output
    assert not (tmp_path / "data").exists()


def test_too_little_space_is_one_line_and_5(archive, tmp_path, monkeypatch):
    from halonmf.halo.archives import fetch as plans

    monkeypatch.setattr(plans.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))
    result = run("fetch", "mine", "-o", tmp_path / "data", "--sources", tmp_path / "mine.toml")
    assert result.exit_code == 5
    assert "2 MB are to come and 1 MB are free" in result.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_what_has_come_is_kept_when_it_is_stopped_and_gone_on_with(archive, tmp_path, number, code):
    archive.faults["/a/stars.fits"] = ["slow"]
    words = [*RUN, "mine", "-o", "data", "--sources", "mine.toml", "-q"]
    part = tmp_path / "data" / "stars.fits.part"
    # a shell that runs this in the background has SIGINT ignored, and so would its children
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "text": True}
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, **heed) as one:
        end = time.monotonic() + 30
        while (not part.exists() or part.stat().st_size < 200_000) and time.monotonic() < end:
            time.sleep(0.01)
        one.send_signal(number)
        said = one.communicate(timeout=30)[1]
    assert one.returncode == code, said
    assert "what has come is kept, run the same command again to go on." in said
    assert said.count("\n") == 1
    there = part.stat().st_size
    assert 0 < there < len(CONTENT)
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "are there, from 127.0.0.1" in again
    assert archive.gets("/a/stars.fits")[-1] == f"bytes={there}-"
    assert hashlib.sha1((tmp_path / "data" / "stars.fits").read_bytes()).hexdigest() == sha1(CONTENT)[5:]


def test_progress_has_rate_and_time_left_in_a_log(archive, tmp_path, monkeypatch):
    for name in ("FIRST", "EVERY"):
        monkeypatch.setattr(lines, name, 0.2)
    archive.faults["/a/stars.fits"] = ["slow"]
    said = run("fetch", "mine", "-o", tmp_path / "data", "--sources", tmp_path / "mine.toml").output
    assert "step 1 of 2: stars.fits, MB: 1 of 2, " in said
    assert "per s, " in said
    assert " left" in said


def test_fetching_loads_no_libraries_of_numbers(archive, tmp_path):
    code = (
        "import sys; sys.argv = ['halonmf', 'fetch', 'mine', '-q', '-o', 'd', '--sources', 'mine.toml']\n"
        "from halonmf.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "sys.exit(str({'numpy', 'astropy', 'torch', 'numba', 'scipy'} & set(sys.modules) or 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == "0\n", done.stderr


@pytest.mark.slow
def test_the_sample_goes_through_the_commands_that_are_printed(tmp_path):
    """Word for word, in a shell."""
    words = [*RUN, "sample", "-o", "sample"]
    said = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    commands = [line.strip() for line in said.partition("next:\n")[2].splitlines()]
    assert len(commands) == 2
    (tmp_path / "halonmf").write_text(f'#!/bin/sh\nexec {sys.executable} -m halonmf "$@"\n')
    (tmp_path / "halonmf").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "verdict:" in done.stdout
    assert (tmp_path / "fit.h5").exists()
