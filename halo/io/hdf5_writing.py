"""Labelled arrays as HDF5 with dimension scales, in the layout of netCDF-4: made in memory.

Written with the functions of HDF5 itself, h5py's plain ones taking several times as long over many small arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5ds, h5f, h5g, h5p, h5r, h5s, h5t

from .hdf5 import AXES, BOOLEAN, COVERS, EVERYTHING, REFERENCES, SEAL, checksum
from .labelled import Labelled, Labels

SMALLEST_PACKED = 1000
"""Entries from which an array is compressed."""
GROWTH = 1 << 18
"""Bytes by which the memory of a file grows."""
NOT_A_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
"""How netCDF-4 names an axis without coordinates."""
FORMAT = (h5f.LIBVER_V18, h5f.LIBVER_V110)
"""Any HDF5 since 1.8 reads it; its headers have checksums."""
_NUMBER = itertools.count()
_USE = np.dtype([("dataset", h5py.ref_dtype), ("dimension", "<i4")])


def pack(content: Labels, *, compressed: bool = True, sealed: bool = False, groups: Mapping[str, Labels] = {}) -> bytes:
    """Return an HDF5 file, as bytes.

    Made in memory, since HDF5 does not fail cleanly when a disk is full. The same content gives the same bytes: no
    times are stored.

    Parameters
    ----------
    content : Labels
        Of the root: arrays become data sets, their axes dimension scales.
    compressed : bool
        Compress large arrays.
    sealed : bool
        Add the attribute `SEAL` with the checksum of everything in the root, and `COVERS`, which says so.
    groups : dict of str to Labels
        Of further groups, each with axes of its own.

    Raises
    ------
    ValueError
        Arrays that do not agree on the length of an axis.
    """
    access, creation = h5p.create(h5p.FILE_ACCESS), h5p.create(h5p.FILE_CREATE)
    access.set_fapl_core(GROWTH, False)
    access.set_libver_bounds(*FORMAT)
    creation.set_obj_track_times(False)
    # HDF5 takes files of one name for one file, also those in memory, and other threads may be writing theirs
    name = f"halonmf-{next(_NUMBER)}".encode()
    file = h5f.create(name, h5f.ACC_TRUNC, fcpl=creation, fapl=access)
    try:
        root = h5py.Group(h5g.open(file, b"/"))
        _fill(root, content, compressed)
        attributes = dict(content.attributes)
        if sealed:
            attributes[COVERS] = EVERYTHING
            attributes[SEAL] = checksum(attributes, *_stored(content))
        for key, value in attributes.items():
            root.attrs[key] = value
        for group, part in groups.items():
            node = h5py.Group(h5g.create(file, group.encode(), gcpl=_timeless(h5p.GROUP_CREATE)))
            _fill(node, part, compressed)
            for key, value in part.attributes.items():
                if isinstance(value, str):
                    _note(node.id, key, value)
                else:
                    node.attrs[key] = value
        h5f.flush(file)
        return bytes(file.get_file_image())
    finally:
        file.close()


def _stored(
    content: Labels,
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, str]], dict[str, tuple[str, ...]]]:
    arrays = {name: array.values for name, array in content.arrays.items()}
    axes = {name: array.axes for name, array in content.arrays.items()}
    return arrays, {name: texts(content, name) for name in arrays}, axes


def texts(content: Labels, name: str) -> dict[str, str]:
    """Return the attributes of a data set that are texts."""
    array = content.arrays[name]
    found = {**array.attributes, **content.beside(name)}
    if array.values.dtype.kind == "U":
        found["_Encoding"] = "utf-8"  # by which xarray knows that bytes are text
    if array.values.dtype.kind == "b":
        found[BOOLEAN] = "bool"  # as xarray writes truth values, of which netCDF knows nothing
    return found


def _fill(group: h5py.Group, content: Labels, compressed: bool) -> None:
    sizes = content.sizes
    made: dict[str, Any] = {}
    for name in sorted(content.arrays):
        made[name] = _put(group, name, content.arrays[name], compressed)
        for key, text in texts(content, name).items():
            _note(made[name], key, text)
    scales: dict[str, Any] = {}
    for axis in sorted(sizes):
        array = content.arrays.get(axis)
        if array is None:
            # never written to, and so takes no room
            scales[axis] = h5d.create(
                group.id, axis.encode(), h5t.IEEE_F32BE, _space((sizes[axis],)), dcpl=_timeless(h5p.DATASET_CREATE)
            )
            h5ds.set_scale(scales[axis], f"{NOT_A_VARIABLE}{sizes[axis]:10d}".encode())
        elif array.axes == (axis,):
            scales[axis] = made[axis]
            h5ds.set_scale(scales[axis], axis.encode())
        else:
            raise ValueError(f"{axis} is an axis, and an array of other axes")
    _attach(content, made, scales)


def _attach(content: Labels, made: Mapping[str, Any], scales: Mapping[str, Any]) -> None:
    # As H5DSattach_scale does, which writes the list of all users of a scale anew for each of them.
    users: dict[str, list[tuple[Any, int]]] = {axis: [] for axis in scales}
    references = {axis: h5r.create(scale, b".", h5r.OBJECT) for axis, scale in scales.items()}
    lists: dict[tuple[str, ...], np.ndarray] = {}
    kind, held = h5t.py_create(REFERENCES, logical=True), h5t.py_create(REFERENCES)
    for name, data in made.items():
        axes = content.arrays[name].axes
        if not axes or axes == (name,):
            continue
        if axes not in lists:
            lists[axes] = np.empty(len(axes), REFERENCES)
            for i, axis in enumerate(axes):
                lists[axes][i] = np.empty(1, h5py.ref_dtype)
                lists[axes][i][0] = references[axis]
        h5a.create(data, AXES, kind, _space((len(axes),))).write(lists[axes], mtype=held)
        own = h5r.create(data, b".", h5r.OBJECT)
        for i, axis in enumerate(axes):
            users[axis].append((own, i))
    kind, held = h5t.py_create(_USE, logical=True), h5t.py_create(_USE)
    for axis, these in users.items():
        if these:
            table = np.empty(len(these), _USE)
            for i, use in enumerate(these):
                table[i] = use
            h5a.create(scales[axis], b"REFERENCE_LIST", kind, _space(table.shape)).write(table, mtype=held)


def _put(group: h5py.Group, name: str, array: Labelled, compressed: bool) -> Any:
    x = np.asarray(array.values, order="C")
    if x.dtype.kind == "U":
        x = _as_bytes(x)
    elif x.dtype.kind == "b":
        x = x.view(np.int8)
    if compressed and x.size > SMALLEST_PACKED:
        made = group.create_dataset(name, data=x, compression="gzip", shuffle=True, fletcher32=True, dtype=x.dtype)
        return made.id
    kind = _type(x.dtype) if x.dtype.kind != "S" else _text(x.dtype.itemsize)
    data = h5d.create(group.id, name.encode(), kind, _space(x.shape), dcpl=_timeless(h5p.DATASET_CREATE))
    data.write(h5s.ALL, h5s.ALL, x, kind)
    return data


def _as_bytes(x: np.ndarray) -> np.ndarray:
    encoded = [text.encode() for text in x.ravel().tolist()]
    size = max([2, *map(len, encoded)])  # netCDF takes single bytes for characters, not for texts
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", size)).reshape(x.shape)


def _note(data: Any, name: str, text: str) -> None:
    kind, value = _bytes(text)
    h5a.create(data, name.encode(), kind, _space(())).write(value, mtype=kind)


@lru_cache(maxsize=4096)
def _bytes(text: str) -> tuple[Any, np.ndarray]:
    value = text.encode()
    size = max(2, len(value))
    return _text(size), np.array(value, dtype=f"S{size}")


@lru_cache(maxsize=4096)
def _text(size: int) -> Any:
    kind = h5t.C_S1.copy()
    kind.set_size(size)
    kind.set_cset(h5t.CSET_UTF8)
    kind.set_strpad(h5t.STR_NULLPAD)
    return kind


@lru_cache(maxsize=256)
def _type(dtype: np.dtype) -> Any:
    return h5t.py_create(dtype)


@lru_cache(maxsize=1024)
def _space(shape: tuple[int, ...]) -> Any:
    return h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)


@lru_cache(maxsize=4)
def _timeless(kind: Any) -> Any:
    made = h5p.create(kind)
    made.set_obj_track_times(False)
    return made
