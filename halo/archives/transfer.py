"""One file from a server: asked again where it fails, gone on with where it was cut, under its name only when whole."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from ..errors import InputError, OutputError, UnreachableError
from ..io.atomic import remove
from ..io.reading import is_html
from ..progress import Progress, silent
from .sources import Remote

TRIES = 5
"""Attempts without a single byte before a server counts as not reachable."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""
WAIT = 1.0
"""Seconds before the second attempt; twice as long before each further one."""
LONGEST = 60.0
"""Most seconds of one wait, whatever a server asks for."""
PIECE = 1 << 16
"""Bytes read at once: of a piece that is cut, what came is lost."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Answers that may be another one a little later."""
NO_NAME, REFUSED = "its name is not found", "it refuses the connection"
HOPELESS = {NO_NAME, REFUSED}
"""What a second attempt seldom changes and a third one never: a machine without a network is to hear so at once."""
PART, VALIDATOR = ".part", ".part.etag"
"""Endings of a file that is not complete yet, and of what its server called its version."""


@dataclass
class Connection:
    """Requests with a patience.

    Attributes
    ----------
    tries, wait, timeout
        As `TRIES`, `WAIT` and `TIMEOUT`.
    session : requests.Session
        Keeps connections open.
    sleep : callable
        Waits.
    """

    tries: int = TRIES
    wait: float = WAIT
    timeout: tuple[float, float] = TIMEOUT
    session: requests.Session = field(default_factory=requests.Session)
    sleep: Callable[[float], None] = time.sleep

    def ask(self, method: str, url: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Return the answer to one request, its body not read yet.

        Raises
        ------
        UnreachableError
            There was none, however often it was asked for.
        """
        problem, wish = "", None
        for attempt in range(self.tries):
            if attempt:
                self.pause(attempt, wish)
            try:
                answer = self.once(method, url, headers)
            except requests.RequestException as error:
                problem, wish = reason(error), None
                if problem in HOPELESS and attempt:
                    break
                continue
            if answer.status_code not in PASSING:
                return answer
            problem, wish = named(answer), wished(answer)
            answer.close()
        raise UnreachableError(no_answer(url, problem))

    def once(self, method: str, url: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Return the answer of one attempt; compressed files are to arrive as they are."""
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        ask = self.session.request
        try:
            return ask(method, url, headers=asked, stream=True, timeout=self.timeout, allow_redirects=True)
        except requests.TooManyRedirects:
            raise InputError(f"{url}: its server redirects without end; the archive may have moved it.") from None

    def pause(self, attempt: int, wish: float | None = None) -> None:
        """Wait before an attempt, as long as the server asks for where it does."""
        self.sleep(min(self.wait * 2 ** (attempt - 1) if wish is None else wish, LONGEST))


@dataclass
class Transfer:
    """The downloader that pooch calls; what has come stays in ``NAME.part`` until the file is complete.

    Parameters
    ----------
    remote : Remote
        The file.
    folder : Path
        Where it goes.
    size : int or None
        Bytes that it has; None where nobody knows.
    connection : Connection
        How the server is asked.
    progress : callable
        Called with the file's name, the bytes that are there and those that there will be.
    """

    remote: Remote
    folder: Path
    size: int | None
    connection: Connection = field(default_factory=Connection)
    progress: Progress = silent

    def __call__(self, url: str, output_file: str, pooch: Any = None) -> None:
        """Fetch the file into `output_file`.

        Raises
        ------
        InputError
            The server has no such file, sends more than it said or a web page, or redirects without end.
        OutputError
            The disk is full.
        UnreachableError
            The server gives no answer.
        """
        part, validator = parts(self.folder, self.remote.name)
        failed, problem, wish = 0, "", None
        while not self._complete(part):
            if failed >= self.connection.tries:
                raise UnreachableError(no_answer(url, problem, kept=here(part)))
            if failed:
                self.connection.pause(failed, wish)
            before, wish = here(part), None
            try:
                self._receive(url, part, validator)
                problem = "the answer ended early"
            except requests.RequestException as error:
                problem = reason(error)
            except _PassingError as error:
                problem, wish = str(error), error.wish
            failed = 0 if here(part) > before else failed + 1
        self._check_content(url, part, validator)
        part.replace(output_file)
        remove(validator)

    def _check_content(self, url: str, part: Path, validator: Path) -> None:
        """Raise where what came is a web page, such as that of a login, by which nothing else would notice it."""
        with part.open("rb") as file:
            page = is_html(file.read(512))
        if page and not self.remote.name.endswith((".html", ".xml")):
            remove(part)
            remove(validator)
            raise InputError(f"{url}: its server sent a web page in place of the file; open the address in a browser.")

    def _complete(self, part: Path) -> bool:
        return part.exists() and self.size is not None and here(part) == self.size

    def _receive(self, url: str, part: Path, validator: Path) -> None:
        """Append to the part what one answer brings."""
        start = here(part)
        if self.size is not None and start > self.size:
            start = _empty(part)
        headers = {"Range": f"bytes={start}-"} if start else {}
        version = validator.read_text() if start and validator.exists() else ""
        if version:
            headers["If-Range"] = version
        with contextlib.closing(self.connection.once("GET", url, headers)) as answer:
            status = answer.status_code
            if status in PASSING:
                raise _PassingError(named(answer), wished(answer))
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                _empty(part)
                raise _PassingError("it has another length than the part that is here")
            if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                raise InputError(f"{url}: {named(answer)}; the archive may have moved it.")
            if status == HTTPStatus.OK:
                start = _empty(part)  # no ranges here, or another version than the part is of
                self._heed_length(answer)
            else:
                begins, total = _piece(answer)
                self.size = total if self.size is None else self.size
                if begins != start or total not in (None, self.size):
                    _empty(part)
                    raise _PassingError("it sent another piece than was asked for")
            _remember(answer, validator)
            self._append(answer, part, start)

    def _heed_length(self, answer: requests.Response) -> None:
        """Take the length of the whole file from the server's answer, or hold the answer to the one that is known."""
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal():
            return
        if self.size not in (None, int(length)):
            raise InputError(
                f"{self.remote.url}: has {int(length):,} bytes and should have {self.size:,}; the archive has another "
                "file than it says."
            )
        self.size = int(length)

    def _append(self, answer: requests.Response, part: Path, start: int) -> None:
        try:
            with part.open("ab") as file:
                for piece in answer.iter_content(PIECE):
                    file.write(piece)
                    start += len(piece)
                    if self.size is not None and start > self.size:
                        break
                    self.progress(self.remote.name, start, self.size or start)
        except OSError as error:
            if isinstance(error, requests.RequestException):
                raise
            raise OutputError(
                f"{part}: cannot be written ({error.strerror}); {start:,} bytes are kept: free space, and run the "
                "same command again to go on."
            ) from None
        if self.size is None:
            self.size = start  # the server names no length: the end of its answer is the end of the file
        if start > self.size:
            remove(part)
            raise InputError(f"{self.remote.url}: sends more than the {self.size:,} bytes it should have.")


class _PassingError(Exception):
    """An answer that may be another one a little later, and the seconds after which it is to be asked for again."""

    def __init__(self, problem: str, wish: float | None = None) -> None:
        super().__init__(problem)
        self.wish = wish


def parts(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the paths of what has come of a file, and of the version that it is of."""
    return folder / f"{name}{PART}", folder / f"{name}{VALIDATOR}"


def here(path: Path) -> int:
    """Return the bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def named(answer: requests.Response) -> str:
    """Return an answer that is no file in words."""
    wish = wished(answer)
    after = "" if wish is None else f", to be asked again after {wish:.0f} s"
    return f"the server answers {answer.status_code} {answer.reason}{after}"


def wished(answer: requests.Response) -> float | None:
    """Return the seconds after which a server wants to be asked again; None where it does not say."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def reason(error: requests.RequestException) -> str:
    """Return why there was no answer, in a few words."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate does not hold"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy gives no connection"
    # what urllib3 gives as the reason: the whole message has the address in it, with whatever words that has
    text = str(getattr(error.args[0] if error.args else None, "reason", error))
    if "Name or service not known" in text or "resolve" in text:
        return NO_NAME
    if "refused" in text:
        return REFUSED
    return "the connection broke"


def no_answer(url: str, problem: str, kept: int = 0) -> str:
    """Return the sentence on a server that is not reached."""
    what = f"{kept:,} bytes are kept; " if kept else ""
    return f"{url}: no answer ({problem}); {what}check the network, and run the same command again to go on."


def _piece(answer: requests.Response) -> tuple[int | None, int | None]:
    """Return the first byte of the piece that an answer is, and the length of the whole; None where it is not said."""
    found = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if not found:
        return None, None
    return int(found[1]), int(found[2]) if found[2] != "*" else None


def _empty(part: Path) -> int:
    remove(part)
    return 0


def _remember(answer: requests.Response, validator: Path) -> None:
    """Keep what the server calls this version: a part is gone on with only while it is the same."""
    version = answer.headers.get("ETag", "")
    if version and not version.startswith("W/"):  # weak ones may not be used for ranges
        validator.write_text(version)
    elif answer.status_code == HTTPStatus.OK:
        remove(validator)
