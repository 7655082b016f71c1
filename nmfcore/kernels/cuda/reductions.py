"""Device functions that add up across a block, each in an order of its own, never in that of arrival."""

from __future__ import annotations

from typing import Any

from numba import cuda

from .build import Build, constants
from .placement import group_size


def totals(build: Build) -> tuple[Any, Any]:
    """Return total_of(wide, x, t) and largest_of(wide, x, t): the block's sum and maximum of x, in float64."""
    T = build.threads

    @cuda.jit(device=True)
    def total_of(wide, x, t):
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

    return total_of, largest_of


def grams(build: Build) -> tuple[Any, Any, Any, Any]:
    """Return the functions that make a Gram matrix and sums: clear, add_row, reduce_gram, and all of it, gram."""
    K, T, GROUP, SQUARES = build.k, build.threads, group_size(build.k), build.k * (build.k + 1) // 2
    SUMS = SQUARES + K
    ZERO = constants(build.dtype).zero

    @cuda.jit(device=True)
    def clear(q):
        for e in range(SUMS):
            q[e] = ZERO

    @cuda.jit(device=True)
    def add_row(q, x):
        """Add a row of a factor to the thread's part of the Gram matrix (packed) and of the sums."""
        for c in range(K):
            for d in range(c + 1):
                q[c * (c + 1) // 2 + d] += x[c] * x[d]
            q[SQUARES + c] += x[c]

    @cuda.jit(device=True)
    def reduce_gram(block, q, G, sums, t):
        """Add up the threads' parts `q`; write the Gram matrix to G and the sums to `sums`."""
        scratch, packed = block.scratch, block.packed
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
    def gram(factor, count, block, local, G, sums, t):
        """Write the Gram matrix of `factor` (count, k) to G and its sums to `sums`."""
        clear(local.q)
        for i in range(t, count, T):
            for c in range(K):
                local.x[c] = factor[i * K + c]
            add_row(local.q, local.x)
        reduce_gram(block, local.q, G, sums, t)

    return clear, add_row, reduce_gram, gram
