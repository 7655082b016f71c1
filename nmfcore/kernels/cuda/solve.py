"""The least-squares loop on NVIDIA GPUs, through numba.

One thread block solves one replicate until it stops, within one launch. Its threads divide the columns among themselves
for the update of H, and the rows for V @ H.T and the update of W; no result depends on scheduling. The definitions are
those of `least_squares`; the tests hold the two to each other in numba's simulator.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from numba import cuda

from ...rules.hals import MOMENTUM
from ..settings import NON_FINITE
from .build import Block, Build, Fit, Local, Penalties, constants
from .checks import changes, endings
from .placement import group_size
from .reductions import grams
from .sweeps import half_steps, products


def edges(build: Build) -> tuple[Any, Any]:
    """Return begin and write: how a job enters its block, and how its factors leave it."""
    K, T, F = build.k, build.threads, build.dtype.type
    ZERO, ONE, _, LEAST, _, _ = constants(build.dtype)
    clear, add_row, reduce_gram, _ = grams(build)
    _, column_mass, multiply_rows = products(build)

    @cuda.jit(device=True)
    def begin(fit, layout, block, local, starts, job, t):
        """Put the start of a job in place. What has no data becomes zero, but counts in the first update of W."""
        sums, x, m, count = block.sums, local.x, len(fit.row_mass), len(layout.order)
        from_W, from_H, e0 = min(job, len(starts.W) - 1), min(job, len(starts.H) - 1), min(job, len(starts.extra) - 1)
        clear(local.q)
        for j in range(t, count, T):
            for c in range(K):
                x[c] = starts.H[from_H, c, j]
                fit.H[j * K + c] = x[c]
            add_row(local.q, x)
        reduce_gram(block, local.q, block.GH, sums, t)
        multiply_rows(fit, layout, block, t)
        for e in range(t, K * K, T):
            block.GH[e] += F(starts.extra[e0, e // K, e % K])
        for j in range(t, count, T):
            nothing = column_mass(fit.cells, layout, j) == ZERO
            for c in range(K):
                scale = sums[c] + F(starts.extra[e0, K, c])
                fit.H_before[j * K + c] = fit.H[j * K + c] / (scale if scale > ZERO else ONE)
                if nothing:
                    fit.H[j * K + c] = ZERO
        for i in range(t, m, T):
            mass = ZERO
            for p in range(layout.row_start[i], layout.row_start[i + 1]):
                mass += F(fit.cells[int(layout.row_cell[p])])
            fit.row_mass[i] = mass
            for c in range(K):
                scale = sums[c] + F(starts.extra[e0, K, c])
                value = starts.W[from_W, i, c]
                fit.W_before[i * K + c] = value * (scale if scale > ZERO else ONE)
                value = value if mass > ZERO else ZERO
                fit.W[i * K + c] = value
                fit.Y[i * K + c] = value
        cuda.syncthreads()

    @cuda.jit(device=True)
    def write(fit, layout, W, H, t):
        """Write the factors out, with zeros for what multiplicative updates hold just above."""
        for i in range(t, len(fit.row_mass), T):
            for c in range(K):
                value = fit.W[i * K + c]
                W[i * K + c] = ZERO if value <= LEAST or fit.row_mass[i] == ZERO else value
        for j in range(t, len(layout.order), T):
            nothing = column_mass(fit.cells, layout, j) == ZERO
            for c in range(K):
                value = fit.H[j * K + c]
                H[j * K + c] = ZERO if value <= LEAST or nothing else value

    return begin, write


@functools.lru_cache(maxsize=64)
def solver(build: Build) -> Any:
    """Return the kernel that solves one replicate per block; all of `build` is built into its code."""
    K, T, F = build.k, build.threads, build.dtype.type
    FT, VT = numba.from_dtype(build.dtype), numba.from_dtype(build.value_dtype)
    GROUP, SUMS, INVERSES, EXTRAPOLATED = group_size(K), K * (K + 1) // 2 + K, max(K, 3), build.extrapolated
    RATIO = build.dtype.itemsize / build.value_dtype.itemsize
    W_SHARED, H_SHARED, CELLS_SHARED, _ = build.place
    begin, write = edges(build)
    _, _, _, gram = grams(build)
    _, _, multiply_rows = products(build)
    look_ahead, update_W, update_H, extrapolate = half_steps(build)
    measure, judge_change = changes(build)
    ask, judge_mass, outcome = endings(build)
    limited = build.registers is not None and not numba.config.ENABLE_CUDASIM

    # The limits and penalties come as `reals`: tol, slowest, rounding, mass_rounding, l1_W, l2_W, l1_H, l2_H; and as
    # `whole`: max_iter, every.
    @cuda.jit(**({"max_registers": build.registers} if limited else {}))
    def solve(values, replicates, layout, starts, reals, whole, answers, memory):
        t, job = cuda.threadIdx.x, cuda.blockIdx.x
        m, count, cell_count = len(layout.row_start) - 1, len(layout.start) - 1, len(layout.rows)
        penalties = Penalties(F(reals[4]), F(reals[5]), F(reals[6]), F(reals[7]))
        penalised = reals[4] > 0 or reals[5] > 0 or reals[6] > 0 or reals[7] > 0

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
            spare = memory.spare[job]
            W = answers.W[job]
            A, ahead = spare[: m * K], spare[m * K : 2 * m * K]
            new, row_mass = spare[2 * m * K : 3 * m * K], spare[3 * m * K : 3 * m * K + m]
        if H_SHARED:
            H, at = shared[at : at + count * K], at + count * K
        else:
            H = answers.H[job]
        if CELLS_SHARED:
            small = cuda.shared.array(0, VT)
            cells = small[int(at * RATIO) : int(at * RATIO) + cell_count]
            for p in range(t, cell_count, T):
                cells[p] = values[replicates[job], p]
            cuda.syncthreads()
        else:
            cells = values[replicates[job]]
        Y = ahead if EXTRAPOLATED else W
        block = Block(scratch, wide, packed, G, GH, inverse, sums, W_sums)
        fit = Fit(cells, W, Y, A, new, H, row_mass, memory.W_before[job], memory.H_before[job])
        x, y, r = cuda.local.array(K, FT), cuda.local.array(K, FT), cuda.local.array(K, FT)
        local = Local(x, y, r, cuda.local.array(SUMS, FT))

        begin(fit, layout, block, local, starts, job, t)
        if EXTRAPOLATED:
            # H is first fitted to what W becomes with the H that is given.
            look_ahead(fit, block, local, penalties, t)
        change, momentum, ceiling = np.inf, MOMENTUM, 1.0
        for iteration in range(1, whole[0] + 1):
            if EXTRAPOLATED:
                gram(fit.Y, m, block, local, block.G, block.W_sums, t)
            else:
                update_W(fit, block, local, penalties, t)
            update_H(fit, layout, block, local, penalties, t)
            multiply_rows(fit, layout, block, t)
            if EXTRAPOLATED:
                momentum, ceiling = extrapolate(fit, block, local, penalties, momentum, ceiling, t)
            if iteration % whole[1] != 0 and iteration != whole[0]:
                continue
            moves = measure(fit, layout, block, t)
            verdict, change = judge_change(moves, change, iteration, reals, whole)
            if verdict < 0:
                continue
            wish = ask(fit, layout, block, local, penalties, penalised, t)
            verdict = judge_mass(verdict, wish, iteration, reals, whole)
            if verdict < 0:
                continue
            worst, penalty, divergence = outcome(fit, layout, block, local, penalties, reals, moves, wish, t)
            if t == 0:
                answers.status[job], answers.n_iter[job] = verdict, iteration
                answers.numbers[job, 0], answers.numbers[job, 1] = divergence + penalty, divergence
                answers.numbers[job, 2] = np.nan if verdict == NON_FINITE else worst
            write(fit, layout, answers.W[job], answers.H[job], t)
            return

    return solve
