"""How far the iterations of a single solve are, for whoever looks on from another thread.

The loops in Python write the number of each iteration into a `Course`, which costs some ten nanoseconds. Compiled loops
and GPUs solve many problems at a time and write nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_running: list[Course] = []


@dataclass(eq=False)
class Course:
    """How far a solve is.

    Attributes
    ----------
    start, starts : int
        Which of how many starts is in progress, from 1 on; of a batch solved one by one, which of all their starts.
    n_iter, max_iter : int
        Iterations of this start that are done, and most of each start.
    since : float
        When its iterations began, as `time.monotonic` has it.
    """

    start: int
    starts: int
    max_iter: int
    n_iter: int = 0
    since: float = 0.0

    def begin(self) -> None:
        """Note that the iterations begin."""
        self.since = time.monotonic()

    def seconds_left(self) -> float | None:
        """Return how long the solve may still take if every start needs all iterations; None where nothing is known.

        It ends earlier where starts converge, as most do.
        """
        done = self.n_iter
        if not done:
            return None
        left = self.max_iter * (self.starts - self.start + 1) - done
        return (time.monotonic() - self.since) / done * left


@contextmanager
def course(start: int, starts: int, max_iter: int) -> Iterator[Course]:
    """Let others see how far a start is while the block runs."""
    one = Course(start, starts, max_iter)
    _running.append(one)
    try:
        yield one
    finally:
        _running.remove(one)


def in_progress() -> Course | None:
    """Return how far the solve is that this process is at; None where it is at none that tells, or at several.

    To be called from another thread than the solve's.

    Examples
    --------
    >>> import nmfcore
    >>> nmfcore.in_progress() is None
    True
    """
    running = _running[:]
    return running[0] if len(running) == 1 else None
