"""Calls of NVIDIA's driver through cuda-bindings, which is imported when the first is made."""

from __future__ import annotations

import functools
from typing import Any


class DriverError(RuntimeError):
    """A call of the driver failed; the message names the call, the error and what the driver says of it."""


@functools.lru_cache(maxsize=1)
def driver() -> Any:
    """Return cuda-bindings' module of the driver; raise ImportError where it is not installed."""
    from cuda.bindings import driver as module

    return module


def call(function: Any, *arguments: Any) -> Any:
    """Return what a function of the driver answers: nothing, one value or a tuple.

    Raises
    ------
    DriverError
        If it fails.
    """
    code, *answer = function(*arguments)
    if int(code):
        raise DriverError(f"{function.__name__}: {explain(code)}")
    return None if not answer else answer[0] if len(answer) == 1 else tuple(answer)


def explain(code: Any) -> str:
    """Return the name of an error and the driver's words on it."""
    library = driver()
    texts = [library.cuGetErrorName(code)[1], library.cuGetErrorString(code)[1]]
    name, text = ((x.decode() if isinstance(x, bytes) else str(x)) if x else "" for x in texts)
    return f"{name or f'error {int(code)}'} ({text or 'unknown to this driver'})"
