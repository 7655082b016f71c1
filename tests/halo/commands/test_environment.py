"""The command line in environments that are not as one wishes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.io.provenance import now
from halonmf.halo.stars.catalogue import write_catalogue
from halonmf.halo.stars.cutflow import CutFlow

from ..helpers.planted import planted

CODE = "from halonmf.cli import main; main()"


def halonmf(*arguments, stdout=subprocess.PIPE, **environment):
    return subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_standard_output_on_a_full_disk_exits_5_and_says_that_files_are_complete(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = halonmf("mock", tmp_path / "mock", "--stars", "600", stdout=full)
    assert done.returncode == 5
    assert "standard output cannot be written (No space left on device)" in done.stderr
    assert "files that have their names are complete" in done.stderr
    assert "Exception ignored" not in done.stderr
    assert list((tmp_path / "mock").glob("allStar*.fits"))
    assert not list((tmp_path / "mock").rglob(".*.tmp"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("asked", [("--help",), ("--version",), ("--schema",), ("fit", "--help")], ids=" ".join)
def test_help_that_a_full_disk_has_no_room_for_is_one_line_and_5(asked):
    with Path("/dev/full").open("w") as full:
        done = halonmf(*asked, stdout=full)
    assert done.returncode == 5
    assert [line[:41] for line in done.stderr.splitlines()] == ["halonmf: standard output cannot be written"[:41]]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take names of UTF-8 only")
def test_files_whose_names_are_no_utf8_are_read_written_and_printed_as_they_are(tmp_path):
    stars, fit = (os.fsdecode(os.fsencode(tmp_path) + name) for name in (b"/st\xe9rne.fits", b"/f\xe9.h5"))
    table = planted(1500)[0]
    table["APOGEE_ID"] = np.arange(len(table)).astype(str)
    write_catalogue(stars, table, CutFlow(len(table), (), ()), {})
    done = subprocess.run(
        [sys.executable, "-c", CODE, *("fit", stars, "-o", fit, "-q", "--bins", "E:4,Lz:4", "--pixels", "10")],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(b"/f\xe9.h5")
    (made_from,) = halo.load(fit).provenance["inputs"]
    assert made_from["name"] == "st\N{REPLACEMENT CHARACTER}rne.fits"
    assert halonmf("init", stars, "-o", tmp_path / "s.toml", "--slurm").returncode == 0
    assert b"/st\xe9rne.fits" in (tmp_path / "job.sh").read_bytes()


@pytest.mark.parametrize("asked", [("init", "-o"), ("fetch", "sample", "-o"), ("demo",)], ids=" ".join)
def test_a_name_that_is_too_long_is_refused_in_one_line(asked, tmp_path):
    done = halonmf(*asked, tmp_path / ("n" * 300 + ".toml"))
    assert done.returncode == 5
    assert "nnn" in done.stderr
    assert "cannot be used (File name too long); choose another place" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_letters_that_the_terminal_lacks_are_escaped(tmp_path):
    name = tmp_path / "\N{BLACK STAR}.toml"
    done = halonmf("init", "-o", name, PYTHONIOENCODING="iso8859-1", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert "\\u2605.toml" in done.stdout


@pytest.mark.parametrize("epoch", ["1700000000", "0"])
def test_outputs_are_dated_by_source_date_epoch(monkeypatch, epoch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert now().timestamp() == float(epoch)


@pytest.mark.parametrize("epoch", ["", "yesterday", "-5", "9" * 30, "1e9"])
def test_what_is_no_epoch_is_left_aside(monkeypatch, epoch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert now().year >= 2024


def test_an_ignored_hang_up_stays_ignored():
    code = (
        "import os, signal\n"
        "from halonmf.halo.ensembles.signals import stoppable\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with stoppable():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "print('went on')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_the_backend_of_a_notebook_does_not_stop_a_figure(tmp_path):
    code = (
        "from halonmf.halo.figures.picture import Picture\n"
        "from matplotlib.figure import Figure\n"
        "import pathlib\n"
        f"Picture(Figure(), 'Caption.', 'Text.').figure.savefig({str(tmp_path / 'a.png')!r})\n"
    )
    # what a kernel's terminal inherits, in an environment without that package
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline_that_is_not_there.backend_inline"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert (tmp_path / "a.png").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a folder that nobody can write is taken from /proc")
def test_without_a_home_that_can_be_written_figures_are_drawn_all_the_same(tmp_path):
    code = (
        "from matplotlib.figure import Figure\n"
        "from halonmf.halo.figures import Picture, save\n"
        "figure = Figure(); figure.add_subplot().plot([1, 2])\n"
        f"save(Picture(figure, 'c', 'a'), {str(tmp_path / 'a')!r})\n"
    )
    unset = {"MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NUMBA_CACHE_DIR"}
    environment = {name: x for name, x in os.environ.items() if name not in unset} | {"HOME": "/proc/nobody"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert (tmp_path / "a.png").exists()


def test_a_signal_to_stop_ends_any_command_with_75_and_leaves_nothing_half_written(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from halonmf.cli import app\n"
        "from halonmf.halo.io import atomic\n"
        "sync = atomic._sync\n"
        "def stop(path):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    sync(path)\n"
        "atomic._sync = stop\n"
        f"app(['mock', {str(tmp_path / 'mock')!r}, '--stars', '600', '-q'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr[-500:]
    assert done.stderr == ("halonmf: stopped by SIGTERM; nothing half-written is left, run the same command again.\n")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
