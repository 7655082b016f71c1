"""Checks in pieces: what was interrupted goes on to the same result, and the time is told beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from halonmf import halo
from halonmf.halo.checks import injection, penalties, stability
from halonmf.halo.checks.effort import WORKS, effort
from halonmf.halo.checks.work import do, measure
from halonmf.halo.errors import InputError, UsageError
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
    (path,) = kept.folder.glob("*.h5")
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
    monkeypatch.setattr(penalties, "BATCH", 10)
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


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_search_is_the_same_in_batches_of_any_size(stars, monkeypatch, batch):
    whole = halo.search(stars, COARSE, draws=25, number=2)
    monkeypatch.setattr(penalties, "BATCH", batch)
    same(halo.search(stars, COARSE, draws=25, number=2), whole)


def test_the_effort_counts_the_fits_and_leaves_nothing(check, stars, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, choices = check
    found = effort(function, stars, COARSE, **choices)
    work = WORKS[function.__name__](stars, COARSE, **choices)
    assert found.fits == work.fits
    assert 0 < found.tried <= found.fits
    assert found.seconds > 0
    assert list(tmp_path.iterdir()) == []


def test_the_effort_of_twice_as_much_is_twice_as_long(stars, monkeypatch):
    work = penalties.search_work(stars, COARSE, draws=40, number=2)
    clock = [0.0]
    timed = []

    def compute(some):
        clock[0] += 0.5 * len(some)
        timed.append(len(some))
        return {"x": np.zeros(len(some))}

    monkeypatch.setattr("halonmf.halo.checks.work.time.perf_counter", lambda: clock[0])
    found = [measure(replace(work, total=n, fits=3 * n, compute=compute)).seconds for n in (1000, 2000)]
    assert found == [500.0, 1000.0]
    assert timed == [1, penalties.SAMPLE, 1, penalties.SAMPLE]


def test_only_checks_have_an_effort(stars):
    with pytest.raises(UsageError, match="check must be one of search, stability, inject"):
        effort(halo.fit, stars)


def test_nothing_to_vary_takes_no_time(stars):
    assert effort("stability", stars, COARSE, starts=0, bins=(), pixels=()).seconds == 0
