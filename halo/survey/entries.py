"""What each entry of a mapping file must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.reading import cleaned

LONGEST_TEXT = 2000
"""Most characters of a text in a mapping."""
MOST = 1000
"""Most values of a list."""


def check_types(path: Path, where: str, found: Mapping[str, Any]) -> None:
    """Raise InputError, which names the entry and what it must be, where one of known name is something else."""
    for key, value in found.items():
        what, good = _TYPES[key]
        if not good(value):
            raise InputError(f"{path}: {key} in {where} must be {what}, got {cleaned(repr(value), 60)}.")


def check_keys(
    path: Path, where: str, found: Any, known: Sequence[str], later: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Return a table of a mapping file whose keys are known.

    Parameters
    ----------
    path : Path
    where : str
        What the table is, for messages.
    found : object
        What stands in its place.
    known : sequence of str
        Its possible keys.
    later : sequence of str
        Keys that only version 2 has.

    Raises
    ------
    InputError
        It is no table, or has others.
    """
    if not isinstance(found, Mapping):
        raise InputError(f"{path}: {where} must be a table of keys, got {cleaned(repr(found), 60)}.")
    unknown = [key for key in found if key not in known]
    if unknown and all(key in later for key in unknown):
        raise InputError(f"{path}: {', '.join(unknown)} in {where} needs version = 2 at the top of the file.")
    if unknown:
        raise InputError(
            f"{path}: unknown {cleaned(', '.join(unknown), 200)} in {where}; expected some of {', '.join(known)}."
        )
    return found


def listed(value: Any) -> tuple[Any, ...]:
    """Return a value, or a list of values, as a tuple."""
    return tuple(value) if isinstance(value, list) else (value,)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _all(*kinds: Callable[[Any], bool], scalar: bool = True) -> Callable[[Any], bool]:
    def good(value: Any) -> bool:
        if not isinstance(value, list):
            return scalar and any(kind(value) for kind in kinds)
        return len(value) <= MOST and all(any(kind(one) for kind in kinds) for one in value)

    return good


_TEXT = (f"a text of at most {LONGEST_TEXT} characters", _is_text)
_COLUMN = (
    f"a column's name, a text of at most {LONGEST_TEXT} characters",
    lambda x: _is_text(x) and bool(x.strip()),
)
_BOOL = ("true or false", lambda x: isinstance(x, bool))
_TEXTS = ("a column's name or a list of them", lambda x: _all(_COLUMN[1])(x) and x != [])
_VALUES = ("a number, a text, or a list of numbers and texts", _all(_is_number, _is_text))
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("name", "format", "unit"), _TEXT),
    **dict.fromkeys(("column", "best", "low", "high", "centre"), _COLUMN),
    **dict.fromkeys(("potential", "zero_point"), _TEXT),
    **dict.fromkeys(("optional", "overrule"), _BOOL),
    **dict.fromkeys(("plus", "minus", "quadrature"), _TEXTS),
    "missing": _VALUES,
    "allowed": (f"{_VALUES[0]}, not an empty one", lambda x: _VALUES[1](x) and x != []),
    "unusual": ("a list of texts", _all(_is_text, scalar=False)),
    "on": ("a column's name, or a list of two", lambda x: _COLUMN[1](x) or (_all(_COLUMN[1])(x) and len(x) == 2)),
    "extension": (
        "a whole number from 0 or a name",
        lambda x: (_is_whole(x) and 0 <= x < 1000) or (_is_text(x) and bool(x.strip())),
    ),
    "scale": ("a finite number other than 0", lambda x: _is_number(x) and math.isfinite(x) and x != 0),
    "bits": (
        "a list of whole numbers from 0 to 63 and of names",
        lambda x: _all(lambda one: _is_whole(one) and 0 <= one < 64, _is_text, scalar=False)(x) and x != [],
    ),
    "mask": ("a whole number above 0, below 2^63", lambda x: _is_whole(x) and 0 < x < 2**63),
}
