"""Computing batches: the base fit and the replicates of each part, each failure kept apart from the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HalonmfError
from ..fits.engine import one_thread
from ..replicates.replicate import Base, begin, reduce
from ..replicates.setup import Setup
from .batchfile import Computed
from .plan import Batch, Part, Plan


class Worker:
    """Computes parts; keeps the stars, and the base fit of the configuration it had last, which the next part may need.

    Parameters
    ----------
    stars : Table
        Prepared stars.
    isolate : bool
        Record the failure of a part and go on; otherwise known errors are raised, as for the only configuration of a
        run.
    """

    def __init__(self, stars: Any, *, isolate: bool = True) -> None:
        from ..replicates.sample import Stars

        self._isolate = isolate
        self._stars = stars if isinstance(stars, Stars) else Stars(stars)
        self._setup: Setup | None = None
        self._base: Base | str = ""

    def __call__(self, setup: Setup, part: Part, *, keep_factors: bool = False) -> Computed:
        """Return the results of a part, or its failure where it cannot be computed."""
        try:
            if setup != self._setup:
                self._setup, self._base = setup, ""
                with one_thread():
                    self._base = begin(self._stars, setup)
            if isinstance(self._base, str):
                return Computed(part, failure=self._base)
            base = self._base
            replicates = halving(base, part.first, part.count, keep_factors=keep_factors) if part.count else {}
            first = part.first == 0
            return Computed(part, replicates, base.products if first else {}, base.coordinates if first else {})
        except Exception as error:
            if not self._isolate and isinstance(error, HalonmfError):
                raise
            # One configuration must not end the others, whatever is wrong with it; its reason is kept.
            said = str(error) if isinstance(error, HalonmfError) else f"{type(error).__name__}: {error}"
            if isinstance(self._base, str):
                self._base = said
            return Computed(part, failure=said or type(error).__name__)


def halving(base: Base, first: int, count: int, *, keep_factors: bool = False) -> dict[str, np.ndarray]:
    """Return `replicates.reduce`, in halves as often as the device's memory asks for: the numbers are the same.

    Raises
    ------
    HalonmfError
        As `replicates.reduce`.
    """
    try:
        return reduce(base, first, count, keep_factors=keep_factors)
    except Exception as error:
        if count == 1 or not _out_of_memory(error):
            raise
    # Outside the handler: the error holds the frames, and they the memory, of what failed.
    half = (count + 1) // 2
    parts = [
        halving(base, start, number, keep_factors=keep_factors)
        for start, number in ((first, half), (first + half, count - half))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compute(
    batches: Iterable[Batch], plan: Plan, stars: Path, *, read: Callable[[Path], Any] | None = None
) -> Iterator[tuple[Batch, Sequence[Computed]]]:
    """Compute batches in this process, one after the other, each on all threads."""
    worker: Worker | None = None
    for batch in batches:
        if worker is None:
            worker = Worker((read or read_stars)(stars), isolate=len(plan.setups) > 1)
        yield (
            batch,
            [worker(plan.setups[part.setup], part, keep_factors=plan.keep_factors) for part in batch.parts],
        )


def read_stars(stars: Path) -> Any:
    """Return the table of a prepared catalogue."""
    from ..stars.catalogue import read_catalogue

    return read_catalogue(stars).table


def _out_of_memory(error: Exception) -> bool:
    # By name: torch's and the driver's errors are known only where those are loaded.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or (
        "DriverError" in names and "OUT_OF_MEMORY" in str(error)
    )
