// The accelerated exact rule for two components; `nmfcore.AcceleratedRankTwo` defines it.
#pragma once
#include "least_squares.cuh"

// `rules.rank_two`.
constexpr REAL BLUR = 16, NOTHING = 4, PARALLEL = (REAL)1e-5;

// What a run remembers besides its last two points.
struct Trail {
    REAL size;       // the sum at which columns of W are held
    REAL fit = 0;    // what the last point explained of the sum of V^2, halved
    REAL slope = 1;  // the least |change of F| / |change of W| so far
    int depth = 0;   // points remembered
};

// What a step says of the run.
struct Progress {
    REAL change;    // how far W moved since the check before, of its largest entry
    REAL distance;  // how far it may be from its limit by the least slope
    bool finite;
};

constexpr REAL FAR = (REAL)1e30;

// The arrays of a run: the point is fit.W, and fit.A becomes what it is mapped to.
struct Points {
    Row *Y1, *F1, *Y2, *F2;
    __device__ Points(const Fit &fit, int m) : Y1(fit.others), F1(Y1 + m), Y2(F1 + m), F2(Y2 + m) {}
};

__device__ inline REAL held(REAL size, REAL sum) { return size / (sum > 0 ? sum : size); }

// Bring the start to its gauge; where its columns are parallel it is first fitted to the given H.
__device__ inline Trail begin_accelerated(const Arguments &given, const Fit &fit, Block &block, REAL mass) {
    Trail trail;
    trail.size = root(or_one(mass) * (REAL)given.m / (2 * (REAL)given.n));
    gram(fit.W, given.m, block, block.GW, block.W_sums);
    const REAL *G = block.GW;
    REAL sums[2] = {block.W_sums[0], block.W_sums[K - 1]};
    if (G[0] * G[K * K - 1] - G[1] * G[1] <= BLUR * EPS * G[0] * G[K * K - 1]) {
        const Step step(block.GH, 0, 0);
        sums[0] = sums[1] = 0;
#pragma unroll 1
        for (int i = threadIdx.x; i < given.m; i += THREADS) {
            Row x = fit.W[i];
            step(x, fit.A[i], 1);
            fit.W[i] = x;
            sums[0] += x.c[0];
            sums[1] += x.c[K - 1];
        }
        totals_of(sums, block.scratch);
    }
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        Row x = fit.W[i];
        x.c[0] *= held(trail.size, sums[0]);
        x.c[K - 1] *= held(trail.size, sums[1]);
        fit.W[i] = fit.W_before[i] = x;
    }
    return trail;
}

// Fit H to the point, and write V @ H.T to A.
__device__ inline void fit_H(const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties) {
    gram(fit.W, given.m, block, block.GW, block.W_sums);
    update_H(given, fit, block, penalties);
    multiply_rows(given, fit.counts, fit.H, fit.A);
    BARRIER(14);
}

// The factors of the last two differences by which the next point is mixed.
__device__ inline void mixture(const REAL *q, REAL &g1, REAL &g2) {
    const REAL a11 = q[0], a12 = q[1], a22 = q[2], b1 = q[3], b2 = q[4];
    const REAL safe = or_one(a11), across = a22 - a12 * (a12 / safe);
    g2 = across > PARALLEL * a22 ? (b2 - a12 * (b1 / safe)) / across : (REAL)0;
    g1 = (b1 - a12 * g2) / safe;
}

// Move the point by one iteration; remember it for the next check where one is due.
__device__ inline Progress step_accelerated(
    const Arguments &given, const Fit &fit, Block &block, Trail &trail, bool due) {
    const Points points(fit, given.m);
    const Step step(block.GH, 0, 0);
    const int t = threadIdx.x, m = given.m;
    REAL sums[3] = {0, 0, 0};
#pragma unroll 1
    for (int i = t; i < m; i += THREADS) {
        const Row y = fit.W[i], a = fit.A[i];
        Row x = y;
        step(x, a, 1);
        sums[0] += x.c[0];
        sums[1] += x.c[K - 1];
        sums[2] += y.c[0] * a.c[0] + y.c[K - 1] * a.c[K - 1];
        fit.A[i] = x;
    }
    totals_of(sums, block.scratch);
    REAL modelled = 0;
    for (int e = 0; e < K * K; e++) modelled += block.GW[e] * block.GH[e];
    const REAL explained = sums[2] - modelled / 2;
    const REAL per[2] = {held(trail.size, sums[0]), held(trail.size, sums[1])};
    // Of the differences d of F: d1 d1, d1 d2, d2 d2, d1 F, d2 F; the last move's square; the largest of F and of W.
    REAL q[8] = {0, 0, 0, 0, 0, 0, 0, 0};
#pragma unroll 1
    for (int i = t; i < m; i += THREADS) {
        Row w = fit.A[i];
#pragma unroll
        for (int c = 0; c < K; c++) {
            w.c[c] *= per[c & 1];
            const REAL y = fit.W[i].c[c], f = w.c[c] - y;
            const REAL moved = trail.depth > 0 ? y - points.Y1[i].c[c] : (REAL)0;
            const REAL d1 = trail.depth > 0 ? f - points.F1[i].c[c] : (REAL)0;
            const REAL d2 = trail.depth > 1 ? f - points.F2[i].c[c] : (REAL)0;
            q[0] += d1 * d1;
            q[1] += d1 * d2;
            q[2] += d2 * d2;
            q[3] += d1 * f;
            q[4] += d2 * f;
            q[5] += moved * moved;
            q[6] = larger(q[6], f < 0 ? -f : f);
            q[7] = larger(q[7], y);
        }
        fit.A[i] = w;
    }
    combine<6>(q, block.scratch);
    const REAL slope = root(q[0] / or_one(q[5])), apart = q[6] / or_one(q[7]);
    if (slope > 0 && slope < trail.slope) trail.slope = slope;
    REAL g1, g2;
    mixture(q, g1, g2);
    // An accelerated point that explains less than the one before is dropped.
    const bool worse = trail.depth > 1 && explained < trail.fit * (1 - BLUR * EPS);
    REAL ends[2] = {0, 0};
#pragma unroll 1
    for (int i = t; i < m; i += THREADS) {
        const Row y = fit.W[i], w = fit.A[i], y1 = points.Y1[i], f1 = points.F1[i];
        Row z, f;
#pragma unroll
        for (int c = 0; c < K; c++) {
            f.c[c] = w.c[c] - y.c[c];
            z.c[c] = w.c[c];
            if (trail.depth > 0) z.c[c] -= (y.c[c] - y1.c[c] + (f.c[c] - f1.c[c])) * g1;
            if (trail.depth > 1) z.c[c] -= (y.c[c] - points.Y2[i].c[c] + (f.c[c] - points.F2[i].c[c])) * g2;
            z.c[c] = worse ? y1.c[c] + f1.c[c] : at_least(0, z.c[c]);
            ends[c & 1] += z.c[c];
        }
        points.Y2[i] = y1;
        points.F2[i] = f1;
        points.Y1[i] = y;
        points.F1[i] = f;
        fit.W[i] = z;
    }
    totals_of(ends, block.scratch);
    const bool lost = !(ends[0] > 0 && ends[1] > 0);
    // The sum of the entries, the largest move and the largest entry.
    REAL moves[3] = {0, 0, 0};
#pragma unroll 1
    for (int i = t; i < m; i += THREADS) {
        Row z = fit.W[i];
#pragma unroll
        for (int c = 0; c < K; c++) {
            z.c[c] = lost ? fit.A[i].c[c] : z.c[c] * held(trail.size, ends[c & 1]);
            const REAL change = z.c[c] - fit.W_before[i].c[c];
            moves[0] += z.c[c];
            moves[1] = larger(moves[1], change < 0 ? -change : change);
            moves[2] = larger(moves[2], z.c[c]);
        }
        fit.W[i] = z;
        if (due) fit.W_before[i] = z;
    }
    trail.fit = worse ? trail.fit : explained;
    trail.depth = worse ? 0 : trail.depth < 2 ? trail.depth + 1 : 2;
    combine<1>(moves, block.scratch);
    const REAL distance = worse ? FAR : apart > NOTHING * EPS ? apart / trail.slope : (REAL)0;
    return {moves[1] / or_one(moves[2]), distance, moves[0] - moves[0] == 0};
}
