"""What a user is told whose command is interrupted, or has no more room: what is kept, and how to go on."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..ensembles.signals import NOTHING, Stop
from ..errors import CancelledError, InterruptedRunError, OutputError
from .progress import Terminal


@contextmanager
def resumable(progress: Terminal, stage: str = "", noun: str = "steps", *, drop: Sequence[str] = ()) -> Iterator[None]:
    """While the block runs, what ends it early says what of it is kept and which command goes on.

    That is Ctrl-C, a signal to stop, or a file that cannot be written, as on a full disk.

    Parameters
    ----------
    progress : Terminal
        Knows what is done.
    stage : str
        Of which stage what is done is kept; empty for the steps of the command.
    noun : str
        What that stage, or the command, has many of.
    drop : sequence of str
        Options that do not go with ``--resume``.

    Raises
    ------
    CancelledError, InterruptedRunError
        In place of Ctrl-C and of a signal.
    OutputError
        That of the block, which says this too where something is kept.
    """

    def said() -> str:
        done, total = progress.done(stage)
        if not done:
            return f"; {NOTHING}"
        return f" after {done:,} of {total:,} {noun}, which are kept; go on with: {again(sys.argv[1:], drop)}"

    try:
        yield
    except Stop as error:
        raise InterruptedRunError(f"stopped by {error}{said()}") from None
    except KeyboardInterrupt:
        raise CancelledError(f"interrupted{said()}") from None
    except OutputError as error:
        if not progress.done(stage)[0]:
            raise
        raise OutputError(f"{str(error).rstrip('.')}; ended{said()}") from error


@contextmanager
def leaving(what: str) -> Iterator[None]:
    """While the block runs, Ctrl-C and a signal to stop say what is left.

    Raises
    ------
    CancelledError, InterruptedRunError
        In place of Ctrl-C and of a signal.
    """
    try:
        yield
    except Stop as error:
        raise InterruptedRunError(f"stopped by {error}; {what}") from None
    except KeyboardInterrupt:
        raise CancelledError(f"interrupted; {what}") from None


def again(arguments: Sequence[str], drop: Sequence[str] = ()) -> str:
    """Return the command, as it is typed, that goes on with what these arguments began."""
    kept = [one for one in arguments if one not in drop]
    return shlex.join(["halonmf", *kept, *([] if "--resume" in kept else ["--resume"])])
