"""Device functions of an iteration: products with V, the update of a row, and the half-steps made of them."""

from __future__ import annotations

from typing import Any

from numba import cuda, from_dtype

from ...rules.hals import GROW, GROW_LIMIT, SHRINK
from ..settings import MU, RANK2
from .build import Build, constants
from .reductions import grams, totals


def products(build: Build) -> tuple[Any, Any, Any]:
    """Return dot_column, column_mass and multiply_rows."""
    K, T, F, FT = build.k, build.threads, build.dtype.type, from_dtype(build.dtype)
    ZERO = constants(build.dtype).zero

    @cuda.jit(device=True)
    def dot_column(cells, layout, j, factor, r):
        """Write the product of column j of V with a factor (m, k) to r."""
        for c in range(K):
            r[c] = ZERO
        for p in range(layout.start[j], layout.start[j + 1]):
            value, at = F(cells[p]), int(layout.rows[p]) * K
            for c in range(K):
                r[c] += value * factor[at + c]

    @cuda.jit(device=True)
    def column_mass(cells, layout, j):
        """Return the sum of column j of V."""
        total = ZERO
        for p in range(layout.start[j], layout.start[j + 1]):
            total += F(cells[p])
        return total

    @cuda.jit(device=True)
    def multiply_rows(fit, layout, block, t):
        """Write V @ H.T to A (m, k): several threads to a row where rows are few, whose parts are added in order."""
        r = cuda.local.array(K, FT)
        scratch, m = block.scratch, len(layout.row_start) - 1
        together = 1
        while together * 2 * m <= T:
            together *= 2
        for i0 in range(0, m, T // together):
            i, part = i0 + t // together, t % together
            for c in range(K):
                r[c] = ZERO
            if i < m:
                for p in range(layout.row_start[i] + part, layout.row_start[i + 1], together):
                    value, at = F(fit.cells[int(layout.row_cell[p])]), int(layout.row_column[p]) * K
                    for c in range(K):
                        r[c] += value * fit.H[at + c]
            for c in range(K):
                scratch[t * K + c] = r[c]
            cuda.syncthreads()
            for e in range(t, T // together * K, T):
                i, c = e // K, e % K
                total = ZERO
                for part in range(together):
                    total += scratch[(i * together + part) * K + c]
                if i0 + i < m:
                    fit.A[(i0 + i) * K + c] = total
            cuda.syncthreads()

    return dot_column, column_mass, multiply_rows


def updates(build: Build) -> tuple[Any, Any]:
    """Return prepare and update: what rows of a factor are divided by, and the update of one."""
    K, T, KIND = build.k, build.threads, build.kind
    ZERO, ONE, TINY, LEAST, LOWEST, DOUBTFUL = constants(build.dtype)

    @cuda.jit(device=True)
    def prepare(G, inverse, l2, t):
        """Add l2 to the diagonal and write what `update` divides by; see `least_squares.prepare_gram`."""
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
        """Update the row x of a factor, whose product with the data is r; y is scratch.

        See `least_squares.update_rows`.
        """
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

    return prepare, update


def half_steps(build: Build) -> tuple[Any, Any, Any, Any]:
    """Return look_ahead, update_W, update_H and extrapolate."""
    K, T, F, SWEEPS_W, SWEEPS_H = build.k, build.threads, build.dtype.type, build.sweeps_W, build.sweeps_H
    ZERO = constants(build.dtype).zero
    total_of, _ = totals(build)
    clear, add_row, reduce_gram, _ = grams(build)
    dot_column, _, _ = products(build)
    prepare, update = updates(build)

    @cuda.jit(device=True)
    def prepare_W(block, l2, t):
        for e in range(t, K * K, T):
            block.G[e] = block.GH[e]
        cuda.syncthreads()
        prepare(block.G, block.inverse, l2, t)

    @cuda.jit(device=True)
    def update_row(fit, block, local, i, l1):
        """Leave the update of row i of what H is fitted to in local.x."""
        for c in range(K):
            local.x[c], local.r[c] = fit.Y[i * K + c], fit.A[i * K + c]
        update(local.r, block.G, block.inverse, local.x, local.y, SWEEPS_W, l1)

    @cuda.jit(device=True)
    def look_ahead(fit, block, local, penalties, t):
        """Update what H is fitted to, before the first iteration."""
        prepare_W(block, penalties.l2_W, t)
        for i in range(t, len(fit.row_mass), T):
            update_row(fit, block, local, i, penalties.l1_W)
            for c in range(K):
                fit.Y[i * K + c] = local.x[c]
        cuda.syncthreads()

    @cuda.jit(device=True)
    def update_W(fit, block, local, penalties, t):
        """Update W for this H, and write its Gram matrix to G."""
        prepare_W(block, penalties.l2_W, t)
        clear(local.q)
        for i in range(t, len(fit.row_mass), T):
            update_row(fit, block, local, i, penalties.l1_W)
            for c in range(K):
                fit.W[i * K + c] = local.x[c]
            add_row(local.q, local.x)
        # Every thread has used G before `reduce_gram` writes the new one: it synchronises first.
        reduce_gram(block, local.q, block.G, block.W_sums, t)

    @cuda.jit(device=True)
    def update_H(fit, layout, block, local, penalties, t):
        """Update H for this W, whose Gram matrix is G, and write H's to GH."""
        prepare(block.G, block.inverse, penalties.l2_H, t)
        clear(local.q)
        for s in range(t, len(layout.order), T):
            j = layout.order[s]
            dot_column(fit.cells, layout, j, fit.Y, local.r)
            for c in range(K):
                local.x[c] = fit.H[j * K + c]
            update(local.r, block.G, block.inverse, local.x, local.y, SWEEPS_H, penalties.l1_H)
            for c in range(K):
                fit.H[j * K + c] = local.x[c]
            add_row(local.q, local.x)
        reduce_gram(block, local.q, block.GH, block.sums, t)

    @cuda.jit(device=True)
    def extrapolate(fit, block, local, penalties, momentum, ceiling, t):
        """Update W, and what the next H is fitted to; return the momentum and its ceiling.

        See `least_squares.extrapolate`.
        """
        m = len(fit.row_mass)
        prepare_W(block, penalties.l2_W, t)
        turn = 0.0
        for i in range(t, m, T):
            update_row(fit, block, local, i, penalties.l1_W)
            for c in range(K):
                e = i * K + c
                turn += float((fit.Y[e] - local.x[c]) * (local.x[c] - fit.W[e]))
                fit.new[e] = local.x[c]
        reach = 0.0
        if total_of(block.wide, turn, t) > 0:
            ceiling = momentum
            momentum = momentum / SHRINK
        else:
            reach = momentum
            ceiling = min(1.0, GROW_LIMIT * ceiling)
            momentum = min(ceiling, GROW * momentum)
        for i in range(t, m, T):
            for c in range(K):
                e = i * K + c
                value = fit.new[e] + F(reach) * (fit.new[e] - fit.W[e])
                fit.W[e] = fit.new[e]
                fit.Y[e] = ZERO if value < ZERO else value
        cuda.syncthreads()
        return momentum, ceiling

    return look_ahead, update_W, update_H, extrapolate
