"""The solver of shared patterns by the compiled loops on the CPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..dense import Dense, solve_sample
from ..kernels import LANES
from ..kernels.parallel import in_parallel, kernels_only, number_of_threads
from ..late import torch
from ..pattern import SharedPattern, to_tiles
from ..problem import Penalty
from ..request import Request
from ..result import Result, concatenate
from ..rules.hals import fits_H_first
from ..rules.newton import WARM, AcceleratedNewtonKL, NewtonKL
from ..rules.rank_two import AcceleratedRankTwo
from ..stopping import MASS_ROUNDING, ROUNDING, SLOWEST, Status, Stop
from .accelerated import distinct, mixture_solver, solver_of
from .again import without_dead
from .starts import Beginning, Starts, compilable, join
from .tries import Tries, keep_better

# Chunks hold at most this many entries of the factors, of every start, and of V V^T.
CHUNK_ENTRIES = 2**24
# Given starts take no room of their own, and chunks serve only to report progress.
GIVEN_ENTRIES = 2**28
# One replicate in so many tries the random starts too where their number is left to us: how often they win tells
# whether the full sample's optimum is the replicates' own.
SPARING = 16
# Iterations after which new replicates enter a running tile, where each has one start: copying one costs about ten.
PATIENCE = 24
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

    @property
    def accelerated(self) -> bool:
        """Whether the rule is the accelerated one of two components, which has a kernel of its own."""
        return isinstance(self.rule, AcceleratedRankTwo)

    @property
    def takes_tries(self) -> bool:
        """Whether the kernel draws random starts by itself and keeps the best: see `try_all`."""
        return self.beta == 2 and not self.devices and not self.accelerated

    def on_sample(self, replicates: int) -> Kernel:
        """Return the kernel for so many copies of the sample that the replicates were drawn from."""
        pattern = self.pattern
        assert pattern.base is not None
        cells = np.broadcast_to(pattern.base.astype(pattern.dtype), (replicates, len(pattern.base)))
        shape = (replicates, *pattern.shape[1:])
        return replace(self, pattern=replace(pattern, values=to_tiles(cells), shape=shape, base=None))

    def run(self, chosen: np.ndarray, starts: Starts, *, narrow: bool) -> Result:
        """Solve one job per entry of `chosen`, on GPUs or for Kullback-Leibler: that replicate, from that start.

        `narrow` says that H has the pattern's columns alone, in the starts and in the result.
        """
        if isinstance(self.rule, AcceleratedNewtonKL) and self.stop.max_iter <= WARM:
            return replace(self, rule=NewtonKL()).run(chosen, starts, narrow=narrow)
        from ..kernels.kullback_leibler import kullback_leibler
        from ..kernels.settings import rule_of
        from ..kernels.tiles import Answers, Cells, Jobs, allocate

        pattern, k, limits = self.pattern, starts.W.shape[-1], self.limits()
        jobs, (m, n) = len(chosen), pattern.shape[1:]
        fast = self.accelerated
        rule: Any = None if fast else rule_of(self.rule, [float(x) for x in self.penalty.coefficients(m, n)])
        columns = np.arange(len(pattern.columns)) if narrow else pattern.columns
        width = len(columns) if narrow else n
        W, H = np.zeros((jobs, m, k), self.dtype), np.zeros((jobs, k, width), self.dtype)
        n_iter, status, numbers = np.zeros(jobs, np.int64), np.zeros(jobs, np.int64), np.zeros((jobs, 3))

        answers = Answers(W, H, n_iter, status, numbers)
        if fast:
            in_parallel(solver_of(pattern, chosen, starts, columns, limits, answers), -(-jobs // LANES), grain=LONG)
            return _result(W, H, n_iter, status, numbers)
        if isinstance(self.rule, AcceleratedNewtonKL):
            limits = limits._replace(max_iter=limits.max_iter - WARM)
            mixing = mixture_solver(pattern, chosen, starts, columns, limits, rule, answers)
            in_parallel(mixing, -(-jobs // LANES), grain=LONG)
            return _result(W, H, n_iter, status, numbers)
        cells, given = Cells(pattern.values, pattern.rows, pattern.start, columns), Jobs(chosen, *starts)

        def work(first: int, last: int) -> None:
            tile = allocate(pattern.values, self.dtype, len(pattern.rows), m, len(columns), k)
            some = first * LANES, min(last * LANES, jobs)
            kullback_leibler(tile, cells, given, *some, rule, limits, (0,) * k, answers)

        in_parallel(work, -(-jobs // LANES), grain=LONG)
        return _result(W, H, n_iter, status, numbers)

    def try_all(self, tries: Tries, starts: Starts, seed: int, *, narrow: bool) -> Result:
        """Solve least squares: return the best of the starts of each job.

        `narrow` says that the given H have the pattern's columns alone.
        """
        from ..kernels.halving import course
        from ..kernels.least_squares import frobenius
        from ..kernels.settings import rule_of
        from ..kernels.tiles import Cells
        from ..kernels.workspace import Answers, Jobs, allocate

        pattern, k, jobs, (m, n) = self.pattern, starts.W.shape[-1], len(tries.tries), self.pattern.shape[1:]
        rule = rule_of(self.rule, [float(x) for x in self.penalty.coefficients(m, n)])
        W, H = np.zeros((jobs, m, k), self.dtype), np.zeros((jobs, k, n), self.dtype)
        n_iter, status, start = (np.zeros(jobs, np.int64) for _ in range(3))
        answers = Answers(W, H, n_iter, status, start, np.zeros((jobs, 3)))
        cells = Cells(pattern.values, pattern.rows, pattern.start, pattern.columns)
        places = np.arange(len(pattern.columns)) if narrow else pattern.columns
        most, after = int(tries.tries.max()), self.stop.halve_after
        if most == 1 or any(self.penalty.coefficients(m, n)):
            after = None
        patience = 0 if most > 1 else PATIENCE
        given = Jobs(
            tries.replicates, tries.numbers, tries.begin, tries.tries, tries.given, *starts, places, pattern.columns,
            np.uint64(seed % 2**64), patience,
        )  # fmt: skip

        def work(first: int, last: int) -> None:
            tile = allocate(pattern.values, self.dtype, len(pattern.rows), m, len(pattern.columns), k)
            race = None if after is None else course(after, most, m, len(pattern.columns), k, self.dtype)
            first, last = first * LANES, min(last * LANES, jobs)
            frobenius(tile, cells, given, race, np.zeros(k), first, last, rule, self.limits(), (0,) * k, answers)

        in_parallel(work, -(-jobs // LANES), grain=LONG)
        result = _result(W, H, n_iter, status, answers.numbers)
        result.start[:] = start
        return result

    def limits(self) -> Any:
        """Return when to stop, as the kernels take it."""
        from ..kernels.settings import Limits

        stop, eps = self.stop, float(np.finfo(self.dtype).eps)
        return Limits(stop.tol, SLOWEST, ROUNDING * eps, MASS_ROUNDING * eps, stop.max_iter, stop.interval(self.rule))


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
        return self.solve_from(init, number, sparing=guided and request.starts is None)

    def solve_from(self, init: Any, starts: int, *, sparing: bool) -> Result:
        """Return the best of so many starts of every replicate, the first at `init`.

        `sparing` says that only one replicate in `SPARING` tries more than the first.
        """
        request, B = self.request, len(self.kernel.pattern)
        size, parts = self.chunk_size(starts, given=not isinstance(init, str)), []
        beginning = self.beginning(self.kernel.pattern, init)
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
        beginning = replace(self.beginning(kernel.pattern, request.first_init), one=True)
        if kernel.takes_tries:
            order = np.arange(number)
            given = -1 if beginning.draws_first else 0
            tries = Tries(order, 0 * order, order, 0 * order + 1, np.where(order == 0, given, -1))
            starts = beginning.of(0, alone, alone, narrow=True)
            solved = kernel.try_all(tries, starts, request.seed, narrow=True)
        else:
            narrow = kernel.accelerated  # which begins at W alone
            starts = join([beginning.of(start, alone, alone, narrow=narrow) for start in range(number)])
            solved = kernel.run(np.arange(number), starts, narrow=narrow)
            solved = _widen(solved, kernel.pattern) if narrow else solved
        best = solved.map(lambda x: x[:1])
        for start in range(1, number):
            keep_better(best, _take(solved, slice(start, start + 1)), alone)
        # With a dead component every replicate would begin with one.
        stuck = best.status[0] == int(Status.STUCK)
        return solve_sample(request, None) if stuck else (best.W[0], best.H[0])

    def beginning(self, pattern: SharedPattern, init: Any) -> Beginning:
        """Return how replicates of `pattern` begin at `init`."""
        request, kernel = self.request, self.kernel
        of_W = fits_H_first(kernel.rule) and not any(kernel.penalty.coefficients(1, 1))
        return Beginning(pattern, init, request.n_components, request.seed, kernel.dtype, of_W)

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
        if self.kernel.takes_tries:
            return self._least_squares(beginning, chosen, starts, few)
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
                one = _take(solved, slice(at, at + len(tried)))
                one.start[:] = start
                at += len(tried)
                if best is None:
                    best = one
                else:
                    keep_better(best, one, tried)
        assert best is not None
        return _widen(best, self.kernel.pattern) if narrow else best

    def _least_squares(self, beginning: Beginning, chosen: np.ndarray, starts: int, few: np.ndarray) -> Result:
        # The kernel draws the random starts, and keeps the best: those with many go first, so that lanes are busy.
        order = np.argsort(~few, kind="stable")
        numbers, random = self.request.first_replicate + chosen[order], beginning.draws_first
        if random:
            empty = np.zeros((1, 1, self.request.n_components), beginning.dtype)
            given = Starts(empty, empty.swapaxes(1, 2), np.zeros((1, 1, 1)))
            source = np.full(len(chosen), -1)
        else:
            narrow = isinstance(beginning.init, str)
            given = beginning.of(0, chosen, self.request.first_replicate + chosen, narrow=narrow)
            source = order if len(given.W) > 1 or len(given.H) > 1 else 0 * order
        tries = Tries(chosen[order], numbers, 0 * order, np.where(few[order], starts, 1), source)
        # Where starts are halved those of one replicate take turns in one lane.
        lanes = LANES if self.kernel.stop.halve_after is not None else 2 * LANES
        split = starts > 1 and len(chosen) < lanes * number_of_threads()
        asked = tries.one_by_one() if split else tries
        solved = self.kernel.try_all(asked, given, self.request.seed, narrow=not random and narrow)
        if split:
            firsts = np.cumsum(tries.tries) - tries.tries
            best = _take(solved, firsts)
            for start in range(1, starts):
                more = np.flatnonzero(tries.tries > start)
                keep_better(best, _take(solved, firsts[more] + start), more)
            solved = best
        back = np.argsort(order, kind="stable")
        return solved if (order == np.arange(len(order))).all() else _take(solved, back)


def precision_of(request: Request) -> np.dtype:
    """Return the precision in which a pattern is factorised."""
    if request.dtype is None:
        return np.dtype(request.V.float_dtype)
    return np.dtype(np.float64 if request.dtype == torch.float64 else np.float32)


def _result(W: np.ndarray, H: np.ndarray, n_iter: np.ndarray, status: np.ndarray, numbers: np.ndarray) -> Result:
    loss, divergence, kkt = (numbers[:, i].copy() for i in range(3))
    return Result(
        W=W, H=H, loss=loss, divergence=divergence, n_iter=n_iter, status=status, kkt=kkt,
        start=np.zeros(len(W), np.int64),
    )  # fmt: skip


def _take(result: Result, chosen: Any) -> Result:
    return result.map(lambda x: x[chosen])


def _widen(result: Result, pattern: SharedPattern) -> Result:
    H = np.zeros((*result.H.shape[:2], pattern.shape[2]), result.H.dtype)
    H[:, :, pattern.columns] = result.H
    return replace(result, H=H)
