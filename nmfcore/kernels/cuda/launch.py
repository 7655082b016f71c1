"""The host's side of the GPU kernels: what lies where, how large chunks are, and which device gets which replicates.

Only the functions that talk to a device import numba's CUDA support.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ...pattern import SharedPattern
    from ..least_squares import Limits, Rule

# Threads per block, a power of two, and registers per thread: five blocks of this size then share a multiprocessor.
THREADS, REGISTERS = 128, 96
# What every device grants a block without being asked, and what each block loses of the most it can ask for.
PLAIN_SHARED, RESERVED_SHARED = 48 * 1024, 1024
# Share of the free memory that a chunk may fill.
FILL = 0.8


class Placement(NamedTuple):
    """What one fit keeps in shared memory, and the bytes that takes."""

    factors: bool
    H: bool
    cells: bool
    nbytes: int


@dataclass(frozen=True, eq=False)
class DevicePart:
    """The counts of the replicates first to last - 1 on one device: words of 32 bits, shape (replicates, words)."""

    device: int
    first: int
    last: int
    words: Any
    dtype: np.dtype[Any]

    def cells(self, replicates: np.ndarray, cell_count: int) -> np.ndarray:
        """Return the counts of some replicates, copied from the device; shape (replicates, cells)."""
        first, last = int(replicates.min()), int(replicates.max()) + 1
        words: np.ndarray = np.ascontiguousarray(self.words[first - self.first : last - self.first].copy_to_host())
        return words.view(self.dtype)[replicates - first, :cell_count]


class Layout(NamedTuple):
    """A pattern's places as the kernels read them: by column, and once more by row."""

    rows: np.ndarray
    start: np.ndarray
    order: np.ndarray  # columns, longest first: threads side by side then have alike work
    row_start: np.ndarray
    row_cell: np.ndarray
    row_column: np.ndarray


def layout_of(pattern: SharedPattern) -> Layout:
    """Return the places of a pattern's cells for the kernels."""
    lengths = np.diff(pattern.start)
    by_row = np.argsort(pattern.rows, kind="stable")
    column = np.repeat(np.arange(len(lengths)), lengths)[by_row]
    row_start = np.concatenate([[0], np.cumsum(np.bincount(pattern.rows, minlength=pattern.shape[1]))])
    return Layout(
        pattern.rows,
        pattern.start.astype(np.int32),
        np.argsort(-lengths, kind="stable").astype(np.int32),
        row_start.astype(np.int32),
        by_row.astype(_index_dtype(len(by_row))),
        column.astype(_index_dtype(len(lengths))),
    )


def group_size(k: int) -> int:
    """Return how many sums are added up across a block at once."""
    return max(k, 6)


def scratch_size(k: int, threads: int) -> int:
    """Return the numbers that a block needs in shared memory for its sums and Gram matrices."""
    return group_size(k) * threads + k * (k + 1) // 2 + k + 2 * k * k + max(k, 3) + 2 * k


def holds(k: int, item: int) -> bool:
    """Tell whether every device can run the kernel for k components with factors of `item` bytes an entry."""
    return scratch_size(k, THREADS) * item <= PLAIN_SHARED


def place(
    k: int, m: int, columns: int, cells: int, item: int, value_item: int, threads: int, limit: int
) -> Placement | None:
    """Decide what fits into `limit` bytes of shared memory: first the factors of the short side, then H, then cells.

    `item` and `value_item` are the bytes of a factor's entry and of a cell. None if not even the scratch space fits.
    """
    used = scratch_size(k, threads) * item
    if used > limit:
        return None
    kept = []
    for size in ((4 * m * k + m) * item, columns * k * item, cells * value_item):
        kept.append(used + size <= limit)
        used += size if kept[-1] else 0
    # numba sees the same bytes as arrays of 8-byte numbers.
    return Placement(kept[0], kept[1], kept[2], -(-used // 8) * 8)


def split(count: int, parts: int) -> list[tuple[int, int]]:
    """Return `parts` ranges, as even as can be, that cover 0 to `count`; no more than there are things."""
    parts = max(1, min(parts, count))
    edges = [count * i // parts for i in range(parts + 1)]
    return list(itertools.pairwise(edges))


def in_chunks(work: Callable[[int, int], None], count: int, size: Callable[[], float]) -> None:
    """Call work(first, last) on chunks of at most size(), asked each time; halve a chunk where memory runs out.

    Raises
    ------
    Exception
        Whatever `work` raises but for lack of memory, and that too where a chunk is a single replicate.
    """
    first, most = 0, count
    while first < count:
        length = int(max(1, min(most, size(), count - first)))
        try:
            work(first, first + length)
        except Exception as error:
            if length == 1 or not is_out_of_memory(error):
                raise
            most = length // 2
        else:
            first += length


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a CUDA error says that memory ran out."""
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in f"{error}".upper().replace(" ", "_")


def on_devices(work: Callable[[int, Any], None], tasks: Sequence[tuple[int, Any]]) -> None:
    """Call work(device, task) with each device current, all devices at once."""
    from numba import cuda

    def run(device: int, task: Any) -> None:
        with cuda.gpus[device]:
            work(device, task)

    if len(tasks) == 1:
        run(*tasks[0])
        return
    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, *task) for task in tasks]:
            done.result()


def visible_devices(device: Any) -> list[int]:
    """Return the numbers of the devices that "cuda" or "cuda:1" stands for; none where there are none.

    Importing numba's CUDA support is left to this call; where it is missing there are none either.
    """
    try:
        from numba import cuda

        if not cuda.is_available():
            return []
        number = len(list(cuda.gpus))
    except ImportError:
        return []
    _, _, index = str(device).partition(":")
    return list(range(number)) if not index else [int(index)] if int(index) < number else []


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
    """Solve the replicates `chosen` from their starts on the devices, as `cpu.frobenius` does on the CPU.

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
        kept = pattern.values.dtype
        # Cells are not wider than the factors, so that they can lie behind them.
        self.value_dtype = self.dtype if kept.itemsize > self.dtype.itemsize else kept
        self.layout = [cuda.to_device(x) for x in layout]
        self.reals = cuda.to_device(
            np.array([limits.tol, limits.slowest, limits.rounding, limits.mass_rounding, *rule[4:]], np.float64)
        )
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
        given = [cuda.to_device(np.ascontiguousarray(x)) for x in (chosen.astype(np.int64), W0, H0, extra)]

        def prepared(limit: int) -> tuple[Any, tuple[Any, ...], int]:
            where = self._placement(limit)
            spare = cuda.device_array((1, 1) if where.factors else (jobs, 3 * short + self.m), self.dtype)
            arguments = (
                values, given[0], *self.layout, *given[1:], self.reals, self.whole, W, H, W_before, H_before, spare,
                n_iter, status, numbers,
            )  # fmt: skip
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
        sweeps = rule.sweeps_W, rule.sweeps_H
        return solver(
            self.k, self.dtype, self.value_dtype, rule.kind, sweeps, rule.extrapolated, THREADS, REGISTERS, where
        )


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

        from .solve import drawer

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


def _index_dtype(count: int) -> np.dtype[Any]:
    return np.dtype(np.uint16 if count <= 2**16 else np.uint32)
