// Products with V, whose cells lie in slices of 32 columns and, once more, by row.
#pragma once
#include "block.cuh"

enum { HALF_BITS = 4 * (int)sizeof(ENTRY) };

__device__ inline u32 slot_of(ENTRY entry) { return (u32)(entry & (((ENTRY)1 << HALF_BITS) - 1)); }
__device__ inline u32 column_of(ENTRY entry) { return (u32)(entry >> HALF_BITS); }

// Call work(j, r) for every column j of this thread, r the product of the column with `factor` (m, K). Loops that run in
// every iteration are unrolled; the others are not, or half the compiler's time would go to them.
template <int UNROLL = 4, typename Work>
__device__ inline void with_columns(const Arguments &given, const COUNT *counts, const Row *factor, Work work) {
    const int lane = threadIdx.x % 32, slices = (given.columns + 31) / 32;
    for (int s = threadIdx.x / 32; s < slices; s += WARPS) {
        Row r = zeros<Row>();
        const u32 end = given.slice_start[s + 1];
#pragma unroll UNROLL
        for (u32 p = given.slice_start[s] + lane; p < end; p += 32) {
            const REAL value = (REAL)counts[p];
            const Row w = factor[given.slot_row[p]];
#pragma unroll
            for (int c = 0; c < K; c++) r.c[c] += value * w.c[c];
        }
        if (32 * s + lane < given.columns) work(32 * s + lane, r);
    }
}

// The sum of column j.
__device__ inline REAL column_mass(const Arguments &given, const COUNT *counts, int j) {
    REAL mass = 0;
#pragma unroll 1
    for (u32 p = given.slice_start[j / 32] + j % 32; p < given.slice_start[j / 32 + 1]; p += 32) mass += (REAL)counts[p];
    return mass;
}

// Let value(row, sum, slot, column) add the cells of each row to a lane's part of a sum, several lanes to a row (all 32
// where rows are long), then call out(row, sum, lanes, writes) to add up the lanes; one of them writes.
template <typename Sum, int UNROLL = 4, typename Value, typename Out>
__device__ inline void with_rows(const Arguments &given, Value value, Out out) {
    const u32 usual = given.row_start[given.m] / (u32)given.m;
    int lanes = 32;
    while (lanes > 1 && (u32)lanes / 2 >= usual) lanes /= 2;
    const int together = 32 / lanes, group = threadIdx.x % 32 / lanes, lane = threadIdx.x % lanes;
    for (int i0 = threadIdx.x / 32 * together; i0 < given.m; i0 += WARPS * together) {
        const int i = i0 + group;
        Sum sum = zeros<Sum>();
        if (i < given.m) {
            const u32 end = given.row_start[i + 1];
#pragma unroll UNROLL
            for (u32 p = given.row_start[i] + lane; p < end; p += lanes) {
                const ENTRY entry = given.row_entry[p];
                value(i, sum, slot_of(entry), column_of(entry));
            }
        }
        out(i, sum, lanes, lane == 0 && i < given.m);
    }
}

// Write V @ H.T to A.
template <int UNROLL = 4> __device__ inline void multiply_rows(const Arguments &given, const COUNT *counts, const Row *H, Row *A) {
    with_rows<Row, UNROLL>(
        given,
        [=](int, Row &sum, u32 slot, u32 column) {
            const REAL value = (REAL)counts[slot];
            const Row h = H[column];
#pragma unroll
            for (int c = 0; c < K; c++) sum.c[c] += value * h.c[c];
        },
        [=](int i, Row &sum, int lanes, bool writes) {
            combine_in_warp<K>(sum.c, lanes);
            if (writes) A[i] = sum;
        });
}
