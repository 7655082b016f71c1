"""Replicates that a compiled loop left with a dead component, solved further by the dense one, which gives it back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..dense import CHUNK_ENTRIES, solve_batch
from ..request import Request
from ..result import FIELDS, Result
from ..stopping import Status


def without_dead(request: Request, result: Result, chosen: np.ndarray) -> Result:
    """Return `result`, that of the replicates `chosen` of a pattern, with those solved further that need it.

    The loops mark every replicate with a dead component as stuck; whether it has anything to gain, and where, takes
    V - W H, which only the dense loop makes. Such replicates are few.
    """
    W, H = result.W, result.H
    stuck = np.flatnonzero(result.status == int(Status.STUCK))
    dead = stuck[~(W[stuck].any(axis=1) & H[stuck].any(axis=2)).all(axis=1)]
    pattern = request.V
    if len(dead) == 0 or pattern.on_device is not None:
        return result
    size = max(1, CHUNK_ENTRIES // (pattern.shape[1] * pattern.shape[2]))
    result = result.map(np.array)
    for first in range(0, len(dead), size):
        rows = dead[first : first + size]
        again = request.with_data(
            pattern.to_dense(chosen[rows], dtype=W.dtype), init=(W[rows], H[rows]), starts=1, device=None, dtype=None,
            progress=None,
        )  # fmt: skip
        further = solve_batch(again)
        further = replace(further, n_iter=further.n_iter + result.n_iter[rows], start=result.start[rows])
        for name in FIELDS:
            getattr(result, name)[rows] = getattr(further, name)
    return result
