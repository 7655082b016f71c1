"""One process at a time for an output: a lock of the operating system, which ends with the process that holds it.

A small hidden file is locked, and says who has locked it. It is removed with the lock; one that a killed process left
is locked by nobody, and the next process takes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..errors import OutputError
from .reading import cleaned

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".lock"
"""How the names of files end that are locked."""
LARGEST = 1000
"""Most bytes of such a file that are read."""


class UnlockedWarning(UserWarning):
    """Nothing can be locked there, so that nothing keeps a second process from the same output."""


@contextlib.contextmanager
def alone(path: Path, lock: Path) -> Iterator[None]:
    """While the block runs, no other process may work on `path`.

    Where no file can be made in the folder nothing is locked: whoever writes there finds out why. Where files cannot be
    locked, as on some network file systems, a warning says so.

    Parameters
    ----------
    path : Path
        What the error names.
    lock : Path
        The file that is locked.

    Raises
    ------
    OutputError
        Another process, or another thread of this one, is at work there; or something else has the lock's name.
    """
    held = _take(path, lock)
    try:
        yield
    finally:
        if held is not None:
            # removed while it is locked: whoever has it open by now sees that it is gone, and makes another
            with contextlib.suppress(OSError):
                if _is(lock, held):
                    lock.unlink()
            os.close(held)


def _take(path: Path, lock: Path) -> int | None:
    """Return the file that is locked; None where nothing is."""
    if fcntl is None:
        _warn(path, "this system has no locks for files")
        return None
    while True:
        try:
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            if not os.path.lexists(lock):
                return None
            raise OutputError(f"{lock}: cannot be opened ({error.strerror}); remove it.") from None
        keep = False
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OutputError(f"{lock}: is no regular file, as a lock is; remove it.")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            keep = _is(lock, file)
            if keep:
                _sign(file)
                return file
        except BlockingIOError:
            raise OutputError(
                f"{path}: another run is at work there: {_signed(file)}. Wait for it or stop it."
            ) from None
        except OSError as error:
            with contextlib.suppress(OSError):
                lock.unlink()
            _warn(path, str(error.strerror))
            return None
        finally:
            if not keep:
                os.close(file)


def _warn(path: Path, reason: str) -> None:
    text = f"{path}: cannot be locked ({reason}); let no other run write there meanwhile."
    warnings.warn(text, UnlockedWarning, stacklevel=5)


def _is(lock: Path, file: int) -> bool:
    """Return whether the open file is the one that has the name now."""
    try:
        return os.path.samestat(lock.lstat(), os.fstat(file))
    except OSError:
        return False


def _sign(file: int) -> None:
    """Write into the file who has locked it."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}) + "\n"
    with contextlib.suppress(OSError):  # on a full disk the lock holds all the same
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode(), 0)


def _signed(file: int) -> str:
    """Return who has locked a file."""
    try:
        said = json.loads(os.pread(file, LARGEST, 0))
        pid, host, since = (cleaned(said[name], 80) for name in ("pid", "host", "since"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "a process that has not said which it is"
    return f"process {pid} on {host}, since {since}"
