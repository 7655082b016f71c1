"""Batches of small dense problems by extrapolated HALS, compiled: LANES problems at a time, each with several starts.

A lane that has ended goes on at once, with its next start or the next problem. A later start is given up as soon as
what its loss is still to fall cannot bring it clearly below the best one so far. All numbers are float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..balance import LOPSIDED
from ..result import MARGIN
from ..rules.hals import GROW, GROW_LIMIT, SHRINK
from ..rules.hals import MOMENTUM as FIRST_MOMENTUM
from ..stopping import STEADY
from .beginning import half_normal, start_stream
from .lanes import LANES, lanes_max, lanes_min, lanes_sqrt, load, splat, store, where_positive
from .loops import dot_column, gram_rows, scatter_column, sweep_rows
from .settings import CONVERGED, MAX_ITER, NON_FINITE
from .tiles import ALLOCATING, INNER
from .workspace import aligned

ROWS = 4
SIDE_BY_SIDE = (0,) * ROWS
# A start is given up where so many times what its loss is thought to fall yet would not do; from this iteration on.
TRUST, FIRST = 10.0, 12


class Places(NamedTuple):
    """Where the working arrays begin, each with the lanes last."""

    W: int  # (m, k)
    Y: int  # W or its extrapolation: what H is fitted to
    D: int  # a W in the making
    A: int  # V H^T
    W_before: int  # unit-sum factors at the check before
    H: int  # (n, k)
    R: int  # the products of some columns with W, (ROWS, k)
    H_before: int
    GH: int  # Gram matrices, (k, k)
    G: int
    inverse: int  # what `sweep_rows` divides by
    sums: int  # of H, (k,)
    momentum: int  # (1,), as are all that follow
    ceiling: int
    energy: int  # half the sum of squares of V
    loss: int
    change: int
    end: int


class Desk(NamedTuple):
    """The working arrays of one thread."""

    cells: Any  # V column by column, (n, m, LANES)
    work: Any  # see `Places`
    at: Places
    problem: Any  # (LANES,), -1 where there is none
    number: Any  # (LANES,): of the start
    iteration: Any  # (LANES,)
    memory: Any  # (5, LANES): the change, loss and fall of the check before, the loss of the best start, the sum of V


class Answers(NamedTuple):
    """What is answered for each problem."""

    W: Any  # (B, m, k)
    H: Any  # (B, k, n)
    n_iter: Any  # (B,)
    status: Any  # (B,)
    start: Any  # (B,)


class Asked(NamedTuple):
    """What is asked: the first number of the problems and the seed name the random starts."""

    V: Any  # (B, m, n)
    rows: Any  # those of the cells: 0 to m - 1, n times
    number: int
    seed: Any  # uint64
    starts: int
    given: bool  # whether the first start is
    sweeps_W: int
    sweeps_H: int
    tol: float
    slowest: float
    rounding: float
    max_iter: int
    every: int


def lay(m: int, n: int, k: int) -> Desk:
    """Return a desk for problems of m x n and k components."""
    short, long = -(-m // ROWS) * ROWS * k, -(-n // ROWS) * ROWS * k
    sizes = [short] * 5 + [long, ROWS * k, long] + [k * k, k * k, k + k * k, k, 1, 1, 1, 1, 1]
    at = Places(*(int(x) * LANES for x in [0, *np.cumsum(sizes)]))
    return Desk(
        aligned(m * n * LANES, np.dtype(np.float64)), aligned(at.end, np.dtype(np.float64)), at, np.full(LANES, -1),
        np.zeros(LANES, np.int64), np.zeros(LANES, np.int64), np.zeros((5, LANES)),
    )  # fmt: skip


@njit(**INNER)
def fetch(desk, V, problem, lane):
    """Copy a problem into a lane, for its first start."""
    (m, n), total, squared = V.shape[1:], 0.0, 0.0
    desk.problem[lane], desk.number[lane], desk.memory[3, lane] = problem, 0, np.inf
    for i in range(m):
        for j in range(n):
            value = V[problem, i, j]
            desk.cells[(j * m + i) * LANES + lane] = value
            total += value
            squared += value * value
    desk.work[desk.at.energy + lane], desk.memory[4, lane] = 0.5 * squared, total


@njit(**INNER)
def clear(work, first, count):
    """Set `count` entries from `first` on to zero."""
    for place in range(first, first + count * LANES, LANES):
        store(work, place, splat(0.0, work))


@njit(**INNER)
def gram(work, factor, count, out, sums, units):
    """Write the Gram matrix of a factor to work[out:] and its sums to work[sums:]."""
    k = len(units)
    clear(work, out, k * k)
    clear(work, sums, k)
    gram_rows(work, factor, 0, count, work, out, work, sums, units)


@njit(**INNER)
def prepare(work, G, inverse, units):
    """Write what `sweep_rows` divides by."""
    k = len(units)
    one, zero = splat(1.0, work), splat(0.0, work)
    for c in range(k):
        size = load(work, G + (c * k + c) * LANES, work)
        per = where_positive(size, one / where_positive(size, size, one), zero)
        store(work, inverse + c * LANES, per)
        for d in range(k):
            store(work, inverse + (k + c * k + d) * LANES, zero - load(work, G + (c * k + d) * LANES, work) * per)


@njit(**INNER)
def pass_over(desk, asked, m, n, units):
    """Fit H to the W that comes next, and write V H^T."""
    work, at, cells, rows, width = desk.work, desk.at, desk.cells, asked.rows, len(units) * LANES
    zero, one = splat(0.0, work), splat(1.0, work)
    clear(work, at.A, m * len(units))
    # A few columns at a time, whose cells are then still near.
    for first in range(0, n, ROWS):
        last, H = min(first + ROWS, n), at.H + first * width
        for j in range(first, last):
            dot_column(cells, rows, j * m, (j + 1) * m, work, at.Y, work, at.R + (j - first) * width, units)
        sweep_rows(SIDE_BY_SIDE, work, at.R, at.inverse, zero, H, H, one, asked.sweeps_H, units)
        for j in range(first, last):
            scatter_column(cells, rows, j * m, (j + 1) * m, work, at.A, H + (j - first) * width, units)


@njit(**INNER)
def iterate(desk, asked, m, n, units):
    """Fit H to the W that comes next, W to that H, and go on along the step that W has made; see `rules.hals`."""
    work, at, width = desk.work, desk.at, len(units) * LANES
    zero, one, turned = splat(0.0, work), splat(1.0, work), splat(0.0, work)
    gram(work, at.Y, m, at.G, at.sums, units)
    prepare(work, at.G, at.inverse, units)
    pass_over(desk, asked, m, n, units)
    gram(work, at.H, n, at.GH, at.sums, units)
    prepare(work, at.GH, at.inverse, units)
    for first in range(0, m * width, ROWS * width):
        begun, made, sweeps = at.Y + first, at.D + first, asked.sweeps_W
        sweep_rows(SIDE_BY_SIDE, work, at.A + first, at.inverse, zero, begun, made, one, sweeps, units)
    for place in range(0, m * width, LANES):
        new = load(work, at.D + place, work)
        turned = turned + (load(work, at.Y + place, work) - new) * (new - load(work, at.W + place, work))
    momentum, ceiling = load(work, at.momentum, work), load(work, at.ceiling, work)
    higher = lanes_min(one, ceiling * splat(GROW_LIMIT, work))
    store(work, at.ceiling, where_positive(turned, momentum, higher))
    longer = lanes_min(higher, momentum * splat(GROW, work))
    store(work, at.momentum, where_positive(turned, momentum * splat(1 / SHRINK, work), longer))
    reach = where_positive(turned, zero, momentum)
    for place in range(0, m * width, LANES):
        new, old = load(work, at.D + place, work), load(work, at.W + place, work)
        store(work, at.Y + place, lanes_max(new + reach * (new - old), zero))
        store(work, at.W + place, new)


@njit(**INNER)
def changed(work, at, factor, before, count, inverse, units):
    """Return how far W times the sums of H, or H over them, has moved, relative to its largest entry, and keep it."""
    k = len(units)
    zero, one = splat(0.0, work), splat(1.0, work)
    most, largest = zero, zero
    for c in range(k):
        size = load(work, at.sums + c * LANES, work)
        size = where_positive(size, size, one)
        size = one / size if inverse else size
        for i in range(count):
            place = (i * k + c) * LANES
            now = load(work, factor + place, work) * size
            apart = now - load(work, before + place, work)
            most = lanes_max(lanes_max(most, apart), zero - apart)
            largest = lanes_max(largest, now)
            store(work, before + place, now)
    return most / where_positive(largest, largest, one)


@njit(**INNER)
def balance(desk, m, n, units):
    """Give both factors of a component the same sum where one has nearly all of it: see `balance.LOPSIDED`."""
    work, at, k = desk.work, desk.at, len(units)
    zero, one, most = splat(0.0, work), splat(1.0, work), splat(LOPSIDED, work)
    for c in range(k):
        of_W, of_H = load(work, at.inverse + c * LANES, work), load(work, at.sums + c * LANES, work)
        known = where_positive(of_W, of_H, zero)
        far = where_positive(of_H - of_W * most, known, where_positive(of_W - of_H * most, known, zero))
        store(work, at.R, far)
        found = 0.0
        for lane in range(at.R, at.R + LANES):
            found = max(found, work[lane])
        if found == 0:
            continue
        by = lanes_sqrt(where_positive(far, of_H, one) / where_positive(far, of_W, one))
        back = one / by
        for place in range(c * LANES, m * k * LANES, k * LANES):
            store(work, at.W + place, load(work, at.W + place, work) * by)
            store(work, at.Y + place, load(work, at.Y + place, work) * by)
        for place in range(c * LANES, n * k * LANES, k * LANES):
            store(work, at.H + place, load(work, at.H + place, work) * back)


@njit(**INNER)
def look(desk, m, n, units):
    """Write the losses, and how far the factors have moved since the check before."""
    work, at, k = desk.work, desk.at, len(units)
    change = changed(work, at, at.W, at.W_before, m, False, units)
    change = lanes_max(change, changed(work, at, at.H, at.H_before, n, True, units))
    store(work, at.change, change)
    loss = load(work, at.energy, work)
    for place in range(0, m * k * LANES, LANES):
        loss = loss - load(work, at.W + place, work) * load(work, at.A + place, work)
    gram(work, at.W, m, at.G, at.inverse, units)
    half = splat(0.5, work)
    for place in range(0, k * k * LANES, LANES):
        loss = loss + half * load(work, at.G + place, work) * load(work, at.GH + place, work)
    store(work, at.loss, loss)
    balance(desk, m, n, units)


@njit(**INNER)
def begin(desk, asked, lane, m, n, units, W):
    """Begin a start in a lane, at the given W (m, k) or at a drawn one, to which H is fitted first."""
    work, at, k, problem, number = desk.work, desk.at, len(units), desk.problem[lane], desk.number[lane]
    drawn, size = number > 0 or not asked.given, np.sqrt(desk.memory[4, lane] / (m * n * k))
    state = start_stream(asked.seed, asked.number + problem, number)
    for i in range(m):
        filled = False
        for p in range(i * LANES + lane, m * n * LANES, m * LANES):
            filled = desk.cells[p] > 0
            if filled:
                break
        for c in range(k):
            place = (i * k + c) * LANES + lane
            value = 0.0
            if filled:
                value = size * half_normal(state, i * k + c) if drawn else W[i, c]
            work[at.W + place], work[at.Y + place], work[at.W_before + place] = value, value, 0.0
    for place in range(lane, n * k * LANES, LANES):
        work[at.H + place], work[at.H_before + place] = 0.0, 0.0
    work[at.momentum + lane], work[at.ceiling + lane] = FIRST_MOMENTUM, 1.0
    desk.iteration[lane] = 0
    for row in range(3):
        desk.memory[row, lane] = np.inf


@njit(**INNER)
def ended(desk, asked, lane):
    """Return how a start has ended, -1 if it has not, -2 where it is given up."""
    memory, change, loss = desk.memory, desk.work[desk.at.change + lane], desk.work[desk.at.loss + lane]
    before, fall_before, best = memory[0, lane], memory[2, lane], memory[3, lane]
    fall = abs(memory[1, lane] - loss)
    memory[0, lane], memory[1, lane], memory[2, lane] = change, loss, fall
    if not (np.isfinite(loss) and np.isfinite(change)):
        return NON_FINITE
    ratio = min(change / before, asked.slowest) if before > 0 else asked.slowest
    if change <= asked.rounding or change <= asked.tol * (1 - ratio):
        return CONVERGED
    if desk.iteration[lane] >= asked.max_iter:
        return MAX_ITER
    if desk.number[lane] > 0 and desk.iteration[lane] >= FIRST and np.isfinite(fall_before):
        ratio = min(max(STEADY, fall / fall_before if fall_before > 0 else 0.0), asked.slowest)
        left = max(fall_before * ratio, fall) * ratio / (1 - ratio)
        if loss - TRUST * left > best * (1 - MARGIN):
            return -2
    return -1


@njit(**INNER)
def keep(desk, answers, lane, status, m, n, units):
    """Write out where a lane has ended."""
    work, at, k, b = desk.work, desk.at, len(units), desk.problem[lane]
    for i in range(m):
        for c in range(k):
            answers.W[b, i, c] = work[at.W + (i * k + c) * LANES + lane]
    for c in range(k):
        for j in range(n):
            answers.H[b, c, j] = work[at.H + (j * k + c) * LANES + lane]
    answers.n_iter[b], answers.status[b], answers.start[b] = desk.iteration[lane], status, desk.number[lane]


@njit(**ALLOCATING)
def solve(desk, asked, given, first, last, units, answers):
    """Solve the problems first to last - 1; `given` (B, m, k) are the W of the first starts, if any are."""
    (m, n), following, living = asked.V.shape[1:], first, 0
    for lane in range(min(LANES, last - first)):
        fetch(desk, asked.V, following, lane)
        begin(desk, asked, lane, m, n, units, given[following])
        following += 1
        living += 1
    clock = 0
    while living > 0:
        iterate(desk, asked, m, n, units)
        clock += 1
        if clock < asked.every:
            continue
        clock = 0
        look(desk, m, n, units)
        for lane in range(LANES):
            desk.iteration[lane] += asked.every
            status = ended(desk, asked, lane) if desk.problem[lane] >= 0 else -1
            if status == -1:
                continue
            loss, best = desk.work[desk.at.loss + lane], desk.memory[3, lane]
            if desk.number[lane] == 0 or (status >= 0 and (loss < best * (1 - MARGIN) or best != best)):
                keep(desk, answers, lane, status, m, n, units)
                desk.memory[3, lane] = loss
            desk.number[lane] += 1
            if desk.number[lane] == asked.starts:
                if following == last:
                    desk.problem[lane] = -1
                    living -= 1
                    continue
                fetch(desk, asked.V, following, lane)
                following += 1
            begin(desk, asked, lane, m, n, units, given[desk.problem[lane]])
