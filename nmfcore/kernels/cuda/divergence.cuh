// The half-steps for the Kullback-Leibler divergence; as `kernels.kullback_leibler` defines them.
#pragma once
#include "products.cuh"
#include "update.cuh"

// Both numbers are ordinary: see `reconstruct`.
__device__ inline float quotient(float a, float b) { return __fdividef(a, b); }
__device__ inline double quotient(double a, double b) { return a / b; }

// W @ H in one cell, no less than FLOOR.
__device__ inline REAL reconstruct(const Row &w, const Row &h) {
    REAL x = w.c[0] * h.c[0];
#pragma unroll
    for (int c = 1; c < K; c++) x += w.c[c] * h.c[c];
    return at_least(FLOOR, x);
}

// What the data add to the negative slope by one component of a row, and to its derivative.
struct Curve {
    REAL c[2];
};

// Call work(j, r) for every column j of this thread, r the column of W.T @ (V / (W @ H)).
template <typename Work> __device__ inline void with_pulls(const Arguments &given, const Fit &fit, Work work) {
    for (int j = threadIdx.x; j < given.columns; j += THREADS) {
        Row r = zeros<Row>();
        const Row h = fit.H[j];
        const u32 end = given.slice_start[j / 32 + 1];
        for (u32 p = given.slice_start[j / 32] + j % 32; p < end; p += 32) {
            const Row w = fit.W[given.slot_row[p]];
            const REAL value = quotient((REAL)fit.counts[p], reconstruct(w, h));
#pragma unroll
            for (int c = 0; c < K; c++) r.c[c] += value * w.c[c];
        }
        work(j, r);
    }
}

// Call work(i, r) for every row i, by one lane of its warp: r is the row of (V / (W @ H)) @ H.T.
template <typename Work> __device__ inline void with_row_pulls(const Arguments &given, const Fit &fit, Work work) {
    const COUNT *counts = fit.counts;
    const Row *W = fit.W, *H = fit.H;
    with_rows<Row>(
        given,
        [=](int i, Row &sum, u32 slot, u32 column) {
            const Row h = H[column];
            const REAL value = quotient((REAL)counts[slot], reconstruct(W[i], h));
#pragma unroll
            for (int c = 0; c < K; c++) sum.c[c] += value * h.c[c];
        },
        [&](int i, Row &sum, int lanes, bool works) {
            combine_in_warp<K>(sum.c, lanes);
            if (works) work(i, sum);
        });
}

// Update one row by the multiplicative rule: `pull` is the negative half of its gradient, `up` the positive one.
__device__ inline void multiply(Row &x, const Row &pull, const REAL *up, REAL l1, REAL l2) {
#pragma unroll
    for (int c = 0; c < K; c++) {
        const REAL positive = up[c] + l1 + l2 * x.c[c];
        const REAL value = pull.c[c] / (positive > 0 ? positive : FLOOR) * x.c[c];
        x.c[c] = at_least(pull.c[c] > 0 && x.c[c] > 0 ? LEAST : (REAL)0, value);
    }
}

// One entry after Newton's step; see `rules.newton`.
__device__ inline REAL newton(REAL old, REAL up, const Curve &curve, REAL threshold, REAL l1, REAL l2) {
    const REAL slope = up - curve.c[0] + l1 + l2 * old, total = curve.c[1] + l2;
    const REAL kept = threshold < old ? KEPT * old : (REAL)0;
    return total > 0 ? at_least(kept, old - slope / total) : slope > 0 ? kept : old;
}

// The sizes at which entries of each component are so small that they may fall to zero.
__device__ inline void thresholds(const Row *factor, int count, Block &block, REAL (&least)[K]) {
#pragma unroll
    for (int c = 0; c < K; c++) least[c] = 0;
#pragma unroll 1
    for (int i = threadIdx.x; i < count; i += THREADS) {
        const Row x = factor[i];
#pragma unroll
        for (int c = 0; c < K; c++) least[c] = larger(x.c[c], least[c]);
    }
    largest_of(least, block.scratch);
#pragma unroll
    for (int c = 0; c < K; c++) least[c] *= NEGLIGIBLE;
}

__device__ inline void newton_rows(
    const Arguments &given, const Fit &fit, const Block &block, int c, REAL threshold, const Penalties &penalties) {
    const COUNT *counts = fit.counts;
    const Row *W = fit.W, *H = fit.H;
    with_rows<Curve>(
        given,
        [=](int i, Curve &sum, u32 slot, u32 column) {
            const Row h = H[column];
            const REAL ahead = quotient(((const REAL *)(H + column))[c], reconstruct(W[i], h));
            const REAL term = (REAL)counts[slot] * ahead;
            sum.c[0] += term;
            sum.c[1] += term * ahead;
        },
        [&](int i, Curve &sum, int lanes, bool writes) {
            combine_in_warp<2>(sum.c, lanes);
            if (writes) {
                REAL *entry = (REAL *)(fit.W + i) + c;
                const REAL value = newton(*entry, block.H_sums[c], sum, threshold, penalties.l1_W, penalties.l2_W);
                *entry = fit.row_mass[i] > 0 ? value : (REAL)0;
            }
        });
}

__device__ inline void newton_columns(
    const Arguments &given, const Fit &fit, const Block &block, const REAL (&least)[K], const Penalties &penalties) {
    for (int j = threadIdx.x; j < given.columns; j += THREADS) {
        const u32 begin = given.slice_start[j / 32] + j % 32, end = given.slice_start[j / 32 + 1];
        Row h = fit.H[j];
#pragma unroll
        for (int c = 0; c < K; c++) {
            Curve sum = zeros<Curve>();
            REAL mass = 0;
            for (u32 p = begin; p < end; p += 32) {
                const Row w = fit.W[given.slot_row[p]];
                const REAL count = (REAL)fit.counts[p], ahead = quotient(w.c[c], reconstruct(w, h));
                mass += count;
                sum.c[0] += count * ahead;
                sum.c[1] += count * ahead * ahead;
            }
            const REAL value = newton(h.c[c], block.W_sums[c], sum, least[c], penalties.l1_H, penalties.l2_H);
            h.c[c] = mass > 0 ? value : (REAL)0;
        }
        fit.H[j] = h;
    }
}

// One iteration: W for the sums of H, then H for those of W.
__device__ inline void iterate_divergence(
    const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties) {
    for (int sweep = 0; sweep < SWEEPS_W; sweep++) {
        if (KIND == KL_MU) {
            with_row_pulls(given, fit, [&](int i, const Row &pull) {
                Row x = fit.W[i];
                multiply(x, pull, block.H_sums, penalties.l1_W, penalties.l2_W);
                fit.W[i] = x;
            });
        } else {
            REAL least[K];
            thresholds(fit.W, given.m, block, least);
#pragma unroll
            for (int c = 0; c < K; c++) {
                newton_rows(given, fit, block, c, least[c], penalties);
                __syncwarp();
            }
        }
        BARRIER(13);
    }
    column_sums(fit.W, given.m, block, block.W_sums);
    for (int sweep = 0; sweep < SWEEPS_H; sweep++) {
        if (KIND == KL_MU) {
            with_pulls(given, fit, [&](int j, const Row &pull) {
                Row x = fit.H[j];
                multiply(x, pull, block.W_sums, penalties.l1_H, penalties.l2_H);
                fit.H[j] = x;
            });
        } else {
            REAL least[K];
            thresholds(fit.H, given.columns, block, least);
            newton_columns(given, fit, block, least, penalties);
        }
    }
    column_sums(fit.H, given.columns, block, block.H_sums);
}

// The divergence, in float64: the block's sum, to every thread.
__device__ inline double divergence_of(const Arguments &given, const Fit &fit, Block &block) {
    const double RANGE = 1e150, LOGS[4] = {0, 0, 1.3862943611198906, 3.295836866004329};  // x log x of 0 to 3
    double total = 0, product = 1;
    for (int j = threadIdx.x; j < given.columns; j += THREADS) {
        const Row h = fit.H[j];
        const u32 end = given.slice_start[j / 32 + 1];
        for (u32 p = given.slice_start[j / 32] + j % 32; p < end; p += 32) {
            const double v = (double)fit.counts[p];
            if (v == 0) continue;
            const Row w = fit.W[given.slot_row[p]];
            double x = 0;
#pragma unroll
            for (int c = 0; c < K; c++) x += (double)w.c[c] * (double)h.c[c];
            x = x < (double)FLOOR ? (double)FLOOR : x;
            total -= v;
            // Most counts are small: a product takes a fraction of a logarithm's time.
            if (v == 1 || v == 2 || v == 3) {
                total += v == 1 ? LOGS[1] : v == 2 ? LOGS[2] : LOGS[3];
                product *= v == 1 ? x : v == 2 ? x * x : x * x * x;
                if (!(product > 1 / RANGE && product < RANGE)) {
                    total -= log(product);
                    product = 1;
                }
            } else {
                total += v * log(v / x);
            }
        }
    }
    total = total_of(total - log(product), block.wide);
    for (int c = 0; c < K; c++) {
        double over_W = 0, over_H = 0;
#pragma unroll 1
        for (int i = threadIdx.x; i < given.m; i += THREADS) over_W += (double)((const REAL *)(fit.W + i))[c];
        for (int j = threadIdx.x; j < given.columns; j += THREADS) over_H += (double)((const REAL *)(fit.H + j))[c];
        total += total_of(over_W, block.wide) * total_of(over_H, block.wide);
    }
    return total;
}
