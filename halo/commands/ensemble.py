"""What `halonmf ensemble` does: choose who computes, run, and sum up."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ..ensembles import launch
from ..ensembles.plan import Plan
from ..ensembles.run import Run
from ..ensembles.runner import Outcome, check
from ..ensembles.settings import Cluster, RunOptions
from ..progress import Progress, silent

if TYPE_CHECKING:
    from ..ensembles.estimate import Estimate


def ensemble(
    stars: Path,
    folder: Path,
    plan: Plan,
    *,
    resume: bool = False,
    overwrite: bool = False,
    shard: tuple[int, int] | None = None,
    cluster: Cluster | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Compute what is missing of an ensemble; the choices are those of `runner.ensemble`.

    Raises
    ------
    UsageError, InputError, OutputError
        As `runner.ensemble`.
    """
    options = RunOptions(resume, overwrite, shard, threads, progress)
    return launch.ensemble(stars, folder, plan, options=options, cluster=cluster)


def estimate(stars: Path, plan: Plan, *, threads: int | None = None) -> Estimate:
    """Return what an ensemble will take; see `estimate.estimate`."""
    from ..ensembles.estimate import estimate

    check(plan)
    return estimate(stars, plan, threads=threads)


def estimated(plan: Plan, found: Estimate) -> str:
    """Return what a plan comes to and what it will take, with where that comes from."""
    if math.isnan(found.seconds):
        return f"{planned(plan)}; none of the set-ups that were tried can be computed"
    tried = number(len(found.tried), "set-up")
    return (
        f"{planned(plan)}\nabout {duration(found.seconds)} and {disk(found.size)} on this machine: an estimate from "
        f"some fits of {tried}, start-up left out"
    )


def done(outcome: Outcome) -> str:
    """Return what came of a run, in one line."""
    run = outcome.run
    there = sum(run.plan.batches[i].fits for i in run.headers)
    if run.complete:
        return f"{planned(run.plan)}: complete, {outcome.fits:,} fits computed now"
    return f"{there:,} of {number(run.plan.fits, 'fit')} there, {outcome.fits:,} of them computed now"


def failures(run: Run, most: int = 5) -> str:
    """Return what could not be computed, in one line; empty where everything was."""
    if not run.failed:
        return ""
    said = "; ".join(f"{failure.label}: {failure.reason}" for failure in run.failed[:most])
    more = f"; and {len(run.failed) - most} more, in manifest.json" if len(run.failed) > most else ""
    return f"{len(run.failed)} of {len(run.setups)} set-ups could not be computed: {said}{more}"


def number(count: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 fit`` or ``4,800 fits``."""
    plural = noun + ("es" if noun.endswith("ch") else "s")
    return f"{count:,} {noun if count == 1 else plural}"


def planned(plan: Plan) -> str:
    """Return what a plan comes to, such as ``48 set-ups, 4,848 fits in 48 batches``."""
    return f"{number(len(plan.setups), 'set-up')}, {number(plan.fits, 'fit')} in {number(len(plan.batches), 'batch')}"


def duration(seconds: float) -> str:
    """Return a time in words that suit its length."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def disk(size: float) -> str:
    """Return a number of bytes in words."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
