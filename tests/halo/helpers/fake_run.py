"""Runs whose fits are made up: everything of an ensemble is real but the astronomy, which takes no time.

As a script, `python fake_run.py FOLDER [SECONDS] [OPTION=VALUE ...]` is a run in a process of its own that sleeps for
SECONDS in every batch. It says "ready" when all is loaded, and with wait=1 goes on when it is told to by a line.
"""

import contextlib
import dataclasses
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

from halonmf.halo.ensembles import runner
from halonmf.halo.ensembles import worker as work
from halonmf.halo.ensembles.plan import Plan
from halonmf.halo.ensembles.settings import RunOptions
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.errors import HalonmfError, UsageError
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.replicates.setup import Setup

PLAN = Plan(Setup(FitSettings.of(device="cpu")), (parse_sweep("pixels=2,3"), parse_sweep("seed=0:2")), 7, 4)
POISON = 13


def begin(stars, setup):
    if setup.fit.solver.seed == POISON:
        raise UsageError("this seed brings bad luck.")
    pixels = setup.fit.chemistry.pixels
    values = np.random.default_rng([1, setup.fit.solver.seed, pixels]).random(pixels)
    products = {"mass_fraction": values, "n": np.array(pixels)}
    return SimpleNamespace(setup=setup, products=products, coordinates={"edges": np.arange(pixels + 1.0)})


def reduce(base, first, count, *, keep_factors=False):
    pixels = base.setup.fit.chemistry.pixels
    draws = [
        np.random.default_rng([2, base.setup.fit.solver.seed, pixels, b]).random(pixels)
        for b in range(first, first + count)
    ]
    return {
        "mass_fraction": np.array(draws),
        "n": np.arange(first, first + count),
        "refused": np.array([draw[0] < 0.1 for draw in draws]),
    }


@contextlib.contextmanager
def faked(begin=begin, reduce=reduce):
    """Replace what costs time, here and in what a run calls."""
    with (
        mock.patch.object(work, "begin", begin),
        mock.patch.object(work, "reduce", reduce),
        mock.patch.object(work, "read_stars", return_value=SimpleNamespace(colnames=[])),
        mock.patch.object(runner, "resolve_device", return_value="cpu"),
        mock.patch.object(work, "one_thread", contextlib.nullcontext),
        mock.patch.object(runner, "use_threads"),
    ):
        yield


def run(folder, plan=PLAN, *, stars=None, begin=begin, reduce=reduce, executor=None, **options):
    """Run an ensemble of made-up fits; the catalogue is any file."""
    stars = stars or Path(folder).parent / "stars.fits"
    if not stars.exists():
        stars.write_bytes(b"stars")
    with faked(begin, reduce):
        return runner.ensemble(stars, Path(folder), plan, RunOptions(**options), executor=executor)


def wait_for_batches(folder, number, process=None):
    """Return when so many batches are there; fail where they do not come, or the process that makes them has ended."""
    deadline = time.monotonic() + 100
    while len(list((folder / "batches").glob("*.h5"))) < number:
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def main(folder, seconds="0", *options):
    from halonmf.halo.ensembles.signals import stoppable

    def slowly(base, first, count, *, keep_factors=False):
        time.sleep(float(seconds))
        return reduce(base, first, count, keep_factors=keep_factors)

    given = dict(option.split("=") for option in options)
    plan = dataclasses.replace(PLAN, replicates=int(given.pop("replicates", PLAN.replicates)))
    shard = tuple(int(x) for x in given.pop("shard").split("/")) if "shard" in given else None
    try:
        with stoppable():
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            if given.pop("wait", ""):
                sys.stdin.readline()
            run(Path(folder), plan, shard=shard, reduce=slowly, resume=True, **given)
    except HalonmfError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
