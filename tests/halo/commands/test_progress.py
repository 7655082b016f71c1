"""What commands show of how far they are: lines in a log, bars on a terminal, events for programs."""

import json
import re
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halonmf.halo.commands import progress as module
from halonmf.halo.commands.interruption import again, leaving, resumable
from halonmf.halo.commands.progress import Terminal, time_left
from halonmf.halo.ensembles.signals import Stop
from halonmf.halo.errors import CancelledError, InterruptedRunError, OutputError
from halonmf.halo.progress import announce, kept, part_of, silent, stage
from nmfcore.course import course

from ..helpers.recorded import Recorded


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_log_has_a_line_now_and_then_with_rate_and_time_left(clock, capsys):
    with Terminal(quiet=False) as progress:
        progress("fits", 1000, 5000)  # done by an earlier run: no part of the rate
        for seconds, done in ((1.0, 1010), (5.0, 1500), (16.0, 2600), (20.0, 3000), (40.0, 5000)):
            clock[0] = 100.0 + seconds
            progress("fits", done, 5000)
    assert capsys.readouterr().err.splitlines() == [
        "fits: 1,500 of 5,000, 100 per s, 0 min 35 s left",
        "fits: 3,000 of 5,000, 100 per s, 0 min 20 s left",
        "fits: done in 40.0 s, 4,000 at 100 per s",
    ]


def test_the_time_of_a_stage_that_reports_when_it_is_done_is_that_since_the_one_before(clock, capsys):
    with Terminal(quiet=False) as progress:
        for seconds, stage_name, done, total in ((3.0, "read", 1, 1), (4.0, "orbits", 1, 2), (7.5, "orbits", 2, 2)):
            clock[0] = 100.0 + seconds
            progress(stage_name, done, total)
    found = re.findall(r"(\w+): done in ([\d.]+) s", capsys.readouterr().err)
    assert found == [("read", "3.0"), ("orbits", "4.5")]


def test_steps_that_were_announced_are_counted_and_the_rest_are_parts_of_them(clock, capsys):
    with Terminal(quiet=False) as progress:
        announce(progress, "catalogue", "fit", "page")
        progress("catalogue", 0, 1)
        announce(progress, "orbits")  # of a part: the first announcement counts
        progress("orbits", 0, 10)
        clock[0] += 4
        progress("orbits", 5, 10)
        clock[0] += 4
        progress("orbits", 10, 10)
        progress("catalogue", 1, 1)
        kept(progress, "fit")
        with stage(progress, "page"):
            clock[0] += 2
    assert capsys.readouterr().err.splitlines() == [
        "step 1 of 3: catalogue: orbits: 5 of 10, 1.2 per s, 0 min 04 s left",
        "step 1 of 3: catalogue: orbits: done in 8.0 s, 10 at 1.2 per s",
        "step 1 of 3: catalogue: done in 8.0 s",
        "step 2 of 3: fit: kept",
        "step 3 of 3: page: done in 2.0 s",
    ]
    assert progress.done("") == (3, 3)


def test_a_command_that_takes_a_moment_leaves_no_line(clock, capsys):
    with Terminal(quiet=False) as progress:
        for name in ("read", "fit"):
            with stage(progress, name):
                clock[0] += 0.4
    assert capsys.readouterr().err == ""


def test_a_stage_of_one_long_piece_is_seen_to_be_alive(capsys, monkeypatch):
    monkeypatch.setattr(module, "FIRST", 0.05)
    monkeypatch.setattr(module, "EVENTS", 0.05)
    with Terminal(quiet=False) as progress, stage(progress, "verdict"):
        time.sleep(0.5)
    assert re.search(r"^verdict: \d s so far$", capsys.readouterr().err, re.MULTILINE)


def test_of_many_pieces_of_which_none_is_done_the_time_is_shown(clock, capsys):
    with Terminal(quiet=False) as progress:
        progress("verdict", 0, 3)
        clock[0] += 5
        progress("verdict", 0, 3)
    assert capsys.readouterr().err == "verdict: 0 of 3, 5 s so far\n"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("starts", [1, 8])
def test_a_single_long_fit_shows_its_iterations_and_the_most_that_they_take(capsys, monkeypatch, starts, terminal):
    monkeypatch.setattr(module, "FIRST", 0.05)
    monkeypatch.setattr(module, "EVENTS", 0.05)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: terminal)
    with Terminal(quiet=False) as progress, stage(progress, "fit"), course(starts, 10_000) as seen:
        seen.begin(starts)
        seen.n_iter = 1234
        time.sleep(0.5)
    start = "start 8 of 8, " if starts > 1 else ""
    said = f"0 s so far; {start}iteration 1,234 of at most 10,000, at most about 0 min 0"
    assert said in capsys.readouterr().err


def test_progress_for_programs_says_the_same(clock, capsys):
    with Terminal(quiet=False, as_json=True) as progress:
        progress("fits", 0, 100)
        clock[0] += 2.0
        progress("fits", 50, 100)
    assert json.loads(capsys.readouterr().out) == {
        "event": "progress", "done": 50, "total": 100, "rate": 25.0, "seconds_left": 2.0,
    }  # fmt: skip


def test_a_terminal_has_a_bar_with_step_rate_and_time_left(clock, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    with Terminal(quiet=False) as progress:
        announce(progress, "read", "fits")
        progress("fits", 0, 100)
        clock[0] += 2.0
        progress("fits", 50, 100)
    said = capsys.readouterr().err
    assert "step 2 of 2: fits" in said
    assert "50 of 100, 25.0 per s, 0 min 02 s left" in said


def test_quiet_progress_says_nothing_and_still_knows_what_is_done(clock, capsys):
    with Terminal(quiet=True) as progress:
        progress("fits", 0, 100)
        clock[0] += 100.0
        progress("fits", 60, 100)
    assert capsys.readouterr() == ("", "")
    assert progress.done("fits") == (60, 100)


@given(
    calls=st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 9), st.integers(0, 9)), max_size=30),
    steps=st.lists(st.sampled_from(["a", "b"]), unique=True),
)
def test_no_order_of_stages_makes_it_fail(calls, steps):
    with Terminal(quiet=False) as progress:
        announce(progress, *steps)
        for name, x, y in calls:
            progress(name, min(x, y), max(x, y))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "time left unknown"), (59.4, "0 min 59 s left"), (125, "2 min 05 s left"), (7384, "2 h 03 min left")],
)
def test_the_time_left_is_said_in_units_that_suit_it(seconds, said):
    assert time_left(seconds) == said


# what everything that takes a progress may do with one


def test_a_plain_function_is_told_of_stages_alone():
    said = []

    def told(*call):
        said.append(call)

    announce(told, "a", "b")
    kept(told, "a")
    with stage(told, "b"):
        pass
    assert said == [("a", 1, 1), ("b", 0, 1), ("b", 1, 1)]


def test_equal_parts_make_one_stage_that_rises_to_its_end():
    told = Recorded()
    for i in range(3):
        part = part_of(told, "bootstraps", i, 3)
        for done in (0, 50, 100):
            part("whatever", done, 100)
    told.check()
    assert told.said[-1] == ("bootstraps", 300, 300)
    assert part_of(silent, "bootstraps", 0, 3) is silent


def test_a_stage_that_fails_is_not_over():
    told = Recorded()
    with pytest.raises(ZeroDivisionError), stage(told, "fit"):
        raise ZeroDivisionError
    assert told.said == [("fit", 0, 1)]


# Ctrl-C


def typed(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["/usr/bin/halonmf", *arguments])


def test_ctrl_c_says_what_is_kept_and_what_to_type(monkeypatch):
    typed(monkeypatch, "search", "my stars.fits", "--draws", "5000", "--overwrite")
    progress = Terminal(quiet=True)
    progress("settings", 3200, 5000)
    said = "interrupted after 3,200 of 5,000 settings, which are kept; go on with: "
    with pytest.raises(CancelledError) as caught, resumable(progress, "settings", "settings"):
        raise KeyboardInterrupt
    assert str(caught.value) == f"{said}halonmf search 'my stars.fits' --draws 5000 --overwrite --resume"
    assert caught.value.exit_code == 130


def test_a_signal_says_the_same_and_leaves_with_its_own_code(monkeypatch):
    typed(monkeypatch, "paper", "out", "--overwrite", "--resume")
    progress = Terminal(quiet=True)
    announce(progress, "stars", "page")
    progress("stars", 1, 1)
    with pytest.raises(InterruptedRunError) as caught, resumable(progress, drop=("--overwrite",)):
        raise Stop(signal.Signals.SIGTERM.name)
    assert str(caught.value) == (
        "stopped by SIGTERM after 1 of 2 steps, which are kept; go on with: halonmf paper out --resume"
    )
    assert caught.value.exit_code == 75


def test_where_nothing_was_done_nothing_is_claimed_to_be_kept():
    with pytest.raises(CancelledError, match="nothing half-written is left"), resumable(Terminal(quiet=True), "fits"):
        raise KeyboardInterrupt


def test_a_full_disk_says_how_to_go_on_too(monkeypatch):
    typed(monkeypatch, "search", "stars.fits")
    progress = Terminal(quiet=True)
    with pytest.raises(OutputError) as caught, resumable(progress, "settings"):
        raise OutputError("search.ecsv.partial: exists.")
    assert str(caught.value) == "search.ecsv.partial: exists."
    progress("settings", 32, 50)
    with pytest.raises(OutputError) as caught, resumable(progress, "settings", "settings"):
        raise OutputError("000.h5: no space left on the device; free some.")
    assert str(caught.value) == (
        "000.h5: no space left on the device; free some; ended after 32 of 50 settings, which are kept; go on with: "
        "halonmf search stars.fits --resume"
    )
    assert caught.value.exit_code == 5


def test_what_is_left_of_a_command_that_cannot_go_on_is_said():
    for error, kind in ((KeyboardInterrupt(), CancelledError), (Stop("SIGHUP"), InterruptedRunError)):
        with pytest.raises(kind, match="; look into the folder"), leaving("look into the folder"):
            raise error


def test_resume_is_added_once():
    assert again(["paper", "--resume"]) == "halonmf paper --resume"
