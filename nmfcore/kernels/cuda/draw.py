"""The resampling on GPUs: the numbers of `sampling.draw`, by as many threads as there are."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import cuda

from .. import sampling
from ..sampling import DELETE, FIRST, GOLDEN, MULTINOMIAL, POISSON, SECOND

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
