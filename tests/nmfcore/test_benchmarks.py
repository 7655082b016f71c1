"""The benchmarks' rounds: what they make of costs, and what they refuse to make a figure of."""

import importlib
import itertools
import os
import pathlib
import subprocess
import sys

import pytest

from nmfcore import bench

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch):
    """Import a script of the benchmarks by name, from where they import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def given(module, seconds):
    """A side that costs these seconds of the clock, one after the other, and half of them of the processor."""
    costs = itertools.cycle(seconds)

    def side(number=1):
        clock = next(costs)
        return module.Cost(number * clock, number * clock / 2)

    return side


def test_there_are_at_least_seven_rounds(script):
    rounds = script("rounds")
    assert rounds.ROUNDS >= 7
    found = rounds.in_turn(given(rounds, [1]), given(rounds, [2]))
    assert found.figures()["rounds"] == len(found.ours) == len(found.peer) == rounds.ROUNDS


def test_who_is_first_alternates(script):
    rounds, called = script("rounds"), []

    def side(name):
        def call():
            called.append(name)
            return rounds.Cost(1.0, 1.0)

        return call

    rounds.in_turn(side("ours"), side("peer"), 4)
    assert called[2:] == ["ours", "peer", "peer", "ours", "ours", "peer", "peer", "ours"]


def test_a_figure_is_the_median_of_ratios_within_rounds(script):
    rounds = script("rounds")
    found = rounds.Rounds(
        ours=[rounds.Cost(1, 1), rounds.Cost(2, 1), rounds.Cost(1, 1)],
        peer=[rounds.Cost(10, 30), rounds.Cost(40, 20), rounds.Cost(90, 10)],
    ).figures()
    assert (found["value"], found["low"], found["high"]) == (20, 15, 55)
    assert (found["cpu_ratio"], found["cpu_low"], found["cpu_high"]) == (20, 15, 25)


def test_ours_over_the_peer_is_the_inverse(script):
    rounds = script("rounds")
    found = rounds.Rounds(ours=[rounds.Cost(1, 1)] * 3, peer=[rounds.Cost(4, 2)] * 3)
    assert (found.figures(slower=True)["value"], found.figures(slower=True)["cpu_ratio"]) == (0.25, 0.5)


def test_differences_give_the_cost_of_one_iteration(script):
    rounds = script("rounds")
    found = rounds.differences(given(rounds, [1]), given(rounds, [3]), 10, 30)
    assert found.figures()["value"] == pytest.approx(3)
    assert found.figures()["ours_ms"] == pytest.approx(1e3)
    assert found.refused == 0


def test_a_difference_at_or_below_zero_is_measured_again(script):
    rounds = script("rounds")
    # the first call is untimed; then a short one that takes as long as a long one
    found = rounds.differences(given(rounds, [1, 3, *[1] * 100]), given(rounds, [3]), 10, 30)
    assert (found.refused, len(found.ours)) == (1, rounds.ROUNDS)
    assert found.figures()["refused_rounds"] == 1
    assert found.figures()["value"] == pytest.approx(3)


def test_differences_that_are_never_above_zero_are_no_figure(script):
    rounds = script("rounds")
    with pytest.raises(rounds.NotMeasurableError, match="not above zero"):
        rounds.differences(lambda number: rounds.Cost(1, 1), given(rounds, [3]), 10, 30)


def test_a_peer_s_cost_is_the_median_over_its_fits(script):
    peers = script("peers")
    import time

    # one of nine takes all its iterations; a mean would be eight times the median
    cost = peers.typical(time.sleep, [0.02] * 8 + [0.8], 1)
    assert 0.02 <= cost.clock < 0.08


def test_a_target_is_met_only_by_the_clock_and_the_processor(script):
    targets, rounds = script("targets"), script("rounds")

    def row(clock, processor):
        run = targets.Run((1,), stars=None)
        return run.row("k2_bootstrap", "", rounds.Rounds([rounds.Cost(1, 1)], [rounds.Cost(clock, processor)]), 1)

    assert [row(*x)["met"] for x in ((120, 120), (120, 80), (80, 120))] == [True, False, False]


def test_what_is_no_figure_is_shown_with_its_reason(script):
    targets = script("targets")
    row = targets.Run((1,), stars=None).none(None, "an iteration", 1, "not measurable: noise")
    assert "not measurable: noise" in targets.table([row])


@pytest.mark.parametrize("late", [False, True])
def test_variables_that_slow_numpy_down_are_unset_before_it_is_loaded(late):
    first = "import numpy; " * late
    code = f"{first}import fair, os; fair.require(); print(os.environ.get('OPENBLAS_CORETYPE'), fair.UNSET)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "benchmarks"), "OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if late:
        assert done.returncode == 1
        assert "unset OPENBLAS_CORETYPE" in done.stderr
    else:
        assert done.stdout == "None {'OPENBLAS_CORETYPE': 'Haswell'}\n"


def test_every_variable_that_the_engine_names_is_unset(script):
    assert script("fair").CHOOSING == bench.CHOOSING
