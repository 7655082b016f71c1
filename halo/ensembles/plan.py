"""The plan of an ensemble: a base configuration, axes along which it is varied, and the batches of fits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Annotated, Any

from ..errors import UsageError
from ..fields import Form, Option
from ..fits.settings import settings_of
from ..io.provenance import plain
from ..replicates.setup import Setup
from .sweeps import AXES, MOST_SETUPS, Sweep, parse_sweep

BATCH = 256
"""Maximum number of fits per file; an interrupted run loses at most one file."""

MOST_PARTS = 1_000_000
"""Parts of a plan: their batches have numbers of six digits, and all of them are held in memory."""


@dataclass(frozen=True)
class Part:
    """Replicates first to first + count - 1 of one configuration; count 0 is its base fit alone."""

    setup: int
    first: int
    count: int


@dataclass(frozen=True)
class Batch:
    """Fits that are computed together and kept in one file: parts of one or more configurations of the same shape."""

    index: int
    parts: tuple[Part, ...]

    @property
    def fits(self) -> int:
        """Number of fits, the base fit of a configuration with its first replicates."""
        return sum(part.count + (part.first == 0) for part in self.parts)


@dataclass(frozen=True)
class Plan:
    """Everything that determines what an ensemble computes.

    Attributes
    ----------
    base : Setup
        The configuration that the sweeps vary.
    sweeps : tuple of Sweep
        Axes; their product is computed, the last one varying fastest.
    replicates : int
        Resampled fits of every configuration, in addition to its base fit.
    batch : int
        Most fits of a batch.
    keep_factors : bool
        Keep W and H of every replicate.

    Raises
    ------
    UsageError
        Settings that make no sense, in any of the configurations.
    """

    base: Setup
    sweeps: Annotated[
        tuple[Sweep, ...],
        "AXIS=LOW:HIGH[:STEP] or AXIS=VALUE,...: pixels, bins, components, loss, seed, selection and others "
        "(docs/ensembles.md); repeatable, the product is computed.",
        Option("--sweep", keyword="sweep", form=Form(parse_sweep), repeat=True),
    ] = ()
    replicates: Annotated[
        int, "Replicates of every configuration.", Option("--bootstrap", keyword="bootstrap", minimum=0)
    ] = 0
    batch: Annotated[int, "Maximum fits per file; an interrupted run loses at most one file.", Option(minimum=1)] = (
        BATCH
    )
    keep_factors: Annotated[bool, "Keep W and H of every replicate."] = False

    def __post_init__(self) -> None:
        if self.replicates < 0:
            raise UsageError(f"bootstrap must be >= 0 replicates, got {self.replicates}.")
        if self.batch < 1:
            raise UsageError(f"batch must be >= 1 fits, got {self.batch}.")
        names = [sweep.name for sweep in self.sweeps]
        twice = [name for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise UsageError(f"sweep {twice[0]}: given twice; put all its values into one, such as {twice[0]}=5:12.")
        number = math.prod(len(sweep.values) for sweep in self.sweeps)
        if number > MOST_SETUPS:
            raise UsageError(f"sweeps make {number:,} configurations, more than {MOST_SETUPS:,}; use wider steps.")
        parts = number * max(1, -(-self.replicates // self.batch))
        if parts > MOST_PARTS:
            raise UsageError(
                f"the fits come in {parts:,} parts, more than {MOST_PARTS:,}; give a larger batch (--batch)."
            )
        _ = self.setups  # every one must make sense before the first is computed

    @classmethod
    def of(
        cls,
        *,
        bootstrap: int = 0,
        sweep: str | Sweep | Sequence[str | Sweep] = (),
        batch: int = BATCH,
        keep_factors: bool = False,
        **choices: Any,
    ) -> Plan:
        """Return the plan of an ensemble by the names of its parts' fields, as the command line takes them.

        Parameters
        ----------
        bootstrap : int
            Number of resampled fits of every configuration.
        sweep : str, Sweep or sequence of them
            Axes, such as ``"pixels=10:60:10"``.
        batch : int
            Maximum number of fits per file.
        keep_factors : bool
            Keep W and H of every replicate.
        **choices
            Fields of `Setup`, such as ``scheme="poisson"``, and what `FitSettings.replace` takes.

        Raises
        ------
        UsageError
            An unknown name, a text that cannot be read, or settings that make no sense.

        Examples
        --------
        >>> Plan.of(bootstrap=100, sweep="pixels=10:60:10", scheme="poisson", components=3).fits
        606
        """
        own = {one.name for one in fields(Setup)}
        of_setup = {name: x for name, x in choices.items() if name in own}
        of_fit = {name: x for name, x in choices.items() if name not in own}
        base = Setup(**of_setup)
        if of_fit:
            base = replace(base, fit=base.fit.replace(**of_fit))
        axes = [sweep] if isinstance(sweep, str | Sweep) else sweep
        sweeps = tuple(parse_sweep(axis) if isinstance(axis, str) else axis for axis in axes)
        return cls(base, sweeps, bootstrap, batch, keep_factors)

    @cached_property
    def setups(self) -> tuple[Setup, ...]:
        """Every configuration."""
        setups = [self.base]
        for sweep in self.sweeps:  # not value by value: what begins in the same way is made once
            setups = [AXES[sweep.name].put(setup, value) for setup in setups for value in sweep.values]
        return tuple(setups)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What sets each configuration apart, such as ``bins=8 pixels=50``; ``base`` where nothing is varied."""
        names = [sweep.name for sweep in self.sweeps]
        return tuple(
            " ".join(f"{name}={_say(value)}" for name, value in zip(names, values, strict=True)) or "base"
            for values in self._values
        )

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """All batches: a configuration of many replicates is cut into several, small ones of one shape share one."""
        shapes: dict[Any, list[int]] = {}
        for i, setup in enumerate(self.setups):
            shapes.setdefault(_shape(setup), []).append(i)
        packed: list[tuple[Part, ...]] = []
        for members in shapes.values():
            packed += _pack((part for i in members for part in _cut(i, self.replicates, self.batch)), self.batch)
        return tuple(Batch(i, parts) for i, parts in enumerate(packed))

    @property
    def fits(self) -> int:
        """Number of fits, base fits included."""
        return len(self.setups) * (self.replicates + 1)

    @property
    def _values(self) -> Iterator[tuple[Any, ...]]:
        return itertools.product(*(sweep.values for sweep in self.sweeps))


def share(batches: Sequence[Batch], i: int, n: int) -> tuple[Batch, ...]:
    """Return the i-th of n parts of the batches, of about equally many fits; neighbouring batches share base fits."""
    before = list(itertools.accumulate((batch.fits for batch in batches), initial=0))
    total = before[-1]
    return tuple(b for b, at in zip(batches, before[:-1], strict=True) if (i - 1) * total <= at * n < i * total)


def encode(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON can hold it."""
    return {
        "base": plain(plan.base),
        "sweeps": [{"name": sweep.name, "values": list(sweep.values)} for sweep in plan.sweeps],
        "bootstrap": plan.replicates,
        "batch": plan.batch,
        "keep_factors": plan.keep_factors,
    }


def decode(record: Mapping[str, Any]) -> Plan:
    """Return the plan that `encode` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError, UsageError
        It is damaged.
    """
    return Plan(
        decode_setup(record["base"]),
        tuple(Sweep(sweep["name"], tuple(sweep["values"])) for sweep in record["sweeps"]),
        int(record["bootstrap"]),
        int(record["batch"]),
        bool(record["keep_factors"]),
    )


def decode_setup(record: Mapping[str, Any]) -> Setup:
    """Return the configuration that `provenance.plain` wrote as plain values."""
    return Setup(**{**record, "fit": settings_of(record["fit"])})


def _shape(setup: Setup) -> tuple[Any, ...]:
    return (*(axis.count for axis in setup.fit.axes), setup.fit.chemistry.n, setup.fit.solver.components)


def _cut(setup: int, replicates: int, batch: int) -> list[Part]:
    pieces = max(1, -(-replicates // batch))
    edges = [replicates * i // pieces for i in range(pieces + 1)]
    return [Part(setup, first, last - first) for first, last in itertools.pairwise(edges)]


def _pack(parts: Iterator[Part], batch: int) -> list[tuple[Part, ...]]:
    packed: list[tuple[Part, ...]] = []
    held: list[Part] = []
    for part in parts:
        if held and sum(max(p.count, 1) for p in (*held, part)) > batch:
            packed.append(tuple(held))
            held = []
        held.append(part)
    return [*packed, tuple(held)] if held else packed


def _say(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
