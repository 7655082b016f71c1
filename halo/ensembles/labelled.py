"""A summary as labelled arrays: every configuration along one axis, what its file holds and what xarray is given.

Where configurations have other bins, pixels or components than others, their arrays are filled up with NaN, and the
coordinates that differ have the axis ``configuration`` too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..fits.fit import component_names
from ..io.labelled import BOUND, PURE, Labelled, Labels, heading, labels, plain_name
from ..io.provenance import plain
from ..replicates.labelled import COMPONENT, abundances_of, coordinates_of_axes, described
from .statistics import OVER, STATISTICS, TIMES, Group, Part

if TYPE_CHECKING:
    from .rows import Summary

SCHEMA = 2
"""Version of the layout of the arrays."""
RECORD, KIND = "record", "summary"
"""The attribute with everything else, as JSON, and what it says that the file is."""
CONFIGURATION, STATISTIC, CROSSES, GROUP, OVER_STATISTIC = (
    "configuration", "statistic", "crosses", "group", "over_statistic",
)  # fmt: skip
"""Axes of summaries in addition to those of products."""
WHOLE, ALL = "base", "all"
"""Labels of a configuration, and of a group, that nothing sets apart."""
OVER_PREFIX, COUNTS = "over_", "_counts"


@dataclass(frozen=True)
class _Axes:
    """What the axes of products are over all configurations, and the coordinates that say so."""

    sizes: Mapping[str, int]
    components: tuple[str, ...]
    arrays: Mapping[str, Labelled]
    auxiliary: tuple[str, ...]


def labelled(summary: Summary, record: Mapping[str, Any]) -> Labels:
    """Return the statistics of all configurations, and those over them, by product.

    Parameters
    ----------
    summary : Summary
    record : mapping
        Its provenance; may be empty.
    """
    parts, groups = summary.parts, summary.groups
    axes = _axes(parts)
    arrays = dict(axes.arrays)
    arrays |= labels(CONFIGURATION, [part.label or WHOLE for part in parts], "what sets the configuration apart")
    arrays |= labels(STATISTIC, STATISTICS, "statistic of the replicates")
    arrays |= _of_parts(parts)
    names = dict.fromkeys(name for part in parts for name in part.statistics)
    for name in names:
        arrays[plain_name(name)] = _stacked(name, [part.statistics.get(name) for part in parts], parts, axes)
    counted = dict.fromkeys(name for part in parts for name in part.counts)
    if counted:
        arrays |= labels(CROSSES, TIMES, "how often the fraction crosses the level")
    for name in counted:
        found = _stacked(name, [part.counts.get(name) for part in parts], parts, axes, lead=CROSSES, size=len(TIMES))
        words = f"number of replicates by how often they cross: {found.long_name}"
        numbers = np.where(np.isfinite(found.values), found.values, 0).astype(np.int64)
        arrays[f"{plain_name(name)}{COUNTS}"] = Labelled(found.axes, numbers, words, PURE)
    if groups:
        arrays |= _of_groups(parts, groups, axes)
    swept = {name: one for name, one in _swept(parts).items() if name not in arrays}
    return Labels({**arrays, **swept}, _attributes(summary, record), (*axes.auxiliary, *swept))


def _swept(parts: Sequence[Part]) -> dict[str, Labelled]:
    """Return what is varied over the configurations, by name: numbers, or texts where not all values are numbers."""
    each = [dict(piece.split("=", 1) for piece in part.label.split() if "=" in piece) for part in parts]
    found = {}
    for name in each[0]:
        if all(name in one for one in each):
            texts = [one[name] for one in each]
            values = next(filter(None, (_all(texts, kind) for kind in (int, float))), texts)
            found[plain_name(name)] = Labelled((CONFIGURATION,), np.array(values), f"{name} of the configuration")
    return found


def _all(texts: Sequence[str], kind: Callable[[str], Any]) -> list[Any]:
    """Return texts as numbers of a kind; none where not all of them are."""
    try:
        return [kind(text) for text in texts]
    except ValueError:
        return []


def _attributes(summary: Summary, record: Mapping[str, Any]) -> dict[str, str | int]:
    parts = summary.parts
    content = {
        "halonmf": KIND,
        "schema": SCHEMA,
        "statistics": STATISTICS,
        "over": OVER,
        "counts": TIMES,
        "interval": summary.interval,
        "setups": [{"index": part.index, "label": part.label, "setup": part.setup} for part in parts],
        "groups": [
            {"label": group.label, "members": [parts[i].index for i in group.members]} for group in summary.groups
        ],
        "run": summary.run,
        "failed": dict(summary.failed),
        "missing": summary.missing,
        **({"provenance": record} if record else {}),
        **({} if summary.verdict is None else {"verdict": summary.verdict.record()}),
    }
    title = f"halonmf summary of an ensemble of {len(parts)} configuration{'s' * (len(parts) != 1)}"
    return {**heading(title, record), RECORD: json.dumps(plain(content), sort_keys=True)}


def _axes(parts: Sequence[Part]) -> _Axes:
    each = [coordinates_of_axes(part.coordinates, abundances_of([*part.statistics])) for part in parts]
    used = {axis for part in parts for name in part.statistics for axis in described(name)[0]}
    components = tuple(dict.fromkeys(name for part in parts for name in part.names))
    arrays = labels(COMPONENT, components, "component, in order of increasing mean energy")
    sizes = {COMPONENT: len(components)}
    auxiliary: list[str] = []
    for name in dict.fromkeys(name for coordinates in each for name in coordinates):
        found = [coordinates.get(name) for coordinates in each]
        first = next(one for one in found if one is not None)
        axis = first.axes[0]
        if axis not in used:
            continue
        sizes[axis] = max(len(one.values) for one in found if one is not None)
        if all(one is None or np.array_equal(one.values, first.values) for one in found):
            arrays[name] = first
            continue
        filled = np.full((len(parts), sizes[axis], *first.values.shape[1:]), np.nan)
        for i, one in enumerate(found):
            if one is not None:
                filled[i, : len(one.values)] = one.values
        # no coordinate of the axis: its centres are others in every configuration
        made = name if BOUND in first.axes else f"{name}_centre"
        arrays[made] = Labelled((CONFIGURATION, *first.axes), filled, first.long_name, first.units, first.others)
        auxiliary += [] if BOUND in first.axes else [made]
    return _Axes(sizes, components, arrays, tuple(auxiliary))


def _stacked(
    name: str,
    values: Sequence[np.ndarray | None],
    of: Sequence[Part | Group],
    axes: _Axes,
    *,
    lead: str = STATISTIC,
    size: int = len(STATISTICS),
    first: str = CONFIGURATION,
) -> Labelled:
    """Return an array over configurations or groups, each put where its components and bins are."""
    own, words, unit = described(name)
    shape = tuple(axes.sizes[axis] for axis in own)
    filled = np.full((len(of), size, *shape), np.nan)
    for i, (one, x) in enumerate(zip(of, values, strict=True)):
        if x is None:
            continue
        places = [
            np.array([axes.components.index(component) for component in _names(one)])
            if axis == COMPONENT
            else np.arange(length)
            for axis, length in zip(own, x.shape[1:], strict=True)
        ]
        filled[i][np.ix_(np.arange(size), *places)] = x
    return Labelled((first, lead, *own), filled, words, unit)


def _names(of: Part | Group) -> tuple[str, ...]:
    return component_names(of.setup.fit.solver.components)


def _of_parts(parts: Sequence[Part]) -> dict[str, Labelled]:
    """Return what there is one number, text or row of in every configuration."""
    numbers = {
        "replicates": ([part.replicates for part in parts], "number of replicates", PURE),
        "refused": (
            [part.refused for part in parts],
            "replicates with components unlike the full sample's",
            PURE,
        ),
        "unconverged": ([part.unconverged for part in parts], "replicates whose fit did not converge", PURE),
        "delete_factor": ([part.factor for part in parts], described("delete_factor")[1], PURE),
        "fit_kkt": ([float(part.coordinates.get("fit_kkt", np.nan)) for part in parts], described("fit_kkt")[1], PURE),
        "fit_status": (np.array([part.base_status for part in parts], dtype=str), described("fit_status")[1], ""),
    }
    found = {name: Labelled((CONFIGURATION,), np.asarray(x), words, u) for name, (x, words, u) in numbers.items()}
    components = list(dict.fromkeys(name for part in parts for name in part.names))
    accreted = [[name in _accreted(part) for name in components] for part in parts]
    found["accreted"] = Labelled(
        (CONFIGURATION, COMPONENT), np.array(accreted, dtype=bool), "whether the component is read as accreted"
    )
    counted = dict.fromkeys(name for part in parts for name in part.coordinates if name.startswith("n_stars_"))
    for name in counted:
        (axis,), words, unit = described(name)
        each = [np.asarray(part.coordinates.get(name, ())) for part in parts]
        filled = np.zeros((len(parts), max(map(len, each))), dtype=np.int64)
        for i, x in enumerate(each):
            filled[i, : len(x)] = x
        found[plain_name(name)] = Labelled((CONFIGURATION, axis), filled, words, unit)
    return found


def _accreted(part: Part) -> tuple[str, ...]:
    return tuple(part.reading.names[j] for j in part.reading.accreted)


def _of_groups(parts: Sequence[Part], groups: Sequence[Group], axes: _Axes) -> dict[str, Labelled]:
    arrays = labels(GROUP, [group.label or ALL for group in groups], "what the configurations have in common")
    arrays |= labels(OVER_STATISTIC, OVER, "statistic over the configurations of a group")
    members = np.array([[i in group.members for i in range(len(parts))] for group in groups], dtype=bool)
    arrays["member"] = Labelled((GROUP, CONFIGURATION), members, "whether the configuration is of the group")
    for name in dict.fromkeys(name for group in groups for name in group.statistics):
        values = [group.statistics.get(name) for group in groups]
        found = _stacked(name, values, groups, axes, lead=OVER_STATISTIC, size=len(OVER), first=GROUP)
        words = f"over configurations: {found.long_name}"
        arrays[f"{OVER_PREFIX}{plain_name(name)}"] = Labelled(found.axes, found.values, words, found.units)
    return arrays
