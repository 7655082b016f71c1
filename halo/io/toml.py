"""TOML files that a user writes, read with suspicion; the only import of `tomllib`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ..errors import InputError
from .reading import check_file

LARGEST = 4_000_000
"""Bytes above which a file is not read: no mapping, region file or configuration comes near."""


def read_toml(
    path: str | Path, what: str = "the file", hint: str = "see docs/", *, fault: str = "is not TOML"
) -> dict[str, Any]:
    """Return the content of a TOML file, with or without a byte-order mark.

    Parameters
    ----------
    path : path
        The file.
    what : str
        What it is, in the words of an error: ``the mapping``.
    hint : str
        What to do where it is not TOML.
    fault : str
        How an error says that it is not.

    Raises
    ------
    InputError
        It cannot be read, is far too large, or is not TOML.
    """
    path = check_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: {what} cannot be read ({error.strerror}); check the path.") from error
    if len(content) > LARGEST:
        raise InputError(
            f"{path}: {what} has more than {LARGEST:,} bytes, which no TOML file of this kind has; {hint}."
        )
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {what} {fault} ({error}); {hint}.") from error
    except RecursionError:
        raise InputError(f"{path}: {what} is nested too deeply to be read as TOML; {hint}.") from None
