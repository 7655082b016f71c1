"""The summary of an ensemble: as a table with one number per row, as JSON, and as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from ..fits.engine import CONVERGED
from ..fits.fit import component_names
from ..fits.intervals import RECOMMENDED
from ..fits.verdict import Verdict
from ..io.columns import described
from ..io.notebook import Shown, curves
from ..replicates.table import find, key, subjects
from ..rounding import DIGITS, measured, number, unit_text
from ..stars.variables import unit_of
from ..units import ENERGY
from .labelled import labelled
from .statistics import OVER, STATISTICS, TIMES, Group, Part, accreted_product

if TYPE_CHECKING:
    import xarray

KEYS = ("label", "product", "component", "at", "lower", "upper", "axis_unit", "unit")
"""Columns that identify the number of a row."""
COLUMNS = (*STATISTICS, "spread", "lowest", "highest", "n_setups")
SPREAD = ("mean", "spread", "se")
NOWHERE = "no single crossing"
ALL = "all set-ups"
"""Label of the rows over configurations, as files have it."""


@dataclass(frozen=True, repr=False)
class Summary(Shown):
    """The results of an ensemble.

    Attributes
    ----------
    parts : tuple of Part
        By configuration.
    groups : tuple of Group
        Of two configurations or more.
    interval : str
        Type of the intervals.
    failed : tuple of (str, str)
        Configurations that could not be computed, and why.
    missing : tuple of str
        What has not been computed yet.
    run : str
        Hash that names the run.
    verdict : Verdict, optional
        How far the fit of the base configuration, which the others vary, is to be trusted.
    """

    parts: tuple[Part, ...]
    groups: tuple[Group, ...] = ()
    interval: str = RECOMMENDED
    failed: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    run: str = ""
    verdict: Verdict | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or failed."""
        return not (self.failed or self.missing)

    def table(self) -> QTable:
        """Return the summary as a table: a row for every number of every configuration, and of the spread over them.

        Columns: ``label`` of the configuration (`ALL`, with the label of a group, for the spread over its members);
        ``product``, ``component``, ``at`` (the level of a crossing, the percentile of an abundance), ``lower`` and
        ``upper`` edge of the bin or pixel and their unit; the `STATISTICS` in ``unit``; ``spread``, ``lowest``,
        ``highest`` and ``n_setups`` over configurations. What a row does not have is NaN. Units are a
        column because one column holds numbers of several units; energies are in km2 / s2.
        """
        rows: dict[str, list[Any]] = {name: [] for name in KEYS}
        blocks: list[np.ndarray] = []
        for part in self.parts:
            for name, x in part.statistics.items():
                _describe(rows, part.label, name, x.shape[1:], part)
                flat = x.reshape(len(STATISTICS), -1)
                blocks.append(np.concatenate([flat, np.full((4, flat.shape[1]), np.nan)]))
        for group in self.groups:
            for name, x in group.statistics.items():
                _describe(rows, f"{ALL} {group.label}".strip(), name, x.shape[1:], group)
                named = dict(zip(OVER, x.reshape(len(OVER), -1), strict=True))
                named["base"] = named["mean"]
                empty = np.full(x[0].size, np.nan)
                blocks.append(np.stack([named.get(column, empty) for column in COLUMNS]))
        numbers = np.concatenate(blocks, axis=1)
        made = QTable({name: np.array(values) for name, values in rows.items()})
        for column, x in zip(COLUMNS, numbers, strict=True):
            made[column] = x
        made.meta["interval"] = self.interval
        made.meta["run"] = self.run
        made.meta["setups"] = [
            {
                "label": part.label, "replicates": part.replicates, "refused": part.refused,
                "unconverged": part.unconverged, "base_fit": part.base_status, "delete_factor": part.factor,
            }
            for part in self.parts
        ]  # fmt: skip
        made.meta["failed"] = dict(self.failed)
        made.meta["missing"] = list(self.missing)
        if self.verdict is not None:
            made.meta["verdict"] = self.verdict.record()
        return described(made, "summary")

    def to_xarray(self) -> xarray.Dataset:
        """Return the summary as a `xarray.Dataset`, as ``xarray.open_dataset`` makes it of its file ``summary.h5``.

        Raises
        ------
        UsageError
            xarray is not installed.
        """
        return labelled(self, {}).to_xarray()

    def describe(self) -> str:
        """Return mass fractions and crossings with their errors, what was left out, and what is missing."""
        lines = [*_heads(self), *([] if self.verdict is None else [self.verdict.describe()])]
        if len(self.parts) == 1:
            lines += _whole(self.parts[0])
        else:
            lines += _short(self)
        for group in self.groups:
            lines += ["", *_apart(group, len(self.groups) > 1)]
        if self.failed:
            lines += ["", f"could not be computed, {len(self.failed)} of the configurations:"]
            lines += [f"  {label}: {reason}" for label, reason in self.failed]
        if self.missing:
            lines += ["", "not there yet (run again with --resume):", *(f"  {what}" for what in self.missing)]
        return "\n".join(lines)

    def problems(self) -> str:
        """Return what is missing, failed, did not converge or has no error, in one line; empty where nothing did."""
        said = []
        if self.failed:
            said.append(f"{_setups(len(self.failed))} could not be computed")
        if self.missing:
            said.append(f"{_setups(len(self.missing))} not complete")
        unconverged = sum(part.unconverged for part in self.parts)
        if unconverged:
            said.append(f"{unconverged:,} replicates did not converge and are left out")
        bad = sum(part.base_status != CONVERGED for part in self.parts)
        if bad:
            said.append(f"the fit of all stars did not converge in {_setups(bad)}")
        empty = sum(part.replicates > 0 and part.used == 0 for part in self.parts)
        if empty:
            said.append(f"no replicate counts, and no error is known, in {_setups(empty)}")
        return "; ".join(said)

    def record(self) -> dict[str, Any]:
        """Return the summary for JSON: every product's statistics by configuration and group; None for no number.

        Tracks and fractions are arrays along their bins, whose edges are under ``coordinates``.
        """
        return {
            "run": self.run,
            "interval": self.interval,
            "setups": [
                {
                    "label": part.label,
                    "components": list(part.names),
                    "replicates": part.replicates,
                    "refused": part.refused,
                    "unconverged": part.unconverged,
                    "base_fit": part.base_status,
                    "delete_factor": part.factor,
                    "products": {n: dict(zip(STATISTICS, _listed(x), strict=True)) for n, x in part.statistics.items()},
                    "crossings": {n: dict(zip(TIMES, _listed(x), strict=True)) for n, x in part.counts.items()},
                    "coordinates": {n: _listed(x) for n, x in part.coordinates.items()},
                }
                for part in self.parts
            ],
            "over_setups": [
                {
                    "label": group.label,
                    "members": [self.parts[i].label for i in group.members],
                    "products": {n: dict(zip(OVER, _listed(x), strict=True)) for n, x in group.statistics.items()},
                }
                for group in self.groups
            ],
            "failed": dict(self.failed),
            "missing": list(self.missing),
            "verdict": None if self.verdict is None else self.verdict.record(),
        }

    def _shown(self) -> tuple[str, dict[str, str], str]:
        replicates, lost = (sum(getattr(part, x) for part in self.parts) for x in ("replicates", "unconverged"))
        first = self.parts[0]
        facts = {
            "configurations": f"{len(self.parts):,}, {len(self.failed):,} failed, {len(self.missing):,} not complete",
            "replicates": f"{replicates:,}, {lost:,} not converged",
            "mass fractions": ", ".join(
                f"{name} {_percent(first, 'mass_fraction', (j,)).strip()}" for j, name in enumerate(first.names)
            ),
            "status": self.problems() or "complete",
            **({} if self.verdict is None else {"verdict": self.verdict.line}),
        }
        picture = ""
        if "fraction_E" in first.statistics:
            edges = first.coordinates["edges_E"]
            picture = curves(
                (0.5 * (edges[:-1] + edges[1:])).tolist(), first("fraction_E", "base").T.tolist(), (0.0, 1.0)
            )
        return "Summary of an ensemble", facts, picture


def _describe(rows: dict[str, list[Any]], label: str, name: str, shape: tuple[int, ...], of: Part | Group) -> None:
    # One entry for every cell of a product, in the order of its flattened axes.
    found, names = find(name), np.array(component_names(of.setup.fit.solver.components))
    axes, number = found.product.axes, int(np.prod(shape))

    def along(x: np.ndarray, *kinds: str) -> np.ndarray:
        # x along the first of these axes that the product has, the same along all others
        at = next(axes.index(kind) for kind in kinds if kind in axes)
        return np.broadcast_to(x.reshape(-1, *[1] * (len(shape) - at - 1)), shape).ravel()

    component = along(names, "component") if "component" in axes else np.full(number, of.reading.label)
    at = np.full(number, np.nan if found.product.at is None else found.product.at)
    for kind in ("level", "percentile"):
        if kind in axes:
            at = along(of.coordinates[f"{kind}s"], kind)
    lower = upper = np.full(number, np.nan)
    if found.axis is not None:
        edges = of.coordinates[f"edges_{found.axis}"]
        lower, upper = (along(x, "bin", "column", "pixel") for x in (edges[:-1], edges[1:]))
    rows["label"] += [label] * number
    rows["product"] += [name] * number
    rows["axis_unit"] += [found.axis_unit] * number
    rows["unit"] += [found.unit] * number
    for column, x in (("component", component), ("at", at), ("lower", lower), ("upper", upper)):
        rows[column] += x.tolist()


def _listed(x: Any) -> Any:
    array = np.asarray(x)
    if array.dtype.kind != "f":
        return array.tolist()
    held = array.astype(object)
    held[~np.isfinite(array)] = None
    return held.tolist()


def _setups(number: int) -> str:
    return f"{number:,} configuration{'s' * (number != 1)}"


def _heads(summary: Summary) -> Iterator[str]:
    parts = summary.parts
    replicates, refused = sum(p.replicates for p in parts), sum(p.refused for p in parts)
    unconverged = sum(p.unconverged for p in parts)
    yield (
        f"{len(parts):,} configuration{'s' * (len(parts) > 1)}, {replicates:,} replicates: {refused:,} refused, "
        f"{unconverged:,} not converged; 68 % intervals ({summary.interval})"
    )
    bad = [p.label for p in parts if p.base_status != CONVERGED]
    if bad:
        yield f"not converged: the fit of all stars for {', '.join(bad)}"
    for factor in sorted({round(p.factor, 3) for p in parts if p.factor != 1}):
        yield f"scheme delete: its spread is no standard error; times {factor:g} it is one (docs/uncertainties.md)"


def _whole(part: Part) -> Iterator[str]:
    for name in (key("mass_fraction"), key("mean_fraction")):
        for j, component in enumerate(part.names):
            yield f"  {find(name).product.label} {component:3s} {_percent(part, name, (j,))}"
    for j, component in enumerate(part.names):
        yield f"  mean energy {component:5s} {_energy(part, 'mean_energy', (j,))}"
    if key("accreted_fraction") in part.statistics:
        yield f"  accreted fraction ({part.reading.label}) {_percent(part, key('accreted_fraction'), ())}"
    for variable in subjects("crossing", part.statistics):
        for i, level in enumerate(part.coordinates["levels"]):
            yield f"  {part.reading.label} {100 * level:2.0f} % against {variable:2s}  {_crossing(part, variable, i)}"


def _short(summary: Summary) -> Iterator[str]:
    width = max(len(p.label) for p in summary.parts)
    yield f"  {'configuration':{width}s}  {'accreted fraction':38s}  its 50 % crossing in E"
    for p in summary.parts:
        crossing = _crossing(p, "E", 0) if "E" in subjects("crossing", p.statistics) else ""
        lost = f"  {p.refused:,} refused" * bool(p.refused) + f"  {p.unconverged:,} not converged" * bool(p.unconverged)
        yield f"  {p.label:{width}s}  {_percent(p, *accreted_product(p)):38s}  {crossing}{lost}"


def _apart(group: Group, labelled: bool) -> Iterator[str]:
    label = f" ({group.label})" if labelled and group.label else ""
    yield f"over {len(group.members):,} configurations{label}: mean, spread over them, sampling error within one"
    names = component_names(group.setup.fit.solver.components)
    for j, name in enumerate(names):
        yield f"  mass fraction {name:3s} {_over('%', *(100 * group('mass_fraction', x)[j] for x in SPREAD))}"
    if key("accreted_fraction") in group.statistics:
        yield f"  accreted fraction {_over('%', *(100 * group.accreted(x) for x in SPREAD))}"
    for variable in subjects("crossing", group.statistics):
        name = key("crossing", variable)
        for i, level in enumerate(group.coordinates["levels"]):
            often = int(group(name, "n_setups")[i])
            if often:
                said = _over(unit_of(variable), *(group(name, x)[i] for x in SPREAD))
                yield (
                    f"  {group.reading.label} {100 * level:2.0f} % against {variable:2s} {said}   "
                    f"crosses once in {often:,} of {len(group.members):,}"
                )


def _over(unit: str, mean: float, spread: float, se: float) -> str:
    """Return a mean over configurations, rounded by the smaller of its two errors, and both of them."""
    errors = [float(x) for x in (spread, se) if np.isfinite(x) and x]
    said = f"{number(float(mean), unit, error=min(errors, default=np.nan))} {unit_text(unit)}".rstrip()
    found = [measured(float(x), unit, digits=DIGITS) if np.isfinite(x) else "-" for x in (spread, se)]
    return f"{said}   spread {found[0]}   sampling {found[1]}"


def _percent(part: Part, name: str, at: tuple[int, ...]) -> str:
    base, low, high, se = (float(100 * part(name, x)[at]) for x in ("base", "low_68", "high_68", "se"))
    said = measured(base, "%", interval=(low, high), digits=4)
    return f"{said}, se {measured(se, '%', digits=DIGITS)}" if np.isfinite(se) else said


def _energy(part: Part, name: str, at: tuple[int, ...]) -> str:
    base, low, high = (float(part(name, x)[at]) for x in ("base", "low_68", "high_68"))
    return measured(base, ENERGY, interval=(low, high))


def _crossing(part: Part, variable: str, i: int) -> str:
    name, unit = key("crossing", variable), unit_of(variable)
    base, low, high = (float(part(name, x)[i]) for x in ("base", "low_68", "high_68"))
    if not part.used:
        return measured(base, unit) if np.isfinite(base) else NOWHERE
    never, once, often, untold = (int(x) for x in part.counts[name][:, i])
    limits = (low, high) if once and np.isfinite(low + high) else ()
    said = measured(base, unit, interval=limits) if np.isfinite(base) else NOWHERE
    if limits and not np.isfinite(base):
        said += f" ({number(low, unit)} to {measured(high, unit)})"
    why = [f"{n:,} {what}" for n, what in ((never, "never"), (often, "more than once"), (untold, "too few stars")) if n]
    return f"{said}  crosses once in {once:,} of {part.used:,}{' (' * bool(why)}{', '.join(why)}{')' * bool(why)}"
