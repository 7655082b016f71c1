"""Running an ensemble: compute and write the missing batches, one by one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError
from ..fits.conventions import convention_of
from ..fits.engine import check_names, resolve_device, use_threads
from ..io.atomic import check_inside, write_bytes
from ..io.provenance import describe_input, own_version
from . import signals
from . import worker as work
from .batchfile import Computed, encode
from .claims import claim
from .extend import discard, find
from .folder import begin, check_folder, recover, write_manifest
from .plan import Batch, Plan, share
from .run import CLAIMS, SETTINGS, Run, batch_path, describe, open_run
from .settings import RunOptions

STAGE = "fits"
"""What progress is told of."""
Executor = Callable[[Sequence[Batch], Plan, Path], Iterable[tuple[Batch, Sequence[Computed]]]]
"""Computes batches, in any order."""


@dataclass(frozen=True)
class Outcome:
    """Result of a run.

    Attributes
    ----------
    run : Run
        The ensemble as it is now.
    fits : int
        Number of fits computed this time.
    notes : tuple of str
        A line on every file that was set aside, and on libraries that have changed.
    """

    run: Run
    fits: int
    notes: tuple[str, ...]


def ensemble(
    stars: Path,
    folder: Path,
    plan: Plan,
    options: RunOptions | None = None,
    *,
    executor: Executor | None = None,
    here: bool = False,
) -> Outcome:
    """Compute what is missing of an ensemble and keep it in a folder.

    Parameters
    ----------
    stars : Path
        Prepared catalogue.
    folder : Path
        For the run; made where there is none.
    plan : Plan
        What to compute.
    options : RunOptions, optional
        What becomes of an earlier run, which part to compute, number of threads, whom to tell.
    executor : callable, optional
        What computes; this process by default. Only the process that calls this writes.
    here : bool
        The executor computes on this machine, whose devices count.

    Returns
    -------
    Outcome

    Raises
    ------
    UsageError
        Settings that make no sense, or other ones than those of the run that is there.
    InputError
        No prepared catalogue; a run of another layout.
    OutputError
        The folder holds something else, is in use, or cannot be written.
    """
    options = options or RunOptions()
    shard, overwrite = options.shard, options.overwrite
    check_folder(folder, resume=options.continues, overwrite=overwrite)
    check_inside(folder)
    source = describe_input(stars)
    said = convention_of(stars)
    if said is not None:
        source["convention"] = said.record()
    plan = settled(plan, here=executor is None or here)
    if executor is None:
        use_threads(options.threads or cores())
    record = describe(plan, source, own_version())
    name = f"shard-{shard[0]}-of-{shard[1]}" if shard else "run"
    with claim(folder / CLAIMS, name, rivals=lambda other: _rivals(name, other)) as held:
        mine = share(plan.batches, *shard) if shard else plan.batches
        computing: Iterator[tuple[Batch, Sequence[Computed]]] | None = None
        if overwrite or not (folder / SETTINGS).exists():
            # A mistake shows in the first batch. Until that is computed no run begins, and the old one is kept.
            options.progress(STAGE, 0, sum(b.fits for b in mine))
            rest = iter((executor or work.compute)(mine, plan, stars))
            computing = itertools.chain(list(itertools.islice(rest, 1)), rest)
        notes = begin(folder, record, overwrite=overwrite, alone=shard is None)
        own = range(mine[0].index, mine[-1].index + 1) if mine else range(0)
        run, damaged = recover(folder, own=own if shard else None)
        earlier = find(folder, record)
        todo = [b for b in mine if b.index not in run.headers or run.headers[b.index].failures]
        left = {b.index: earlier.remaining(b) for b in todo}
        total, fits = sum(b.fits for b in mine), 0
        done = total - sum(b.fits for b in left.values())
        if computing is None:
            options.progress(STAGE, done, total)
            rest = iter((executor or work.compute)([b for b in left.values() if b.parts], plan, stars))
            computing = itertools.chain(((b, ()) for b in left.values() if not b.parts), rest)
        for batch, computed in computing:
            held.check()
            signals.check()
            whole = earlier.joined(plan.batches[batch.index], computed)
            write_bytes(batch_path(folder, batch.index), encode(run.sha256, batch.index, whole), overwrite=True)
            fits += batch.fits
            options.progress(STAGE, done + fits, total)
        run = open_run(folder)
        write_manifest(run)
        if run.complete:
            discard(folder)
    return Outcome(run, fits, (*notes, *damaged))


def settled(plan: Plan, *, here: bool = True) -> Plan:
    """Return the plan with the device that ``auto`` stands for, so that a run is not continued on another.

    For workers on other machines it stands for the CPU.

    Raises
    ------
    UsageError
        A device that is not there.
    """
    device = plan.base.fit.solver.device
    found = resolve_device(device) if here else "cpu"
    if device != "auto":
        return plan
    return replace(plan, base=replace(plan.base, fit=plan.base.fit.replace(device=found)))


def cores() -> int:
    """Return how many cores this process may use; fewer where OMP_NUM_THREADS limits them."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(there, int(asked)) if asked.isdigit() and int(asked) else there


def _rivals(name: str, other: str) -> bool:
    # Shards of one division may run at the same time; any other run would compute the same batches.
    return "run" in (name, other) or name.partition("-of-")[2] != other.partition("-of-")[2]


NOTHING = "nothing to do but one fit; give --bootstrap N, --sweep AXIS=VALUES, or both."


def check(plan: Plan) -> None:
    """Raise UsageError where a plan is only one fit, or a configuration names what the engine does not know."""
    if plan.fits == 1:
        raise UsageError(NOTHING)
    for solver in {
        (one.loss, one.update, one.init): one for one in (setup.fit.solver for setup in plan.setups)
    }.values():
        check_names(solver)
