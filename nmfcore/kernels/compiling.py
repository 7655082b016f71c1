"""How kernels are compiled and where their code is kept; tell a user who waits that they are being compiled."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


def switched_off() -> bool:
    """Tell whether numba is told by NUMBA_DISABLE_JIT to compile nothing: the kernels are then of no use."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0")


@cache
def has_folder() -> bool:
    """Tell whether numba finds a folder for compiled code."""
    from numba import njit

    try:
        njit(cache=True)(_nothing)
    except RuntimeError:
        # numba refuses at the decorator where neither the package's folder nor the user's can be written.
        return False
    return True


@cache
def can_keep() -> bool:
    """Tell whether numba finds a folder for compiled code; if not, say once that every process compiles anew."""
    if not has_folder():
        warnings.warn(
            "numba finds no folder that it may write compiled kernels to: they are compiled in every process anew, "
            "which takes some ten seconds. Set NUMBA_CACHE_DIR to a folder that can be written.",
            RuntimeWarning,
            stacklevel=2,
        )
    return has_folder()


def _nothing() -> None:
    # Stands for every kernel: they are in the same folder.
    return None


@contextmanager
def when_compiling(say: Callable[[], None]) -> Iterator[None]:
    """Call `say` once inside the block, when a first kernel begins to be compiled; those from the cache say nothing.

    Parameters
    ----------
    say : callable
        Takes nothing.
    """
    from numba.core import event

    class Listener(event.Listener):
        said = False

        def on_start(self, _: Any) -> None:
            if not self.said:
                self.said = True
                say()

        def on_end(self, _: Any) -> None:
            """Do nothing."""

    with event.install_listener("numba:compile", Listener()):
        yield
