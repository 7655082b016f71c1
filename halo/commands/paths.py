"""Paths as they are typed: inputs are there, outputs have a suffix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.reading import cleaned


def check_there(given: Any, *, name_of_ours: bool = False) -> None:
    """Raise where nothing is at a path, or at one of several.

    Parameters
    ----------
    given : Path or list of Path
        Anything else is left alone.
    name_of_ours : bool
        A bare word may name something that ships, such as ``fire2``: it is left alone too.

    Raises
    ------
    InputError
        Nothing is there.
    """
    for path in given if isinstance(given, list | tuple) else (given,):
        if name_of_ours and isinstance(path, Path) and (path.name, path.suffix) == (str(path), ""):
            continue
        if isinstance(path, Path) and not os.path.lexists(path):
            raise InputError(f"{cleaned(path)}: no such file; check the path.")


def with_suffix(path: Path, suffix: str) -> Path:
    """Return the path of an output, with the suffix of its kind where it has none; folders have none."""
    bare = bool(suffix and path.name) and not path.suffix and not path.is_dir()
    return path.with_name(path.name + suffix) if bare else path
