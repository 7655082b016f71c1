"""The devices that are here, which of them gets which replicates, and chunks that fit their memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class DevicePart:
    """The counts of the replicates first to last - 1 on one device: words of 32 bits, shape (replicates, words)."""

    device: int
    first: int
    last: int
    words: Any
    dtype: np.dtype[Any]

    def cells(self, replicates: np.ndarray, cell_count: int) -> np.ndarray:
        """Return the counts of some replicates, copied from the device; shape (replicates, cells)."""
        first, last = int(replicates.min()), int(replicates.max()) + 1
        words: np.ndarray = np.ascontiguousarray(self.words[first - self.first : last - self.first].copy_to_host())
        return words.view(self.dtype)[replicates - first, :cell_count]


def split(count: int, parts: int) -> list[tuple[int, int]]:
    """Return `parts` ranges, as even as can be, that cover 0 to `count`; no more than there are things."""
    parts = max(1, min(parts, count))
    edges = [count * i // parts for i in range(parts + 1)]
    return list(itertools.pairwise(edges))


def in_chunks(work: Callable[[int, int], None], count: int, size: Callable[[], float]) -> None:
    """Call work(first, last) on chunks of at most size(), asked each time; halve a chunk where memory runs out.

    Raises
    ------
    Exception
        Whatever `work` raises but for lack of memory, and that too where a chunk is a single replicate.
    """
    first, most = 0, count
    while first < count:
        length = int(max(1, min(most, size(), count - first)))
        try:
            work(first, first + length)
        except Exception as error:
            if length == 1 or not is_out_of_memory(error):
                raise
            most = length // 2
        else:
            first += length


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a CUDA error says that memory ran out."""
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in f"{error}".upper().replace(" ", "_")


def on_devices(work: Callable[[int, Any], None], tasks: Sequence[tuple[int, Any]]) -> None:
    """Call work(device, task) with each device current, all devices at once."""
    from numba import cuda

    def run(device: int, task: Any) -> None:
        with cuda.gpus[device]:
            work(device, task)

    if len(tasks) == 1:
        run(*tasks[0])
        return
    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, *task) for task in tasks]:
            done.result()


def visible_devices(device: Any) -> list[int]:
    """Return the numbers of the devices that "cuda" or "cuda:1" stands for; none where there are none.

    Importing numba's CUDA support is left to this call; where it is missing there are none either.
    """
    try:
        from numba import cuda

        if not cuda.is_available():
            return []
        number = len(list(cuda.gpus))
    except ImportError:
        return []
    _, _, index = str(device).partition(":")
    return list(range(number)) if not index else [int(index)] if int(index) < number else []
