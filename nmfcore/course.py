"""How far the iterations of a single solve are, for whoever looks on from another thread.

The loops in Python write the number of each iteration into a `Course`, which costs some ten nanoseconds. Compiled loops
and GPUs solve many problems at a time and write nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Iterations that tell how long others take; before them most of the time is that of finding where to begin.
FEW = 10
_running: list[Course] = []


@dataclass(eq=False)
class Course:
    """How far a solve is.

    Attributes
    ----------
    starts, max_iter : int
        How many starts it has, of all problems that are solved one by one, and most iterations of each.
    since : float
        When it began, as `time.monotonic` has it.
    start, n_iter : int
        Which start is in progress, from 1 on, and how many of its iterations are done.
    before : int
        Iterations that the starts before it took.
    """

    starts: int
    max_iter: int
    since: float
    start: int = 0
    n_iter: int = 0
    before: int = 0

    def begin(self, start: int) -> None:
        """Note that a start begins, counted from 1."""
        self.before += self.n_iter
        self.start, self.n_iter = start, 0

    def seconds_left(self) -> float | None:
        """Return about how long the solve takes if all that is left needs `max_iter`; None before `FEW` iterations.

        It ends earlier where starts converge, as most do.
        """
        done = self.before + self.n_iter
        if done < FEW:
            return None
        left = self.max_iter * (self.starts - self.start + 1) - self.n_iter
        return (time.monotonic() - self.since) / done * left


@contextmanager
def course(starts: int, max_iter: int) -> Iterator[Course]:
    """Let others see how far a solve is while the block runs."""
    one = Course(starts, max_iter, time.monotonic())
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
