// Runs CUDA C++ kernels on the CPU: every thread of a block is a fibre; barriers and shuffles switch to another.
//
// What a GPU would make of a fault is undefined; here it ends the program with a sentence: threads that wait for a barrier
// which others have left behind or stand before in another place, warps that exchange values while some of their lanes are
// elsewhere. Shared memory is exactly as large as asked for and filled with NaN before each block, so that sanitizers see
// what lies outside and results show what was read before it was written. `order` says in which order threads run between
// barriers: 0 rising, 1 falling, otherwise at random, a seed (odd ones run all warps side by side, others one warp after
// the other as far as it gets). Under ThreadSanitizer a fibre is a thread of its own, and
// only barriers and shuffles order its accesses: a race is found whatever the order.
//
// This header is all that a build of the kernels reads; what runs the fibres is compiled once, from on_cpu.cpp.
#pragma once

#include <stddef.h>

typedef unsigned long long Bits;
extern "C" double log(double) noexcept, sqrt(double) noexcept;
extern "C" float sqrtf(float) noexcept;

struct Three {
    unsigned x, y, z;
};
struct uint4 {
    unsigned x, y, z, w;
};
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

#define HIDDEN __attribute__((visibility("hidden")))
extern HIDDEN Three threadIdx, blockIdx, blockDim, gridDim;

#define __device__
#define __global__
#define __launch_bounds__(...)
#define __align__(n)
#define __shared__ static __attribute__((section("shared_memory")))
#define DYNAMIC_SHARED(name) static unsigned char *name

// What follows is not itself looked at for races.
#if defined(__SANITIZE_THREAD__)
#define PLAIN __attribute__((no_sanitize("thread")))
#else
#define PLAIN
#endif

namespace on_cpu {

HIDDEN void block_barrier(int where);
HIDDEN void warp_barrier(int where);
// Let a warp exchange values; each lane asks for that of another.
HIDDEN void offer_bits(Bits bits, int where);
HIDDEN Bits taken_bits(int lane);
HIDDEN int this_lane();
// Run a body on every thread of every block; return what went wrong, or nothing.
HIDDEN const char *launch_body(
    void (*body)(void *), void *arguments, unsigned char **shared, unsigned blocks, unsigned threads, unsigned bytes,
    unsigned order);

template <typename T> union Word {
    T x;
    Bits bits;
};
template <typename T> PLAIN inline void offer(T x, int where) {
    static_assert(sizeof(T) <= 8, "");
    Word<T> word;
    word.bits = 0;
    word.x = x;
    offer_bits(word.bits, where);
}
template <typename T> PLAIN inline T taken(int lane) {
    Word<T> word;
    word.bits = taken_bits(lane);
    return word.x;
}

// Run a kernel; return what went wrong, or nothing.
template <typename Kernel, typename Given>
const char *launch(
    Kernel kernel, unsigned char *&shared, unsigned blocks, unsigned threads, unsigned bytes, const Given &given,
    unsigned order) {
    struct Call {
        Kernel kernel;
        const Given *given;
    } call = {kernel, &given};
    const auto body = [](void *p) { ((Call *)p)->kernel(*((Call *)p)->given); };
    return launch_body(body, &call, &shared, blocks, threads, bytes, order);
}

}  // namespace on_cpu

#define __syncthreads() on_cpu::block_barrier(__LINE__)
#define __syncwarp() on_cpu::warp_barrier(-__LINE__)

template <typename T> inline T __shfl_down_sync(unsigned, T x, int by) {
    on_cpu::offer(x, -1);
    const int lane = on_cpu::this_lane();
    return on_cpu::taken<T>(lane + by < 32 ? lane + by : lane);
}
template <typename T> inline T __shfl_sync(unsigned, T x, int lane) {
    on_cpu::offer(x, -2);
    return on_cpu::taken<T>(lane % 32);
}
inline unsigned __ballot_sync(unsigned, bool x) {
    on_cpu::offer(x, -3);
    unsigned all = 0;
    for (int lane = 0; lane < 32; lane++) all |= (unsigned)on_cpu::taken<bool>(lane) << lane;
    return all;
}
inline float __fdividef(float a, float b) { return a / b; }
inline unsigned atomicAdd(unsigned *place, unsigned x) { return __atomic_fetch_add(place, x, __ATOMIC_RELAXED); }
template <typename T> inline T atomicAdd(T *place, T x) {
    const T old = *place;
    *place = old + x;
    return old;
}
