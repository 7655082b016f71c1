"""How far a long computation is: whoever calls one may pass a function that is told."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, what is done of it, and what there is to do."""


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody: the default of everything that takes a `Progress`."""
