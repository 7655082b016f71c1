"""Checksums as archives publish them: lists next to the files, and Zenodo's records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urljoin, urlsplit

import requests

from ..errors import UnreachableError
from .sources import ALGORITHMS, Remote, well_formed
from .transfer import PIECE, Connection

MOST, LONGEST = 8_000_000, 300_000_000
"""Bytes that are read of a folder's index, and of a list, which may name every file of a survey."""
LISTS = 5
"""Lists of one folder that are read."""
HREF = re.compile(r"""href\s*=\s*["']([^"'#?]+)["']""", re.IGNORECASE)
"""Links of a folder's index."""


def published(remote: Remote, connection: Connection) -> str:
    """Return the checksum of a file by its archive's own list; empty where there is no such list.

    Parameters
    ----------
    remote : Remote
        The file.
    connection : Connection
        How the server is asked.

    Raises
    ------
    UnreachableError
        The server gives no answer.
    """
    if not remote.checksums:
        return ""
    if remote.checksums != "folder":
        return _of_record("\n".join(_lines(remote.checksums, connection)), remote.name)
    folder = urljoin(remote.url, ".")
    links = HREF.findall("\n".join(_lines(folder, connection)))
    addresses = dict.fromkeys(urljoin(folder, link) for link in links if _algorithm(link))
    inside = [one for one in addresses if urlsplit(one).netloc == urlsplit(folder).netloc]
    for address in inside[:LISTS]:
        found = in_list(_lines(address, connection, LONGEST), remote.name, _algorithm(address))
        if found:
            return found
    return ""


def in_list(lines: Iterable[str], name: str, algorithm: str) -> str:
    """Return the checksum of a file in a list such as sha1sum writes; empty where it has none.

    Parameters
    ----------
    lines : iterable of str
        Of a checksum and a path each; those after the file's are not asked for.
    name : str
        The file's name: the last part of the path.
    algorithm : str
        Of the checksums.
    """
    for line in lines:
        digits, _, path = line.strip().partition(" ")
        found = f"{algorithm}:{digits.lower()}"
        if path.lstrip(" *").replace("\\", "/").rpartition("/")[2] == name and well_formed(found):
            return found
    return ""


def _of_record(text: str, name: str) -> str:
    """Return the checksum of a file in a record of Zenodo, which is JSON."""
    try:
        files = json.loads(text)["files"]
        for one in files:
            if one.get("key") == name and well_formed(str(one.get("checksum")).lower()):
                return str(one["checksum"]).lower()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return ""


def _algorithm(link: str) -> str:
    """Return the algorithm of a list by its name, such as ``aspcap.sha1sum``; empty where it is no list."""
    name = unquote(urlsplit(link).path).lower()
    return next((one for one in ALGORITHMS if name.endswith((f".{one}sum", f"/{one}sums", f"{one}sums.txt"))), "")


def _lines(url: str, connection: Connection, most: int = MOST) -> Iterator[str]:
    """Yield the lines of a text from a server, of at most so many bytes; none where it has no such text."""
    with connection.ask("GET", url) as answer:
        if not answer.ok:
            return
        rest, read = b"", 0
        try:
            for piece in answer.iter_content(PIECE):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
                read += len(piece)
                if read > most or len(rest) > MOST:
                    return
        except requests.RequestException as error:
            raise UnreachableError(f"{url}: no answer (the connection broke); run the same command again.") from error
        yield rest.decode(errors="replace")
