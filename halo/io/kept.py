"""What files in a folder were made from: so that nothing is made again that would come out the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from .atomic import write_bytes
from .provenance import settings_sha256, sha256_of
from .reading import check_file

LIST = "made.json"
"""The file that tells it, beside them."""
SEAL = "sha256"
"""The entry of a record that holds the checksum of all others."""


def digest(*parts: bytes) -> str:
    """Return SHA-256 of some parts; where one ends and the next begins counts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record, as JSON holds it, with its checksum."""
    return {**record, SEAL: settings_sha256(record)}


def unseal(record: dict[str, Any]) -> bool | None:
    """Take the checksum out of a record and return whether it is the right one; None where there is none."""
    found = record.pop(SEAL, None)
    return None if found is None else found == settings_sha256(record)


def still_there(folder: Path, source: str) -> list[Path]:
    """Return the files in a folder that were made from a source; none unless all of them are there and unchanged.

    Parameters
    ----------
    folder : Path
        Where `remember` was told of them.
    source : str
        Names all that decides what is in them.
    """
    try:
        record = json.loads(check_file(folder / LIST).read_text(encoding="utf-8"))
        if record["source"] != source:
            return []
        files = {check_file(folder / Path(name).name): sha256 for name, sha256 in record["files"].items()}
        whole = all(sha256_of(path) == sha256 for path, sha256 in files.items())
    except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []  # no list, or one that this software did not write: all is made again
    return sorted(files) if whole else []


def remember(folder: Path, source: str, files: Iterable[Path]) -> None:
    """Write down what files in a folder were made from.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    made = {path.name: sha256_of(path) for path in sorted(files)}
    text = json.dumps({"source": source, "files": made}, indent=1) + "\n"
    write_bytes(folder / LIST, text.encode(), overwrite=True)
