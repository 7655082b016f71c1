"""The accelerated exact rule for two components over shared patterns, compiled: LANES replicates at a time.

A tile is drawn where it is solved and stays in the cache until its answers are written. The loop follows
`nmfcore.AcceleratedRankTwo`: the rule is defined there, and the tests hold the two to each other. Convergence is tested
on W alone, of which H is a function; when all lanes have settled, one finishing pass gives H for the final W, the
missing mass, the KKT residual and the loss. A lane that misses mass goes on.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..rules.rank_two import BLUR, NOTHING, PARALLEL
from ..stopping import KKT_MARGIN
from .answers import emit, residual_H, residual_W, unreached
from .lanes import LANES, clear, lanes_max, lanes_min, lanes_sqrt, load, splat, store, where_less, where_positive
from .pairs import WIDTH, arrange, minima, order_cells, pass_over, prepare
from .sampling import draw_tile
from .scalars import eps_of
from .settings import CONVERGED, MAX_ITER, NON_FINITE, STUCK
from .tiles import INNER, OPTIONS, ROWS


@njit(**INNER)
def step(work, limits, m):
    """Move the point of living lanes by one iteration of `AcceleratedRankTwo`.

    Writes to out how far W is from its limit, as `nmfcore.Stop` estimates it where that is due, and the sum of W.
    """
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
    square, apart, size = zero, zero, zero
    for p in range(0, m * WIDTH, LANES):
        w = load(T, p, Y) * (per1 if p & LANES else per0)
        y = load(Y, p, Y)
        f, moved = w - y, where_positive(known1, y - load(Y1, p, Y), zero)
        store(T, p, w)
        square = square + moved * moved
        apart, size = lanes_max(apart, lanes_max(f, zero - f)), lanes_max(size, y)
        d1 = where_positive(known1, f - load(F1, p, Y), zero)
        d2 = where_positive(known2, f - load(F2, p, Y), zero)
        a11, a12, a22 = a11 + d1 * d1, a12 + d1 * d2, a22 + d2 * d2
        b1, b2 = b1 + d1 * f, b2 + d2 * f
    least, slope = load(work.slope, 0, Y), lanes_sqrt(a11 / where_positive(square, square, one))
    slope = where_positive(slope, lanes_min(least, slope), least)
    apart = where_positive(size, apart / where_positive(size, size, one), apart)
    nothing = splat(NOTHING * eps_of(Y), Y)
    distance = where_less(nothing, apart, apart / slope, zero)
    store(work.slope, 0, where_positive(alive, slope, least))
    safe = where_positive(a11, a11, one)
    across = a22 - a12 * (a12 / safe)
    sound = across - splat(PARALLEL, Y) * a22
    g2 = where_positive(sound, (b2 - a12 * (b1 / safe)) / where_positive(sound, across, one), zero)
    g1 = (b1 - a12 * g2) / safe
    # An accelerated point that explains less than the one before is dropped.
    explained = load(work.fit, 0, Y)
    fallen = explained * splat(1 - BLUR * eps_of(Y), Y) - fit
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
    change = where_positive(size, moved / size, moved)
    last = load(work.change, 0, Y)
    ratio = where_positive(last, lanes_min(change / last, splat(limits.slowest, Y)), zero)
    settled = splat(limits.rounding, Y) - change
    to_come = where_less(settled, zero, change / (one - ratio), zero)
    to_come = where_positive(worse, splat(np.inf, Y), lanes_max(to_come, distance))
    store(work.out, 0, where_positive(due, to_come, splat(np.inf, Y)))
    store(work.out, LANES, total)
    store(work.change, 0, where_positive(due, change, last))
    more = lanes_min(load(depth, 0, Y) + one, splat(2.0, Y))
    store(depth, 0, where_positive(alive, where_positive(worse, zero, more), load(depth, 0, Y)))
    store(work.fit, 0, where_positive(alive, where_positive(worse, explained, fit), explained))


@njit(**INNER)
def settle(work, limits):
    """Give living lanes that may be done a verdict and stop them; return how many."""
    stopped = 0
    for lane in range(LANES):
        if work.alive[lane] <= 0:
            continue
        verdict = -1
        if limits.tol > 0 and work.out[lane] <= limits.tol:
            verdict = CONVERGED
        elif work.iteration[lane] == limits.max_iter:
            verdict = MAX_ITER
        if not np.isfinite(work.out[LANES + lane]):
            verdict = NON_FINITE
        if verdict >= 0:
            work.verdict[lane], work.alive[lane] = verdict, 0
            stopped += 1
    return stopped


@njit(**INNER)
def judge(work, cells, limits, number, m):
    """Let lanes go on that miss mass or are far from stationary; return how many. See `nmfcore.stopping`.

    None has converged whose numbers are not finite.
    """
    limit = max(limits.tol, limits.mass_rounding)
    revived = 0
    for lane in range(number):
        if work.verdict[lane] != CONVERGED:
            continue
        total = work.mass[lane] if work.mass[lane] > 0 else 1.0
        residual = np.float64(work.out[2 * LANES + lane])
        if not np.isfinite(residual + work.loss[lane]):
            work.verdict[lane] = NON_FINITE
        elif max(work.out[lane], work.out[LANES + lane]) > limit * total or residual > KKT_MARGIN * limit:
            work.verdict[lane] = MAX_ITER
            if work.iteration[lane] < limits.max_iter:
                work.alive[lane] = 1
                revived += 1
        elif unreached(work, cells, lane, m) > limit * total:
            work.verdict[lane] = STUCK
    return revived


@njit(**INNER)
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


@njit(**INNER)
def begin(work, jobs, first, number, m):
    """Set the lanes to the starts of their jobs: W without its empty rows, its columns at unit sum."""
    Y, shared = work.Y, len(jobs.W) == 1
    clear(work.H)
    clear(work.Y1)
    clear(work.F1)
    clear(work.Y2)
    clear(work.F2)
    clear(work.depth)
    clear(work.fit)
    clear(work.alive)
    clear(work.change)
    for lane in range(number):
        work.alive[lane], work.iteration[lane], work.verdict[lane] = 1, 0, MAX_ITER
        work.slope[lane] = 1
        if not shared:
            for i in range(m):
                for c in range(2):
                    Y[i * WIDTH + c * LANES + lane] = jobs.W[first + lane, i, c]
    zero, one = splat(0.0, Y), splat(1.0, Y)
    for c in range(2):
        total = zero
        for i in range(m):
            at = i * WIDTH + c * LANES
            value = splat(jobs.W[0, i, c], Y) if shared else load(Y, at, Y)
            value = where_positive(load(work.row_mass, i * LANES, Y), value, zero)
            store(Y, at, value)
            total = total + value
        per = where_positive(total, one / total, zero)
        for i in range(m):
            at = i * WIDTH + c * LANES
            store(Y, at, load(Y, at, Y) * per)
            store(work.before, at, load(Y, at, Y))


@njit(**OPTIONS)
def accelerated(cells, by_row, recipe, jobs, first, last, limits, answers, zeros, places):
    """Solve the jobs first to last - 1, LANES at a time.

    Without values, jobs are whole tiles in order, and `recipe` draws them. `zeros` and `places` are what
    `room` returns.
    """
    m, count, number_of_cells = jobs.W.shape[1], len(cells.columns), len(cells.rows)
    work = arrange(zeros, places, cells.values, answers.W)
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
                pass_over(work, cells, by_row, m, bool(0))
                for lane in range(LANES):
                    work.due[lane] = 0
                    if work.alive[lane] > 0:
                        work.iteration[lane] += 1
                        work.due[lane] = work.iteration[lane] % limits.every == 0
                step(work, limits, m)
                living -= settle(work, limits)
            pass_over(work, cells, by_row, m, bool(1))
            residual_W(work, m)
            residual_H(work, count, m)
            living = judge(work, cells, limits, number, m)
        emit(work, cells, by_row.by_place, answers, job, number, m)
