"""A tile: LANES replicates side by side within the cache, how they enter it and how they leave.

A lane whose replicate has finished is frozen, then given the next one, so that no lane waits for long and no result
depends on its neighbours.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..rules.multiplicative import ROOM
from .compiling import can_keep
from .lanes import LANES, clear, load, splat, store, where_positive
from .releases import pipeline
from .scalars import tiny_of

ALLOCATING: dict[str, Any] = {
    "cache": can_keep(), "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **pipeline(whole=True),
}  # fmt: skip
# What allocates nothing need not count references to arrays: counting takes longer than a column's arithmetic.
OPTIONS = ALLOCATING | {"_nrt": False}
# Functions that only other kernels call need no entry from Python (a call from there would crash) and no place in the
# cache, which take longer to make than the function itself.
INNER: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
    **pipeline(whole=False),
}  # fmt: skip
INLINE = INNER | {"forceinline": True}
# Rows of a factor that are updated side by side; factors have room for a multiple of so many.
ROWS = 4
# Sums over columns are carried in blocks of this many, so that float32 sums stay short.
BLOCK = 64
# New replicates enter a running tile when this many lanes are idle and this many iterations have passed since it was
# last filled: copying one into its lane costs about ten iterations.
IDLE, PATIENCE = 4, 24


class Cells(NamedTuple):
    """The data of many replicates on one pattern: those of column j are start[j] to start[j + 1] - 1."""

    values: Any  # (tiles, cells * LANES)
    rows: Any  # (cells,)
    start: Any  # (columns + 1,)
    columns: Any  # where in H each column of the pattern stands


class Jobs(NamedTuple):
    """The replicate that each job fits, and where it begins: one start for all jobs, or one for each."""

    replicates: Any  # (jobs,)
    W: Any  # (jobs, m, k)
    H: Any  # (jobs, k, n)
    extra: Any  # (jobs, k + 1, k): Gram matrices and sums of the columns of H outside the pattern


class Answers(NamedTuple):
    """What the jobs are answered; `numbers` are the loss, the divergence and the KKT residual."""

    W: Any  # (jobs, m, k)
    H: Any  # (jobs, k, n)
    n_iter: Any  # (jobs,)
    status: Any  # (jobs,)
    numbers: Any  # (jobs, 3)


class Tile(NamedTuple):
    """The working arrays of one tile, flat, with the lanes last; columns are those of the pattern."""

    cells: Any  # (cells, LANES)
    W: Any  # (m, k, LANES)
    A: Any  # what the data ask of W
    H: Any  # (columns, k, LANES)
    W_before: Any  # unit-sum factors at the check before
    H_before: Any
    D_W: Any  # gradients
    D_H: Any
    sums: Any  # of H, (k, LANES)
    W_sums: Any
    row_mass: Any  # (m, LANES)
    column_mass: Any  # (columns, LANES)
    missing: Any  # (2, LANES)
    r: Any  # products of some columns with W, (2 ROWS, k, LANES)
    h: Any  # (2 k, LANES), scratch
    out: Any  # (2, LANES): the change and the largest entry of W, then the KKT residual
    out2: Any  # (2, LANES): those of H; the largest slope by W
    top: Any  # the largest slope by H; which lanes are new
    alive: Any  # 1 in lanes at work
    job: Any  # -1 in lanes without one
    iteration: Any
    change: Any  # at the check before
    verdict: Any  # scratch, as is the next
    wide: Any  # float64


@njit(**INNER)
def copy(target, source):
    """Write `source` to `target`; a plain assignment would ask whether they overlap, and make a copy if so."""
    for i in range(len(target)):
        target[i] = source[i]


def allocate(values: np.ndarray, dtype: np.dtype, cell_count: int, m: int, count: int, k: int) -> Tile:
    """Return a tile for `cell_count` cells in `count` columns and m rows, its factors of type `dtype`."""
    one = k * LANES
    short, long = -(-m // ROWS) * ROWS * one, -(-count // ROWS) * ROWS * one
    sizes = (
        short, short, long, short, long, short, long, one, one, m * LANES, count * LANES, 2 * LANES, 2 * ROWS * one,
        2 * one, 2 * LANES, 2 * LANES, LANES, LANES,
    )  # fmt: skip
    cells, factors = np.zeros(cell_count * LANES, values.dtype), [np.zeros(size, dtype) for size in sizes]
    nobody, zeros = np.full(LANES, -1, np.int64), np.zeros((2, LANES), np.int64)
    arrays: list[Any] = [cells, *factors, nobody, zeros[0], np.full(LANES, np.inf), zeros[1], np.zeros(LANES)]
    return Tile(*arrays)


@njit(**INNER)
def enter_all(tile, jobs, columns, m, units):
    """Give every lane the start that is common to all jobs."""
    k, count, W0, H0 = len(units), len(columns), jobs.W, jobs.H
    for c in range(k):
        total = np.float64(jobs.extra[0, k, c])
        for j in range(count):
            total += H0[0, c, columns[j]]
        scale = total if total > 0 else 1.0
        for j in range(count):
            value = H0[0, c, columns[j]]
            store(tile.H, (j * k + c) * LANES, splat(value, tile.W))
            store(tile.H_before, (j * k + c) * LANES, splat(value / scale, tile.W))
        for i in range(m):
            place = (i * k + c) * LANES
            store(tile.W, place, splat(W0[0, i, c], tile.W))
            store(tile.W_before, place, splat(W0[0, i, c] * scale, tile.W))


@njit(**INNER)
def enter(tile, lane, job, jobs, columns, m, copied, units):
    """Give a lane the start of a job, unless `copied` says that it has it; its cells are there already."""
    k, count, W0, H0, extra = 0 if copied else len(units), len(columns), jobs.W, jobs.H, jobs.extra
    at, other = min(job, W0.shape[0] - 1), min(job, H0.shape[0] - 1)
    for c in range(k):
        total = np.float64(extra[min(job, extra.shape[0] - 1), len(units), c])
        for j in range(count):
            value = H0[other, c, columns[j]]
            tile.H[(j * k + c) * LANES + lane] = value
            total += value
        scale = total if total > 0 else 1.0
        for j in range(count):
            place = (j * k + c) * LANES + lane
            tile.H_before[place] = tile.H[place] / scale
        for i in range(m):
            place = (i * k + c) * LANES + lane
            tile.W[place] = W0[at, i, c]
            tile.W_before[place] = W0[at, i, c] * scale
    tile.alive[lane], tile.job[lane], tile.iteration[lane], tile.change[lane] = 1, job, 0, np.inf


@njit(**INNER)
def masses(cells, rows, start, by_row, by_column):
    """Write the sums of V over rows and over columns."""
    clear(by_row)
    for j in range(len(start) - 1):
        total = splat(0.0, by_column)
        for p in range(start[j], start[j + 1]):
            value = load(cells, p * LANES, by_row)
            place = np.int64(rows[p]) * LANES
            store(by_row, place, load(by_row, place, by_row) + value)
            total = total + value
        store(by_column, j * LANES, total)


@njit(**INNER)
def admit(tile, cells, jobs, following, last, living, since, m, units):
    """Let jobs into idle lanes; return the job that follows and the number of living lanes.

    `since` is the number of iterations since lanes were last filled.
    An empty tile takes a whole tile of the pattern at once; where enough lanes are idle it takes single replicates too.
    """
    values, columns, replicates = cells.values, cells.columns, jobs.replicates
    cell_count, before = len(cells.rows), following
    if living == 0:
        number = replicates[following] // LANES
        copy(tile.cells, values[number])
        shared = jobs.W.shape[0] == 1 and jobs.H.shape[0] == 1
        if shared:
            enter_all(tile, jobs, columns, m, units)
        taken = 0
        while following < last:
            lane = replicates[following] % LANES
            if replicates[following] // LANES != number or (taken >> lane) & 1:
                break
            taken |= 1 << lane
            enter(tile, lane, following, jobs, columns, m, shared, units)
            following += 1
            living += 1
    # Jobs from elsewhere than a tile's own replicates are worth copying one by one where lanes would lie idle.
    if LANES - living >= IDLE and (following > before or since >= PATIENCE):
        for lane in range(LANES):
            if tile.alive[lane] > 0 or following >= last:
                continue
            b = replicates[following]
            number, source = b // LANES, b % LANES
            for p in range(cell_count):
                tile.cells[p * LANES + lane] = values[number, p * LANES + source]
            enter(tile, lane, following, jobs, columns, m, bool(0), units)
            following += 1
            living += 1
    if following == before:
        return following, living
    masses(tile.cells, cells.rows, cells.start, tile.row_mass, tile.column_mass)
    for lane in range(LANES):
        tile.top[lane] = 1 if tile.alive[lane] > 0 and tile.iteration[lane] == 0 else 0
    return following, living


@njit(**INNER)
def clear_empty(tile, count, m, units):
    """Set to zero, in lanes marked in `top`, what has no data: it would become zero with its first update anyway."""
    k = len(units)
    fresh, none = load(tile.top, 0, tile.W), splat(0.0, tile.W)
    for i in range(m):
        gone = where_positive(load(tile.row_mass, i * LANES, tile.W), none, fresh)
        for c in range(k):
            place = (i * k + c) * LANES
            store(tile.W, place, where_positive(gone, none, load(tile.W, place, tile.W)))
    for j in range(count):
        gone = where_positive(load(tile.column_mass, j * LANES, tile.W), none, fresh)
        for c in range(k):
            place = (j * k + c) * LANES
            store(tile.H, place, where_positive(gone, none, load(tile.H, place, tile.W)))


@njit(**INNER)
def count_iteration(alive, iteration, limits):
    """Count an iteration of every living lane; return whether any is due for a check."""
    due = False
    for lane in range(LANES):
        if alive[lane] > 0:
            iteration[lane] += 1
            due = due or iteration[lane] % limits.every == 0 or iteration[lane] == limits.max_iter
    return due


@njit(**INNER)
def emit(tile, columns, answers, m, units):
    """Write out the factors of the lanes that have finished; return how many."""
    k, count, gone, W_out, H_out = len(units), len(columns), 0, answers.W, answers.H
    least = W_out.dtype.type(ROOM * tiny_of(W_out))
    for lane in range(LANES):
        job = tile.job[lane]
        if job < 0 or tile.alive[lane] > 0:
            continue
        for i in range(m):
            for c in range(k):
                value = tile.W[(i * k + c) * LANES + lane]
                W_out[job, i, c] = 0.0 if value <= least or tile.row_mass[i * LANES + lane] == 0 else value
        for c in range(k):
            for j in range(count):
                value = tile.H[(j * k + c) * LANES + lane]
                nothing = value <= least or tile.column_mass[j * LANES + lane] == 0
                H_out[job, c, columns[j]] = 0.0 if nothing else value
        tile.job[lane] = -1
        gone += 1
    return gone
