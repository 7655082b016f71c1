"""How replicates of least squares end: when they are set aside, what is asked of them then, and what is kept."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..result import MARGIN
from ..rules.multiplicative import ROOM
from ..stopping import KKT_MARGIN
from .checks import (
    Side,
    column_sums,
    excess,
    gradient,
    judge,
    mark_dead,
    penalised,
    relative_change,
    rescale,
    residual,
)
from .distance import CLOSE, squared_distance
from .halving import end
from .lanes import LANES, load, splat, store, view, where_positive
from .levels import levels
from .loops import dot_column, gram_rows
from .scalars import tiny_of
from .settings import CONVERGED, MAX_ITER, NON_FINITE
from .tiles import INNER
from .workspace import (
    BEST,
    CHANGE,
    DIVERGENCE,
    DUE,
    EMPTY,
    ENERGY,
    FIT,
    ITERATION,
    JOB,
    LOSS,
    RUNNING,
    STATE,
    TRY,
    VERDICT,
    WAITING,
    WON,
)


@njit(**INNER)
def lost_component(work, sums, W_sums, rule, units):
    """Return 1 in lanes where a component is zero in both factors (and nothing penalises it), else 0."""
    zero, one = splat(0.0, work), splat(1.0, work)
    lost = zero
    if not penalised(rule):
        for c in range(len(units)):
            lost = where_positive(load(work, sums + c * LANES, work) + load(work, W_sums + c * LANES, work), lost, one)
    return lost


@njit(**INNER)
def multiply_columns(tile, cells, out, units):
    """Write W.T @ V to work[out:], and sum(H * (W.T @ V)) to the tile's FIT."""
    work, at, width = tile.work, tile.at, len(units) * LANES
    fit = splat(0.0, tile.wide)
    for j in range(len(cells.start) - 1):
        place = out + j * width
        dot_column(tile.cells, cells.rows, cells.start[j], cells.start[j + 1], work, at.W, work, place, units)
        for c in range(0, width, LANES):
            fit = fit + load(work, place + c, tile.wide) * load(work, at.H + j * width + c, tile.wide)
    store(tile.wide, FIT * LANES, fit)


@njit(**INNER)
def balance(tile, limits, due, count, m, units):
    """Move scale between the factors of components where one has nearly all of it; see `checks.balance`.

    In all lanes where it is `due`, else in those at their last iteration.
    """
    work, at, k, width = tile.work, tile.at, len(units), len(units) * LANES
    by, W_sums = view(work, at.scales, 2 * width), view(work, at.W_sums, width)
    sums = view(work, at.sums, width)
    column_sums(view(work, at.W, m * width), m, W_sums, units)
    if not excess(W_sums, sums, by, units):
        return
    if not due:
        for lane in range(LANES):
            if tile.lane[ITERATION * LANES + lane] != limits.max_iter:
                for place in range(lane, 2 * width, LANES):
                    by[place] = 1.0
    for first, length, place in ((at.W, m, 0), (at.Y, m, 0), (at.H, count, width), (at.A, m, width)):
        rescale(view(work, first, length * width), length, by, place, units)
    rescale(sums, np.int64(1), by, width, units)
    for c in range(k):
        for d in range(k):
            place = at.GH + (c * k + d) * LANES
            moved = load(by, width + c * LANES, by) * load(by, width + d * LANES, by)
            store(work, place, load(work, place, work) * moved)


@njit(**INNER)
def settle(tile, rule, limits, due, m, count, units):
    """Set the lanes aside whose factors have settled and whose W asks for no more; `due` says that it is time."""
    work, at, lane, wide, k = tile.work, tile.at, tile.lane, tile.wide, len(units)
    verdict = view(lane, VERDICT * LANES, LANES)
    width = k * LANES
    last = False
    for i in range(LANES):
        last = last or (lane[STATE * LANES + i] == RUNNING and lane[ITERATION * LANES + i] == limits.max_iter)
    if (due or last) and not penalised(rule):
        balance(tile, limits, due, count, m, units)
    if due:
        sums, scales = view(work, at.sums, width), view(work, at.scales, width)
        for of_W in (True, False):
            factor, before, length = (at.W, at.W_before, m) if of_W else (at.H, at.H_before, count)
            out = at.out if of_W else at.out2
            relative_change(
                view(work, factor, length * width), view(work, before, length * width), length, sums, of_W,
                view(work, out, 2 * LANES), scales, units,
            )  # fmt: skip
    wanted = False
    for i in range(LANES):
        if lane[STATE * LANES + i] != WAITING:
            verdict[i] = -1  # an empty lane still has that of its last job
        if lane[STATE * LANES + i] != RUNNING:
            continue
        last = lane[ITERATION * LANES + i] == limits.max_iter
        if due or last:
            total = 0.0
            for place in range(at.W + i, at.W + m * width, LANES):
                total += work[place]
            for place in range(at.sums + i, at.sums + width, LANES):
                total += work[place]
            if not np.isfinite(total):
                verdict[i] = NON_FINITE
        if due and verdict[i] < 0:
            change = 0.0
            for out in (at.out, at.out2):
                moved, size = np.float64(work[out + i]), np.float64(work[out + LANES + i])
                if size > 0:
                    change = max(change, moved / size)
                elif moved > 0:
                    change = np.inf
            before = wide[CHANGE * LANES + i]
            ratio = min(0.0 if np.isinf(before) else change / before, limits.slowest)
            wide[CHANGE * LANES + i] = change
            to_come = 0.0 if change <= limits.rounding else change / (1.0 - ratio)
            if limits.tol > 0 and to_come <= limits.tol:
                verdict[i] = CONVERGED
        if last and verdict[i] < 0:
            verdict[i] = MAX_ITER
        wanted = wanted or verdict[i] >= 0
    if not wanted:
        return
    ask_W(tile, rule, m, units)
    missing, row_mass = view(work, at.missing, 2 * LANES), view(work, at.row_mass, m * LANES)
    judge(missing, row_mass, view(lane, ITERATION * LANES, LANES), limits, verdict, m, bool(0))
    for i in range(LANES):
        if verdict[i] >= 0:
            lane[STATE * LANES + i] = WAITING
            work[at.alive + i] = 0


@njit(**INNER)
def ask_W(tile, rule, m, units):
    """Write the gradient by W, and the mass that it asks for; and the Gram matrix of W."""
    work, at, width = tile.work, tile.at, len(units) * LANES
    for place in range(0, len(units) * width, LANES):
        store(work, at.G + place, splat(0.0, work))
    for place in range(0, width, LANES):
        store(work, at.W_sums + place, splat(0.0, work))
    gram_rows(work, at.W, 0, m, work, at.G, work, at.W_sums, units)
    for place in range(0, m * width, LANES):
        store(work, at.D_W + place, load(work, at.A + place, work))
    store(work, at.missing, splat(0.0, work))
    store(work, at.missing + LANES, splat(0.0, work))
    lost = lost_component(work, at.sums, at.W_sums, rule, units)
    sums = view(work, at.sums, width)
    GH, missing = view(work, at.GH, len(units) * width), view(work, at.missing, 2 * LANES)
    gradient(side_of_W(tile, rule, m, width), GH, sums, bool(1), lost, missing, units)


@njit(**INNER)
def side_of_W(tile, rule, m, width):
    """Return what the gradient by W depends on."""
    work, at = tile.work, tile.at
    return Side(
        view(work, at.W, m * width), view(work, at.D_W, m * width), m,
        view(work, at.row_mass, m * LANES), view(work, at.sums, width),
        view(work, at.out2, 2 * LANES), rule.W.l1, rule.W.l2,
    )  # fmt: skip


@njit(**INNER)
def finish(tile, cells, jobs, race, rule, limits, answers, m, units):
    """Ask the lanes that were set aside for the mass that H still asks for; those done are compared with the best.

    A lane of which more is asked runs on; the others go on to their next start, or are empty.
    """
    k, count, work, at, lane = len(units), len(cells.start) - 1, tile.work, tile.at, tile.lane
    width = k * LANES
    verdict = view(lane, VERDICT * LANES, LANES)
    iteration = view(lane, ITERATION * LANES, LANES)
    waiting = 0
    for i in range(LANES):
        if lane[STATE * LANES + i] != WAITING:
            verdict[i] = -1
        waiting += verdict[i] >= 0
    if waiting == 0:
        return
    ask_W(tile, rule, m, units)
    # l2 by H stands on the diagonal of G.
    for c in range(k):
        place = at.G + (c * k + c) * LANES
        store(work, place, load(work, place, work) + splat(rule.H.l2, work))
    multiply_columns(tile, cells, at.D_H, units)
    lost = lost_component(work, at.sums, at.W_sums, rule, units)
    sums = view(work, at.sums, width)
    missing = view(work, at.missing, 2 * LANES)
    of_H = Side(
        view(work, at.H, count * width), view(work, at.D_H, count * width), count,
        view(work, at.column_mass, count * LANES), view(work, at.W_sums, width),
        view(work, at.top, LANES), rule.H.l1, 0.0,
    )  # fmt: skip
    gradient(of_H, view(work, at.G, k * width), sums, bool(0), lost, missing, units)
    judge(missing, view(work, at.row_mass, m * LANES), iteration, limits, verdict, m, bool(1))
    value(tile, cells, rule, m, units)
    worst = view(work, at.out, LANES)
    store(work, at.out, splat(0.0, work))
    residual(of_H, sums, bool(0), worst, units)
    residual(side_of_W(tile, rule, m, width), sums, bool(1), worst, units)
    mark_dead(verdict, view(work, at.W_sums, width), sums, rule, units)
    winners = view(lane, WON * LANES, LANES)
    won = decide(tile, jobs, race, limits, worst, answers, winners)
    if won > 0:
        level = limits.tol > 0 and not penalised(rule)
        scales = view(work, at.scales, 2 * width)
        if level:
            levels(view(work, at.G, k * width), view(work, at.GH, k * width), scales, units)
        else:
            for place in range(0, 2 * width, LANES):
                store(scales, place, splat(1.0, work))
        emit(tile, cells.columns, winners[:won], answers, m, units)


@njit(**INNER)
def value(tile, cells, rule, m, units):
    """Write the loss and the divergence of the lanes that were set aside."""
    k, work, at, wide = len(units), tile.work, tile.at, tile.wide
    width, count = k * LANES, len(cells.start) - 1
    for i in range(LANES):
        if tile.lane[STATE * LANES + i] != WAITING:
            continue
        half = 0.5 * wide[ENERGY * LANES + i]
        divergence, penalty = half - wide[FIT * LANES + i], 0.0
        for c in range(k):
            penalty += rule.W.l1 * np.float64(work[at.W_sums + c * LANES + i])
            penalty += rule.H.l1 * np.float64(work[at.sums + c * LANES + i])
            place = (c * k + c) * LANES + i
            square = np.float64(work[at.G + place]) - rule.H.l2
            penalty += 0.5 * (rule.W.l2 * square + rule.H.l2 * np.float64(work[at.GH + place]))
            for d in range(k):
                other = (c * k + d) * LANES + i
                product = np.float64(work[at.G + other]) - (rule.H.l2 if c == d else 0.0)
                divergence += 0.5 * product * np.float64(work[at.GH + other])
        if divergence < CLOSE * half:
            W, H = view(work, at.W, m * width), view(work, at.H, count * width)
            divergence = squared_distance(tile.cells, cells.rows, cells.start, W, H, i, m, units)
        wide[LOSS * LANES + i], wide[DIVERGENCE * LANES + i] = divergence + penalty, divergence


@njit(**INNER)
def decide(tile, jobs, race, limits, residuals, answers, winners):
    """Take back verdicts that the residual contradicts, list the lanes that are the best of their job so far.

    Records those, chooses what each lane does next, and returns how many have won; see `stopping.Change`.
    """
    wide, lane, won = tile.wide, tile.lane, 0
    limit = KKT_MARGIN * max(limits.tol, limits.mass_rounding)
    for i in range(LANES):
        if lane[STATE * LANES + i] != WAITING:
            continue
        verdict, iteration, loss = lane[VERDICT * LANES + i], lane[ITERATION * LANES + i], wide[LOSS * LANES + i]
        if verdict >= 0 and not (np.isfinite(residuals[i]) and np.isfinite(loss)):
            verdict = NON_FINITE
        elif verdict == CONVERGED and residuals[i] > limit:
            verdict = MAX_ITER if iteration == limits.max_iter else -1
        if verdict < 0:
            lane[STATE * LANES + i] = RUNNING
            tile.work[tile.at.alive + i] = 1
            continue
        job, number, before = lane[JOB * LANES + i], lane[TRY * LANES + i], wide[BEST * LANES + i]
        if before == np.inf or loss < before * (1 - MARGIN) or (np.isfinite(loss) and not np.isfinite(before)):
            winners[won] = i
            won += 1
            wide[BEST * LANES + i] = loss
            answers.numbers[job, 0], answers.numbers[job, 1] = loss, wide[DIVERGENCE * LANES + i]
            answers.numbers[job, 2] = residuals[i]
            answers.status[job], answers.n_iter[job] = verdict, iteration
            answers.start[job] = jobs.begin[job] + number
        following = number + 1 if number + 1 < jobs.tries[job] else -1
        if race is not None:
            following = end(race, i, number, loss, jobs.tries[job])
        lane[TRY * LANES + i] = following
        lane[STATE * LANES + i] = DUE if following >= 0 else EMPTY
    return won


@njit(**INNER)
def emit(tile, columns, lanes, answers, m, units):
    """Write out the factors of the lanes that won, multiplied by the tile's scales."""
    k, work, at, W_out, H_out = len(units), tile.work, tile.at, answers.W, answers.H
    least = W_out.dtype.type(ROOM * tiny_of(W_out))
    jobs = view(tile.lane, JOB * LANES, LANES)
    for q in lanes:
        for i in range(m):
            filled = work[at.row_mass + i * LANES + q] != 0
            for c in range(k):
                value = work[at.W + (i * k + c) * LANES + q] * work[at.scales + c * LANES + q]
                W_out[jobs[q], i, c] = 0.0 if value <= least or not filled else value
    for c in range(k):
        for j in range(len(columns)):
            for q in lanes:
                value = work[at.H + (j * k + c) * LANES + q] * work[at.scales + (k + c) * LANES + q]
                filled = work[at.column_mass + j * LANES + q] != 0
                H_out[jobs[q], c, columns[j]] = 0.0 if value <= least or not filled else value
