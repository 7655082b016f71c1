"""The least-squares loop over shared patterns, compiled for the CPU: LANES replicates at a time, within the cache.

Each pass goes once over the cells, column by column: the product of a column with W gives the column's part of H, which
at once gives its part of V @ H.T. The definitions are those of the dense modules; the tests hold the two to each other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..losses import FLOOR
from ..rules.hals import GROW, GROW_LIMIT, SHRINK
from ..rules.multiplicative import ROOM
from .checks import Side, candidates, confirm, gradient, judge, mark_dead, penalised, record, residual
from .lanes import LANES, lanes_max, lanes_min, load, splat, store, where_less, where_positive
from .loops import dot_column, gram_rows, scatter_column, sweep_rows
from .settings import MU, RANK2, SWEEPS
from .tiles import (
    ALLOCATING,
    BLOCK,
    INLINE,
    OPTIONS,
    ROWS,
    admit,
    allocate,
    clear_empty,
    copy,
    count_iteration,
    emit,
)

SIDE_BY_SIDE = (0,) * ROWS
# Below this fraction of the data's own squares the difference of large numbers leaves too few digits of the loss.
CLOSE = 0.05


@njit(**OPTIONS)
def gram(factor, count, out, sums, units):
    """Write the k x k Gram matrix of `factor` (count, k, LANES) to `out` (k, k, LANES) and its sums to `sums`."""
    out[:] = 0
    sums[:] = 0
    gram_rows(factor, 0, count, out, sums, units)


@njit(**INLINE)
def update_rows(r, at, G, inverse, source, target, place, new, alive, step, units):
    """Write the update of the ROWS rows source[place:] of a factor to target[place:]; idle lanes keep their values.

    r[at:] is the product with the data (ROWS, k, LANES), G the Gram matrix of the other factor with l2 on its diagonal,
    `inverse` what `prepare_gram` made of it, `new` (2 k, LANES) scratch.
    """
    k = len(units)
    width = k * LANES
    zero = splat(0.0, G)
    if step.kind == MU:
        least = splat(ROOM * np.finfo(G.dtype).tiny, G)
        floor = splat(FLOOR, G)
        penalty = splat(step.l1, G)
        for q in range(ROWS):
            of, this = place + q * width, at + q * width
            for c in range(k):
                store(new, c * LANES, load(source, of + c * LANES, G))
            for _ in range(step.sweeps):
                for c in range(k):
                    denominator = penalty
                    for d in range(k):
                        denominator = denominator + load(G, (c * k + d) * LANES, G) * load(new, d * LANES, G)
                    old, negative = load(new, c * LANES, G), load(r, this + c * LANES, G)
                    ratio = negative / where_positive(denominator, denominator, floor)
                    value = lanes_max(ratio * old, where_positive(negative, where_positive(old, least, zero), zero))
                    store(new, (k + c) * LANES, value)
                for c in range(k):
                    value, old = load(new, (k + c) * LANES, G), load(new, c * LANES, G)
                    store(new, c * LANES, where_positive(alive, value, old))
            for c in range(k):
                store(target, of + c * LANES, load(new, c * LANES, G))
    elif step.kind == RANK2:
        shrink = splat(step.l1, G)
        g00, g01, g11 = load(G, 0, G), load(G, LANES, G), load(G, 3 * LANES, G)
        per0, per1 = load(inverse, 0, G), load(inverse, LANES, G)
        scale = load(inverse, 2 * LANES, G)  # 1 / determinant, 0 where that is not to be trusted
        for q in range(ROWS):
            of, this = place + q * width, at + q * width
            r0, r1 = load(r, this, G) - shrink, load(r, this + LANES, G) - shrink
            old0, old1 = load(source, of, G), load(source, of + LANES, G)
            only0 = where_positive(g00, lanes_max(r0 * per0, zero), old0)
            only1 = where_positive(g11, lanes_max(r1 * per1, zero), old1)
            first_wins = only0 * r0 - only1 * r1
            x0, x1 = where_less(first_wins, zero, zero, only0), where_less(first_wins, zero, only1, zero)
            y0, y1 = (g11 * r0 - g01 * r1) * scale, (g00 * r1 - g01 * r0) * scale
            inside = lanes_min(y0, y1)
            store(target, of, where_positive(alive, where_positive(inside, y0, x0), old0))
            store(target, of + LANES, where_positive(alive, where_positive(inside, y1, x1), old1))
    else:
        sweep_rows(SIDE_BY_SIDE, r, at, inverse, splat(step.l1, G), source, target, place, alive, step.sweeps, units)


@njit(**INLINE)
def prepare_gram(G, inverse, step, units):
    """Add l2 to the diagonal and write what `update_rows` divides by."""
    k = len(units)
    one, zero = splat(1.0, G), splat(0.0, G)
    tiny = splat(np.finfo(G.dtype).tiny, G)
    for c in range(k):
        place = (c * k + c) * LANES
        total = load(G, place, G) + splat(step.l2, G)
        store(G, place, total)
        store(inverse, c * LANES, where_positive(total, one / lanes_max(total, tiny), zero))
    if step.kind == SWEEPS:
        for c in range(k):
            for d in range(k):
                store(
                    inverse,
                    (k + c * k + d) * LANES,
                    zero - load(G, (c * k + d) * LANES, G) * load(inverse, c * LANES, G),
                )
    if step.kind == RANK2:
        product = load(G, 0, G) * load(G, 3 * LANES, G)
        determinant = product - load(G, LANES, G) * load(G, LANES, G)
        trusted = determinant - product * splat(16 * np.finfo(G.dtype).eps, G)
        store(inverse, 2 * LANES, where_positive(trusted, one / lanes_max(determinant, tiny), zero))


@njit(**OPTIONS)
def pass_over(tile, cells, W, alive, step, update, units):
    """Update H column by column (if `update`), and write V @ H.T, H @ H.T and the sums of H to the tile."""
    k = len(units)
    width = k * LANES
    values, rows, start = tile.cells, cells.rows, cells.start
    H, A, GH, sums, r = tile.H, tile.A, tile.GH, tile.sums, tile.r
    A[:] = 0
    GH[:] = 0
    sums[:] = 0
    count = len(start) - 1
    groups = -(-count // ROWS)
    # Three groups of columns are worked on at once, each a step further than the next: none of the steps waits.
    for stage in range(groups + 2):
        if update and stage < groups:
            for q in range(ROWS):
                j, to = stage * ROWS + q, ((stage & 1) * ROWS + q) * width
                if j < count:
                    dot_column(values, rows, start[j], start[j + 1], W, r, to, units)
                else:
                    for c in range(0, width, LANES):
                        store(r, to + c, splat(0.0, W))
        group = stage - 1
        if 0 <= group < groups:
            first = group * ROWS
            if update:
                at = (group & 1) * ROWS * width
                update_rows(r, at, tile.GW, tile.inverse, H, H, first * width, tile.h, alive, step, units)
            if (first + ROWS) % BLOCK == 0 or group == groups - 1:
                gram_rows(H, first - first % BLOCK, min(first + ROWS, count), GH, sums, units)
        group = stage - 2
        if group >= 0:
            for j in range(group * ROWS, min((group + 1) * ROWS, count)):
                scatter_column(values, rows, start[j], start[j + 1], A, H, j * width, units)


@njit(**OPTIONS)
def update_W(tile, source, target, alive, step, m, units):
    """Write the update of `source`, W or its extrapolation, for this H to `target`; idle lanes keep their values."""
    width = len(units) * LANES
    copy(tile.G, tile.GH)
    prepare_gram(tile.G, tile.inverse, step, units)
    for i in range(0, m, ROWS):
        update_rows(tile.A, i * width, tile.G, tile.inverse, source, target, i * width, tile.h, alive, step, units)


@njit(**OPTIONS)
def extrapolate(tile, step, m, units):
    """Update W for this H, and choose what the next H is fitted to: further along the way that W has moved.

    Where the step turned against the one before it, the extrapolation starts anew: as safe as watching the loss rise,
    free, and not blind in float32 once the loss is flat.
    """
    k = len(units)
    width = k * LANES
    mask = load(tile.alive, 0, tile.W)
    zero = splat(0.0, tile.W)
    turned = zero
    update_W(tile, tile.Y, tile.D_W, mask, step, m, units)
    for place in range(0, m * width, LANES):
        new = load(tile.D_W, place, tile.W)
        turned = turned + (load(tile.Y, place, tile.W) - new) * (new - load(tile.W, place, tile.W))
    store(tile.top, 0, turned)
    for lane in range(LANES):
        if tile.top[lane] > 0:
            tile.ceiling[lane] = tile.momentum[lane]
            tile.momentum[lane] /= SHRINK
            tile.top[lane] = 0
        else:
            tile.top[lane] = tile.momentum[lane]
            tile.ceiling[lane] = min(1.0, GROW_LIMIT * tile.ceiling[lane])
            tile.momentum[lane] = min(tile.ceiling[lane], GROW * tile.momentum[lane])
    reach = load(tile.top, 0, tile.W)
    for place in range(0, m * width, LANES):
        new, old = load(tile.D_W, place, tile.W), load(tile.W, place, tile.W)
        store(tile.Y, place, where_positive(mask, lanes_max(new + reach * (new - old), zero), old))
        store(tile.W, place, where_positive(mask, new, old))


@njit(**OPTIONS)
def lost_component(sums, W_sums, rule, units):
    """Return 1 in lanes where a component is zero in both factors (and nothing penalises it), else 0."""
    zero, one = splat(0.0, sums), splat(1.0, sums)
    lost = zero
    if not penalised(rule):
        for c in range(len(units)):
            lost = where_positive(load(sums, c * LANES, sums) + load(W_sums, c * LANES, sums), lost, one)
    return lost


@njit(**OPTIONS)
def multiply_columns(values, cells, W, H, out, fit, units):
    """Write W.T @ V to `out`, and sum(H * (W.T @ V)) to `fit`; `values` are the tile's."""
    fit[:] = 0
    for j in range(len(cells.start) - 1):
        column = j * len(units) * LANES
        dot_column(values, cells.rows, cells.start[j], cells.start[j + 1], W, out, column, units)
        for c in range(len(units)):
            place = column + c * LANES
            store(fit, 0, load(fit, 0, fit) + load(out, place, fit) * load(H, place, fit))


@njit(**OPTIONS)
def squared_distance(values, rows, start, W, H, lane, m, units):
    """Return half the squared distance of one lane's data from W @ H, in float64 and cell by cell.

    Without the squares of cells outside the pattern, which are those of all cells less those inside.
    """
    k, count = len(units), len(start) - 1
    total, inside, everywhere = 0.0, 0.0, 0.0
    for j in range(count):
        for p in range(start[j], start[j + 1]):
            x = 0.0
            for c in range(k):
                x += np.float64(W[(rows[p] * k + c) * LANES + lane]) * np.float64(H[(j * k + c) * LANES + lane])
            total += (np.float64(values[p * LANES + lane]) - x) ** 2
            inside += x * x
    for c in range(k):
        for d in range(k):
            of_W, of_H = 0.0, 0.0
            for i in range(m):
                place = i * k * LANES + lane
                of_W += np.float64(W[place + c * LANES]) * np.float64(W[place + d * LANES])
            for j in range(count):
                place = j * k * LANES + lane
                of_H += np.float64(H[place + c * LANES]) * np.float64(H[place + d * LANES])
            everywhere += of_W * of_H
    return 0.5 * (total + max(0.0, everywhere - inside))


@njit(**ALLOCATING)
def check(tile, cells, rule, limits, answers, m, units):
    """Decide which lanes are done, as `nmfcore.stopping` does for dense problems, and record their numbers."""
    k, count, rows, start = len(units), len(cells.start) - 1, cells.rows, cells.start
    verdict = np.empty(LANES, np.int64)
    if not candidates(tile, rule, limits, verdict, count, m, units):
        return
    # The gradients at these factors give what entries still ask for, and the loss with it.
    gram(tile.W, m, tile.G, tile.W_sums, units)
    lost = lost_component(tile.sums, tile.W_sums, rule, units)
    # l2 by H stands on the diagonal of G.
    of_W = Side(tile.W, tile.D_W, m, tile.row_mass, tile.sums, tile.out2, rule.W.l1, rule.W.l2)
    of_H = Side(tile.H, tile.D_H, count, tile.column_mass, tile.W_sums, tile.top, rule.H.l1, 0.0)
    tile.missing[:] = 0
    copy(tile.D_W, tile.A)
    gradient(of_W, tile.GH, tile.sums, True, lost, tile.missing, units)
    # The gradient by H takes as long as half an iteration: not before W asks for no more. (numba compiles a function
    # for False and again for True, but once for bool(0) and bool(1): off the loop there is no gain in two.)
    if not judge(tile.missing, tile.row_mass, tile.iteration, limits, verdict, m, bool(0)):
        return
    for c in range(k):
        place = (c * k + c) * LANES
        store(tile.G, place, load(tile.G, place, tile.W) + splat(rule.H.l2, tile.W))
    multiply_columns(tile.cells, cells, tile.W, tile.H, tile.D_H, tile.fit, units)
    gradient(of_H, tile.G, tile.sums, False, lost, tile.missing, units)
    if not judge(tile.missing, tile.row_mass, tile.iteration, limits, verdict, m, bool(1)):
        return
    for lane in range(LANES):
        if verdict[lane] < 0:
            continue
        divergence, half = 0.5 * tile.energy[lane] - tile.fit[lane], 0.5 * tile.energy[lane]
        penalty = 0.0
        for c in range(k):
            penalty += rule.W.l1 * np.float64(tile.W_sums[c * LANES + lane])
            penalty += rule.H.l1 * np.float64(tile.sums[c * LANES + lane])
            place = (c * k + c) * LANES + lane
            square = np.float64(tile.G[place]) - rule.H.l2
            penalty += 0.5 * (rule.W.l2 * square + rule.H.l2 * np.float64(tile.GH[place]))
            for d in range(k):
                other = (c * k + d) * LANES + lane
                product = np.float64(tile.G[other]) - (rule.H.l2 if c == d else 0.0)
                divergence += 0.5 * product * np.float64(tile.GH[other])
        if divergence < CLOSE * half:
            divergence = squared_distance(tile.cells, rows, start, tile.W, tile.H, lane, m, units)
        job = tile.job[lane]
        answers.numbers[job, 0], answers.numbers[job, 1] = divergence + penalty, divergence
    tile.out[:] = 0
    residual(of_H, tile.sums, bool(0), tile.out, units)
    residual(of_W, tile.sums, bool(1), tile.out, units)
    mark_dead(verdict, tile.W_sums, tile.sums, rule, units)
    confirm(verdict, tile.job, tile.iteration, tile.out, limits, answers)
    record(verdict, tile.job, tile.iteration, tile.out, tile.alive, answers)


@njit(**ALLOCATING)
def frobenius(cells, jobs, first, last, rule, limits, units, answers):
    """Solve the jobs first to last - 1: `units` is any tuple as long as there are components."""
    k, m, count = len(units), jobs.W.shape[1], len(cells.columns)
    tile = allocate(cells.values, answers.W, len(cells.rows), m, count, units)
    following, living, since = first, np.int64(0), np.int64(0)
    while living > 0 or following < last:
        before = following
        if following < last:
            following, living = admit(tile, cells, jobs, following, last, living, since, m, units)
        if following > before:
            since = np.int64(0)
            # Lanes in mid-run get the same numbers again: their H has not changed.
            pass_over(tile, cells, tile.W, splat(1.0, tile.W), rule.H, False, units)
            # Columns that are empty in every replicate count in the first update of W; after it their H is zero.
            for lane in range(LANES):
                if tile.top[lane] > 0:
                    e = min(tile.job[lane], jobs.extra.shape[0] - 1)
                    for c in range(k):
                        for d in range(k):
                            tile.GH[(c * k + d) * LANES + lane] += jobs.extra[e, c, d]
            clear_empty(tile, count, m, units)
            if rule.extrapolated:
                # H is first fitted to what W becomes with the H that is given.
                update_W(tile, tile.Y, tile.Y, load(tile.top, 0, tile.W), rule.W, m, units)
        alive = load(tile.alive, 0, tile.W)
        if not rule.extrapolated:
            update_W(tile, tile.W, tile.W, alive, rule.W, m, units)
            copy(tile.Y, tile.W)
        gram(tile.Y, m, tile.GW, tile.r, units)
        prepare_gram(tile.GW, tile.inverse, rule.H, units)
        pass_over(tile, cells, tile.Y, alive, rule.H, True, units)
        if rule.extrapolated:
            extrapolate(tile, rule.W, m, units)
        since += 1
        if count_iteration(tile.alive, tile.iteration, limits):
            check(tile, cells, rule, limits, answers, m, units)
            living -= emit(tile, cells.columns, answers, m, units)
