"""The least-squares loop over shared patterns, compiled for the CPU: LANES replicates at a time, within the cache.

Each pass goes once over the cells, some columns at a time: their products with W give their part of H, which at once
gives its part of V @ H.T. The definitions are those of the dense modules; the tests hold the two to each other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..losses import FLOOR
from ..rules.hals import GROW, GROW_LIMIT, SHRINK
from ..rules.multiplicative import ROOM
from .beginning import IDLE, add_outside, admit, clear_empty, enter
from .conclusion import finish, settle
from .halving import pause
from .lanes import LANES, lanes_max, lanes_min, load, splat, store, where_less, where_positive
from .loops import dot_column, gram_rows, multiply_rows, scatter_column, sweep_rows
from .scalars import eps_of, tiny_of
from .settings import MU, RANK2, SWEEPS
from .tiles import INNER, OPTIONS
from .workspace import CEILING, DUE, EMPTY, GROUP, ITERATION, JOB, MOMENTUM, ROWS, RUNNING, STATE, TRY, WAITING

SIDE_BY_SIDE = (0,) * ROWS


@njit(**INNER)
def clear(work, first, length):
    """Set `length` entries from `first` on to zero."""
    for place in range(first, first + length, LANES):
        store(work, place, splat(0.0, work))


@njit(**INNER)
def gram(work, factor, count, out, sums, units):
    """Write the k x k Gram matrix of the factor at `factor` to work[out:] and its sums to work[sums:]."""
    k = len(units)
    clear(work, out, k * k * LANES)
    clear(work, sums, k * LANES)
    gram_rows(work, factor, 0, count, work, out, work, sums, units)


@njit(**INNER)
def rank2_rows(work, r, G, inverse, source, target, alive, l1, count):
    """Write the exact minimum of `count` rows of two components to work[target:]; see `rules.rank_two`."""
    zero, shrink = splat(0.0, work), splat(l1, work)
    g00, g01, g11 = load(work, G, work), load(work, G + LANES, work), load(work, G + 3 * LANES, work)
    per0, per1 = load(work, inverse, work), load(work, inverse + LANES, work)
    scale = load(work, inverse + 2 * LANES, work)  # 1 / determinant, 0 where that is not to be trusted
    for place in range(0, count * 2 * LANES, 2 * LANES):
        r0, r1 = load(work, r + place, work) - shrink, load(work, r + place + LANES, work) - shrink
        old0, old1 = load(work, source + place, work), load(work, source + place + LANES, work)
        only0 = where_positive(g00, lanes_max(r0 * per0, zero), old0)
        only1 = where_positive(g11, lanes_max(r1 * per1, zero), old1)
        first_wins = only0 * r0 - only1 * r1
        x0, x1 = where_less(first_wins, zero, zero, only0), where_less(first_wins, zero, only1, zero)
        y0, y1 = (g11 * r0 - g01 * r1) * scale, (g00 * r1 - g01 * r0) * scale
        inside = lanes_min(y0, y1)
        store(work, target + place, where_positive(alive, where_positive(inside, y0, x0), old0))
        store(work, target + place + LANES, where_positive(alive, where_positive(inside, y1, x1), old1))


@njit(**INNER)
def update_rows(work, r, G, inverse, source, target, alive, step, count, units):
    """Write the update of `count` rows of a factor, at `source`, to work[target:]; idle lanes keep their values.

    work[r:] is the product with the data (count, k, LANES), work[G:] the Gram matrix of the other factor with l2 on its
    diagonal, work[inverse:] what `prepare_gram` made of it. A multiple of ROWS is updated.
    """
    width = ROWS * len(units) * LANES
    mask, shrink = load(work, alive, work), splat(step.l1, work)
    if step.kind == MU:
        bounds = splat(FLOOR, work), splat(ROOM * tiny_of(work), work)
        for place in range(0, -(-count // ROWS) * width, width):
            multiply_rows(
                SIDE_BY_SIDE, work, r + place, G, shrink, source + place, target + place, mask, step.sweeps, bounds,
                units,
            )  # fmt: skip
    elif step.kind == RANK2:
        rank2_rows(work, r, G, inverse, source, target, mask, step.l1, count)
    else:
        for place in range(0, -(-count // ROWS) * width, width):
            sweep_rows(
                SIDE_BY_SIDE, work, r + place, inverse, shrink, source + place, target + place, mask, step.sweeps, units
            )


@njit(**INNER)
def prepare_gram(work, G, inverse, step, units):
    """Add l2 to the diagonal and write what `update_rows` divides by."""
    k = len(units)
    one, zero = splat(1.0, work), splat(0.0, work)
    tiny = splat(tiny_of(work), work)
    for c in range(k):
        place = G + (c * k + c) * LANES
        total = load(work, place, work) + splat(step.l2, work)
        store(work, place, total)
        store(work, inverse + c * LANES, where_positive(total, one / lanes_max(total, tiny), zero))
    if step.kind == SWEEPS:
        for c in range(k):
            per = load(work, inverse + c * LANES, work)
            for d in range(k):
                value = zero - load(work, G + (c * k + d) * LANES, work) * per
                store(work, inverse + (k + c * k + d) * LANES, value)
    if step.kind == RANK2:
        product = load(work, G, work) * load(work, G + 3 * LANES, work)
        determinant = product - load(work, G + LANES, work) * load(work, G + LANES, work)
        trusted = determinant - product * splat(16 * eps_of(work), work)
        store(work, inverse + 2 * LANES, where_positive(trusted, one / lanes_max(determinant, tiny), zero))


@njit(**INNER)
def pass_over(tile, cells, factor, step, update, m, units):
    """Update H (if `update`) for the W at `factor`, and write V @ H.T, H @ H.T and the sums of H to the tile."""
    k = len(units)
    width = k * LANES
    values, work, at, rows, start = tile.cells, tile.work, tile.at, cells.rows, cells.start
    clear(work, at.A, m * width)
    clear(work, at.GH, k * width)
    clear(work, at.sums, width)
    count = len(start) - 1
    for first in range(0, count, GROUP):
        last, H = min(first + GROUP, count), at.H + first * width
        if update:
            for j in range(first, last):
                to = at.r + (j - first) * width
                dot_column(values, rows, start[j], start[j + 1], work, factor, work, to, units)
            update_rows(work, at.r, at.GW, at.inverse, H, H, at.alive, step, last - first, units)
        gram_rows(work, H, 0, last - first, work, at.GH, work, at.sums, units)
        for j in range(first, last):
            scatter_column(values, rows, start[j], start[j + 1], work, at.A, at.H + j * width, units)


@njit(**INNER)
def update_W(tile, source, target, alive, step, m, units):
    """Write the update of `source`, W or its extrapolation, for this H to `target`; idle lanes keep their values."""
    k, work, at = len(units), tile.work, tile.at
    for place in range(0, k * k * LANES, LANES):
        store(work, at.G + place, load(work, at.GH + place, work))
    prepare_gram(work, at.G, at.inverse, step, units)
    update_rows(work, at.A, at.G, at.inverse, source, target, alive, step, m, units)


@njit(**INNER)
def extrapolate(tile, m, units):
    """Take the W that is in the making, and choose what the next H is fitted to: further along the way W has moved.

    Where the step turned against the one before it, the extrapolation starts anew: as safe as watching the loss rise,
    free, and not blind in float32 once the loss is flat.
    """
    width, work, wide, at = len(units) * LANES, tile.work, tile.wide, tile.at
    mask, zero = load(work, at.alive, work), splat(0.0, work)
    turned = zero
    for place in range(0, m * width, LANES):
        new = load(work, at.D_W + place, work)
        turned = turned + (load(work, at.Y + place, work) - new) * (new - load(work, at.W + place, work))
    store(work, at.top, turned)
    for lane in range(LANES):
        reach = wide[MOMENTUM * LANES + lane]
        if work[at.top + lane] > 0:
            wide[CEILING * LANES + lane] = reach
            wide[MOMENTUM * LANES + lane] = reach / SHRINK
            work[at.top + lane] = 0
        else:
            work[at.top + lane] = reach
            ceiling = min(1.0, GROW_LIMIT * wide[CEILING * LANES + lane])
            wide[CEILING * LANES + lane] = ceiling
            wide[MOMENTUM * LANES + lane] = min(ceiling, GROW * reach)
    reach = load(work, at.top, work)
    for place in range(0, m * width, LANES):
        new, old = load(work, at.D_W + place, work), load(work, at.W + place, work)
        store(work, at.Y + place, where_positive(mask, lanes_max(new + reach * (new - old), zero), old))
        store(work, at.W + place, where_positive(mask, new, old))


@njit(**INNER)
def iterate(tile, cells, rule, m, units):
    """Do one iteration in the lanes that are alive."""
    work, at = tile.work, tile.at
    if not rule.extrapolated:
        update_W(tile, at.W, at.W, at.alive, rule.W, m, units)
    factor = at.Y if rule.extrapolated else at.W
    gram(work, factor, m, at.GW, at.scales, units)
    prepare_gram(work, at.GW, at.inverse, rule.H, units)
    pass_over(tile, cells, factor, rule.H, bool(1), m, units)
    if rule.extrapolated:
        update_W(tile, at.Y, at.D_W, at.alive, rule.W, m, units)
        extrapolate(tile, m, units)
    for lane in range(LANES):
        if tile.lane[STATE * LANES + lane] == RUNNING:
            tile.lane[ITERATION * LANES + lane] += 1


@njit(**INNER)
def useful(lane, jobs, race, more):
    """Return how many lanes can be given something to do, and how many are at work."""
    found, living = 0, 0
    for i in range(LANES):
        state, job = lane[STATE * LANES + i], lane[JOB * LANES + i]
        living += state == RUNNING
        if state == EMPTY:
            found += more
        elif state == DUE:
            found += 1
        elif state == WAITING:
            if race is None:
                found += more or lane[TRY * LANES + i] + 1 < jobs.tries[job]
            else:
                found += more or jobs.tries[job] > 1
    return found, living


@njit(**OPTIONS)
def frobenius(tile, cells, jobs, race, none, first, last, rule, limits, units, answers):
    """Solve the jobs first to last - 1: `units` is any tuple as long as there are components, `none` (k,) are zeros.

    `race` is a `halving.Race`, or None where all starts go to their end.
    """
    m, count, n, at = answers.W.shape[1], len(cells.columns), answers.H.shape[2], tile.at
    following, since, clock = first, np.int64(0), np.int64(0)
    while True:
        found, living = useful(tile.lane, jobs, race, following < last)
        if living == 0 or (found >= IDLE and since >= jobs.patience and clock == 0):
            # All lanes are checked at the same iterations, so that none is looked at between its own checks.
            finish(tile, cells, jobs, race, rule, limits, answers, m, units)
            following = admit(tile, cells, jobs, race, following, last, m)
            if enter(tile, jobs, race, none, n, m, rule, units):
                # What begins at an H needs its products. Lanes in mid-run get the same numbers again.
                pass_over(tile, cells, at.W, rule.H, bool(0), m, units)
                # Columns that are empty in every replicate count in the first update of W; after it their H is zero.
                add_outside(tile.work, tile.lane, at, jobs.given, jobs.extra, units)
                clear_empty(tile.work, at, count, m, units)
                if rule.extrapolated:
                    # H is first fitted to what W becomes with the H that is given.
                    update_W(tile, at.Y, at.Y, at.fresh, rule.W, m, units)
            since, clock = np.int64(0), np.int64(0)
            found, living = useful(tile.lane, jobs, race, following < last)
            if living == 0:
                break
        iterate(tile, cells, rule, m, units)
        since += 1
        clock += 1
        if clock == limits.every:
            clock = np.int64(0)
        settle(tile, rule, limits, clock == 0, m, count, units)
        if race is not None and clock == 0:
            pause(tile, jobs, race, count, m, units)
