"""How a run of an ensemble proceeds, which changes none of its numbers; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..progress import Progress, silent


@dataclass(frozen=True)
class RunOptions:
    """How a run proceeds: what becomes of an earlier one, and how much of this machine it takes.

    Attributes
    ----------
    resume : bool
        Continue the run that is there. Configurations that failed are tried again.
    overwrite : bool
        Remove the run that is there.
    shard : (int, int), optional
        Compute the i-th of n parts only; others may compute theirs in the same folder at the same time. Implies
        `resume`.
    threads : int, optional
        Number of threads of this process (default: all cores).
    progress : callable
        Called with the stage, ``fits``, and the numbers of fits that are done and that are to be done.

    Raises
    ------
    UsageError
        `overwrite` together with `resume` or `shard`.
    """

    resume: bool = False
    overwrite: bool = False
    shard: tuple[int, int] | None = None
    threads: int | None = None
    progress: Progress = silent

    def __post_init__(self) -> None:
        if self.overwrite and (self.resume or self.shard):
            other = "--resume" if self.resume else "--shard"
            raise UsageError(f"--overwrite does not go with {other}: it removes the run.")

    @property
    def continues(self) -> bool:
        """Whether the run may be there already."""
        return self.resume or self.shard is not None


@dataclass(frozen=True)
class Cluster:
    """A dask scheduler, by its address or by the file it wrote."""

    address: str | None = None
    file: Path | None = None
