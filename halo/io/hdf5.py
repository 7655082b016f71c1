"""Named arrays as HDF5: made in memory, and checked before they are read, since a file may come from anywhere."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import InputError
from .reading import check_file

LARGEST = 2**31
"""Most bytes of a data set, and of all in a file together; the files of this software stay far below."""
UNPACKED, PLENTY = 1032, 2**20
"""Most bytes that one byte of gzip can become, and bytes that an array may have whatever the size of its file."""
SMALLEST_PACKED = 1000
"""Entries from which an array is compressed."""


SEAL = "sha256"
"""The attribute that holds the checksum of all data sets and all other attributes."""


def pack(
    arrays: Mapping[str, np.ndarray], *, compressed: bool = True, attributes: Mapping[str, str | int] | None = None
) -> bytes:
    """Return an HDF5 file, as bytes, with the arrays as data sets of its root, and texts and numbers as attributes.

    Made in memory, since HDF5 does not fail cleanly when a disk is full. The same arrays give the same bytes: no
    times are stored. With attributes, the file is sealed: one more has the checksum of everything in it.
    """
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        for name in sorted(arrays):
            put(file, name, arrays[name], compressed=compressed)
        for name, value in (attributes or {}).items():
            file.attrs[name] = value
        if attributes:
            file.attrs[SEAL] = _checksum(attributes, arrays)
    return image.getvalue()


def check_seal(attributes: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bool:
    """Return whether a file has a seal; files of earlier versions have none.

    Parameters
    ----------
    attributes : mapping of str to str, bytes or int
        All of the root's.
    arrays : mapping of str to ndarray
        All of the root's data sets.

    Raises
    ------
    InputError
        The content is not what was sealed.
    """
    if SEAL not in attributes:
        return False
    if attributes[SEAL] != _checksum({name: attributes[name] for name in attributes if name != SEAL}, arrays):
        raise InputError("has another checksum than it should: the file is damaged, or was changed by hand.")
    return True


def _checksum(attributes: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    total = hashlib.sha256()

    def add(*parts: bytes) -> None:
        for part in parts:
            total.update(f"{len(part)}:".encode() + part)

    for name in sorted(attributes):
        value = attributes[name]
        add(name.encode(), value if isinstance(value, bytes) else str(value).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        add(name.encode(), f"{little.dtype.str} {array.shape}".encode(), little.tobytes())
    return total.hexdigest()


def unpack(image: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of `pack`.

    Raises
    ------
    InputError
        Not HDF5, or a file that `arrays` refuses.
    """
    try:
        with h5py.File(io.BytesIO(image), "r") as file:
            return arrays(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"cannot be read as HDF5 ({first_line(error)})") from error


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the attributes of a file's root and its arrays.

    Raises
    ------
    InputError
        No file, not HDF5, or a file that `arrays` refuses.
    """
    path = check_file(path)
    try:
        with h5py.File(path, "r") as file:
            plain = {name: x.item() if isinstance(x, np.generic) else x for name, x in file.attrs.items()}
            return plain, arrays(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({first_line(error)})") from error


def said(path: str | Path, name: str) -> str:
    """Return an attribute of a file's root as text; empty where there is none, or no such file."""
    try:
        with h5py.File(check_file(path), "r") as file:  # of a pipe nothing would ever come
            return str(file.attrs.get(name, ""))
    except (InputError, OSError, RuntimeError, KeyError, ValueError, TypeError):
        return ""


def put(file: Any, name: str, array: np.ndarray, *, compressed: bool = True) -> None:
    """Write an array to an open HDF5 file, compressed where that pays."""
    options = {"compression": "gzip", "shuffle": True} if compressed and array.size > SMALLEST_PACKED else {}
    file.create_dataset(name, data=array, fletcher32=bool(options), **options)


def arrays(file: Any) -> dict[str, np.ndarray]:
    """Return every array of an open HDF5 file.

    Raises
    ------
    InputError
        A link that leads elsewhere, a group, data kept elsewhere, objects, more than `LARGEST` bytes, or more than
        the file's size can unpack to. All of it is checked before anything is read.
    """
    room = LARGEST
    for name in file:
        room -= _checked(file, name, room)
    return {name: file[name][()] for name in file}


def _checked(file: Any, name: str, largest: int) -> int:
    # a file must not make this process read other files or fill its memory
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise InputError(f"{name} is a link out of the data set tree; such files are refused.")
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise InputError(f"{name} is a group or keeps its data elsewhere; such files are refused.")
    held = data.id.get_storage_size()
    if data.dtype.kind not in "iufb" or data.nbytes > min(largest, UNPACKED * held + PLENTY):
        raise InputError(f"{name} has {data.dtype} {data.shape}, no array of this software; such files are refused.")
    return data.nbytes


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]
