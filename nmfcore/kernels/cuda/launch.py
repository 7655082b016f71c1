"""The host's side of the GPU kernels: arrays to the devices and back, and one launch per chunk of replicates.

Only the functions that talk to a device import numba's CUDA support.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..settings import Limits, Rule
from .build import Answers, Build, Memory, Starts
from .devices import DevicePart, in_chunks, on_devices, split
from .placement import PLAIN_SHARED, Layout, Placement, layout_of, place, scratch_size

if TYPE_CHECKING:
    from ...pattern import SharedPattern

# Threads per block, a power of two, and registers per thread: five such blocks then fit on a multiprocessor.
THREADS, REGISTERS = 128, 96
# What each block loses of the most shared memory that it can ask for.
RESERVED_SHARED = 1024
# Fraction of the free memory that a chunk may fill.
FILL = 0.8


def holds(k: int, item: int) -> bool:
    """Tell whether every device can run the kernel for k components with factors of `item` bytes an entry."""
    return scratch_size(k, THREADS) * item <= PLAIN_SHARED


def frobenius(
    pattern: SharedPattern,
    chosen: np.ndarray,
    W0: np.ndarray,
    H0: np.ndarray,
    extra: np.ndarray,
    rule: Rule,
    limits: Limits,
    devices: Sequence[int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Solve the replicates `chosen` from their starts on the devices, as `least_squares.frobenius` does on the CPU.

    Returns
    -------
    W, H, n_iter, status, numbers : ndarray
        Shapes (jobs, m, k), (jobs, k, n), (jobs,), (jobs,), and (jobs, 3): loss, divergence, KKT residual.
    """
    jobs, (m, n), k = len(chosen), pattern.shape[1:], W0.shape[-1]
    W, H = np.zeros((jobs, m, k), W0.dtype), np.zeros((jobs, k, n), W0.dtype)
    n_iter, status, numbers = np.zeros(jobs, np.int64), np.zeros(jobs, np.int64), np.zeros((jobs, 3))
    layout, start_H = layout_of(pattern), np.ascontiguousarray(H0[:, :, pattern.columns])

    def work(device: int, task: tuple[np.ndarray, DevicePart | None]) -> None:
        mine, part = task
        run = _Runner(pattern, layout, rule, limits, k, W0.dtype, part)

        def chunk(first: int, last: int) -> None:
            some = mine[first:last]
            starts = [x if len(x) == 1 else x[some] for x in (W0, start_H, extra)]
            factor, components, n_iter[some], status[some], numbers[some] = run(chosen[some], *starts)
            W[some] = factor.reshape(-1, m, k)
            H[some[:, None, None], np.arange(k)[:, None], pattern.columns] = components.reshape(
                len(some), -1, k
            ).transpose(0, 2, 1)

        in_chunks(chunk, len(mine), run.room)

    on_devices(work, _tasks(pattern, chosen, devices))
    return W, H, n_iter, status, numbers


def _tasks(pattern: SharedPattern, chosen: np.ndarray, devices: Sequence[int]) -> list[tuple[int, Any]]:
    # Counts that are on devices are worked on where they are; others are shared out.
    if pattern.on_device is None:
        ranges = split(len(chosen), len(devices))
        return [(d, (np.arange(*r), None)) for d, r in zip(devices, ranges, strict=False)]
    inside = [(part, np.flatnonzero((chosen >= part.first) & (chosen < part.last))) for part in pattern.on_device]
    return [(part.device, (jobs, part)) for part, jobs in inside if len(jobs)]


class _Runner:
    """Launches the solver for chunks of replicates on the current device."""

    def __init__(
        self, pattern: SharedPattern, layout: Layout, rule: Rule, limits: Limits, k: int, dtype: Any,
        part: DevicePart | None,
    ) -> None:  # fmt: skip
        from numba import cuda

        self.cuda, self.pattern, self.part, self.k, self.dtype = cuda, pattern, part, k, np.dtype(dtype)
        self.m, self.count = pattern.shape[1], len(pattern.columns)
        self.rule = rule
        kept = pattern.dtype
        # Cells are not wider than the factors, so that they can lie behind them.
        self.value_dtype = self.dtype if kept.itemsize > self.dtype.itemsize else kept
        self.layout = Layout(*(cuda.to_device(x) for x in layout))
        self.reals = cuda.to_device(np.array([*limits[:4], rule.W.l1, rule.W.l2, rule.H.l1, rule.H.l2], np.float64))
        self.whole = cuda.to_device(np.array([limits.max_iter, limits.every], np.int64))
        self.most = _most_shared(cuda)

    def room(self) -> float:
        """Return how many replicates the free memory holds."""
        long, short, item = self.count * self.k, self.m * self.k, self.dtype.itemsize
        # Starts, factors, those of the check before, spare room; cells where they are not on the device already.
        each = item * (3 * long + 6 * short + self.m) + 64
        each += 0 if self.part is not None else len(self.pattern.rows) * self.value_dtype.itemsize
        return float(FILL * self.cuda.current_context().get_memory_info().free / each)

    def __call__(
        self, replicates: np.ndarray, W0: np.ndarray, H0: np.ndarray, extra: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Return W (jobs, m k), H (jobs, columns k), n_iter, status and numbers of some replicates."""
        cuda, jobs = self.cuda, len(replicates)
        if self.part is None:
            cells = self.pattern.cells(replicates).astype(self.value_dtype)
            values, chosen = cuda.to_device(np.ascontiguousarray(cells)), np.arange(jobs)
        else:
            values, chosen = self.part.words.view(self.part.dtype), replicates - self.part.first
        long, short = self.count * self.k, self.m * self.k
        W, W_before = (cuda.device_array((jobs, short), self.dtype) for _ in range(2))
        H, H_before = (cuda.device_array((jobs, long), self.dtype) for _ in range(2))
        n_iter, status = (cuda.device_array(jobs, np.int64) for _ in range(2))
        numbers = cuda.device_array((jobs, 3), np.float64)
        job, *given = (cuda.to_device(np.ascontiguousarray(x)) for x in (chosen.astype(np.int64), W0, H0, extra))
        starts, answers = Starts(*given), Answers(W, H, n_iter, status, numbers)

        def prepared(limit: int) -> tuple[Any, tuple[Any, ...], int]:
            where = self._placement(limit)
            spare = cuda.device_array((1, 1) if where.factors else (jobs, 3 * short + self.m), self.dtype)
            memory = Memory(W_before, H_before, spare)
            arguments = (values, job, self.layout, starts, self.reals, self.whole, answers, memory)
            return self._kernel(where), arguments, where.nbytes

        kernel, arguments, nbytes = prepared(self.most)
        if nbytes > PLAIN_SHARED and not _allow(kernel, arguments, nbytes):
            kernel, arguments, nbytes = prepared(PLAIN_SHARED)
        kernel[jobs, THREADS, 0, nbytes](*arguments)
        return tuple(x.copy_to_host() for x in (W, H, n_iter, status, numbers))

    def _placement(self, limit: int) -> Placement:
        item, value_item = self.dtype.itemsize, self.value_dtype.itemsize
        where = place(self.k, self.m, self.count, len(self.pattern.rows), item, value_item, THREADS, limit)
        assert where is not None, "`holds` was not asked"
        return where

    def _kernel(self, where: Placement) -> Any:
        from .solve import solver

        rule = self.rule
        build = Build(
            self.k, self.dtype, self.value_dtype, rule.W.kind, rule.W.sweeps, rule.H.sweeps, rule.extrapolated,
            THREADS, REGISTERS, where,
        )  # fmt: skip
        return solver(build)


def draw(
    cell: np.ndarray, scheme: int, seed: int, first: int, replicates: int, order: np.ndarray, bins: np.ndarray,
    drops: np.ndarray, cell_count: int, dtype: np.dtype[Any], devices: Sequence[int],
) -> tuple[DevicePart, ...]:  # fmt: skip
    """Draw the counts of `resample.bootstrap` on the devices, and leave them there."""
    from ..sampling import DELETE

    width = -(-cell_count * dtype.itemsize // 4)
    before = np.concatenate([[0], np.cumsum(drops)]).astype(np.int64)
    parts: dict[int, DevicePart] = {}

    def work(device: int, task: tuple[int, int]) -> None:
        from numba import cuda

        from .draw import drawer

        begin, end = task
        words = cuda.to_device(np.zeros((end - begin, width), np.uint32))
        places = [cuda.to_device(np.ascontiguousarray(x)) for x in (cell, order, bins, drops, before)]
        kernel = drawer(scheme, THREADS, dtype.itemsize)
        star, *rest = places

        def chunk(low: int, high: int) -> None:
            weight = cuda.device_array((high - low, len(cell)) if scheme == DELETE else (1, 1), np.uint8)
            names = [cuda.to_device(np.array([x], np.uint64)) for x in (seed, first + begin + low)]
            kernel[high - low, THREADS](words[low:high], star, *names, *rest, weight)
            cuda.synchronize()

        in_chunks(chunk, end - begin, lambda: FILL * cuda.current_context().get_memory_info().free / len(cell))
        parts[begin] = DevicePart(device, begin, end, words, dtype)

    on_devices(work, list(zip(devices, split(replicates, len(devices)), strict=False)))
    return tuple(parts[begin] for begin in sorted(parts))


def _most_shared(cuda: Any) -> int:
    # The simulator's device has no such attribute.
    most = getattr(cuda.current_context().device, "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN", 0)
    return max(PLAIN_SHARED, int(most) - RESERVED_SHARED)


def _allow(kernel: Any, arguments: tuple[Any, ...], nbytes: int) -> bool:
    # A block may use more than the plain amount of shared memory only where the compiled function was told so. numba
    # has no call for that; where the way below is closed, less is kept in shared memory.
    try:
        from numba.cuda.cudadrv.driver import binding, driver

        compiled = kernel.compile(tuple(kernel.typeof_pyval(x) for x in arguments))
        function = compiled._codelibrary.get_cufunc()
        attribute = binding.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        driver.cuKernelSetAttribute(attribute, nbytes, function.handle, function.device.id)
    except (ImportError, AttributeError, TypeError):
        return False
    return True
