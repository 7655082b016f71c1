// The loops over shared patterns on NVIDIA GPUs: one block solves one job until it stops, within one launch.
//
// Entry points, all with blocks of THREADS:
//   solve(Arguments)  a block for each job: draws (if DRAWN), begins, iterates, checks; leaves factors in H's order of columns
//   draw(Arguments)   a block for each job: draws counts to `counts` (jobs, slots); needs DRAWN, and no shared memory
//   emit(Emission)    a block for each winner: every column of H in its place, zeros elsewhere; needs no shared memory
#include "interface.cuh"

extern "C" __global__ void solve(Arguments given) {}

extern "C" __global__ void draw(Arguments given) {}

extern "C" __global__ void emit(Emission given) {}
