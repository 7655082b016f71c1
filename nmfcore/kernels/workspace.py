"""What least squares work on: one tile's arrays, and what goes in and comes out.

All working arrays of a tile lie in one flat array, at places that a `Layout` names: functions that take few arrays take
little time to compile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..pattern import LANES

# Rows of a factor that are updated side by side, and those whose products and sums are made in one go; factors have
# room for a multiple of the latter. Sums over so few stay short in float32 too.
ROWS = 4
GROUP = 16
# Bytes in a cache line, which are those of LANES entries in float32.
LINE = 64
# What a lane is doing.
EMPTY, DUE, RUNNING, WAITING = 0, 1, 2, 3
# Rows of `Tile.wide` and of `Tile.lane`.
ENERGY, FIT, CHANGE, MOMENTUM, CEILING, BEST, LOSS, DIVERGENCE = range(8)
JOB, ITERATION, TRY, STATE, VERDICT, WON = range(6)


class Layout(NamedTuple):
    """Where the working arrays begin, each with the lanes last; columns are those of the pattern."""

    W: int  # (m, k, LANES)
    Y: int  # W or its extrapolation: what H is fitted to
    A: int  # V @ H.T
    W_before: int  # unit-sum factors at the check before
    D_W: int  # gradients, or a W in the making
    H: int  # (columns, k, LANES)
    H_before: int
    D_H: int
    GW: int  # Gram matrices, (k, k, LANES)
    GH: int
    G: int  # scratch for one of them
    inverse: int  # what an update divides by: see `prepare_gram`
    sums: int  # of H, (k, LANES)
    W_sums: int
    scales: int  # (2 k, LANES), scratch
    row_mass: int  # (m, LANES)
    column_mass: int  # (columns, LANES)
    missing: int  # (2, LANES)
    r: int  # products of some columns with W, (GROUP, k, LANES)
    out: int  # (2, LANES): the change and the largest entry of W, then the KKT residual
    out2: int  # (2, LANES): those of H; the largest slope by W
    top: int  # the largest slope by H; how far lanes are extrapolated
    alive: int  # 1 in lanes at work
    fresh: int  # 1 in lanes that begin at given factors
    end: int


class Tile(NamedTuple):
    """The working arrays of one tile."""

    cells: Any  # (cells * LANES,), in the type of the data
    work: Any  # see `Layout`
    wide: Any  # float64, rows of LANES
    lane: Any  # int64, rows of LANES
    at: Layout


class Jobs(NamedTuple):
    """What is to be solved: job i is a replicate and some of its starts, the best of which is kept.

    Starts with the number 0 are given, where `given` says so; the others are drawn.
    """

    replicates: Any  # (jobs,)
    numbers: Any  # (jobs,): what names the random streams of the replicates
    begin: Any  # (jobs,): number of the first start
    tries: Any  # (jobs,): how many
    given: Any  # (jobs,): which of the given starts; -1 where the first start is drawn too
    W: Any  # (starts, m, k)
    H: Any  # (starts, k, columns or n)
    extra: Any  # (starts, k + 1, k): Gram matrices and sums of the columns of H outside the pattern
    places: Any  # where in the given H each column of the pattern stands
    columns: Any  # where it stands in V
    seed: Any  # uint64
    patience: int  # iterations after which idle lanes are filled


class Answers(NamedTuple):
    """What the jobs are answered; `numbers` are the loss, the divergence and the KKT residual."""

    W: Any  # (jobs, m, k)
    H: Any  # (jobs, k, n)
    n_iter: Any  # (jobs,)
    status: Any  # (jobs,)
    start: Any  # (jobs,)
    numbers: Any  # (jobs, 3)


def aligned(length: int, dtype: np.dtype) -> np.ndarray:
    """Return zeros that begin at a cache line: vectors that lie across two take twice as long to load."""
    room = LINE // dtype.itemsize
    array = np.zeros(length + room, dtype)
    first = -array.ctypes.data % LINE // dtype.itemsize
    return array[first : first + length]


def allocate(values: np.ndarray, dtype: np.dtype, cell_count: int, m: int, count: int, k: int) -> Tile:
    """Return a tile for `cell_count` cells in `count` columns and m rows, its factors of type `dtype`."""
    short, long = -(-m // ROWS) * ROWS * k, -(-count // GROUP) * GROUP * k
    square = k * k
    sizes = [
        short, short, short, short, short, long, long, long, square, square, square, max(k, 2) + 1 + square,
        k, k, 2 * k, m, count, 2, GROUP * k, 2, 2, 1, 1, 1,
    ]  # fmt: skip
    places = [0, *np.cumsum(sizes).tolist()]
    at = Layout(*(place * LANES for place in places))
    return Tile(
        aligned(cell_count * LANES, values.dtype),
        aligned(at.end, dtype),
        np.zeros(8 * LANES),
        np.zeros(6 * LANES, np.int64),
        at,
    )
