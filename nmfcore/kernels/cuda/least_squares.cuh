// The half-steps of least squares, plain and extrapolated; as `kernels.least_squares` defines them. Between barriers a
// thread works on rows t, t + THREADS, ... of either factor, so that it needs no barrier to read what it wrote there.
#pragma once
#include "products.cuh"
#include "update.cuh"

// The extrapolation's reach and its ceiling, and how they change: see `rules.hals`.
struct Momentum {
    double reach = 0.5, ceiling = 1.0;
};

// Update W for this H, and write its Gram matrix to GW.
__device__ inline void update_W(const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties) {
    const Step step(block.GH, penalties.l1_W, penalties.l2_W);
    Gram part;
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        Row x = fit.W[i];
        step(x, fit.A[i], SWEEPS_W);
        fit.W[i] = x;
        part.add(x);
    }
    part.finish(fit.W, given.m, block, block.GW, block.W_sums);
}

// Update H for what it is fitted to, whose Gram matrix is GW, and write H's to GH.
__device__ inline void update_H(const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties) {
    const Step step(block.GW, penalties.l1_H, penalties.l2_H);
    Gram part;
    with_columns(given, fit.counts, fit.Y, [&](int j, const Row &r) {
        Row x = fit.H[j];
        step(x, r, SWEEPS_H);
        fit.H[j] = x;
        part.add(x);
    });
    part.finish(fit.H, given.columns, block, block.GH, block.H_sums);
}

// Update W, and choose what the next H is fitted to. At `first` that is what W becomes with the H that is given, and W
// stays.
__device__ inline void extrapolate(
    const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties, Momentum &momentum, bool first) {
    const double SHRINK = 1.5, GROW = 1.05, GROW_LIMIT = 1.01;
    const Step step(block.GH, penalties.l1_W, penalties.l2_W);
    REAL turn[1] = {0};
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        const Row y = fit.Y[i], old = fit.W[i];
        Row x = y;
        step(x, fit.A[i], SWEEPS_W);
#pragma unroll
        for (int c = 0; c < K; c++) turn[0] += (y.c[c] - x.c[c]) * (x.c[c] - old.c[c]);
        fit.others[i] = x;
    }
    totals_of(turn, block.scratch);
    REAL reach = 0;
    if (first) {
        // Nothing to extrapolate.
    } else if (turn[0] > 0) {
        momentum.ceiling = momentum.reach;
        momentum.reach /= SHRINK;
    } else {
        reach = (REAL)momentum.reach;
        const double ceiling = GROW_LIMIT * momentum.ceiling, grown = GROW * momentum.reach;
        momentum.ceiling = ceiling < 1 ? ceiling : 1;
        momentum.reach = grown < momentum.ceiling ? grown : momentum.ceiling;
    }
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        const Row x = fit.others[i], old = fit.W[i];
        Row ahead;
#pragma unroll
        for (int c = 0; c < K; c++) ahead.c[c] = at_least(0, x.c[c] + reach * (x.c[c] - old.c[c]));
        if (!first) fit.W[i] = x;
        fit.Y[i] = ahead;
    }
}

// Iteration 0 of an extrapolated run is what comes before the first.
__device__ inline void iterate_least_squares(
    const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties, Momentum &momentum, int iteration) {
    if (iteration > 0) {
        if (EXTRAPOLATED)
            gram(fit.Y, given.m, block, block.GW, block.W_sums);
        else
            update_W(given, fit, block, penalties);
        update_H(given, fit, block, penalties);
        multiply_rows(given, fit.counts, fit.H, fit.A);
        BARRIER(12);
    }
    if (EXTRAPOLATED) extrapolate(given, fit, block, penalties, momentum, iteration == 0);
}
