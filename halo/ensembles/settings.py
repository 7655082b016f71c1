"""How a run of an ensemble proceeds, which changes none of its numbers; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..errors import UsageError
from ..fields import Form, Option
from ..progress import Progress, silent


def parse_shard(text: str) -> tuple[int, int]:
    """Return (i, N) of a text such as ``3/8``: the third of eight parts of a run.

    Raises
    ------
    UsageError
        It is no such text, or i is not from 1 to N.
    """
    try:
        i, n = (int(field) for field in text.split("/"))
    except ValueError:
        raise UsageError(f"shard {text!r}: expected i/N, such as 3/8.") from None
    if not 1 <= i <= n:
        raise UsageError(f"shard {text!r}: the first number must be from 1 to {n}.")
    return i, n


@dataclass(frozen=True)
class RunOptions:
    """How a run proceeds: what becomes of an earlier one, and how much of this machine it takes.

    Attributes
    ----------
    resume : bool
        Continue the run that is there. Configurations that failed are tried again. A run of fewer replicates is
        extended: those that it has are kept.
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

    resume: Annotated[bool, "Continue the run that is there, or extend it to more replicates."] = False
    overwrite: bool = False
    shard: Annotated[
        tuple[int, int] | None,
        "i/N: compute the i-th of N parts, as in a job array.",
        Option(form=Form(parse_shard, lambda part: f"{part[0]}/{part[1]}")),
    ] = None
    threads: Annotated[int | None, "Number of threads (default: all cores).", Option(minimum=1)] = None
    progress: Progress = silent

    def __post_init__(self) -> None:
        if self.shard is not None:
            i, n = parse_shard(self.shard) if isinstance(self.shard, str) else self.shard
            parse_shard(f"{i}/{n}")  # the same limits for numbers
            object.__setattr__(self, "shard", (i, n))
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

    address: Annotated[
        str | None,
        "Address of a dask scheduler, whose workers compute.",
        Option("--scheduler", keyword="scheduler"),
    ] = None
    file: Annotated[
        Path | None, "The same, by the file it wrote.", Option("--scheduler-file", keyword="scheduler_file")
    ] = None
