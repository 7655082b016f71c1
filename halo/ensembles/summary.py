"""Summarise an ensemble: every number of every configuration with its sampling error, and the spread over them.

The paper's error bars mix two errors that are separate here: how much a number changes with another sample of stars
(``se`` and the intervals, from the replicates of one configuration), and how much it changes with the choices of the
analysis (``spread``, over configurations).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..fits.engine import CONVERGED
from ..fits.intervals import RECOMMENDED, interval_type
from ..io.provenance import plain
from ..replicates import table
from ..replicates.setup import Setup
from .judged import read_verdict
from .rows import Summary
from .run import Run, as_run
from .statistics import STATISTICS, Group, Part, describe, over_configurations, times

TECHNICAL: dict[str, Any] = {
    "loss": "frobenius", "update": "auto", "init": "nndsvda", "starts": None, "seed": 0, "tol": 1e-5,
    "max_iter": 10_000, "alpha_W": 0.0, "alpha_H": 0.0, "l1_ratio": 0.0, "device": "cpu",
}  # fmt: skip
"""Choices of a fit, in addition to bins and pixels, over which the spread is taken."""


def summarise(run: Run | str | Path, *, interval: str = RECOMMENDED) -> Summary:
    """Return the results of an ensemble, as far as they are computed.

    Parameters
    ----------
    run : Run or path
        The ensemble, or its folder.
    interval : str
        A type of `intervals.TYPES`.

    Raises
    ------
    InputError
        No configuration is complete yet.
    UsageError
        An unknown type of interval.

    Examples
    --------
    >>> from halonmf import halo
    >>> print(halo.summarise("run").describe())  # doctest: +SKIP
    """
    interval_type(interval)
    run = as_run(run)
    failed = {failure.setup: failure.reason for failure in run.failed}
    awaited: dict[int, int] = {}
    for batch in run.missing:
        for part in batch.parts:
            awaited[part.setup] = awaited.get(part.setup, 0) + max(part.count, 1)
    parts = []
    for i, (setup, label) in enumerate(zip(run.setups, run.labels, strict=True)):
        if i not in failed and i not in awaited:
            base, coordinates = run.base(i)
            replicates = run.replicates(i)
            try:
                parts.append(summarise_setup(i, label, setup, base, coordinates, replicates, interval=interval))
            except (KeyError, IndexError, ValueError, TypeError) as error:
                # their checksums are right, so whoever wrote them meant them so
                raise InputError(
                    f"{run.folder}: the batches of {label} hold other products than a run makes "
                    f"({type(error).__name__}: {error}); remove them and run again with --resume."
                ) from None
    if not parts:
        why = "; ".join(f"{run.labels[i]}: {reason}" for i, reason in list(failed.items())[:3])
        raise InputError(
            f"{run.folder}: no configuration is complete yet{f' ({why})' if why else ''}; run with --resume."
        )
    return Summary(
        parts=tuple(parts),
        groups=groups(parts),
        interval=interval,
        failed=tuple((run.labels[i], reason) for i, reason in failed.items()),
        missing=tuple(f"{run.labels[i]}: {n:,} fits" for i, n in awaited.items()),
        run=run.sha256,
        verdict=read_verdict(run),
    )


def summarise_setup(
    index: int,
    label: str,
    setup: Setup,
    base: Mapping[str, np.ndarray],
    coordinates: Mapping[str, np.ndarray],
    replicates: Mapping[str, np.ndarray],
    *,
    interval: str = RECOMMENDED,
) -> Part:
    """Return the statistics of one configuration's replicates.

    Parameters
    ----------
    index, label, setup
        The configuration.
    base, coordinates : dict of str to ndarray
        As `replicates.begin` makes them.
    replicates : dict of str to ndarray
        As `replicates.reduce` makes them; empty where there are none.
    interval : str
        A type of `intervals.TYPES`.
    """
    number = len(replicates["status"]) if replicates else 0
    converged = replicates["status"] == 0 if number else np.zeros(0, bool)
    refused = converged & replicates["refused"] if number else converged
    good = converged & ~refused
    none = np.zeros(0)
    statistics, counts = {}, {}
    for name in table.averaged(base):
        found = table.find(name)
        x = replicates[name][good] if number else none.reshape(0, *([1] * np.ndim(base[name])))
        statistics[name] = describe(base[name], x, interval)
        if found.product.limits is not None:  # wherever an interval is centred, no value lies beyond them
            ends = [STATISTICS.index(end) for end in ("low_68", "high_68", "low_95", "high_95")]
            statistics[name][ends] = np.clip(statistics[name][ends], *found.product.limits)
        if found.counted is not None and found.counted in base and number:
            counts[name] = times(replicates[found.counted][good])
    return Part(
        index=index,
        label=label,
        setup=setup,
        statistics=statistics,
        counts=counts,
        coordinates=dict(coordinates),
        replicates=number,
        refused=int(refused.sum()),
        unconverged=int((~converged).sum()),
        base_status=str(coordinates.get("fit_status", CONVERGED)),
        factor=float(coordinates.get("delete_factor", 1.0)),
    )


def groups(parts: Sequence[Part]) -> tuple[Group, ...]:
    """Return the groups of two configurations or more that differ in nothing but bins, pixels and `TECHNICAL` choices.

    Configurations whose fit of all stars did not converge are in none.
    """
    members: dict[Any, list[int]] = {}
    for i, part in enumerate(parts):
        if part.base_status == CONVERGED:
            members.setdefault(_question(part.setup), []).append(i)
    several = {key: found for key, found in members.items() if len(found) > 1}
    labels = _labels([parts[found[0]].setup for found in several.values()])
    return tuple(
        Group(label, tuple(found), *_over([parts[i] for i in found]), parts[found[0]].setup)
        for label, found in zip(labels, several.values(), strict=True)
    )


def _question(setup: Setup) -> Setup:
    axes = tuple(replace(axis, count=1) for axis in setup.fit.axes)
    chemistry = replace(setup.fit.chemistry, pixels=1)
    return replace(setup, fit=setup.fit.replace(axes=axes, chemistry=chemistry, **TECHNICAL))


def _labels(setups: Sequence[Setup]) -> list[str]:
    # A label names only what differs between the groups.
    flat = [{**plain(setup), **plain(setup)["fit"]} for setup in setups]
    names = [
        name for name in flat[0] if name not in ("fit", *TECHNICAL, "axes", "chemistry")
        and any(one[name] != flat[0][name] for one in flat)
    ] if flat else []  # fmt: skip
    return [" ".join(f"{name}={one[name]}" for name in names) for one in flat]


def _over(parts: Sequence[Part]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    first = parts[0].coordinates
    shared = {
        name: x
        for name, x in first.items()
        if all(name in p.coordinates and np.array_equal(p.coordinates[name], x) for p in parts)
    }
    found = {}
    for name, statistics in parts[0].statistics.items():
        same = all(name in p.statistics and p.statistics[name].shape == statistics.shape for p in parts)
        axis = table.find(name).axis
        if same and (axis is None or f"edges_{axis}" in shared):
            base = np.stack([p(name, "base") for p in parts])
            se = np.stack([p(name, "se") for p in parts])
            found[name] = over_configurations(base, se)
    return found, shared
