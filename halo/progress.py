"""How far a long computation is: whoever calls one may pass a function that is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, what is done of it, and what there is to do.

A callable that has methods ``announce`` and ``kept`` is told beforehand which stages will come, and which of them need
not be made; a plain function is not.
"""


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody: the default of everything that takes a `Progress`."""


def announce(progress: Progress, *steps: str) -> None:
    """Tell which stages will come, in order, so that each can be shown as step k of n.

    Stages that nobody announced are parts of the step in progress. A second announcement, as of a computation that is
    a step of another one, changes nothing.
    """
    told = getattr(progress, "announce", None)
    if told is not None:
        told(steps)


def kept(progress: Progress, step: str) -> None:
    """Tell that a step need not be made: an earlier run has left it."""
    told = getattr(progress, "kept", None)
    if told is None:
        progress(step, 1, 1)
    else:
        told(step)


def part_of(progress: Progress, name: str, index: int, parts: int) -> Progress:
    """Return what is told of one of several equal parts of a stage, and tells of the whole stage.

    Parameters
    ----------
    progress : callable
        Who is told of the stage.
    name : str
        The stage's.
    index, parts : int
        Which part, from 0, of how many.
    """
    if progress is silent:
        return silent
    return lambda _, done, total: progress(name, index * total + done, parts * total)


@contextmanager
def stage(progress: Progress, name: str) -> Iterator[None]:
    """Tell that a stage of one piece begins, and that it is over when the block is left without an error."""
    progress(name, 0, 1)
    yield
    progress(name, 1, 1)
