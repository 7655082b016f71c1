"""Checks in pieces: what was interrupted goes on to the same result, and the time is told beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.checks import injection, penalties, stability
from halonmf.halo.checks.effort import WORKS, effort
from halonmf.halo.checks.work import Work, do, measure
from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.io.unfinished import Unfinished
from halonmf.halo.mixtures.settings import Chemistry

from ..helpers.planted import SMALL, planted
from ..helpers.recorded import Recorded

COARSE = SMALL.replace(chemistry=Chemistry(pixels=8))
STREAM = injection.Stream(abundances=(("FE_H", -1.9), ("AL_FE", 0.4), ("MG_FE", 0.0)), E=-1.6e5, Lz=0.0)
CHOICES = {
    "search": (halo.search, {"draws": 40, "number": 3, "seed": 2}, 10),
    "stability": (halo.stability, {"starts": 2, "bins": (4, 30), "pixels": (8, 10)}, 1),
    "inject": (halo.inject, {"stream": STREAM, "widths": (0.1, 0.5), "numbers": (10, 300), "repeats": 2}, 3),
}


@pytest.fixture(scope="module")
def stars():
    return planted(700)[0]


@pytest.fixture(params=CHOICES)
def check(request, monkeypatch):
    """A check, its choices, with batches so small that it has several."""
    function, choices, batch = CHOICES[request.param]
    module = {"search": penalties, "stability": stability, "inject": injection}[request.param]
    if hasattr(module, "BATCH"):
        monkeypatch.setattr(module, "BATCH", batch)
    return function, choices


class StoppedError(Exception):
    """In place of Ctrl-C."""


def stop_after(number):
    """Progress that ends the work once so many pieces are done."""

    def told(stage, done, total):
        if done >= number:
            raise StoppedError

    return told


def same(one, two):
    a, b = one.table(), two.table()
    assert a.colnames == b.colnames
    for name in a.colnames:
        np.testing.assert_array_equal(np.asarray(a[name]), np.asarray(b[name]))
    assert str(a.meta) == str(b.meta)


def test_an_interrupted_check_goes_on_to_the_result_of_one_that_was_not(check, stars, tmp_path):
    function, choices = check
    whole = function(stars, COARSE, **choices)
    keep = tmp_path / "kept"
    for number in (1, 4):
        with pytest.raises(StoppedError):
            function(stars, COARSE, **choices, keep=keep, progress=stop_after(number))
        assert keep.is_dir()
    told = Recorded()
    same(function(stars, COARSE, **choices, keep=keep, progress=told), whole)
    told.check()
    assert told.said[0][1] >= 4  # what is kept counts as done
    assert not keep.exists()


def test_a_second_call_with_the_same_folder_is_refused_while_the_first_is_at_work(stars, tmp_path):
    keep = tmp_path / "new" / "kept"
    choices = {"starts": 2, "bins": (4,), "pixels": ()}

    def second(stage, done, total):
        if done == 1:
            halo.stability(stars, COARSE, **choices, keep=keep)

    with pytest.raises(OutputError, match="another run is at work there"):
        halo.stability(stars, COARSE, **choices, keep=keep, progress=second)
    halo.stability(stars, COARSE, **choices, keep=keep)
    assert list(keep.parent.iterdir()) == []


def test_what_is_kept_of_other_stars_or_settings_is_refused(check, stars, tmp_path):
    function, choices = check
    with pytest.raises(StoppedError):
        function(stars, COARSE, **choices, keep=tmp_path / "kept", progress=stop_after(1))
    with pytest.raises(UsageError, match=r"fit\..*pixels: 8 there, 9 here"):
        function(stars, COARSE.replace(pixels=9), **choices, keep=tmp_path / "kept")
    with pytest.raises(UsageError, match="content of the stars"):
        function(stars[1:], COARSE, **choices, keep=tmp_path / "kept")


def test_a_damaged_batch_is_made_again(stars, tmp_path):
    choices = {"draws": 20, "number": 2}
    whole = halo.search(stars, COARSE, **choices)
    work = penalties.search_work(stars, COARSE, **choices)
    kept = Unfinished(tmp_path / "kept")
    do(work, kept)  # who gives the folder itself removes it
    path = sorted(kept.folder.glob("*.h5"))[-1]
    path.write_bytes(path.read_bytes()[:-1000])
    same(halo.search(stars, COARSE, **choices, keep=kept.folder), whole)


FORGED = {
    "text": lambda x: np.full(x.shape, "x"),
    "another shape": lambda x: np.zeros((*x.shape, 2)),
    "too many": lambda x: np.concatenate([x] * 5),
    "none": None,
}


@pytest.mark.parametrize("which", ["one", "all"])
@pytest.mark.parametrize("forged", FORGED)
def test_pieces_that_the_work_does_not_make_are_refused_with_what_to_do(stars, tmp_path, monkeypatch, forged, which):
    monkeypatch.setattr(Work, "next_size", lambda *_: 10)
    work = penalties.search_work(stars, COARSE, draws=20, number=2)
    kept = Unfinished(tmp_path / "kept")
    do(work, kept)
    pieces = list(kept.load())
    for first, arrays in pieces if which == "all" else pieces[:1]:
        change = FORGED[forged]
        changed = {"held_out": arrays["held_out"]} if change is None else {n: change(x) for n, x in arrays.items()}
        kept.save(first, changed)
    with pytest.raises(InputError, match=r"kept: holds pieces that this work does not make.*; begin again by removing"):
        halo.search(stars, COARSE, draws=20, number=2, keep=kept.folder)


def test_pieces_of_another_check_are_made_again(stars, tmp_path, monkeypatch):
    monkeypatch.setattr(penalties, "BATCH", 1)
    whole = halo.search(stars, COARSE, draws=8, number=2)
    kept, others = Unfinished(tmp_path / "kept"), Unfinished(tmp_path / "others")
    do(penalties.search_work(stars, COARSE, draws=8, number=2), kept)
    do(stability.stability_work(stars, COARSE, starts=2, bins=(), pixels=()), others)
    for path in others.folder.glob("0*.h5"):
        path.replace(kept.folder / path.name)
    same(halo.search(stars, COARSE, draws=8, number=2, keep=kept.folder), whole)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_check_is_the_same_in_batches_of_any_size(check, stars, monkeypatch, size):
    function, choices = check
    work = WORKS[function.__name__](stars, COARSE, **choices)
    monkeypatch.setattr(Work, "next_size", lambda *_: 1000)
    whole = do(work)
    monkeypatch.setattr(Work, "next_size", lambda *_: size)
    same(do(work), whole)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only work moves on."""
    now = [0.0]
    monkeypatch.setattr("halonmf.halo.checks.work.time.perf_counter", lambda: now[0])
    return now


def timed(total, seconds, clock, most=128):
    """Work whose pieces take so long each, and the sizes of the batches in which it was done."""
    sizes = []

    def compute(some):
        sizes.append(len(some))
        clock[0] += seconds * len(some)
        return {"x": np.array(some, dtype=float)}

    return Work("", "pieces", total, total, most, 8, {}, compute, lambda found: found["x"]), sizes


@pytest.mark.parametrize(("seconds", "longest"), [(0.001, 0.2), (0.05, 6.4), (0.3, 10), (4, 10), (90, 90)])
def test_batches_take_ten_seconds_where_a_piece_takes_less(clock, monkeypatch, seconds, longest):
    monkeypatch.setattr("halonmf.halo.checks.work.threads", lambda: 1)
    work, sizes = timed(1000, seconds, clock)
    np.testing.assert_array_equal(do(work), np.arange(1000))
    assert 0.4 * longest < max(sizes) * seconds <= longest
    found = measure(work)
    assert found.batches == len(sizes[:-2])
    assert found.batch_seconds == pytest.approx(max(sizes[:-2]) * seconds)


def test_every_thread_has_a_piece_of_a_batch_however_long_it_takes(clock, monkeypatch):
    monkeypatch.setattr("halonmf.halo.checks.work.threads", lambda: 16)
    work, sizes = timed(64, 500, clock)
    do(work)
    assert sizes == [16] * 4


def test_a_few_dozen_settings_are_more_than_one_batch(clock, monkeypatch):
    monkeypatch.setattr("halonmf.halo.checks.work.threads", lambda: 2)
    work, sizes = timed(60, 0.04, clock)
    do(work)
    assert sizes == [2, 16, 42]


def test_batches_on_which_results_depend_are_always_the_same_ones(clock, tmp_path):
    work, sizes = timed(40, 1, clock, most=16)
    work = replace(work, fixed=True)
    kept = Unfinished(tmp_path / "kept")
    kept.begin({})
    kept.save(16, {"x": np.arange(16.0, 32.0)})
    kept.save(3, {"x": np.zeros(2)})
    np.testing.assert_array_equal(do(work, kept), np.arange(40))
    assert sizes == [16, 8]


def test_only_what_is_missing_is_computed_whatever_batches_were_kept(clock, tmp_path):
    work, sizes = timed(40, 1, clock)
    kept = Unfinished(tmp_path / "kept")
    kept.begin({})
    for first, count in ((5, 3), (20, 1)):
        kept.save(first, {"x": np.arange(first, first + count, dtype=float)})
    np.testing.assert_array_equal(do(work, kept), np.arange(40))
    assert sum(sizes) == 36


def test_the_effort_counts_the_fits_and_leaves_nothing(check, stars, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, choices = check
    found = effort(function, stars, COARSE, **choices)
    work = WORKS[function.__name__](stars, COARSE, **choices)
    assert found.fits == work.fits
    assert 0 < found.tried <= found.fits
    assert found.seconds > 0
    assert list(tmp_path.iterdir()) == []


def test_the_effort_of_twice_as_much_is_twice_as_long(clock):
    found = [measure(timed(n, 0.5, clock)[0]).seconds for n in (1000, 2000)]
    assert found == [500.0, 1000.0]


def test_only_checks_have_an_effort(stars):
    with pytest.raises(UsageError, match="check must be one of search, stability, inject"):
        effort(halo.fit, stars)


def test_nothing_to_vary_takes_no_time(stars):
    assert effort("stability", stars, COARSE, starts=0, bins=(), pixels=()).seconds == 0
