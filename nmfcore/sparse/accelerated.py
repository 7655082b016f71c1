"""The accelerated rule for two components on the CPU: what its kernel is given of a pattern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import LANES
from ..pattern import SharedPattern
from ..rules.rank_two import BLUR, AcceleratedRankTwo


def distinct(init: Any, rule: Any) -> bool:
    """Tell whether a given W says all that the rule needs: the accelerated one begins at W alone."""
    if not isinstance(rule, AcceleratedRankTwo):
        return True
    W = np.asarray(init[0], dtype=np.float64).reshape(-1, *np.shape(init[0])[-2:])
    a, b, c = ((W[:, :, i] * W[:, :, j]).sum(axis=-1) for i, j in ((0, 0), (0, 1), (1, 1)))
    return bool((a * c - b * b > BLUR * np.finfo(np.float32).eps * a * c).all())


def solver_of(
    pattern: SharedPattern, chosen: np.ndarray, starts: Any, columns: np.ndarray, limits: Any, answers: Any
) -> Callable[[int, int], None]:
    """Return a function that solves the tiles first to last - 1 of the jobs; arguments are as in `Kernel.run`.

    Counts that are not drawn yet are drawn where they are solved if the jobs are the pattern's own tiles.
    """
    from ..kernels.pairs import Blocks, blocks, room
    from ..kernels.rank_two import accelerated
    from ..kernels.sampling import DELETE, Recipe
    from ..kernels.tiles import Cells, Jobs

    m = pattern.shape[1]
    drawing, own_tiles = pattern.draw, chosen[0] % LANES == 0 and bool((np.diff(chosen) == 1).all())
    own = drawing.recipe() if drawing is not None and not pattern.drawn and own_tiles else None
    if own is not None and own.scheme != DELETE:
        values, recipe = np.zeros((0, len(pattern.rows) * LANES), pattern.dtype), own
    else:
        nothing: Any = np.zeros(0, np.int64)
        recipe = Recipe(nothing.astype(np.int32), 0, 0, nothing.astype(np.uint32), 0, 0, 0, nothing, nothing, nothing)
        values = pattern.values
    cells, given = Cells(values, pattern.rows, pattern.start, columns), Jobs(chosen, *starts)
    # Behind all columns H is zero.
    by_place = np.full(answers.H.shape[2] + 1, len(pattern.columns) * 2 * LANES, np.int64)
    by_place[columns] = np.arange(len(columns)) * 2 * LANES
    cell, column, begin, row = blocks(pattern.rows, pattern.start, m)
    by_row = Blocks(cell, column, begin, row, by_place)

    def work(first: int, last: int) -> None:
        jobs = first * LANES, min(last * LANES, len(chosen))
        zeros, places = room(values.dtype, answers.W.dtype, len(pattern.rows), m, len(columns))
        accelerated(cells, by_row, recipe, given, *jobs, limits, answers, zeros, places)

    return work


def mixture_solver(
    pattern: SharedPattern, chosen: np.ndarray, starts: Any, columns: np.ndarray, limits: Any, rule: Any, answers: Any
) -> Callable[[int, int], None]:
    """Return a function that solves the tiles first to last - 1 of the jobs by `AcceleratedNewtonKL`."""
    from ..kernels.accelerated import mixtures, room
    from ..kernels.pairs import Blocks, blocks
    from ..kernels.tiles import Cells, Jobs

    m, units = pattern.shape[1], (0,) * answers.W.shape[2]
    cells, given = Cells(pattern.values, pattern.rows, pattern.start, columns), Jobs(chosen, *starts)
    cell, column, begin, row = blocks(pattern.rows, pattern.start, m)
    by_row = Blocks(cell, column, begin, row, np.zeros(0, np.int64))
    nothing = np.zeros((1, len(units) + 1, len(units)), given.extra.dtype)

    def work(first: int, last: int) -> None:
        jobs = first * LANES, min(last * LANES, len(chosen))
        own = room(pattern.values, answers.W.dtype, len(pattern.rows), m, len(columns), len(units))
        mixtures(*own, cells, by_row, given, nothing, *jobs, rule, limits, units, answers)

    return work
