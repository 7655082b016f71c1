"""Tell a user who waits that kernels are being compiled: once for each number of components and type on a machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


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
