"""Catalogues from public archives: what there is to do, whether there is room for it, and doing it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from shlex import quote

from ..errors import InputError, OutputError, UnreachableError
from ..io.atomic import check_inside, make_folder
from ..progress import Progress, silent
from ..rounding import of_bytes
from .sources import Remote, Source, chosen, read_sources
from .transfer import PART, Connection, Transfer, here, named, parts

SPARE = 50_000_000
"""Bytes that are left free besides what is fetched."""
CHECKED = "checked"
"""Stage of the progress in which a file's checksum is computed."""


@dataclass(frozen=True)
class Wanted:
    """One file, as things stand before it is fetched.

    Attributes
    ----------
    remote : Remote
        The file.
    path : Path
        Where it goes.
    size : int or None
        Bytes it has; None where neither the facts nor the server say.
    checksum : str
        What it is held to; empty where none is known.
    there : bool
        It is there and whole.
    begun : int
        Bytes of it that an earlier call left.
    """

    remote: Remote
    path: Path
    size: int | None
    checksum: str = ""
    there: bool = False
    begun: int = 0

    @property
    def missing(self) -> int | None:
        """Bytes still to come; None where nobody knows."""
        if self.there:
            return 0
        return None if self.size is None else max(self.size - self.begun, 0)


@dataclass(frozen=True)
class FetchPlan:
    """What `fetch` would do.

    Attributes
    ----------
    sources : tuple of Source
        What was asked for.
    files : tuple of Wanted
        Their files, each once.
    folder : Path
        Where they go.
    """

    sources: tuple[Source, ...]
    files: tuple[Wanted, ...]
    folder: Path
    connection: Connection = field(default_factory=Connection, repr=False)

    @property
    def missing(self) -> int:
        """Bytes still to come, of the files whose size is known."""
        return sum(one.missing or 0 for one in self.files)

    @property
    def free(self) -> int:
        """Free bytes where the files go."""
        there = next(path for path in (self.folder.absolute(), *self.folder.absolute().parents) if path.exists())
        return shutil.disk_usage(there).free

    def check_room(self) -> None:
        """Raise where the files would not fit.

        Raises
        ------
        OutputError
            Too little space is free, or the folder is not writable.
        """
        check_inside(self.folder)
        if self.missing and self.missing + SPARE > self.free:
            raise OutputError(
                f"{self.folder}: {of_bytes(self.missing)} are to come and {of_bytes(self.free)} are free; "
                "free space or choose another folder (-o)."
            )

    def next(self) -> list[str]:
        """Return the commands to run afterwards."""
        members = "".join(f" --members {quote(str(self.folder / one.members))}" for one in self.sources if one.members)
        paths = {one.remote.name: quote(str(one.path)) for one in self.files}
        found = []
        for source in self.sources:
            if source.next and not (source.members and len(self.sources) > 1):
                text = source.next.replace("{members}", members)
                for name, path in paths.items():
                    text = text.replace("{" + name + "}", path)
                found.append(text)
        return found


def plan(
    names: Sequence[str],
    folder: str | Path = ".",
    *,
    sources: str | Path | None = None,
    connection: Connection | None = None,
    progress: Progress = silent,
) -> FetchPlan:
    """Return what is to be fetched: sizes and checksums are asked of the servers, nothing is written.

    Parameters
    ----------
    names : sequence of str
        Such as ``dr17``; `sources.toml` has them all.
    folder : path
        Where the files go.
    sources : path, optional
        TOML file of further names.
    connection : Connection, optional
        How servers are asked.
    progress : callable
        Told of files that are there and are being checked.

    Raises
    ------
    InputError
        A server has no such file, or `sources` cannot be read.
    OutputError
        Another file has the name of one.
    UnreachableError
        A server gives no answer.
    UsageError
        A name that is not known.
    """
    asked = connection or Connection()
    picked = chosen(tuple(names), read_sources(sources))
    remotes = dict.fromkeys(remote for source in picked for remote in source.files)
    where = Path(folder)
    return FetchPlan(picked, tuple(_wanted(one, where, asked, progress) for one in remotes), where, asked)


def fetch(
    names: str | Sequence[str],
    folder: str | Path = ".",
    *,
    sources: str | Path | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Fetch catalogues from public archives, and return the paths of their files.

    Files that are there and whole are kept. What came of a file before the connection broke is kept as ``NAME.part``
    and gone on with; a file has its name only once it is whole and its checksum holds.

    Parameters
    ----------
    names : str or sequence of str
        What to fetch, such as ``"dr17"`` or ``["dr17", "members"]``; ``"sample"`` writes the sample that ships.
    folder : path
        Where to write; made where there is none.
    sources : path, optional
        TOML file of further names, of the form of ``halo/archives/sources.toml``.
    progress : callable
        Called with the name of a file, its bytes that are there and those that there will be.

    Returns
    -------
    list of Path
        The files, in the order of the names.

    Raises
    ------
    InputError
        A server has no such file, or what came has another checksum.
    OutputError
        Another file has the name of one, there is too little space, or it cannot be written.
    UnreachableError
        A server gives no answer; what came is kept.
    UsageError
        A name that is not known.

    Examples
    --------
    >>> from halonmf import halo
    >>> allstar, astronn = halo.fetch("dr17", "data/")  # doctest: +SKIP
    >>> stars = halo.prepare(allstar, astronn)  # doctest: +SKIP
    """
    from .sample import split_sample, write_sample

    ours, others = split_sample([names] if isinstance(names, str) else names)
    written = write_sample(folder) if ours else []
    if not others:
        return written
    todo = plan(others, folder, sources=sources, progress=progress)
    todo.check_room()
    return [*written, *(carry_out(todo, progress))]


def carry_out(todo: FetchPlan, progress: Progress = silent) -> list[Path]:
    """Fetch what a plan says, and return the paths of its files; errors as `fetch`."""
    make_folder(todo.folder)
    for one in todo.files:
        if not one.there:
            _get(one, todo, progress)
    return [one.path for one in todo.files]


def _wanted(remote: Remote, folder: Path, connection: Connection, progress: Progress) -> Wanted:
    """Return how things stand with a file."""
    path = folder / remote.name
    if path.exists() or path.is_symlink():
        return _present(remote, path, connection, progress)
    from .checksums import published

    size = _size(remote, connection)
    checksum = remote.checksum or published(remote, connection)
    return Wanted(remote, path, size, checksum, begun=here(parts(folder, remote.name)[0]))


def _present(remote: Remote, path: Path, connection: Connection, progress: Progress) -> Wanted:
    """Return a file that is there: whole by its checksum, or by its size where there is none."""
    from .checksums import published

    if not path.is_file():
        raise OutputError(f"{path}: is no file, and {remote.name} is to be written there; choose another folder (-o).")
    checksum, size = remote.checksum, remote.size
    try:
        checksum = checksum or published(remote, connection)
        size = size if checksum else _size(remote, connection)
    except UnreachableError:
        if size is None:
            return Wanted(remote, path, here(path), "", there=True)  # nobody to ask: it is kept as it is
    whole = holds(path, checksum, progress) if checksum else size in (None, here(path))
    if not whole:
        raise OutputError(
            f"{path}: exists and is not the file of the archive ({checksum or f'{size:,} bytes'} expected); "
            "move it, or choose another folder (-o)."
        )
    return Wanted(remote, path, here(path), checksum, there=True)


def _size(remote: Remote, connection: Connection) -> int | None:
    """Return the bytes of a file as the server says, as the facts do where it says none."""
    answer = connection.ask("HEAD", remote.url)
    answer.close()
    if answer.status_code in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED):
        return remote.size
    if not answer.ok:
        raise InputError(f"{remote.url}: {named(answer)}; the archive may have moved it.")
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and int(length) else remote.size


def _get(one: Wanted, todo: FetchPlan, progress: Progress) -> None:
    """Fetch a file through pooch, which gives it its name once its checksum holds."""
    import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    name = one.remote.name
    transfer = Transfer(one.remote, todo.folder, one.size, todo.connection, progress)
    store = pooch.create(todo.folder, base_url="", registry={name: one.checksum or None}, urls={name: one.remote.url})
    try:
        store.fetch(name, downloader=transfer)
    except ValueError:  # pooch's word for another checksum; it has removed what came
        raise InputError(
            f"{one.path}: what came has not the checksum {one.checksum}, and was removed; run the same command again. "
            "Where that does not help, the archive has another file than it says."
        ) from None
    except OSError as error:
        raise OutputError(
            f"{one.path}: cannot be written ({error.strerror}); {name}{PART} is kept: run the same command again to "
            "go on."
        ) from None


def holds(path: Path, checksum: str, progress: Progress = silent) -> bool:
    """Whether a file has a checksum such as ``sha1:c422...``."""
    import hashlib

    algorithm, _, digits = checksum.partition(":")
    found, total, done = hashlib.new(algorithm, usedforsecurity=False), here(path), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            found.update(piece)
            done += len(piece)
            progress(f"{path.name}, {CHECKED}", done, total)
    return found.hexdigest() == digits
