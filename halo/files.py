"""Writing files so that under its final name a file is complete or absent."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import OutputError, UsageError


def check_output(
    path: str | Path,
    *,
    overwrite: bool = False,
    suffixes: Sequence[str] = (),
    inputs: Sequence[str | Path | None] = (),
) -> None:
    """Raise where writing `path` must fail; to be asked before hours of computing, not after.

    Parameters
    ----------
    path : path
        The file to be written.
    overwrite : bool
        Allow that it exists.
    suffixes : sequence of str
        What its name may end in; anything where there are none.
    inputs : sequence of path or None
        Files that are read, which no output may replace.

    Raises
    ------
    OutputError
        The file exists, is write-protected or one of `inputs`, or its folder does not exist or is not writable.
    UsageError
        The name ends in none of `suffixes`.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: the name must end in {' or '.join(suffixes)}, by which the file is known later.")
    folder = path.absolute().parent
    if path.is_dir():
        raise OutputError(f"{path}: is a directory, expected a file to write; name the file.")
    if any(source is not None and _same(path, Path(source)) for source in inputs):
        raise OutputError(f"{path}: is also an input, which is never overwritten; choose another name.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; choose another name or allow overwriting (--overwrite).")
    # Renaming over a file asks no leave of it, and root may write anything: the mode says what its owner wants.
    if path.exists() and not path.stat().st_mode & 0o222:
        raise OutputError(f"{path}: is write-protected; choose another name.")
    if not folder.is_dir():
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} is not writable; choose another.")


def write_atomically(path: str | Path, write: Callable[[Path], None], *, overwrite: bool = False) -> Path:
    """Let `write` fill a temporary file beside `path`, flush it to disk, and give it its final name.

    Parameters
    ----------
    path : path
        The final name.
    write : callable
        Called with the temporary name.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.absolute().parent)
    except OSError as error:
        reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
        raise OutputError(f"{path}: cannot be written ({reason}); free space or choose another.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
