"""Compiled parts of singular starts: V V^T of a tile of replicates, and NNDSVD from its eigenvectors."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..initialise import NNDSVD_FLOOR
from .lanes import LANES, load, store
from .tiles import ALLOCATING


@njit(**ALLOCATING)
def gram_tiles(values, rows, start, tiles, out, first, last):
    """Write V V^T of every replicate of the tiles `tiles[first:last]` to out (tiles, m * m * LANES)."""
    m = int(np.sqrt(out.shape[1] // LANES))
    for t in range(first, last):
        cells, square = values[tiles[t]], out[t]
        for j in range(len(start) - 1):
            for p in range(start[j], start[j + 1]):
                value, row = load(cells, p * LANES, square), np.int64(rows[p]) * m
                for q in range(start[j], p + 1):
                    place = (row + np.int64(rows[q])) * LANES
                    store(square, place, load(square, place, square) + value * load(cells, q * LANES, square))
        for i in range(m):
            for other in range(i):
                for lane in range(LANES):
                    square[(other * m + i) * LANES + lane] = square[(i * m + other) * LANES + lane]


@njit(**ALLOCATING)
def nndsvd_starts(values, rows, start, replicates, U, S, level, W, H, first, last):
    """Write the NNDSVD of some replicates to W (B, m, k) and H (B, k, filled), with `level` in the place of zeros.

    U (B, m, k) and S (B, k) are singular vectors and values; see `initialise.nndsvd`.
    """
    m, k, count = U.shape[1], U.shape[2], len(start) - 1
    right = np.empty((k, count))
    sums = np.empty(k)
    for b in range(first, last):
        tile, lane = replicates[b] // LANES, replicates[b] % LANES
        for j in range(count):
            sums[:] = 0
            for p in range(start[j], start[j + 1]):
                value = np.float64(values[tile, p * LANES + lane])
                for c in range(k):
                    sums[c] += value * U[b, rows[p], c]
            for c in range(k):
                right[c, j] = sums[c] / S[b, c] if S[b, c] > 0 else 0.0
        for c in range(k):
            left_up, left_down, right_up, right_down = 0.0, 0.0, 0.0, 0.0
            for i in range(m):
                left_up += max(U[b, i, c], 0.0) ** 2
                left_down += min(U[b, i, c], 0.0) ** 2
            for j in range(count):
                right_up += max(right[c, j], 0.0) ** 2
                right_down += min(right[c, j], 0.0) ** 2
            up, down = np.sqrt(left_up * right_up), np.sqrt(left_down * right_down)
            sign = 1.0 if up > down else -1.0
            size = np.sqrt(S[b, c] * max(up, down))
            left_norm = np.sqrt(left_up if up > down else left_down)
            right_norm = np.sqrt(right_up if up > down else right_down)
            by_left = size / left_norm if left_norm > 0 else 0.0
            by_right = size / right_norm if right_norm > 0 else 0.0
            if c == 0:
                by_left = by_right = np.sqrt(S[b, 0])
            for i in range(m):
                value = by_left * (abs(U[b, i, c]) if c == 0 else max(sign * U[b, i, c], 0.0))
                W[b, i, c] = value if value >= NNDSVD_FLOOR else level[b]
            for j in range(count):
                value = by_right * (abs(right[c, j]) if c == 0 else max(sign * right[c, j], 0.0))
                H[b, c, j] = value if value >= NNDSVD_FLOOR else level[b]
