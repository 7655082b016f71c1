"""How replicates enter the lanes of a tile of least squares: their cells, and the factors they begin at."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..rules.hals import MOMENTUM as FIRST_MOMENTUM
from ..streams import HALF_NORMAL
from .halving import ASIDE, go_on, line_up, take_up
from .lanes import LANES, copy_lanes, load, splat, store, where_positive
from .streams import FIRST, GOLDEN, SECOND, mix, stream
from .tiles import ALLOCATING, INNER
from .workspace import (
    BEST,
    CEILING,
    CHANGE,
    DUE,
    EMPTY,
    ENERGY,
    ITERATION,
    JOB,
    MOMENTUM,
    RUNNING,
    STATE,
    TRY,
)

# New replicates enter a running tile when so many lanes are idle: copying one into its lane costs a few iterations.
IDLE = 3


@njit(**INNER)
def start_stream(seed, number, start):
    """Return the state that begins the stream of start number `start` of a replicate; see `streams.half_normals`."""
    return mix(stream(seed, number) ^ mix(np.uint64(start) * FIRST + SECOND))


@njit(**INNER)
def half_normal(state, entry):
    """Return entry number `entry` of a stream, as `streams.half_normals` does."""
    z = mix(state + np.uint64(entry + 1) * GOLDEN)
    low = np.uint64(0xFFFF)
    total = (z & low) + ((z >> np.uint64(16)) & low) + ((z >> np.uint64(32)) & low) + (z >> np.uint64(48))
    return np.float32(abs(np.int64(total) - 131070)) * HALF_NORMAL


@njit(**INNER)
def masses(cells, rows, start, work, row_mass, column_mass, m):
    """Write the sums of V over rows and over columns."""
    for i in range(m):
        store(work, row_mass + i * LANES, splat(0.0, work))
    for j in range(len(start) - 1):
        total = splat(0.0, work)
        for p in range(start[j], start[j + 1]):
            value = load(cells, p * LANES, work)
            place = row_mass + np.int64(rows[p]) * LANES
            store(work, place, load(work, place, work) + value)
            total = total + value
        store(work, column_mass + j * LANES, total)


@njit(**INNER)
def spread(work, H, W, places, at_H, at_W, units):
    """Give every lane the one start that is given."""
    k = len(units)
    for c in range(k):
        for j in range(len(places)):
            store(work, at_H + (j * k + c) * LANES, splat(H[c, places[j]], work))
        for i in range(len(W)):
            store(work, at_W + (i * k + c) * LANES, splat(W[i, c], work))


@njit(**INNER)
def draw(work, at, lane, state, size, columns, n, m, fitted, units):
    """Draw a start into a lane, from the stream at `state`; where H is `fitted` to W it begins at zero."""
    k = len(units)
    for c in range(k):
        for j in range(len(columns)):
            value = 0.0
            if not fitted and work[at.column_mass + j * LANES + lane] > 0:
                value = size * half_normal(state, m * k + c * n + columns[j])
            work[at.H + (j * k + c) * LANES + lane] = value
        for i in range(m):
            filled = work[at.row_mass + i * LANES + lane] > 0 or not fitted
            value = size * half_normal(state, i * k + c) if filled else 0.0
            work[at.W + (i * k + c) * LANES + lane] = value


@njit(**INNER)
def remember(work, at, lane, outside, count, m, units):
    """Set a lane's memory of the check before, and what is zero where H is to be fitted first.

    `outside` (k,) are the sums of H outside the pattern.
    """
    k = len(units)
    for c in range(k):
        total = outside[c]
        for j in range(count):
            total += work[at.H + (j * k + c) * LANES + lane]
        scale = total if total > 0 else 1.0
        per = work.dtype.type(1 / scale)
        for j in range(count):
            place = (j * k + c) * LANES + lane
            work[at.H_before + place] = work[at.H + place] * per
        for i in range(m):
            place = (i * k + c) * LANES + lane
            value = work[at.W + place]
            work[at.Y + place] = value
            work[at.W_before + place] = value * scale
        work[at.sums + c * LANES + lane] = 0
        for d in range(k):
            work[at.GH + (c * k + d) * LANES + lane] = 0
    work[at.alive + lane] = 1


@njit(**INNER)
def assign(tile, jobs, race, lane, job):
    """Make a job due in a lane, whose cells are there."""
    if race is not None:
        line_up(race, lane, jobs.tries[job])
    tile.lane[JOB * LANES + lane], tile.lane[TRY * LANES + lane] = job, 0
    tile.lane[STATE * LANES + lane] = DUE
    tile.wide[BEST * LANES + lane] = np.inf


@njit(**INNER)
def admit(tile, cells, jobs, race, following, last, m):
    """Let jobs into empty lanes; return the job that follows.

    An empty tile takes a whole tile of the pattern at once; where enough lanes are empty it takes single replicates.
    """
    values, replicates, before = cells.values, jobs.replicates, following
    empty = 0
    for lane in range(LANES):
        empty += tile.lane[STATE * LANES + lane] == EMPTY
    if empty == LANES and following < last:
        number = replicates[following] // LANES
        squares, own = splat(0.0, tile.wide), values[number]
        for p in range(0, len(tile.cells), LANES):
            v = load(own, p, tile.wide)
            squares = squares + v * v
            copy_lanes(tile.cells, p, own, p)
        store(tile.wide, ENERGY * LANES, squares)
        while following < last:
            lane = replicates[following] % LANES
            if replicates[following] // LANES != number or tile.lane[STATE * LANES + lane] != EMPTY:
                break
            assign(tile, jobs, race, lane, following)
            following += 1
            empty -= 1
    # Jobs from elsewhere than a tile's own replicates are worth copying one by one where lanes would lie idle.
    if empty >= IDLE:
        for lane in range(LANES):
            if tile.lane[STATE * LANES + lane] != EMPTY or following >= last:
                continue
            number, source = replicates[following] // LANES, replicates[following] % LANES
            total, own = 0.0, values[number]
            for p in range(lane, len(tile.cells), LANES):
                v = own[p - lane + source]
                tile.cells[p] = v
                total += np.float64(v) * np.float64(v)
            tile.wide[ENERGY * LANES + lane] = total
            assign(tile, jobs, race, lane, following)
            following += 1
    if following > before:
        masses(tile.cells, cells.rows, cells.start, tile.work, tile.at.row_mass, tile.at.column_mass, m)
    return following


@njit(**INNER)
def enter(tile, jobs, race, none, n, m, rule, units):
    """Begin the starts that are due; return whether any begins at factors whose H is not to be fitted first.

    `none` (k,) are zeros.
    """
    work, wide, at, states, fresh = tile.work, tile.wide, tile.at, tile.lane, False
    k, due, same, fitted, again = len(units), 0, len(jobs.W) == 1, rule.fits_H_first, False
    for lane in range(LANES):
        work[at.fresh + lane] = 0
        if states[STATE * LANES + lane] == DUE:
            due += 1
            same = same and jobs.given[states[JOB * LANES + lane]] >= 0 and states[TRY * LANES + lane] == 0
            if race is not None:
                same = same and race.standing[lane] != ASIDE
    same = same and due == LANES
    if same:
        spread(work, jobs.H[0], jobs.W[0], jobs.places, at.H, at.W, units)
    for lane in range(LANES):
        if states[STATE * LANES + lane] != DUE:
            continue
        job, number, outside = states[JOB * LANES + lane], states[TRY * LANES + lane], none
        source = jobs.given[job] if number == 0 else -1
        if race is not None:
            again = race.standing[number * LANES + lane] == ASIDE
            if again:
                take_up(tile, race, lane, len(jobs.columns), m, units)
        if again:
            # Where W is not extrapolated its update asks for products of H.
            fresh = fresh or not rule.extrapolated
        elif source < 0:
            total = 0.0
            for place in range(at.row_mass + lane, at.row_mass + m * LANES, LANES):
                total += np.float64(work[place])
            size = np.sqrt(total / (np.float64(m) * n * k))
            state = start_stream(jobs.seed, jobs.numbers[job], jobs.begin[job] + number)
            draw(work, at, lane, state, size, jobs.columns, n, m, fitted, units)
        else:
            outside = jobs.extra[source, k]
            if not same:
                for c in range(k):
                    for j in range(len(jobs.places)):
                        work[at.H + (j * k + c) * LANES + lane] = jobs.H[source, c, jobs.places[j]]
                    for i in range(m):
                        work[at.W + (i * k + c) * LANES + lane] = jobs.W[source, i, c]
        if not again and (source >= 0 or not fitted):
            work[at.fresh + lane] = 1
            fresh = True
        remember(work, at, lane, outside, len(jobs.columns), m, units)
        states[ITERATION * LANES + lane], states[STATE * LANES + lane] = 0, RUNNING
        wide[CHANGE * LANES + lane] = np.inf
        wide[MOMENTUM * LANES + lane], wide[CEILING * LANES + lane] = FIRST_MOMENTUM, 1.0
        if race is not None and again:
            go_on(tile, race, lane, len(jobs.columns), m, units)
    return fresh


@njit(**INNER)
def add_outside(work, lane, at, given, extra, units):
    """Add the Gram matrices of the columns outside the pattern, which count in the first update of W."""
    k = len(units)
    for i in range(LANES):
        source = given[max(lane[JOB * LANES + i], 0)]
        if work[at.fresh + i] > 0 and source >= 0 and lane[TRY * LANES + i] == 0:
            for c in range(k):
                for d in range(k):
                    work[at.GH + (c * k + d) * LANES + i] += extra[source, c, d]


@njit(**INNER)
def clear_empty(work, at, count, m, units):
    """Set to zero, in fresh lanes, what has no data: it would become zero with its first update anyway."""
    k = len(units)
    fresh, none = load(work, at.fresh, work), splat(0.0, work)
    for i in range(m):
        gone = where_positive(load(work, at.row_mass + i * LANES, work), none, fresh)
        for c in range(k):
            place = (i * k + c) * LANES
            store(work, at.W + place, where_positive(gone, none, load(work, at.W + place, work)))
            store(work, at.Y + place, where_positive(gone, none, load(work, at.Y + place, work)))
    for j in range(count):
        gone = where_positive(load(work, at.column_mass + j * LANES, work), none, fresh)
        for c in range(k):
            place = at.H + (j * k + c) * LANES
            store(work, place, where_positive(gone, none, load(work, place, work)))


@njit(**ALLOCATING)
def draw_factors(cells, replicates, numbers, seed, start, fitted, W, H, first, last):
    """Write start number `start` of some replicates to W (B, m, k) and H (B, k, n), as `draw` does in a tile."""
    (m, k), n = W.shape[1:], H.shape[2]
    column_mass = np.zeros(n)
    for b in range(first, last):
        tile, lane = replicates[b] // LANES, replicates[b] % LANES
        column_mass[:] = 0
        for j in range(len(cells.start) - 1):
            for p in range(cells.start[j], cells.start[j + 1]):
                column_mass[cells.columns[j]] += cells.values[tile, p * LANES + lane]
        size = np.sqrt(column_mass.sum() / (np.float64(m) * n * k))
        state = start_stream(seed, numbers[b], start)
        for i in range(m):
            for c in range(k):
                W[b, i, c] = size * half_normal(state, i * k + c)
        for j in range(n):
            for c in range(k):
                filled = column_mass[j] > 0 and not fitted
                H[b, c, j] = size * half_normal(state, m * k + c * n + j) if filled else 0.0
