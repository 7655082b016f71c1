"""The structures that the kernels take, as interface.cuh has them, and what is built into their code."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np

from ...losses import FLOOR
from ...rules.hals import GROW, GROW_LIMIT, MOMENTUM, SHRINK
from ...rules.multiplicative import ROOM

POINTERS = (
    "slice_start slot_row row_start row_slot row_column column star_slot thresholds order bins drops drops_before "
    "replicate number start source W0 H0 extra counts taken W H H_before spare n_iter status numbers"
).split()
WIDE = ["draw_seed", "draw_first", "start_seed"]
REALS = "tol slowest rounding mass_rounding l1_W l2_W l1_H l2_H".split()
WHOLE = "m n columns slots stars images number_of_bins taken_words max_iter every".split()
TYPES = {
    np.dtype(np.uint8): "unsigned char", np.dtype(np.uint16): "unsigned short", np.dtype(np.uint32): "unsigned",
    np.dtype(np.float32): "float", np.dtype(np.float64): "double",
}  # fmt: skip


class Arguments(ctypes.Structure):
    """What `solve` takes; a name that is not set is a null pointer or zero."""

    _fields_ = (
        [(name, ctypes.c_void_p) for name in POINTERS]
        + [(name, ctypes.c_uint64) for name in WIDE]
        + [(name, ctypes.c_double) for name in REALS]
        + [(name, ctypes.c_int) for name in WHOLE]
    )


class Emission(ctypes.Structure):
    """What `emit` takes."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("winner", "column", "W", "H", "out_W", "out_H")] + [
        (name, ctypes.c_int) for name in ("m", "n", "columns", "padding")
    ]


class Code(NamedTuple):
    """What is built into the code of a kernel."""

    k: int
    dtype: np.dtype[Any]  # of the factors
    count_dtype: np.dtype[Any]
    kind: int  # of half-steps; see interface.cuh
    sweeps_W: int
    sweeps_H: int
    extrapolated: bool
    drawn: int  # 0 for counts that are given, else the scheme's number and one
    threads: int

    def definitions(self, short: bool, H: bool, counts: bool) -> tuple[tuple[str, str], ...]:
        """Return the definitions for NVRTC; `short`, `H` and `counts` tell what lies in shared memory."""
        built: dict[str, Any] = {
            "K": self.k, "REAL": TYPES[self.dtype], "COUNT": TYPES[self.count_dtype], "KIND": self.kind,
            "SWEEPS_W": self.sweeps_W, "SWEEPS_H": self.sweeps_H, "EXTRAPOLATED": int(self.extrapolated),
            "DRAWN": self.drawn, "THREADS": self.threads, "SHORT_SHARED": int(short), "H_SHARED": int(H),
            "COUNTS_SHARED": int(counts), "MOMENTUM": MOMENTUM, "SHRINK": SHRINK, "GROW": GROW,
            "GROW_LIMIT": GROW_LIMIT, "ROOM": ROOM, "FLOOR": FLOOR,
        }  # fmt: skip
        return tuple((name, str(value)) for name, value in built.items())
