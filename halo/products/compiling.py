"""One definition, two ways to run it: as Python for one fit, compiled by numba for the many fits of an ensemble.

The loops over fits in `crossings` and `histograms` are plain Python that numba can compile. Of one fit they take
milliseconds as they are, less than numba takes to be imported; of thousands they are compiled once and kept in numba's
cache. Both ways do the same operations in the same order and give the same numbers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, wraps
from threading import Lock
from types import FunctionType
from typing import Any

import numpy as np

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
"""Of every compiled loop; the error model is NumPy's, in which a division by zero gives infinity."""
Run = Callable[[Callable[..., Any]], Callable[..., Any]]
"""A way to run a loop: `as_python` or `compiled`."""
_lock = Lock()


def as_python(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loop as it is, silent about infinities as compiled code is."""

    @wraps(function)
    def quiet(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args)

    return quiet


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loop compiled by numba, with the functions of its module that it calls."""
    with _lock:  # threads that ask at once get one and the same
        return _compiled(function)


@cache
def _compiled(function: FunctionType) -> Callable[..., Any]:
    from numba import njit

    for each in _called(function):
        _callable(each)
    try:
        return njit(**OPTIONS)(function)
    except RuntimeError:
        # No folder can be written to: the engine, whose kernels were asked for before, has said so.
        return njit(**OPTIONS | {"cache": False})(function)


@cache
def _callable(function: FunctionType) -> None:
    # numba keeps such a function as it is for Python, and compiles it where compiled code calls it
    from numba.extending import register_jitable

    register_jitable(error_model=OPTIONS["error_model"])(function)


def _called(function: FunctionType) -> Iterator[FunctionType]:
    for name in function.__code__.co_names:
        found = function.__globals__.get(name)
        if isinstance(found, FunctionType) and found.__module__ == function.__module__:
            yield found
            yield from _called(found)
