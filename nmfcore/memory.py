"""Dense batches that do not fit into a device's memory are solved in halves, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .late import is_tensor, torch
from .request import Request
from .result import Result, concatenate


def in_halves(solve: Callable[[Request], Result], request: Request) -> Result:
    """Return solve(request); where torch runs out of memory, of either half of the batch, and each half again.

    Replicates do not depend on what else is in the batch, so nothing changes but the time it takes.

    Raises
    ------
    torch.OutOfMemoryError
        If a single problem does not fit.
    """
    V = request.V
    try:
        return solve(request)
    except torch.OutOfMemoryError:
        if not (isinstance(V, np.ndarray) or is_tensor(V)) or V.ndim != 3 or len(V) < 2:
            raise
    # Outside the handler, whose traceback keeps what filled the memory alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(V) // 2
    return concatenate([in_halves(solve, _part(request, *ends)) for ends in ((0, middle), (middle, len(V)))])


def _part(request: Request, first: int, last: int) -> Request:
    chosen = slice(first, last)
    return request.with_data(
        request.V[chosen],
        init=request.part_of_init(request.init, chosen),
        weight=request.part_of_weight(chosen),
        first_replicate=request.first_replicate + first,
    )
