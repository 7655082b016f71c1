"""How far a solve is, seen from another thread."""

import sys
import threading

import numpy as np
import pytest

import nmfcore
from nmfcore.course import course

V = np.random.default_rng(0).poisson(3.0, (40, 200)).astype(np.float64)
LONG = nmfcore.Stop(tol=0, max_iter=3000)


@pytest.fixture
def seen():
    """What another thread sees, every millisecond."""
    found, over = [], threading.Event()

    def look():
        while not over.wait(0.001):
            one = nmfcore.in_progress()
            if one is not None:
                found.append((one.start, one.starts, one.n_iter, one.max_iter))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    thread = threading.Thread(target=look)
    thread.start()
    yield found
    over.set()
    thread.join()
    sys.setswitchinterval(before)


@pytest.mark.parametrize(
    ("loss", "starts"), [("frobenius", 1), ("frobenius", 3), ("kullback-leibler", 1), ("kullback-leibler", 2)]
)
def test_another_thread_sees_every_start_of_a_matrix_go_forward(seen, loss, starts):
    stop = LONG if loss == "frobenius" else nmfcore.Stop(tol=0, max_iter=200)
    result = nmfcore.factorize(V, 3, loss=loss, starts=starts, stop=stop)
    assert result.n_iter == stop.max_iter
    places = [place for place in seen if place[2]]
    assert places == sorted(places)
    assert {start for start, *_ in places} == set(range(1, starts + 1))
    assert {(n, most) for _, n, _, most in places} == {(starts, stop.max_iter)}
    assert len({place[2] for place in places}) > 5
    assert nmfcore.in_progress() is None


def test_an_error_leaves_nothing_behind():
    with pytest.raises(nmfcore.ProblemError):
        nmfcore.factorize(-V, 2)

    def rule(problem, factors):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        nmfcore.factorize(V, 2, update=rule)
    assert nmfcore.in_progress() is None


def test_of_several_solves_at_once_nothing_is_reported():
    with course(1, 10) as one:
        assert nmfcore.in_progress() is one
        with course(1, 10):
            assert nmfcore.in_progress() is None
        assert nmfcore.in_progress() is one


def test_the_most_that_is_left_counts_the_starts_to_come_and_what_those_before_took(monkeypatch):
    monkeypatch.setattr("nmfcore.course.time.monotonic", lambda: 100.0)
    one = nmfcore.Course(starts=4, max_iter=1000, since=40.0)
    one.begin(1)
    one.n_iter = 9
    assert one.seconds_left() is None
    one.n_iter = 100
    one.begin(2)
    one.n_iter = 500
    assert one.seconds_left() == pytest.approx(0.1 * 2500)
