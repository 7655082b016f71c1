"""Successive halving of a replicate's starts: all go some iterations, the better half twice as many, and so on.

A lane runs its job's starts in turn. One that has gone as far as the round goes is set aside, and taken up again from
there if it is among the better half; the last one goes to its end. See `Stop.halve_after`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .lanes import LANES, load, splat, store
from .loops import gram_rows
from .tiles import INNER
from .workspace import CEILING, DUE, EMPTY, ENERGY, ITERATION, JOB, LOSS, MOMENTUM, RUNNING, STATE, TRY

# How a start stands: not begun, set aside, at its end, given up.
NEW, ASIDE, OVER, OUT = 0, 1, 2, 3
# No start goes further.
FOREVER = 2**62


class Race(NamedTuple):
    """The starts of the jobs in a tile's lanes, by number of the start and by lane."""

    factors: Any  # W, Y and H of those set aside, (starts, (2 m + columns) k, LANES)
    loss: Any  # float64
    momentum: Any
    ceiling: Any
    iteration: Any
    standing: Any
    goal: Any  # (LANES,): iterations to which starts go in this round
    field: Any  # (LANES,): how many starts are in it
    lanes: Any  # (LANES,), scratch, as is the next
    following: Any
    after: int  # iterations of the first round


def course(after: int, starts: int, m: int, count: int, k: int, dtype: np.dtype) -> Race:
    """Return the race of a tile whose jobs have at most so many starts; `count` columns are filled."""
    each = starts * LANES
    losses, lanes = [np.zeros(each) for _ in range(3)], [np.zeros(LANES, np.int64) for _ in range(4)]
    standing = [np.zeros(each, np.int64) for _ in range(2)]
    factors = np.zeros(each * (2 * m + count) * k, dtype)
    return Race._make([factors, *losses, *standing, *lanes, after])


@njit(**INNER)
def line_up(race, lane, starts):
    """Begin the race of a job's starts in a lane."""
    for place in range(lane, starts * LANES, LANES):
        race.standing[place] = NEW
    race.goal[lane], race.field[lane] = race.after if starts > 1 else FOREVER, starts


@njit(**INNER)
def next_start(race, lane, starts):
    """Return the start that a lane goes on with, -1 where the race is over; when a round is, give the worse half up."""
    while True:
        waiting = 0
        for number in range(starts):
            place = number * LANES + lane
            standing = race.standing[place]
            if standing == NEW or (standing == ASIDE and race.iteration[place] < race.goal[lane]):
                return number
            waiting += standing == ASIDE
        if waiting == 0:
            return -1
        field = (race.field[lane] + 1) // 2
        for place in range(lane, starts * LANES, LANES):
            if race.standing[place] != ASIDE:
                continue
            better = 0
            for other in range(lane, starts * LANES, LANES):
                if race.standing[other] in (ASIDE, OVER):
                    apart = race.loss[place] - race.loss[other]
                    better += apart > 0 or (apart == 0 and other < place)
            if better >= field:
                race.standing[place] = OUT
        race.field[lane] = field
        race.goal[lane] = FOREVER if field == 1 else 2 * race.goal[lane]


@njit(**INNER)
def end(race, lane, number, loss, starts):
    """Note that a start is at its end; return the one that the lane goes on with, -1 if none."""
    place = number * LANES + lane
    race.standing[place] = OVER
    race.loss[place] = loss if np.isfinite(loss) else np.inf
    return next_start(race, lane, starts)


@njit(**INNER)
def weigh(tile, m, units):
    """Write the losses of all lanes, of W and the H that V @ H.T is made of."""
    k, work, wide, at = len(units), tile.work, tile.wide, tile.at
    width = k * LANES
    for place in range(0, k * width, LANES):
        store(work, at.G + place, splat(0.0, work))
    gram_rows(work, at.W, 0, m, work, at.G, work, at.W_sums, units)
    half = splat(0.5, wide)
    loss = half * load(wide, ENERGY * LANES, wide)
    for place in range(0, m * width, LANES):
        loss = loss - load(work, at.W + place, wide) * load(work, at.A + place, wide)
    for place in range(0, k * width, LANES):
        loss = loss + half * load(work, at.G + place, wide) * load(work, at.GH + place, wide)
    store(wide, LOSS * LANES, loss)


@njit(**INNER)
def put_aside(tile, race, paused, count, m, units):
    """Keep W, Y and H of the starts in the first `paused` of race.lanes."""
    work, at, width = tile.work, tile.at, len(units) * LANES
    each, before = (2 * m + count) * width, 0
    for first, length in ((at.W, m * width), (at.Y, m * width), (at.H, count * width)):
        for place in range(0, length, LANES):
            for q in range(paused):
                i = race.lanes[q]
                number = tile.lane[TRY * LANES + i]
                race.factors[number * each + before + place + i] = work[first + place + i]
        before += length


@njit(**INNER)
def fetch(work, first, length, factors, source, lane):
    """Copy a lane of one factor from factors[source:] to work[first:]."""
    for place in range(lane, length, LANES):
        work[first + place] = factors[source + place]


@njit(**INNER)
def take_up(tile, race, lane, count, m, units):
    """Put W and H of a lane's start where they were when it was set aside."""
    at, width, number = tile.at, len(units) * LANES, tile.lane[TRY * LANES + lane]
    source = number * (2 * m + count) * width
    fetch(tile.work, at.W, m * width, race.factors, source, lane)
    fetch(tile.work, at.H, count * width, race.factors, source + 2 * m * width, lane)


@njit(**INNER)
def go_on(tile, race, lane, count, m, units):
    """Put the rest of a lane's start where it was when it was set aside."""
    at, width, number = tile.at, len(units) * LANES, tile.lane[TRY * LANES + lane]
    source, place = number * (2 * m + count) * width + m * width, number * LANES + lane
    fetch(tile.work, at.Y, m * width, race.factors, source, lane)
    tile.lane[ITERATION * LANES + lane] = race.iteration[place]
    tile.wide[MOMENTUM * LANES + lane], tile.wide[CEILING * LANES + lane] = race.momentum[place], race.ceiling[place]


@njit(**INNER)
def pause(tile, jobs, race, count, m, units):
    """Set the starts aside that have gone as far as the round goes, and make those that follow due."""
    wide, states, reached = tile.wide, tile.lane, False
    for i in range(LANES):
        race.following[i] = -2
        if states[STATE * LANES + i] == RUNNING and states[ITERATION * LANES + i] >= race.goal[i]:
            reached = True
    if not reached:
        return
    weigh(tile, m, units)
    paused = 0
    for i in range(LANES):
        number, iteration = states[TRY * LANES + i], states[ITERATION * LANES + i]
        if states[STATE * LANES + i] != RUNNING or iteration < race.goal[i]:
            continue
        starts, place, loss = jobs.tries[states[JOB * LANES + i]], number * LANES + i, wide[LOSS * LANES + i]
        race.standing[place], race.iteration[place] = ASIDE, iteration
        race.loss[place] = loss if np.isfinite(loss) else np.inf
        race.momentum[place], race.ceiling[place] = wide[MOMENTUM * LANES + i], wide[CEILING * LANES + i]
        following = next_start(race, i, starts)
        if following == number:
            continue
        race.following[i] = following
        if race.standing[place] == ASIDE:
            race.lanes[paused] = i
            paused += 1
    put_aside(tile, race, paused, count, m, units)
    for i in range(LANES):
        following = race.following[i]
        if following > -2:
            states[TRY * LANES + i] = following
            states[STATE * LANES + i] = EMPTY if following < 0 else DUE
            tile.work[tile.at.alive + i] = 0
