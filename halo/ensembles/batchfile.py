"""One batch of an ensemble as a file: a readable header with the checksum of everything, then HDF5 with the arrays.

The header is what HDF5 calls a user block: any HDF5 reader opens the file, and the checksum is known before HDF5 sees
a byte of it. The same results give the same bytes. What is in the HDF5 is up to `batcharrays`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import InputError
from . import batcharrays
from .batcharrays import Computed
from .plan import Part

SCHEMA = 2
"""Version of the layout; it rises when a reader of the old one would go wrong."""
READABLE = (1, SCHEMA)
"""Layouts that are read; in layout 1 arrays had neither groups nor names of axes."""
BLOCK = 512
"""HDF5 looks for its beginning at this many bytes, and twice, four times ... as many."""
_MAGIC = b"halonmf batch "
_REASON = 500


@dataclass(frozen=True)
class Header:
    """The content of the first lines of a batch file.

    Attributes
    ----------
    run : str
        SHA-256 of the effective settings of the run it belongs to.
    index : int
        Which batch of the plan.
    parts : tuple of Part
        What it holds.
    failures : dict of int to str
        Reasons by configuration.
    sha256 : str
        Of the rest of the header and all that follows.
    size : int
        Bytes of the header.
    schema : int
        Version of the layout.
    """

    run: str
    index: int
    parts: tuple[Part, ...]
    failures: Mapping[int, str]
    sha256: str
    size: int
    schema: int = SCHEMA


def encode(run: str, index: int, computed: Sequence[Computed]) -> bytes:
    """Return the file of a batch."""
    record = {
        "run": run,
        "index": index,
        "parts": [[one.part.setup, one.part.first, one.part.count] for one in computed],
        "failures": {str(one.part.setup): one.failure[:_REASON] for one in computed if one.failure},
    }
    called = batcharrays.unlike(computed)
    if called:
        record["names"] = called
    body = batcharrays.pack(computed)
    return _head(json.dumps(record, sort_keys=True).encode(), body) + body


def read_header(image: bytes) -> Header:
    """Return the header of a file whose checksum is right.

    Raises
    ------
    InputError
        No batch file, of another layout, or damaged.
    """
    return _open(image)[0]


def decode(image: bytes) -> tuple[Header, tuple[Computed, ...]]:
    """Return what `encode` was given.

    Raises
    ------
    InputError
        No batch file, of another layout, damaged, or with anything else than plain arrays.
    """
    header, record = _open(image)
    failures = [header.failures.get(part.setup, "") for part in header.parts]
    parse = (
        partial(batcharrays.unpack, called=record.get("names", {}))
        if header.schema > 1
        else partial(batcharrays.unpack_first, texts=record["texts"])
    )
    computed = parse(image[header.size :], header.parts, failures)
    for one in computed:
        number = one.part.count
        wrong = [name for name, array in one.replicates.items() if array.shape[:1] != (number,)]
        if wrong:
            raise InputError(f"has {wrong[0]} of {number} replicates in another shape; the file is refused.")
    return header, computed


def _head(record: bytes, body: bytes | memoryview, schema: int = SCHEMA) -> bytes:
    digest = hashlib.sha256(record)
    digest.update(body)
    first = _MAGIC + f"{schema}\nsha256 {digest.hexdigest()}\nrecord {len(record)}\n".encode()
    return (first + record).ljust(_size(len(first) + len(record) + 1) - 1) + b"\n"


def _size(least: int) -> int:
    size = BLOCK
    while size < least:
        size *= 2
    return size


def _open(image: bytes) -> tuple[Header, dict[str, Any]]:
    if not image.startswith(_MAGIC):
        raise InputError("is no batch of an ensemble, or damaged in its first line")
    try:
        first, second, third = image[:256].split(b"\n")[:3]
        schema = int(first.removeprefix(_MAGIC))
        if schema not in READABLE:
            raise InputError(f"has layout version {schema}, this software reads {', '.join(map(str, READABLE))}")
        at = len(first) + len(second) + len(third) + 3
        record = image[at : at + int(third.removeprefix(b"record "))]
        size = _size(at + len(record) + 1)
        # Made again and compared, so that not even a flipped bit of the padding goes unseen.
        if _head(record, memoryview(image)[size:], schema) != image[:size]:
            raise InputError("has another checksum than it should: the file is damaged")
        said = json.loads(record)
        if not all(isinstance(x, str) for one in said.get("names", {}).values() for x in one.values()):
            raise ValueError("names that are no texts")
        header = Header(
            run=str(said["run"]),
            index=int(said["index"]),
            parts=tuple(Part(*(int(x) for x in part)) for part in said["parts"]),
            failures={int(setup): str(reason) for setup, reason in said["failures"].items()},
            sha256=second.removeprefix(b"sha256 ").decode(),
            size=size,
            schema=schema,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"has a header that cannot be read ({error}): the file is damaged") from None
    return header, said
