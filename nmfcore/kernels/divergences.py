"""The divergences of finished replicates, in float64, those of one tile side by side.

Logarithms are taken of products: (w h / v)^v for the counts up to three, which most are, as mantissas and exponents
apart, so that none leaves the range of numbers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..losses import FLOOR
from .lanes import LANES, clear, exponent, lanes_max, load, mantissa, splat, store, where_less, where_positive
from .levels import level_one
from .tiles import INNER


@njit(**INNER)
def gather(tile, lane, W, H, columns):
    """Copy the factors of one replicate, W (m, k) and H (k, n), into a lane."""
    k = W.shape[1]
    for i in range(W.shape[0]):
        for c in range(k):
            tile.W[(i * k + c) * LANES + lane] = W[i, c]
    for c in range(k):
        for j in range(len(columns)):
            tile.H[(j * k + c) * LANES + lane] = H[c, columns[j]]


@njit(**INNER)
def divergences(values, rows, start, W, H, m, out, flags, units):
    """Write the divergences of W @ H from `values`, all lanes of a tile, to `out`, float64; `flags` is scratch."""
    k, count = len(units), len(start) - 1
    width = k * LANES
    zero, one, floor = splat(0.0, out), splat(1.0, out), splat(FLOOR, out)
    below = splat(0.5, out), splat(1.5, out), splat(2.5, out), splat(3.5, out)
    per_two, per_three = splat(1.0 / 4.0, out), splat(1.0 / 27.0, out)
    two, three = splat(2.0, out), splat(3.0, out)
    product, powers, total, data = one, zero, zero, zero
    for c in range(k):
        over_W, over_H = zero, zero
        for i in range(m):
            over_W = over_W + load(W, i * width + c * LANES, out)
        for j in range(count):
            over_H = over_H + load(H, j * width + c * LANES, out)
        total = total + over_W * over_H
    store(out, 0, total)
    for j in range(count):
        others = zero
        for p in range(start[j], start[j + 1]):
            row = np.int64(rows[p]) * width
            x = load(W, row, out) * load(H, j * width, out)
            for c in range(1, k):
                x = x + load(W, row + c * LANES, out) * load(H, j * width + c * LANES, out)
            x, v = lanes_max(x, floor), load(values, p * LANES, out)
            data = data + v
            square = x * x
            known = where_less(v, below[0], zero, where_less(v, below[1], one, where_less(v, below[2], two, three)))
            term = where_less(
                v, below[0], one,
                where_less(v, below[1], x, where_less(v, below[2], square * per_two, square * x * per_three)),
            )  # fmt: skip
            apart = (v - known) * (v - known)
            product = product * where_positive(apart, one, term)
            others = lanes_max(others, apart)
            powers = powers + exponent(product)
            product = mantissa(product)
        store(flags, 0, others)
        for lane in range(LANES):
            if flags[lane] > 0:
                out[lane] += of_column(values, rows, start[j], start[j + 1], W, H, j, lane, units)
    store(flags, 0, product)
    for lane in range(LANES):
        out[lane] -= np.log(flags[lane])
    store(out, 0, load(out, 0, out) - powers * splat(np.log(2.0), out) - data)


@njit(**INNER)
def of_column(values, rows, first, last, W, H, j, lane, units):
    """Return the sum of v log(v / (w h)) over the cells of one column and lane that are no count up to three."""
    k, total = len(units), 0.0
    for p in range(first, last):
        v = np.float64(values[p * LANES + lane])
        if v == 0 or v == 1 or v == 2 or v == 3:
            continue
        x = 0.0
        for c in range(k):
            x += np.float64(W[(rows[p] * k + c) * LANES + lane]) * np.float64(H[(j * k + c) * LANES + lane])
        total += v * np.log(v / max(x, FLOOR))
    return total


@njit(**INNER)
def close(tile, cells, replicates, first, last, level, answers, units):
    """Level the factors of the jobs first to last - 1, if `level`, and write their divergences to the answers.

    What is in the tile is lost.
    """
    m, job = answers.W.shape[1], first
    while job < last:
        number, begun, taken = replicates[job] // LANES, job, 0
        clear(tile.W)
        clear(tile.H)
        while job < last:
            lane = replicates[job] % LANES
            if replicates[job] // LANES != number or (taken >> lane) & 1:
                break
            taken |= 1 << lane
            if level:
                level_one(answers.W[job], answers.H[job], cells.columns)
            gather(tile, lane, answers.W[job], answers.H[job], cells.columns)
            job += 1
        divergences(cells.values[number], cells.rows, cells.start, tile.W, tile.H, m, tile.change, tile.wide, units)
        for one in range(begun, job):
            answers.numbers[one, 0] = answers.numbers[one, 1] = tile.change[replicates[one] % LANES]
