"""A pattern's places as the kernels read them, and what one fit keeps in shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ...pattern import SharedPattern
    from .arguments import Code
    from .device import Device

# Columns of a slice: the threads of a warp.
LANES = 32
# What the system keeps of the shared memory of every block, and what a block needs beside the parts counted here.
RESERVED, BESIDE = 1024, 2048
# Blocks that should share a multiprocessor: while one waits the others work.
TOGETHER = 2


class Layout(NamedTuple):
    """Where cells are: in slots, slice by slice of columns, and by row; see interface.cuh."""

    slice_start: np.ndarray
    slot_row: np.ndarray
    row_start: np.ndarray
    row_entry: np.ndarray
    column: np.ndarray
    slot: np.ndarray  # of each cell of the pattern, int32; stays on the host

    @property
    def slots(self) -> int:
        """Number of slots."""
        return int(self.slice_start[-1])


def layout_of(pattern: SharedPattern) -> Layout:
    """Return the places of a pattern's cells for the kernels; its columns are in order of their length already."""
    m, count = pattern.shape[1], len(pattern.columns)
    lengths = np.diff(pattern.start)
    slices = -(-count // LANES)
    deepest = np.zeros(slices * LANES, np.int64)
    deepest[:count] = lengths
    deepest = deepest.reshape(slices, LANES).max(axis=1, initial=0)
    slice_start = np.concatenate([[0], np.cumsum(LANES * deepest)])
    column = np.repeat(np.arange(count, dtype=np.int32), lengths)
    within = np.arange(len(pattern.rows), dtype=np.int32) - np.repeat(pattern.start[:-1].astype(np.int32), lengths)
    slot = slice_start.astype(np.int32)[column // LANES] + LANES * within + column % LANES
    slot_row = np.zeros(slice_start[-1], smallest(m - 1))
    slot_row[slot] = pattern.rows
    # Small integers are sorted by their digits.
    by_row = np.argsort(pattern.rows.astype(smallest(m - 1)), kind="stable")
    wide = np.dtype(np.uint32 if max(slice_start[-1], count) <= 2**16 else np.uint64)
    half = np.array(4 * wide.itemsize, wide)
    entry = slot[by_row].astype(wide) | np.left_shift(column[by_row].astype(wide), half)
    row_start = np.concatenate([[0], np.cumsum(np.bincount(pattern.rows, minlength=m))])
    return Layout(
        slice_start.astype(np.uint32), slot_row, row_start.astype(np.uint32), entry, pattern.columns.astype(np.uint32),
        slot,
    )  # fmt: skip


def smallest(largest: int) -> np.dtype[Any]:
    """Return the smallest type of whole numbers up to `largest`."""
    return np.dtype(np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.uint32)


class Placement(NamedTuple):
    """What a fit keeps in shared memory, and the bytes that takes."""

    short: bool
    H: bool
    counts: bool
    nbytes: int


def placements(code: Code, m: int, columns: int, slots: int) -> list[Placement]:
    """Return the ways to divide a fit between shared and global memory, the one with most in shared memory first."""
    item = code.dtype.itemsize
    sizes = code.shorts * m * code.k * item, columns * code.k * item, slots * code.count_dtype.itemsize
    padded = [-(-size // 16) * 16 for size in sizes]
    ways = [(True, True, True), (True, True, False), (True, False, False), (False, False, False)]
    return [Placement(*way, sum(size for size, kept in zip(padded, way, strict=True) if kept)) for way in ways]


def in_order(ways: list[Placement], device: Device, jobs: int) -> list[Placement]:
    """Return the placements in the order in which to try them on a device.

    Shared memory is fast, but a block alone on its multiprocessor waits for itself: first come those that leave room
    for `TOGETHER` blocks, or for as many as there are jobs for, then those that fit at all; of each the one with most
    in it.
    """
    wanted = min(TOGETHER, -(-jobs // device.multiprocessors))
    fit = [way for way in ways if way.nbytes + BESIDE <= device.most_shared]
    many = [way for way in fit if wanted * (way.nbytes + BESIDE + RESERVED) <= device.all_shared]
    return many + [way for way in fit if way not in many]
