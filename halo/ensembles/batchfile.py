"""One batch of an ensemble as a file: a readable header with the checksum of everything, then HDF5 with the arrays.

The header is what HDF5 calls a user block: any HDF5 reader opens the file, and the checksum is known before HDF5 sees
a byte of it. The same results give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.hdf5 import pack, unpack
from .plan import Part

SCHEMA = 1
"""Version of the layout; it rises when a reader of the old one would go wrong."""
BLOCK = 512
"""HDF5 looks for its beginning at this many bytes, and twice, four times ... as many."""
_MAGIC = b"halonmf batch "
_REASON = 500


@dataclass(frozen=True)
class Computed:
    """Results of a part of a batch.

    Attributes
    ----------
    part : Part
        Which replicates of which configuration.
    replicates : dict of str to ndarray
        Products, the leading axis of each is the replicate.
    base, coordinates : dict of str to ndarray
        Of the base fit, with the first replicates only.
    failure : str
        Why there are no results; empty where there are.
    """

    part: Part
    replicates: Mapping[str, np.ndarray] = field(default_factory=dict)
    base: Mapping[str, np.ndarray] = field(default_factory=dict)
    coordinates: Mapping[str, np.ndarray] = field(default_factory=dict)
    failure: str = ""


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
    """

    run: str
    index: int
    parts: tuple[Part, ...]
    failures: Mapping[int, str]
    sha256: str
    size: int


def encode(run: str, index: int, computed: Sequence[Computed]) -> bytes:
    """Return the file of a batch."""
    arrays: dict[str, np.ndarray] = {}
    texts: dict[str, Any] = {}
    for place, one in enumerate(computed):
        for kind in ("replicates", "base", "coordinates"):
            for name, value in getattr(one, kind).items():
                key, array = f"{place}.{kind}.{name}", np.asarray(value)
                if array.dtype.kind == "U":
                    texts[key] = array.tolist()
                else:
                    arrays[key] = array
    record = {
        "run": run,
        "index": index,
        "parts": [[one.part.setup, one.part.first, one.part.count] for one in computed],
        "failures": {str(one.part.setup): one.failure[:_REASON] for one in computed if one.failure},
        "texts": texts,
    }
    body = pack(arrays, compressed=False)
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
    named: dict[str, np.ndarray] = unpack(image[header.size :])
    named |= {key: np.array(value, dtype=str) for key, value in record["texts"].items()}
    held: list[dict[str, dict[str, np.ndarray]]] = [
        {"replicates": {}, "base": {}, "coordinates": {}} for _ in header.parts
    ]
    try:
        for key, array in named.items():
            place, kind, name = key.split(".", 2)
            held[int(place)][kind][name] = array
    except (ValueError, KeyError, IndexError):
        raise InputError(f"has data of the name {key}, which no batch has; such files are refused.") from None
    for part, one in zip(header.parts, held, strict=True):
        wrong = [name for name, array in one["replicates"].items() if array.shape[:1] != (part.count,)]
        if wrong:
            raise InputError(f"has {wrong[0]} of {part.count} replicates in another shape; the file is refused.")
    failures = [header.failures.get(part.setup, "") for part in header.parts]
    return header, tuple(
        Computed(part, one["replicates"], one["base"], one["coordinates"], failure)
        for part, one, failure in zip(header.parts, held, failures, strict=True)
    )


def _head(record: bytes, body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(record)
    digest.update(body)
    first = _MAGIC + f"{SCHEMA}\nsha256 {digest.hexdigest()}\nrecord {len(record)}\n".encode()
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
        if schema != SCHEMA:
            raise InputError(f"has layout version {schema}, this software reads {SCHEMA}")
        at = len(first) + len(second) + len(third) + 3
        record = image[at : at + int(third.removeprefix(b"record "))]
        size = _size(at + len(record) + 1)
        # Made again and compared, so that not even a flipped bit of the padding goes unseen.
        if _head(record, memoryview(image)[size:]) != image[:size]:
            raise InputError("has another checksum than it should: the file is damaged")
        said = json.loads(record)
        header = Header(
            run=str(said["run"]),
            index=int(said["index"]),
            parts=tuple(Part(*(int(x) for x in part)) for part in said["parts"]),
            failures={int(setup): str(reason) for setup, reason in said["failures"].items()},
            sha256=second.removeprefix(b"sha256 ").decode(),
            size=size,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"has a header that cannot be read ({error}): the file is damaged") from None
    return header, said
