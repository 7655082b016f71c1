"""The Kullback-Leibler loop over shared patterns, compiled for the CPU: LANES replicates at a time.

Only cells with data enter the divergence beyond sums of W and of H, so each half-step is one pass (or several) over the
cells, column by column; what W wants is scattered to its rows, which stay in the cache. Tiles, lanes and the test for
convergence are those of the least-squares loop; the rules are those of the dense modules, and the tests hold the two to
each other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..losses import FLOOR
from ..rules.multiplicative import ROOM
from ..rules.newton import KEPT, NEGLIGIBLE
from .checks import candidates, column_sums, conclude, penalised
from .divergences import close
from .lanes import LANES, clear, lanes_max, load, splat, store, where_less, where_positive
from .scalars import tiny_of
from .settings import MU
from .tiles import INLINE, INNER, OPTIONS, admit, clear_empty, count_iteration, emit

# An iteration takes as long as about so many of least squares, by which the patience of `admit` is counted.
WORTH = 12


@njit(**INLINE)
def reconstruct(W, row, H, column, units):
    """Return W @ H in one cell, no less than FLOOR; W[row:] and H[column:] are its row and column."""
    x = load(W, row, W) * load(H, column, W)
    for c in range(1, len(units)):
        x = x + load(W, row + c * LANES, W) * load(H, column + c * LANES, W)
    return lanes_max(x, splat(FLOOR, W))


@njit(**INNER)
def thresholds(factor, count, out, units):
    """Write to `out`, for every component, the size at which entries are so small that they may fall to zero."""
    k = len(units)
    for c in range(k):
        largest = splat(0.0, factor)
        for i in range(count):
            largest = lanes_max(largest, load(factor, (i * k + c) * LANES, factor))
        store(out, c * LANES, largest * splat(NEGLIGIBLE, factor))


@njit(**INNER)
def pull_W(cells, rows, start, W, H, out, units):
    """Write (V / (W @ H)) @ H.T to `out`."""
    width = len(units) * LANES
    clear(out)
    for j in range(len(start) - 1):
        for p in range(start[j], start[j + 1]):
            row = np.int64(rows[p]) * width
            quotient = load(cells, p * LANES, W) / reconstruct(W, row, H, j * width, units)
            for c in range(len(units)):
                place = row + c * LANES
                store(out, place, load(out, place, W) + quotient * load(H, j * width + c * LANES, W))


@njit(**INLINE)
def pull_column(cells, rows, first, last, W, H, column, out, to, units):
    """Write one column of W.T @ (V / (W @ H)) to out[to:]."""
    width = len(units) * LANES
    for c in range(len(units)):
        store(out, to + c * LANES, splat(0.0, W))
    for p in range(first, last):
        row = np.int64(rows[p]) * width
        quotient = load(cells, p * LANES, W) / reconstruct(W, row, H, column, units)
        for c in range(len(units)):
            place = to + c * LANES
            store(out, place, load(out, place, W) + quotient * load(W, row + c * LANES, W))


@njit(**INNER)
def curve_W(cells, rows, start, W, H, c, pull, curvature, units):
    """Write what the data add to the negative slope by W[:, c] and to its derivative."""
    width = len(units) * LANES
    clear(pull)
    clear(curvature)
    for j in range(len(start) - 1):
        h = load(H, j * width + c * LANES, W)
        for p in range(start[j], start[j + 1]):
            i = np.int64(rows[p])
            ahead = h / reconstruct(W, i * width, H, j * width, units)
            term = load(cells, p * LANES, W) * ahead
            store(pull, i * LANES, load(pull, i * LANES, W) + term)
            store(curvature, i * LANES, load(curvature, i * LANES, W) + term * ahead)


@njit(**INLINE)
def multiply(factor, place, pull, at, sums, alive, step, units):
    """Update one row of a factor, factor[place:], by the multiplicative rule; see `MultiplicativeUpdate`.

    pull[at:] is the negative half of its gradient and `sums` the positive one without the penalties.
    """
    zero, floor = splat(0.0, factor), splat(FLOOR, factor)
    least = splat(ROOM * tiny_of(factor), factor)
    for c in range(len(units)):
        old, negative = load(factor, place + c * LANES, factor), load(pull, at + c * LANES, factor)
        positive = load(sums, c * LANES, factor) + splat(step.l1, factor) + splat(step.l2, factor) * old
        ratio = negative / where_positive(positive, positive, floor)
        value = lanes_max(ratio * old, where_positive(negative, where_positive(old, least, zero), zero))
        store(factor, place + c * LANES, where_positive(alive, value, old))


@njit(**INLINE)
def newton(factor, place, up, pull, curvature, threshold, mass, alive, step):
    """Update one entry of a factor, factor[place:], by Newton's rule; see `rules.newton`."""
    zero, one = splat(0.0, factor), splat(1.0, factor)
    old = load(factor, place, factor)
    slope = up - pull + splat(step.l1, factor) + splat(step.l2, factor) * old
    total = curvature + splat(step.l2, factor)
    kept = where_less(threshold, old, splat(KEPT, factor) * old, zero)
    moved = lanes_max(old - slope / where_positive(total, total, one), kept)
    value = where_positive(total, moved, where_positive(slope, kept, old))
    store(factor, place, where_positive(alive, where_positive(mass, value, zero), old))


@njit(**INNER)
def update_W(tile, cells, step, alive, m, units):
    """Update W by one iteration's sweeps, `tile.sums` being those of H."""
    k, rows, start = len(units), cells.rows, cells.start
    for _ in range(step.sweeps):
        if step.kind == MU:
            pull_W(tile.cells, rows, start, tile.W, tile.H, tile.A, units)
            for i in range(m):
                place = i * k * LANES
                multiply(tile.W, place, tile.A, place, tile.sums, alive, step, units)
        else:
            thresholds(tile.W, m, tile.h, units)
            for c in range(k):
                curve_W(tile.cells, rows, start, tile.W, tile.H, c, tile.A, tile.D_W, units)
                up, threshold = load(tile.sums, c * LANES, tile.W), load(tile.h, c * LANES, tile.W)
                for i in range(m):
                    newton(
                        tile.W, (i * k + c) * LANES, up, load(tile.A, i * LANES, tile.W),
                        load(tile.D_W, i * LANES, tile.W), threshold, load(tile.row_mass, i * LANES, tile.W), alive,
                        step,
                    )  # fmt: skip


@njit(**INNER)
def update_H(tile, cells, step, alive, units):
    """Update H by one iteration's sweeps, `tile.W_sums` being those of W."""
    k, rows, start = len(units), cells.rows, cells.start
    count = len(start) - 1
    for _ in range(step.sweeps):
        if step.kind == MU:
            for j in range(count):
                place = j * k * LANES
                pull_column(tile.cells, rows, start[j], start[j + 1], tile.W, tile.H, place, tile.r, 0, units)
                multiply(tile.H, place, tile.r, 0, tile.W_sums, alive, step, units)
        else:
            thresholds(tile.H, count, tile.h, units)
            for j in range(count):
                newton_column(tile, rows, start[j], start[j + 1], j, step, alive, units)


@njit(**INLINE)
def newton_column(tile, rows, first, last, j, step, alive, units):
    """Update the entries of one column of H in turn."""
    width = len(units) * LANES
    mass = load(tile.column_mass, j * LANES, tile.W)
    for c in range(len(units)):
        pull, curvature = splat(0.0, tile.W), splat(0.0, tile.W)
        for p in range(first, last):
            row = np.int64(rows[p]) * width
            ahead = load(tile.W, row + c * LANES, tile.W) / reconstruct(tile.W, row, tile.H, j * width, units)
            term = load(tile.cells, p * LANES, tile.W) * ahead
            pull = pull + term
            curvature = curvature + term * ahead
        newton(
            tile.H, j * width + c * LANES, load(tile.W_sums, c * LANES, tile.W), pull, curvature,
            load(tile.h, c * LANES, tile.W), mass, alive, step,
        )  # fmt: skip


@njit(**INNER)
def check(tile, cells, rule, limits, answers, m, units):
    """Decide which lanes are done, as `nmfcore.stopping` does for dense problems, and record how they ended."""
    k, count, rows, start = len(units), len(cells.start) - 1, cells.rows, cells.start
    verdict = tile.verdict
    if not candidates(tile, rule, limits, verdict, count, m, units):
        return
    pull_W(tile.cells, rows, start, tile.W, tile.H, tile.D_W, units)
    for j in range(count):
        place = j * k * LANES
        pull_column(tile.cells, rows, start[j], start[j + 1], tile.W, tile.H, place, tile.D_H, place, units)
    conclude(tile, rule, limits, verdict, answers, count, m, units)


@njit(**INNER)
def penalty_of(factor, step):
    """Return the penalties on one factor of one replicate, in float64."""
    total = 0.0
    for row in range(factor.shape[0]):
        for column in range(factor.shape[1]):
            value = np.float64(factor[row, column])
            total += value * (step.l1 + 0.5 * step.l2 * value)
    return total


@njit(**OPTIONS)
def kullback_leibler(tile, cells, jobs, first, last, rule, limits, units, answers):
    """Solve the jobs first to last - 1 in a tile: `units` is any tuple as long as there are components."""
    k, m, count = len(units), jobs.W.shape[1], len(cells.columns)
    following, living, since = first, np.int64(0), np.int64(0)
    while living > 0 or following < last:
        before = following
        if following < last:
            following, living = admit(tile, cells, jobs, following, last, living, since, m, units)
        if following > before:
            since = np.int64(0)
            # Lanes in mid-run get the same sums again. What has no data counts in the first update of W, then is zero.
            column_sums(tile.H, count, tile.sums, units)
            for lane in range(LANES):
                if tile.top[lane] > 0:
                    for c in range(k):
                        e = min(tile.job[lane], jobs.extra.shape[0] - 1)
                        tile.sums[c * LANES + lane] += jobs.extra[e, k, c]
            clear_empty(tile, count, m, units)
        alive = load(tile.alive, 0, tile.W)
        update_W(tile, cells, rule.W, alive, m, units)
        column_sums(tile.W, m, tile.W_sums, units)
        update_H(tile, cells, rule.H, alive, units)
        column_sums(tile.H, count, tile.sums, units)
        since += WORTH
        if count_iteration(tile.alive, tile.iteration, limits):
            check(tile, cells, rule, limits, answers, m, units)
            living -= emit(tile, cells.columns, answers, m, units)
    close(tile, cells, jobs.replicates, first, last, limits.tol > 0 and not penalised(rule), answers, units)
    if penalised(rule):
        for job in range(first, last):
            answers.numbers[job, 0] += penalty_of(answers.W[job], rule.W) + penalty_of(answers.H[job], rule.H)
