"""Unfinished work: what of it is done, kept in a folder as it is done, until the result has been saved.

The folder holds ``settings.json``, all that decides the results, and a file for each range of pieces, with its
checksum. A file that is damaged counts as missing. Nothing in the folder is needed once the work is done.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, OutputError, UsageError
from .alone import SUFFIX as LOCK
from .alone import alone
from .atomic import check_inside, make_folder, remove, write_bytes
from .hdf5 import check_seal, read
from .hdf5_writing import pack
from .kept import digest
from .labelled import Labelled, Labels
from .provenance import differing, plain
from .reading import check_file, cleaned

SETTINGS = "settings.json"
SUFFIX = ".partial"
"""What is added to the name of the output; the folder stands next to it."""
LAYOUT = 1
"""Version of the layout; another one is refused, and the work is begun again."""
LARGEST = 2**24
"""Most bytes of settings that are read."""
AGAIN = "begin again by removing the folder (--overwrite without --resume does)."
"""What to do where it cannot be gone on with."""
PIECE = "piece"
"""The leading axis of all arrays."""
_NAMES = ("[0-9]*-[0-9]*.h5", ".[0-9]*-[0-9]*.h5.*.tmp", f".{SETTINGS}.*.tmp", SETTINGS)
"""Files of the folder: only these are ever removed, the settings last."""


class Unfinished:
    """The folder of one unfinished work.

    Parameters
    ----------
    folder : Path
        Made when the first results are saved.

    Raises
    ------
    OutputError
        A file has its name, or it holds anything else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record: dict[str, Any] = {}
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: is a file, expected a folder for unfinished work; move it away.")
        foreign = sorted({x.name for x in folder.glob("*")} - {x.name for x in self._files()})
        if foreign:
            raise OutputError(
                f"{folder}: is no folder of unfinished work, it holds {cleaned(', '.join(foreign[:3]))}; move it away."
            )

    @classmethod
    def of(cls, output: Path) -> Unfinished:
        """Return the unfinished work of an output."""
        return cls(output.with_name(output.name + SUFFIX))

    @contextlib.contextmanager
    def alone(self) -> Iterator[Unfinished]:
        """While the block runs, no other process may do this work.

        Raises
        ------
        OutputError
            One is at it.
        """
        with alone(self.folder, self.folder.with_name(f".{self.folder.name}{LOCK}")):
            yield self

    @property
    def begun(self) -> bool:
        """Whether some of the work is there."""
        return (self.folder / SETTINGS).exists()

    def begin(self, record: Mapping[str, Any]) -> None:
        """Take what decides the results, and compare it with that of the work that is there.

        Raises
        ------
        UsageError
            Work with other settings, or of other stars, is there; the message names them.
        InputError
            What is there is damaged, or of another layout.
        """
        self._record = {"halonmf": "unfinished", "layout": LAYOUT, **plain(record)}
        if not self.begun:
            check_inside(self.folder)
            return
        there = self._settings()
        differs = differing(there, self._record)
        changed = [f"{cleaned(name, 60)}: {_say(a)} there, {_say(b)} here" for name, a, b in differs]
        if changed:
            raise UsageError(
                f"{self.folder}: holds unfinished work with other settings: {'; '.join(changed[:5])}. "
                f"Go on with those, or {AGAIN}"
            )

    def load(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yield what is there: the first piece of each range, and the arrays of `save`; what is damaged is left out."""
        for path in sorted(self.folder.glob(_NAMES[0])) if self.begun else ():
            try:
                said, held = read(path)
                first, count = int(said["first"]), int(said["count"])
                if check_seal(said, held) and path.name == _name(first, count) and said["work"] == self._identity:
                    yield first, held.arrays
            except (InputError, KeyError, ValueError, TypeError):
                continue  # made again, and written over

    def save(self, first: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep the results of a range of pieces; the leading axis of every array is the piece.

        Raises
        ------
        OutputError
            They cannot be written.
        """
        make_folder(self.folder)
        if not self.begun:
            text = json.dumps(self._record, indent=1, sort_keys=True) + "\n"
            write_bytes(self.folder / SETTINGS, text.encode(), overwrite=True)
        count = len(next(iter(arrays.values())))
        own = {name: Labelled((PIECE, *(f"{name}_{i}" for i in range(1, x.ndim))), x) for name, x in arrays.items()}
        said: dict[str, str | int] = {"first": first, "count": count, "work": self._identity}
        image = pack(Labels(own, said), compressed=False, sealed=True)
        write_bytes(self.folder / _name(first, count), image, overwrite=True)

    @property
    def _identity(self) -> str:
        """Name the work, so that a file of another one that came into the folder counts as missing."""
        return digest(json.dumps(self._record, sort_keys=True).encode())

    def remove(self) -> None:
        """Remove the folder, if it is there: the result has been saved, or is not wanted.

        Raises
        ------
        OutputError
            It cannot be removed.
        """
        for path in self._files():
            remove(path)
        with contextlib.suppress(OSError):  # not there, or something else has come into it
            self.folder.rmdir()

    def _files(self) -> list[Path]:
        return [path for pattern in _NAMES for path in sorted(self.folder.glob(pattern))]

    def _settings(self) -> dict[str, Any]:
        path = self.folder / SETTINGS
        try:
            if check_file(path).stat().st_size > LARGEST:
                raise ValueError("too long")
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["halonmf"] != "unfinished" or record["layout"] != LAYOUT:
                raise ValueError("another layout")
        except (InputError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{path}: cannot be read ({cleaned(error, 80)}); {AGAIN}") from None
        return dict(record)


def _name(first: int, count: int) -> str:
    return f"{first:07d}-{count:07d}.h5"


def _say(value: Any) -> str:
    return cleaned("none" if value is None else value if isinstance(value, str) else json.dumps(value), 60)
