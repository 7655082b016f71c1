"""The accelerated rule for the Kullback-Leibler divergence over shared patterns, compiled: LANES replicates at a time.

The loop follows `nmfcore.AcceleratedNewtonKL`: the rule is defined there, and the tests hold the two to each other.
Both halves of an iteration gather: the cells are there twice, ordered by columns and, within blocks of them, by rows.
Tiles, lanes and the test for convergence are those of the other loops.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..rules.newton import DEPENDENT, KEPT, WAIT, WARM
from .checks import candidates, column_sums, conclude
from .curves import lean_cells, mix_column, mix_row, mix_stretch, pull_cells, sums_of, unit_row
from .divergences import close
from .kullback_leibler import newton, thresholds
from .lanes import LANES, clear, copy_lanes, lanes_max, lanes_min, load, splat, store, where_less, where_positive
from .tiles import INNER, OPTIONS, Jobs, Tile, admit, allocate, clear_empty, count_iteration, emit

# An iteration takes as long as about so many of least squares, by which the patience of `admit` is counted.
WORTH = 4


class Memory(NamedTuple):
    """What the rule needs of a tile besides `Tile`; points are W with components of unit sum."""

    ordered: Any  # the cells as `Blocks` orders them
    Y: Any  # where the next iteration begins, (m, k, LANES)
    curve: Any  # what the cells say of the rows of W, (m, sums, LANES)
    scale: Any  # how much of V each component is, (k, LANES)
    per: Any  # (k, LANES), scratch
    F: Any  # T(Y) - Y, (m, k, LANES)
    X1: Any  # Y and F one and two iterations before
    F1: Any
    X2: Any
    F2: Any
    size: Any  # of F one iteration before, squared; (LANES,)
    known: Any  # iterations that are remembered, up to two; (LANES,)
    verdict: Any  # (LANES,)


def room(values: np.ndarray, dtype: np.dtype, cells: int, m: int, count: int, k: int) -> tuple[Tile, Memory]:
    """Return the working arrays of a tile, the factors of type `dtype`."""
    tile = allocate(values, dtype, cells, m, count, k)
    whole, one = m * k * LANES, k * LANES
    sizes = (whole, m * sums_of(k) * LANES, one, one, whole, whole, whole, whole, whole, LANES, LANES)
    ordered, verdict = np.zeros(cells * LANES, values.dtype), np.zeros(LANES, np.int64)
    return tile, Memory._make([ordered, *(np.zeros(size, dtype) for size in sizes), verdict])


@njit(**INNER)
def order(ordered, cells, places):
    """Copy the cells into the order of the rows."""
    for p in range(len(places)):
        copy_lanes(ordered, p * LANES, cells, np.int64(places[p]) * LANES)


@njit(**INNER)
def unit_sums(factor, count, sums, per, which, units):
    """Divide the components of `factor` by their sums, which are written to `sums`, in the lanes `which` > 0."""
    k = len(units)
    column_sums(factor, count, sums, units)
    one, zero = splat(1.0, factor), splat(0.0, factor)
    for c in range(k):
        total = load(sums, c * LANES, factor)
        unit = where_positive(total, one / where_positive(total, total, one), zero)
        store(per, c * LANES, where_positive(which, unit, one))
    for i in range(count):
        for c in range(k):
            place = (i * k + c) * LANES
            store(factor, place, load(factor, place, factor) * load(per, c * LANES, factor))


@njit(**INNER)
def add_outside(H, sums, fresh, job, extra, count, units):
    """Write the sums of H to `sums`, in `fresh` lanes with those of columns outside: they count in the first update."""
    k = len(units)
    column_sums(H, count, sums, units)
    for lane in range(LANES):
        if fresh[lane] > 0:
            for c in range(k):
                sums[c * LANES + lane] += extra[min(job[lane], len(extra) - 1), k, c]


@njit(**INNER)
def sweep_rows(tile, memory, by_row, step, m, units):
    """Update W by one iteration of `NewtonKL`."""
    k = len(units)
    W, H, sums = tile.W, tile.H, memory.curve
    alive = load(tile.alive, 0, W)
    for _ in range(step.sweeps):
        thresholds(W, m, tile.h, units)
        for c in range(k):
            clear(sums)
            for q in range(len(by_row.row)):
                i, first, last = np.int64(by_row.row[q]), by_row.first[q], by_row.first[q + 1]
                lean_cells(
                    memory.ordered, by_row.column, first, last, H, W, i * k * LANES, c, sums, 2 * i * LANES, units
                )
            up, threshold = load(tile.sums, c * LANES, W), load(tile.h, c * LANES, W)
            for i in range(m):
                pull, curvature = load(sums, 2 * i * LANES, W), load(sums, (2 * i + 1) * LANES, W)
                mass = load(tile.row_mass, i * LANES, W)
                newton(W, (i * k + c) * LANES, up, pull, curvature, threshold, mass, alive, step)


@njit(**INNER)
def sweep_columns(tile, memory, rows, start, m, step, units):
    """Update H by one iteration of `NewtonKL`."""
    k = len(units)
    W, H, sums, count = tile.W, tile.H, memory.curve, len(start) - 1
    alive, zero = load(tile.alive, 0, W), splat(0.0, W)
    column_sums(W, m, tile.W_sums, units)
    for _ in range(step.sweeps):
        thresholds(H, count, tile.h, units)
        for j in range(count):
            mass = load(tile.column_mass, j * LANES, W)
            for c in range(k):
                store(sums, 0, zero)
                store(sums, LANES, zero)
                lean_cells(tile.cells, rows, start[j], start[j + 1], W, H, j * k * LANES, c, sums, 0, units)
                pull, curvature = load(sums, 0, W), load(sums, LANES, W)
                up, threshold = load(tile.W_sums, c * LANES, W), load(tile.h, c * LANES, W)
                newton(H, (j * k + c) * LANES, up, pull, curvature, threshold, mass, alive, step)


@njit(**INNER)
def fit_rows(tile, memory, by_row, m, units):
    """Write to W the rows after a Newton step from Y, H being at unit sums and the components `memory.scale` of V."""
    k = len(units)
    width, number = k * LANES, len(memory.curve) // m
    W, H, Y, curve, ordered, scale = tile.W, tile.H, memory.Y, memory.curve, memory.ordered, memory.scale
    clear(curve)
    for i in range(m):
        unit_row(Y, i * width, scale, W, units)
    for q in range(len(by_row.row)):
        i, first, last = np.int64(by_row.row[q]), by_row.first[q], by_row.first[q + 1]
        mix_stretch(ordered, by_row.column, first, last, H, W, i * width, curve, i * number, units)
    for i in range(m):
        mix_row(curve, i * number, load(tile.row_mass, i * LANES, W), W, i * width, units)


@njit(**INNER)
def fit_columns(cells, rows, start, masses, Y, H, scale, per, units):
    """Take a Newton step for every column of H under Y; leave H at unit sums, and what those were in `scale`.

    `per` is scratch.
    """
    k, count = len(units), len(start) - 1
    for j in range(count):
        mass = load(masses, j * LANES, H)
        mix_column(cells, rows, start[j], start[j + 1], Y, H, j * k * LANES, scale, mass, units)
    unit_sums(H, count, scale, per, splat(1.0, H), units)


@njit(**INNER)
def begin(tile, memory, count, m, units):
    """Set up the lanes that are marked in `tile.top`."""
    k = len(units)
    W, H, Y, scale, sums = tile.W, tile.H, memory.Y, memory.scale, tile.W_sums
    fresh = load(tile.top, 0, W)
    unit_sums(H, count, tile.sums, memory.per, fresh, units)
    unit_sums(W, m, sums, memory.per, fresh, units)
    for c in range(k):
        size = load(tile.sums, c * LANES, W) * load(sums, c * LANES, W)
        store(scale, c * LANES, where_positive(fresh, size, load(scale, c * LANES, W)))
    for p in range(0, m * k * LANES, LANES):
        store(Y, p, where_positive(fresh, load(W, p, W), load(Y, p, W)))
    store(memory.known, 0, where_positive(fresh, splat(-float(WAIT), W), load(memory.known, 0, W)))
    store(memory.size, 0, where_positive(fresh, splat(np.inf, W), load(memory.size, 0, W)))


@njit(**INNER)
def accelerate(W, sums, memory, m, units):
    """Move Y to where Anderson's extrapolation of the last steps ends, W having been found from it."""
    k = len(units)
    Y, per = memory.Y, memory.per
    zero, one = splat(0.0, W), splat(1.0, W)
    a11, a12, a22, b1, b2, size = zero, zero, zero, zero, zero, zero
    column_sums(W, m, sums, units)
    for c in range(k):
        total = load(sums, c * LANES, W)
        store(per, c * LANES, where_positive(total, one / where_positive(total, total, one), zero))
    for i in range(m):
        for c in range(k):
            p = (i * k + c) * LANES
            f = load(W, p, W) * load(per, c * LANES, W) - load(Y, p, W)
            store(memory.F, p, f)
            d1, d2 = f - load(memory.F1, p, W), f - load(memory.F2, p, W)
            size, a11, a12, a22 = size + f * f, a11 + d1 * d1, a12 + d1 * d2, a22 + d2 * d2
            b1, b2 = b1 + d1 * f, b2 + d2 * f
    known = load(memory.known, 0, W)
    # A step that took Y further from a fixed point says that what is remembered no longer holds.
    known = where_less(load(memory.size, 0, W), size, lanes_min(known, zero), known)
    squares = a11 * a22
    rest = squares - a12 * a12
    both = where_less(squares * splat(DEPENDENT, W), rest, known - one, zero)
    g1 = where_positive(both, (a22 * b1 - a12 * b2) / rest, where_positive(a11, b1 / a11, zero))
    g2 = where_positive(both, (a11 * b2 - a12 * b1) / rest, zero)
    for p in range(0, m * k * LANES, LANES):
        y, f, x1, f1 = load(Y, p, W), load(memory.F, p, W), load(memory.X1, p, W), load(memory.F1, p, W)
        w = y + f
        z = w - ((y - x1) + (f - f1)) * g1
        second = ((y - load(memory.X2, p, W)) + (f - load(memory.F2, p, W))) * g2
        z = where_positive(both, z - second, z)
        store(memory.X2, p, x1)
        store(memory.F2, p, f1)
        store(memory.X1, p, y)
        store(memory.F1, p, f)
        store(Y, p, lanes_max(where_positive(known, z, w), splat(KEPT, W) * w))
    unit_sums(Y, m, per, per, one, units)
    store(memory.size, 0, size)
    two = splat(2.0, W)
    more = known + one
    store(memory.known, 0, where_less(more, two, more, two))


@njit(**INNER)
def present(W, sums, Y, scale, m, units):
    """Write to W the point Y that H was fitted to, at the scale of V, and the sums of H."""
    k = len(units)
    one, zero = splat(1.0, W), splat(0.0, W)
    for c in range(k):
        size = load(scale, c * LANES, W)
        store(sums, c * LANES, where_positive(size, one, zero))
        for i in range(m):
            p = (i * k + c) * LANES
            store(W, p, load(Y, p, W) * size)


@njit(**INNER)
def restore(H, sums, moved, per, count, units):
    """Bring H back to unit sums where the check has moved scale to it; `moved` and `per` are scratch."""
    any_moved, size = False, len(units) * LANES
    for lane in range(LANES):
        moved[lane] = 0
        for place in range(lane, size, LANES):
            if sums[place] > 0 and sums[place] != 1:
                moved[lane], any_moved = 1, True
    if any_moved:
        unit_sums(H, count, per, per, load(moved, 0, H), units)


@njit(**INNER)
def check(tile, memory, cells, by_row, rule, limits, answers, m, units):
    """Decide which lanes are done, as `nmfcore.stopping` does for dense problems, and record how they ended."""
    k, count, rows, start = len(units), len(cells.start) - 1, cells.rows, cells.start
    verdict, width = memory.verdict, k * LANES
    if not candidates(tile, rule, limits, verdict, count, m, units):
        return
    clear(tile.D_W)
    clear(tile.D_H)
    for q in range(len(by_row.row)):
        at = np.int64(by_row.row[q]) * width
        pull_cells(
            memory.ordered, by_row.column, by_row.first[q], by_row.first[q + 1], tile.H, tile.W, at, tile.D_W, at, units
        )
    for j in range(count):
        pull_cells(tile.cells, rows, start[j], start[j + 1], tile.W, tile.H, j * width, tile.D_H, j * width, units)
    conclude(tile, rule, limits, verdict, answers, count, m, units)


@njit(**OPTIONS)
def mixtures(tile, memory, cells, by_row, jobs, nothing, first, last, rule, limits, units, answers):
    """Solve the jobs first to last - 1: `units` is any tuple as long as there are components.

    `nothing` is a `Jobs.extra` of zeros.

    Their answers hold the jobs' starts in between, after the plain iterations that all begin with.
    """
    m, count, rows, start = jobs.W.shape[1], len(cells.columns), cells.rows, cells.start
    following, living, none = first, np.int64(0), np.int64(0)
    while following < last:
        following, living = admit(tile, cells, jobs, following, last, none, none, m, units)
        add_outside(tile.H, tile.sums, tile.top, tile.job, jobs.extra, count, units)
        clear_empty(tile, count, m, units)
        order(memory.ordered, tile.cells, by_row.cell)
        for _ in range(WARM):
            sweep_rows(tile, memory, by_row, rule.W, m, units)
            sweep_columns(tile, memory, rows, start, m, rule.H, units)
            column_sums(tile.H, count, tile.sums, units)
        clear(tile.alive)
        emit(tile, cells.columns, answers, m, units)
    begun = Jobs(jobs.replicates, answers.W, answers.H, nothing)
    following, living, since = first, none, none
    while living > 0 or following < last:
        before = following
        if following < last:
            following, living = admit(tile, cells, begun, following, last, living, since, m, units)
        if following > before:
            since = none
            order(memory.ordered, tile.cells, by_row.cell)
            begin(tile, memory, count, m, units)
        fit_rows(tile, memory, by_row, m, units)
        accelerate(tile.W, tile.W_sums, memory, m, units)
        fit_columns(tile.cells, rows, start, tile.column_mass, memory.Y, tile.H, memory.scale, memory.per, units)
        since += WORTH
        if count_iteration(tile.alive, tile.iteration, limits):
            present(tile.W, tile.sums, memory.Y, memory.scale, m, units)
            check(tile, memory, cells, by_row, rule, limits, answers, m, units)
            living -= emit(tile, cells.columns, answers, m, units)
            restore(tile.H, tile.sums, tile.h, memory.per, count, units)
    close(tile, cells, jobs.replicates, first, last, limits.tol > 0, answers, units)
    for job in range(first, last):
        answers.n_iter[job] += WARM
