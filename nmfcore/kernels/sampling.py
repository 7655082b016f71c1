"""Compiled resampling: the counts of LANES replicates at a time, and products with them.

The weights of the multinomial scheme are drawn in two steps, of which the first takes nearly all stars and vectors, and
which together are exact. Every star gets a Poisson weight of a mean a little below 1. Given their sum M, such weights
are multinomial: M stars drawn with replacement. Where M is too small, further stars are drawn; where it is too large,
of all drawn ones some are taken away at random.
"""

from __future__ import annotations

from math import exp, factorial, floor, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .lanes import LANES
from .parallel import in_parallel
from .streams import FIRST, GOLDEN, SECOND, THRESHOLDS, add_stars, mix, stream, weight_of
from .tiles import ALLOCATING, INNER, OPTIONS

__all__ = ["DELETE", "FIRST", "GOLDEN", "MULTINOMIAL", "POISSON", "POISSON_WEIGHTS", "SECOND"]

MULTINOMIAL, POISSON_WEIGHTS, DELETE = 0, 1, 2
# The sum of the first weights stays below the number of stars by so many standard deviations.
BELOW = 3.0
# More than any star's first weight: a drawn star is found by picking stars and keeping each with its weight over this.
MOST = 16
# Tiles of weights that are held besides the answer.
WEIGHED = 16


class Recipe(NamedTuple):
    """How to draw: what `draw_tile` is told.

    The streams are those of `seed` and the replicates from `first` on.
    """

    cells: Any  # (stars * images,), int32: each star's cells; a spare one where it does not count
    images: int
    stars: int
    thresholds: Any  # (THRESHOLDS,), uint32: see `add_stars`
    scheme: int
    seed: int
    first: int
    order: Any  # stars by bin, for DELETE, as are those that follow
    bins: Any  # where each bin begins
    drops: Any  # how many stars to take from it


def poisson_thresholds(mean: float) -> np.ndarray:
    """Return floor(2^32 P(weight <= c)) of a Poisson weight, c = 0, 1, ..., as uint32.

    A weight is the number of these that a uniform 32-bit number reaches.
    """
    chances = np.cumsum([exp(-mean) * mean**c / factorial(c) for c in range(THRESHOLDS)])
    return np.array([min(floor(2.0**32 * p), 2**32 - 1) for p in chances], dtype=np.uint32)


POISSON = poisson_thresholds(1.0).astype(np.uint64)


def thresholds_of(scheme: int, stars: int) -> np.ndarray:
    """Return the thresholds of the first weights for so many stars."""
    return poisson_thresholds(max(0.0, 1.0 - BELOW / sqrt(stars)) if scheme == MULTINOMIAL else 1.0)


@njit(**INNER | {"_nrt": True})
def settle(values, recipe, lane, replicate, state, total):
    """Draw stars, or take some away, until the sum of a replicate's weights is the number of stars."""
    cells, images = recipe.cells, recipe.images
    stars, half, low = np.uint64(recipe.stars), np.uint64(32), np.uint64(0xFFFFFFFF)
    missing = recipe.stars - np.int64(total)
    for _ in range(missing):
        state += GOLDEN
        star = np.int64(((mix(state) >> half) * stars) >> half)
        for at in range(star * images, (star + 1) * images):
            values[np.int64(cells[at]) * LANES + lane] += values.dtype.type(1)
    if missing >= 0:
        return
    begin = stream(recipe.seed, replicate)
    gone, taken = np.empty(-missing, np.int64), 0
    while taken < len(gone):
        state += GOLDEN
        z = mix(state)
        star = np.int64(((z >> half) * stars) >> half)
        weight = weight_of(begin, star, recipe.thresholds)
        for place in range(taken):
            weight -= gone[place] == star
        if np.int64(((z & low) * np.uint64(MOST)) >> half) < weight:
            gone[taken] = star
            taken += 1
            for at in range(star * images, (star + 1) * images):
                values[np.int64(cells[at]) * LANES + lane] -= values.dtype.type(1)


@njit(**INNER | {"_nrt": True})
def delete(values, recipe, state):
    """Count every star once in each lane, less those that its stream takes away."""
    cells, images, order, bins = recipe.cells, recipe.images, recipe.order, recipe.bins
    weight = np.ones(recipe.stars * LANES, np.uint8)
    for lane in range(LANES):
        z = state[lane]
        for i in range(len(recipe.drops)):
            number = bins[i + 1] - bins[i]
            # Floyd's way to a random subset: no star twice, one random number each.
            for top in range(number - recipe.drops[i], number):
                z += GOLDEN
                picked = np.int64(((mix(z) >> np.uint64(32)) * np.uint64(top + 1)) >> np.uint64(32))
                place = order[bins[i] + picked] * LANES + lane
                if weight[place] == 0:
                    place = order[bins[i] + top] * LANES + lane
                weight[place] = 0
    for star in range(recipe.stars):
        for at in range(star * images, (star + 1) * images):
            for lane in range(LANES):
                values[np.int64(cells[at]) * LANES + lane] += values.dtype.type(weight[star * LANES + lane])


@njit(**INNER)
def begin_streams(recipe, tile, state):
    """Write the states that begin the streams of tile number `tile`; return its first replicate's number."""
    first = recipe.first + tile * LANES
    for lane in range(LANES):
        state[lane] = stream(recipe.seed, first + lane)
    return first


@njit(**INNER)
def draw_tile(values, recipe, tile, state, total):
    """Set values (cells, LANES) to the counts of tile number `tile`; state, uint64, and total, uint32, are scratch.

    Not for DELETE, which has a kernel of its own: it is seldom asked for, and takes its time to compile.
    """
    for p in range(len(values)):
        values[p] = 0
    first = begin_streams(recipe, tile, state)
    add_stars(values, recipe.cells, recipe.images, recipe.thresholds, state, total, recipe.stars)
    if recipe.scheme == MULTINOMIAL:
        for lane in range(LANES):
            settle(values, recipe, lane, first + lane, state[lane], total[lane])


@njit(**INNER)
def keep(values, one, tile, replicates):
    """Copy the counts `one` to values[tile], with zeros in lanes beyond the replicates."""
    kept = values[tile]
    for p in range(len(kept)):
        kept[p] = one[p]
    for lane in range(replicates - tile * LANES, LANES):
        for p in range(lane, len(kept), LANES):
            kept[p] = 0


@njit(**ALLOCATING)
def fill_tiles(values, recipe, replicates, one, state, total, begin, end):
    """Fill values (tiles, cells * LANES) from tile `begin` to `end` - 1; lanes beyond the replicates are zero.

    `one` (cells + 1, LANES), which is flat, `state` and `total` are scratch, as in `draw_tile`.
    """
    for tile in range(begin, end):
        draw_tile(one, recipe, tile, state, total)
        keep(values, one, tile, replicates)


@njit(**ALLOCATING)
def delete_tiles(values, recipe, replicates, one, state, begin, end):
    """Do as `fill_tiles` does, where stars are deleted."""
    for tile in range(begin, end):
        for p in range(len(one)):
            one[p] = 0
        begin_streams(recipe, tile, state)
        delete(one, recipe, state)
        keep(values, one, tile, replicates)


@njit(**ALLOCATING)
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


def fill(values: np.ndarray, recipe: Recipe, replicates: int) -> None:
    """Fill `values` (tiles, cells * LANES) in parallel; see `resample.bootstrap`."""

    def work(begin: int, end: int) -> None:
        one, state = np.zeros(values.shape[1] + LANES, values.dtype), np.zeros(LANES, np.uint64)
        if recipe.scheme == DELETE:
            delete_tiles(values, recipe, replicates, one, state, begin, end)
        else:
            fill_tiles(values, recipe, replicates, one, state, np.zeros(LANES, np.uint32), begin, end)

    in_parallel(work, len(values))


def weigh(out: np.ndarray, recipe: Recipe) -> None:
    """Fill `out` (B, stars) with the weights that `fill` counts, in uint8; see `resample.star_weights`."""
    for first in range(0, len(out), LANES * WEIGHED):
        some = out[first : first + LANES * WEIGHED]
        tiles = -(-len(some) // LANES)
        values = np.zeros((tiles, out.shape[1] * LANES), np.uint8)
        fill(values, recipe._replace(first=recipe.first + first), len(some))
        lanes = values.reshape(tiles, -1, LANES).swapaxes(1, 2)
        for tile in range(tiles):
            some[tile * LANES : (tile + 1) * LANES] = lanes[tile, : len(some) - tile * LANES]
