"""The host's side of the GPU kernels: what a batch needs on a device, and one launch for all its starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...result import clearly_better
from ..settings import SWEEPS, HalfStep, Limits, Rule
from .arguments import Arguments, Code, Emission
from .compiler import CompilerError
from .device import Device, device_of
from .devices import in_chunks, on_devices, split
from .driver import DriverError
from .layout import Layout, in_order, placements

if TYPE_CHECKING:
    from ...pattern import SharedPattern

SOURCE, DRAWS = "solve.cu", "draw.cu"
# Threads of a block, and blocks of a multiprocessor for which registers are kept free.
THREADS, BLOCKS = 128, 4
# A fit by itself gets more threads where there are more multiprocessors than fits and so many columns.
ALONE, LONG = 256, 512
# Beyond so many components the sums of a thread take all registers that there are.
FEW = 4


class Batch(NamedTuple):
    """What all jobs share: data, rule, when to stop, and the given starts (S, m, k), (S, k, filled columns)."""

    pattern: SharedPattern
    layout: Layout
    rule: Rule
    limits: Limits
    W0: np.ndarray
    H0: np.ndarray
    extra: np.ndarray
    seed: int  # of random starts
    fitted: bool  # whether those are of W alone


class Tries(NamedTuple):
    """What is to be solved: replicates of a pattern, each from one or several starts; arrays of one length."""

    replicate: np.ndarray
    number: np.ndarray  # names a replicate's random starts
    starts: np.ndarray  # how many
    first: np.ndarray  # the given start that the first of them is; -1 for a random one

    def part(self, first: int, last: int) -> Tries:
        """Return some of them."""
        return Tries(*(x[first:last] for x in self))


class Answers(NamedTuple):
    """The best of the starts of each replicate; numbers are the loss, the divergence and the KKT residual."""

    W: np.ndarray  # (replicates, m, k)
    H: np.ndarray  # (replicates, k, n)
    n_iter: np.ndarray
    status: np.ndarray
    numbers: np.ndarray  # (replicates, 3)
    start: np.ndarray


def solve(batch: Batch, tries: Tries, devices: Sequence[int]) -> Answers:
    """Solve all tries on the devices, which share the replicates out among themselves.

    Raises
    ------
    DriverError, CompilerError
        What the driver or the compiler refuses, and a single replicate for which memory does not suffice.
    """
    count, (m, n), k, dtype = len(tries.replicate), batch.pattern.shape[1:], batch.W0.shape[-1], batch.W0.dtype
    with device_of(devices[0]) as device:
        # Page-locked memory, to which devices copy by themselves: nothing is copied on the host.
        W, H = device.pinned.empty((count, m, k), dtype), device.pinned.empty((count, k, n), dtype)
    n_iter, status, start = (np.empty(count, np.int64) for _ in range(3))
    answers = Answers(W, H, n_iter, status, np.empty((count, 3)), start)

    def work(device: Device, span: tuple[int, int]) -> None:
        run, begin = _Run(device, batch, int(tries.starts.sum())), span[0]

        def chunk(first: int, last: int) -> None:
            some = slice(begin + first, begin + last)
            run(tries.part(some.start, some.stop), Answers(*(x[some] for x in answers)))

        in_chunks(chunk, span[1] - begin, lambda: run.room(tries.part(*span)))

    on_devices(work, list(zip(devices, split(count, len(devices)), strict=False)))
    return answers


def draw(pattern: SharedPattern, layout: Layout, replicates: int, device: int) -> np.ndarray:
    """Return the counts of the first replicates (replicates, cells) as the kernel `draw` makes them."""
    k, half = np.zeros((1, 1, 1), np.float32), HalfStep(SWEEPS, 1, 0.0, 0.0)
    rule, limits = Rule(half, half, False, False), Limits(0.0, 0.0, 0.0, 0.0, 1, 1)
    with device_of(device) as here:
        return _Run(here, Batch(pattern, layout, rule, limits, k, k, k, 0, False), replicates).drawn(replicates)


class _Run:
    """Launches for chunks of tries on one device."""

    def __init__(self, device: Device, batch: Batch, jobs: int) -> None:
        self.device, self.batch = device, batch
        pattern, rule = batch.pattern, batch.rule
        self.m, self.n = pattern.shape[1:]
        self.columns, self.k, self.dtype = len(pattern.columns), batch.W0.shape[-1], batch.W0.dtype
        recipe = None if pattern.draw is None or pattern.drawn else pattern.draw.recipe()
        kept = pattern.dtype
        self.count_dtype = self.dtype if kept.itemsize > self.dtype.itemsize else kept
        alone = jobs <= device.multiprocessors and self.columns >= LONG
        threads = ALONE if alone else min(THREADS, -(-self.columns // 32) * 32)
        code = Code(
            self.k, self.dtype, self.count_dtype, batch.layout.slot_row.dtype, batch.layout.row_entry.dtype,
            rule.W.kind, rule.W.sweeps, rule.H.sweeps, rule.extrapolated, 0 if recipe is None else 1 + recipe.scheme,
            threads, BLOCKS if self.k <= FEW and not alone else 1,
        )  # fmt: skip
        self.code, self.recipe = code, recipe
        self.ways = in_order(placements(code, self.m, self.columns, batch.layout.slots), device, jobs)
        self.arguments = self._common()

    def room(self, tries: Tries) -> float:
        """Return how many of the tries the free memory holds."""
        starts = float(tries.starts.mean())
        item, slots, way = self.dtype.itemsize, self.batch.layout.slots, self.ways[0]
        each = item * (self.columns + self.m) * self.k + item * self._work_size() + 64
        each += slots * self.count_dtype.itemsize if self.recipe is not None and not way.counts else 0
        each += self.arguments.stars if self.code.drawn == DELETION else 0
        once = item * (self.n + self.m) * self.k
        once += slots * self.count_dtype.itemsize if self.recipe is None else 0
        once += item * (self.columns + self.m) * self.k if len(self.batch.W0) > 1 else 0
        return self.device.room() / (starts * each + once)

    def __call__(self, tries: Tries, answers: Answers) -> None:
        """Solve some tries, and put the best of each replicate into `answers`."""
        jobs, first = int(tries.starts.sum()), np.concatenate([[0], np.cumsum(tries.starts)])
        numbers = self._solve(tries, first, jobs)
        if jobs == len(tries.starts):
            # The only starts are the best ones: what they are need not be known before they are written.
            winner = np.arange(jobs)
            self._emit(winner, answers)
            self.device.wait()
        else:
            self.device.wait()
            winner = best(numbers["numbers"][:, 0], first)
            self._emit(winner, answers)
            self.device.wait()
        answers.n_iter[:], answers.status[:] = numbers["n_iter"][winner], numbers["status"][winner]
        answers.numbers[:], answers.start[:] = numbers["numbers"][winner], winner - first[:-1]

    def drawn(self, replicates: int) -> np.ndarray:
        """Return the counts of the first replicates, in the order of the pattern's cells."""
        arguments, layout, device = self.arguments, self.batch.layout, self.device
        (arguments.replicate,) = device.upload("jobs", np.arange(replicates, dtype=np.uint32))
        arguments.counts = device.array("counts", replicates * layout.slots * self.count_dtype.itemsize)
        arguments.there = device.array("there", max(1, replicates * arguments.stars))
        kernel = device.kernel("draw", DRAWS, self.code.definitions(False, False, False))
        device.launch(kernel, replicates, self.code.threads, 0, arguments)
        counts = device.pinned.empty((replicates, layout.slots), self.count_dtype)
        device.download(counts, arguments.counts)
        device.wait()
        return counts[:, layout.slot]

    def _solve(self, tries: Tries, first: np.ndarray, jobs: int) -> dict[str, np.ndarray]:
        # Launch the solver; return where its numbers will be once the device has been waited for.
        device, arguments = self.device, self.arguments
        start = np.arange(jobs) - np.repeat(first[:-1], tries.starts)
        source = np.where(start == 0, np.repeat(tries.first, tries.starts), -1)
        replicate = np.repeat(tries.replicate, tries.starts)
        several = len(self.batch.W0) > 1
        if several:
            # The given starts of these replicates alone.
            given = [x[np.maximum(tries.first, 0)] for x in (self.batch.W0, self.batch.H0, self.batch.extra)]
            arguments.W0, arguments.H0, arguments.extra = device.upload("starts", *given)
            source = np.where(source >= 0, np.repeat(np.arange(len(tries.starts)), tries.starts), -1)
        if self.recipe is None:
            cells = self.batch.pattern.cells(tries.replicate)
            counts = np.zeros((len(cells), self.batch.layout.slots), self.count_dtype)
            counts[:, self.batch.layout.slot] = cells
            (arguments.counts,) = device.upload("counts", counts)
            replicate = np.repeat(np.arange(len(cells)), tries.starts)
        arguments.replicate, arguments.number, arguments.start, arguments.source = device.upload(
            "jobs", replicate.astype(np.uint32), np.repeat(tries.number, tries.starts).astype(np.uint64),
            start.astype(np.int32), source.astype(np.int32),
        )  # fmt: skip
        item = self.dtype.itemsize
        arguments.W = device.array("W", jobs * self.m * self.k * item)
        arguments.H = device.array("H", jobs * self.columns * self.k * item)
        answers = device.array("answers", 32 * jobs)
        arguments.numbers, arguments.n_iter, arguments.status = answers, answers + 24 * jobs, answers + 28 * jobs
        self._launch(jobs)
        found = device.pinned.empty((32 * jobs,), np.uint8)
        device.download(found, answers)
        return {
            "numbers": found[: 24 * jobs].view(np.float64).reshape(jobs, 3),
            "n_iter": found[24 * jobs : 28 * jobs].view(np.int32),
            "status": found[28 * jobs :].view(np.int32),
        }

    def _launch(self, jobs: int) -> None:
        # The first placement that the driver grants: what a block needs beside its parts only the compiler knows.
        device, arguments, item = self.device, self.arguments, self.dtype.itemsize
        refused: Exception | None = None
        while self.ways:
            way = self.ways[0]
            arguments.work_size = self._work_size()
            arguments.work = device.array("work", jobs * arguments.work_size * item)
            if self.recipe is not None:
                size = self.batch.layout.slots * self.count_dtype.itemsize
                arguments.counts = 0 if way.counts else device.array("counts", jobs * size)
                arguments.there = device.array("there", jobs * arguments.stars) if self.code.drawn == DELETION else 0
            kernel = device.kernel("solve", SOURCE, self.code.definitions(*way[:3]))
            if way.nbytes <= kernel.most_shared and kernel.blocks(self.code.threads, way.nbytes):
                device.launch(kernel, jobs, self.code.threads, way.nbytes, arguments)
                return
            refused = DriverError(f"solve needs {way.nbytes + kernel.static_shared} bytes of shared memory")
            self.ways.pop(0)
        raise refused or CompilerError("no placement fits the device")

    def _emit(self, winner: np.ndarray, answers: Answers) -> None:
        device, given, item = self.device, Emission(), self.dtype.itemsize
        count = len(winner)
        given.winner = device.upload("winners", winner.astype(np.uint32))[0]
        given.column, given.W, given.H = self.arguments.column, self.arguments.W, self.arguments.H
        given.m, given.n, given.columns = self.m, self.n, self.columns
        given.out_W = device.array("out_W", count * self.m * self.k * item)
        given.out_H = device.array("out_H", count * self.n * self.k * item)
        kernel = device.kernel("emit", SOURCE, self.code.definitions(*self.ways[0][:3]))
        device.launch(kernel, count, self.code.threads, 0, given)
        device.download(answers.W, given.out_W)
        device.download(answers.H, given.out_H)

    def _work_size(self) -> int:
        # Numbers of the factors' type that a job needs in global memory; see interface.cuh.
        short = self.m * self.k
        sizes = [self.columns * self.k, short, self.m] + ([] if self.ways[0].short else [self.code.shorts * short])
        return sum(-(-size // 4) * 4 for size in sizes)

    def _common(self) -> Arguments:
        # What no chunk changes: the pattern, the recipe of the draw, one start for all, the rule and the limits.
        batch, device, arguments = self.batch, self.device, Arguments()
        layout, recipe, rule, limits = batch.layout, self.recipe, batch.rule, batch.limits
        names, arrays = ["slice_start", "slot_row", "row_start", "row_entry", "column"], list(layout[:5])
        if recipe is not None:
            slots = np.append(layout.slot, np.int32(-1))  # the cell in place of none
            order, bins, drops = (x.astype(np.uint32) for x in recipe[-3:])
            names += ["star_slot", "thresholds", "order", "bins", "drops", "drops_before"]
            before = np.concatenate([[0], np.cumsum(drops)])[:-1] if len(drops) else drops
            arrays += [slots[recipe.cells], recipe.thresholds, order, bins, drops, before.astype(np.uint32)]
            arguments.stars, arguments.images, arguments.number_of_bins = recipe.stars, recipe.images, len(drops)
            arguments.draw_seed, arguments.draw_first = int(recipe.seed) % 2**64, int(recipe.first)
        if len(batch.W0) == 1:
            names += ["W0", "H0", "extra"]
            arrays += [batch.W0, batch.H0, batch.extra]
        for name, address in zip(names, device.upload("pattern", *arrays), strict=True):
            setattr(arguments, name, address)
        arguments.start_seed, arguments.fitted = batch.seed % 2**64, int(batch.fitted)
        arguments.m, arguments.n, arguments.columns = self.m, self.n, self.columns
        for name, value in limits._asdict().items():
            setattr(arguments, name, value)
        arguments.l1_W, arguments.l2_W, arguments.l1_H, arguments.l2_H = rule.W.l1, rule.W.l2, rule.H.l1, rule.H.l2
        return arguments


DELETION = 3


def best(loss: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the best job of each replicate, whose jobs are first[i] to first[i + 1] - 1: the earliest of equals."""
    winner = first[:-1].copy()
    starts = np.diff(first)
    for start in range(1, int(starts.max(initial=0))):
        some = np.flatnonzero(starts > start)
        other = first[some] + start
        wins = clearly_better(loss[other], loss[winner[some]])
        winner[some[wins]] = other[wins]
    return winner
