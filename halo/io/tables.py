"""ECSV tables and texts with provenance."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from astropy.table import QTable, Table

from ..errors import InputError
from .atomic import write_atomically, write_bytes
from .hdf5 import first_line
from .provenance import plain
from .reading import check_file, cleaned

SEAL = "content_sha256"
"""The entry of a table's metadata that holds the checksum of all of its text, with zeros in its own place."""
LARGEST = 2**30
"""Most bytes of a table that are read."""
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, yaml.YAMLError)
_ZEROS = "0" * 64
_SEALED = re.compile(rf"^(# .*{SEAL}: '?)([0-9a-f]{{64}})\b", re.MULTILINE)


def save_table(path: str | Path, table: Table, provenance: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write a product as ECSV, with its provenance in the metadata.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    table = table.copy(copy_data=False)
    table.meta["provenance"] = plain(provenance)
    table.meta[SEAL] = _ZEROS
    written = io.StringIO()
    table.write(written, format="ascii.ecsv")
    text = written.getvalue()
    seal = hashlib.sha256(text.encode()).hexdigest()
    return write_bytes(path, _SEALED.sub(rf"\g<1>{seal}", text, count=1).encode(), overwrite=overwrite)


def save_text(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write a text, such as a figure's caption.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """

    def write(temporary: Path) -> None:
        temporary.write_text(text + "\n", encoding="utf-8")

    return write_atomically(path, write, overwrite=overwrite)


def load_table(path: str | Path) -> Table:
    """Read a product that `save_table` wrote.

    Raises
    ------
    InputError
        Missing, not such a table, or another one than was written.
    """
    path = check_file(path)
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: has more than {LARGEST:,} bytes, which no table of this software has.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        sealed = _SEALED.search(text)
        if sealed and sealed[2] != hashlib.sha256(_SEALED.sub(rf"\g<1>{_ZEROS}", text, count=1).encode()).hexdigest():
            raise InputError(
                f"{path}: has another checksum than it should: it is damaged or was edited. Make it again, or take the "
                f"line of {SEAL} out if the change is meant."
            )
        lines = text.split("\n")
        _check_aliases(path, lines)
        table = QTable.read(lines, format="ascii.ecsv")
    except RecursionError:
        raise InputError(f"{path}: cannot be read as ECSV (metadata nested without end).") from None
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as ECSV ({cleaned(first_line(error))}).") from error
    table.meta.pop(SEAL, None)
    return table


def _check_aliases(path: Path, lines: Sequence[str]) -> None:
    # Aliases may stand for lists of aliases: a few lines of YAML would fill any memory. We write none.
    header = [line[2:] for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse("\n".join(header[1:]))):
        raise InputError(f"{path}: cannot be read as ECSV (its metadata has aliases, which are refused).")
