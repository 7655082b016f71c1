"""The accelerated exact rule for two components over shared patterns, compiled: LANES replicates at a time.

A tile is drawn where it is solved and stays in the cache until its answers are written. The loop follows
`nmfcore.AcceleratedRankTwo`: the rule is defined there, and the tests hold the two to each other. Convergence is tested
on W alone, of which H is a function; when all lanes have settled, one finishing pass gives H for the final W, the
missing mass, the KKT residual and the loss. A lane that misses mass goes on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..rules.multiplicative import ROOM
from ..rules.rank_two import BLUR, PARALLEL
from .lanes import LANES, lanes_max, lanes_min, load, splat, store, where_less, where_positive
from .loops import dot_column, gram_rows
from .sampling import draw_tile
from .settings import CONVERGED, MAX_ITER, NON_FINITE, STUCK
from .tiles import ALLOCATING, BLOCK, INLINE, OPTIONS, ROWS

PAIR = (0, 0)
WIDTH = 2 * LANES
# Columns of V in one block of V @ H.T: their part of H stays in the nearest cache.
COLUMNS = 192


class Blocks(NamedTuple):
    """The cells once more, by blocks of columns and within each by rows: the order for V @ H.T."""

    cell: Any  # which cell stands there, int32
    column: Any  # its column within the pattern, uint16 or uint32
    first: Any  # where each stretch of one row in one block begins, and the number of cells at the end
    row: Any  # the row of each stretch


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
    depth: Any  # points remembered, (LANES,), as are those that follow
    fit: Any  # what the last point explained of the sum of V^2, halved
    alive: Any  # 1 in lanes at work
    due: Any  # 1 in lanes whose convergence is tested
    out: Any  # (4, LANES): change, size; or missing mass by entries above and at zero; KKT residual
    change: Any  # at the check before, float64
    energy: Any  # sum of V^2, float64
    loss: Any  # float64
    iteration: Any
    verdict: Any
    state: Any  # of the random streams
    total: Any


@njit(**ALLOCATING)
def allocate(values, like, cells, m, count):
    """Return a tile's working arrays in the type of `like`."""
    short, long = -(-m // ROWS) * ROWS * WIDTH, -(-count // ROWS) * ROWS * WIDTH
    dtype = like.dtype
    return Work(
        np.zeros((cells + 1) * LANES, values.dtype),
        np.zeros(cells * LANES, values.dtype),
        np.zeros(short, dtype),
        np.zeros(short, dtype),
        np.zeros(short, dtype),
        np.zeros(short, dtype),
        np.zeros(short, dtype),
        np.zeros(short, dtype),
        np.zeros(short, dtype),
        np.zeros(short, dtype),
        np.zeros(long, dtype),
        np.zeros(2 * ROWS * WIDTH + long, dtype),
        np.zeros(2 * WIDTH, dtype),
        np.zeros(2 * WIDTH, dtype),
        np.zeros(3 * LANES, dtype),
        np.zeros(WIDTH, dtype),
        np.zeros(WIDTH, dtype),
        np.zeros(m * LANES, dtype),
        np.zeros(LANES, dtype),
        np.zeros(LANES, dtype),
        np.zeros(LANES, dtype),
        np.zeros(LANES, dtype),
        np.zeros(4 * LANES, dtype),
        np.zeros(LANES, np.float64),
        np.zeros(LANES, np.float64),
        np.zeros(LANES, np.float64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.uint64),
        np.zeros(LANES, np.uint32),
    )


@njit(**ALLOCATING)
def blocks(rows, start, m):
    """Return (cell, column, first, row) of `Blocks` by counting."""
    count, cells = len(start) - 1, len(rows)
    cell, column = np.empty(cells, np.int32), np.empty(cells, np.uint32)
    number = -(-count // COLUMNS)
    first, row = np.empty(number * m + 1, np.int64), np.empty(number * m, np.uint32)
    places, stretches = np.empty(m + 1, np.int64), 0
    for block in range(number):
        begin, end = block * COLUMNS, min((block + 1) * COLUMNS, count)
        places[:] = 0
        for p in range(start[begin], start[end]):
            places[np.int64(rows[p]) + 1] += 1
        places[0] = start[begin]
        for i in range(m):
            if places[i + 1] > 0:
                first[stretches], row[stretches] = places[i], i
                stretches += 1
            places[i + 1] += places[i]
        for j in range(begin, end):
            for p in range(start[j], start[j + 1]):
                i = np.int64(rows[p])
                cell[places[i]], column[places[i]] = p, j
                places[i] += 1
    first[stretches] = cells
    return cell, column, first[: stretches + 1].copy(), row[:stretches].copy()


@njit(**OPTIONS)
def order_cells(work, by_row, m):
    """Copy the cells into the order of V @ H.T, and add up their squares and the rows' sums."""
    mass = work.row_mass
    mass[: m * LANES] = 0
    squares = splat(0.0, work.energy)
    for q in range(len(by_row.row)):
        total, energy = splat(0.0, mass), splat(0.0, mass)
        for p in range(by_row.first[q], by_row.first[q + 1]):
            source = np.int64(by_row.cell[p]) * LANES
            for lane in range(LANES):
                work.ordered[p * LANES + lane] = work.cells[source + lane]
            value = load(work.cells, source, mass)
            total, energy = total + value, energy + value * value
        at = np.int64(by_row.row[q]) * LANES
        store(mass, at, load(mass, at, mass) + total)
        store(work.out, 0, energy)
        squares = squares + load(work.out, 0, work.energy)
    store(work.energy, 0, squares)


@njit(**INLINE)
def prepare(G, inverse):
    """Write what `minima` divides by: the reciprocals of the diagonal and of the determinant, 0 where not sound."""
    one, zero, tiny = splat(1.0, G), splat(0.0, G), splat(np.finfo(G.dtype).tiny, G)
    a, b, c = load(G, 0, G), load(G, LANES, G), load(G, 3 * LANES, G)
    store(inverse, 0, where_positive(a, one / lanes_max(a, tiny), zero))
    store(inverse, LANES, where_positive(c, one / lanes_max(c, tiny), zero))
    product = a * c
    determinant = product - b * b
    sound = determinant - product * splat(16 * np.finfo(G.dtype).eps, G)
    store(inverse, 2 * LANES, where_positive(sound, one / lanes_max(determinant, tiny), zero))


@njit(**INLINE)
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


@njit(**OPTIONS)
def pass_over(work, cells, by_row, m, keep):
    """Fit H to the point, and write V @ H.T, H @ H.T and the sums of H; `keep` the products of columns with W in r."""
    Y, H, A, GW, GH, sums, r = work.Y, work.H, work.A, work.GW, work.GH, work.sums, work.r
    rows, start = cells.rows, cells.start
    GW[:] = 0
    work.W_sums[:] = 0
    gram_rows(Y, 0, m, GW, work.W_sums, PAIR)
    prepare(GW, work.inverse)
    A[:] = 0
    GH[:] = 0
    sums[:] = 0
    count = len(start) - 1
    groups = -(-count // ROWS)
    # Two groups of columns are worked on at once, one a step further than the other: neither step waits.
    for stage in range(groups + 1):
        if stage < groups:
            to = (2 * ROWS + stage * ROWS if keep else (stage & 1) * ROWS) * WIDTH
            for q in range(ROWS):
                j = stage * ROWS + q
                if j < count:
                    dot_column(work.cells, rows, start[j], start[j + 1], Y, r, to + q * WIDTH, PAIR)
                else:
                    store(r, to + q * WIDTH, splat(0.0, r))
                    store(r, to + q * WIDTH + LANES, splat(0.0, r))
        group = stage - 1
        if group >= 0:
            first = group * ROWS
            at = (2 * ROWS + first if keep else (group & 1) * ROWS) * WIDTH
            minima(r, at, GW, work.inverse, H, H, first * WIDTH)
            if (first + ROWS) % BLOCK == 0 or group == groups - 1:
                gram_rows(H, first - first % BLOCK, min(first + ROWS, count), GH, sums, PAIR)
    for q in range(len(by_row.row)):
        dot_column(work.ordered, by_row.column, by_row.first[q], by_row.first[q + 1], H, r, 0, PAIR)
        at = np.int64(by_row.row[q]) * WIDTH
        store(A, at, load(A, at, A) + load(r, 0, A))
        store(A, at + LANES, load(A, at + LANES, A) + load(r, LANES, A))


@njit(**OPTIONS)
def step(work, m):
    """Move the point of living lanes by one iteration of `AcceleratedRankTwo`; write the change and size of W to out."""
    Y, T, A, Y1, F1, Y2, F2 = work.Y, work.T, work.A, work.Y1, work.F1, work.Y2, work.F2
    GW, GH, depth = work.GW, work.GH, work.depth
    zero, one, half = splat(0.0, Y), splat(1.0, Y), splat(0.5, Y)
    alive = load(work.alive, 0, Y)
    known1, known2 = load(depth, 0, Y), load(depth, 0, Y) - one
    prepare(GH, work.inverse)
    for i in range(0, m, ROWS):
        minima(A, i * WIDTH, GH, work.inverse, Y, T, i * WIDTH)
    t0, t1, fit = zero, zero, zero
    for p in range(0, m * WIDTH, WIDTH):
        t0, t1 = t0 + load(T, p, Y), t1 + load(T, p + LANES, Y)
        fit = fit + load(Y, p, Y) * load(A, p, Y) + load(Y, p + LANES, Y) * load(A, p + LANES, Y)
    modelled = load(GW, 0, Y) * load(GH, 0, Y) + load(GW, 3 * LANES, Y) * load(GH, 3 * LANES, Y)
    crossed = load(GW, LANES, Y) * load(GH, LANES, Y)
    fit = fit - half * (modelled + crossed + crossed)
    per0, per1 = where_positive(t0, one / t0, one), where_positive(t1, one / t1, one)
    a11, a12, a22, b1, b2 = zero, zero, zero, zero, zero
    for p in range(0, m * WIDTH, LANES):
        w = load(T, p, Y) * (per1 if p & LANES else per0)
        f = w - load(Y, p, Y)
        store(T, p, w)
        d1 = where_positive(known1, f - load(F1, p, Y), zero)
        d2 = where_positive(known2, f - load(F2, p, Y), zero)
        a11, a12, a22 = a11 + d1 * d1, a12 + d1 * d2, a22 + d2 * d2
        b1, b2 = b1 + d1 * f, b2 + d2 * f
    safe = where_positive(a11, a11, one)
    across = a22 - a12 * (a12 / safe)
    sound = across - splat(PARALLEL, Y) * a22
    g2 = where_positive(sound, (b2 - a12 * (b1 / safe)) / where_positive(sound, across, one), zero)
    g1 = (b1 - a12 * g2) / safe
    # An accelerated point that explains less than the one before is dropped.
    last = load(work.fit, 0, Y)
    fallen = last * splat(1 - BLUR * np.finfo(Y.dtype).eps, Y) - fit
    worse = where_positive(known2, fallen, zero)
    t0, t1 = zero, zero
    for p in range(0, m * WIDTH, LANES):
        y, w, y1, f1 = load(Y, p, Y), load(T, p, Y), load(Y1, p, Y), load(F1, p, Y)
        f = w - y
        z = w - where_positive(known1, ((y - y1) + (f - f1)) * g1, zero)
        z = z - where_positive(known2, ((y - load(Y2, p, Y)) + (f - load(F2, p, Y))) * g2, zero)
        z = where_positive(worse, y1 + f1, lanes_max(z, zero))
        store(Y2, p, where_positive(alive, y1, load(Y2, p, Y)))
        store(F2, p, where_positive(alive, f1, load(F2, p, Y)))
        store(Y1, p, where_positive(alive, y, y1))
        store(F1, p, where_positive(alive, f, f1))
        store(A, p, z)
        if p & LANES:
            t1 = t1 + z
        else:
            t0 = t0 + z
    per0, per1 = where_positive(t0, one / t0, zero), where_positive(t1, one / t1, zero)
    whole = lanes_min(per0, per1)
    due = load(work.due, 0, Y)
    moved, size, total = zero, zero, zero
    for p in range(0, m * WIDTH, LANES):
        z, y, old = load(A, p, Y), load(Y, p, Y), load(work.before, p, Y)
        z = where_positive(whole, z * (per1 if p & LANES else per0), load(T, p, Y))
        z = where_positive(alive, z, y)
        store(Y, p, z)
        total = total + z
        size = lanes_max(size, z)
        moved = lanes_max(moved, lanes_max(z - old, old - z))
        store(work.before, p, where_positive(due, z, old))
    store(work.out, 0, moved)
    store(work.out, LANES, size)
    store(work.out, 2 * LANES, total)
    more = lanes_min(load(depth, 0, Y) + one, splat(2.0, Y))
    store(depth, 0, where_positive(alive, where_positive(worse, zero, more), load(depth, 0, Y)))
    store(work.fit, 0, where_positive(alive, where_positive(worse, last, fit), last))


@njit(**OPTIONS)
def settle(work, limits):
    """Give living lanes that may be done a verdict and stop them; return how many."""
    stopped = 0
    for lane in range(LANES):
        if work.alive[lane] <= 0:
            continue
        verdict, iteration = -1, work.iteration[lane]
        if work.due[lane] > 0:
            moved, size = np.float64(work.out[lane]), np.float64(work.out[LANES + lane])
            change = moved / size if size > 0 else (np.inf if moved > 0 else 0.0)
            ratio = 0.0 if np.isinf(work.change[lane]) else change / work.change[lane]
            ratio = min(ratio, limits.slowest)
            work.change[lane] = change
            to_come = 0.0 if change <= limits.rounding else change / (1.0 - ratio)
            if limits.tol > 0 and to_come <= limits.tol:
                verdict = CONVERGED
        if iteration == limits.max_iter and verdict < 0:
            verdict = MAX_ITER
        if not np.isfinite(work.out[2 * LANES + lane]):
            verdict = NON_FINITE
        if verdict >= 0:
            work.verdict[lane], work.alive[lane] = verdict, 0
            stopped += 1
    return stopped


@njit(**OPTIONS)
def unreached(work, cells, lane, m):
    """Return the mass of a lane where nothing is modelled, by rows or by columns, if a whole component is missing."""
    Y, H, sums, W_sums = work.Y, work.H, work.sums, work.W_sums
    if sums[lane] + W_sums[lane] > 0 and sums[LANES + lane] + W_sums[LANES + lane] > 0:
        return 0.0
    by_row, by_column = 0.0, 0.0
    for i in range(m):
        at = i * WIDTH + lane
        if Y[at] * sums[lane] + Y[at + LANES] * sums[LANES + lane] == 0:
            by_row += work.row_mass[i * LANES + lane]
    for j in range(len(cells.start) - 1):
        at = j * WIDTH + lane
        if H[at] * W_sums[lane] + H[at + LANES] * W_sums[LANES + lane] == 0:
            for p in range(cells.start[j], cells.start[j + 1]):
                by_column += np.float64(work.cells[p * LANES + lane])
    return max(by_row, by_column)


@njit(**OPTIONS)
def residual_W(work, m):
    """Write to out the mass that entries of W above zero and at zero still ask for, and the KKT residual of W."""
    Y, A, GH, T = work.Y, work.A, work.GH, work.T
    zero, one = splat(0.0, Y), splat(1.0, Y)
    s0, s1 = load(work.sums, 0, Y), load(work.sums, LANES, Y)
    s0, s1 = where_positive(s0, s0, one), where_positive(s1, s1, one)
    a, b, c = load(GH, 0, Y), load(GH, LANES, Y), load(GH, 3 * LANES, Y)
    growing, locked, size, steepest = zero, zero, zero, zero
    for i in range(m):
        at = i * WIDTH
        y0, y1, n0, n1 = load(Y, at, Y), load(Y, at + LANES, Y), load(A, at, Y), load(A, at + LANES, Y)
        p0, p1 = a * y0 + b * y1, b * y0 + c * y1
        store(T, at, p0 - n0)
        store(T, at + LANES, p1 - n1)
        size = lanes_max(size, lanes_max(y0 * s0, y1 * s1))
        steepest = lanes_max(steepest, lanes_max(n0 / s0, n1 / s1))
        wanted0 = where_less(p0, n0, one - p0 / n0, zero)
        wanted1 = where_less(p1, n1, one - p1 / n1, zero)
        mass = load(work.row_mass, i * LANES, Y)
        above = lanes_max(where_positive(y0, wanted0, zero), where_positive(y1, wanted1, zero))
        growing = growing + above * mass
        locked = locked + lanes_max(where_positive(y0, zero, wanted0), where_positive(y1, zero, wanted1)) * mass
    store(work.out, 0, growing)
    store(work.out, LANES, locked)
    size, steepest = where_positive(size, size, one), where_positive(steepest, steepest, one)
    worst = zero
    for i in range(m):
        at = i * WIDTH
        d0 = lanes_min(load(Y, at, Y) * s0 / size, load(T, at, Y) / s0 / steepest)
        d1 = lanes_min(load(Y, at + LANES, Y) * s1 / size, load(T, at + LANES, Y) / s1 / steepest)
        worst = lanes_max(worst, lanes_max(lanes_max(d0, zero - d0), lanes_max(d1, zero - d1)))
    store(work.out, 2 * LANES, worst)


@njit(**OPTIONS)
def residual_H(work, count):
    """Raise the KKT residual in out to that of H, and write what is explained of the sum of V^2 to loss."""
    H, r, G = work.H, work.r, work.GW
    zero, one = splat(0.0, H), splat(1.0, H)
    s0, s1 = load(work.sums, 0, H), load(work.sums, LANES, H)
    s0, s1 = where_positive(s0, s0, one), where_positive(s1, s1, one)
    per0, per1 = one / s0, one / s1
    a, b, c = load(G, 0, H), load(G, LANES, H), load(G, 3 * LANES, H)
    size, steepest, beyond = zero, zero, 2 * ROWS * WIDTH
    explained = splat(0.0, work.loss)
    for block in range(0, count, BLOCK):
        part = zero
        for j in range(block, min(block + BLOCK, count)):
            at = j * WIDTH
            h0, h1 = load(H, at, H), load(H, at + LANES, H)
            n0, n1 = load(r, beyond + at, H), load(r, beyond + at + LANES, H)
            part = part + h0 * n0 + h1 * n1
            size = lanes_max(size, lanes_max(h0 * per0, h1 * per1))
            steepest = lanes_max(steepest, lanes_max(n0 * s0, n1 * s1))
        store(work.out, 3 * LANES, part)
        explained = explained + load(work.out, 3 * LANES, work.loss)
    store(work.loss, 0, explained)
    size = one / where_positive(size, size, one)
    steepest = one / where_positive(steepest, steepest, one)
    worst, u0, u1, v0, v1 = load(work.out, 2 * LANES, H), per0 * size, per1 * size, s0 * steepest, s1 * steepest
    for j in range(count):
        at = j * WIDTH
        h0, h1 = load(H, at, H), load(H, at + LANES, H)
        d0 = lanes_min(h0 * u0, (a * h0 + b * h1 - load(r, beyond + at, H)) * v0)
        d1 = lanes_min(h1 * u1, (b * h0 + c * h1 - load(r, beyond + at + LANES, H)) * v1)
        worst = lanes_max(worst, lanes_max(lanes_max(d0, zero - d0), lanes_max(d1, zero - d1)))
    store(work.out, 2 * LANES, worst)


@njit(**OPTIONS)
def judge(work, cells, limits, number, m):
    """Let lanes that miss mass go on; return how many. `nmfcore.stopping` says what is asked."""
    limit = max(limits.tol, limits.mass_rounding)
    revived = 0
    for lane in range(number):
        if work.verdict[lane] != CONVERGED:
            continue
        total = 0.0
        for i in range(m):
            total += work.row_mass[i * LANES + lane]
        total = total if total > 0 else 1.0
        if max(work.out[lane], work.out[LANES + lane]) > limit * total:
            work.verdict[lane] = MAX_ITER
            if work.iteration[lane] < limits.max_iter:
                work.alive[lane] = 1
                revived += 1
        elif unreached(work, cells, lane, m) > limit * total:
            work.verdict[lane] = STUCK
    return revived


@njit(**OPTIONS)
def emit(work, columns, answers, first, number, m, n):
    """Write the answers of a tile: factors alike in size on average, and how their run ended."""
    count, W_out, H_out = len(columns), answers.W, answers.H
    least = W_out.dtype.type(ROOM * np.finfo(W_out.dtype).tiny)
    sizes = work.depth
    for lane in range(number):
        mass, product = 0.0, 0.0
        for i in range(m):
            mass += work.row_mass[i * LANES + lane]
        sizes[lane] = np.sqrt((mass if mass > 0 else 1.0) * m / (2 * n))
        job = first + lane
        for i in range(m):
            for c in range(2):
                value = work.Y[i * WIDTH + c * LANES + lane] * sizes[lane]
                W_out[job, i, c] = 0.0 if value <= least else value
        for c in range(4):
            product += np.float64(work.GW[c * LANES + lane]) * np.float64(work.GH[c * LANES + lane])
        loss = 0.5 * (work.energy[lane] + product) - work.loss[lane]
        answers.numbers[job, 0], answers.numbers[job, 1] = loss, loss
        answers.numbers[job, 2] = work.out[2 * LANES + lane]
        answers.status[job], answers.n_iter[job] = work.verdict[lane], work.iteration[lane]
    # Some columns at a time: what they need stays in the nearest cache.
    for begin in range(0, count, LANES):
        end = min(begin + LANES, count)
        for lane in range(number):
            job, per = first + lane, 1 / sizes[lane]
            for j in range(begin, end):
                for c in range(2):
                    value = work.H[j * WIDTH + c * LANES + lane] * per
                    H_out[job, c, columns[j]] = 0.0 if value <= least else value


@njit(**OPTIONS)
def take(work, values, replicates, first, number, cells):
    """Copy the counts of some jobs to the tile."""
    b = replicates[first]
    whole = b % LANES == 0
    for lane in range(number):
        whole = whole and replicates[first + lane] == b + lane
    if whole:
        source = values[b // LANES]
        for p in range(cells * LANES):
            work.cells[p] = source[p]
        return
    for lane in range(number):
        b = replicates[first + lane]
        source = values[b // LANES]
        for p in range(cells):
            work.cells[p * LANES + lane] = source[p * LANES + b % LANES]


@njit(**OPTIONS)
def begin(work, jobs, first, number, m):
    """Set the lanes to the starts of their jobs: W without its empty rows, its columns at unit sum."""
    for array in (work.H, work.Y, work.Y1, work.F1, work.Y2, work.F2):
        array[:] = 0
    for array in (work.depth, work.fit, work.alive):
        array[:] = 0
    for lane in range(number):
        at = min(first + lane, len(jobs.W) - 1)
        for c in range(2):
            total = 0.0
            for i in range(m):
                if work.row_mass[i * LANES + lane] > 0:
                    total += jobs.W[at, i, c]
            for i in range(m):
                if work.row_mass[i * LANES + lane] > 0:
                    work.Y[i * WIDTH + c * LANES + lane] = jobs.W[at, i, c] / total if total > 0 else 0.0
        work.alive[lane], work.iteration[lane], work.change[lane], work.verdict[lane] = 1, 0, np.inf, MAX_ITER
    for p in range(len(work.Y)):
        work.before[p] = work.Y[p]


@njit(**ALLOCATING)
def accelerated(cells, by_row, recipe, jobs, first, last, n, limits, answers):
    """Solve the jobs first to last - 1, LANES at a time.

    Without values, jobs are whole tiles in order, and `recipe` draws them; `n` is the number of columns of V.
    """
    m, count, number_of_cells = jobs.W.shape[1], len(cells.columns), len(cells.rows)
    work = allocate(cells.values, answers.W, number_of_cells, m, count)
    for job in range(first, last, LANES):
        number = min(LANES, last - job)
        if len(cells.values) == 0:
            draw_tile(work.cells, recipe, jobs.replicates[job] // LANES, work.state, work.total)
        else:
            take(work, cells.values, jobs.replicates, job, number, number_of_cells)
        order_cells(work, by_row, m)
        begin(work, jobs, job, number, m)
        living = number
        while living > 0:
            while living > 0:
                pass_over(work, cells, by_row, m, False)
                for lane in range(LANES):
                    work.due[lane] = 0
                    if work.alive[lane] > 0:
                        work.iteration[lane] += 1
                        work.due[lane] = work.iteration[lane] % limits.every == 0
                step(work, m)
                living -= settle(work, limits)
            pass_over(work, cells, by_row, m, True)
            residual_W(work, m)
            residual_H(work, count)
            living = judge(work, cells, limits, number, m)
        emit(work, cells.columns, answers, job, number, m, n)
