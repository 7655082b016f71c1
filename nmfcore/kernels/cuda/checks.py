"""Device functions that tell when a replicate is done: what `kernels.checks` asks of a tile, asked by a block."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from ..settings import CONVERGED, MAX_ITER, NON_FINITE, STUCK
from .build import Build, constants
from .reductions import grams, totals
from .sweeps import products


class Moves(NamedTuple):
    """How far the unit-sum factors have moved since the check before, and their largest entries."""

    moved_W: float
    size_W: float
    moved_H: float
    size_H: float
    finite: float  # a sum over all entries


class Wishes(NamedTuple):
    """What the gradients say: the thread's largest scaled negative halves, and the block's missing mass."""

    slope_W: float
    slope_H: float
    growing: float
    locked: float
    mass: float  # the sum of V


def changes(build: Build) -> tuple[Any, Any]:
    """Return measure, what has changed, and judge_change, the verdict by that alone."""
    K, T = build.k, build.threads
    ZERO, ONE = constants(build.dtype)[:2]
    total_of, largest_of = totals(build)

    @cuda.jit(device=True)
    def measure(fit, layout, block, t):
        """Return the `Moves`, and remember these factors."""
        sums, wide = block.sums, block.wide
        moved_W, size_W, moved_H, size_H, finite = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(t, len(fit.row_mass), T):
            for c in range(K):
                value = fit.W[i * K + c] * (sums[c] if sums[c] > ZERO else ONE)
                moved_W = max(moved_W, float(abs(value - fit.W_before[i * K + c])))
                size_W = max(size_W, float(value))
                fit.W_before[i * K + c] = value
                finite += float(fit.W[i * K + c])
        for j in range(t, len(layout.order), T):
            for c in range(K):
                value = fit.H[j * K + c] / (sums[c] if sums[c] > ZERO else ONE)
                moved_H = max(moved_H, float(abs(value - fit.H_before[j * K + c])))
                size_H = max(size_H, float(value))
                fit.H_before[j * K + c] = value
        finite = total_of(wide, finite, t)
        for c in range(K):
            finite += float(sums[c])
        moved_W, size_W = largest_of(wide, moved_W, t), largest_of(wide, size_W, t)
        moved_H, size_H = largest_of(wide, moved_H, t), largest_of(wide, size_H, t)
        return Moves(moved_W, size_W, moved_H, size_H, finite)

    @cuda.jit(device=True)
    def relative(moved, size):
        if size > 0:
            return moved / size
        return np.inf if moved > 0 else 0.0

    @cuda.jit(device=True)
    def judge_change(moves, before, iteration, reals, whole):
        """Return the verdict, -1 where there is none yet, and the change that the next check compares with."""
        max_iter, every = whole[0], whole[1]
        if not abs(moves.finite) < np.inf:
            return NON_FINITE, before
        verdict, change = -1, before
        if iteration % every == 0:
            change = max(relative(moves.moved_W, moves.size_W), relative(moves.moved_H, moves.size_H))
            ratio = 0.0
            if before > 0 and before < np.inf:
                ratio = min(change / before, reals[1])
            to_come = 0.0 if change <= reals[2] else change / (1.0 - ratio)
            if reals[0] > 0 and to_come <= reals[0]:
                verdict = CONVERGED
        if iteration == max_iter and verdict < 0:
            verdict = MAX_ITER
        return verdict, change

    return measure, judge_change


def slopes(build: Build) -> tuple[Any, Any]:
    """Return positive_half of a gradient and wishes, by what fraction of its sum a row of a factor wants to grow."""
    K = build.k
    ZERO, ONE = constants(build.dtype)[:2]

    @cuda.jit(device=True)
    def positive_half(factor, at, c, G, l1, l2):
        """Return the positive half of the objective's gradient by factor[at + c]."""
        positive = l1 + l2 * factor[at + c]
        for d in range(K):
            positive += G[c * K + d] * factor[at + d]
        return positive

    @cuda.jit(device=True)
    def wishes(factor, at, negative, G, l1, l2, others, lost):
        """Return by what fraction positive entries and zeros of the row factor[at:] want to grow.

        `negative` is the negative half of the gradient by the row, `others` the sums of the other factor; see
        `optimality.missing_mass`.
        """
        by_positive, by_zero, reached = ZERO, ZERO, ZERO
        for c in range(K):
            positive = positive_half(factor, at, c, G, l1, l2)
            wanted = ONE - positive / negative[c] if positive < negative[c] else ZERO
            if factor[at + c] > ZERO:
                by_positive = max(by_positive, wanted)
            else:
                by_zero = max(by_zero, wanted)
            reached += factor[at + c] * others[c]
        if lost and not reached > ZERO:
            by_zero = ONE
        return by_positive, by_zero

    return positive_half, wishes


def endings(build: Build) -> tuple[Any, Any, Any]:
    """Return ask, the `Wishes`; judge_mass, the verdict by them; and outcome, the numbers of a finished fit."""
    K, T = build.k, build.threads
    ZERO, ONE = constants(build.dtype)[:2]
    total_of, largest_of = totals(build)
    _, _, _, gram = grams(build)
    dot_column, column_mass, _ = products(build)
    positive_half, wishes = slopes(build)

    @cuda.jit(device=True)
    def ask(fit, layout, block, local, penalties, penalised, t):
        """Return the `Wishes` by the gradients at these factors; G becomes W's Gram matrix with l2_H."""
        G, sums, W_sums, wide, r = block.G, block.sums, block.W_sums, block.wide, local.r
        gram(fit.W, len(fit.row_mass), block, local, G, W_sums, t)
        # A component that is zero in both factors has no gradient to come back by.
        lost = False
        for c in range(K):
            lost = lost or not (penalised or sums[c] + W_sums[c] > ZERO)
        for c in range(t, K, T):
            G[c * K + c] += penalties.l2_H
        cuda.syncthreads()
        slope_H, slope_W, growing_H, locked_H, growing_W, locked_W = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(t, len(layout.order), T):
            dot_column(fit.cells, layout, j, fit.W, r)
            for c in range(K):
                slope_H = max(slope_H, float(r[c] * sums[c]))
            by_positive, by_zero = wishes(fit.H, j * K, r, G, penalties.l1_H, ZERO, W_sums, lost)
            mass = column_mass(fit.cells, layout, j)
            growing_H += float(by_positive * mass)
            locked_H += float(by_zero * mass)
        total = 0.0
        for i in range(t, len(fit.row_mass), T):
            for c in range(K):
                r[c] = fit.A[i * K + c]
                slope_W = max(slope_W, float(r[c] / (sums[c] if sums[c] > ZERO else ONE)))
            by_positive, by_zero = wishes(fit.W, i * K, r, block.GH, penalties.l1_W, penalties.l2_W, sums, lost)
            growing_W += float(by_positive * fit.row_mass[i])
            locked_W += float(by_zero * fit.row_mass[i])
            total += float(fit.row_mass[i])
        total = total_of(wide, total, t)
        growing = max(total_of(wide, growing_H, t), total_of(wide, growing_W, t))
        locked = max(total_of(wide, locked_H, t), total_of(wide, locked_W, t))
        return Wishes(slope_W, slope_H, growing, locked, total)

    @cuda.jit(device=True)
    def judge_mass(verdict, wish, iteration, reals, whole):
        """Return the verdict where the change says that it is `verdict`; -1 where mass is still missing."""
        if verdict != CONVERGED:
            return verdict
        limit = max(reals[0], reals[3]) * (wish.mass if wish.mass > 0 else 1.0)
        if wish.growing > limit:
            return MAX_ITER if iteration == whole[0] else -1
        return STUCK if wish.locked > limit else CONVERGED

    @cuda.jit(device=True)
    def per(size):
        return 1.0 / (size if size > 0 else 1.0)

    @cuda.jit(device=True)
    def outcome(fit, layout, block, local, penalties, reals, moves, wish, t):
        """Return the KKT residual of `optimality.kkt_residual`, the penalty and the divergence, in float64."""
        sums, wide, r, m, count = block.sums, block.wide, local.r, len(fit.row_mass), len(layout.order)
        slope_H, slope_W = largest_of(wide, wish.slope_H, t), largest_of(wide, wish.slope_W, t)
        per_H, per_W, per_slope_H, per_slope_W = per(moves.size_H), per(moves.size_W), per(slope_H), per(slope_W)
        worst, energy, fitted, plain = 0.0, 0.0, 0.0, 0.0
        for j in range(t, count, T):
            dot_column(fit.cells, layout, j, fit.W, r)
            for c in range(K):
                positive, entry = positive_half(fit.H, j * K, c, block.G, penalties.l1_H, ZERO), fit.H[j * K + c]
                total = float(sums[c]) if sums[c] > ZERO else 1.0
                distance = min(float(entry) / total * per_H, float(positive - r[c]) * total * per_slope_H)
                worst = max(worst, abs(distance))
                plain += reals[6] * float(entry)
            for p in range(layout.start[j], layout.start[j + 1]):
                model = 0.0
                for c in range(K):
                    model += float(fit.W[int(layout.rows[p]) * K + c]) * float(fit.H[j * K + c])
                energy += float(fit.cells[p]) * float(fit.cells[p])
                fitted += float(fit.cells[p]) * model
        for i in range(t, m, T):
            for c in range(K):
                positive = positive_half(fit.W, i * K, c, block.GH, penalties.l1_W, penalties.l2_W)
                entry, total = fit.W[i * K + c], float(sums[c]) if sums[c] > ZERO else 1.0
                slope = float(positive - fit.A[i * K + c]) / total * per_slope_W
                worst = max(worst, abs(min(float(entry) * total * per_W, slope)))
                plain += reals[4] * float(entry)
        worst = largest_of(wide, worst, t)
        penalty = total_of(wide, plain, t)
        divergence = 0.5 * total_of(wide, energy, t) - total_of(wide, fitted, t)
        for c in range(K):
            for d in range(c + 1):
                product_W, product_H = 0.0, 0.0
                for i in range(t, m, T):
                    product_W += float(fit.W[i * K + c]) * float(fit.W[i * K + d])
                for j in range(t, count, T):
                    product_H += float(fit.H[j * K + c]) * float(fit.H[j * K + d])
                product_W, product_H = total_of(wide, product_W, t), total_of(wide, product_H, t)
                divergence += (0.5 if c == d else 1.0) * product_W * product_H
                if c == d:
                    penalty += 0.5 * (reals[5] * product_W + reals[7] * product_H)
        return worst, penalty, divergence

    return ask, judge_mass, outcome
