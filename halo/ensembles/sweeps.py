"""Sweeps: the choices that an ensemble varies, and their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UsageError
from ..replicates.setup import Setup, parse_drop
from ..stars.settings import SELECTIONS

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
        if len(self.values) > MOST_SETUPS:
            raise UsageError(f"sweep {self.name}: has {len(self.values):,} values, more than {MOST_SETUPS:,}.")
        seen: set[Any] = set()
        for value in self.values:
            if not isinstance(value, int | float | str):
                raise UsageError(f"sweep {self.name}: expected numbers or texts, got {type(value).__name__}.")
            if value in seen:
                raise UsageError(f"sweep {self.name}: has {value} twice; leave one out.")
            seen.add(value)


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


@dataclass(frozen=True)
class Kind:
    """How the values of an axis are read, and put into a configuration."""

    read: Callable[[str], Any]
    put: Callable[[Setup, Any], Setup]


def _fit_field(field: str, read: Callable[[str], Any]) -> Kind:
    return Kind(read, lambda setup, value: replace(setup, fit=setup.fit.replace(**{field: value})))


def _setup_field(field: str, read: Callable[[str], Any]) -> Kind:
    return Kind(read, lambda setup, value: replace(setup, **{field: value}))


def _put_pixels(setup: Setup, pixels: int) -> Setup:
    return replace(setup, fit=setup.fit.replace(pixels=pixels))


def _put_bins(setup: Setup, count: int) -> Setup:
    return replace(setup, fit=setup.fit.replace(axes=tuple(replace(axis, count=count) for axis in setup.fit.axes)))


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
