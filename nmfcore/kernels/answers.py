"""What a tile of two components answers: the mass that is missing, the KKT residual, the loss and the factors."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..rules.multiplicative import ROOM
from .distance import CLOSE, squared_distance
from .lanes import LANES, copy_lanes, lanes_max, lanes_min, load, splat, store, transpose, where_less, where_positive
from .levels import levels
from .pairs import PAIR, WIDTH
from .scalars import tiny_of
from .tiles import INNER, ROWS

# Columns whose sums are carried in the factors' precision where the difference of sums counts.
TOGETHER = 8


@njit(**INNER)
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


@njit(**INNER)
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


@njit(**INNER)
def residual_H(work, count, m):
    """Raise the KKT residual in out to that of H, and write the loss less half the sum of V^2."""
    H, r, G, loss, some = work.H, work.r, work.GW, work.loss, work.square
    zero, one = splat(0.0, H), splat(1.0, H)
    s0, s1 = load(work.sums, 0, H), load(work.sums, LANES, H)
    s0, s1 = where_positive(s0, s0, one), where_positive(s1, s1, one)
    per0, per1 = one / s0, one / s1
    a, b, c = load(G, 0, H), load(G, LANES, H), load(G, 3 * LANES, H)
    size, steepest, beyond = zero, zero, 2 * ROWS * WIDTH
    # The loss is a small difference of these: a few columns at a time in the factors' precision, the sums in float64.
    none = splat(0.0, loss)
    h00, h01, h11, explained = none, none, none, none
    for block in range(0, count, TOGETHER):
        q00, q01, q11, part = zero, zero, zero, zero
        for j in range(block, min(block + TOGETHER, count)):
            at = j * WIDTH
            h0, h1 = load(H, at, H), load(H, at + LANES, H)
            n0, n1 = load(r, beyond + at, H), load(r, beyond + at + LANES, H)
            q00, q01, q11 = q00 + h0 * h0, q01 + h0 * h1, q11 + h1 * h1
            part = part + h0 * n0 + h1 * n1
            size = lanes_max(size, lanes_max(h0 * per0, h1 * per1))
            steepest = lanes_max(steepest, lanes_max(n0 * s0, n1 * s1))
        store(some, 0, q00)
        store(some, LANES, q01)
        store(some, 2 * LANES, q11)
        store(some, 3 * LANES, part)
        h00, h01 = h00 + load(some, 0, loss), h01 + load(some, LANES, loss)
        h11, explained = h11 + load(some, 2 * LANES, loss), explained + load(some, 3 * LANES, loss)
    w00, w01, w11 = none, none, none
    for i in range(m):
        y0, y1 = load(work.Y, i * WIDTH, loss), load(work.Y, i * WIDTH + LANES, loss)
        w00, w01, w11 = w00 + y0 * y0, w01 + y0 * y1, w11 + y1 * y1
    store(loss, 0, splat(0.5, loss) * (w00 * h00 + w11 * h11) + w01 * h01 - explained)
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


@njit(**INNER)
def emit(work, cells, by_place, answers, first, number, m):
    """Write the answers of a tile: levelled factors, and how their run ended.

    `by_place` says where in H each column of the answer stands: see `Blocks`.
    """
    W_out, H_out, width = answers.W, answers.H, answers.H.shape[2]
    least = W_out.dtype.type(ROOM * tiny_of(W_out))
    levels(work.GW, work.GH, work.square, PAIR)
    for lane in range(number):
        job = first + lane
        for c in range(2):
            up = work.square[c * LANES + lane]
            for i in range(m):
                value = work.Y[i * WIDTH + c * LANES + lane] * up
                W_out[job, i, c] = 0.0 if value <= least else value
        loss = 0.5 * work.energy[lane] + work.loss[lane]
        if loss < CLOSE * 0.5 * work.energy[lane]:
            loss = squared_distance(work.cells, cells.rows, cells.start, work.Y, work.H, lane, m, PAIR)
        answers.numbers[job, 0], answers.numbers[job, 1] = loss, loss
        answers.numbers[job, 2] = work.out[2 * LANES + lane]
        answers.status[job], answers.n_iter[job] = work.verdict[lane], work.iteration[lane]
    zero, floor = splat(0.0, work.H), splat(least, work.H)
    down0, down1 = load(work.square, WIDTH, work.H), load(work.square, WIDTH + LANES, work.H)
    nothing = by_place[len(by_place) - 1]
    for p in range(0, nothing, WIDTH):
        h0, h1 = load(work.H, p, work.H) * down0, load(work.H, p + LANES, work.H) * down1
        store(work.H, p, where_less(floor, h0, h0, zero))
        store(work.H, p + LANES, where_less(floor, h1, h1, zero))
    for begin in range(0, width, LANES):
        end = min(begin + LANES, width)
        empty = True
        for j in range(begin, end):
            empty = empty and by_place[j] == nothing
        if empty:
            continue
        for c in range(2):
            transpose(work.H, by_place, begin, c * LANES, work.square)
            for lane in range(number):
                row = H_out[first + lane, c]
                if end - begin == LANES:
                    copy_lanes(row, begin, work.square, lane * LANES)
                else:
                    for j in range(begin, end):
                        row[j] = work.square[lane * LANES + j - begin]
