"""Two components over a tile: its working arrays, the exact minima for one factor, and the pass over the cells."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.np.numpy_support import from_dtype

from .lanes import (
    LANES,
    arranger,
    clear,
    copy_lanes,
    lanes_max,
    lanes_min,
    load,
    splat,
    store,
    where_less,
    where_positive,
)
from .loops import dot_column, gram_rows
from .scalars import eps_of, tiny_of
from .tiles import BLOCK, INNER, ROWS

PAIR = (0, 0)
WIDTH = 2 * LANES
# Columns of V in one block of V @ H.T: their part of H stays in the nearest cache.
COLUMNS = 192
# Bytes between whose multiples no working array begins: a line of the cache.
ALIGNED = 64


class Blocks(NamedTuple):
    """The cells once more, by blocks of columns and within each by rows: the order for V @ H.T."""

    cell: Any  # which cell stands there, int32
    column: Any  # its column within the pattern, uint16 or uint32
    first: Any  # where each stretch of one row in one block begins, and the number of cells at the end
    row: Any  # the row of each stretch
    by_place: Any  # where in H each column of the answer stands, and behind all where zeros do; int64


class Work(NamedTuple):
    """The working arrays of one tile, flat, with the lanes last; points are W with columns of unit sum."""

    cells: Any  # (cells + 1, LANES), a spare one at the end
    ordered: Any  # (cells, LANES), as `Blocks` orders them
    Y: Any  # the point, (m, 2, LANES), as are those that follow
    T: Any  # what it is mapped to
    A: Any  # V @ H.T
    Y1: Any  # the point before, and how far it was from what it was mapped to
    F1: Any
    Y2: Any  # the one before that
    F2: Any
    before: Any  # the point at the check before
    H: Any  # the exact minimum for the point, (columns, 2, LANES)
    r: Any  # products of columns with W: some in turn, then all in the finishing pass
    GW: Any  # Gram matrices, (2, 2, LANES)
    GH: Any
    inverse: Any  # see `prepare`, (3, LANES)
    sums: Any  # of H, (2, LANES)
    W_sums: Any
    row_mass: Any  # (m, LANES)
    mass: Any  # sum of V, (LANES,), as are those that follow; float64
    energy: Any  # sum of V^2, float64
    loss: Any  # less half of energy, float64
    depth: Any  # points remembered
    fit: Any  # what the last point explained of the sum of V^2, halved
    alive: Any  # 1 in lanes at work
    due: Any  # 1 in lanes whose convergence is tested
    slope: Any  # the least change of F per change of the point so far
    change: Any  # of W at the check before
    out: Any  # (4, LANES): what is still to come, sum of W; or missing mass by entries above and at zero, KKT residual
    iteration: Any
    verdict: Any
    state: Any  # of the random streams
    total: Any
    square: Any  # (LANES, LANES), scratch


# The types of its fields: of the counts, of the factors, or of their own.
COUNTS, FACTORS = "counts", "factors"
KINDS = dict.fromkeys(Work._fields, FACTORS) | {
    "cells": COUNTS, "ordered": COUNTS, "mass": np.float64, "energy": np.float64, "loss": np.float64,
    "iteration": np.int64, "verdict": np.int64, "state": np.uint64, "total": np.uint32,
}  # fmt: skip


def room(counts, dtype, cells, m, count):
    """Return zeros for a tile's working arrays, and where in them each array of `Work` begins; both in bytes.

    `counts` and `dtype` are the types of the cells and of the factors.
    """
    short, long = -(-m // ROWS) * ROWS * WIDTH, -(-count // ROWS) * ROWS * WIDTH
    points = dict.fromkeys(("Y", "T", "A", "Y1", "F1", "Y2", "F2", "before"), short)
    lengths = dict.fromkeys(Work._fields, LANES) | points | {
        "cells": (cells + 1) * LANES, "ordered": cells * LANES, "H": long + WIDTH, "r": 2 * ROWS * WIDTH + long,
        "GW": 2 * WIDTH, "GH": 2 * WIDTH, "inverse": 3 * LANES, "sums": WIDTH, "W_sums": WIDTH, "row_mass": m * LANES,
        "out": 4 * LANES, "square": LANES * LANES,
    }  # fmt: skip
    known = {COUNTS: counts, FACTORS: dtype}
    sizes = [lengths[name] * np.dtype(known.get(KINDS[name], KINDS[name])).itemsize for name in Work._fields]
    places = np.cumsum([0, *(-(-size // ALIGNED) * ALIGNED for size in sizes)])
    return np.zeros(places[-1] // 8, np.float64), places


def _kinds(counts, factors):
    known = {COUNTS: counts, FACTORS: factors}
    return [known[kind] if kind in known else from_dtype(np.dtype(kind)) for kind in KINDS.values()]


arrange = arranger(Work, _kinds)
"""Return the working arrays that stand in the first argument, as `room` says; see `arranger`.

The last two arguments are arrays of the counts' and of the factors' types.
"""


def blocks(rows: np.ndarray, start: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (cell, column, first, row) of `Blocks`, without a kernel: it would take longer to compile than to run."""
    count, lengths = len(start) - 1, np.diff(start)
    # Sixteen bits are sorted by counting.
    kind = np.uint16 if -(-count // COLUMNS) * m <= 2**16 else np.int64
    stretch = np.repeat((np.arange(count) // COLUMNS * m).astype(kind), lengths) + rows.astype(kind)
    cell = np.argsort(stretch, kind="stable").astype(np.int32)
    stretch, begins = stretch[cell], np.ones(len(rows), bool)
    begins[1:] = stretch[1:] != stretch[:-1]
    first = np.flatnonzero(begins)
    row = (stretch[first] % m).astype(np.uint32)
    return cell, np.repeat(np.arange(count, dtype=np.uint32), lengths)[cell], np.append(first, len(rows)), row


@njit(**INNER)
def order_cells(work, by_row, m):
    """Copy the cells into the order of V @ H.T, and add up the rows and the squares."""
    mass = work.row_mass
    clear(mass)
    squares = splat(0.0, work.energy)
    for q in range(len(by_row.row)):
        total, energy = splat(0.0, mass), splat(0.0, mass)
        for p in range(by_row.first[q], by_row.first[q + 1]):
            source = np.int64(by_row.cell[p]) * LANES
            copy_lanes(work.ordered, p * LANES, work.cells, source)
            value = load(work.cells, source, mass)
            total, energy = total + value, energy + value * value
        at = np.int64(by_row.row[q]) * LANES
        store(mass, at, load(mass, at, mass) + total)
        store(work.out, 0, energy)
        squares = squares + load(work.out, 0, work.energy)
    store(work.energy, 0, squares)
    total = splat(0.0, work.mass)
    for i in range(m):
        total = total + load(mass, i * LANES, work.mass)
    store(work.mass, 0, total)


@njit(**INNER, forceinline=True)
def prepare(G, inverse):
    """Write what `minima` divides by: the reciprocals of the diagonal and of the determinant, 0 where not sound."""
    one, zero, tiny = splat(1.0, G), splat(0.0, G), splat(tiny_of(G), G)
    a, b, c = load(G, 0, G), load(G, LANES, G), load(G, 3 * LANES, G)
    store(inverse, 0, where_positive(a, one / lanes_max(a, tiny), zero))
    store(inverse, LANES, where_positive(c, one / lanes_max(c, tiny), zero))
    product = a * c
    determinant = product - b * b
    sound = determinant - product * splat(16 * eps_of(G), G)
    store(inverse, 2 * LANES, where_positive(sound, one / lanes_max(determinant, tiny), zero))


@njit(**INNER, forceinline=True)
def minima(r, at, G, inverse, source, target, place):
    """Write the exact minima of ROWS rows to target[place:]; see `RankTwo`. Entries left free are those of `source`."""
    zero = splat(0.0, G)
    a, b, c = load(G, 0, G), load(G, LANES, G), load(G, 3 * LANES, G)
    per_a, per_c, scale = load(inverse, 0, G), load(inverse, LANES, G), load(inverse, 2 * LANES, G)
    for q in range(ROWS):
        of, this = place + q * WIDTH, at + q * WIDTH
        x, y = load(r, this, G), load(r, this + LANES, G)
        only_x = where_positive(a, lanes_max(x * per_a, zero), load(source, of, G))
        only_y = where_positive(c, lanes_max(y * per_c, zero), load(source, of + LANES, G))
        first = only_x * x - only_y * y
        x0, y0 = where_less(first, zero, zero, only_x), where_less(first, zero, only_y, zero)
        both_x, both_y = (c * x - b * y) * scale, (a * y - b * x) * scale
        inside = lanes_min(both_x, both_y)
        store(target, of, where_positive(inside, both_x, x0))
        store(target, of + LANES, where_positive(inside, both_y, y0))


@njit(**INNER)
def pass_over(work, cells, by_row, m, keep):
    """Fit H to the point, and write V @ H.T, H @ H.T and the sums of H; `keep` the products of columns with W in r."""
    Y, H, A, GW, GH, sums, r = work.Y, work.H, work.A, work.GW, work.GH, work.sums, work.r
    rows, start = cells.rows, cells.start
    clear(GW)
    clear(work.W_sums)
    gram_rows(Y, 0, 0, m, GW, 0, work.W_sums, 0, PAIR)
    prepare(GW, work.inverse)
    clear(A)
    clear(GH)
    clear(sums)
    count = len(start) - 1
    groups = -(-count // ROWS)
    # Two groups of columns are worked on at once, one a step further than the other: neither step waits.
    for stage in range(groups + 1):
        if stage < groups:
            to = (2 * ROWS + stage * ROWS if keep else (stage & 1) * ROWS) * WIDTH
            for q in range(ROWS):
                j = stage * ROWS + q
                if j < count:
                    dot_column(work.cells, rows, start[j], start[j + 1], Y, 0, r, to + q * WIDTH, PAIR)
                else:
                    store(r, to + q * WIDTH, splat(0.0, r))
                    store(r, to + q * WIDTH + LANES, splat(0.0, r))
        group = stage - 1
        if group >= 0:
            first = group * ROWS
            at = (2 * ROWS + first if keep else (group & 1) * ROWS) * WIDTH
            minima(r, at, GW, work.inverse, H, H, first * WIDTH)
            if (first + ROWS) % BLOCK == 0 or group == groups - 1:
                gram_rows(H, 0, first - first % BLOCK, min(first + ROWS, count), GH, 0, sums, 0, PAIR)
    for q in range(len(by_row.row)):
        dot_column(work.ordered, by_row.column, by_row.first[q], by_row.first[q + 1], H, 0, r, 0, PAIR)
        at = np.int64(by_row.row[q]) * WIDTH
        store(A, at, load(A, at, A) + load(r, 0, A))
        store(A, at + LANES, load(A, at + LANES, A) + load(r, LANES, A))
