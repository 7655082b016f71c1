// When a job is done, and its numbers: what `kernels.checks` asks of a tile, asked by a block.
#pragma once
#include "divergence.cuh"

// `balance.LOPSIDED`, and `stopping.KKT_MARGIN`.
constexpr REAL LOPSIDED = 65536;
constexpr double KKT_MARGIN = 100;

// How far the unit-sum factors have moved since the check before, and their largest entries.
struct Moves {
    double W, size_W, H, size_H;
};

// What the gradients say: the largest scaled negative halves and entries, and the missing mass by entries above and at
// zero.
struct Wishes {
    REAL slope_W, slope_H, size_W, size_H;
    double growing, locked, mass;
};

__device__ inline REAL magnitude(REAL x) { return x < 0 ? -x : x; }
__device__ inline bool is_finite(double x) { return x - x == 0; }

// The power of two by which to multiply a component of W, and divide that of H; see `nmfcore.balance`.
__device__ inline REAL excess(REAL W_sum, REAL H_sum) {
    const bool far = H_sum > LOPSIDED * W_sum || W_sum > LOPSIDED * H_sum;
    if (!(far && W_sum > 0 && H_sum > 0 && is_finite((double)W_sum + (double)H_sum))) return 1;
    REAL power = 1;
#pragma unroll 1
    for (; H_sum > 2 * W_sum; power *= 2, W_sum *= 2) H_sum /= 2;
#pragma unroll 1
    for (; W_sum > 2 * H_sum; power /= 2, H_sum *= 2) W_sum /= 2;
    return power;
}

__device__ inline void rescale(Row *factor, int count, const REAL *by, bool down) {
#pragma unroll 1
    for (int i = threadIdx.x; i < count; i += THREADS) {
        Row x = factor[i];
#pragma unroll
        for (int c = 0; c < K; c++) {
            const REAL value = x.c[c] * (down ? 1 / by[c] : by[c]);
            x.c[c] = at_least(x.c[c] > 0 ? LEAST : (REAL)0, value);
        }
        factor[i] = x;
    }
}

// Move scale between the factors of components where one has nearly all of it, and in all that was made of them.
__device__ inline void balance(const Arguments &given, const Fit &fit, Block &block) {
    const int t = threadIdx.x;
#pragma unroll 1
    for (int c = t; c < K; c += THREADS) block.scale[c] = excess(block.W_sums[c], block.H_sums[c]);
    BARRIER(15);
    bool any = false;
    for (int c = 0; c < K; c++) any = any || block.scale[c] != 1;
    if (!any) return;
    rescale(fit.W, given.m, block.scale, false);
    if (EXTRAPOLATED) rescale(fit.Y, given.m, block.scale, false);
    rescale(fit.H, given.columns, block.scale, true);
    if (!DIVERGENCE) {
        rescale(fit.A, given.m, block.scale, true);
#pragma unroll 1
        for (int e = t; e < K * K; e += THREADS) {
            const REAL both = block.scale[e / K] * block.scale[e % K];
            block.GW[e] *= both;
            block.GH[e] /= both;
        }
    }
#pragma unroll 1
    for (int c = t; c < K; c += THREADS) {
        block.W_sums[c] *= block.scale[c];
        block.H_sums[c] /= block.scale[c];
    }
    BARRIER(16);
}

// How far the unit-sum factors have moved; remembers them. `finite` becomes a sum over all entries.
__device__ inline Moves measure(const Arguments &given, const Fit &fit, Block &block, double &finite) {
    REAL largest[4] = {0, 0, 0, 0}, sum = 0;
    REAL scale[K], per[K];
#pragma unroll
    for (int c = 0; c < K; c++) {
        scale[c] = or_one(block.H_sums[c]);
        per[c] = 1 / scale[c];
    }
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        Row x = fit.W[i];
        const Row before = fit.W_before[i];
#pragma unroll
        for (int c = 0; c < K; c++) {
            sum += x.c[c];
            x.c[c] *= scale[c];
            largest[0] = larger(largest[0], magnitude(x.c[c] - before.c[c]));
            largest[1] = larger(largest[1], x.c[c]);
        }
        fit.W_before[i] = x;
    }
#pragma unroll 1
    for (int j = threadIdx.x; j < given.columns; j += THREADS) {
        Row x = fit.H[j];
        const Row before = fit.H_before[j];
#pragma unroll
        for (int c = 0; c < K; c++) {
            sum += x.c[c];
            x.c[c] *= per[c];
            largest[2] = larger(largest[2], magnitude(x.c[c] - before.c[c]));
            largest[3] = larger(largest[3], x.c[c]);
        }
        fit.H_before[j] = x;
    }
    finite = total_of(sum, block.wide);
    largest_of(largest, block.scratch);
    return {largest[0], largest[1], largest[2], largest[3]};
}

__device__ inline double relative(double moved, double size) {
    return size > 0 ? moved / size : moved > 0 ? 1e300 : 0;
}

// The verdict by the change since the check before, `before`, which becomes this one; PENDING where there is none yet.
__device__ inline int judge_change(const Arguments &given, double change, double &before, int iteration, bool finite) {
    if (!finite) return NON_FINITE;
    if (iteration % given.every == 0) {
        // The first change has none before it (a negative number).
        double ratio = before > 0 ? change / before : before < 0 ? 0 : given.slowest;
        ratio = ratio < given.slowest ? ratio : given.slowest;
        before = change;
        const double to_come = change <= given.rounding ? 0 : change / (1 - ratio);
        if (given.tol > 0 && to_come <= given.tol) return CONVERGED;
    }
    return iteration == given.max_iter ? MAX_ITER : PENDING;
}

// The positive half of the objective's gradient by one component of a row.
__device__ inline REAL positive_half(const Row &x, int c, const REAL *G, const REAL *others, REAL l1, REAL l2) {
    REAL positive = l1 + l2 * x.c[c];
    if (DIVERGENCE) return positive + others[c];
#pragma unroll
    for (int d = 0; d < K; d++) positive += G[c * K + d] * x.c[d];
    return positive;
}

// Add by what part of its mass a row wants to grow, by entries above zero and at zero; see `optimality.missing_mass`.
__device__ inline void add_wishes(
    const Row &x, const Row &negative, const REAL *G, const REAL *others, REAL l1, REAL l2, bool lost, REAL mass,
    REAL &growing, REAL &locked) {
    REAL by_positive = 0, by_zero = 0, reached = 0;
#pragma unroll
    for (int c = 0; c < K; c++) {
        const REAL positive = positive_half(x, c, G, others, l1, l2);
        const REAL wanted = positive < negative.c[c] ? 1 - positive / negative.c[c] : (REAL)0;
        by_positive = larger(by_positive, x.c[c] > 0 ? wanted : (REAL)0);
        by_zero = larger(by_zero, x.c[c] > 0 ? (REAL)0 : wanted);
        reached += x.c[c] * others[c];
    }
    if (lost && !(reached > 0)) by_zero = 1;
    growing += by_positive * mass;
    locked += by_zero * mass;
}

template <typename Work> __device__ inline void with_negative_halves(const Arguments &given, const Fit &fit, Work work) {
    if constexpr (DIVERGENCE)
        with_pulls(given, fit, work);
    else
        with_columns<1>(given, fit.counts, fit.W, work);
}

// What the gradients at these factors say; A holds, or becomes, the negative half of that by W.
__device__ inline Wishes ask(const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties) {
    if constexpr (DIVERGENCE) {
        with_row_pulls(given, fit, [&](int i, const Row &pull) { fit.A[i] = pull; });
        BARRIER(17);
    }
    // A component that is zero in both factors has no gradient to come back by; for the divergence one zero is enough.
    bool lost = DIVERGENCE && !penalties.any;
    for (int c = 0; c < K; c++) lost = lost || !(penalties.any || block.H_sums[c] + block.W_sums[c] > 0);
    REAL slopes[4] = {0, 0, 0, 0}, wishes[5] = {0, 0, 0, 0, 0};
    with_negative_halves(given, fit, [&](int j, const Row &negative) {
        const Row x = fit.H[j];
#pragma unroll
        for (int c = 0; c < K; c++) {
            const REAL scale = or_one(block.H_sums[c]);
            slopes[1] = larger(slopes[1], negative.c[c] * scale);
            slopes[3] = larger(slopes[3], x.c[c] / scale);
        }
        add_wishes(
            x, negative, block.GW, block.W_sums, penalties.l1_H, penalties.l2_H, lost,
            column_mass(given, fit.counts, j), wishes[0], wishes[1]);
    });
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        const Row negative = fit.A[i], x = fit.W[i];
#pragma unroll
        for (int c = 0; c < K; c++) {
            const REAL scale = or_one(block.H_sums[c]);
            slopes[0] = larger(slopes[0], negative.c[c] / scale);
            slopes[2] = larger(slopes[2], x.c[c] * scale);
        }
        add_wishes(
            x, negative, block.GH, block.H_sums, penalties.l1_W, penalties.l2_W, lost, fit.row_mass[i], wishes[2],
            wishes[3]);
        wishes[4] += fit.row_mass[i];
    }
    largest_of(slopes, block.scratch);
    totals_of(wishes, block.scratch);
    return {slopes[0], slopes[1], slopes[2], slopes[3], larger(wishes[0], wishes[2]), larger(wishes[1], wishes[3]), wishes[4]};
}

// The verdict where the change says CONVERGED.
__device__ inline int judge_mass(const Arguments &given, const Wishes &wish, int iteration) {
    const double limit = (given.tol > given.mass_rounding ? given.tol : given.mass_rounding) * or_one_wide(wish.mass);
    if (wish.growing > limit) return iteration == given.max_iter ? MAX_ITER : PENDING;
    return wish.locked > limit ? STUCK : CONVERGED;
}

// How far one row is from a stationary point: the larger of `worst` and its entries' distances.
__device__ inline REAL farther(
    REAL worst, const Row &x, const Row &negative, const REAL *G, const REAL *others, const REAL *H_sums, bool of_W, REAL l1,
    REAL l2, REAL per_entry, REAL per_slope) {
#pragma unroll
    for (int c = 0; c < K; c++) {
        const REAL total = or_one(H_sums[c]), scale = of_W ? total : 1 / total, chain = of_W ? 1 / total : total;
        const REAL slope = (positive_half(x, c, G, others, l1, l2) - negative.c[c]) * chain * per_slope;
        const REAL entry = x.c[c] * scale * per_entry, distance = magnitude(entry < slope ? entry : slope);
        // NaN stays.
        worst = distance <= worst ? worst : distance;
    }
    return worst;
}

// The KKT residual, the loss and the divergence, to `numbers`, of every thread.
__device__ inline void conclude(
    const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties, const Wishes &wish, double (&numbers)[3]) {
    REAL worst[1] = {0};
    const REAL per_W = 1 / or_one(wish.size_W), per_H = 1 / or_one(wish.size_H);
    const REAL per_slope_W = 1 / or_one(wish.slope_W), per_slope_H = 1 / or_one(wish.slope_H);
    double fitted = 0, energy = 0, penalty = 0;
    with_negative_halves(given, fit, [&](int j, const Row &negative) {
        const Row x = fit.H[j];
        worst[0] = farther(
            worst[0], x, negative, block.GW, block.W_sums, block.H_sums, false, penalties.l1_H, penalties.l2_H, per_H,
            per_slope_H);
        REAL product = 0;
#pragma unroll
        for (int c = 0; c < K; c++) {
            product += negative.c[c] * x.c[c];
            if (penalties.any) penalty += (double)x.c[c] * (given.l1_H + 0.5 * given.l2_H * (double)x.c[c]);
        }
        fitted += (double)product;
        if (!DIVERGENCE)
#pragma unroll 1
            for (u32 p = given.slice_start[j / 32] + j % 32; p < given.slice_start[j / 32 + 1]; p += 32)
                energy += (double)fit.counts[p] * (double)fit.counts[p];
    });
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) {
        const Row x = fit.W[i];
        worst[0] = farther(
            worst[0], x, fit.A[i], block.GH, block.H_sums, block.H_sums, true, penalties.l1_W, penalties.l2_W, per_W,
            per_slope_W);
#pragma unroll
        for (int c = 0; c < K; c++)
            if (penalties.any) penalty += (double)x.c[c] * (given.l1_W + 0.5 * given.l2_W * (double)x.c[c]);
    }
    largest_of(worst, block.scratch);
    if constexpr (DIVERGENCE) {
        numbers[1] = divergence_of(given, fit, block);
    } else {
        numbers[1] = total_of(0.5 * energy - fitted, block.wide);
#pragma unroll 1
        for (int e = 0; e < K * K; e++) numbers[1] += 0.5 * (double)block.GW[e] * (double)block.GH[e];
    }
    numbers[0] = numbers[1] + total_of(penalty, block.wide);
    numbers[2] = (double)worst[0];
}

// The verdict once the numbers are known: nothing has converged that is not finite or far from stationary, and what
// settled with a dead component is stuck (`nmfcore.revive` knows what it has to gain).
__device__ inline int confirm(
    const Arguments &given, const Block &block, const Penalties &penalties, int verdict, const double (&numbers)[3], int iteration) {
    if (!(is_finite(numbers[0]) && is_finite(numbers[2]))) return NON_FINITE;
    if (verdict != CONVERGED) return verdict;
    const double limit = KKT_MARGIN * (given.tol > given.mass_rounding ? given.tol : given.mass_rounding);
    if (numbers[2] > limit) return iteration == given.max_iter ? MAX_ITER : PENDING;
    const REAL least = 1048576 * LEAST;
    for (int c = 0; c < K; c++)
        if (!penalties.any && (block.W_sums[c] <= least || block.H_sums[c] <= least)) return STUCK;
    return CONVERGED;
}
