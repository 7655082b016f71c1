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
    from ..kernels.pairs import Blocks, blocks
    from ..kernels.rank_two import accelerated
    from ..kernels.sampling import Recipe
    from ..kernels.tiles import Cells, Jobs

    m, n = pattern.shape[1:]
    here = pattern.draw is None or pattern.drawn or chosen[0] % LANES != 0 or bool((np.diff(chosen) != 1).any())
    nothing = np.zeros(0, np.int64)
    recipe = Recipe(np.zeros(0, np.int32), 0, 0, np.zeros(0, np.uint32), 0, 0, 0, nothing, nothing, nothing)
    if here:
        values = pattern.values
    else:
        values, recipe = np.zeros((0, len(pattern.rows) * LANES), pattern.dtype), pattern.draw.recipe()
    cells, given = Cells(values, pattern.rows, pattern.start, columns), Jobs(chosen, *starts)
    nothing = len(pattern.columns) * 2 * LANES  # where H is zero
    by_place = np.full(answers.H.shape[2] + 1, nothing, np.int64)
    by_place[columns] = np.arange(len(columns)) * 2 * LANES
    by_row = Blocks(*blocks(pattern.rows, pattern.start, m), by_place)

    def work(first: int, last: int) -> None:
        jobs = first * LANES, min(last * LANES, len(chosen))
        accelerated(cells, by_row, recipe, given, *jobs, n, limits, answers)

    return work
