"""What the kernels are given and what is built into them, as interface.cuh says it."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np

from ..settings import ACCELERATED, NEWTON

POINTERS = [
    "slice_start", "slot_row", "row_start", "row_entry", "column", "star_slot", "thresholds", "order", "bins", "drops",
    "drops_before", "replicate", "number", "start", "source", "W0", "H0", "extra", "counts", "there", "W", "H",
    "n_iter", "status", "numbers", "work",
]  # fmt: skip
NAMES = ["draw_seed", "draw_first", "start_seed", "work_size"]
REALS = ["tol", "slowest", "rounding", "mass_rounding", "l1_W", "l2_W", "l1_H", "l2_H"]
WHOLE = ["m", "n", "columns", "stars", "images", "number_of_bins", "max_iter", "every", "fitted", "padding"]
TYPES = {
    np.dtype(np.uint8): "unsigned char", np.dtype(np.uint16): "unsigned short", np.dtype(np.uint32): "unsigned int",
    np.dtype(np.uint64): "unsigned long long", np.dtype(np.float32): "float", np.dtype(np.float64): "double",
}  # fmt: skip
# Arrays of the short factors that each kind of half-step needs, and one that extrapolates.
KL_MU = 5  # the CPU has one kind of multiplicative update for both losses
SHORTS = {NEWTON: 3, KL_MU: 3, ACCELERATED: 6}


class Arguments(ctypes.Structure):
    """What `solve` and `draw` are given; names that are not set are null pointers and zeros."""

    _fields_ = (
        [(name, ctypes.c_void_p) for name in POINTERS]
        + [(name, ctypes.c_uint64) for name in NAMES]
        + [(name, ctypes.c_double) for name in REALS]
        + [(name, ctypes.c_int) for name in WHOLE]
    )


class Emission(ctypes.Structure):
    """What `emit` is given."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("winner", "column", "W", "H", "out_W", "out_H")] + [
        (name, ctypes.c_int) for name in ("m", "n", "columns", "padding")
    ]


class Code(NamedTuple):
    """What is built into the code of the kernels, but for what lies in shared memory."""

    k: int
    dtype: np.dtype[Any]  # of the factors
    count_dtype: np.dtype[Any]
    row_dtype: np.dtype[Any]
    entry_dtype: np.dtype[Any]
    kind: int  # of half-steps
    sweeps_W: int
    sweeps_H: int
    extrapolated: bool
    drawn: int  # 0 for counts that are given, else 1 and the number of the scheme
    threads: int
    blocks: int  # that a multiprocessor is to hold at once, for the compiler's use of registers

    @property
    def shorts(self) -> int:
        """How many arrays of the size of W a block keeps."""
        return 4 if self.extrapolated else SHORTS.get(self.kind, 2)

    def definitions(self, short: bool, H: bool, counts: bool) -> tuple[tuple[str, str], ...]:
        """Return the macros of a build; `short`, `H` and `counts` tell what lies in shared memory."""
        built: dict[str, Any] = {
            "K": self.k, "REAL": TYPES[self.dtype], "COUNT": TYPES[self.count_dtype], "ROW": TYPES[self.row_dtype],
            "ENTRY": TYPES[self.entry_dtype], "KIND": self.kind, "SWEEPS_W": self.sweeps_W, "SWEEPS_H": self.sweeps_H,
            "EXTRAPOLATED": int(self.extrapolated), "DRAWN": self.drawn, "THREADS": self.threads, "BLOCKS": self.blocks,
            "SHORT_SHARED": int(short), "H_SHARED": int(H), "COUNTS_SHARED": int(counts),
        }  # fmt: skip
        return tuple((name, str(value)) for name, value in built.items())
