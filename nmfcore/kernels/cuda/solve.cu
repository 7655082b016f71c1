// The loops over shared patterns on NVIDIA GPUs: one block solves one job until it stops, within one launch.
//
// Entry points, all with blocks of THREADS:
//   solve(Arguments)  a block for each job: draws (if DRAWN), begins, iterates, checks; leaves factors in H's order of columns
//   emit(Emission)    a block for each winner: every column of H in its place, zeros elsewhere; needs no shared memory
#include "accelerated.cuh"
#include "begin.cuh"
#include "checks.cuh"

DYNAMIC_SHARED(shared);

// Decide whether the job is done at these factors where the change says `verdict`; writes its numbers if so.
__device__ inline int examine(
    const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties, int verdict, int iteration, int job) {
    const Wishes wish = ask(given, fit, block, penalties);
    if (verdict == CONVERGED) verdict = judge_mass(given, wish, iteration);
    if (verdict == PENDING) return PENDING;
    double numbers[3];
    conclude(given, fit, block, penalties, wish, numbers);
    verdict = confirm(given, block, penalties, verdict, numbers, iteration);
    if (verdict != PENDING && threadIdx.x == 0) {
        given.status[job] = verdict;
        given.n_iter[job] = iteration;
        for (int e = 0; e < 3; e++) given.numbers[3 * (size_t)job + e] = numbers[e];
    }
    return verdict;
}

__device__ inline void run_accelerated(
    const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties, REAL mass, int job) {
    Trail trail = begin_accelerated(given, fit, block, mass);
    double change = -1;
    int verdict = PENDING;
#pragma unroll 1
    for (int iteration = 1;; iteration++) {
        fit_H(given, fit, block, penalties);
        if (verdict != PENDING && examine(given, fit, block, penalties, verdict, iteration - 1, job) != PENDING) return;
        const bool due = iteration % given.every == 0;
        const Progress progress = step_accelerated(given, fit, block, trail, due);
        verdict = judge_change(given, progress.change, change, iteration, progress.finite);
        if (verdict == CONVERGED && progress.distance > given.tol)
            verdict = iteration == given.max_iter ? MAX_ITER : PENDING;
    }
}

__device__ inline void run(const Arguments &given, const Fit &fit, Block &block, const Penalties &penalties, int job) {
    Momentum momentum;
    double change = -1;
#pragma unroll 1
    for (int iteration = EXTRAPOLATED ? 0 : 1;; iteration++) {
        if constexpr (DIVERGENCE)
            iterate_divergence(given, fit, block, penalties);
        else
            iterate_least_squares(given, fit, block, penalties, momentum, iteration);
        if (iteration == 0) continue;
        if (iteration % given.every != 0 && iteration != given.max_iter) continue;
        if (EXTRAPOLATED) gram(fit.W, given.m, block, block.GW, block.W_sums);
        if (!penalties.any) balance(given, fit, block);
        double finite;
        const Moves moves = measure(given, fit, block, finite);
        const double W = relative(moves.W, moves.size_W), H = relative(moves.H, moves.size_H);
        const int verdict = judge_change(given, W > H ? W : H, change, iteration, is_finite(finite));
        if (verdict == PENDING) continue;
        if (examine(given, fit, block, penalties, verdict, iteration, job) != PENDING) return;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) solve(const Arguments given) {
    __shared__ Block block;
    const int job = blockIdx.x;
    const Penalties penalties = {
        (REAL)given.l1_W, (REAL)given.l2_W, (REAL)given.l1_H, (REAL)given.l2_H,
        given.l1_W > 0 || given.l2_W > 0 || given.l1_H > 0 || given.l2_H > 0};
    const Fit fit = place(given, shared, job);
    const REAL mass = begin(given, fit, block, job);
    if constexpr (KIND == ACCELERATED)
        run_accelerated(given, fit, block, penalties, mass, job);
    else
        run(given, fit, block, penalties, job);
    leave(given, fit, block, penalties, job);
}

extern "C" __global__ void __launch_bounds__(THREADS) emit(const Emission given) {
    const size_t winner = given.winner[blockIdx.x], job = blockIdx.x;
    const Row *H = (const Row *)given.H + winner * given.columns;
    REAL *out = given.out_H + job * K * given.n;
    if (given.n > given.columns)
#pragma unroll 1
        for (int e = threadIdx.x; e < K * given.n; e += THREADS) out[e] = 0;
    BARRIER(20);
#pragma unroll 1
    for (int j = threadIdx.x; j < given.columns; j += THREADS) {
        const Row x = H[j];
#pragma unroll
        for (int c = 0; c < K; c++) out[(size_t)c * given.n + given.column[j]] = x.c[c];
    }
    const Row *W = (const Row *)given.W + winner * given.m;
#pragma unroll 1
    for (int i = threadIdx.x; i < given.m; i += THREADS) ((Row *)given.out_W)[job * given.m + i] = W[i];
}
