"""Writing files so that under its final name a file is complete or absent."""

from __future__ import annotations

import os
import secrets
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import OutputError, UsageError
from .reading import first_line

FITS, CATALOGUES, VOTABLES = (".h5", ".hdf5"), (".fits", ".fit"), (".vot", ".votable", ".xml")
"""How the names of fits, prepared catalogues and VOTables end."""
TABLES = (".ecsv", *VOTABLES, *CATALOGUES)
"""How the names of tables end, which are written so; the first is the usual one."""


def check_output(
    path: str | Path,
    *,
    overwrite: bool = False,
    suffixes: Sequence[str] = (),
    inputs: Sequence[str | Path | None] = (),
) -> None:
    """Raise where `path` cannot be written; call it before a long computation, not after.

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
        The file exists, is a link, is write-protected or one of `inputs`, or its folder does not exist or is not
        writable.
    UsageError
        The name ends in none of `suffixes`.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: the name must end in {' or '.join(suffixes)}, by which the file is recognised.")
    folder = path.absolute().parent
    if path.is_dir():
        raise OutputError(f"{path}: is a directory, expected a file to write; name the file.")
    if any(source is not None and _same(path, Path(source)) for source in inputs):
        raise OutputError(f"{path}: is also an input, which is never overwritten; choose another name.")
    if path.is_symlink():
        # replacing it would lose the link, following it may write where nobody looked: the user says which is meant
        raise OutputError(f"{path}: is a link to {path.resolve()}; name that file itself, or remove the link.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is a device or a pipe, expected a file to write; name a file.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; choose another name or allow overwriting (--overwrite).")
    # renaming replaces even a write-protected file, and root may write anything: heed the mode
    if path.exists() and not path.stat().st_mode & 0o222:
        raise OutputError(f"{path}: is write-protected; choose another name.")
    if not folder.is_dir():
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} is not writable; choose another.")


def write_atomically(path: str | Path, write: Callable[[Path], None], *, overwrite: bool = False) -> Path:
    """Let `write` fill a temporary file in the folder of `path`, flush it to disk, and rename it to `path`.

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
    temporary = temporary_name(path)
    try:
        write(temporary)
        if not stat.S_ISREG(temporary.lstat().st_mode):
            raise OutputError(f"{path}: something else took the temporary file's place; choose another folder.")
        _sync(temporary)
        _rename(temporary, path)
        _sync(path.absolute().parent)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise OutputError(f"{path}: cannot be written ({reason}); free space or choose another.") from error
    finally:
        _remove(temporary)
    return path


def write_bytes(path: str | Path, data: bytes, *, overwrite: bool = False) -> Path:
    """Write `data` as `write_atomically` does, with the same errors."""
    return write_atomically(path, lambda temporary: _write(temporary, data), overwrite=overwrite)


def temporary_name(path: Path, ending: str = "tmp") -> Path:
    """Return a name in the folder of `path` that nobody has and nobody can foresee.

    Process numbers are no such names: containers that write into one folder have the same ones. The host's name tells
    whose a file is that was left behind.
    """
    room = 255 - len(f"..{socket.gethostname()[:40]}..{ending}") - 32
    name = path.name.encode(errors="ignore")[:room].decode(errors="ignore")  # file systems take 255 bytes
    return path.with_name(f".{name}.{socket.gethostname()[:40]}.{secrets.token_hex(16)}.{ending}")


def remove_temporary(folder: Path, name: str = "*") -> None:
    """Remove from a folder the temporary files of a killed process; `name` is that of the outputs, a pattern.

    Raises
    ------
    OutputError
        One cannot be removed.
    """
    for path in folder.glob(f".{name}.*.{'[0-9a-f]' * 32}.tmp"):
        remove(path)


def check_inside(folder: Path) -> None:
    """Raise where no file can be made in a folder, whether it exists or is still to be made.

    Raises
    ------
    OutputError
        The folder, or the nearest above it that exists, is not writable.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise OutputError(f"{folder}: {there} is a file, expected a folder; choose another.")
    # root may write anything: heed the mode
    if not os.access(there, os.W_OK | os.X_OK) or not there.stat().st_mode & 0o222:
        raise OutputError(f"{folder}: the folder {there} is not writable; choose another.")


def make_folder(folder: Path) -> None:
    """Make a folder for outputs where there is none.

    Raises
    ------
    OutputError
        It cannot be made, or a file has its name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made a folder ({error.strerror}); choose another.") from None


def set_aside(path: Path, folder: Path) -> Path:
    """Move a file into a folder under its own name, with a number where that is taken; return where it is.

    Raises
    ------
    OutputError
        It cannot be moved.
    """
    make_folder(folder)
    names = (f"{path.name}{suffix}" for suffix in ("", *(f".{i}" for i in range(1, 10_000))))
    target = next(folder / name for name in names if not (folder / name).exists())
    try:
        _rename(path, target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be moved aside ({error.strerror}); move it yourself.") from None
    return target


def move(path: Path, target: Path) -> None:
    """Move a file to another name of the same file system, in place of what has that name.

    Raises
    ------
    OutputError
        It cannot be moved.
    """
    try:
        _rename(path, target)
        _sync(target.absolute().parent)
        _sync(path.absolute().parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be moved to {target} ({error.strerror}); move it yourself.") from None


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises
    ------
    OutputError
        It cannot be removed.
    """
    try:
        _remove(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed ({error.strerror}).") from None


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:  # never through a link, never over what is there
        file.write(data)


def _rename(path: Path, target: Path) -> None:
    path.replace(target)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
