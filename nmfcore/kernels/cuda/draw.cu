// The counts of replicates by themselves.
//
//   draw(Arguments)   a block for each job: draws its counts to `counts` (jobs, slots); needs DRAWN, and no shared memory
#include "draw.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) draw(const Arguments given) {
    __shared__ double wide[WARPS];
    const size_t slots = given.slice_start[(given.columns + 31) / 32];
    draw_counts(given, blockIdx.x, given.counts + blockIdx.x * slots, wide);
}
