"""Runs that are extended: the replicates that are there are kept, and the files are those of the longer run at once."""

import dataclasses
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halonmf.halo.ensembles import run as runs
from halonmf.halo.ensembles import worker
from halonmf.halo.ensembles.plan import Part, Plan
from halonmf.halo.ensembles.run import open_run
from halonmf.halo.errors import InterruptedRunError, UsageError
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.replicates.setup import Setup

from ..helpers.fake_run import PLAN, reduce, run
from ..helpers.planted import SMALL, planted


def contents(folder):
    assert not (folder / "earlier").exists()
    names = [*(folder / "batches").iterdir(), folder / "manifest.json", folder / "settings.json"]
    return {path.name: path.read_bytes() for path in names}


def longer(replicates):
    return dataclasses.replace(PLAN, replicates=replicates)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("at_once") / "run"
    run(folder, longer(15))
    return contents(folder)


def counted():
    seen = []

    def counting(base, first, count, *, keep_factors=False):
        seen.append(Part(PLAN.setups.index(base.setup), first, count))
        return reduce(base, first, count)

    return seen, counting


def test_a_longer_run_computes_the_rest_and_has_the_files_of_one_at_once(tmp_path, at_once):
    run(tmp_path / "run")
    seen, counting = counted()
    outcome = run(tmp_path / "run", longer(15), resume=True, reduce=counting)
    assert contents(tmp_path / "run") == at_once
    assert all(part.first >= 7 for part in seen)
    assert sum(part.count for part in seen) == outcome.fits == 8 * len(PLAN.setups)
    assert outcome.notes == ("extended from 7 to 15 replicates; those that are there are kept",)


def test_progress_counts_what_is_there(tmp_path):
    run(tmp_path / "run")
    told = []
    run(tmp_path / "run", longer(15), resume=True, progress=lambda *now: told.append(now))
    assert told[0] == ("fits", 8 * len(PLAN.setups), 16 * len(PLAN.setups))
    assert told[-1] == ("fits", 16 * len(PLAN.setups), 16 * len(PLAN.setups))


@pytest.mark.parametrize("missing", [[0], [1, 4], [2, 3, 7]])
def test_a_run_that_is_not_complete_can_be_extended(tmp_path, at_once, missing):
    run(tmp_path / "run")
    for index in missing:
        runs.batch_path(tmp_path / "run", index).unlink()
    run(tmp_path / "run", longer(15), resume=True)
    assert contents(tmp_path / "run") == at_once


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(0, 14), min_size=1, max_size=3, unique=True).map(sorted))
def test_runs_can_be_extended_by_any_number_as_often_as_one_likes(tmp_path_factory, at_once, lengths):
    folder = tmp_path_factory.mktemp("often") / "run"
    for replicates in (*lengths, 15):
        run(folder, longer(replicates), resume=True)
    assert contents(folder) == at_once


@pytest.mark.parametrize("calls", range(0, 30, 3))
@pytest.mark.parametrize("then", [7, 15])
def test_an_extension_that_is_interrupted_goes_on_in_either_way(tmp_path, at_once, monkeypatch, calls, then):
    """Stopped at every step of the file system, whatever it is: a move, the new settings, a batch, a removal."""
    from halonmf.halo.io import atomic

    folder, left = tmp_path / "run", [calls]
    run(folder)

    def limited(function):
        def call(*arguments):
            if not left[0]:
                raise InterruptedRunError("stopped here.")
            left[0] -= 1
            return function(*arguments)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "_rename", limited(atomic._rename))
        with pytest.raises(InterruptedRunError):
            run(folder, longer(15), resume=True)
    begun = runs.read_settings(folder)["plan"]["bootstrap"] == 15
    if then == 7 and begun:
        with pytest.raises(UsageError, match="of which none is thrown away"):
            run(folder, resume=True)
    else:
        seen, counting = counted()
        run(folder, longer(then), resume=True, reduce=counting)
        assert all(part.first >= 7 for part in seen)
    run(folder, longer(15), resume=True)
    assert contents(folder) == at_once


def test_a_damaged_file_of_the_shorter_run_is_computed_again(tmp_path, at_once):
    run(tmp_path / "run")
    path = runs.batch_path(tmp_path / "run", 2)
    path.write_bytes(path.read_bytes()[:-3])
    run(tmp_path / "run", longer(15), resume=True)
    assert contents(tmp_path / "run") == at_once


def test_files_of_other_settings_in_the_place_of_the_shorter_run_count_for_nothing(tmp_path, at_once):
    other = dataclasses.replace(PLAN, base=Setup(PLAN.base.fit, floor=0.4))
    run(tmp_path / "other", other)
    run(tmp_path / "run")
    shutil.copytree(tmp_path / "other" / "batches", tmp_path / "run" / "earlier" / "9")
    run(tmp_path / "run", longer(15), resume=True)
    assert contents(tmp_path / "run") == at_once


def test_a_shard_does_not_extend_a_run_and_computes_its_part_once_that_is_done(tmp_path, at_once):
    folder = tmp_path / "run"
    run(folder)
    with pytest.raises(UsageError, match=r"a shard cannot extend it to 15 .* with --resume and without --shard"):
        run(folder, longer(15), shard=(1, 2))

    def stop(*_, **__):
        raise InterruptedRunError("stopped here.")

    with pytest.raises(InterruptedRunError):
        run(folder, longer(15), resume=True, executor=stop)
    for i in (2, 1):
        run(folder, longer(15), shard=(i, 2))
    assert contents(folder) == at_once


def test_overwriting_leaves_nothing_of_a_run_that_was_being_extended(tmp_path, at_once):
    folder = tmp_path / "run"
    run(folder, longer(3))
    (folder / "earlier" / "3").mkdir(parents=True)
    shutil.copy(runs.batch_path(folder, 0), folder / "earlier" / "3" / "000000.h5")
    run(folder, longer(15), overwrite=True)
    assert contents(folder) == at_once


@pytest.mark.parametrize(
    "choices", [{}, {"components": 3}, {"loss": "kullback-leibler"}, {"update": "mu", "scheme": "poisson"}]
)
def test_a_replicate_is_the_same_bit_for_bit_in_every_batch(choices):
    scheme = choices.pop("scheme", "multinomial")
    plan = Plan(Setup(SMALL.replace(**choices), scheme=scheme), (), 9, keep_factors=True)
    work = worker.Worker(planted(2000)[0], isolate=False)
    whole, first, rest = (work(plan.setups[0], Part(0, *cut), keep_factors=True) for cut in ((0, 9), (0, 4), (4, 5)))
    for name, value in whole.replicates.items():
        joined = np.concatenate([first.replicates[name], rest.replicates[name]])
        np.testing.assert_array_equal(joined, value, err_msg=name)
        assert joined.dtype == value.dtype


def test_a_plan_of_base_fits_can_be_extended(tmp_path):
    plan = Plan(Setup(FitSettings.of(device="cpu")), PLAN.sweeps, 0, 4)
    run(tmp_path / "run", plan)
    run(tmp_path / "run", dataclasses.replace(plan, replicates=7), resume=True)
    run(tmp_path / "whole")
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert open_run(tmp_path / "run").complete
