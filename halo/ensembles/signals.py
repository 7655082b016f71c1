"""Requests to stop: SIGTERM, SIGHUP, and the SIGUSR1 that SLURM can send before a job's time is over."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from ..errors import InterruptedRunError

NAMES = ("SIGTERM", "SIGUSR1", "SIGHUP")


class Stop(BaseException):
    """Raised wherever the program is when a signal arrives; no `except Exception` catches it."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Leave the block when a signal comes, through every `finally` in it.

    Raises
    ------
    InterruptedRunError
        A signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return
    known = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]

    def stop(number: int, _: object) -> None:
        for one in known:
            signal.signal(one, signal.SIG_IGN)  # a second signal must not interrupt the clean-up after the first
        raise Stop(signal.Signals(number).name)

    before = [signal.signal(one, stop) for one in known]
    try:
        yield
    except Stop as error:
        raise InterruptedRunError(
            f"stopped by {error}; what is complete is kept, run again with --resume to go on."
        ) from None
    finally:
        for one, handler in zip(known, before, strict=True):
            signal.signal(one, handler)
