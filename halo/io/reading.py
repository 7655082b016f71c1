"""What every file must be before anything reads it, and every foreign text before anything prints it."""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import InputError

LONGEST = 300
"""Characters of a foreign text that are printed."""


def check_file(path: str | Path, remedy: str = "check the path.") -> Path:
    """Return the path of a regular file that is there.

    Parameters
    ----------
    path : path
        The file; a link to one will do.
    remedy : str
        What to do where there is none.

    Raises
    ------
    InputError
        Nothing there, a folder, or a pipe or device, which may never end.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{cleaned(path)}: no such file; {remedy}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{cleaned(path)}: cannot be read ({reason}); {remedy}") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{cleaned(path)}: is a directory, expected a file; name the file in it.")
    if not stat.S_ISREG(mode):
        raise InputError(f"{cleaned(path)}: is a pipe or a device, expected a file; save it first.")
    return path


def cleaned(text: object, longest: int = LONGEST) -> str:
    """Return a foreign text as one line without control characters, cut to a length.

    File names, headers and cells come from strangers: written to a terminal as they are, they could move its cursor,
    change its colours or fill it.
    """
    line = "".join(x if x.isprintable() else "?" if "\ud800" <= x <= "\udfff" else " " for x in str(text))
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or what kind it is where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


KINDS = {
    b"SIMPLE  =": "a FITS file, as catalogues of stars are",
    b"\x89HDF": "an HDF5 file, as fits are",
    b"# %ECSV": "an ECSV table, as most results are",
    b"<!doctype html": "a web page",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip file",
}
"""What files are, by how they begin."""


def kind_of(path: Path) -> str | None:
    """Return what a file is by its beginning, with an article; None where that is not known."""
    with path.open("rb") as file:
        head = file.read(32)
    return next((kind for magic, kind in KINDS.items() if head.lower().startswith(magic.lower())), None)


def is_html(head: bytes) -> bool:
    """Return True where the beginning of a file looks like a web page."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")) and b"votable" not in text
