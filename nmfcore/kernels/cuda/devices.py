"""The devices that are here, which of them gets which replicates, and chunks that fit their memory."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from .driver import DriverError, call, driver

if TYPE_CHECKING:
    from .device import Device

MISSING = (
    "device {device!r} was asked for, but {reason}; use device='cpu', or install the extra 'cuda' and check nvidia-smi"
)


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


def on_devices(work: Callable[[Device, Any], None], tasks: Sequence[tuple[int, Any]]) -> None:
    """Call work(device, task) with each device current and to itself, all devices at once."""
    from .device import device_of

    def run(number: int, task: Any) -> None:
        with device_of(number) as device:
            work(device, task)

    if len(tasks) == 1:
        run(*tasks[0])
        return
    with ThreadPoolExecutor(max(1, len(tasks))) as pool:
        for done in [pool.submit(run, *task) for task in tasks]:
            done.result()


def visible_devices(device: Any) -> list[int]:
    """Return the numbers of the devices that "cuda" or "cuda:1" stands for; none where there are none."""
    number, _ = count_devices()
    _, _, index = str(device).partition(":")
    return list(range(number)) if not index else [int(index)] if int(index) < number else []


def why_missing(device: Any) -> str:
    """Return the error for a device that `visible_devices` does not know."""
    number, reason = count_devices()
    reason = reason or f"there are {number} CUDA devices, from cuda:0 on"
    return MISSING.format(device=str(device), reason=reason)


def count_devices() -> tuple[int, str]:
    """Return how many devices the kernels can use, and why there are none."""
    return _number_of_devices(os.getpid())


@functools.lru_cache(maxsize=2)
def _number_of_devices(process: int) -> tuple[int, str]:
    # Their number, and why there are none. A process that was forked off one with a driver has none of its own.
    try:
        library = driver()
        call(library.cuInit, 0)
        return int(call(library.cuDeviceGetCount)), ""
    except ImportError as error:
        return 0, f"the packages of the kernels are not installed ({error})"
    except (DriverError, RuntimeError, OSError) as error:
        return 0, f"there is no such CUDA device ({error})"
