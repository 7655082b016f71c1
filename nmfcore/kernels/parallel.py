"""Threads over independent parts of a batch; the kernels release the interpreter's lock."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from ..late import threads, use_threads

_threads: ContextVar[int | None] = ContextVar("threads", default=None)
_lock, _inside, _before, _quiet = Lock(), 0, 1, 0
_blas: list[tuple[Any, int]] = []


@contextmanager
def kernels_only() -> Iterator[None]:
    """Leave the threads to `in_parallel` inside: torch, and the BLAS of NumPy and SciPy, compute on one.

    Small tensors are not worth torch's own threads, which wait for each other at every call; on a busy machine that
    takes several times as long as the work. Threads that `in_parallel` starts inside have one of torch's each.
    """
    global _inside, _before
    with _lock:  # torch's number is that of the process, and callers may overlap
        if _inside == 0:
            _before = threads()
            use_threads(1)
        _inside += 1
        before = _before
    token = _threads.set(before if _threads.get() is None else _threads.get())
    try:
        with quiet_blas():
            yield
    finally:
        _threads.reset(token)
        with _lock:
            _inside -= 1
            if _inside == 0:
                use_threads(before)


@contextmanager
def quiet_blas() -> Iterator[None]:
    """Let the BLAS of NumPy and SciPy compute on one thread inside, and torch on as many as it has.

    OpenBLAS's other threads look for work long after a product, on the very cores that kernels and torch are to have.
    """
    global _quiet, _blas
    with _lock:
        if _quiet == 0:
            _blas = [(library, library.num_threads) for library in _blas_libraries("scipy.linalg" in sys.modules)]
            _set(1)
        _quiet += 1
    try:
        yield
    finally:
        with _lock:
            _quiet -= 1
            if _quiet == 0:
                _set(None)


@cache
def _blas_libraries(with_scipy: bool) -> list[Any]:
    # looked for again once SciPy's own is there
    return [each for each in ThreadpoolController().lib_controllers if each.user_api == "blas"]


def _set(number: int | None) -> None:
    """Give each BLAS so many threads, or those that it had."""
    for library, before in _blas:
        if before != 1:
            library.set_num_threads(number or before)


def number_of_threads() -> int:
    """Return on how many threads `in_parallel` works."""
    return _threads.get() or threads()


def _wrapping(work: Callable[[int, int], None]) -> Callable[[int, int], None]:
    # Random numbers wrap around; where kernels run as plain Python NumPy would warn of it.
    def quiet(first: int, last: int) -> None:
        with np.errstate(over="ignore"):
            work(first, last)

    return quiet


def in_parallel(work: Callable[[int, int], None], count: int, *, grain: int = 1) -> None:
    """Call work(first, last) on ranges that cover 0 to count, on as many threads as torch uses.

    `grain` is how long ranges should be at least where there is enough for all threads. Which thread does what never
    changes a result: replicates are independent.
    """
    number = max(1, min(number_of_threads(), count))
    work = _wrapping(work)
    if number == 1:
        work(0, count)
        return
    # A few ranges per thread, so that the last one does not keep the others waiting; as many for each.
    parts = number * max(1, min(4, count // (number * max(grain, 1))))
    edges = [count * i // parts for i in range(parts + 1)]
    with ThreadPoolExecutor(number) as pool:
        for done in [pool.submit(work, first, last) for first, last in itertools.pairwise(edges)]:
            done.result()
