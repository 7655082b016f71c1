"""Requests to stop: SIGTERM, SIGHUP, and the SIGUSR1 that SLURM can send before a job's time is over."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

from ..errors import InterruptedRunError

NAMES = ("SIGTERM", "SIGUSR1", "SIGHUP")
GRACE = 5.0
"""Seconds for which further signals belong to the first: schedulers send several, and the clean-up must not be cut."""
_requested: list[str] = []
"""The name of the signal that has come to the block in progress."""


class Stop(BaseException):
    """Raised wherever the program is when a signal arrives; no `except Exception` catches it."""


def check() -> None:
    """Raise the request to stop again where it was lost: Python discards what is raised in a destructor or a callback.

    Long work calls it between its steps, never while it cleans up.
    """
    if _requested:
        raise Stop(_requested[0])


KEPT = "what is complete is kept, run again with --resume to go on."
NOTHING = "nothing half-written is left, run the same command again."


@contextlib.contextmanager
def stoppable(after: str = KEPT) -> Iterator[None]:
    """Leave the block when a signal comes, through every `finally` in it; a signal later than `GRACE` ends those too.

    Signals that this process ignores, as SIGHUP under ``nohup``, stay ignored, and those that are heeded by something
    else than Python, which could not be given back, are left to it.

    Parameters
    ----------
    after : str
        What is left then, and how to go on.

    Raises
    ------
    InterruptedRunError
        A signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return
    there = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    known = [one for one in there if signal.getsignal(one) not in (signal.SIG_IGN, None)]
    last = 0.0

    def stop(number: int, _: object) -> None:
        nonlocal last
        now = time.monotonic()
        if not _requested:
            _requested.append(signal.Signals(number).name)
        elif now - last < GRACE:
            return
        last = now
        raise Stop(_requested[0])

    earlier = _requested[:]
    _requested.clear()
    before = [signal.signal(one, stop) for one in known]
    try:
        yield
    except Stop as error:
        raise InterruptedRunError(f"stopped by {error}; {after}") from None
    finally:
        for one, handler in zip(known, before, strict=True):
            signal.signal(one, handler)
        _requested[:] = earlier
