"""What an ensemble says: every number of every set-up with its sampling error, and its spread over set-ups.

Two things are kept apart that the paper's error bars mix: how far a number would move with another sample of stars
(``se`` and the intervals, from the replicates of one set-up), and how far it moves with choices that are ours
(``spread``, over the set-ups).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..fits import intervals
from ..fits.fit import CONVERGED, component_names
from ..fits.intervals import COVERAGES, RECOMMENDED, Ordered, interval_type
from ..io.provenance import plain
from ..products.overview import PROFILES
from ..replicates.replicate import Setup

if TYPE_CHECKING:
    from .run import Run

STATISTICS = (
    "base", "median", "p16", "p84", "p2_5", "p97_5", "low_68", "high_68", "low_95", "high_95", "se", "bias", "n_used",
)  # fmt: skip
"""Of every number: the full sample's value; quantiles of the replicates; intervals of the type asked for; the standard
deviation of the replicates and their mean less the value; how many replicates have one."""
OVER = ("mean", "spread", "lowest", "highest", "se", "n_setups")
"""Of every number over set-ups: mean, standard deviation and range of the values; the root mean square of the standard
errors; how many set-ups have one."""
TIMES = ("never", "once", "more than once", "too few stars")
"""How often a share can pass a level."""
NUMBERS = ("mass_fraction", "mean_fraction", "mean_energy")
"""Products of a fit that have one number for each component."""
KEPT = (*NUMBERS, "fraction_", "crossing_", "boundary", "percentile_", "track_", "deviation_")
COUNTS = ("_number", "_status")
"""Ends of the names of products that are counted, not averaged."""
TECHNICAL: dict[str, Any] = {
    "loss": "frobenius", "update": "auto", "init": "nndsvda", "starts": None, "seed": 0, "tol": 1e-5,
    "max_iter": 10_000, "alpha_W": 0.0, "alpha_H": 0.0, "l1_ratio": 0.0, "device": "cpu",
}  # fmt: skip
"""Choices of a fit, beside bins and pixels, over which a spread is taken: the same stars, the same question."""


@dataclass(frozen=True)
class Part:
    """What the replicates of one set-up say.

    Attributes
    ----------
    index : int
        Place of the set-up in the run.
    label : str
        What sets it apart.
    setup : Setup
        The configuration.
    statistics : dict of str to ndarray
        By product, shape (len(STATISTICS), ...).
    counts : dict of str to ndarray
        By product ``crossing_X`` or ``boundary``: how many of the replicates used pass the level how often; shape
        (len(TIMES), ...).
    coordinates : dict of str to ndarray
        What the axes are.
    replicates, refused, unconverged : int
        How many there are; refused by the alignment; converged not. Neither of the two counts anywhere else.
    base_status : str
        How the fit of the full sample ended.
    factor : float
        What the spread of the replicates is to be multiplied by for a standard error: 1, but for ``delete``.
    """

    index: int
    label: str
    setup: Setup
    statistics: Mapping[str, np.ndarray]
    counts: Mapping[str, np.ndarray]
    coordinates: Mapping[str, np.ndarray]
    replicates: int
    refused: int
    unconverged: int
    base_status: str
    factor: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the components."""
        return component_names(self.setup.fit.components)

    @property
    def used(self) -> int:
        """Replicates that count."""
        return self.replicates - self.refused - self.unconverged

    def __call__(self, product: str, statistic: str) -> np.ndarray:
        """Return one statistic of a product."""
        return self.statistics[product][STATISTICS.index(statistic)]


@dataclass(frozen=True)
class Group:
    """Set-ups that ask the same of the same stars, and how far their answers differ.

    Attributes
    ----------
    label : str
        What the set-ups share that others do not; empty where there is one group.
    members : tuple of int
        Places of the set-ups in `Summary.parts`.
    statistics : dict of str to ndarray
        By product, shape (len(OVER), ...); of those products whose axes are the same in all of them.
    coordinates : dict of str to ndarray
        What the axes are.
    setup : Setup
        One of them.
    """

    label: str
    members: tuple[int, ...]
    statistics: Mapping[str, np.ndarray]
    coordinates: Mapping[str, np.ndarray]
    setup: Setup

    def __call__(self, product: str, statistic: str) -> np.ndarray:
        """Return one statistic of a product."""
        return self.statistics[product][OVER.index(statistic)]


@dataclass(frozen=True)
class Summary:
    """All that an ensemble says.

    Attributes
    ----------
    parts : tuple of Part
        By set-up.
    groups : tuple of Group
        Of two set-ups or more.
    interval : str
        Type of the intervals.
    failed : tuple of (str, str)
        Set-ups that could not be computed, and why.
    missing : tuple of str
        What is not there yet.
    run : str
        Hash that names the run.
    """

    parts: tuple[Part, ...]
    groups: tuple[Group, ...] = ()
    interval: str = RECOMMENDED
    failed: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    run: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or failed."""
        return not (self.failed or self.missing)

    @property
    def table(self) -> Any:
        """The numbers as a QTable, one row each; see `summary_rows.table`."""
        from .rows import table

        return table(self)

    def text(self) -> str:
        """Return what to print."""
        from .rows import text

        return text(self)


def summarise(run: Run, *, interval: str = RECOMMENDED) -> Summary:
    """Return what an ensemble says, as far as it is there.

    Parameters
    ----------
    run : Run
        As `runs.open_run` reads it.
    interval : str
        A type of `intervals.TYPES`.

    Raises
    ------
    InputError
        Nothing is there yet.
    UsageError
        An unknown type of interval.
    """
    interval_type(interval)
    failed = {failure.setup: failure.reason for failure in run.failed}
    awaited: dict[int, int] = {}
    for batch in run.missing:
        for part in batch.parts:
            awaited[part.setup] = awaited.get(part.setup, 0) + max(part.count, 1)
    parts = []
    for i, (setup, label) in enumerate(zip(run.setups, run.labels, strict=True)):
        if i not in failed and i not in awaited:
            base, coordinates = run.base(i)
            parts.append(summarise_setup(i, label, setup, base, coordinates, run.replicates(i), interval=interval))
    if not parts:
        why = "; ".join(f"{run.labels[i]}: {reason}" for i, reason in list(failed.items())[:3])
        raise InputError(f"{run.folder}: no set-up is complete yet{f' ({why})' if why else ''}; run with --resume.")
    return Summary(
        parts=tuple(parts),
        groups=groups(parts),
        interval=interval,
        failed=tuple((run.labels[i], reason) for i, reason in failed.items()),
        missing=tuple(f"{run.labels[i]}: {n:,} fits" for i, n in awaited.items()),
        run=run.sha256,
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
    """Return what the replicates of one set-up say.

    Parameters
    ----------
    index, label, setup
        The set-up.
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
    products = sorted((name for name in base if name.startswith(KEPT) and not name.endswith(COUNTS)), key=_rank)
    none = np.zeros(0)
    statistics, counts = {}, {}
    for name in products:
        x = replicates[name][good] if number else none.reshape(0, *([1] * np.ndim(base[name])))
        statistics[name] = describe(base[name], x, interval)
        if "fraction" in name:  # no share lies beyond its limits, wherever an interval is centred
            ends = [STATISTICS.index(end) for end in ("low_68", "high_68", "low_95", "high_95")]
            statistics[name][ends] = np.clip(statistics[name][ends], 0.0, 1.0)
        if f"{name}_number" in base and number:
            counts[name] = _times(replicates[f"{name}_number"][good])
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


def describe(base: np.ndarray, replicates: np.ndarray, interval: str = RECOMMENDED) -> np.ndarray:
    """Return the `STATISTICS` of a product: its value (...) and replicates (B, ...) to (len(STATISTICS), ...)."""
    base = np.asarray(base, dtype=float)
    x = np.broadcast_to(replicates, (len(replicates), *base.shape)).astype(float)
    ordered, kind = Ordered.of(x), interval_type(interval)
    rows = [base, *(ordered.quantile(p) for p in (0.5, 0.16, 0.84, 0.025, 0.975))]
    for coverage in COVERAGES:
        rows += kind(ordered, base, coverage)
    return np.stack([*rows, intervals.standard_error(x), intervals.bias(x, base), ordered.number.astype(float)])


def _rank(product: str) -> tuple[int, int, str]:
    # Files hold names in alphabetical order; here they come as in the paper.
    kind = next(i for i, start in enumerate(KEPT) if product.startswith(start))
    variable = product.partition("_")[2]
    return kind, list(PROFILES).index(variable) if variable in PROFILES else len(PROFILES), product


def _times(number: np.ndarray) -> np.ndarray:
    return np.stack([(number == 0), (number == 1), (number > 1), (number < 0)]).sum(axis=1)


def groups(parts: Sequence[Part]) -> tuple[Group, ...]:
    """Return the groups of two set-ups or more that differ in nothing but bins, pixels and `TECHNICAL` choices.

    Set-ups whose fit of all stars did not converge are in none.
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
    return replace(setup, fit=replace(setup.fit, axes=axes, chemistry=chemistry, **TECHNICAL))


def _labels(setups: Sequence[Setup]) -> list[str]:
    # Only what differs between the groups is worth saying.
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
        if same and (axis_of(name) is None or f"edges_{axis_of(name)}" in shared):
            base = np.stack([p(name, "base") for p in parts])
            se = np.stack([p(name, "se") for p in parts])
            found[name] = _spread(base, se)
    return found, shared


def _spread(base: np.ndarray, se: np.ndarray) -> np.ndarray:
    good, number = np.isfinite(base), np.isfinite(base).sum(axis=0)
    some = np.where(number > 0, 1.0, np.nan)
    mean = np.where(good, base, 0.0).sum(axis=0) / np.maximum(number, 1) * some
    lowest, highest = np.where(good, base, np.inf).min(axis=0) * some, np.where(good, base, -np.inf).max(axis=0) * some
    known = np.isfinite(se)
    squares = np.where(known, se, 0.0) ** 2
    rms = np.sqrt(squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1)) * np.where(known.any(axis=0), 1.0, np.nan)
    return np.stack([mean, intervals.standard_error(base), lowest, highest, rms, number.astype(float)])


def axis_of(product: str) -> str | None:
    """Return the variable along whose bins or pixels a product lies; None for one that has none."""
    kind, _, rest = product.partition("_")
    if kind == "fraction":
        return rest
    if kind in ("track", "deviation"):
        return rest.partition(":")[2]
    return "boundary" if kind == "boundary" else None
