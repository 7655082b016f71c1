// Runs kernels on the processor: every thread of a block is a fibre, which barriers and shuffles leave for the next.
// A barrier that some threads of a block, or a shuffle that some of a warp, never reach is said and ends the process.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <ucontext.h>
#include <vector>

struct Three { unsigned x, y, z; };
static thread_local Three threadIdx, blockIdx, blockDim, gridDim;
#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __shared__ static thread_local
#define APART
#define INFINITE HUGE_VAL
#define NOT_A_NUMBER std::nan("")
#define SHARED_MEMORY(name) unsigned char *name = fibres::shared

namespace fibres {
enum State { READY, AT_BARRIER, AT_SHUFFLE, DONE };
struct Fibre { ucontext_t context; std::unique_ptr<char[]> stack; State state = READY; unsigned char slot[16]; };
static thread_local std::vector<Fibre> all;
static thread_local ucontext_t home;
static thread_local int now;
static thread_local unsigned char *shared;
static thread_local const std::function<void()> *body;
const size_t STACK = 1 << 16;

static void wait(State state) { all[now].state = state; swapcontext(&all[now].context, &home); }
static void start() { (*body)(); all[now].state = DONE; swapcontext(&all[now].context, &home); }

static void fail(const char *what) {
    fprintf(stderr, "block %u: %s\n", blockIdx.x, what);
    abort();
}

// Let those who wait in [first, last) go on if all of them do; tell whether they did.
static bool release(int first, int last, State state, const char *what) {
    bool some = false, every = true, done = false;
    for (int t = first; t < last; t++) {
        some = some || all[t].state == state;
        every = every && all[t].state == state;
        done = done || all[t].state == DONE;
    }
    if (some && done) fail(what);
    if (!every) return false;
    for (int t = first; t < last; t++) all[t].state = READY;
    return true;
}

static void run_block(int threads) {
    if ((int)all.size() < threads) all.resize(threads);
    for (int t = 0; t < threads; t++) {
        Fibre &fibre = all[t];
        if (!fibre.stack) fibre.stack.reset(new char[STACK]);
        fibre.state = READY;
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack.get();
        fibre.context.uc_stack.ss_size = STACK;
        fibre.context.uc_link = &home;
        makecontext(&fibre.context, start, 0);
    }
    for (;;) {
        bool moved = false, alive = false;
        for (int t = 0; t < threads; t++) {
            alive = alive || all[t].state != DONE;
            if (all[t].state != READY) continue;
            now = t;
            threadIdx = {(unsigned)t, 0, 0};
            swapcontext(&home, &all[t].context);
            moved = true;
        }
        if (!alive) return;
        for (int w = 0; w < threads; w += 32)
            moved = release(w, w + 32 < threads ? w + 32 : threads, AT_SHUFFLE, "a shuffle that finished threads never reach") || moved;
        moved = release(0, threads, AT_BARRIER, "a barrier that finished threads never reach") || moved;
        if (!moved) fail("deadlock: barriers or shuffles in branches that not all threads take");
    }
}

static void run(unsigned blocks, unsigned threads, unsigned bytes, const std::function<void()> &kernel) {
    std::unique_ptr<double[]> memory(new double[bytes / 8 + 2]);
    shared = (unsigned char *)memory.get();
    body = &kernel;
    gridDim = {blocks, 1, 1}, blockDim = {threads, 1, 1};
    for (unsigned b = 0; b < blocks; b++) {
        blockIdx = {b, 0, 0};
        memset(shared, 0xA5, bytes); // nobody has cleared it
        run_block((int)threads);
    }
}
}

#define __syncthreads() fibres::wait(fibres::AT_BARRIER)
template <typename T> static T __shfl_down_sync(unsigned, T x, int by) {
    const int mine = fibres::now, from = mine % 32 + by < 32 && mine + by < (int)blockDim.x ? mine + by : mine;
    memcpy(fibres::all[mine].slot, &x, sizeof x);
    fibres::wait(fibres::AT_SHUFFLE);
    memcpy(&x, fibres::all[from].slot, sizeof x);
    fibres::wait(fibres::AT_SHUFFLE);
    return x;
}
template <typename T> static T atomicAdd(T *at, T x) { const T before = *at; *at += x; return before; }

#include SOURCE

#define RUN(NAME, ARGUMENTS) \
    extern "C" void run_##NAME(unsigned blocks, unsigned threads, unsigned bytes, void **given) { \
        fibres::run(blocks, threads, bytes, [=] { NAME(*(const ARGUMENTS *)given[0]); }); \
    }
#ifdef K
RUN(solve, Arguments)
RUN(draw, Arguments)
RUN(emit, Emission)
#else
RUN(scale, Arguments)
#endif
