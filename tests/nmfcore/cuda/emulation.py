"""The kernels of nmfcore/kernels/cuda on the CPU: built by g++, launched through ctypes on arrays of numpy."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from nmfcore.kernels.cuda.arguments import POINTERS, SHORTS, TYPES, Arguments
from nmfcore.kernels.settings import MU

from .standin import build_on_cpu

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[2] / "nmfcore" / "kernels" / "cuda"
FOLDER = Path(tempfile.gettempdir()) / f"nmfcore-kernels-on-cpu-{os.getuid()}"

MULTINOMIAL, POISSON, DELETION = 1, 2, 3


@dataclass(frozen=True)
class Build:
    """What is built into the code: see interface.cuh."""

    k: int
    kind: int = MU
    dtype: Any = np.float32
    counts: Any = np.uint8
    row: Any = np.uint16
    entry: Any = np.uint32
    sweeps: tuple[int, int] = (1, 1)
    extrapolated: bool = False
    drawn: int = 0
    threads: int = 64
    shared: tuple[bool, bool, bool] = (True, True, True)
    without: int = 0
    flags: tuple[str, ...] = ()
    alone: bool = False  # the draw is all that is built

    def macros(self) -> dict[str, str]:
        """Return the macros."""
        types = {"REAL": self.dtype, "COUNT": self.counts, "ROW": self.row, "ENTRY": self.entry}
        numbers = {
            "K": self.k, "KIND": self.kind, "SWEEPS_W": self.sweeps[0], "SWEEPS_H": self.sweeps[1],
            "EXTRAPOLATED": self.extrapolated, "DRAWN": self.drawn, "THREADS": self.threads, "WITHOUT": self.without,
        }  # fmt: skip
        places = zip(("SHORT_SHARED", "H_SHARED", "COUNTS_SHARED"), self.shared, strict=True)
        return (
            {name: TYPES[np.dtype(kind)] for name, kind in types.items()}
            | {name: str(int(number)) for name, number in numbers.items()}
            | {name: str(int(shared)) for name, shared in places}
        )

    @property
    def shorts(self) -> int:
        """Return how many arrays are as long as W."""
        return 4 if self.extrapolated else SHORTS.get(self.kind, 2)

    def nbytes(self, layout: Layout) -> int:
        """Return the dynamic shared memory of a block."""
        item = self.k * np.dtype(self.dtype).itemsize
        parts = (self.shorts * layout.m * item, layout.columns * item, layout.slots * np.dtype(self.counts).itemsize)
        return sum(-(-size // 16) * 16 for size, shared in zip(parts, self.shared, strict=True) if shared)

    def work_size(self, layout: Layout) -> int:
        """Return the numbers of global memory for each job."""
        shorts = 0 if self.shared[0] else self.shorts * layout.m * self.k
        return sum(-(-size // 4) * 4 for size in (layout.columns * self.k, layout.m * self.k, layout.m, shorts))


@functools.cache
def library(build: Build) -> ctypes.CDLL:
    """Build the kernels, once for each text of them."""
    macros = [f"-D{name}={value}" for name, value in build.macros().items()] + ["-DDRAWS_ALONE"] * build.alone
    texts = [
        path.read_bytes() for path in sorted([*SOURCES.glob("*.cu*"), *HERE.glob("on_cpu.*"), HERE / "kernels.cpp"])
    ]
    name = hashlib.sha256(b"\0".join([*texts, repr((macros, build.flags)).encode()])).hexdigest()[:24]
    path = FOLDER / f"{name}.so"
    build_on_cpu("kernels.cpp", macros, path, build.flags)
    found = ctypes.CDLL(str(path))
    found.what_went_wrong.restype = ctypes.c_char_p
    found.argument_bytes.restype = ctypes.c_uint64
    assert found.argument_bytes() == ctypes.sizeof(Arguments)
    return found


def launch(build: Build, kernel: str, blocks: int, nbytes: int, given: ctypes.Structure, order: int = 0) -> None:
    """Run a kernel; RuntimeError says what a GPU would not have liked."""
    # A draw by itself needs nothing else of the kernels.
    code = library(replace(build, alone=kernel == "draw"))
    pointers = (ctypes.c_void_p * 1)(ctypes.addressof(given))
    if getattr(code, f"run_{kernel}")(blocks, build.threads, nbytes, pointers, order):
        raise RuntimeError(code.what_went_wrong().decode())


@dataclass(frozen=True)
class Layout:
    """Where the cells of a pattern stand: see interface.cuh. `cell_slot` is each cell's slot, cells by column."""

    m: int
    columns: int
    slots: int
    slice_start: np.ndarray
    slot_row: np.ndarray
    row_start: np.ndarray
    row_entry: np.ndarray
    order: np.ndarray
    cell_slot: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, start: np.ndarray, m: int, row: Any = np.uint16, entry: Any = np.uint32) -> Layout:
        """Return the layout of cells whose rows are given by column, column j from start[j] on."""
        lengths = np.diff(start)
        order = np.argsort(-lengths, kind="stable")
        columns = len(order)
        slices = -(-columns // 32)
        sizes = np.array([lengths[order[32 * s]] * 32 for s in range(slices)])
        slice_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)
        position = np.empty(columns, np.int64)
        position[order] = np.arange(columns)
        of_cell = position[np.repeat(np.arange(columns), lengths)]
        inside = np.arange(len(rows)) - np.repeat(start[:-1], lengths)
        cell_slot = slice_start[of_cell // 32].astype(np.int64) + 32 * inside + of_cell % 32
        slots = int(slice_start[-1])
        slot_row = np.zeros(slots, row)
        slot_row[cell_slot] = rows
        by_row = np.lexsort((of_cell, rows))
        half = 4 * np.dtype(entry).itemsize
        packed = cell_slot[by_row].astype(np.uint64) | of_cell[by_row].astype(np.uint64) << np.uint64(half)
        row_start = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=m))]).astype(np.uint32)
        return cls(m, columns, slots, slice_start, slot_row, row_start, packed.astype(entry), order, cell_slot)

    def place(self, cells: np.ndarray, dtype: Any) -> np.ndarray:
        """Return counts (replicates, slots) of cells (replicates, cells)."""
        counts = np.zeros((len(cells), self.slots), dtype)
        counts[:, self.cell_slot] = cells
        return counts


@dataclass
class Task:
    """A launch: the build, the layout, and arrays and numbers by the names of interface.cuh."""

    build: Build
    layout: Layout
    n: int
    jobs: int
    values: dict[str, Any] = field(default_factory=dict)

    def arguments(self) -> tuple[Arguments, SimpleNamespace]:
        """Return what a kernel is given, and the arrays of its answers."""
        build, layout = self.build, self.layout
        k, dtype, jobs = build.k, np.dtype(build.dtype), self.jobs
        arrays: dict[str, Any] = {
            "slice_start": layout.slice_start,
            "slot_row": layout.slot_row,
            "row_start": layout.row_start,
            "row_entry": layout.row_entry,
            "replicate": np.arange(jobs),
            "source": np.zeros(jobs),
            "W": np.full((jobs, layout.m, k), np.nan),
            "H": np.full((jobs, layout.columns, k), np.nan),
            "n_iter": np.full(jobs, -1),
            "status": np.full(jobs, -1),
            "numbers": np.full((jobs, 3), np.nan),
            "work": np.full((jobs, build.work_size(layout)), np.nan),
            "column": layout.order,
        }
        types = {
            "slice_start": np.uint32, "slot_row": build.row, "row_start": np.uint32, "row_entry": build.entry,
            "column": np.uint32, "star_slot": np.int32, "thresholds": np.uint32, "order": np.uint32, "bins": np.uint32,
            "drops": np.uint32, "drops_before": np.uint32, "replicate": np.uint32, "number": np.uint64,
            "start": np.int32, "source": np.int32, "extra": np.float64, "counts": build.counts, "there": np.uint8,
            "n_iter": np.int32, "status": np.int32, "numbers": np.float64,
        }  # fmt: skip
        arrays |= {name: x for name, x in self.values.items() if name in POINTERS}
        kept = {name: np.ascontiguousarray(x, types.get(name, dtype)) for name, x in arrays.items()}
        given = Arguments(
            m=layout.m, n=self.n, columns=layout.columns, work_size=build.work_size(layout), max_iter=1000, every=10,
            tol=1e-5, slowest=0.999, rounding=4 * np.finfo(dtype).eps, mass_rounding=64 * np.finfo(dtype).eps,
        )  # fmt: skip
        for name, x in kept.items():
            setattr(given, name, x.ctypes.data)
        for name, x in self.values.items():
            if name not in POINTERS:
                setattr(given, name, x)
        return given, SimpleNamespace(**kept)

    def run(self, kernel: str = "solve", order: int = 0) -> SimpleNamespace:
        """Run a kernel and return its arrays; H by columns of the pattern, (jobs, k, columns)."""
        given, arrays = self.arguments()
        launch(self.build, kernel, self.jobs, self.build.nbytes(self.layout) if kernel == "solve" else 0, given, order)
        components = np.empty((self.jobs, self.build.k, self.layout.columns), self.build.dtype)
        components[:, :, self.layout.order] = arrays.H.transpose(0, 2, 1)
        arrays.components = components
        return arrays
