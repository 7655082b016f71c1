"""The Frobenius loop and the resampling on NVIDIA GPUs, through numba.

One thread block solves one replicate until it stops, within one launch. Its threads share the columns out among
themselves for the update of H, and the rows for V @ H.T and the update of W; each sum is made in an order of its own,
never in that of arrival, so that results do not depend on scheduling. The definitions are those of `cpu`; the tests
hold the two to each other in numba's simulator.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from numba import cuda

from ...losses import FLOOR
from ...solvers import GROW, GROW_LIMIT, MOMENTUM, SHRINK
from ...updates import ROOM
from .. import sampling
from ..least_squares import CONVERGED, MAX_ITER, MU, NON_FINITE, RANK2, STUCK
from ..sampling import DELETE, FIRST, GOLDEN, MULTINOMIAL, POISSON, SECOND
from .launch import Placement, group_size

TYPES = {
    np.dtype(np.uint8): numba.uint8,
    np.dtype(np.uint16): numba.uint16,
    np.dtype(np.float32): numba.float32,
    np.dtype(np.float64): numba.float64,
}


@functools.lru_cache(maxsize=64)
def solver(
    k: int, dtype: Any, value_dtype: Any, kind: int, sweeps: tuple[int, int], extrapolated: bool, threads: int,
    registers: int | None, place: Placement,
) -> Any:  # fmt: skip
    """Return the kernel that solves one replicate per block; all arguments are built into its code.

    Parameters
    ----------
    k : int
        Components.
    dtype, value_dtype : dtype
        Types of the factors, and of the cells in shared memory.
    kind, sweeps, extrapolated
        The rule, as in `cpu.Rule`; sweeps over (W, H).
    threads : int
        Threads per block, a power of two.
    registers : int or None
        Most registers per thread; fewer let more blocks share a multiprocessor.
    place : Placement
        What lies in shared memory; the rest is in the device's global memory.
    """
    F, FT, VT = dtype.type, TYPES[dtype], TYPES[value_dtype]
    K, T, KIND, EXTRAPOLATED = k, threads, kind, extrapolated
    SWEEPS_W, SWEEPS_H = sweeps
    GROUP, SQUARES = group_size(k), k * (k + 1) // 2
    SUMS = SQUARES + k
    INVERSES = max(k, 3)
    RATIO = dtype.itemsize / value_dtype.itemsize
    W_SHARED, H_SHARED, CELLS_SHARED = place.factors, place.H, place.cells
    ZERO, ONE = F(0), F(1)
    TINY, LEAST, LOWEST = F(np.finfo(dtype).tiny), F(ROOM * np.finfo(dtype).tiny), F(FLOOR)
    DOUBTFUL = F(16 * np.finfo(dtype).eps)

    @cuda.jit(device=True)
    def total_of(wide, x, t):
        """Return the block's sum of x, in float64."""
        wide[t] = x
        cuda.syncthreads()
        s = T // 2
        while s > 0:
            if t < s:
                wide[t] += wide[t + s]
            cuda.syncthreads()
            s //= 2
        total = wide[0]
        cuda.syncthreads()
        return total

    @cuda.jit(device=True)
    def largest_of(wide, x, t):
        wide[t] = x
        cuda.syncthreads()
        s = T // 2
        while s > 0:
            if t < s and wide[t + s] > wide[t]:
                wide[t] = wide[t + s]
            cuda.syncthreads()
            s //= 2
        largest = wide[0]
        cuda.syncthreads()
        return largest

    @cuda.jit(device=True)
    def add_row(q, x):
        """Add a row of a factor to the thread's part of the Gram matrix (packed) and of the sums."""
        for c in range(K):
            for d in range(c + 1):
                q[c * (c + 1) // 2 + d] += x[c] * x[d]
            q[SQUARES + c] += x[c]

    @cuda.jit(device=True)
    def reduce_gram(scratch, packed, q, G, sums, t):
        """Add up the threads' parts `q`; write the Gram matrix to G and the sums to `sums`."""
        for e0 in range(0, SUMS, GROUP):
            for e in range(GROUP):
                if e0 + e < SUMS:
                    scratch[e * T + t] = q[e0 + e]
            cuda.syncthreads()
            s = T // 2
            while s > 0:
                if t < s:
                    for e in range(GROUP):
                        if e0 + e < SUMS:
                            scratch[e * T + t] += scratch[e * T + t + s]
                cuda.syncthreads()
                s //= 2
            for e in range(t, GROUP, T):
                if e0 + e < SUMS:
                    packed[e0 + e] = scratch[e * T]
            cuda.syncthreads()
        for e in range(t, K * K, T):
            high, low = max(e // K, e % K), min(e // K, e % K)
            G[e] = packed[high * (high + 1) // 2 + low]
        for c in range(t, K, T):
            sums[c] = packed[SQUARES + c]
        cuda.syncthreads()

    @cuda.jit(device=True)
    def gram(factor, count, scratch, packed, q, G, sums, t):
        x = cuda.local.array(K, FT)
        for e in range(SUMS):
            q[e] = ZERO
        for i in range(t, count, T):
            for c in range(K):
                x[c] = factor[i * K + c]
            add_row(q, x)
        reduce_gram(scratch, packed, q, G, sums, t)

    @cuda.jit(device=True)
    def prepare(G, inverse, l2, t):
        """Add l2 to the diagonal and write what `update` divides by; see `cpu.prepare_gram`."""
        for c in range(t, K, T):
            total = G[c * K + c] + l2
            G[c * K + c] = total
            inverse[c] = ONE / (TINY if total < TINY else total)
        cuda.syncthreads()
        if KIND == RANK2:
            if t == 0:
                product = G[0] * G[3]
                determinant = product - G[1] * G[1]
                trusted = determinant > product * DOUBTFUL
                inverse[2] = ONE / (TINY if determinant < TINY else determinant) if trusted else ZERO
            cuda.syncthreads()

    @cuda.jit(device=True)
    def update(r, G, inverse, x, y, sweeps, l1):
        """Update the row x of a factor, whose product with the data is r; y is scratch. See `cpu.update_row`."""
        if KIND == MU:
            for _ in range(sweeps):
                for c in range(K):
                    denominator = l1
                    for d in range(K):
                        denominator += G[c * K + d] * x[d]
                    negative = r[c]
                    value = negative / (denominator if denominator > ZERO else LOWEST) * x[c]
                    floor = LEAST if negative > ZERO and x[c] > ZERO else ZERO
                    y[c] = floor if value < floor else value
                for c in range(K):
                    x[c] = y[c]
        elif KIND == RANK2:
            r0, r1 = r[0] - l1, r[1] - l1
            only0, only1 = x[0], x[1]
            if G[0] > ZERO:
                only0 = r0 * inverse[0]
                only0 = ZERO if only0 < ZERO else only0
            if G[3] > ZERO:
                only1 = r1 * inverse[1]
                only1 = ZERO if only1 < ZERO else only1
            y0, y1 = (G[3] * r0 - G[1] * r1) * inverse[2], (G[0] * r1 - G[1] * r0) * inverse[2]
            if y0 > ZERO and y1 > ZERO:
                x[0], x[1] = y0, y1
            elif only0 * r0 - only1 * r1 < ZERO:
                x[0], x[1] = ZERO, only1
            else:
                x[0], x[1] = only0, ZERO
        else:
            for _ in range(sweeps):
                for c in range(K):
                    residual = r[c] - l1
                    for d in range(K):
                        if d != c:
                            residual -= G[c * K + d] * x[d]
                    value = residual * inverse[c]
                    if G[c * K + c] > ZERO:
                        x[c] = ZERO if value < ZERO else value

    @cuda.jit(device=True)
    def dot_column(cells, rows, first, last, factor, r):
        for c in range(K):
            r[c] = ZERO
        for p in range(first, last):
            value, at = F(cells[p]), int(rows[p]) * K
            for c in range(K):
                r[c] += value * factor[at + c]

    @cuda.jit(device=True)
    def column_mass(cells, first, last):
        total = ZERO
        for p in range(first, last):
            total += F(cells[p])
        return total

    @cuda.jit(device=True)
    def multiply_rows(cells, row_start, row_cell, row_column, H, A, scratch, share, m, t):
        """Write V @ H.T to A (m, k): `share` threads to a row, whose parts are then added in their order."""
        r = cuda.local.array(K, FT)
        for i0 in range(0, m, T // share):
            i, part = i0 + t // share, t % share
            for c in range(K):
                r[c] = ZERO
            if i < m:
                for p in range(row_start[i] + part, row_start[i + 1], share):
                    value, at = F(cells[int(row_cell[p])]), int(row_column[p]) * K
                    for c in range(K):
                        r[c] += value * H[at + c]
            for c in range(K):
                scratch[t * K + c] = r[c]
            cuda.syncthreads()
            for e in range(t, T // share * K, T):
                i, c = e // K, e % K
                total = ZERO
                for part in range(share):
                    total += scratch[(i * share + part) * K + c]
                if i0 + i < m:
                    A[(i0 + i) * K + c] = total
            cuda.syncthreads()

    @cuda.jit(device=True)
    def wish(negative, positive):
        """Return by what share of its column an entry wants to grow: see `optimality.missing_mass`."""
        return ONE - positive / negative if positive < negative else ZERO

    @cuda.jit(**({} if registers is None or numba.config.ENABLE_CUDASIM else {"max_registers": registers}))
    def solve(
        values, replicates, rows, start, order, row_start, row_cell, row_column, W0, H0, extra, reals, whole,
        W_out, H_out, W_before, H_before, spare, n_iter, status, numbers,
    ):  # fmt: skip
        t, job = cuda.threadIdx.x, cuda.blockIdx.x
        m, count, cell_count = len(row_start) - 1, len(start) - 1, len(rows)
        max_iter, every = whole[0], whole[1]
        l1_W, l2_W, l1_H, l2_H = F(reals[4]), F(reals[5]), F(reals[6]), F(reals[7])
        penalised = reals[4] > 0 or reals[5] > 0 or reals[6] > 0 or reals[7] > 0
        share = 1
        while share * 2 * m <= T:
            share *= 2

        # Shared memory: `scratch` and `wide` are the same bytes, used in turn.
        shared = cuda.shared.array(0, FT)
        wide = cuda.shared.array(0, numba.float64)
        scratch = shared[: GROUP * T]
        at = GROUP * T
        packed, at = shared[at : at + SUMS], at + SUMS
        G, at = shared[at : at + K * K], at + K * K
        GH, at = shared[at : at + K * K], at + K * K
        inverse, at = shared[at : at + INVERSES], at + INVERSES
        sums, at = shared[at : at + K], at + K
        W_sums, at = shared[at : at + K], at + K
        if W_SHARED:
            W, at = shared[at : at + m * K], at + m * K
            A, at = shared[at : at + m * K], at + m * K
            ahead, at = shared[at : at + m * K], at + m * K
            new, at = shared[at : at + m * K], at + m * K
            row_mass, at = shared[at : at + m], at + m
        else:
            W = W_out[job]
            A, ahead = spare[job][: m * K], spare[job][m * K : 2 * m * K]
            new, row_mass = spare[job][2 * m * K : 3 * m * K], spare[job][3 * m * K : 3 * m * K + m]
        if H_SHARED:
            H, at = shared[at : at + count * K], at + count * K
        else:
            H = H_out[job]
        if CELLS_SHARED:
            small = cuda.shared.array(0, VT)
            cells = small[int(at * RATIO) : int(at * RATIO) + cell_count]
            for p in range(t, cell_count, T):
                cells[p] = values[replicates[job], p]
            cuda.syncthreads()
        else:
            cells = values[replicates[job]]
        # What H is fitted to: W, or what lies ahead of it.
        Y = ahead if EXTRAPOLATED else W

        x = cuda.local.array(K, FT)
        y = cuda.local.array(K, FT)
        r = cuda.local.array(K, FT)
        q = cuda.local.array(SUMS, FT)

        # The start. What has no data becomes zero, but counts in the first update of W.
        from_W, from_H, from_extra = min(job, len(W0) - 1), min(job, len(H0) - 1), min(job, len(extra) - 1)
        for e in range(SUMS):
            q[e] = ZERO
        for j in range(t, count, T):
            for c in range(K):
                x[c] = H0[from_H, c, j]
                H[j * K + c] = x[c]
            add_row(q, x)
        reduce_gram(scratch, packed, q, GH, sums, t)
        multiply_rows(cells, row_start, row_cell, row_column, H, A, scratch, share, m, t)
        for e in range(t, K * K, T):
            GH[e] += F(extra[from_extra, e // K, e % K])
        for j in range(t, count, T):
            nothing = column_mass(cells, start[j], start[j + 1]) == ZERO
            for c in range(K):
                scale = sums[c] + F(extra[from_extra, K, c])
                H_before[job, j * K + c] = H[j * K + c] / (scale if scale > ZERO else ONE)
                if nothing:
                    H[j * K + c] = ZERO
        for i in range(t, m, T):
            mass = ZERO
            for p in range(row_start[i], row_start[i + 1]):
                mass += F(cells[int(row_cell[p])])
            row_mass[i] = mass
            for c in range(K):
                scale = sums[c] + F(extra[from_extra, K, c])
                value = W0[from_W, i, c]
                W_before[job, i * K + c] = value * (scale if scale > ZERO else ONE)
                value = value if mass > ZERO else ZERO
                W[i * K + c] = value
                Y[i * K + c] = value
        cuda.syncthreads()
        if EXTRAPOLATED:
            # H is first fitted to what W becomes with the H that is given.
            for e in range(t, K * K, T):
                G[e] = GH[e]
            cuda.syncthreads()
            prepare(G, inverse, l2_W, t)
            for i in range(t, m, T):
                for c in range(K):
                    x[c], r[c] = Y[i * K + c], A[i * K + c]
                update(r, G, inverse, x, y, SWEEPS_W, l1_W)
                for c in range(K):
                    Y[i * K + c] = x[c]
            cuda.syncthreads()

        change_before, momentum, ceiling = np.inf, MOMENTUM, 1.0
        for iteration in range(1, max_iter + 1):
            if EXTRAPOLATED:
                gram(Y, m, scratch, packed, q, G, W_sums, t)
            else:
                for e in range(t, K * K, T):
                    G[e] = GH[e]
                cuda.syncthreads()
                prepare(G, inverse, l2_W, t)
                for e in range(SUMS):
                    q[e] = ZERO
                for i in range(t, m, T):
                    for c in range(K):
                        x[c], r[c] = W[i * K + c], A[i * K + c]
                    update(r, G, inverse, x, y, SWEEPS_W, l1_W)
                    for c in range(K):
                        W[i * K + c] = x[c]
                    add_row(q, x)
                # Every thread has used G before `reduce_gram` writes the new one: it synchronises first.
                reduce_gram(scratch, packed, q, G, W_sums, t)
            prepare(G, inverse, l2_H, t)
            for e in range(SUMS):
                q[e] = ZERO
            for s in range(t, count, T):
                j = order[s]
                dot_column(cells, rows, start[j], start[j + 1], Y, r)
                for c in range(K):
                    x[c] = H[j * K + c]
                update(r, G, inverse, x, y, SWEEPS_H, l1_H)
                for c in range(K):
                    H[j * K + c] = x[c]
                add_row(q, x)
            reduce_gram(scratch, packed, q, GH, sums, t)
            multiply_rows(cells, row_start, row_cell, row_column, H, A, scratch, share, m, t)
            if EXTRAPOLATED:
                for e in range(t, K * K, T):
                    G[e] = GH[e]
                cuda.syncthreads()
                prepare(G, inverse, l2_W, t)
                turn = 0.0
                for i in range(t, m, T):
                    for c in range(K):
                        x[c], r[c] = Y[i * K + c], A[i * K + c]
                    update(r, G, inverse, x, y, SWEEPS_W, l1_W)
                    for c in range(K):
                        turn += float((Y[i * K + c] - x[c]) * (x[c] - W[i * K + c]))
                        new[i * K + c] = x[c]
                reach = 0.0
                if total_of(wide, turn, t) > 0:
                    ceiling = momentum
                    momentum = momentum / SHRINK
                else:
                    reach = momentum
                    ceiling = min(1.0, GROW_LIMIT * ceiling)
                    momentum = min(ceiling, GROW * momentum)
                for i in range(t, m, T):
                    for c in range(K):
                        value = new[i * K + c] + F(reach) * (new[i * K + c] - W[i * K + c])
                        W[i * K + c] = new[i * K + c]
                        Y[i * K + c] = ZERO if value < ZERO else value
                cuda.syncthreads()
            if iteration % every != 0 and iteration != max_iter:
                continue

            # How far the unit-sum factors have moved since the last check.
            moved_W, size_W, moved_H, size_H, finite = 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(t, m, T):
                for c in range(K):
                    value = W[i * K + c] * (sums[c] if sums[c] > ZERO else ONE)
                    moved_W = max(moved_W, float(abs(value - W_before[job, i * K + c])))
                    size_W = max(size_W, float(value))
                    W_before[job, i * K + c] = value
                    finite += float(W[i * K + c])
            for j in range(t, count, T):
                for c in range(K):
                    value = H[j * K + c] / (sums[c] if sums[c] > ZERO else ONE)
                    moved_H = max(moved_H, float(abs(value - H_before[job, j * K + c])))
                    size_H = max(size_H, float(value))
                    H_before[job, j * K + c] = value
            finite = total_of(wide, finite, t)
            for c in range(K):
                finite += float(sums[c])
            moved_W, size_W = largest_of(wide, moved_W, t), largest_of(wide, size_W, t)
            moved_H, size_H = largest_of(wide, moved_H, t), largest_of(wide, size_H, t)
            verdict = -1
            if not abs(finite) < np.inf:
                verdict = NON_FINITE
            else:
                if iteration % every == 0:
                    change = 0.0
                    if size_W > 0:
                        change = moved_W / size_W
                    elif moved_W > 0:
                        change = np.inf
                    if size_H > 0:
                        change = max(change, moved_H / size_H)
                    elif moved_H > 0:
                        change = np.inf
                    ratio = 0.0
                    if change_before > 0 and change_before < np.inf:
                        ratio = min(change / change_before, reals[1])
                    change_before = change
                    to_come = 0.0 if change <= reals[2] else change / (1.0 - ratio)
                    if reals[0] > 0 and to_come <= reals[0]:
                        verdict = CONVERGED
                if iteration == max_iter and verdict < 0:
                    verdict = MAX_ITER
            if verdict < 0:
                continue

            # What entries still ask for, by the gradients at these factors.
            gram(W, m, scratch, packed, q, G, W_sums, t)
            # A component that is zero in both factors has no gradient to come back by.
            lost = False
            for c in range(K):
                lost = lost or not (penalised or sums[c] + W_sums[c] > ZERO)
            for c in range(t, K, T):
                G[c * K + c] += l2_H
            cuda.syncthreads()
            slope_H, slope_W, growing_H, locked_H, growing_W, locked_W = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(t, count, T):
                dot_column(cells, rows, start[j], start[j + 1], W, r)
                by_positive, by_zero, reached = ZERO, ZERO, ZERO
                for c in range(K):
                    positive = l1_H
                    for d in range(K):
                        positive += G[c * K + d] * H[j * K + d]
                    slope_H = max(slope_H, float(r[c] * sums[c]))
                    wanted = wish(r[c], positive)
                    if H[j * K + c] > ZERO:
                        by_positive = max(by_positive, wanted)
                    else:
                        by_zero = max(by_zero, wanted)
                    reached += H[j * K + c] * W_sums[c]
                if lost and not reached > ZERO:
                    by_zero = ONE
                mass = column_mass(cells, start[j], start[j + 1])
                growing_H += float(by_positive * mass)
                locked_H += float(by_zero * mass)
            mass = 0.0
            for i in range(t, m, T):
                by_positive, by_zero, reached = ZERO, ZERO, ZERO
                for c in range(K):
                    entry = W[i * K + c]
                    positive = l1_W + l2_W * entry
                    for d in range(K):
                        positive += GH[c * K + d] * W[i * K + d]
                    slope_W = max(slope_W, float(A[i * K + c] / (sums[c] if sums[c] > ZERO else ONE)))
                    wanted = wish(A[i * K + c], positive)
                    if entry > ZERO:
                        by_positive = max(by_positive, wanted)
                    else:
                        by_zero = max(by_zero, wanted)
                    reached += entry * sums[c]
                if lost and not reached > ZERO:
                    by_zero = ONE
                growing_W += float(by_positive * row_mass[i])
                locked_W += float(by_zero * row_mass[i])
                mass += float(row_mass[i])
            mass = total_of(wide, mass, t)
            growing = max(total_of(wide, growing_H, t), total_of(wide, growing_W, t))
            locked = max(total_of(wide, locked_H, t), total_of(wide, locked_W, t))
            if verdict == CONVERGED:
                limit = max(reals[0], reals[3]) * (mass if mass > 0 else 1.0)
                if growing > limit:
                    verdict = MAX_ITER if iteration == max_iter else -1
                elif locked > limit:
                    verdict = STUCK
            if verdict < 0:
                continue

            # The KKT residual of `optimality.kkt_residual`, and the terms of the loss in float64.
            slope_H, slope_W = largest_of(wide, slope_H, t), largest_of(wide, slope_W, t)
            per_H, per_W = 1.0 / (size_H if size_H > 0 else 1.0), 1.0 / (size_W if size_W > 0 else 1.0)
            per_slope_H = 1.0 / (slope_H if slope_H > 0 else 1.0)
            per_slope_W = 1.0 / (slope_W if slope_W > 0 else 1.0)
            worst, energy, fit, plain = 0.0, 0.0, 0.0, 0.0
            for j in range(t, count, T):
                dot_column(cells, rows, start[j], start[j + 1], W, r)
                for c in range(K):
                    positive = l1_H
                    for d in range(K):
                        positive += G[c * K + d] * H[j * K + d]
                    total = float(sums[c]) if sums[c] > ZERO else 1.0
                    distance = min(float(H[j * K + c]) / total * per_H, float(positive - r[c]) * total * per_slope_H)
                    worst = max(worst, abs(distance))
                    plain += reals[6] * float(H[j * K + c])
                for p in range(start[j], start[j + 1]):
                    model = 0.0
                    for c in range(K):
                        model += float(W[int(rows[p]) * K + c]) * float(H[j * K + c])
                    energy += float(cells[p]) * float(cells[p])
                    fit += float(cells[p]) * model
            for i in range(t, m, T):
                for c in range(K):
                    positive = l1_W + l2_W * W[i * K + c]
                    for d in range(K):
                        positive += GH[c * K + d] * W[i * K + d]
                    total = float(sums[c]) if sums[c] > ZERO else 1.0
                    distance = min(
                        float(W[i * K + c]) * total * per_W, float(positive - A[i * K + c]) / total * per_slope_W
                    )
                    worst = max(worst, abs(distance))
                    plain += reals[4] * float(W[i * K + c])
            worst = largest_of(wide, worst, t)
            penalty = total_of(wide, plain, t)
            divergence = 0.5 * total_of(wide, energy, t) - total_of(wide, fit, t)
            for c in range(K):
                for d in range(c + 1):
                    product_W, product_H = 0.0, 0.0
                    for i in range(t, m, T):
                        product_W += float(W[i * K + c]) * float(W[i * K + d])
                    for j in range(t, count, T):
                        product_H += float(H[j * K + c]) * float(H[j * K + d])
                    product_W, product_H = total_of(wide, product_W, t), total_of(wide, product_H, t)
                    divergence += (0.5 if c == d else 1.0) * product_W * product_H
                    if c == d:
                        penalty += 0.5 * (reals[5] * product_W + reals[7] * product_H)
            if t == 0:
                status[job], n_iter[job] = verdict, iteration
                numbers[job, 0], numbers[job, 1] = divergence + penalty, divergence
                numbers[job, 2] = np.nan if verdict == NON_FINITE else worst
            for i in range(t, m, T):
                for c in range(K):
                    value = W[i * K + c]
                    W_out[job, i * K + c] = ZERO if value <= LEAST or row_mass[i] == ZERO else value
            for j in range(t, count, T):
                nothing = column_mass(cells, start[j], start[j + 1]) == ZERO
                for c in range(K):
                    value = H[j * K + c]
                    H_out[job, j * K + c] = ZERO if value <= LEAST or nothing else value
            return

    return solve


mix = cuda.jit(device=True)(sampling.mix.py_func)


@functools.lru_cache(maxsize=8)
def drawer(scheme: int, threads: int, value_size: int) -> Any:
    """Return the kernel that draws one replicate per block: the numbers of `sampling.draw`, in any order.

    Counts of `value_size` bytes are added to as parts of 32-bit words, since there are no smaller atomic additions;
    integer sums do not depend on their order. No count overflows into its neighbour: `resample.bootstrap` sees to that.
    """
    T, SCHEME, PER_WORD, BITS = threads, scheme, 4 // value_size, 8 * value_size
    HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)

    @cuda.jit(device=True)
    def add(words, job, cell, star, number):
        for image in range(cell.shape[1]):
            at = cell[star, image]
            if at >= 0:
                place = at // PER_WORD
                amount = np.uint32(number << (BITS * (at % PER_WORD)))
                cuda.atomic.add(words, (job, place), amount)

    @cuda.jit
    def draw(words, cell, seed, first, order, bins, drops, before, weight):
        t, job = cuda.threadIdx.x, cuda.blockIdx.x
        stars = len(cell)
        state = mix(mix(seed[0] + GOLDEN) ^ mix((first[0] + np.uint64(job)) * FIRST + SECOND))
        if SCHEME == MULTINOMIAL:
            for pair in range(t, (stars + 1) // 2, T):
                z = mix(state + np.uint64(pair + 1) * GOLDEN)
                add(words, job, cell, int(((z >> HALF) * np.uint64(stars)) >> HALF), 1)
                if 2 * pair + 1 < stars:
                    add(words, job, cell, int(((z & LOW) * np.uint64(stars)) >> HALF), 1)
        elif SCHEME == DELETE:
            # Floyd's draws depend on those before them, but only within a bin: a thread takes whole bins.
            for i in range(t, len(drops), T):
                for place in range(bins[i], bins[i + 1]):
                    weight[job, order[place]] = 1
                number = bins[i + 1] - bins[i]
                for drop in range(drops[i]):
                    top = number - drops[i] + drop
                    z = mix(state + np.uint64(before[i] + drop + 1) * GOLDEN)
                    star = order[bins[i] + int(((z >> HALF) * np.uint64(top + 1)) >> HALF)]
                    if weight[job, star] == 0:
                        star = order[bins[i] + top]
                    weight[job, star] = 0
                for place in range(bins[i], bins[i + 1]):
                    if weight[job, order[place]] > 0:
                        add(words, job, cell, order[place], 1)
        else:
            for star in range(t, stars, T):
                u = mix(state + np.uint64(star + 1) * GOLDEN) >> HALF
                number = 0
                for i in range(len(POISSON)):
                    if u >= POISSON[i]:
                        number += 1
                if number > 0:
                    add(words, job, cell, star, number)

    return draw
