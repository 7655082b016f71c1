"""ECSV tables and texts with provenance."""

from __future__ import annotations

import hashlib
import io
import itertools
import math
import re
from collections.abc import Iterable, Mapping
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
LONGEST, MOST_NODES = 2**24, 1e6
"""Most characters of metadata, and most values in them."""
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
        check_aliases(path, lines)
        table = QTable.read(lines, format="ascii.ecsv")
    except RecursionError:
        raise InputError(f"{path}: cannot be read as ECSV (metadata nested without end).") from None
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as ECSV ({cleaned(first_line(error))}).") from error
    table.meta.pop(SEAL, None)
    return table


def check_aliases(path: Path, lines: Iterable[str] | None = None) -> None:
    """Raise where aliases in the metadata of an ECSV file multiply: lists of lists of them fill any memory.

    Raises
    ------
    InputError
        The metadata have more than `LONGEST` characters, or more than `MOST_NODES` values once written out; or they
        are no YAML.
    """
    if lines is None:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            check_aliases(path, iter(lambda: file.readline(LONGEST), ""))
        return
    header = ""
    for line in itertools.islice(itertools.takewhile(lambda line: line.startswith("#"), lines), 1, None):
        header += line[2:].rstrip("\n") + "\n"
        if len(header) > LONGEST:
            raise InputError(f"{path}: its metadata have more than {LONGEST:,} characters, which are refused.")
    try:
        size = _written_out(yaml.compose(header), {})
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as ECSV ({cleaned(first_line(error))}).") from None
    if size > MOST_NODES:
        raise InputError(f"{path}: its metadata have aliases that make {size:.3g} values of them, which is refused.")


def _written_out(node: Any, known: dict[int, float]) -> float:
    """Return how many values a YAML document has with its aliases written out; infinite where one holds itself."""
    if not isinstance(getattr(node, "value", None), list):
        return 1.0
    if id(node) not in known:
        known[id(node)] = math.inf  # until it is known: met again within itself
        within = (part for child in node.value for part in (child if isinstance(child, tuple) else (child,)))
        known[id(node)] = 1.0 + sum(_written_out(part, known) for part in within)
    return known[id(node)]
