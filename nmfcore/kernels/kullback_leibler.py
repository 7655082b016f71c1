"""The Kullback-Leibler loop over shared patterns, compiled for the CPU: LANES replicates at a time.

Only cells with data enter the divergence beyond sums of W and of H, so each half-step is one pass (or several) over the
cells, column by column; what W wants is scattered to its rows, which stay in the cache. Tiles, lanes and the test for
convergence are those of the least-squares loop; the rules are those of the dense modules, and the tests hold the two to
each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ..losses import FLOOR
from ..solvers import KEPT, NEGLIGIBLE, NewtonKL
from ..updates import ROOM, MultiplicativeUpdate
from .lanes import LANES, lanes_max, load, splat, store, where_less, where_positive
from .least_squares import (
    BLOCK,
    INLINE,
    MU,
    OPTIONS,
    Rule,
    admit,
    allocate,
    candidates,
    clear_empty,
    count_iteration,
    emit,
    judge,
    residual,
)

ALLOCATING: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
NEWTON = 3
# An iteration takes as long as about so many of least squares, by which the patience of `admit` is counted.
WORTH = 12
# Reconstructions are multiplied up to here before a logarithm is taken.
RANGE = 1e150


def rule_of(rule: MultiplicativeUpdate | NewtonKL, penalties: list[float]) -> Rule:
    """Return the compiled form of a rule with the penalty coefficients (l1_W, l2_W, l1_H, l2_H)."""
    return Rule(NEWTON if isinstance(rule, NewtonKL) else MU, rule.inner, rule.inner, False, *penalties)


@njit(**INLINE)
def reconstruct(W, row, H, column, units):
    """Return W @ H in one cell, no less than FLOOR; W[row:] and H[column:] are its row and column."""
    x = load(W, row, W) * load(H, column, W)
    for c in range(1, len(units)):
        x = x + load(W, row + c * LANES, W) * load(H, column + c * LANES, W)
    return lanes_max(x, splat(FLOOR, W))


@njit(**OPTIONS)
def totals(factor, count, out, units):
    """Write the sums of `factor` (count, k, LANES) over its rows to `out`, by blocks: float32 sums stay short."""
    k = len(units)
    for c in range(k):
        total = splat(0.0, factor)
        for block in range(0, count, BLOCK):
            part = splat(0.0, factor)
            for i in range(block, min(block + BLOCK, count)):
                part = part + load(factor, (i * k + c) * LANES, factor)
            total = total + part
        store(out, c * LANES, total)


@njit(**OPTIONS)
def thresholds(factor, count, out, units):
    """Write to `out`, for every component, the size at which entries are so small that they may fall to zero."""
    k = len(units)
    for c in range(k):
        largest = splat(0.0, factor)
        for i in range(count):
            largest = lanes_max(largest, load(factor, (i * k + c) * LANES, factor))
        store(out, c * LANES, largest * splat(NEGLIGIBLE, factor))


@njit(**OPTIONS)
def pull_W(cells, rows, start, W, H, out, units):
    """Write (V / (W @ H)) @ H.T to `out`."""
    width = len(units) * LANES
    out[:] = 0
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


@njit(**OPTIONS)
def curve_W(cells, rows, start, W, H, c, pull, curvature, units):
    """Write what the data add to the negative slope by W[:, c] and to its derivative."""
    width = len(units) * LANES
    pull[:] = 0
    curvature[:] = 0
    for j in range(len(start) - 1):
        h = load(H, j * width + c * LANES, W)
        for p in range(start[j], start[j + 1]):
            i = np.int64(rows[p])
            ahead = h / reconstruct(W, i * width, H, j * width, units)
            term = load(cells, p * LANES, W) * ahead
            store(pull, i * LANES, load(pull, i * LANES, W) + term)
            store(curvature, i * LANES, load(curvature, i * LANES, W) + term * ahead)


@njit(**INLINE)
def multiply(factor, place, pull, at, sums, alive, l1, l2, units):
    """Update one row of a factor, factor[place:], by the multiplicative rule; see `MultiplicativeUpdate`.

    pull[at:] is the negative half of its gradient and `sums` the positive one without the penalties.
    """
    zero, floor = splat(0.0, factor), splat(FLOOR, factor)
    least = splat(ROOM * np.finfo(factor.dtype).tiny, factor)
    for c in range(len(units)):
        old, negative = load(factor, place + c * LANES, factor), load(pull, at + c * LANES, factor)
        positive = load(sums, c * LANES, factor) + splat(l1, factor) + splat(l2, factor) * old
        step = negative / where_positive(positive, positive, floor)
        value = lanes_max(step * old, where_positive(negative, where_positive(old, least, zero), zero))
        store(factor, place + c * LANES, where_positive(alive, value, old))


@njit(**INLINE)
def newton(factor, place, up, pull, curvature, threshold, mass, alive, l1, l2):
    """Update one entry of a factor, factor[place:], by Newton's rule; see `solvers.newton_step`."""
    zero, one = splat(0.0, factor), splat(1.0, factor)
    old = load(factor, place, factor)
    slope = up - pull + splat(l1, factor) + splat(l2, factor) * old
    total = curvature + splat(l2, factor)
    kept = where_less(threshold, old, splat(KEPT, factor) * old, zero)
    moved = lanes_max(old - slope / where_positive(total, total, one), kept)
    value = where_positive(total, moved, where_positive(slope, kept, old))
    store(factor, place, where_positive(alive, where_positive(mass, value, zero), old))


@njit(**OPTIONS)
def update_W(tile, rows, start, rule, alive, m, units):
    """Update W by one iteration's sweeps, `tile.sums` being those of H."""
    k = len(units)
    for _ in range(rule.sweeps_W):
        if rule.kind == MU:
            pull_W(tile.cells, rows, start, tile.W, tile.H, tile.A, units)
            for i in range(m):
                place = i * k * LANES
                multiply(tile.W, place, tile.A, place, tile.sums, alive, rule.l1_W, rule.l2_W, units)
        else:
            thresholds(tile.W, m, tile.h, units)
            for c in range(k):
                curve_W(tile.cells, rows, start, tile.W, tile.H, c, tile.A, tile.D_W, units)
                up, threshold = load(tile.sums, c * LANES, tile.W), load(tile.h, c * LANES, tile.W)
                for i in range(m):
                    newton(
                        tile.W, (i * k + c) * LANES, up, load(tile.A, i * LANES, tile.W),
                        load(tile.D_W, i * LANES, tile.W), threshold, load(tile.row_mass, i * LANES, tile.W), alive,
                        rule.l1_W, rule.l2_W,
                    )  # fmt: skip


@njit(**OPTIONS)
def update_H(tile, rows, start, rule, alive, units):
    """Update H by one iteration's sweeps, `tile.W_sums` being those of W."""
    k, count = len(units), len(start) - 1
    for _ in range(rule.sweeps_H):
        if rule.kind == MU:
            for j in range(count):
                place = j * k * LANES
                pull_column(tile.cells, rows, start[j], start[j + 1], tile.W, tile.H, place, tile.r, 0, units)
                multiply(tile.H, place, tile.r, 0, tile.W_sums, alive, rule.l1_H, rule.l2_H, units)
        else:
            thresholds(tile.H, count, tile.h, units)
            for j in range(count):
                newton_column(tile, rows, start[j], start[j + 1], j, rule, alive, units)


@njit(**INLINE)
def newton_column(tile, rows, first, last, j, rule, alive, units):
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
            load(tile.h, c * LANES, tile.W), mass, alive, rule.l1_H, rule.l2_H,
        )  # fmt: skip


@njit(**OPTIONS)
def gradient(factor, D, count, up, sums, by_sum, mass, l1, l2, penalised, top, missing, units):
    """Turn D from the negative half of the gradient by `factor` into the gradient.

    `up` are the sums of the other factor, `sums` those of H. Writes the largest scaled negative half to `top` and
    raises `missing`, (2, LANES), to the mass that positive entries still ask for and that of zeros; see
    `optimality.missing_mass`.
    """
    k = len(units)
    zero, one = splat(0.0, factor), splat(1.0, factor)
    unreached = zero if penalised else one
    largest, growing, locked = zero, zero, zero
    for i in range(count):
        by_positive, by_zero, reach = zero, zero, zero
        for c in range(k):
            place = (i * k + c) * LANES
            negative, entry, other = load(D, place, factor), load(factor, place, factor), load(up, c * LANES, factor)
            positive = other + splat(l1, factor) + splat(l2, factor) * entry
            store(D, place, positive - negative)
            total = load(sums, c * LANES, factor)
            total = where_positive(total, total, one)
            largest = lanes_max(largest, negative / total if by_sum else negative * total)
            wanted = where_less(positive, negative, one - positive / negative, zero)
            by_positive = lanes_max(by_positive, where_positive(entry, wanted, zero))
            by_zero = lanes_max(by_zero, where_positive(entry, zero, wanted))
            reach = reach + entry * other
        by_zero = where_positive(reach, by_zero, lanes_max(by_zero, unreached))
        growing = growing + by_positive * load(mass, i * LANES, factor)
        locked = locked + by_zero * load(mass, i * LANES, factor)
    store(top, 0, largest)
    store(missing, 0, lanes_max(load(missing, 0, factor), growing))
    store(missing, LANES, lanes_max(load(missing, LANES, factor), locked))


@njit(**ALLOCATING)
def finish(tile, rows, start, rule, limits, status, n_iter, kkt, m, units):
    """Decide which lanes are done, as `nmfcore.stopping` does for dense problems, and record how they ended."""
    k, count = len(units), len(start) - 1
    verdict = np.empty(LANES, np.int64)
    if not candidates(tile, limits, verdict, count, m, units):
        return
    penalised = rule.l1_W > 0 or rule.l2_W > 0 or rule.l1_H > 0 or rule.l2_H > 0
    pull_W(tile.cells, rows, start, tile.W, tile.H, tile.D_W, units)
    for j in range(count):
        place = j * k * LANES
        pull_column(tile.cells, rows, start[j], start[j + 1], tile.W, tile.H, place, tile.D_H, place, units)
    tile.missing[:] = 0
    gradient(
        tile.H, tile.D_H, count, tile.W_sums, tile.sums, False, tile.column_mass, rule.l1_H, rule.l2_H, penalised,
        tile.top, tile.missing, units,
    )  # fmt: skip
    gradient(
        tile.W, tile.D_W, m, tile.sums, tile.sums, True, tile.row_mass, rule.l1_W, rule.l2_W, penalised, tile.out2,
        tile.missing, units,
    )  # fmt: skip
    if not judge(tile, limits, verdict, m, bool(1)):
        return
    tile.out[:] = 0
    residual(tile.H, tile.D_H, count, tile.sums, bool(0), tile.top, tile.out, units)
    residual(tile.W, tile.D_W, m, tile.sums, bool(1), tile.out2, tile.out, units)
    for lane in range(LANES):
        if verdict[lane] >= 0:
            job = tile.job[lane]
            status[job], n_iter[job], kkt[job, 2] = verdict[lane], tile.iteration[lane], tile.out[lane]
            tile.alive[lane] = 0


@njit(**OPTIONS)
def divergence(cells, lane, rows, start, columns, W, H, units):
    """Return the divergence of one replicate, in float64; `cells` is its tile of the pattern."""
    logs = (0.0, 0.0, 2 * np.log(2.0), 3 * np.log(3.0))
    total, product, data = 0.0, 1.0, 0.0
    for j in range(len(start) - 1):
        for p in range(start[j], start[j + 1]):
            v = np.float64(cells[p * LANES + lane])
            x = 0.0
            for c in range(len(units)):
                x += np.float64(W[rows[p], c]) * np.float64(H[c, columns[j]])
            if x < FLOOR:
                x = FLOOR
            data += v
            if v == 0 or v == 1 or v == 2 or v == 3:
                # Most counts are small: a product takes a fraction of a logarithm's time.
                number = np.int64(v)
                total += logs[number]
                product *= (x if number & 1 else 1.0) * (x * x if number & 2 else 1.0)
                if not 1 / RANGE < product < RANGE:
                    total -= np.log(product)
                    product = 1.0
            else:
                total += v * np.log(v / x)
    for c in range(len(units)):
        over_W, over_H = 0.0, 0.0
        for i in range(W.shape[0]):
            over_W += W[i, c]
        for j in range(len(columns)):
            over_H += H[c, columns[j]]
        total += over_W * over_H
    return total - np.log(product) - data


@njit(**OPTIONS)
def penalty_of(factor, l1, l2):
    """Return the penalties on one factor of one replicate, in float64."""
    total = 0.0
    for row in range(factor.shape[0]):
        for column in range(factor.shape[1]):
            value = np.float64(factor[row, column])
            total += value * (l1 + 0.5 * l2 * value)
    return total


@njit(**ALLOCATING)
def kullback_leibler(
    values, rows, start, columns, replicates, first, last, W0, H0, extra, rule, limits, units,
    W_out, H_out, n_iter, status, numbers,
):  # fmt: skip
    """Solve the jobs first to last - 1; job i is the replicate replicates[i] from its start, W0[i] and H0[i]."""
    k, m, count = len(units), W_out.shape[1], len(columns)
    tile = allocate(values, W_out, len(rows), m, count, units)
    following, living, since = first, np.int64(0), np.int64(0)
    while living > 0 or following < last:
        before = following
        if following < last:
            following, living = admit(
                tile, values, rows, start, columns, replicates, W0, H0, extra, following, last, living, since, m, units
            )
        if following > before:
            since = np.int64(0)
            # Lanes in mid-run get the same sums again. What has no data counts in the first update of W, then is zero.
            totals(tile.H, count, tile.sums, units)
            for lane in range(LANES):
                if tile.top[lane] > 0:
                    for c in range(k):
                        tile.sums[c * LANES + lane] += extra[min(tile.job[lane], extra.shape[0] - 1), k, c]
            clear_empty(tile, count, m, units)
        alive = load(tile.alive, 0, tile.W)
        update_W(tile, rows, start, rule, alive, m, units)
        totals(tile.W, m, tile.W_sums, units)
        update_H(tile, rows, start, rule, alive, units)
        totals(tile.H, count, tile.sums, units)
        since += WORTH
        if count_iteration(tile, limits):
            finish(tile, rows, start, rule, limits, status, n_iter, numbers, m, units)
            living -= emit(tile, columns, W_out, H_out, m, units)
    for job in range(first, last):
        W, H, b = W_out[job], H_out[job], replicates[job]
        numbers[job, 1] = divergence(values[b // LANES], b % LANES, rows, start, columns, W, H, units)
        numbers[job, 0] = numbers[job, 1] + penalty_of(W, rule.l1_W, rule.l2_W) + penalty_of(H, rule.l1_H, rule.l2_H)
