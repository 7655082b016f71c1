"""What each entry of a mapping file must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.reading import cleaned

LONGEST_TEXT = 2000
"""Most characters of a text in a mapping."""


def check_types(path: Path, where: str, found: Mapping[str, Any]) -> None:
    """Raise InputError, which names the entry and what it must be, where one of known name is something else."""
    for key, value in found.items():
        what, good = _TYPES[key]
        if not good(value):
            raise InputError(f"{path}: {key} in {where} must be {what}, got {cleaned(repr(value), 60)}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


_TEXT = (f"a text of at most {LONGEST_TEXT} characters", _is_text)
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("name", "format", "quality", "potential", "zero_point", "column", "unit", "error", "flag"), _TEXT),
    "extension": ("a whole number from 0", lambda x: type(x) is int and 0 <= x < 1000),
    "missing": ("a list of numbers", lambda x: isinstance(x, list) and all(_is_number(one) for one in x)),
    "scale": ("a finite number other than 0", lambda x: _is_number(x) and math.isfinite(x) and x != 0),
}
