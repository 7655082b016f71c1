// What a block is made of, and its sums and maxima: each in an order of its own, so that no result depends on scheduling.
#pragma once
#include "interface.cuh"

#ifndef BLOCKS
#define BLOCKS 1
#endif
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) u8 name[]
#endif
#ifndef WITHOUT
#define WITHOUT 0
#endif
// Barriers have numbers so that tests can compile the code without one of them, which must not go unnoticed.
#define BARRIER(number)                         \
    do {                                        \
        if ((number) != WITHOUT) __syncthreads(); \
    } while (0)

enum {
    WARPS = THREADS / 32,
    SQUARES = K * (K + 1) / 2,
    SUMS = SQUARES + K,
    NUMBERS = SUMS < 8 ? 8 : SUMS,  // of each warp in `scratch`
    // Components whose Gram matrix a thread holds in registers.
    FEW = 4,
    DIVERGENCE = KIND == NEWTON || KIND == KL_MU,
    SHORTS = KIND == ACCELERATED ? 6 : DIVERGENCE ? 3 : EXTRAPOLATED ? 4 : 2,
    ROW_BYTES = K * (int)sizeof(REAL),
    ROW_ALIGNMENT = (ROW_BYTES & -ROW_BYTES) < 16 ? (ROW_BYTES & -ROW_BYTES) : 16
};
constexpr u32 ALL = 0xFFFFFFFFu;

// One row of a factor, components last: what moves between registers and memory at once.
struct alignas(ROW_ALIGNMENT) Row {
    REAL c[K];
};

// Small matrices and sums of a block.
struct Block {
    double wide[WARPS];
    REAL scratch[WARPS * NUMBERS];
    REAL GW[K * K];  // Gram matrices
    REAL GH[K * K];
    REAL W_sums[K];
    REAL H_sums[K];
    REAL scale[K];
};

// One replicate and its factors.
struct Fit {
    const COUNT *counts;
    Row *W;
    Row *A;       // V @ H.T
    Row *Y;       // what H is fitted to: W, or its extrapolation
    Row *others;  // the short arrays that follow
    Row *H;
    Row *W_before;  // unit-sum factors at the check before
    Row *H_before;
    REAL *row_mass;  // sums of V over columns
};

struct Penalties {
    REAL l1_W, l2_W, l1_H, l2_H;
    bool any;
};

__device__ inline REAL larger(REAL a, REAL b) { return a > b ? a : b; }
__device__ inline REAL at_least(REAL least, REAL x) { return x < least ? least : x; }
__device__ inline REAL or_one(REAL x) { return x > 0 ? x : (REAL)1; }
__device__ inline float root(float x) { return sqrtf(x); }
__device__ inline double root(double x) { return sqrt(x); }
__device__ inline double or_one_wide(double x) { return x > 0 ? x : 1.0; }

template <typename Numbers> __device__ inline Numbers zeros() {
    Numbers x;
#pragma unroll
    for (int c = 0; c < (int)(sizeof(Numbers) / sizeof(REAL)); c++) x.c[c] = 0;
    return x;
}

// The first lane gets the sum.
template <typename T> __device__ inline T warp_total(T x) {
#pragma unroll 1
    for (int step = 16; step > 0; step /= 2) x += __shfl_down_sync(ALL, x, step);
    return x;
}

// Every thread gets the block's sum; `wide` has room for WARPS numbers.
__device__ inline double total_of(double x, double *wide) {
    x = warp_total(x);
    if (threadIdx.x % 32 == 0) wide[threadIdx.x / 32] = x;
    BARRIER(1);
    double sum = 0;
    for (int w = 0; w < WARPS; w++) sum += wide[w];
    BARRIER(2);
    return sum;
}

// The first lane gets the warp's sums of the first TOTALS of several numbers, and maxima of the others. NaN may pass a
// maximum by. The numbers take each step side by side: one step's code serves for all.
template <int TOTALS, int N> __device__ inline void combine_in_warp(REAL (&x)[N], int lanes = 32) {
#pragma unroll 1
    for (int step = lanes / 2; step > 0; step /= 2) {
#pragma unroll
        for (int e = 0; e < N; e++) {
            const REAL other = __shfl_down_sync(ALL, x[e], step);
            x[e] = e < TOTALS ? x[e] + other : larger(x[e], other);
        }
    }
}

// The same for the block, in place of each thread's numbers.
template <int TOTALS, int N> __device__ inline void combine(REAL (&x)[N], REAL *scratch) {
    static_assert(N <= (int)NUMBERS, "scratch is too small");
    combine_in_warp<TOTALS>(x);
#pragma unroll
    for (int e = 0; e < N; e++)
        if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32 * N + e] = x[e];
    BARRIER(3);
#pragma unroll
    for (int e = 0; e < N; e++) {
        x[e] = scratch[e];
        for (int w = 1; w < WARPS; w++) {
            const REAL other = scratch[w * N + e];
            x[e] = e < TOTALS ? x[e] + other : larger(x[e], other);
        }
    }
    BARRIER(4);
}
template <int N> __device__ inline void largest_of(REAL (&x)[N], REAL *scratch) { combine<0>(x, scratch); }
template <int N> __device__ inline void totals_of(REAL (&x)[N], REAL *scratch) { combine<N>(x, scratch); }

// Write the sums of the columns of `factor` (count, K), whose rows t, t + THREADS, ... this thread wrote, to `sums`.
__device__ inline void column_sums(const Row *factor, int count, Block &block, REAL *sums) {
    Row mine = zeros<Row>();
#pragma unroll 1
    for (int i = threadIdx.x; i < count; i += THREADS) {
        const Row x = factor[i];
#pragma unroll
        for (int c = 0; c < K; c++) mine.c[c] += x.c[c];
    }
    combine_in_warp<K>(mine.c);
#pragma unroll
    for (int c = 0; c < K; c++)
        if (threadIdx.x % 32 == 0) block.scratch[threadIdx.x / 32 * K + c] = mine.c[c];
    BARRIER(10);
    for (int c = threadIdx.x; c < K; c += THREADS) {
        REAL x = block.scratch[c];
        for (int w = 1; w < WARPS; w++) x += block.scratch[w * K + c];
        sums[c] = x;
    }
    BARRIER(11);
}

// The Gram matrix of a factor and the sums of its columns: a thread adds its rows, then the block adds up the threads.
struct Gram {
#if K <= 4
    REAL q[SUMS];
    __device__ Gram() {
#pragma unroll
        for (int e = 0; e < SUMS; e++) q[e] = 0;
    }
    __device__ void add(const Row &x) {
#pragma unroll
        for (int c = 0; c < K; c++) {
#pragma unroll
            for (int d = 0; d <= c; d++) q[c * (c + 1) / 2 + d] += x.c[c] * x.c[d];
            q[SQUARES + c] += x.c[c];
        }
    }
#else
    // So many sums do not fit into registers: `finish` reads the factor again for each of its rows.
    __device__ void add(const Row &) {}
#endif

    // Write the matrix of `factor` (count, K), whose rows were added as t, t + THREADS, ... or by `add` in any way, to G
    // and the sums to `sums`. All threads may read both when it returns; none may still read the old ones by the time
    // that all have come here.
    __device__ void finish(const Row *factor, int count, Block &block, REAL *G, REAL *sums) {
        const int t = threadIdx.x;
        REAL *mine = block.scratch + t / 32 * SUMS;
#if K <= 4
        combine_in_warp<SUMS>(q);
#pragma unroll
        for (int e = 0; e < SUMS; e++)
            if (t % 32 == 0) mine[e] = q[e];
#else
        for (int c = 0; c < K; c++) {
            Row products = zeros<Row>();
            REAL sum = 0;
#pragma unroll 1
            for (int i = t; i < count; i += THREADS) {
                const Row x = factor[i];
                const REAL entry = ((const REAL *)(factor + i))[c];
#pragma unroll
                for (int d = 0; d < K; d++) products.c[d] += entry * x.c[d];
                sum += entry;
            }
            combine_in_warp<K>(products.c);
#pragma unroll
            for (int d = 0; d < K; d++)
                if (t % 32 == 0 && d <= c) mine[c * (c + 1) / 2 + d] = products.c[d];
            sum = warp_total(sum);
            if (t % 32 == 0) mine[SQUARES + c] = sum;
        }
#endif
        BARRIER(6);
        for (int e = t; e < SUMS; e += THREADS) {
            REAL x = block.scratch[e];
            for (int w = 1; w < WARPS; w++) x += block.scratch[w * SUMS + e];
            if (e >= SQUARES) {
                sums[e - SQUARES] = x;
            } else {
                int c = 0, first = 0;
                while (first + c < e) first += ++c;
                G[c * K + e - first] = x;
                G[(e - first) * K + c] = x;
            }
        }
        BARRIER(7);
    }
};

__device__ inline void gram(const Row *factor, int count, Block &block, REAL *G, REAL *sums) {
    Gram part;
    if (K <= FEW)
#pragma unroll 1
        for (int i = threadIdx.x; i < count; i += THREADS) part.add(factor[i]);
    part.finish(factor, count, block, G, sums);
}
