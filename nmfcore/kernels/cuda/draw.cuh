// Random numbers, any of which can be had without the others: the counts of a replicate, and random starts.
#pragma once
#include "block.cuh"

// SplitMix64 (Steele, Lea & Flood 2014), as `kernels.sampling` uses it.
constexpr u64 GOLDEN = 0x9E3779B97F4A7C15ull, FIRST = 0xBF58476D1CE4E5B9ull, SECOND = 0x94D049BB133111EBull;
constexpr u32 LOW = 0xFFFFFFFFu;
// Thresholds of a weight, how many of them are compared for every star, and what an excess star's weight is held against.
enum { THRESHOLDS = 13, USUAL = 5, MOST = 16 };

__device__ inline u64 mix(u64 z) {
    z = (z ^ (z >> 30)) * FIRST;
    z = (z ^ (z >> 27)) * SECOND;
    return z ^ (z >> 31);
}

__device__ inline u64 stream(u64 seed, u64 number) { return mix(mix(seed + GOLDEN) ^ mix(number * FIRST + SECOND)); }

// The state of a random start, and entry number `entry` of it; see `initialise.half_normals`.
__device__ inline u64 start_stream(u64 seed, u64 number, u64 start) {
    return mix(stream(seed, number) ^ mix(start * FIRST + SECOND));
}

__device__ inline float half_normal(u64 state, u64 entry) {
    const u64 z = mix(state + (entry + 1) * GOLDEN);
    const int total = (int)((z & 0xFFFF) + ((z >> 16) & 0xFFFF) + ((z >> 32) & 0xFFFF) + (z >> 48)) - 131070;
    return (float)(total < 0 ? -total : total) * (float)(1.7320508075688772 / 65536);
}

// Add to a count, whatever its type. Small ones are parts of words: there is no smaller atomic addition. None overflows.
__device__ inline void add_to(float *count, int slot, int number) { atomicAdd(count + slot, (float)number); }
__device__ inline void add_to(double *count, int slot, int number) { atomicAdd(count + slot, (double)number); }
__device__ inline void add_to(u8 *count, int slot, int number) {
    atomicAdd((u32 *)count + slot / 4, (u32)number << 8 * (slot % 4));
}
__device__ inline void add_to(u16 *count, int slot, int number) {
    atomicAdd((u32 *)count + slot / 2, (u32)number << 16 * (slot % 2));
}

__device__ inline void add_star(const Arguments &given, COUNT *counts, int star, int number) {
#pragma unroll 1
    for (int image = 0; image < given.images; image++) {
        const int slot = given.star_slot[(size_t)star * given.images + image];
        if (slot >= 0) add_to(counts, slot, number);
    }
}

__device__ inline int weight_of(const u32 *thresholds, u32 half) {
    int weight = 0;
#pragma unroll
    for (int c = 0; c < USUAL; c++) weight += half >= thresholds[c];
    if (weight == USUAL)
#pragma unroll 1
        for (int c = USUAL; c < THRESHOLDS; c++) weight += half >= thresholds[c];
    return weight;
}

// The half of a random number that is a star's own.
__device__ inline u32 half_of(u64 z, int star) { return star % 2 == 0 ? (u32)(z >> 32) : (u32)z; }

// The star that a random number of the second kind names.
__device__ inline int star_of(u64 z, int stars) { return (int)(((z >> 32) * (u64)stars) >> 32); }

// The weight that `star` has left before output number `last` of the excess: its own, less what outputs from `first` on
// took of it. The star's few outputs are found by the whole warp, then replayed.
__device__ inline int weight_left(const Arguments &given, u64 state, int star, u64 first, u64 last) {
    const u64 own = mix(state + (u64)(star / 2 + 1) * GOLDEN);
    int weight = weight_of(given.thresholds, half_of(own, star));
#pragma unroll 1
    for (u64 i = first; i < last; i += 32) {
        const u64 mine = i + threadIdx.x % 32;
        bool same = false, low = false;
        u32 level = 0;
        if (mine < last) {
            const u64 z = mix(state + mine * GOLDEN);
            same = star_of(z, given.stars) == star;
            level = (u32)(((z & LOW) * MOST) >> 32);
        }
        const u32 found = __ballot_sync(ALL, same);
#pragma unroll 1
        for (int lane = 0; lane < 32 && found >> lane; lane++)
            if (found >> lane & 1) {
                low = (int)__shfl_sync(ALL, level, lane) < weight;
                weight -= low;
            }
    }
    return weight;
}

// Take stars away at random until the weights' sum is down from `total` to the number of stars; by one warp.
__device__ inline void trim(const Arguments &given, COUNT *counts, u64 state, u64 first, int total) {
#pragma unroll 1
    for (u64 i = first; total > given.stars; i++) {
        const u64 z = mix(state + i * GOLDEN);
        const int star = star_of(z, given.stars), level = (int)(((z & LOW) * MOST) >> 32);
        if (level < weight_left(given, state, star, first, i)) {
            if (threadIdx.x % 32 == 0) add_star(given, counts, star, -1);
            total--;
        }
    }
}

// Floyd's draws depend on those before them, but within a bin alone: a thread takes whole bins.
__device__ inline void delete_stars(const Arguments &given, COUNT *counts, u64 state, u8 *there) {
#pragma unroll 1
    for (int b = threadIdx.x; b < given.number_of_bins; b += THREADS) {
        const u32 begin = given.bins[b], size = given.bins[b + 1] - begin, drops = given.drops[b];
#pragma unroll 1
        for (u32 place = begin; place < begin + size; place++) there[given.order[place]] = 1;
#pragma unroll 1
        for (u32 drop = 0; drop < drops; drop++) {
            const u32 top = size - drops + drop;
            const u64 z = mix(state + (u64)(given.drops_before[b] + drop + 1) * GOLDEN);
            u32 star = given.order[begin + (u32)(((z >> 32) * (u64)(top + 1)) >> 32)];
            if (!there[star]) star = given.order[begin + top];
            there[star] = 0;
        }
#pragma unroll 1
        for (u32 place = begin; place < begin + size; place++)
            if (there[given.order[place]]) add_star(given, counts, (int)given.order[place], 1);
    }
}

// Draw the counts of a job, bit for bit those of `kernels.sampling`; ends with a barrier.
__device__ inline void draw_counts(const Arguments &given, int job, COUNT *counts, double *wide) {
    const int t = threadIdx.x, stars = given.stars;
    const int slots = (int)given.slice_start[(given.columns + 31) / 32];
#pragma unroll 1
    for (int p = t; p < slots / (int)(16 / sizeof(COUNT)); p += THREADS) ((uint4 *)counts)[p] = make_uint4(0, 0, 0, 0);
    const u64 state = stream(given.draw_seed, given.draw_first + given.replicate[job]);
    BARRIER(8);
    if (DRAWN == DELETION) {
        delete_stars(given, counts, state, given.there + (size_t)job * stars);
    } else {
        int mine = 0;
        const int pairs = (stars + 1) / 2;
#pragma unroll 1
        for (int pair = t; pair < pairs; pair += THREADS) {
            const u64 z = mix(state + (u64)(pair + 1) * GOLDEN);
#pragma unroll 1
            for (int star = 2 * pair; star < 2 * pair + 2 && star < stars; star++) {
                const int weight = weight_of(given.thresholds, half_of(z, star));
                if (weight) add_star(given, counts, star, weight);
                mine += weight;
            }
        }
        if (DRAWN == MULTINOMIAL) {
            const int total = (int)total_of(mine, wide);
#pragma unroll 1
            for (int more = t; more < stars - total; more += THREADS)
                add_star(given, counts, star_of(mix(state + (u64)(pairs + more + 1) * GOLDEN), stars), 1);
            if (total > stars && t < 32) trim(given, counts, state, (u64)(pairs + 1), total);
        }
    }
    BARRIER(9);
}
