// The update of one row of a factor by least squares; as `kernels.least_squares` defines it.
#pragma once
#include "block.cuh"

constexpr REAL TINY = (REAL)(sizeof(REAL) == 4 ? 1.1754943508222875e-38 : 2.2250738585072014e-308);
constexpr REAL EPS = (REAL)(sizeof(REAL) == 4 ? 1.1920928955078125e-07 : 2.220446049250313e-16);
// `multiplicative.ROOM` and `losses.FLOOR`: the least positive entry, and what stands for a denominator of zero.
constexpr REAL LEAST = 1024 * TINY, FLOOR = (REAL)1.1920928955078125e-07;
// `rules.newton`.
constexpr REAL KEPT = (REAL)0.1, NEGLIGIBLE = (REAL)1e-8;

// What the rows of one factor are updated by: the Gram matrix of the other one, in registers where it is small.
struct Step {
#if K <= 4
    REAL g[K * K];
    __device__ REAL at(int c, int d) const { return g[c * K + d]; }
#else
    const REAL *g;
    __device__ REAL at(int c, int d) const { return g[c * K + d]; }
#endif
    REAL inverse[KIND == SWEEPS ? K : 3];
    REAL l1;

    __device__ Step(const REAL *G, REAL shrink, REAL l2) : l1(shrink) {
#if K <= 4
#pragma unroll
        for (int e = 0; e < K * K; e++) g[e] = G[e] + (e % (K + 1) == 0 ? l2 : (REAL)0);
#else
        g = G;
#endif
        ridge = K <= FEW ? (REAL)0 : l2;
        if (KIND == SWEEPS) {
#pragma unroll
            for (int c = 0; c < K; c++) {
                const REAL sum = at(c, c) + ridge;
                inverse[c] = sum > 0 ? 1 / at_least(TINY, sum) : (REAL)0;
            }
        }
#if K == 2
        if (KIND == RANK2 || KIND == ACCELERATED) {
            const REAL product = g[0] * g[3], determinant = product - g[1] * g[1];
            inverse[0] = 1 / at_least(TINY, g[0]);
            inverse[1] = 1 / at_least(TINY, g[3]);
            inverse[2] = determinant > product * (16 * EPS) ? 1 / at_least(TINY, determinant) : (REAL)0;
        }
#endif
    }

    // Update the row x, whose product with the data is r.
    __device__ void operator()(Row &x, const Row &r, int sweeps) const {
#if K == 2
        if (KIND == RANK2 || KIND == ACCELERATED) {
            const REAL r0 = r.c[0] - l1, r1 = r.c[1] - l1;
            const REAL only0 = g[0] > 0 ? at_least(0, r0 * inverse[0]) : x.c[0];
            const REAL only1 = g[3] > 0 ? at_least(0, r1 * inverse[1]) : x.c[1];
            const REAL y0 = (g[3] * r0 - g[1] * r1) * inverse[2], y1 = (g[0] * r1 - g[1] * r0) * inverse[2];
            const bool both = y0 > 0 && y1 > 0, second = only0 * r0 - only1 * r1 < 0;
            x.c[0] = both ? y0 : second ? (REAL)0 : only0;
            x.c[1] = both ? y1 : second ? only1 : (REAL)0;
            return;
        }
#endif
        for (int sweep = 0; sweep < sweeps; sweep++) {
            if (KIND == MU) {
                Row y;
#pragma unroll
                for (int c = 0; c < K; c++) {
                    REAL denominator = l1 + ridge * x.c[c];
#pragma unroll
                    for (int d = 0; d < K; d++) denominator += at(c, d) * x.c[d];
                    const REAL value = r.c[c] / (denominator > 0 ? denominator : FLOOR) * x.c[c];
                    y.c[c] = at_least(r.c[c] > 0 && x.c[c] > 0 ? LEAST : (REAL)0, value);
                }
                x = y;
            } else {
#pragma unroll
                for (int c = 0; c < K; c++) {
                    REAL residual = r.c[c] - l1;
#pragma unroll
                    for (int d = 0; d < K; d++)
                        if (d != c) residual -= at(c, d) * x.c[d];
                    if (inverse[c] > 0) x.c[c] = at_least(0, residual * inverse[c]);
                }
            }
        }
    }

    REAL ridge;
};
