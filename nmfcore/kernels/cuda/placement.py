"""What lies where: a pattern's places as the kernels read them, and what one fit keeps in shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ...pattern import SharedPattern

# What every device grants a block without being asked.
PLAIN_SHARED = 48 * 1024


class Placement(NamedTuple):
    """What one fit keeps in shared memory, and the bytes that takes; the rest is in the device's global memory."""

    factors: bool
    H: bool
    cells: bool
    nbytes: int


class Layout(NamedTuple):
    """A pattern's places as the kernels read them: by column, and once more by row."""

    rows: np.ndarray
    start: np.ndarray
    order: np.ndarray  # columns, longest first: threads side by side then have alike work
    row_start: np.ndarray
    row_cell: np.ndarray
    row_column: np.ndarray


def layout_of(pattern: SharedPattern) -> Layout:
    """Return the places of a pattern's cells for the kernels."""
    lengths = np.diff(pattern.start)
    by_row = np.argsort(pattern.rows, kind="stable")
    column = np.repeat(np.arange(len(lengths)), lengths)[by_row]
    row_start = np.concatenate([[0], np.cumsum(np.bincount(pattern.rows, minlength=pattern.shape[1]))])
    return Layout(
        pattern.rows,
        pattern.start.astype(np.int32),
        np.argsort(-lengths, kind="stable").astype(np.int32),
        row_start.astype(np.int32),
        by_row.astype(_index_dtype(len(by_row))),
        column.astype(_index_dtype(len(lengths))),
    )


def group_size(k: int) -> int:
    """Return how many sums are added up across a block at once."""
    return max(k, 6)


def scratch_size(k: int, threads: int) -> int:
    """Return the numbers that a block needs in shared memory for its sums and Gram matrices."""
    return group_size(k) * threads + k * (k + 1) // 2 + k + 2 * k * k + max(k, 3) + 2 * k


def place(
    k: int, m: int, columns: int, cells: int, item: int, value_item: int, threads: int, limit: int
) -> Placement | None:
    """Decide what fits into `limit` bytes of shared memory: first the factors of the short side, then H, then cells.

    `item` and `value_item` are the bytes of a factor's entry and of a cell. None if not even the scratch space fits.
    """
    used = scratch_size(k, threads) * item
    if used > limit:
        return None
    kept = []
    for size in ((4 * m * k + m) * item, columns * k * item, cells * value_item):
        kept.append(used + size <= limit)
        used += size if kept[-1] else 0
    # numba sees the same bytes as arrays of 8-byte numbers.
    return Placement(kept[0], kept[1], kept[2], -(-used // 8) * 8)


def _index_dtype(count: int) -> np.dtype[Any]:
    return np.dtype(np.uint16 if count <= 2**16 else np.uint32)
