// What the host hands to the kernels of solve.cu, and what is built into their code.
//
// One block solves one job: one start of one replicate. The macros of a build, all numbers or types:
//   K              components, 1 to 16
//   REAL           float or double: the type of the factors
//   COUNT          type of the counts: unsigned char, unsigned short, float, or double where REAL is
//   ROW            type of `slot_row`: unsigned char, unsigned short or unsigned int, as wide as m - 1 needs
//   ENTRY          type of `row_entry`: unsigned int where slots and columns are at most 2^16, else unsigned long long
//   KIND           of half-steps: 0 MU, 1 SWEEPS, 2 RANK2, 4 ACCELERATED (least squares); 3 NEWTON, 5 KL_MU
//   SWEEPS_W, SWEEPS_H   updates of a factor for one product with V
//   EXTRAPOLATED   1 where W is extrapolated (rule "ehals"), else 0
//   DRAWN          0: counts are given; 1: multinomial, 2: Poisson weights, 3: deletions, drawn by the block itself
//   THREADS        of a block, a multiple of 32; 128 as a rule
//   BLOCKS         blocks that a multiprocessor is to hold at once: bounds the registers; may be left out (1)
//   SHORT_SHARED, H_SHARED, COUNTS_SHARED   1 where W and what is as long, H, and the counts lie in shared memory
//
// Dynamic shared memory: the sum of these parts, each rounded up to 16 bytes:
//   SHORT_SHARED   SHORTS * m * K * sizeof(REAL), where SHORTS is 2; 4 if EXTRAPOLATED; 3 for KIND 3 and 5; 6 for KIND 4
//   H_SHARED       columns * K * sizeof(REAL)
//   COUNTS_SHARED  slots * sizeof(COUNT)
// The driver knows the static part (the attribute of the function).
// Numbers of REAL at `work` for each job, `work_size`: (columns + m) * K + m, and SHORTS * m * K more if not SHORT_SHARED,
// each part rounded up to 16 bytes: work_size = up(columns K) + up(m K) + up(m) + up(SHORTS m K), `up` to a multiple of 4.
//
// Slots: the filled columns stand in order of their length, 32 side by side in a slice, and H has that order. Slot
// slice_start[s] + 32 i + lane is the i-th cell of column 32 s + lane; shorter columns are padded with slots of row 0 that
// hold zero. All counts have the order of slots; `slots` = slice_start[slices], a multiple of 32.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// Kinds of half-steps, in the order of `settings`, and how a job ended: the values of `nmfcore.Status`.
enum { MU = 0, SWEEPS = 1, RANK2 = 2, NEWTON = 3, ACCELERATED = 4, KL_MU = 5 };
enum { CONVERGED = 0, MAX_ITER = 1, NON_FINITE = 2, STUCK = 3, PENDING = -1 };
enum { MULTINOMIAL = 1, POISSON = 2, DELETION = 3 };

struct Arguments {
    // The pattern.
    const u32 *slice_start;   // (slices + 1,)
    const ROW *slot_row;      // (slots,)
    const u32 *row_start;     // (m + 1,): where each row begins in `row_entry`
    const ENTRY *row_entry;   // (cells,): slot, and column (in H's order) << half the bits
    const u32 *column;        // (columns,): number among all n of each column of H
    // The draw. Stars have one slot in each image, -1 for none.
    const int *star_slot;     // (stars, images)
    const u32 *thresholds;    // (13,): what a star's half of a random number must reach for one more weight
    const u32 *order;         // deletions: the stars by bin,
    const u32 *bins;          // (number_of_bins + 1,): where each bin begins,
    const u32 *drops;         // (number_of_bins,): how many go,
    const u32 *drops_before;  // (number_of_bins,): and how many go from the bins before
    // The jobs.
    const u32 *replicate;     // (jobs,): row of `counts`, or number of the draw beyond draw_first
    const u64 *number;        // (jobs,): names the stream of a random start, with start_seed and `start`
    const int *start;         // (jobs,): number of the start
    const int *source;        // (jobs,): which of the given starts; -1 for a random one
    const REAL *W0;           // (starts, m, K)
    const REAL *H0;           // (starts, K, columns), in H's order
    const double *extra;      // (starts, K + 1, K): see `starts.Starts`
    COUNT *counts;            // (replicates, slots) if given; (jobs, slots) to draw to if not COUNTS_SHARED, and by `draw`
    u8 *there;                // (jobs, stars): memory for deletions
    // Answers.
    REAL *W;                  // (jobs, m, K)
    REAL *H;                  // (jobs, columns, K)
    int *n_iter;              // (jobs,)
    int *status;              // (jobs,)
    double *numbers;          // (jobs, 3): loss, divergence, KKT residual
    REAL *work;               // (jobs, work_size)
    u64 draw_seed, draw_first, start_seed, work_size;
    // See `settings.Limits`; the coefficients of the penalties.
    double tol, slowest, rounding, mass_rounding, l1_W, l2_W, l1_H, l2_H;
    // max_iter is at least 1. `fitted`: random starts are of W alone, H is first fitted to it.
    int m, n, columns, stars, images, number_of_bins, max_iter, every, fitted, padding;
};

// What `emit` is given: the answers of some jobs as the user gets them, every column of H in its place among n.
struct Emission {
    const u32 *winner;  // (winners,): the jobs
    const u32 *column;  // (columns,): where each column goes; for n = columns their order in the pattern
    const REAL *W;      // (jobs, m, K), as `solve` left them
    const REAL *H;      // (jobs, columns, K)
    REAL *out_W;        // (winners, m, K)
    REAL *out_H;        // (winners, K, n)
    int m, n, columns, padding;
};
