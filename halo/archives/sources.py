"""What can be fetched: the names, and the files behind each with their addresses, sizes and checksums."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import InputError, UsageError
from ..io.toml import read_toml

SOURCES = Path(__file__).with_name("sources.toml")
SAMPLE = "sample"
"""Name of the sample that ships."""
ALGORITHMS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
"""Checksums that are understood, with their hexadecimal digits."""
HINT = "halo/archives/sources.toml is an example"


@dataclass(frozen=True)
class Remote:
    """A file of an archive.

    Attributes
    ----------
    url : str
        Its address.
    size : int or None
        Bytes; None where only the server knows.
    checksum : str
        Algorithm and hexadecimal digits, such as ``sha1:c422...``; empty where it is not known beforehand.
    checksums : str
        Where the archive's list of checksums is: ``folder``, or an address; empty where there is none.
    """

    url: str
    size: int | None = None
    checksum: str = ""
    checksums: str = ""

    @property
    def name(self) -> str:
        """The file's name, the last part of its address."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    @property
    def host(self) -> str:
        """The server."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True)
class Source:
    """What one name stands for.

    Attributes
    ----------
    name : str
        Name to fetch it by.
    title : str
        What it is.
    files : tuple of Remote
        Its files.
    next : str
        The command to run afterwards, with the names of files in braces.
    members : str
        Its file that lists members of clusters, for the ``--members`` of others; empty where it has none.
    cite, terms, about : str
        What to cite, terms of use, and the archive's page.
    """

    name: str
    title: str
    files: tuple[Remote, ...]
    next: str = ""
    members: str = ""
    cite: str = ""
    terms: str = ""
    about: str = ""


def read_sources(path: str | Path | None = None) -> dict[str, Source]:
    """Return what can be fetched, by name.

    Parameters
    ----------
    path : path, optional
        A TOML file of further names, of the form of the one that ships; its names win.

    Raises
    ------
    InputError
        The file cannot be read or lacks something.
    """
    found = {name: _source(SOURCES, name, entry) for name, entry in read_toml(SOURCES, "the sources", HINT).items()}
    if path is not None:
        given = read_toml(path, "the sources", HINT)
        found |= {name: _source(Path(path), name, entry) for name, entry in given.items()}
    return found


def chosen(names: tuple[str, ...], sources: dict[str, Source]) -> tuple[Source, ...]:
    """Return the sources of these names, each once, in their order.

    Raises
    ------
    UsageError
        A name that is not known.
    """
    for name in names:
        if name not in sources:
            raise UsageError(f"{name!r}: not known; names are {', '.join([SAMPLE, *sources])}.")
    return tuple(sources[name] for name in dict.fromkeys(names))


def _source(path: Path, name: str, entry: Any) -> Source:
    """Return a source from its table."""
    if not name.isprintable():
        raise InputError(f"{path}: {name!r} is no name in one line, without control characters.")
    if not isinstance(entry, dict) or not isinstance(entry.get("files"), list) or not entry["files"]:
        raise InputError(f"{path}: [{name}] has no [[{name}.files]]; {HINT}.")
    texts = {key: _text(path, name, entry, key) for key in ("title", "next", "members", "cite", "terms", "about")}
    return Source(name, files=tuple(_remote(path, name, one) for one in entry["files"]), **texts)


def _remote(path: Path, name: str, entry: Any) -> Remote:
    """Return a file from its table."""
    if not isinstance(entry, dict):
        raise InputError(f"{path}: [[{name}.files]] is no table; {HINT}.")
    url, checksum, checksums = (_text(path, name, entry, key) for key in ("url", "checksum", "checksums"))
    size = entry.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size <= 0):
        raise InputError(f"{path}: [{name}] size = {size!r}, expected a number of bytes.")
    for address in (url, checksums):
        if address not in ("", "folder") and urlsplit(address).scheme not in ("http", "https"):
            raise InputError(f"{path}: [{name}] {address!r} is no address that begins with https://.")
    found = Remote(url, size, checksum.lower(), checksums)
    if not re.fullmatch(r"[\w][\w.+-]*", found.name):
        raise InputError(f"{path}: [{name}] url = {url!r} does not end in the name of a file.")
    if checksum and not well_formed(found.checksum):
        known = ", ".join(ALGORITHMS)
        raise InputError(f"{path}: [{name}] checksum = {checksum!r}, expected ALGORITHM:HEX with one of {known}.")
    return found


def well_formed(checksum: str) -> bool:
    """Whether a checksum has a known algorithm and its number of hexadecimal digits."""
    algorithm, _, digits = checksum.partition(":")
    return ALGORITHMS.get(algorithm) == len(digits) and re.fullmatch(r"[0-9a-f]+", digits) is not None


def _text(path: Path, name: str, entry: dict[str, Any], key: str) -> str:
    text = entry.get(key, "")
    if not isinstance(text, str) or not text.isprintable():  # all of it is printed
        raise InputError(f"{path}: [{name}] {key} = {text!r}, expected text in one line, without control characters.")
    return text
