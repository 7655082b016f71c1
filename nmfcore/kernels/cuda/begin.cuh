// What lies where, how a job enters its block, and how its factors leave it.
#pragma once
#include "draw.cuh"
#include "products.cuh"
#include "update.cuh"

__device__ inline size_t rounded_up(size_t bytes) { return (bytes + 15) / 16 * 16; }
__device__ inline size_t in_fours(size_t count) { return (count + 3) / 4 * 4; }

// Say where the arrays of a job lie: see interface.cuh.
__device__ inline Fit place(const Arguments &given, u8 *shared, int job) {
    Fit fit;
    const size_t m = given.m, columns = given.columns, slots = given.slice_start[(given.columns + 31) / 32];
    REAL *work = given.work + job * given.work_size;
    fit.H_before = (Row *)work;
    work += in_fours(columns * K);
    fit.W_before = (Row *)work;
    work += in_fours(m * K);
    fit.row_mass = work;
    work += in_fours(m);
    if (SHORT_SHARED) {
        fit.W = (Row *)shared;
        shared += rounded_up(SHORTS * m * sizeof(Row));
    } else {
        fit.W = (Row *)work;
    }
    fit.A = fit.W + m;
    fit.Y = EXTRAPOLATED ? fit.A + m : fit.W;
    fit.others = fit.A + (EXTRAPOLATED ? 2 : 1) * m;
    if (H_SHARED) {
        fit.H = (Row *)shared;
        shared += rounded_up(columns * sizeof(Row));
    } else {
        fit.H = (Row *)given.H + job * columns;
    }
    if (COUNTS_SHARED)
        fit.counts = (const COUNT *)shared;
    else
        fit.counts = given.counts + (DRAWN ? job : given.replicate[job]) * slots;
    return fit;
}

// Put the counts of a job in place; they may be read when this returns.
__device__ inline void take_counts(const Arguments &given, const Fit &fit, Block &block, int job) {
#if DRAWN
    draw_counts(given, job, (COUNT *)fit.counts, block.wide);
#elif COUNTS_SHARED
    const u32 slots = given.slice_start[(given.columns + 31) / 32];
    const uint4 *source = (const uint4 *)(given.counts + (size_t)given.replicate[job] * slots);
#pragma unroll 1
    for (u32 p = threadIdx.x; p < slots / (16 / sizeof(COUNT)); p += THREADS) ((uint4 *)fit.counts)[p] = source[p];
    BARRIER(18);
#endif
}

struct Single {
    REAL c[1];
};

// Write the sums of V over columns, and return the sum of V.
__device__ inline double add_rows(const Arguments &given, const Fit &fit, Block &block) {
    const COUNT *counts = fit.counts;
    double total = 0;
    with_rows<Single, 1>(
        given, [=](int, Single &sum, u32 slot, u32) { sum.c[0] += (REAL)counts[slot]; },
        [&](int i, Single &sum, int lanes, bool writes) {
            combine_in_warp<1>(sum.c, lanes);
            if (writes) {
                fit.row_mass[i] = sum.c[0];
                total += (double)sum.c[0];
            }
        });
    return total_of(total, block.wide);
}

// One row of the start of H or of W.
struct Start {
    u64 state;
    double size;
    int source;
    bool fitted;

    __device__ Start(const Arguments &given, int job, double mass) : state(0), size(0), source(given.source[job]) {
        fitted = source < 0 && given.fitted;
        if (source >= 0) return;
        state = start_stream(given.start_seed, given.number[job], (u64)given.start[job]);
        size = sqrt(mass / ((double)given.m * (double)given.n * K));
    }
    __device__ void write_W(const Arguments &given, int i, Row *row) const {
#pragma unroll 1
        for (int c = 0; c < K; c++)
            ((REAL *)row)[c] = source >= 0 ? given.W0[((size_t)source * given.m + i) * K + c]
                                           : (REAL)(size * (double)half_normal(state, (u64)i * K + c));
    }
    __device__ void write_H(const Arguments &given, int j, bool filled, Row *row) const {
#pragma unroll 1
        for (int c = 0; c < K; c++) {
            REAL x = 0;
            if (source >= 0)
                x = given.H0[((size_t)source * K + c) * given.columns + j];
            else if (filled && !fitted)
                x = (REAL)(size * (double)half_normal(state, (u64)given.m * K + (u64)c * given.n + given.column[j]));
            ((REAL *)row)[c] = x;
        }
    }
};

// Put the start of a job in place, and return the sum of V. What has no data becomes zero, but counts in the first update
// of W.
__device__ inline REAL begin(const Arguments &given, const Fit &fit, Block &block, int job) {
    const int t = threadIdx.x;
    take_counts(given, fit, block, job);
    const double mass = add_rows(given, fit, block);
    const Start start(given, job, mass);
#pragma unroll 1
    for (int j = t; j < given.columns; j += THREADS)
        start.write_H(given, j, column_mass(given, fit.counts, j) > 0, fit.H + j);
    gram(fit.H, given.columns, block, block.GH, block.H_sums);
    multiply_rows<1>(given, fit.counts, fit.H, fit.A);
    if (start.source >= 0) {
        const double *extra = given.extra + (size_t)start.source * (K + 1) * K;
#pragma unroll 1
        for (int e = t; e < K * K; e += THREADS) block.GH[e] += (REAL)extra[e];
#pragma unroll 1
        for (int c = t; c < K; c += THREADS) block.H_sums[c] += (REAL)extra[K * K + c];
    }
    BARRIER(19);
    REAL scale[K];
#pragma unroll
    for (int c = 0; c < K; c++) scale[c] = or_one(block.H_sums[c]);
#pragma unroll 1
    for (int j = t; j < given.columns; j += THREADS) {
        Row x = fit.H[j];
        if (!(column_mass(given, fit.counts, j) > 0)) fit.H[j] = zeros<Row>();
#pragma unroll
        for (int c = 0; c < K; c++) x.c[c] /= scale[c];
        fit.H_before[j] = x;
    }
#pragma unroll 1
    for (int i = t; i < given.m; i += THREADS) {
        start.write_W(given, i, fit.W + i);
        Row x = fit.W[i];
        const Row kept = fit.row_mass[i] > 0 ? x : zeros<Row>();
        fit.W[i] = kept;
        if (EXTRAPOLATED) fit.Y[i] = kept;
#pragma unroll
        for (int c = 0; c < K; c++) x.c[c] *= scale[c];
        fit.W_before[i] = x;
    }
    // Least squares goes on with a thread's own rows.
    if (DIVERGENCE) BARRIER(5);
    return (REAL)mass;
}

// What levels W when multiplied by it, and H when divided, to block.scale; `nmfcore.balance` defines it.
__device__ inline void level(const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties) {
    gram(fit.W, given.m, block, block.GW, block.W_sums);
    gram(fit.H, given.columns, block, block.GH, block.H_sums);
    const bool free = !penalties.any && (given.tol > 0 || KIND == ACCELERATED);
#pragma unroll 1
    for (int c = threadIdx.x; c < K; c += THREADS) {
        const REAL w = block.GW[c * K + c], h = block.GH[c * K + c];
        block.scale[c] = free && w > 0 && h > 0 ? sqrt(sqrt(h / w)) : (REAL)1;
    }
    BARRIER(21);
}

// Write the factors out levelled, with zeros for what multiplicative updates hold just above.
__device__ inline void leave(const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties, int job) {
    level(given, fit, block, penalties);
    Row *W = (Row *)given.W + (size_t)job * given.m, *H = (Row *)given.H + (size_t)job * given.columns;
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        Row x = fit.W[i];
#pragma unroll
        for (int c = 0; c < K; c++) {
            x.c[c] *= block.scale[c];
            x.c[c] = x.c[c] <= LEAST ? (REAL)0 : x.c[c];
        }
        W[i] = x;
    }
#pragma unroll 1
    for (int j = threadIdx.x; j < given.columns; j += THREADS) {
        Row x = fit.H[j];
#pragma unroll
        for (int c = 0; c < K; c++) {
            x.c[c] /= block.scale[c];
            x.c[c] = x.c[c] <= LEAST ? (REAL)0 : x.c[c];
        }
        H[j] = x;
    }
}
