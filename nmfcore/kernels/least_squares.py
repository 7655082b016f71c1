"""The Frobenius loop over shared patterns, compiled for the CPU: LANES replicates at a time, within the cache.

Each pass goes once over the cells, column by column: the product of a column with W gives the column's part of H, which
at once gives its part of V @ H.T. A lane whose replicate has finished is frozen, then given the next one, so that no
lane waits for long and no result depends on its neighbours. The definitions are those of the dense modules; the tests
hold the two to each other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..losses import FLOOR
from ..solvers import GROW, GROW_LIMIT, HALS, MOMENTUM, SHRINK, ExtrapolatedHALS, RankTwo
from ..updates import ROOM, MultiplicativeUpdate
from .lanes import (
    LANES,
    dot_column,
    gram_rows,
    lanes_max,
    lanes_min,
    load,
    scatter_column,
    splat,
    store,
    sweep_rows,
    where_less,
    where_positive,
)

ALLOCATING: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# What allocates nothing need not count references to arrays: counting takes longer than a column's arithmetic.
OPTIONS = ALLOCATING | {"_nrt": False}
INLINE = OPTIONS | {"forceinline": True}
MU, SWEEPS, RANK2 = 0, 1, 2
# Rows of a factor that are updated side by side; factors have room for a multiple of so many.
ROWS = 4
SIDE_BY_SIDE = (0,) * ROWS
# Gram sums are carried in blocks of this many columns, so that float32 sums stay short.
BLOCK = 64
# New replicates enter a running tile when this many lanes are idle and this many iterations have passed since it was
# last filled: copying one into its lane costs about ten iterations.
IDLE, PATIENCE = 4, 24

CONVERGED, MAX_ITER, NON_FINITE, STUCK = 0, 1, 2, 3


class Limits(NamedTuple):
    """When to stop: see `nmfcore.Stop`; `rounding` and `mass_rounding` are what counts as nothing."""

    tol: float
    slowest: float
    rounding: float
    mass_rounding: float
    max_iter: int
    every: int


class Rule(NamedTuple):
    """How to iterate: the kind of half-step, sweeps over either factor, extrapolation of W, and the penalties."""

    kind: int
    sweeps_W: int
    sweeps_H: int
    extrapolated: bool
    l1_W: float
    l2_W: float
    l1_H: float
    l2_H: float


@njit(**OPTIONS)
def copy(target, source):
    """Write `source` to `target`; a plain assignment would ask whether they overlap, and make a copy if so."""
    for i in range(len(target)):
        target[i] = source[i]


@njit(**OPTIONS)
def gram(factor, count, out, sums, units):
    """Write the k x k Gram matrix of `factor` (count, k, LANES) to `out` (k, k, LANES) and its sums to `sums`."""
    out[:] = 0
    sums[:] = 0
    gram_rows(factor, 0, count, out, sums, units)


@njit(**INLINE)
def update_rows(r, at, G, inverse, source, target, place, new, alive, rule, sweeps, l1, units):
    """Write the update of the ROWS rows source[place:] of a factor to target[place:]; idle lanes keep their values.

    r[at:] is the product with the data (ROWS, k, LANES), G the Gram matrix of the other factor with l2 on its diagonal,
    `inverse` what `prepare_gram` made of it, `new` (2 k, LANES) scratch.
    """
    k = len(units)
    width = k * LANES
    zero = splat(0.0, G)
    if rule == MU:
        least = splat(ROOM * np.finfo(G.dtype).tiny, G)
        floor = splat(FLOOR, G)
        penalty = splat(l1, G)
        for q in range(ROWS):
            of, this = place + q * width, at + q * width
            for c in range(k):
                store(new, c * LANES, load(source, of + c * LANES, G))
            for _ in range(sweeps):
                for c in range(k):
                    denominator = penalty
                    for d in range(k):
                        denominator = denominator + load(G, (c * k + d) * LANES, G) * load(new, d * LANES, G)
                    old, negative = load(new, c * LANES, G), load(r, this + c * LANES, G)
                    step = negative / where_positive(denominator, denominator, floor)
                    value = lanes_max(step * old, where_positive(negative, where_positive(old, least, zero), zero))
                    store(new, (k + c) * LANES, value)
                for c in range(k):
                    value, old = load(new, (k + c) * LANES, G), load(new, c * LANES, G)
                    store(new, c * LANES, where_positive(alive, value, old))
            for c in range(k):
                store(target, of + c * LANES, load(new, c * LANES, G))
    elif rule == RANK2:
        shrink = splat(l1, G)
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
        sweep_rows(SIDE_BY_SIDE, r, at, inverse, splat(l1, G), source, place, target, place, alive, sweeps, units)


@njit(**INLINE)
def prepare_gram(G, inverse, l2, rule, units):
    """Add `l2` to the diagonal and write what `update_rows` divides by."""
    k = len(units)
    one, zero = splat(1.0, G), splat(0.0, G)
    tiny = splat(np.finfo(G.dtype).tiny, G)
    for c in range(k):
        place = (c * k + c) * LANES
        total = load(G, place, G) + splat(l2, G)
        store(G, place, total)
        store(inverse, c * LANES, where_positive(total, one / lanes_max(total, tiny), zero))
    if rule == SWEEPS:
        for c in range(k):
            for d in range(k):
                store(
                    inverse,
                    (k + c * k + d) * LANES,
                    zero - load(G, (c * k + d) * LANES, G) * load(inverse, c * LANES, G),
                )
    if rule == RANK2:
        product = load(G, 0, G) * load(G, 3 * LANES, G)
        determinant = product - load(G, LANES, G) * load(G, LANES, G)
        trusted = determinant - product * splat(16 * np.finfo(G.dtype).eps, G)
        store(inverse, 2 * LANES, where_positive(trusted, one / lanes_max(determinant, tiny), zero))


@njit(**OPTIONS)
def pass_over(cells, rows, start, W, H, A, GW, inverse, GH, sums, alive, rule, sweeps, l1, update, r, h, units):
    """Update H column by column (if `update`), and write V @ H.T to A, H @ H.T to GH and the sums of H to `sums`."""
    k = len(units)
    width = k * LANES
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
                    dot_column(cells, rows, start[j], start[j + 1], W, r, to, units)
                else:
                    for c in range(0, width, LANES):
                        store(r, to + c, splat(0.0, W))
        group = stage - 1
        if 0 <= group < groups:
            first = group * ROWS
            if update:
                at = (group & 1) * ROWS * width
                update_rows(r, at, GW, inverse, H, H, first * width, h, alive, rule, sweeps, l1, units)
            if (first + ROWS) % BLOCK == 0 or group == groups - 1:
                gram_rows(H, first - first % BLOCK, min(first + ROWS, count), GH, sums, units)
        group = stage - 2
        if group >= 0:
            for j in range(group * ROWS, min((group + 1) * ROWS, count)):
                scatter_column(cells, rows, start[j], start[j + 1], A, H, j * width, units)


@njit(**OPTIONS)
def relative_change(factor, previous, count, sums, by_sum, out, scales, units):
    """Write to out the largest change of the unit-sum factor and its largest entry; remember the factor.

    `scales` (k, LANES) is scratch.
    """
    k = len(units)
    zero, one = splat(0.0, factor), splat(1.0, factor)
    change, size = zero, zero
    for c in range(k):
        total = load(sums, c * LANES, factor)
        total = where_positive(total, total, one)
        store(scales, c * LANES, total if by_sum else one / total)
    for i in range(count):
        for c in range(k):
            place = (i * k + c) * LANES
            value = load(factor, place, factor) * load(scales, c * LANES, factor)
            before = load(previous, place, factor)
            store(previous, place, value)
            size = lanes_max(size, value)
            change = lanes_max(change, lanes_max(value - before, before - value))
    store(out, 0, change)
    store(out, LANES, size)


@njit(**OPTIONS)
def masses(cells, rows, start, by_row, by_column):
    """Write the sums of V over rows and over columns."""
    by_row[:] = 0
    for j in range(len(start) - 1):
        total = splat(0.0, by_column)
        for p in range(start[j], start[j + 1]):
            value = load(cells, p * LANES, by_row)
            place = np.int64(rows[p]) * LANES
            store(by_row, place, load(by_row, place, by_row) + value)
            total = total + value
        store(by_column, j * LANES, total)


@njit(**OPTIONS)
def missing_component(W, sums, W_sums, penalised, units):
    """Return 1 in lanes where a component is zero in both factors (and nothing penalises it), else 0."""
    zero, one = splat(0.0, W), splat(1.0, W)
    lost = zero
    if not penalised:
        for c in range(len(units)):
            lost = where_positive(load(sums, c * LANES, W) + load(W_sums, c * LANES, W), lost, one)
    return lost


@njit(**OPTIONS)
def gradient_H(cells, rows, start, W, H, GW, l1, D, r, fit, top, sums, W_sums, mass, penalised, missing, units):
    """Write the gradient by H to D, sum(H * (W.T @ V)) to fit, and the largest scaled negative half to top.

    Raise missing[0:LANES] to the mass that positive entries of H still ask for, missing[LANES:] to that of zeros: see
    `optimality.missing_mass`.
    """
    k = len(units)
    zero, one, penalty = splat(0.0, W), splat(1.0, W), splat(l1, W)
    largest, growing, locked = zero, zero, zero
    lost = missing_component(W, sums, W_sums, penalised, units)
    fit[:] = 0
    for j in range(len(start) - 1):
        dot_column(cells, rows, start[j], start[j + 1], W, r, 0, units)
        by_positive, by_zero, reach = zero, zero, zero
        for c in range(k):
            place = (j * k + c) * LANES
            negative = load(r, c * LANES, W)
            positive = penalty
            for d in range(k):
                positive = positive + load(GW, (c * k + d) * LANES, W) * load(H, (j * k + d) * LANES, W)
            store(D, place, positive - negative)
            largest = lanes_max(largest, negative * load(sums, c * LANES, W))
            store(fit, 0, load(fit, 0, fit) + load(r, c * LANES, fit) * load(H, place, fit))
            entry = load(H, place, W)
            wanted = where_less(positive, negative, one - positive / negative, zero)
            by_positive = lanes_max(by_positive, where_positive(entry, wanted, zero))
            by_zero = lanes_max(by_zero, where_positive(entry, zero, wanted))
            reach = reach + entry * load(W_sums, c * LANES, W)
        by_zero = where_positive(reach, by_zero, where_positive(lost, one, by_zero))
        growing = growing + by_positive * load(mass, j * LANES, W)
        locked = locked + by_zero * load(mass, j * LANES, W)
    store(top, 0, largest)
    store(missing, 0, lanes_max(load(missing, 0, W), growing))
    store(missing, LANES, lanes_max(load(missing, LANES, W), locked))


@njit(**OPTIONS)
def gradient_W(W, A, GH, l1, l2, D, top, sums, W_sums, mass, penalised, missing, m, units):
    """Write the gradient by W to D, the largest scaled negative half to top; raise `missing` to what W asks for."""
    k = len(units)
    zero, one = splat(0.0, W), splat(1.0, W)
    largest, growing, locked = zero, zero, zero
    lost = missing_component(W, sums, W_sums, penalised, units)
    for i in range(m):
        by_positive, by_zero, reach = zero, zero, zero
        for c in range(k):
            place = (i * k + c) * LANES
            negative, entry = load(A, place, W), load(W, place, W)
            positive = splat(l1, W) + splat(l2, W) * entry
            for d in range(k):
                positive = positive + load(GH, (c * k + d) * LANES, W) * load(W, (i * k + d) * LANES, W)
            store(D, place, positive - negative)
            total = load(sums, c * LANES, W)
            largest = lanes_max(largest, negative / where_positive(total, total, one))
            wanted = where_less(positive, negative, one - positive / negative, zero)
            by_positive = lanes_max(by_positive, where_positive(entry, wanted, zero))
            by_zero = lanes_max(by_zero, where_positive(entry, zero, wanted))
            reach = reach + entry * total
        by_zero = where_positive(reach, by_zero, where_positive(lost, one, by_zero))
        growing = growing + by_positive * load(mass, i * LANES, W)
        locked = locked + by_zero * load(mass, i * LANES, W)
    store(top, 0, largest)
    store(missing, 0, lanes_max(load(missing, 0, W), growing))
    store(missing, LANES, lanes_max(load(missing, LANES, W), locked))


@njit(**OPTIONS)
def residual(factor, D, count, sums, by_sum, top, out, units):
    """Raise out (LANES) to the KKT residual of one factor, as `optimality.kkt_residual` defines it."""
    k = len(units)
    zero, one = splat(0.0, factor), splat(1.0, factor)
    size = zero
    for c in range(k):
        total = load(sums, c * LANES, factor)
        total = where_positive(total, total, one)
        scale = total if by_sum else one / total
        for i in range(count):
            size = lanes_max(size, load(factor, (i * k + c) * LANES, factor) * scale)
    per_entry = one / where_positive(size, size, one)
    largest = load(top, 0, factor)
    per_slope = one / where_positive(largest, largest, one)
    worst = load(out, 0, factor)
    for c in range(k):
        total = load(sums, c * LANES, factor)
        total = where_positive(total, total, one)
        scale = total if by_sum else one / total
        chain = one / total if by_sum else total
        for i in range(count):
            place = (i * k + c) * LANES
            distance = lanes_min(
                load(factor, place, factor) * scale * per_entry, load(D, place, factor) * chain * per_slope
            )
            worst = lanes_max(worst, lanes_max(distance, zero - distance))
    store(out, 0, worst)


def rule_of(rule: MultiplicativeUpdate | HALS | ExtrapolatedHALS | RankTwo, penalties: list[float]) -> Rule:
    """Return the compiled form of a rule with the penalty coefficients (l1_W, l2_W, l1_H, l2_H)."""
    if isinstance(rule, ExtrapolatedHALS):
        return Rule(SWEEPS, rule.sweeps_W, rule.sweeps_H, True, *penalties)
    if isinstance(rule, RankTwo):
        return Rule(RANK2, 1, 1, False, *penalties)
    if isinstance(rule, HALS):
        return Rule(SWEEPS, rule.inner, rule.inner, False, *penalties)
    return Rule(MU, rule.inner, rule.inner, False, *penalties)


class Tile(NamedTuple):
    """The working arrays of one tile; flat, lanes last."""

    cells: Any  # (cells, LANES)
    W: Any  # (m, k, LANES)
    Y: Any  # W or its extrapolation: what H is fitted to
    A: Any  # V @ H.T
    H: Any  # (columns, k, LANES)
    W_before: Any  # unit-sum factors at the check before
    H_before: Any
    D_W: Any  # gradients
    D_H: Any
    GW: Any  # (k, k, LANES)
    GH: Any
    G: Any
    inverse: Any
    sums: Any  # (k, LANES)
    W_sums: Any
    row_mass: Any  # (m, LANES)
    column_mass: Any  # (columns, LANES)
    missing: Any  # (2, LANES)
    r: Any
    h: Any
    out: Any
    out2: Any
    top: Any
    fit: Any
    alive: Any
    energy: Any
    job: Any
    iteration: Any
    change: Any
    momentum: Any
    ceiling: Any


@njit(**ALLOCATING)
def allocate(values, like, cell_count, m, count, units):
    """Return a tile's working arrays in the type of `like`."""
    k = len(units)
    square, one = k * k * LANES, k * LANES
    short, long = -(-m // ROWS) * ROWS * one, -(-count // ROWS) * ROWS * one
    return Tile(
        np.zeros(cell_count * LANES, values.dtype),
        np.zeros(short, like.dtype),
        np.zeros(short, like.dtype),
        np.zeros(short, like.dtype),
        np.zeros(long, like.dtype),
        np.zeros(short, like.dtype),
        np.zeros(long, like.dtype),
        np.zeros(short, like.dtype),
        np.zeros(long, like.dtype),
        np.zeros(square, like.dtype),
        np.zeros(square, like.dtype),
        np.zeros(square, like.dtype),
        np.zeros((max(k, 2) + k * k) * LANES, like.dtype),
        np.zeros(one, like.dtype),
        np.zeros(one, like.dtype),
        np.zeros(m * LANES, like.dtype),
        np.zeros(count * LANES, like.dtype),
        np.zeros(2 * LANES, like.dtype),
        np.zeros(2 * ROWS * one, like.dtype),
        np.zeros(2 * one, like.dtype),
        np.zeros(2 * LANES, like.dtype),
        np.zeros(2 * LANES, like.dtype),
        np.zeros(LANES, like.dtype),
        np.zeros(LANES, np.float64),
        np.zeros(LANES, like.dtype),
        np.zeros(LANES, np.float64),
        np.full(LANES, -1, np.int64),
        np.zeros(LANES, np.int64),
        np.full(LANES, np.inf),
        np.zeros(LANES, np.float64),
        np.zeros(LANES, np.float64),
    )


@njit(**OPTIONS)
def enter_all(tile, W0, H0, columns, extra, m, units):
    """Give every lane the one start that all jobs share."""
    k, count = len(units), len(columns)
    for c in range(k):
        total = np.float64(extra[0, k, c])
        for j in range(count):
            total += H0[0, c, columns[j]]
        scale = total if total > 0 else 1.0
        for j in range(count):
            value = H0[0, c, columns[j]]
            store(tile.H, (j * k + c) * LANES, splat(value, tile.W))
            store(tile.H_before, (j * k + c) * LANES, splat(value / scale, tile.W))
        for i in range(m):
            place = (i * k + c) * LANES
            store(tile.W, place, splat(W0[0, i, c], tile.W))
            store(tile.Y, place, splat(W0[0, i, c], tile.W))
            store(tile.W_before, place, splat(W0[0, i, c] * scale, tile.W))


@njit(**OPTIONS)
def enter(tile, lane, job, W0, H0, columns, extra, m, copied, units):
    """Give a lane the start of a job; its cells are there already."""
    k, count = 0 if copied else len(units), len(columns)
    at, other = min(job, W0.shape[0] - 1), min(job, H0.shape[0] - 1)
    for c in range(k):
        total = np.float64(extra[min(job, extra.shape[0] - 1), len(units), c])
        for j in range(count):
            value = H0[other, c, columns[j]]
            tile.H[(j * k + c) * LANES + lane] = value
            total += value
        scale = total if total > 0 else 1.0
        for j in range(count):
            place = (j * k + c) * LANES + lane
            tile.H_before[place] = tile.H[place] / scale
        for i in range(m):
            place = (i * k + c) * LANES + lane
            tile.W[place] = W0[at, i, c]
            tile.Y[place] = W0[at, i, c]
            tile.W_before[place] = W0[at, i, c] * scale
    tile.alive[lane], tile.job[lane], tile.iteration[lane], tile.change[lane] = 1, job, 0, np.inf
    tile.momentum[lane], tile.ceiling[lane] = MOMENTUM, 1.0


@njit(**OPTIONS)
def extrapolate(tile, rule, m, units):
    """Update W for this H, and choose what the next H is fitted to: further along the way that W has moved.

    Where the step turned against the one before it, the extrapolation starts anew: as safe as watching the loss rise,
    free, and not blind in float32 once the loss is flat.
    """
    k = len(units)
    width = k * LANES
    mask = load(tile.alive, 0, tile.W)
    zero = splat(0.0, tile.W)
    copy(tile.G, tile.GH)
    prepare_gram(tile.G, tile.inverse, rule.l2_W, rule.kind, units)
    turned = zero
    for i in range(0, m, ROWS):
        update_rows(
            tile.A, i * width, tile.G, tile.inverse, tile.Y, tile.D_W, i * width, tile.h, mask,
            rule.kind, rule.sweeps_W, rule.l1_W, units,
        )  # fmt: skip
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
    step = load(tile.top, 0, tile.W)
    for place in range(0, m * width, LANES):
        new, old = load(tile.D_W, place, tile.W), load(tile.W, place, tile.W)
        store(tile.Y, place, where_positive(mask, lanes_max(new + step * (new - old), zero), old))
        store(tile.W, place, where_positive(mask, new, old))


@njit(**OPTIONS)
def candidates(tile, limits, verdict, count, m, units):
    """Write to `verdict` how far each living lane's factors have settled; return whether any may be done."""
    k = len(units)
    width = k * LANES
    relative_change(tile.W, tile.W_before, m, tile.sums, True, tile.out, tile.h, units)
    relative_change(tile.H, tile.H_before, count, tile.sums, False, tile.out2, tile.h, units)
    verdict[:] = -1
    wanted = False
    for lane in range(LANES):
        if tile.alive[lane] <= 0:
            continue
        iteration = tile.iteration[lane]
        total = 0.0
        for place in range(lane, m * width, LANES):
            total += tile.W[place]
        for c in range(k):
            total += tile.sums[c * LANES + lane]
        if not np.isfinite(total):
            verdict[lane] = NON_FINITE
            wanted = True
            continue
        if iteration % limits.every == 0:
            change = 0.0
            for out in (tile.out, tile.out2):
                moved, size = np.float64(out[lane]), np.float64(out[LANES + lane])
                if size > 0:
                    change = max(change, moved / size)
                elif moved > 0:
                    change = np.inf
            ratio = 0.0 if np.isinf(tile.change[lane]) else change / tile.change[lane]
            ratio = min(ratio, limits.slowest)
            tile.change[lane] = change
            to_come = 0.0 if change <= limits.rounding else change / (1.0 - ratio)
            if limits.tol > 0 and to_come <= limits.tol:
                verdict[lane] = CONVERGED
                wanted = True
        if iteration == limits.max_iter and verdict[lane] < 0:
            verdict[lane] = MAX_ITER
            wanted = True
    return wanted


@njit(**OPTIONS)
def judge(tile, limits, verdict, m, locked):
    """Ask the lanes that have settled for the mass that is missing; return whether any may be done.

    What entries at zero ask for counts only where `locked` says so: when both factors have been asked.
    """
    limit = max(limits.tol, limits.mass_rounding)
    finished = False
    for lane in range(LANES):
        if verdict[lane] == CONVERGED:
            total = 0.0
            for i in range(m):
                total += tile.row_mass[i * LANES + lane]
            total = total if total > 0 else 1.0
            if tile.missing[lane] / total > limit:
                verdict[lane] = MAX_ITER if tile.iteration[lane] == limits.max_iter else -1
            elif locked and tile.missing[LANES + lane] / total > limit:
                verdict[lane] = STUCK
        finished = finished or verdict[lane] >= 0
    return finished


@njit(**ALLOCATING)
def finish(tile, rows, start, rule, limits, status, n_iter, numbers, m, units):
    """Decide which lanes are done, as `nmfcore.stopping` does for dense problems, and record their numbers."""
    k, count = len(units), len(start) - 1
    verdict = np.empty(LANES, np.int64)
    if not candidates(tile, limits, verdict, count, m, units):
        return
    # The gradients at these factors give what entries still ask for, and the loss with it.
    penalised = rule.l1_W > 0 or rule.l2_W > 0 or rule.l1_H > 0 or rule.l2_H > 0
    gram(tile.W, m, tile.G, tile.W_sums, units)
    tile.missing[:] = 0
    gradient_W(
        tile.W, tile.A, tile.GH, rule.l1_W, rule.l2_W, tile.D_W, tile.out2, tile.sums, tile.W_sums, tile.row_mass,
        penalised, tile.missing, m, units,
    )  # fmt: skip
    # The gradient by H takes as long as half an iteration: not before W asks for no more. (numba compiles a function
    # for False and again for True, but once for bool(0) and bool(1): off the loop there is no gain in two.)
    if not judge(tile, limits, verdict, m, bool(0)):
        return
    for c in range(k):
        place = (c * k + c) * LANES
        store(tile.G, place, load(tile.G, place, tile.W) + splat(rule.l2_H, tile.W))
    gradient_H(
        tile.cells, rows, start, tile.W, tile.H, tile.G, rule.l1_H, tile.D_H, tile.r, tile.fit, tile.top, tile.sums,
        tile.W_sums, tile.column_mass, penalised, tile.missing, units,
    )  # fmt: skip
    if not judge(tile, limits, verdict, m, bool(1)):
        return
    tile.out[:] = 0
    residual(tile.H, tile.D_H, count, tile.sums, bool(0), tile.top, tile.out, units)
    residual(tile.W, tile.D_W, m, tile.sums, bool(1), tile.out2, tile.out, units)
    for lane in range(LANES):
        if verdict[lane] < 0:
            continue
        divergence = 0.5 * tile.energy[lane] - tile.fit[lane]
        penalty = 0.0
        for c in range(k):
            penalty += rule.l1_W * np.float64(tile.W_sums[c * LANES + lane])
            penalty += rule.l1_H * np.float64(tile.sums[c * LANES + lane])
            place = (c * k + c) * LANES + lane
            square = np.float64(tile.G[place]) - rule.l2_H
            penalty += 0.5 * (rule.l2_W * square + rule.l2_H * np.float64(tile.GH[place]))
            for d in range(k):
                other = (c * k + d) * LANES + lane
                product = np.float64(tile.G[other]) - (rule.l2_H if c == d else 0.0)
                divergence += 0.5 * product * np.float64(tile.GH[other])
        job = tile.job[lane]
        status[job], n_iter[job] = verdict[lane], tile.iteration[lane]
        numbers[job, 0], numbers[job, 1], numbers[job, 2] = divergence + penalty, divergence, tile.out[lane]
        tile.alive[lane] = 0


@njit(**ALLOCATING)
def admit(tile, values, rows, start, columns, replicates, W0, H0, extra, following, last, living, since, m, units):
    """Let jobs into idle lanes; return the job that follows and the number of living lanes.

    An empty tile takes a whole tile of the pattern at once; where enough lanes are idle it takes single replicates too.
    """
    cell_count, before = len(rows), following
    if living == 0:
        number = replicates[following] // LANES
        copy(tile.cells, values[number])
        squares = splat(0.0, tile.energy)
        for p in range(cell_count):
            v = load(tile.cells, p * LANES, tile.energy)
            squares = squares + v * v
        store(tile.energy, 0, squares)
        shared = W0.shape[0] == 1 and H0.shape[0] == 1
        if shared:
            enter_all(tile, W0, H0, columns, extra, m, units)
        taken = np.zeros(LANES, np.bool_)
        while following < last:
            lane = replicates[following] % LANES
            if replicates[following] // LANES != number or taken[lane]:
                break
            taken[lane] = True
            enter(tile, lane, following, W0, H0, columns, extra, m, shared, units)
            following += 1
            living += 1
    # Jobs from elsewhere than a tile's own replicates are worth copying one by one where lanes would lie idle.
    if LANES - living >= IDLE and (following > before or since >= PATIENCE):
        for lane in range(LANES):
            if tile.alive[lane] > 0 or following >= last:
                continue
            b = replicates[following]
            number, source = b // LANES, b % LANES
            total = 0.0
            for p in range(cell_count):
                v = values[number, p * LANES + source]
                tile.cells[p * LANES + lane] = v
                total += np.float64(v) * np.float64(v)
            tile.energy[lane] = total
            enter(tile, lane, following, W0, H0, columns, extra, m, bool(0), units)
            following += 1
            living += 1
    if following == before:
        return following, living
    masses(tile.cells, rows, start, tile.row_mass, tile.column_mass)
    for lane in range(LANES):
        tile.top[lane] = 1 if tile.alive[lane] > 0 and tile.iteration[lane] == 0 else 0
    return following, living


@njit(**OPTIONS)
def clear_empty(tile, count, m, units):
    """Set to zero, in lanes marked in `top`, what has no data: it would become zero with its first update anyway."""
    k = len(units)
    fresh, none = load(tile.top, 0, tile.W), splat(0.0, tile.W)
    for i in range(m):
        gone = where_positive(load(tile.row_mass, i * LANES, tile.W), none, fresh)
        for c in range(k):
            place = (i * k + c) * LANES
            store(tile.W, place, where_positive(gone, none, load(tile.W, place, tile.W)))
            store(tile.Y, place, where_positive(gone, none, load(tile.Y, place, tile.W)))
    for j in range(count):
        gone = where_positive(load(tile.column_mass, j * LANES, tile.W), none, fresh)
        for c in range(k):
            place = (j * k + c) * LANES
            store(tile.H, place, where_positive(gone, none, load(tile.H, place, tile.W)))


@njit(**OPTIONS)
def count_iteration(tile, limits):
    """Count an iteration of every living lane; return whether any is due for a check."""
    due = False
    for lane in range(LANES):
        if tile.alive[lane] > 0:
            tile.iteration[lane] += 1
            due = due or tile.iteration[lane] % limits.every == 0 or tile.iteration[lane] == limits.max_iter
    return due


@njit(**OPTIONS)
def emit(tile, columns, W_out, H_out, m, units):
    """Write out the lanes that have finished; return how many."""
    k, count, gone = len(units), len(columns), 0
    least = W_out.dtype.type(ROOM * np.finfo(W_out.dtype).tiny)
    for lane in range(LANES):
        job = tile.job[lane]
        if job < 0 or tile.alive[lane] > 0:
            continue
        for i in range(m):
            for c in range(k):
                value = tile.W[(i * k + c) * LANES + lane]
                W_out[job, i, c] = 0.0 if value <= least or tile.row_mass[i * LANES + lane] == 0 else value
        for c in range(k):
            for j in range(count):
                value = tile.H[(j * k + c) * LANES + lane]
                nothing = value <= least or tile.column_mass[j * LANES + lane] == 0
                H_out[job, c, columns[j]] = 0.0 if nothing else value
        tile.job[lane] = -1
        gone += 1
    return gone


@njit(**ALLOCATING)
def frobenius(
    values, rows, start, columns, replicates, first, last, W0, H0, extra, rule, limits, units,
    W_out, H_out, n_iter, status, numbers,
):  # fmt: skip
    """Solve the jobs first to last - 1; job i is the replicate replicates[i] from its start, W0[i] and H0[i]."""
    k, m, cell_count, count = len(units), W_out.shape[1], len(rows), len(columns)
    width = k * LANES
    tile = allocate(values, W_out, cell_count, m, count, units)
    following, living, since = first, np.int64(0), np.int64(0)
    while living > 0 or following < last:
        before = following
        if following < last:
            following, living = admit(
                tile, values, rows, start, columns, replicates, W0, H0, extra, following, last, living, since, m, units
            )
        if following > before:
            since = np.int64(0)
            # Lanes in mid-run get the same numbers again: their H has not changed.
            pass_over(
                tile.cells, rows, start, tile.W, tile.H, tile.A, tile.GW, tile.inverse, tile.GH, tile.sums,
                splat(1.0, tile.W), rule.kind, rule.sweeps_H, rule.l1_H, False, tile.r, tile.h, units,
            )  # fmt: skip
            # Columns that are empty in every replicate count in the first update of W; after it their H is zero.
            for lane in range(LANES):
                if tile.top[lane] > 0:
                    e = min(tile.job[lane], extra.shape[0] - 1)
                    for c in range(k):
                        for d in range(k):
                            tile.GH[(c * k + d) * LANES + lane] += extra[e, c, d]
            clear_empty(tile, count, m, units)
            if rule.extrapolated:
                # H is first fitted to what W becomes with the H that is given.
                fresh = load(tile.top, 0, tile.W)
                copy(tile.G, tile.GH)
                prepare_gram(tile.G, tile.inverse, rule.l2_W, rule.kind, units)
                for i in range(0, m, ROWS):
                    update_rows(
                        tile.A, i * width, tile.G, tile.inverse, tile.Y, tile.Y, i * width, tile.h, fresh,
                        rule.kind, rule.sweeps_W, rule.l1_W, units,
                    )  # fmt: skip
        mask = load(tile.alive, 0, tile.W)
        if not rule.extrapolated:
            copy(tile.G, tile.GH)
            prepare_gram(tile.G, tile.inverse, rule.l2_W, rule.kind, units)
            for i in range(0, m, ROWS):
                update_rows(
                    tile.A, i * width, tile.G, tile.inverse, tile.W, tile.W, i * width, tile.h, mask,
                    rule.kind, rule.sweeps_W, rule.l1_W, units,
                )  # fmt: skip
            copy(tile.Y, tile.W)
        gram(tile.Y, m, tile.GW, tile.r, units)
        prepare_gram(tile.GW, tile.inverse, rule.l2_H, rule.kind, units)
        pass_over(
            tile.cells, rows, start, tile.Y, tile.H, tile.A, tile.GW, tile.inverse, tile.GH, tile.sums,
            mask, rule.kind, rule.sweeps_H, rule.l1_H, True, tile.r, tile.h, units,
        )  # fmt: skip
        if rule.extrapolated:
            extrapolate(tile, rule, m, units)
        since += 1
        if count_iteration(tile, limits):
            finish(tile, rows, start, rule, limits, status, n_iter, numbers, m, units)
            living -= emit(tile, columns, W_out, H_out, m, units)
