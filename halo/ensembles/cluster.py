"""Computing on a cluster: the batches go to the workers of a dask scheduler, and only this process writes files.

A task is the catalogue's path and plain texts and numbers in, plain arrays out. Workers that are lost are replaced by
dask, and their tasks computed elsewhere; a configuration that kills its worker again when computed alone is given up.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import HalonmfError, InputError, InterruptedRunError, UsageError
from ..fits.engine import use_threads
from ..io.provenance import describe_input, own_version, plain
from ..io.reading import first_line
from .batchfile import Computed
from .plan import Batch, Part, Plan, decode_setup
from .worker import Worker, read_stars

AHEAD = 2
"""Tasks per worker thread that are handed out at once: the next is there when one is done, and few wait for writing."""
POISON = "its worker died each time, also when it computed nothing else"
PATIENCE = 30.0
"""Seconds to wait for the scheduler at first."""


@contextlib.contextmanager
def connected(address: str | None, file: Path | None = None) -> Iterator[Callable[..., Any]]:
    """Give an executor that computes on the workers of a scheduler.

    Parameters
    ----------
    address : str or None
        Such as ``tcp://10.0.0.1:8786``.
    file : Path or None
        That the scheduler wrote, in place of its address.

    Raises
    ------
    UsageError
        dask.distributed is not installed; both or neither are given; no scheduler answers.
    """
    if (address is None) == (file is None):
        raise UsageError("give a scheduler by --scheduler ADDRESS or by --scheduler-file FILE, not by both.")
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--scheduler needs dask.distributed: pip install 'halonmf[cluster]'.") from None
    if file is not None and not file.exists():
        raise UsageError(f"--scheduler-file {file}: no such file; dask scheduler --scheduler-file writes it.")
    where = {"address": address} if address else {"scheduler_file": str(file)}
    try:
        client = Client(**where, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no dask scheduler answers at {address or file} ({first_line(error)}); start one, or mend it."
        ) from None
    with client:
        yield lambda batches, plan, stars: _compute(client, batches, plan, stars)


def task(
    stars: str, sha256: str, version: str, setup: str, first: int, count: int, keep_factors: bool
) -> dict[str, Any]:
    """Compute a part on a worker, on one thread.

    Parameters
    ----------
    stars : str
        Path of the prepared catalogue, as the worker sees it.
    sha256 : str
        What its content must have.
    version : str
        What the worker must run of this software.
    setup : str
        The configuration, as JSON.
    first, count : int
        Which replicates.
    keep_factors : bool
        Return W and H.

    Returns
    -------
    dict
        ``replicates``, ``base`` and ``coordinates``, plain arrays by name; ``failure``, a text.

    Raises
    ------
    InputError
        The worker sees another catalogue, or runs another version.
    """
    worker = _worker(stars, sha256, version)
    made = worker(decode_setup(json.loads(setup)), Part(0, first, count), keep_factors=keep_factors)
    arrays = {"replicates": made.replicates, "base": made.base, "coordinates": made.coordinates}
    return {name: dict(value) for name, value in arrays.items()} | {"failure": made.failure}


_mine = threading.local()


def _worker(stars: str, sha256: str, version: str) -> Worker:
    key = (stars, sha256, version)
    if getattr(_mine, "key", None) != key:
        where = f"worker on {socket.gethostname()}"
        if version != own_version():
            raise InputError(f"{where}: runs halonmf {own_version()}, this is {version}; install the same on both.")
        try:
            found, table = describe_input(stars)["sha256"], read_stars(Path(stars))
        except HalonmfError as error:
            raise InputError(f"{where}: {error}") from None
        if found != sha256:
            raise InputError(f"{where}: {stars} has another content there; give a path that all machines share.")
        use_threads(1)
        _mine.worker, _mine.key = Worker(table), key
    return _mine.worker


class _Tasks:
    """Tasks on the workers and their results."""

    def __init__(self, client: Any, plan: Plan, stars: Path) -> None:
        from distributed import as_completed

        self._client, self._plan = client, plan
        path = stars.resolve()
        self._fixed = (str(path), describe_input(path)["sha256"], own_version())
        self._running: dict[Any, tuple[Batch, int]] = {}
        self._done = as_completed(loop=client.loop)

    def __len__(self) -> int:
        return len(self._running)

    def room(self) -> int:
        """Return how many more tasks keep the workers busy; workers come and go."""
        threads = sum(self._client.nthreads().values())
        return max(AHEAD * threads, 1) - len(self._running)

    def start(self, batch: Batch, place: int) -> None:
        """Hand out a part of a batch."""
        part = batch.parts[place]
        setup = json.dumps(plain(self._plan.setups[part.setup]))
        arguments = (*self._fixed, setup, part.first, part.count, self._plan.keep_factors)
        future = self._client.submit(task, *arguments, pure=False, priority=-batch.index)
        self._running[future] = batch, place
        self._done.add(future)

    def next(self) -> tuple[Batch, int, Computed | None, bool]:
        """Wait for a part: its batch, its place, what was computed if anything, and whether it killed its worker.

        Raises
        ------
        InputError
            The workers cannot compute any part.
        InterruptedRunError
            The scheduler is lost.
        """
        from distributed import KilledWorker

        future = next(self._done)
        batch, place = self._running.pop(future)
        part = batch.parts[place]
        if future.status == "finished":
            return batch, place, Computed(part, **future.result()), False
        if self._client.status != "running":
            raise InterruptedRunError("the scheduler is lost; what is complete is kept, run again with --resume.")
        if future.status != "error":  # lost or cancelled, as when workers went with their results
            return batch, place, None, False
        error = future.exception()
        if isinstance(error, KilledWorker):
            return batch, place, None, True
        if isinstance(error, HalonmfError):
            raise error
        raise InputError(f"the workers cannot compute: {type(error).__name__}: {error}.")

    def cancel(self) -> None:
        """Cancel the tasks that are running."""
        if self._running and self._client.status == "running":
            self._client.cancel(list(self._running))


def _compute(client: Any, batches: Sequence[Batch], plan: Plan, stars: Path) -> Iterator[tuple[Batch, list[Computed]]]:
    tasks = _Tasks(client, plan, stars)
    waiting = deque((batch, place) for batch in batches for place in range(len(batch.parts)))
    suspects: deque[tuple[Batch, int]] = deque()
    made: dict[int, dict[int, Computed]] = {batch.index: {} for batch in batches}
    alone: tuple[Batch, int] | None = None
    try:
        while waiting or suspects or len(tasks):
            while waiting and tasks.room() > 0:
                tasks.start(*waiting.popleft())
            # Workers die with all they had, so each of those is tried alone: only then is it known which it was.
            if not len(tasks):
                alone = suspects.popleft()
                tasks.start(*alone)
            batch, place, computed, killed = tasks.next()
            if computed is None and killed and alone == (batch, place):
                computed = Computed(batch.parts[place], failure=POISON)
            if computed is None:
                (suspects if killed else waiting).append((batch, place))
                continue
            made[batch.index][place] = computed
            if len(made[batch.index]) == len(batch.parts):
                yield batch, [one for _, one in sorted(made.pop(batch.index).items())]
    finally:
        tasks.cancel()
