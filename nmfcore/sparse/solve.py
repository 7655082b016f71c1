"""The two solvers of shared patterns: the compiled loops on the CPU, and their counterparts on GPUs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..dense import Dense, solve_sample
from ..kernels import LANES
from ..kernels.parallel import in_parallel, kernels_only, number_of_threads
from ..pattern import SharedPattern, to_tiles
from ..problem import Penalty
from ..request import Request
from ..result import FIELDS, Result, clearly_better, concatenate
from ..rules.rank_two import AcceleratedRankTwo
from ..stopping import MASS_ROUNDING, ROUNDING, SLOWEST, Status, Stop
from .accelerated import distinct, solver_of
from .again import without_dead
from .starts import Beginning, Starts, compilable, join

# Chunks hold at most this many entries of the factors, of every start, and of V V^T.
CHUNK_ENTRIES = 2**24
# Given starts take no room of their own, and chunks serve only to report progress.
GIVEN_ENTRIES = 2**28
# Entries of the factors that come back from GPUs at once.
DEVICE_ENTRIES = 2**28
# One replicate in so many tries the random starts too where their number is left to us: how often they win tells
# whether the full sample's optimum is the replicates' own.
SPARING = 16
# Tiles that a thread should solve in one go: the last ones of each go are not full.
LONG = 32


@dataclass(frozen=True, eq=False)
class Kernel:
    """What a compiled kernel needs in addition to the starts.

    Attributes
    ----------
    pattern : SharedPattern
        The data.
    rule : UpdateRule
        One with a compiled form.
    beta : {1, 2}
        Kullback-Leibler or least squares.
    penalty : Penalty
        On either factor.
    stop : Stop
        Its criterion is "change".
    dtype : dtype
        Precision of the factors.
    devices : tuple of int
        Numbers of the GPUs; none for the CPU.
    """

    pattern: SharedPattern
    rule: Any
    beta: float
    penalty: Penalty
    stop: Stop
    dtype: np.dtype
    devices: tuple[int, ...] = ()

    def on_sample(self, replicates: int) -> Kernel:
        """Return the kernel for so many copies of the sample that the replicates were drawn from."""
        pattern = self.pattern
        assert pattern.base is not None
        cells = np.broadcast_to(pattern.base.astype(pattern.dtype), (replicates, len(pattern.base)))
        shape = (replicates, *pattern.shape[1:])
        return replace(self, pattern=replace(pattern, values=to_tiles(cells), shape=shape, base=None))

    def run(self, chosen: np.ndarray, starts: Starts, *, narrow: bool) -> Result:
        """Solve one job per entry of `chosen`: that replicate, from that start.

        `narrow` says that H has the pattern's columns alone, in the starts and in the result.
        """
        from ..kernels.cuda import launch
        from ..kernels.kullback_leibler import kullback_leibler
        from ..kernels.least_squares import frobenius
        from ..kernels.settings import Limits, rule_of
        from ..kernels.tiles import Answers, Cells, Jobs

        pattern, stop, k = self.pattern, self.stop, starts.W.shape[-1]
        jobs, (m, n) = len(chosen), pattern.shape[1:]
        eps = float(np.finfo(self.dtype).eps)
        limits = Limits(stop.tol, SLOWEST, ROUNDING * eps, MASS_ROUNDING * eps, stop.max_iter, stop.interval(self.rule))
        fast = isinstance(self.rule, AcceleratedRankTwo)
        rule = None if fast else rule_of(self.rule, [float(x) for x in self.penalty.coefficients(m, n)])
        if self.devices:
            W, H, n_iter, status, numbers = launch.frobenius(pattern, chosen, *starts, rule, limits, self.devices)
            return _result(W, H, n_iter, status, numbers)
        solve = kullback_leibler if self.beta == 1 else frobenius
        columns = np.arange(len(pattern.columns)) if narrow else pattern.columns
        width = len(columns) if narrow else n
        W, H = np.zeros((jobs, m, k), self.dtype), np.zeros((jobs, k, width), self.dtype)
        if number_of_threads() > 1:
            # New pages that several threads touch at once cost more than writing them twice.
            H.fill(0)
        n_iter, status, numbers = np.zeros(jobs, np.int64), np.zeros(jobs, np.int64), np.zeros((jobs, 3))

        answers = Answers(W, H, n_iter, status, numbers)
        if fast:
            in_parallel(solver_of(pattern, chosen, starts, columns, limits, answers), -(-jobs // LANES), grain=LONG)
            return _result(W, H, n_iter, status, numbers)
        cells, given = Cells(pattern.values, pattern.rows, pattern.start, columns), Jobs(chosen, *starts)

        def work(first: int, last: int) -> None:
            solve(cells, given, first * LANES, min(last * LANES, jobs), rule, limits, (0,) * k, answers)

        in_parallel(work, -(-jobs // LANES), grain=LONG)
        return _result(W, H, n_iter, status, numbers)


@dataclass(frozen=True)
class Compiled:
    """The compiled loops on the CPU: replicates side by side in tiles, tiles on all threads."""

    request: Request
    kernel: Kernel

    def solve(self) -> Result:
        """Return the solution; a start that the kernels cannot take goes to the dense path."""
        request = self.request
        number, guided = request.number_of_starts, request.guided
        init = self.solve_sample() if guided else request.first_init
        given = not isinstance(init, str)
        if given and not (compilable(init, request.V, request.n_components) and distinct(init, self.kernel.rule)):
            return Dense(replace(request, init=init, starts=number)).solve()
        return self.on_host(given).solve_from(init, number, sparing=guided and request.starts is None)

    def solve_from(self, init: Any, starts: int, *, sparing: bool) -> Result:
        """Return the best of so many starts of every replicate, the first at `init`.

        `sparing` says that only one replicate in `SPARING` tries more than the first.
        """
        request, B = self.request, len(self.kernel.pattern)
        size, parts = self.chunk_size(starts, given=not isinstance(init, str)), []
        beginning = Beginning(self.kernel.pattern, init, request.n_components, request.seed, self.kernel.dtype)
        for first in range(0, B, size):
            chosen = np.arange(first, min(first + size, B))
            numbers = request.first_replicate + chosen
            few = numbers % SPARING == 0 if sparing else np.ones(len(chosen), dtype=bool)
            parts.append(without_dead(request, self._best(beginning, chosen, starts, few), chosen))
            if request.progress is not None:
                request.progress(int(chosen[-1]) + 1, B)
        return concatenate(parts)

    @kernels_only()
    def solve_sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Return W and H of the sample that the replicates were drawn from: its starts side by side in one tile."""
        request, number = self.request, self.request.number_of_starts
        kernel, alone = self.kernel.on_sample(number), np.zeros(1, dtype=np.int64)
        beginning = Beginning(kernel.pattern, request.first_init, request.n_components, request.seed, kernel.dtype)
        starts = join([beginning.of(start, alone, alone, narrow=False) for start in range(number)])
        solved = kernel.run(np.arange(number), starts, narrow=False)
        best = solved.map(lambda x: x[:1])
        for start in range(1, number):
            keep_better(best, _slice(solved, start, start + 1), alone)
        # With a dead component every replicate would begin with one.
        stuck = best.status[0] == int(Status.STUCK)
        return solve_sample(request, None) if stuck else (best.W[0], best.H[0])

    def on_host(self, given: bool) -> Compiled:
        """Return the same solver with the counts where it needs them: on the CPU they always are."""
        return self

    def chunk_size(self, starts: int, *, given: bool) -> int:
        """Return how many replicates to solve at once."""
        m, k, columns = self.kernel.pattern.shape[1], self.request.n_components, self.kernel.pattern.columns
        entries = starts * k * (m + len(columns)) + m * m
        room = GIVEN_ENTRIES if given and starts == 1 else CHUNK_ENTRIES
        return max(LANES, room // entries // LANES * LANES)

    def pools(self, tries: list[tuple[int, np.ndarray]]) -> list[list[tuple[int, np.ndarray]]]:
        """Return which starts to solve together: all, so that lanes and threads are busy to the end."""
        return [tries]

    @kernels_only()
    def _best(self, beginning: Beginning, chosen: np.ndarray, starts: int, few: np.ndarray) -> Result:
        # `few` tells which of the chosen replicates try more than the first start.
        everyone, more = np.arange(len(chosen)), np.flatnonzero(few)
        tries = [(start, more if start else everyone) for start in range(starts if len(more) else 1)]
        best: Result | None = None
        for pool in self.pools(tries):
            narrow = len(pool) > 1
            drawn = [
                beginning.of(start, chosen[tried], self.request.first_replicate + chosen[tried], narrow=narrow)
                for start, tried in pool
            ]
            jobs = np.concatenate([tried for _, tried in pool])
            solved = self.kernel.run(chosen[jobs], join(drawn), narrow=narrow)
            at = 0
            for start, tried in pool:
                one = _slice(solved, at, at + len(tried))
                one.start[:] = start
                at += len(tried)
                if best is None:
                    best = one
                else:
                    keep_better(best, one, tried)
        assert best is not None
        return _widen(best, self.kernel.pattern) if narrow else best


@dataclass(frozen=True)
class Cuda(Compiled):
    """The loops on GPUs, a block per replicate; counts that were drawn there stay there."""

    def solve_sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Return W and H of the sample, from the CPU: one matrix does not occupy a GPU, and torch need not see it."""
        return solve_sample(self.request, "cpu")

    def on_host(self, given: bool) -> Cuda:
        """Return the same solver with the counts on the host where starts are made of them."""
        if given:
            return self
        return replace(self, kernel=replace(self.kernel, pattern=self.kernel.pattern.to_host()))

    def chunk_size(self, starts: int, *, given: bool) -> int:
        """Return how many replicates to solve at once; the launcher divides them further to fit the GPUs."""
        m, n = self.kernel.pattern.shape[1:]
        return max(LANES, DEVICE_ENTRIES // (self.request.n_components * (m + n)))

    def pools(self, tries: list[tuple[int, np.ndarray]]) -> list[list[tuple[int, np.ndarray]]]:
        """Return each start by itself: a GPU has blocks to spare, but not the memory."""
        return [[one] for one in tries]


def precision_of(request: Request) -> np.dtype:
    """Return the precision in which a pattern is factorised."""
    if request.dtype is None:
        return np.dtype(request.V.float_dtype)
    return np.dtype(np.float64 if request.dtype == torch.float64 else np.float32)


def keep_better(best: Result, other: Result, tried: np.ndarray) -> None:
    """Put those replicates of `other` into `best` whose loss is clearly lower; they are the replicates `tried`."""
    wins = clearly_better(other.loss, best.loss[tried])
    for name in FIELDS:
        getattr(best, name)[tried[wins]] = getattr(other, name)[wins]


def _result(W: np.ndarray, H: np.ndarray, n_iter: np.ndarray, status: np.ndarray, numbers: np.ndarray) -> Result:
    loss, divergence, kkt = (numbers[:, i].copy() for i in range(3))
    return Result(
        W=W, H=H, loss=loss, divergence=divergence, n_iter=n_iter, status=status, kkt=kkt,
        start=np.zeros(len(W), np.int64),
    )  # fmt: skip


def _slice(result: Result, begin: int, end: int) -> Result:
    return result.map(lambda x: x[begin:end])


def _widen(result: Result, pattern: SharedPattern) -> Result:
    H = np.zeros((*result.H.shape[:2], pattern.shape[2]), result.H.dtype)
    H[:, :, pattern.columns] = result.H
    return replace(result, H=H)
