"""Pages of which a script writes a part: what stands between two markers, and whether it is today's."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Mapping

Markers = tuple[str, str]
"""The lines before and after what is written."""


def between(text: str, markers: Markers) -> str:
    """Return what stands between the markers of a page, without its last line break.

    Raises
    ------
    ValueError
        The page does not have each marker once, in order.
    """
    return _parts(text, markers)[1].removesuffix("\n")


def put(text: str, markers: Markers, new: str) -> str:
    """Return a page with something else between its markers; errors as `between`."""
    before, _, after = _parts(text, markers)
    return f"{before}{markers[0]}\n{new}\n{markers[1]}{after}"


def _parts(text: str, markers: Markers) -> tuple[str, str, str]:
    begin, end = markers
    before, _, rest = text.partition(f"{begin}\n")
    inside, _, after = rest.partition(end)
    if text.count(begin) != 1 or text.count(end) != 1 or not text.startswith(f"{before}{begin}\n{inside}{end}"):
        raise ValueError(f"expected {begin} once, and after it {end}: write both into the page, a line each")
    return before, inside, after


def keep(about: str, command: str, made: Callable[[], Mapping[pathlib.Path, str]]) -> None:
    """Write files as a script's command line asks for it, or with ``--check`` exit with 1 where one is not today's.

    Parameters
    ----------
    about : str
        What the script does: its docstring, of which the first line is shown.
    command : str
        By which the files are written, for those who read that they are out of date.
    made : callable
        Returns the files as they should be.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="Write nothing; exit 1 where a file is out of date.")
    check = parser.parse_args().check
    old = {path: text for path, text in made().items() if not path.exists() or path.read_text() != text}
    if check and old:
        sys.exit(f"out of date: {', '.join(path.name for path in old)}; run {command}")
    for path, text in old.items():
        path.write_text(text)
