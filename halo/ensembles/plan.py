"""What an ensemble is: a base configuration, axes along which it is varied, and the batches of fits that makes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..errors import UsageError
from ..fits.fit import settings_of
from ..io.provenance import plain
from ..replicates.replicate import Setup
from ..stars.selection import SELECTIONS

BATCH = 256
"""Fits of a batch: what is lost at most when a run is killed, and what one file holds."""
MOST_SETUPS = 100_000
"""More configurations than a run is planned for; a mistyped range makes them easily."""
DECIMALS = 12
"""Digits to which the values of a range are rounded, so that 0:1:0.1 has 0.3 and not 0.30000000000000004."""


@dataclass(frozen=True)
class Sweep:
    """One axis: the values that one choice of the configuration takes.

    Attributes
    ----------
    name : str
        One of `AXES`.
    values : tuple
        Numbers or texts, each once.

    Raises
    ------
    UsageError
        An unknown axis, no value, or one twice.
    """

    name: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.name not in AXES:
            raise UsageError(f"sweep {self.name!r}: no such axis; known: {', '.join(AXES)}.")
        if not self.values:
            raise UsageError(f"sweep {self.name}: has no value.")
        twice = [value for i, value in enumerate(self.values) if value in self.values[:i]]
        if twice:
            raise UsageError(f"sweep {self.name}: has {twice[0]} twice; leave one out.")


@dataclass(frozen=True)
class Part:
    """Replicates first to first + count - 1 of one set-up; count 0 is its base fit alone."""

    setup: int
    first: int
    count: int


@dataclass(frozen=True)
class Batch:
    """What is computed together and kept in one file: parts of one or more set-ups of the same shape."""

    index: int
    parts: tuple[Part, ...]

    @property
    def fits(self) -> int:
        """Number of fits, the base fit of a set-up with its first replicates."""
        return sum(part.count + (part.first == 0) for part in self.parts)


@dataclass(frozen=True)
class Plan:
    """Everything that settles what an ensemble computes.

    Attributes
    ----------
    base : Setup
        The configuration that the sweeps vary.
    sweeps : tuple of Sweep
        Axes; their product is computed, the last one varying fastest.
    replicates : int
        Resampled fits of every set-up, beside its base fit.
    batch : int
        Most fits of a batch.
    keep_factors : bool
        Keep W and H of every replicate.

    Raises
    ------
    UsageError
        Settings that make no sense, in any of the set-ups.
    """

    base: Setup
    sweeps: tuple[Sweep, ...] = ()
    replicates: int = 0
    batch: int = BATCH
    keep_factors: bool = False

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
            raise UsageError(f"sweeps make {number:,} set-ups, more than {MOST_SETUPS:,}; use wider steps.")
        _ = self.setups  # every one must make sense before the first is computed

    @cached_property
    def setups(self) -> tuple[Setup, ...]:
        """Every configuration."""
        return tuple(self._vary(values) for values in self._values)

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
        """All batches: a set-up of many replicates is cut into several, small ones of one shape share one."""
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

    def _vary(self, values: Sequence[Any]) -> Setup:
        setup = self.base
        for sweep, value in zip(self.sweeps, values, strict=True):
            setup = AXES[sweep.name].put(setup, value)
        return setup


def parse_sweep(text: str) -> Sweep:
    """Return the axis of a text: ``pixels=10:60:10`` (the end included), ``bins=5:12``, ``loss=frobenius,1``.

    Raises
    ------
    UsageError
        An unknown axis, an empty range, or a value that cannot be read.
    """
    name, equals, rest = (field.strip() for field in text.partition("="))
    if not equals:
        raise UsageError(f"sweep {text!r}: expected AXIS=LOW:HIGH[:STEP] or AXIS=VALUE,VALUE,...")
    if name not in AXES:
        raise UsageError(f"sweep {text!r}: no axis {name!r}; known: {', '.join(AXES)}.")
    read = AXES[name].read
    values: list[Any] = []
    for piece in rest.split(","):
        try:
            if ":" in piece and read in (int, float):
                values += _range(text, piece, integer=read is int)
            else:
                values.append(read(piece.strip()))
                if values[-1] == "" or (isinstance(values[-1], float) and not math.isfinite(values[-1])):
                    raise ValueError
        except ValueError:
            what = _EXPECTED[read]
            form = ", or LOW:HIGH[:STEP]" if read in (int, float) else ""
            raise UsageError(f"sweep {text!r}: {piece.strip()!r} is not {what}{form}.") from None
    return Sweep(name, tuple(values))


def parse_shard(text: str) -> tuple[int, int]:
    """Return (i, N) of a text such as ``3/8``: the third of eight parts of a run.

    Raises
    ------
    UsageError
        It is no such text, or i is not from 1 to N.
    """
    try:
        i, n = (int(field) for field in text.split("/"))
    except ValueError:
        raise UsageError(f"shard {text!r}: expected i/N, such as 3/8.") from None
    if not 1 <= i <= n:
        raise UsageError(f"shard {text!r}: the first number must be from 1 to {n}.")
    return i, n


def share(batches: Sequence[Batch], i: int, n: int) -> tuple[Batch, ...]:
    """Return the i-th of n parts of the batches, of about equally many fits; neighbours, which share base fits."""
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
    """Return the set-up that `provenance.plain` made plain."""
    return Setup(**{**record, "fit": settings_of(record["fit"])})


@dataclass(frozen=True)
class Kind:
    """How the values of an axis are read, and put into a set-up."""

    read: Callable[[str], Any]
    put: Callable[[Setup, Any], Setup]


def _fit_field(field: str, read: Callable[[str], Any]) -> Kind:
    return Kind(read, lambda setup, value: replace(setup, fit=replace(setup.fit, **{field: value})))


def _setup_field(field: str, read: Callable[[str], Any]) -> Kind:
    return Kind(read, lambda setup, value: replace(setup, **{field: value}))


def _put_pixels(setup: Setup, pixels: int) -> Setup:
    return replace(setup, fit=replace(setup.fit, chemistry=replace(setup.fit.chemistry, pixels=pixels)))


def _put_bins(setup: Setup, count: int) -> Setup:
    return replace(setup, fit=replace(setup.fit, axes=tuple(replace(axis, count=count) for axis in setup.fit.axes)))


def parse_drop(text: str) -> int | str:
    """Return how many stars `delete` takes from a bin: ``sqrt``, or a number.

    Raises
    ------
    UsageError
        Neither.
    """
    try:
        return text if text == "sqrt" else int(text)
    except ValueError:
        raise UsageError(f"drop must be sqrt or a number of stars >= 0; got {text!r}.") from None


def _selection(text: str) -> str:
    if text not in SELECTIONS:
        raise ValueError
    return text


_EXPECTED = {
    int: "a whole number",
    float: "a finite number",
    str: "a value",
    _selection: f"one of {', '.join(SELECTIONS)}",
}

AXES: dict[str, Kind] = {
    "pixels": Kind(int, _put_pixels),
    "bins": Kind(int, _put_bins),
    "components": _fit_field("components", int),
    "loss": _fit_field("loss", str),
    "update": _fit_field("update", str),
    "init": _fit_field("init", str),
    "starts": _fit_field("starts", int),
    "seed": _fit_field("seed", int),
    "selection": _fit_field("selection", _selection),
    "max_fe_h": _fit_field("max_fe_h", float),
    "min_eccentricity": _fit_field("min_eccentricity", float),
    "alpha_W": _fit_field("alpha_W", float),
    "alpha_H": _fit_field("alpha_H", float),
    "l1_ratio": _fit_field("l1_ratio", float),
    "tol": _fit_field("tol", float),
    "max_iter": _fit_field("max_iter", int),
    "scheme": _setup_field("scheme", str),
    "drop": _setup_field("drop", parse_drop),
    "edges": _setup_field("edges", str),
    "errors": _setup_field("errors", str),
    "floor": _setup_field("floor", float),
}
"""What can be swept. ``bins`` is the count of every binning variable, ``pixels`` the side of every image."""


def _range(text: str, piece: str, *, integer: bool) -> list[Any]:
    fields = [int(field) if integer else float(field) for field in piece.split(":")]
    if len(fields) not in (2, 3) or not all(math.isfinite(field) for field in fields):
        raise ValueError
    low, high, step = fields if len(fields) == 3 else (*fields, 1)
    if step <= 0:
        raise UsageError(f"sweep {text!r}: the step of {piece} must be above zero.")
    if high < low:
        raise UsageError(f"sweep {text!r}: {piece} is empty; write LOW:HIGH[:STEP] with LOW <= HIGH.")
    # A half-step less than one too many: 0:1:0.1 includes 1, whose sum of steps is a rounding error above it.
    count = math.floor((high - low) / step + 1e-9) + 1
    if count > MOST_SETUPS:
        raise UsageError(f"sweep {text!r}: {piece} has {count:,} values, more than {MOST_SETUPS:,}; use a wider step.")
    return [low + i * step if integer else round(low + i * step, DECIMALS) for i in range(count)]


def _shape(setup: Setup) -> tuple[Any, ...]:
    return (*(axis.count for axis in setup.fit.axes), setup.fit.chemistry.n, setup.fit.components)


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
