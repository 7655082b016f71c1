"""The time and disk space of an ensemble, estimated from fits of a few of its configurations; nothing is written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HalonmfError
from ..fits.engine import one_thread, use_threads
from ..replicates.replicate import begin, reduce
from ..replicates.sample import Stars
from .batchfile import BLOCK
from .plan import Part, Plan
from .runner import cores, settled
from .worker import read_stars

SAMPLED, TRIED = 3, 32
"""Configurations that are tried, and replicates of each."""
PER_ARRAY = 700
"""Bytes that HDF5 needs for an array in addition to its content."""


@dataclass(frozen=True)
class Estimate:
    """Estimated time and disk space of an ensemble.

    Attributes
    ----------
    seconds : float
        On this machine, without start-up; NaN where no configuration that was tried could be computed.
    size : float
        Bytes of the batch files; NaN likewise.
    tried : tuple of str
        Labels of the configurations that were tried.
    problems : tuple of str
        Why some of them could not be computed.
    """

    seconds: float
    size: float
    tried: tuple[str, ...]
    problems: tuple[str, ...]


def estimate(stars: Path, plan: Plan, *, threads: int | None = None) -> Estimate:
    """Return the estimated time and disk space of an ensemble on this machine.

    Parameters
    ----------
    stars : Path
        Prepared catalogue.
    plan : Plan
        The ensemble.
    threads : int, optional
        As of `runner.ensemble`.

    Raises
    ------
    UsageError, InputError
        As `runner.ensemble`.
    """
    plan = settled(plan)
    use_threads(threads or cores())
    table = Stars(read_stars(stars))
    chosen = sorted({round(x) for x in np.linspace(0, len(plan.setups) - 1, SAMPLED)})
    costs, problems = [], []
    for i in (chosen[0], *chosen):  # the first twice: loading the kernels is not part of the rate
        try:
            costs.append(_try(table, plan, i))
        except HalonmfError as error:
            problems.append(f"{plan.labels[i]}: {error}")
    if not costs:
        return Estimate(np.nan, np.nan, tuple(plan.labels[i] for i in chosen), tuple(dict.fromkeys(problems)))
    begin_s, fit_s, base_bytes, fit_bytes = np.mean(costs[1:] or costs, axis=0)
    setups, fits = len(plan.setups), len(plan.setups) * plan.replicates
    return Estimate(
        seconds=float(setups * begin_s + fits * fit_s),
        size=float(setups * base_bytes + fits * fit_bytes + len(plan.batches) * BLOCK),
        tried=tuple(plan.labels[i] for i in chosen),
        problems=tuple(dict.fromkeys(problems)),
    )


def _try(table: Any, plan: Plan, index: int) -> tuple[float, float, float, float]:
    part = Part(index, 0, min(plan.replicates, TRIED))
    start = time.perf_counter()
    with one_thread():
        base = begin(table, plan.setups[index])
    begun = time.perf_counter()
    found = reduce(base, 0, part.count, keep_factors=plan.keep_factors) if part.count else {}
    done = time.perf_counter()
    bases = [*base.products.values(), *base.coordinates.values()]
    number = max(part.count, 1)
    # A configuration's arrays stand in as many files as it has batches.
    files = max(1, -(-plan.replicates // plan.batch))
    overhead = PER_ARRAY * (len(bases) + files * len(found))
    return (
        begun - start,
        (done - begun) / number,
        sum(np.asarray(x).nbytes for x in bases) + overhead,
        sum(x.nbytes for x in found.values()) / number,
    )
