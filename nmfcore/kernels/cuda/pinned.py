"""Page-locked host memory, to which devices copy by themselves: lent out as arrays, taken back when none is left."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import threading
import weakref
from typing import Any

import numpy as np

from .driver import DriverError, call, driver

# Bytes that are locked in all; what is asked for beyond that is ordinary memory.
MOST = 2**29
SMALLEST = 2**16


class Pinned:
    """A pool of page-locked memory.

    It is ordinary memory that is registered with the driver, so that a forked process, too, can read arrays in it.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[mmap.mmap]] = {}
        self._lock = threading.Lock()
        self.locked = 0

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array with any content; page-locked where there is room."""
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        # A quarter of a power of two: what is asked for again and again fits into what came back.
        step = max(SMALLEST, 1 << max(0, size.bit_length() - 3))
        block = self._take(-(-size // step) * step) if size else None
        if block is None:
            return np.empty(shape, dtype)
        lent = (ctypes.c_ubyte * size).from_buffer(block)  # arrays keep it, and with the last of them it goes
        weakref.finalize(lent, self._back, block).atexit = False
        return np.frombuffer(lent, dtype).reshape(shape)

    def _take(self, size: int) -> mmap.mmap | None:
        with self._lock:
            kept = self._free.get(size)
            if kept:
                return kept.pop()
            if self.locked + size > MOST:
                return None
            self.locked += size
        block = mmap.mmap(-1, size)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # kernels and sandboxes without large pages
                block.madvise(mmap.MADV_HUGEPAGE)
        # Where a limit forbids the lock, it serves as it is, and the driver copies once more.
        with contextlib.suppress(DriverError):
            call(driver().cuMemHostRegister, np.frombuffer(block, np.uint8).ctypes.data, size, 1)  # for all devices
        return block

    def _back(self, block: mmap.mmap) -> None:
        with self._lock:
            self._free.setdefault(len(block), []).append(block)
