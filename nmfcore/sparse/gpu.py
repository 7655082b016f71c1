"""The solver of shared patterns on GPUs: one launch for all starts of all replicates, a block for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..kernels.cuda.launch import Batch, Tries, solve
from ..pattern import LANES, to_tiles
from ..result import Result
from .solve import Compiled
from .starts import Beginning, Starts

# Entries of the factors that come back from GPUs at once.
ENTRIES = 2**28


@dataclass(frozen=True)
class Cuda(Compiled):
    """The loops on GPUs; counts that are not drawn yet are drawn there, and random starts too."""

    def solve_sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Return W and H of the sample that the replicates were drawn from: the best of its starts, solved at once."""
        pattern, number = self.kernel.pattern, self.request.number_of_starts
        cells = pattern.base.astype(pattern.dtype)[None]
        sample = replace(pattern, values=to_tiles(cells), shape=(1, *pattern.shape[1:]), base=None, draw=None)
        alone = replace(self, kernel=replace(self.kernel, pattern=sample, devices=self.kernel.devices[:1]))
        best = alone.solve_from("nndsvda", number, sparing=False, number=0)
        return best.W[0], best.H[0]

    def chunk_size(self, starts: int, *, given: bool) -> int:
        """Return how many replicates to solve at once; the launcher divides them further to fit the GPUs."""
        m, n = self.kernel.pattern.shape[1:]
        return max(LANES, ENTRIES // (self.request.n_components * (m + n)))

    def _best(self, beginning: Beginning, chosen: np.ndarray, starts: int, few: np.ndarray) -> Result:
        numbers = self.request.first_replicate + chosen
        init, k = beginning.init, self.request.n_components
        tries = Tries.of(chosen, numbers, np.where(few, starts, 1), drawn=init == "random")
        if tries.drawn:
            given = Starts(*(np.zeros((1, *shape), self.kernel.dtype) for shape in ((1, k), (k, 1), (k + 1, k))))
        else:
            given = beginning.of(0, chosen, numbers, narrow=not isinstance(init, tuple))
        batch = Batch(self.kernel, given, self.request.seed)
        return solve(batch, tries)
