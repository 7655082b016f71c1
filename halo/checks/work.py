"""A check in pieces: each computed by itself, so that one which was interrupted goes on, and its time can be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import HalonmfError, InputError
from ..fits.engine import resolve_device, threads
from ..fits.settings import FitSettings
from ..io.atomic import make_folder
from ..io.kept import digest
from ..io.provenance import own_version, plain
from ..io.reading import cleaned
from ..io.unfinished import AGAIN, Unfinished
from ..progress import Progress, silent
from ..stars.variables import values
from ..stars.weights import weights_of

T = TypeVar("T")
FOREIGN = "holds pieces that this work does not make"
SECONDS = 10.0
"""What a batch should take: most that an interruption loses, where no piece takes longer."""
GROWTH = 8
"""How many times as many pieces the next batch may have: the first ones tell little of how long others take."""


@dataclass(frozen=True)
class Work(Generic[T]):
    """What a check has to compute.

    Attributes
    ----------
    said : str
        What it comes to, in words, such as ``5,000 draws, 4,968 different settings, 5 folds``.
    noun : str
        What the pieces are; the stage that progress is told of.
    total, fits : int
        Pieces, and fits of all of them.
    batch, sample : int
        Most pieces that are computed and saved together, and those by which the time is estimated.
    record : mapping
        All that decides the results.
    compute : callable
        Given the numbers of some pieces, returns arrays whose leading axis is the piece.
    finish : callable
        Makes the product of the arrays of all pieces.
    fixed : bool
        Whether the last digits of a piece depend on which are computed with it: batches are then the same ones in every
        run, of `batch` pieces each, however long they take.
    """

    said: str
    noun: str
    total: int
    fits: int
    batch: int
    sample: int
    record: Mapping[str, Any]
    compute: Callable[[Sequence[int]], Mapping[str, np.ndarray]]
    finish: Callable[[Mapping[str, np.ndarray]], T]
    fixed: bool = False

    def next_size(self, count: int, seconds: float) -> int:
        """Return how many pieces to compute together, after `count` of them took so long; 0 before the first.

        A power of two, of about `SECONDS` and at most `GROWTH` times as many, but a piece for each thread.
        """
        if self.fixed:
            return self.batch
        least = min(threads(), self.batch)
        wanted = int(min(count * SECONDS / max(seconds, 1e-9), count * GROWTH, self.batch))
        return max(least, 2 ** max(wanted.bit_length() - 1, 0))


@dataclass(frozen=True)
class Effort:
    """What a check will take on this machine.

    Attributes
    ----------
    said : str
        What is computed, in words.
    fits : int
        How many fits it makes.
    seconds : float
        Estimated from some of them; reading the stars and loading the kernels are left out.
    tried : int
        Fits that the estimate is from.
    batches : int
        In how many parts it would be saved.
    batch_seconds : float
        How long the longest of them takes: most that an interruption loses.
    """

    said: str
    fits: int
    seconds: float
    tried: int
    batches: int
    batch_seconds: float


def do(work: Work[T], keep: Unfinished | str | Path | None = None, progress: Progress = silent) -> T:
    """Return the product of a work, with what an interrupted run has kept of it.

    Parameters
    ----------
    work : Work
        What to compute.
    keep : Unfinished or path, optional
        Where to keep what is done. The folder of a path is this process's own meanwhile and removed in the end; whoever
        gives an `Unfinished` sees to both.
    progress : callable
        Told of the pieces.

    Raises
    ------
    UsageError
        Work with other settings is kept there.
    InputError
        What is kept there is damaged, or of another layout.
    OutputError
        It holds something else, cannot be written, or another process is at this work.
    """
    if keep is None or isinstance(keep, Unfinished):
        return _done(work, keep, progress)
    make_folder(Path(keep).absolute().parent)  # where the lock stands
    with Unfinished(Path(keep)).alone() as folder:
        product = _done(work, folder, progress)
        folder.remove()
    return product


def _done(work: Work[T], folder: Unfinished | None, progress: Progress) -> T:
    found: dict[str, np.ndarray] = {}
    kept = False
    missing = np.ones(work.total, dtype=bool)

    def place(first: int, arrays: Mapping[str, np.ndarray]) -> None:
        count = len(next(iter(arrays.values()), ()))
        if first + count > work.total or (found and _form(arrays) != _form(found)):
            raise InputError(f"{'' if folder is None else folder.folder}: {FOREIGN}; {AGAIN}")
        for name, x in arrays.items():
            if name not in found:
                found[name] = np.zeros((work.total, *x.shape[1:]), x.dtype)
            found[name][first : first + count] = x
        missing[first : first + count] = False

    if folder is not None:
        folder.begin(work.record)
        for there, saved in folder.load():
            place(there, saved)
            kept = True
    progress(work.noun, int((~missing).sum()), work.total)
    size = work.next_size(0, 0.0)
    while missing.any():
        first = int(missing.argmax())
        first -= first % work.batch if work.fixed else 0
        gap = missing[first : first + size]
        count = len(gap) if work.fixed or gap.all() else int(gap.argmin())
        start = time.perf_counter()
        arrays = work.compute(range(first, first + count))
        size = work.next_size(count, time.perf_counter() - start)
        place(first, arrays)
        if folder is not None:
            folder.save(first, arrays)
        progress(work.noun, int((~missing).sum()), work.total)
    try:
        return work.finish(found)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        if folder is None or not kept:
            raise
        raise InputError(f"{folder.folder}: {FOREIGN} ({cleaned(error, 80)}); {AGAIN}") from error


def _form(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: (x.dtype, x.shape[1:]) for name, x in arrays.items()}


def measure(work: Work[Any]) -> Effort:
    """Return what a work will take, measured on pieces spread over all of it; nothing is written."""
    if not work.total:
        return Effort(work.said, work.fits, 0.0, 0, 0, 0.0)
    number = min(work.sample, work.total)
    some = sorted({round(x) for x in np.linspace(0, work.total - 1, number)})
    work.compute(some[:1])  # loading the kernels is no part of the rate
    start = time.perf_counter()
    work.compute(some)
    per_piece = (time.perf_counter() - start) / len(some)
    done, size, sizes = 0, work.next_size(0, 0.0), []
    while done < work.total:
        sizes.append(min(size, work.total - done))
        done += sizes[-1]
        size = work.next_size(sizes[-1], sizes[-1] * per_piece)
    tried = round(len(some) * work.fits / work.total)
    return Effort(work.said, work.fits, per_piece * work.total, tried, len(sizes), per_piece * max(sizes))


def record_of(name: str, stars: Any, settings: FitSettings, **choices: Any) -> dict[str, Any]:
    """Return all that decides the results of a check: version, settings, and the content of the stars chosen.

    Parameters
    ----------
    name : str
        The check.
    stars : Table
        Those of the selection.
    settings : FitSettings
        Of the fits.
    **choices
        Whatever else the check is told.
    """
    names = dict.fromkeys((*(axis.variable for axis in settings.axes), *settings.chemistry.variables, "E", "Lz"))
    used = [np.ascontiguousarray(np.asarray(x, dtype=float)).tobytes() for x in _columns(stars, names)]
    weights = weights_of(stars, settings.weights)
    if weights is not None:
        used.append(np.ascontiguousarray(np.asarray(weights, dtype=float)).tobytes())
    return {
        "check": name,
        "version": own_version(),
        "content of the stars": digest(*used)[:16],
        **choices,
        "fit": plain(settings),
        "device": resolve_device(settings.solver.device),
    }


def _columns(stars: Any, names: Mapping[str, None]) -> list[Any]:
    found = []
    for name in names:
        try:
            found.append(values(stars, name))
        except HalonmfError:  # the fit says what is wrong with a column that it needs
            continue
    return found
