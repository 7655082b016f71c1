"""Named arrays in HDF5: checked before they are read, since a file may come from anywhere."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py import h5a, h5d, h5ds, h5f, h5g, h5i, h5l, h5o, h5r, h5s, h5t

from ..errors import InputError
from .reading import check_file, first_line

LARGEST = 2**31
"""Most bytes of a data set, and of all in a file together; the files of this software stay far below."""
UNPACKED, PLENTY = 1032, 2**20
"""Most bytes that one byte of gzip can become, and bytes that an array may have whatever the size of its file."""
MOST = 2**20
"""Most data sets of a file."""
LONGEST, NOTES = 4096, 64
"""Most bytes of a text in a data set or its attributes, and attributes of a data set."""
WIDE = 4
"""Bytes that a byte of text takes in memory."""

SEAL = "sha256"
"""The attribute that holds the checksum of all data sets, their texts, and all other attributes."""
COVERS, EVERYTHING = "sha256_covers", "attributes, data sets, texts, axes"
"""The attribute by which the checksum covers the scales of every data set too; files of earlier versions lack it."""
AXES, REFERENCES = b"DIMENSION_LIST", h5py.vlen_dtype(h5py.ref_dtype)
"""The attribute of a data set that refers to the scale of each of its axes, and what it holds for each."""
BOOLEAN = "dtype"
"""The attribute by which small integers are truth values."""


OF_AXES = ("CLASS", "NAME")
"""Attributes by which a data set is the scale of an axis."""


@dataclass(frozen=True)
class Held:
    """What is in a file, or in one of its groups.

    Attributes
    ----------
    arrays : dict of str to ndarray
        By name; axes without coordinates are left out.
    texts : dict of str to dict of str to str
        The attributes of the arrays that are texts.
    scales : frozenset of str
        Those of the arrays that are coordinates of an axis.
    groups : dict of str to Held
        Groups in it.
    axes : dict of str to tuple of str
        The scales that are attached to the arrays, where the checksum covers them.
    """

    arrays: dict[str, np.ndarray]
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    scales: frozenset[str] = frozenset()
    groups: dict[str, Held] = field(default_factory=dict)
    axes: dict[str, tuple[str, ...]] = field(default_factory=dict)


class _Opened(NamedTuple):
    data: Any
    shape: Any
    dtype: np.dtype
    scale: bool


def check_seal(attributes: Mapping[str, Any], held: Held) -> bool:
    """Return whether a file has a seal; files of earlier versions have none.

    Parameters
    ----------
    attributes : mapping of str to str, bytes or int
        All of the root's.
    held : Held
        All of the root's data sets.

    Raises
    ------
    InputError
        The content is not what was sealed.
    """
    if SEAL not in attributes:
        return False
    rest = {name: attributes[name] for name in attributes if name != SEAL}
    if attributes[SEAL] != checksum(rest, held.arrays, held.texts, held.axes):
        raise InputError("has another checksum than it should: the file is damaged, or was changed by hand.")
    return True


def checksum(
    attributes: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    texts: Mapping[str, Mapping[str, str]],
    axes: Mapping[str, tuple[str, ...]],
) -> str:
    """Return the checksum of a file's attributes, its arrays, what stands with these, and their axes where known."""
    total = hashlib.sha256()

    def add(*parts: bytes) -> None:
        for part in parts:
            total.update(f"{len(part)}:".encode() + part)

    for name in sorted(attributes):
        value = attributes[name]
        add(_raw(name), value if isinstance(value, bytes) else _raw(str(value)))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])  # with one axis where there is none, as in all files so far
        if array.dtype.kind == "U":
            add(_raw(name), f"text {array.shape}".encode(), *map(_raw, array.ravel().tolist()))
        else:
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            add(_raw(name), f"{little.dtype.str} {array.shape}".encode(), little.tobytes())
        for key, text in sorted(texts.get(name, {}).items()):
            add(_raw(key), _raw(text))
        if name in axes:
            add(AXES, *map(_raw, axes[name]))
    return total.hexdigest()


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # names and attributes may be any bytes


def unpack(image: bytes) -> Held:
    """Return what is in the image of a file and in its groups, without the texts that stand with the arrays.

    Raises
    ------
    InputError
        Not HDF5, or a file that `held` refuses.
    """
    try:
        file = h5f.open_file_image(image)
        try:
            return _held(h5g.open(file, b"/"), whole=False)
        finally:
            file.close()
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"cannot be read as HDF5 ({first_line(error)})") from error


def read(path: str | Path) -> tuple[dict[str, Any], Held]:
    """Return the attributes of a file's root, and what is in it.

    Raises
    ------
    InputError
        No file, not HDF5, or a file that `held` refuses.
    """
    path = check_file(path)
    try:
        with h5py.File(path, "r") as file:
            return attributes_of(file), held(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({first_line(error)})") from error


def attributes_of(file: h5py.File) -> dict[str, Any]:
    """Return the attributes of a file's root as plain texts and numbers."""
    return {name: x.item() if isinstance(x, np.generic) else x for name, x in file.attrs.items()}


def said(path: str | Path, name: str) -> str:
    """Return an attribute of a file's root as text; empty where there is none, or no such file."""
    try:
        with h5py.File(check_file(path), "r") as file:  # of a pipe nothing would ever come
            return str(file.attrs.get(name, ""))
    except (InputError, OSError, RuntimeError, KeyError, ValueError, TypeError):
        return ""


def held(file: h5py.File) -> Held:
    """Return every array of an open HDF5 file, and the texts that stand with them.

    Raises
    ------
    InputError
        A link that leads elsewhere, a group, data kept elsewhere, objects, texts without a fixed length, more than
        `LARGEST` bytes, or more than the file's size can unpack to. All of it is checked before anything is read.
    """
    return _held(file.id, whole=True, with_axes=COVERS in file.attrs)


def _held(root: Any, *, whole: bool, with_axes: bool = False) -> Held:
    # whole: with the texts, and no groups; otherwise groups in the root, but none in these
    found: dict[str, dict[str, _Opened]] = {"": {}}
    room, number = LARGEST, 0
    for name in _names(root):
        one = _opened(root, name)
        inside = [("", name, one)]
        if isinstance(one, h5g.GroupID) and not whole:
            found[name] = {}
            inside = [(name, inner, _opened(one, inner)) for inner in _names(one)]
        for group, plain, data in inside:
            number += 1
            if number > MOST:
                raise InputError(f"has more than {MOST:,} data sets; such files are refused.")
            path = f"{group}/{plain}" if group else plain
            if not isinstance(data, h5d.DatasetID) or _lies_elsewhere(data):
                raise InputError(f"{path} is a group or keeps its data elsewhere; such files are refused.")
            held, scale = data.get_storage_size(), h5ds.is_scale(data)
            if held or not scale:  # else an axis: its values mean nothing
                shape, dtype = data.shape, data.dtype
                room -= _checked(path, shape, dtype, min(room, UNPACKED * held + PLENTY))
                found[group][plain] = _Opened(data, shape, dtype, scale)
    read = {group: _read(these, whole) for group, these in found.items()}
    top = read.pop("")
    axes = {name: _axes(name, one) for name, one in found[""].items()} if with_axes else {}
    return Held(top.arrays, top.texts, top.scales, read, axes)


def _names(group: Any) -> list[str]:
    names: list[str] = []
    group.links.iterate(lambda name: names.append(name.decode("utf-8", "surrogateescape")))
    return names


def _opened(group: Any, name: str) -> Any:
    raw = _raw(name)
    if group.links.get_info(raw).type != h5l.TYPE_HARD:
        raise InputError(f"{name} is a link out of the data set tree; such files are refused.")
    return h5o.open(group, raw)


def _lies_elsewhere(data: Any) -> bool:
    # a file must not make this process read other files or fill its memory
    how = data.get_create_plist()
    return bool(how.get_external_count()) or how.get_layout() == h5d.VIRTUAL


def _checked(name: str, shape: tuple[int, ...] | None, dtype: np.dtype, most: int) -> int:
    """Return how many bytes an array takes in memory."""
    size = math.prod(shape or ()) * dtype.itemsize
    if dtype.kind == "S":  # of a fixed length: others are objects
        size, most = size * WIDE, most if dtype.itemsize <= LONGEST else -1
    if shape is None or dtype.kind not in "iufbS" or size > most:
        raise InputError(f"{name} has {dtype} {shape}, no array of this software; such files are refused.")
    return size


def _read(datasets: Mapping[str, _Opened], whole: bool) -> Held:
    arrays, texts = {}, {}
    for name, one in datasets.items():
        x = np.empty(one.shape, one.dtype)
        one.data.read(h5s.ALL, h5s.ALL, x)
        found = _texts(one.data) if whole or x.dtype == np.int8 else {}
        if x.dtype.kind == "S":
            x = np.array([text.decode() for text in x.ravel().tolist()], dtype=str).reshape(x.shape)
        elif x.dtype == np.int8 and found.get(BOOLEAN) == "bool":
            x = x != 0
        arrays[name], texts[name] = x, found
    return Held(arrays, texts, frozenset(name for name, one in datasets.items() if one.scale))


def _texts(data: Any) -> dict[str, str]:
    # references to axes stand in attributes too: of no fixed length, they are not even looked at
    found = {}
    number = h5a.get_num_attrs(data)
    if number > NOTES:
        raise InputError(f"has a data set with {number:,} attributes; such files are refused.")
    for i in range(number):
        note = h5a.open(data, index=i)
        kind = note.get_type()
        if kind.get_class() != h5t.STRING or kind.is_variable_str():
            continue
        size, name = kind.get_size(), note.name.decode("utf-8", "replace")
        if size <= LONGEST and note.get_storage_size() == size and name not in OF_AXES:
            value = np.empty((), f"S{size}")
            note.read(value, mtype=kind)
            found[name] = value.item().decode("utf-8", "replace")
    return found


def _axes(name: str, one: _Opened) -> tuple[str, ...]:
    """Return the names of the scales of a data set's axes, empty where one has none; of a scale its own."""
    if one.scale:
        return (name,)
    number = len(one.shape)
    if not h5a.exists(one.data, AXES):
        return ("",) * number
    note = h5a.open(one.data, AXES)
    kind = note.get_type()
    if kind.get_class() != h5t.VLEN or not kind.get_super().equal(h5t.STD_REF_OBJ) or note.shape != (number,):
        raise InputError(f"{name} has {AXES.decode()} of another kind; such files are refused.")
    refers = np.empty(number, REFERENCES)
    note.read(refers, mtype=h5t.py_create(REFERENCES))
    # a reference leads to another object of the file, of which no more than the name is asked
    each = [[h5i.get_name(h5r.dereference(to, one.data)) or b"" for to in several] for several in refers]
    return tuple(b",".join(several).removeprefix(b"/").decode("utf-8", "surrogateescape") for several in each)
