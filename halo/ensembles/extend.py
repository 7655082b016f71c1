"""Extending a run: the replicates that it has are kept, and go into the batches of the longer one.

A replicate is named by its number, and is the same in every batch that holds it. The batches of the shorter run are
moved to ``earlier/N/``, N being its number of replicates, before the settings of the longer one are written; a run that
is interrupted in between goes on either way. What the new batches hold is taken from there, the rest is computed, and
once the longer run is complete the old files are removed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..io.atomic import make_folder, move, remove
from .batchfile import Computed, Header, decode
from .plan import Batch, Part
from .run import BATCHES, EARLIER, identity, open_batch


def refusal(there: Mapping[str, Any], here: Mapping[str, Any], *, alone: bool) -> str | None:
    """Return why a run cannot become the one that is asked for; empty where it can, None where more differs.

    Parameters
    ----------
    there, here : mapping
        Settings of the run in the folder, and of the one that is asked for.
    alone : bool
        No other process writes to the folder.
    """
    had, asked = there["plan"]["bootstrap"], here["plan"]["bootstrap"]
    if identity(with_replicates(there, asked)) != identity(here):
        return None
    if asked < had:
        return (
            f"holds {had:,} replicates of every configuration, of which none is thrown away, and {asked:,} are asked "
            f"for. Use --bootstrap {had}, another folder, or --overwrite"
        )
    if not alone:
        return (
            f"holds a run of {had:,} replicates, and a shard cannot extend it to {asked:,} while others write. Extend "
            "it once with --resume and without --shard, which may be interrupted at its first fits, then start shards"
        )
    return ""


def with_replicates(record: Mapping[str, Any], replicates: int) -> dict[str, Any]:
    """Return the settings of a run with another number of replicates."""
    return {**record, "plan": {**record["plan"], "bootstrap": replicates}}


def put_by(folder: Path, there: Mapping[str, Any]) -> int:
    """Move the batches of a run to where a longer one takes them from; return how many replicates it was planned for.

    Raises
    ------
    OutputError
        A file cannot be moved.
    """
    replicates = int(there["plan"]["bootstrap"])
    target = folder / EARLIER / str(replicates)
    make_folder(target)
    for path in sorted((folder / BATCHES).glob("*.h5")):
        move(path, target / path.name)
    return replicates


@dataclass(frozen=True)
class Earlier:
    """Batches of shorter runs.

    Attributes
    ----------
    files : tuple of (Path, Header)
        Those that are whole and have the settings of this run but for the number of replicates.
    """

    files: tuple[tuple[Path, Header], ...] = ()
    _held: dict[Path, tuple[Computed, ...]] = field(default_factory=dict, repr=False)

    def remaining(self, batch: Batch) -> Batch:
        """Return the parts of a batch that none of the files has."""
        return replace(batch, parts=tuple(gap for part in batch.parts for gap in self._gaps(part)))

    def joined(self, batch: Batch, computed: Sequence[Computed]) -> list[Computed]:
        """Return a whole batch, of what was computed and what the files have."""
        if tuple(one.part for one in computed) == batch.parts:
            return list(computed)
        return [self._join(part, [one for one in computed if _within(one.part, part)]) for part in batch.parts]

    def _join(self, part: Part, computed: list[Computed]) -> Computed:
        failed = next((one.failure for one in computed if one.failure), "")
        if failed:
            return Computed(part, failure=failed)
        pieces = list(computed)
        for place, kept in self._of(part):
            last = min(kept.first + kept.count, part.first + part.count)
            first = max(kept.first, part.first)
            for gap in _without((first, last), [(p.part.first, p.part.first + p.part.count) for p in pieces]):
                pieces.append(_cut(self._read(place, kept), *gap))
            if part.first == 0 and kept.first == 0 and not any(piece.base for piece in pieces):
                pieces.append(_cut(self._read(place, kept), 0, 0))
        pieces.sort(key=lambda piece: (piece.part.first, piece.part.count))
        whole = [piece for piece in pieces if piece.part.count]
        names = whole[0].replicates if whole else ()
        base = next((piece for piece in pieces if piece.base and part.first == 0), Computed(part))
        replicates = {name: np.concatenate([piece.replicates[name] for piece in whole]) for name in names}
        return Computed(part, replicates, base.base, base.coordinates)

    def _gaps(self, part: Part) -> Iterator[Part]:
        there = [kept for _, kept in self._of(part)]
        if part.count == 0:
            if not any(kept.first == 0 for kept in there):
                yield part
            return
        for first, last in _without(
            (part.first, part.first + part.count), [(kept.first, kept.first + kept.count) for kept in there]
        ):
            yield Part(part.setup, first, last - first)

    def _of(self, part: Part) -> Iterator[tuple[int, Part]]:
        for place, (_, header) in enumerate(self.files):
            if part.setup not in header.failures:
                yield from ((place, kept) for kept in header.parts if kept.setup == part.setup)

    def _read(self, place: int, part: Part) -> Computed:
        path, header = self.files[place]
        if path not in self._held:
            try:
                found, computed = decode(path.read_bytes())
            except (InputError, OSError) as error:
                raise InputError(f"{path}: {error}; remove it and run again with --resume.") from None
            if found != header:
                raise InputError(f"{path}: has changed since the run was opened.")
            self._held.clear()
            self._held[path] = computed
        return next(one for one in self._held[path] if one.part == part)


def find(folder: Path, record: Mapping[str, Any]) -> Earlier:
    """Return what shorter runs left in a folder; damaged files and those of other settings count for nothing.

    Parameters
    ----------
    folder : Path
        Of the run.
    record : mapping
        Its settings.
    """
    found: list[tuple[Path, Header]] = []
    for place in sorted((folder / EARLIER).glob("*"), key=lambda path: (len(path.name), path.name)):
        if not (place.is_dir() and place.name.isascii() and place.name.isdigit()):
            continue
        run = identity(with_replicates(record, int(place.name)))
        for path in sorted(place.glob("*.h5")):
            with contextlib.suppress(InputError, OSError):
                header = open_batch(path)
                if header.run == run:
                    found.append((path, header))
    return Earlier(tuple(found))


def discard(folder: Path) -> None:
    """Remove the batches of shorter runs, once the longer one has all of them.

    Raises
    ------
    OutputError
        A file cannot be removed.
    """
    for path in (folder / EARLIER).glob("*/*.h5"):
        remove(path)
    for place in (*(folder / EARLIER).glob("*"), folder / EARLIER):
        with contextlib.suppress(OSError):  # it is not there, or holds something else, which stays
            place.rmdir()


def begin_again(folder: Path, there: Mapping[str, Any], here: Mapping[str, Any], *, alone: bool) -> str | None:
    """Put a shorter run's batches by, so that a longer one can begin; None where other settings differ too.

    Returns
    -------
    str or None
        A line on what is done.

    Raises
    ------
    UsageError
        It can be neither extended nor gone on with, for a reason of its own.
    OutputError
        A file cannot be moved.
    """
    why = refusal(there, here, alone=alone)
    if why is None:
        return None
    if why:
        raise UsageError(f"{folder}: {why}.")
    replicates = put_by(folder, there)
    return f"extended from {replicates:,} to {here['plan']['bootstrap']:,} replicates; those that are there are kept"


def _without(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    spans = [span] if span[0] < span[1] else []
    for low, high in others:
        spans = [piece for a, b in spans for piece in ((a, min(b, low)), (max(a, high), b)) if piece[0] < piece[1]]
    return spans


def _within(inner: Part, outer: Part) -> bool:
    return inner.setup == outer.setup and outer.first <= inner.first <= inner.first + inner.count <= (
        outer.first + outer.count
    )


def _cut(one: Computed, first: int, last: int) -> Computed:
    rows = slice(first - one.part.first, last - one.part.first)
    return replace(
        one,
        part=Part(one.part.setup, first, last - first),
        replicates={name: array[rows] for name, array in one.replicates.items()},
    )
