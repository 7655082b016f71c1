"""Dense batches that do not fit into a device's memory are solved in halves, with the same numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ParamSpec

import numpy as np
import torch

from .result import Result

P = ParamSpec("P")


def halving(factorise: Callable[P, Result]) -> Callable[P, Result]:
    """Return `factorise` made to halve its batch, and each half again, where torch says that memory ran out.

    Replicates do not depend on what else is in the batch, so nothing changes but the time it takes. A single problem
    that does not fit is an error, as before.
    """

    @functools.wraps(factorise)
    def fitting(*arguments: P.args, **options: P.kwargs) -> Result:
        try:
            return factorise(*arguments, **options)
        except torch.OutOfMemoryError:
            V: Any = arguments[0] if arguments else options["V"]
            if not isinstance(V, (np.ndarray, torch.Tensor)) or V.ndim != 3 or len(V) < 2:
                raise
        # Outside the handler, whose traceback keeps what filled the memory alive.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(V) // 2
        parts = [_part(fitting, V, arguments[1:], options, *ends) for ends in ((0, middle), (middle, len(V)))]
        join: Any = torch.cat if isinstance(V, torch.Tensor) else np.concatenate
        return Result(**{f.name: join([getattr(part, f.name) for part in parts]) for f in fields(Result)})

    return fitting


def _part(fitting: Any, V: Any, rest: tuple[Any, ...], options: Any, first: int, last: int) -> Result:
    B = len(V)

    def cut(x: Any) -> Any:
        return x[first:last] if x is not None and np.ndim(x) == 3 and len(x) == B else x

    mine = {name: x for name, x in options.items() if name != "V"}
    mine["first_replicate"] = mine.get("first_replicate", 0) + first
    mine["weight"] = cut(mine.get("weight"))
    if isinstance(mine.get("init"), (tuple, list)):
        mine["init"] = tuple(cut(x) for x in mine["init"])
    return fitting(V[first:last], *rest, **mine)
