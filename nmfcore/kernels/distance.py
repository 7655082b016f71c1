"""How far one replicate is from W @ H, cell by cell: the loss of a good fit, of which a difference would be blur."""

from __future__ import annotations

import numpy as np
from numba import njit

from .lanes import LANES
from .tiles import INNER

# Below this fraction of the data's own squares the difference of large numbers leaves too few digits of the loss.
CLOSE = 0.05


@njit(**INNER)
def squared_distance(values, rows, start, W, H, lane, m, units):
    """Return half the squared distance of one lane's data from W @ H, in float64 and cell by cell.

    Without the squares of cells outside the pattern, which are those of all cells less those inside.
    """
    k, count = len(units), len(start) - 1
    total, inside, everywhere = 0.0, 0.0, 0.0
    for j in range(count):
        for p in range(start[j], start[j + 1]):
            x = 0.0
            for c in range(k):
                x += np.float64(W[(rows[p] * k + c) * LANES + lane]) * np.float64(H[(j * k + c) * LANES + lane])
            total += (np.float64(values[p * LANES + lane]) - x) ** 2
            inside += x * x
    for c in range(k):
        for d in range(k):
            of_W, of_H = 0.0, 0.0
            for i in range(m):
                place = i * k * LANES + lane
                of_W += np.float64(W[place + c * LANES]) * np.float64(W[place + d * LANES])
            for j in range(count):
                place = j * k * LANES + lane
                of_H += np.float64(H[place + c * LANES]) * np.float64(H[place + d * LANES])
            everywhere += of_W * of_H
    return 0.5 * (total + max(0.0, everywhere - inside))
