"""Compiled resampling: random numbers, and the counts of LANES replicates at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..pattern import LANES
from .compiling import can_keep
from .parallel import in_parallel

OPTIONS = {"cache": can_keep(), "nogil": True, "error_model": "numpy"}

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
# exp(-1) sum_{i <= c} 1/i!, in units of 2^-32: a Poisson number of mean 1 is how many of these a uniform number
# reaches.
POISSON = np.array(
    [np.floor(2.0**32 * np.exp(-1) * sum(1 / np.prod(np.arange(1.0, i + 1)) for i in range(c + 1))) for c in range(13)]
).astype(np.uint64)
MULTINOMIAL, POISSON_WEIGHTS, DELETE = 0, 1, 2


@njit(**OPTIONS)
def mix(z):
    """Return SplitMix64's scrambling of a 64-bit number."""
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))


@njit(**OPTIONS)
def stream(seed, replicate):
    """Return the state that begins the stream of (seed, replicate)."""
    return mix(mix(np.uint64(seed) + GOLDEN) ^ mix(np.uint64(replicate) * FIRST + SECOND))


@njit(**OPTIONS)
def draw(weight, stars, scheme, seed, first, replicates, order, bins, drops):
    """Set weight[star * LANES + lane] to how often replicate first + lane has the star, for `replicates` lanes."""
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    weight[:] = 0
    for lane in range(min(LANES, replicates)):
        state = stream(seed, first + lane)
        if scheme == MULTINOMIAL:
            for _ in range(stars // 2):
                state += GOLDEN
                z = mix(state)
                weight[np.int64(((z >> half) * np.uint64(stars)) >> half) * LANES + lane] += np.uint8(1)
                weight[np.int64(((z & low) * np.uint64(stars)) >> half) * LANES + lane] += np.uint8(1)
            if stars % 2:
                state += GOLDEN
                z = mix(state)
                weight[np.int64(((z >> half) * np.uint64(stars)) >> half) * LANES + lane] += np.uint8(1)
        elif scheme == POISSON_WEIGHTS:
            for star in range(stars):
                state += GOLDEN
                u = mix(state) >> half
                number = 0
                for threshold in POISSON:
                    number += u >= threshold
                weight[star * LANES + lane] = number
        else:
            for star in range(stars):
                weight[star * LANES + lane] = 1
            for i in range(len(drops)):
                number = bins[i + 1] - bins[i]
                # Floyd's way to a random subset: no star twice, one random number each.
                for top in range(number - drops[i], number):
                    state += GOLDEN
                    u = mix(state) >> half
                    picked = np.int64((u * np.uint64(top + 1)) >> half)
                    place = order[bins[i] + picked] * LANES + lane
                    if weight[place] == 0:
                        place = order[bins[i] + top] * LANES + lane
                    weight[place] = 0


@njit(**OPTIONS)
def fill_tiles(values, cell, scheme, seed, first, replicates, order, bins, drops, begin, end):
    """Fill the tiles begin to end - 1 with resampled counts."""
    stars, images = cell.shape
    weight = np.zeros(stars * LANES, np.uint8)
    for tile in range(begin, end):
        done = tile * LANES
        draw(weight, stars, scheme, seed, first + done, replicates - done, order, bins, drops)
        for star in range(stars):
            for image in range(images):
                at = cell[star, image]
                if at >= 0:
                    for lane in range(LANES):
                        values[tile, at * LANES + lane] += weight[star * LANES + lane]


@njit(**OPTIONS)
def weigh_tiles(out, scheme, seed, first, order, bins, drops, begin, end):
    """Fill the rows of out (B, stars) that the tiles begin to end - 1 make with each star's number."""
    replicates, stars = out.shape
    weight = np.zeros(stars * LANES, np.uint8)
    for tile in range(begin, end):
        done = tile * LANES
        draw(weight, stars, scheme, seed, first + done, replicates - done, order, bins, drops)
        for lane in range(min(LANES, replicates - done)):
            for star in range(stars):
                out[done + lane, star] = weight[star * LANES + lane]


@njit(**OPTIONS)
def grams(values, rows, start, replicates, first, last, out):
    """Write V V^T of the replicates first to last - 1 to out (B, m, m)."""
    m = out.shape[1]
    cells = np.empty(start[-1], np.float64)
    for b in range(first, last):
        tile, lane = replicates[b] // LANES, replicates[b] % LANES
        for p in range(len(cells)):
            cells[p] = values[tile, p * LANES + lane]
        square = out[b]
        for j in range(len(start) - 1):
            for p in range(start[j], start[j + 1]):
                if cells[p] != 0:
                    row = rows[p]
                    for q in range(start[j], p + 1):
                        square[row, rows[q]] += cells[p] * cells[q]
        for i in range(m):
            for other in range(i):
                square[other, i] = square[i, other]


@njit(**OPTIONS)
def project(values, rows, start, replicates, vectors, first, last, out):
    """Write vectors[b].T @ V to out (B, k, filled) for the replicates first to last - 1."""
    k = vectors.shape[2]
    for b in range(first, last):
        tile, lane = replicates[b] // LANES, replicates[b] % LANES
        for j in range(len(start) - 1):
            for p in range(start[j], start[j + 1]):
                v = np.float64(values[tile, p * LANES + lane])
                if v != 0:
                    row = rows[p]
                    for c in range(k):
                        out[b, c, j] += v * vectors[b, row, c]


def fill(
    values: np.ndarray,
    cell: np.ndarray,
    scheme: int,
    seed: int,
    first: int,
    replicates: int,
    order: np.ndarray,
    bins: np.ndarray,
    drops: np.ndarray,
) -> None:
    """Fill `values` (tiles, cells * LANES) in parallel; see `resample.bootstrap`."""
    in_parallel(
        lambda begin, end: fill_tiles(values, cell, scheme, seed, first, replicates, order, bins, drops, begin, end),
        len(values),
    )


def weigh(
    out: np.ndarray, scheme: int, seed: int, first: int, order: np.ndarray, bins: np.ndarray, drops: np.ndarray
) -> None:
    """Fill `out` (B, stars) in parallel with the weights that `fill` counts; see `resample.star_weights`."""
    in_parallel(
        lambda begin, end: weigh_tiles(out, scheme, seed, first, order, bins, drops, begin, end),
        -(-len(out) // LANES),
    )
