"""Which starts of which replicates least squares are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..result import FIELDS, Result, clearly_better


@dataclass(frozen=True)
class Tries:
    """What least squares are asked for, a job for each entry: a replicate, its first start and how many there are.

    `given` says which of the given starts a job begins at, -1 where its first start is drawn too.
    """

    replicates: np.ndarray
    numbers: np.ndarray
    begin: np.ndarray
    tries: np.ndarray
    given: np.ndarray

    def one_by_one(self) -> Tries:
        """Return the same starts, a job for each of them."""
        jobs = np.repeat(np.arange(len(self.tries)), self.tries)
        later = np.arange(len(jobs)) - np.repeat(np.cumsum(self.tries) - self.tries, self.tries)
        given = np.where(later == 0, self.given[jobs], -1)
        single = np.ones(len(jobs), np.int64)
        return Tries(self.replicates[jobs], self.numbers[jobs], self.begin[jobs] + later, single, given)


def keep_better(best: Result, other: Result, tried: np.ndarray) -> None:
    """Put those replicates of `other` into `best` whose loss is clearly lower; they are the replicates `tried`."""
    wins = clearly_better(other.loss, best.loss[tried])
    for name in FIELDS:
        getattr(best, name)[tried[wins]] = getattr(other, name)[wins]
