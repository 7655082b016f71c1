"""The solver of shared patterns on GPUs: all starts of all replicates in one launch, a block for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..kernels import LANES
from ..kernels.cuda.arguments import KL_MU
from ..kernels.cuda.launch import Batch, Tries, solve
from ..kernels.cuda.layout import Layout, layout_of
from ..kernels.settings import MU, Limits, rule_of
from ..pattern import to_tiles
from ..result import Result
from ..stopping import MASS_ROUNDING, ROUNDING, SLOWEST
from .solve import Compiled
from .starts import Beginning

# Entries of the factors that come back from GPUs at once.
ENTRIES = 2**28
# Components that the kernels are written for.
MOST = 16


def holds(n_components: int) -> bool:
    """Tell whether the kernels solve for so many components."""
    return n_components <= MOST


@dataclass(frozen=True)
class Cuda(Compiled):
    """The loops on GPUs; counts that are not drawn yet are drawn there, and so are random starts."""

    places: Layout | None = None

    @cached_property
    def layout(self) -> Layout:
        """Where the kernels find the pattern's cells."""
        return self.places or layout_of(self.kernel.pattern)

    def solve_sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Return W and H of the sample that the replicates were drawn from: the best of its starts."""
        pattern, request = self.kernel.pattern, self.request
        assert pattern.base is not None
        cells = pattern.base.astype(pattern.dtype)[None]
        sample = replace(
            pattern, values=to_tiles(cells), shape=(1, *pattern.shape[1:]), base=None, draw=None, on_device=None
        )
        kernel = replace(self.kernel, pattern=sample, devices=self.kernel.devices[:1])
        asked = request.with_data(sample, first_replicate=0, progress=None)
        best = Cuda(asked, kernel, self.layout).solve_from("nndsvda", request.number_of_starts, sparing=False)
        return best.W[0], best.H[0]

    def chunk_size(self, starts: int, *, given: bool) -> int:
        """Return how many replicates to solve at once; the launcher divides them further to fit the GPUs."""
        m, n = self.kernel.pattern.shape[1:]
        return max(LANES, ENTRIES // (self.request.n_components * (m + n)))

    def _best(self, beginning: Beginning, chosen: np.ndarray, starts: int, few: np.ndarray) -> Result:
        kernel, pattern = self.kernel, self.kernel.pattern
        numbers, init = self.request.first_replicate + chosen, beginning.init
        W, H, extra = self._given(beginning, chosen, numbers)
        if isinstance(init, str) and init == "random":
            source = np.full(len(chosen), -1)
        else:
            source = np.arange(len(chosen)) if len(W) > 1 else np.zeros(len(chosen), np.int64)
        eps, stop, (m, n) = float(np.finfo(kernel.dtype).eps), kernel.stop, pattern.shape[1:]
        limits = Limits(
            stop.tol, SLOWEST, ROUNDING * eps, MASS_ROUNDING * eps, stop.max_iter, stop.interval(kernel.rule)
        )
        rule = rule_of(kernel.rule, [float(x) for x in kernel.penalty.coefficients(m, n)])
        if kernel.beta == 1 and rule.W.kind == MU:
            rule = rule._replace(W=rule.W._replace(kind=KL_MU))
        batch = Batch(pattern, self.layout, rule, limits, W, H, extra, self.request.seed, rule.fits_H_first)
        found = solve(batch, Tries(chosen, numbers, np.where(few, starts, 1), source), kernel.devices)
        loss, divergence, kkt = (found.numbers[:, i].copy() for i in range(3))
        return Result(
            W=found.W, H=found.H, loss=loss, divergence=divergence, n_iter=found.n_iter, status=found.status, kkt=kkt,
            start=found.start,
        )  # fmt: skip

    def _given(self, beginning: Beginning, chosen: np.ndarray, numbers: np.ndarray) -> tuple[Any, Any, Any]:
        # The first starts where they are not random: W, H in the pattern's columns, and what lies outside of them.
        k, dtype = self.request.n_components, self.kernel.dtype
        if isinstance(beginning.init, str) and beginning.init == "random":
            return np.zeros((1, 1, k), dtype), np.zeros((1, k, 1), dtype), np.zeros((1, k + 1, k))
        narrow = isinstance(beginning.init, str)
        W, H, extra = beginning.of(0, chosen, numbers, narrow=narrow)
        if not narrow:
            number = max(len(W), len(H))
            H = H[:, :, self.kernel.pattern.columns]
            W, H, extra = (np.broadcast_to(x, (number, *x.shape[1:])) for x in (W, H, extra))
        return np.ascontiguousarray(W), np.ascontiguousarray(H), np.ascontiguousarray(extra)
