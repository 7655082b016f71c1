"""Gzip files read as they are: unpacked from front to back in pieces, never to disk and never as a whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .reading import check_file

MAGIC = b"\x1f\x8b"
UNPACKED = 1032
"""Most bytes that one byte of gzip can become."""
TEXT, PLENTY = 50, 1 << 26
"""Most bytes that a byte of a packed table of text becomes, and bytes that one may have whatever its size."""
PIECE = 1 << 20
"""Bytes of the packed file that are read at a time."""
_WITH_HEADER = 31  # of zlib: gzip's header and checksum


class Unpacked:
    """The content of an open gzip file, from front to back.

    Parameters
    ----------
    file : binary file
        At its beginning.
    path : Path
        For messages.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._stream = zlib.decompressobj(_WITH_HEADER)
        self._packed = b""
        self._ended = False

    def pieces(self, size: int | None = None) -> Iterator[bytes]:
        """Yield the next `size` bytes, or all that are left, in pieces.

        Raises
        ------
        InputError
            A checksum that does not match, no gzip, or a file that ends too early; fewer bytes than `size` are no
            error where the file itself is whole.
        """
        left = size
        while left is None or left > 0:
            piece = self._next(PIECE if left is None else min(left, PIECE))
            if not piece:
                return
            left = None if left is None else left - len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end; errors as `pieces`."""
        return b"".join(self.pieces(size))

    def skip(self, size: int | None = None) -> int:
        """Return how many of the next `size` bytes, or of all that are left, were there; errors as `pieces`."""
        return sum(len(piece) for piece in self.pieces(size))

    def _next(self, most: int) -> bytes:
        while not self._ended:
            if not self._packed:
                self._packed = self._file.read(PIECE)
            if self._stream.eof:  # a further member, or zeros that some archives pad files with
                self._packed = self._packed.lstrip(b"\x00") or self._file.read(PIECE)
                if not self._packed:
                    self._ended = True
                elif self._packed.strip(b"\x00"):
                    self._packed = self._packed.lstrip(b"\x00")
                    self._stream = zlib.decompressobj(_WITH_HEADER)
                continue
            at_end = not self._packed
            try:
                found = self._stream.decompress(self._packed, most)
            except zlib.error as error:
                raise InputError(f"{self._path}: damaged gzip file ({error}); download it again.") from error
            self._packed = self._stream.unconsumed_tail or self._stream.unused_data
            if found:
                return found
            if at_end and not self._stream.eof:
                raise InputError(f"{self._path}: truncated: its gzip data end too early; download it again.")
        return b""


@contextmanager
def unpacked(path: str | Path) -> Iterator[Unpacked]:
    """Open a gzip file to be read from front to back.

    Raises
    ------
    InputError
        It cannot be read.
    """
    path = check_file(path)
    try:
        with path.open("rb") as file:
            yield Unpacked(file, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from error


def check_unpacked(path: str | Path) -> None:
    """Raise where a gzip file is damaged, or unpacks to far more than a table would.

    Raises
    ------
    InputError
        That.
    """
    with unpacked(path) as stream:
        most = max(PLENTY, TEXT * Path(path).stat().st_size)
        if stream.skip(most + 1) > most:
            raise InputError(f"{path}: unpacks to more than {most:,} bytes, which no table of its size does.")


def is_packed(path: str | Path) -> bool:
    """Return True where a file begins as gzip files do.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        with check_file(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from error


def beginning(path: str | Path, size: int = 512) -> bytes:
    """Return the first bytes of a file, unpacked where it is packed.

    Raises
    ------
    InputError
        It cannot be read, or its first bytes cannot be unpacked.
    """
    if is_packed(path):
        with unpacked(path) as stream:
            return stream.read(size)
    try:
        with Path(path).open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from error
