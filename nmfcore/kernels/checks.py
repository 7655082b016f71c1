"""When a replicate is done: what `nmfcore.stopping` asks of dense problems, asked of a tile."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..balance import LOPSIDED
from ..rules.multiplicative import ROOM
from ..stopping import KKT_MARGIN
from .lanes import LANES, clear, lanes_max, lanes_min, load, splat, store, where_less, where_positive
from .scalars import tiny_of
from .settings import CONVERGED, MAX_ITER, NON_FINITE, STUCK
from .tiles import BLOCK, INLINE, INNER


# Few functions take a whole tile: compiling one that does takes half a second.
class Side(NamedTuple):
    """One factor's side of a tile: the factor and its gradient, and what of the other factor they depend on."""

    factor: Any  # (length, k, LANES)
    D: Any  # (length, k, LANES)
    length: int
    mass: Any  # sums of V over the other axis, (length, LANES)
    others: Any  # sums of the other factor, (k, LANES)
    top: Any  # the largest scaled negative half of the gradient, (LANES,)
    l1: float  # penalties on the factor
    l2: float


@njit(**INLINE)
def penalised(rule):
    """Tell whether the rule has any penalty."""
    return rule.W.l1 > 0 or rule.W.l2 > 0 or rule.H.l1 > 0 or rule.H.l2 > 0


@njit(**INNER)
def column_sums(factor, count, out, units):
    """Write the sums of `factor` (count, k, LANES) over its rows to `out`, by blocks: float32 sums stay short."""
    k = len(units)
    for c in range(k):
        total = splat(0.0, factor)
        for block in range(0, count, BLOCK):
            part = splat(0.0, factor)
            for i in range(block, min(block + BLOCK, count)):
                part = part + load(factor, (i * k + c) * LANES, factor)
            total = total + part
        store(out, c * LANES, total)


@njit(**INNER)
def excess(W_sums, H_sums, by, units):
    """Write the powers of two by which to multiply W, and then those for H, to `by` (2 k, LANES).

    Returns whether any is not 1; see `nmfcore.balance`.
    """
    k, limit = len(units), splat(LOPSIDED, W_sums)
    one, zero = splat(1.0, W_sums), splat(0.0, W_sums)
    worst = zero
    for c in range(k):
        w, h = load(W_sums, c * LANES, W_sums), load(H_sums, c * LANES, W_sums)
        too_far = where_less(limit * w, h, one, where_less(limit * h, w, one, zero))
        worst = lanes_max(worst, where_positive(w, where_positive(h, too_far, zero), zero))
    store(by, 0, worst)
    any_far = False
    for lane in range(LANES):
        any_far = any_far or by[lane] > 0
    if not any_far:
        return False
    for c in range(k):
        for lane in range(LANES):
            place = c * LANES + lane
            w, h, power = np.float64(W_sums[place]), np.float64(H_sums[place]), 1.0
            if w > 0 and h > 0 and np.isfinite(w + h) and (h > LOPSIDED * w or w > LOPSIDED * h):
                power = np.exp2(np.rint(0.5 * (np.log2(h) - np.log2(w))))
            by[place], by[k * LANES + place] = power, 1.0 / power
    return True


@njit(**INNER)
def rescale(factor, count, by, at, units):
    """Multiply the components of `factor` (count, k, LANES) by by[at:] (k, LANES); what is positive stays so."""
    k = len(units)
    zero, least = splat(0.0, factor), splat(ROOM * tiny_of(factor), factor)
    for i in range(count):
        for c in range(k):
            place = (i * k + c) * LANES
            value = load(factor, place, factor)
            scaled = value * load(by, at + c * LANES, factor)
            store(factor, place, lanes_max(scaled, where_positive(value, least, zero)))


@njit(**INNER)
def balance(tile, count, m, units):
    """Move scale between the factors of components where one has nearly all of it, and between their sums.

    Unit-sum factors do not change, nor does W @ H.
    """
    by, width = tile.h, len(units) * LANES
    column_sums(tile.W, m, tile.W_sums, units)
    if not excess(tile.W_sums, tile.sums, by, units):
        return
    # A literal number or truth value would be compiled for by itself.
    one, begin = np.int64(1), np.int64(0)
    rescale(tile.W, m, by, begin, units)
    rescale(tile.H, count, by, width, units)
    rescale(tile.W_sums, one, by, begin, units)
    rescale(tile.sums, one, by, width, units)


@njit(**INNER)
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


@njit(**INNER)
def candidates(tile, rule, limits, verdict, count, m, units):
    """Write to `verdict` how far each living lane's factors have settled; return whether any may be done.

    Before that the factors are balanced, unless penalties give every scale its price.
    """
    k = len(units)
    width = k * LANES
    if not penalised(rule):
        balance(tile, count, m, units)
    relative_change(tile.W, tile.W_before, m, tile.sums, bool(1), tile.out, tile.h, units)
    relative_change(tile.H, tile.H_before, count, tile.sums, bool(0), tile.out2, tile.h, units)
    wanted = False
    for lane in range(LANES):
        verdict[lane] = -1
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


@njit(**INNER)
def gradient(side, G, sums, by_sum, unreached, missing, units):
    """Turn side.D from the negative half of the objective's gradient by one factor into the gradient.

    G is the Gram matrix of the other factor; None stands for Kullback-Leibler, where the positive half is that factor's
    sums. `sums` are those of H. Writes the largest scaled negative half to side.top and raises missing[0:LANES] to the
    mass that positive entries still ask for, missing[LANES:] to that of zeros; `unreached` is what zeros ask for in
    lanes where nothing is modelled. See `optimality.missing_mass`.
    """
    k, factor, D = len(units), side.factor, side.D
    zero, one, l1, l2 = splat(0.0, factor), splat(1.0, factor), splat(side.l1, factor), splat(side.l2, factor)
    largest, growing, locked = zero, zero, zero
    for i in range(side.length):
        by_positive, by_zero, reach = zero, zero, zero
        for c in range(k):
            place = (i * k + c) * LANES
            negative, entry = load(D, place, factor), load(factor, place, factor)
            other = load(side.others, c * LANES, factor)
            if G is None:
                positive = other + l1 + l2 * entry
            else:
                positive = l1 + l2 * entry
                for d in range(k):
                    value = load(factor, (i * k + d) * LANES, factor)
                    positive = positive + load(G, (c * k + d) * LANES, factor) * value
            store(D, place, positive - negative)
            total = load(sums, c * LANES, factor)
            total = where_positive(total, total, one)
            largest = lanes_max(largest, negative / total if by_sum else negative * total)
            wanted = where_less(positive, negative, one - positive / negative, zero)
            by_positive = lanes_max(by_positive, where_positive(entry, wanted, zero))
            by_zero = lanes_max(by_zero, where_positive(entry, zero, wanted))
            reach = reach + entry * other
        by_zero = where_positive(reach, by_zero, lanes_max(by_zero, unreached))
        growing = growing + by_positive * load(side.mass, i * LANES, factor)
        locked = locked + by_zero * load(side.mass, i * LANES, factor)
    store(side.top, 0, largest)
    store(missing, 0, lanes_max(load(missing, 0, factor), growing))
    store(missing, LANES, lanes_max(load(missing, LANES, factor), locked))


@njit(**INNER)
def judge(missing, row_mass, iteration, limits, verdict, m, locked):
    """Ask the lanes that have settled for the mass that is missing; return whether any may be done.

    What entries at zero ask for counts only where `locked` says so: when both factors have been asked.
    """
    limit = max(limits.tol, limits.mass_rounding)
    finished = False
    for lane in range(LANES):
        if verdict[lane] == CONVERGED:
            total = 0.0
            for i in range(m):
                total += row_mass[i * LANES + lane]
            total = total if total > 0 else 1.0
            if missing[lane] / total > limit:
                verdict[lane] = MAX_ITER if iteration[lane] == limits.max_iter else -1
            elif locked and missing[LANES + lane] / total > limit:
                verdict[lane] = STUCK
        finished = finished or verdict[lane] >= 0
    return finished


@njit(**INNER)
def residual(side, sums, by_sum, out, units):
    """Raise out (LANES) to the KKT residual of one factor, as `optimality.kkt_residual` defines it."""
    k, factor, D, count = len(units), side.factor, side.D, side.length
    zero, one = splat(0.0, factor), splat(1.0, factor)
    size = zero
    for c in range(k):
        total = load(sums, c * LANES, factor)
        total = where_positive(total, total, one)
        scale = total if by_sum else one / total
        for i in range(count):
            size = lanes_max(size, load(factor, (i * k + c) * LANES, factor) * scale)
    per_entry = one / where_positive(size, size, one)
    largest = load(side.top, 0, factor)
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


@njit(**INNER)
def confirm(verdict, job, iteration, residuals, limits, answers):
    """Take back verdicts that the residual or the loss of their lane contradicts; see `stopping.Change`."""
    limit = KKT_MARGIN * max(limits.tol, limits.mass_rounding)
    for lane in range(LANES):
        if verdict[lane] < 0:
            continue
        if not (np.isfinite(residuals[lane]) and np.isfinite(answers.numbers[job[lane], 0])):
            verdict[lane] = NON_FINITE
        elif verdict[lane] == CONVERGED and residuals[lane] > limit:
            verdict[lane] = MAX_ITER if iteration[lane] == limits.max_iter else -1


@njit(**INNER)
def mark_dead(verdict, W_sums, H_sums, rule, units):
    """Call lanes stuck that settled where a component is zero, or nearly so, in one of its factors.

    Those are asked again by `nmfcore.revive`, which knows whether the component has anything to gain.
    """
    if penalised(rule):
        return
    least = 2.0**20 * ROOM * tiny_of(W_sums)
    for lane in range(LANES):
        if verdict[lane] == CONVERGED:
            for c in range(len(units)):
                if W_sums[c * LANES + lane] <= least or H_sums[c * LANES + lane] <= least:
                    verdict[lane] = STUCK


@njit(**INNER)
def record(verdict, job, iteration, residuals, alive, answers):
    """Record how the lanes with a verdict ended, and free them."""
    for lane in range(LANES):
        if verdict[lane] >= 0:
            answers.status[job[lane]], answers.n_iter[job[lane]] = verdict[lane], iteration[lane]
            answers.numbers[job[lane], 2] = residuals[lane]
            alive[lane] = 0


@njit(**INNER)
def conclude(tile, rule, limits, verdict, answers, count, m, units):
    """Ask the lanes that may be done for the mass that is missing and for the residual, and record how they ended.

    By Kullback-Leibler; tile.D_W and tile.D_H are the negative halves of the gradients, and become the gradients.
    """
    # Without penalties, where nothing is modelled zeros ask for all.
    unreached = splat(0.0 if penalised(rule) else 1.0, tile.W)
    of_W = Side(tile.W, tile.D_W, m, tile.row_mass, tile.sums, tile.out2, rule.W.l1, rule.W.l2)
    of_H = Side(tile.H, tile.D_H, count, tile.column_mass, tile.W_sums, tile.top, rule.H.l1, rule.H.l2)
    clear(tile.missing)
    gradient(of_H, None, tile.sums, bool(0), unreached, tile.missing, units)
    gradient(of_W, None, tile.sums, bool(1), unreached, tile.missing, units)
    if not judge(tile.missing, tile.row_mass, tile.iteration, limits, verdict, m, bool(1)):
        return
    clear(tile.out)
    residual(of_H, tile.sums, bool(0), tile.out, units)
    residual(of_W, tile.sums, bool(1), tile.out, units)
    mark_dead(verdict, tile.W_sums, tile.sums, rule, units)
    confirm(verdict, tile.job, tile.iteration, tile.out, limits, answers)
    record(verdict, tile.job, tile.iteration, tile.out, tile.alive, answers)
