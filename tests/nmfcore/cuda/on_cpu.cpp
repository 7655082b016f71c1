// What runs the threads of a block as fibres: see on_cpu.h.
#include "on_cpu.h"

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

Three threadIdx, blockIdx, blockDim, gridDim;
// Weak: a kernel without shared memory of its own has no such section.
extern "C" __attribute__((weak, visibility("hidden"))) char __start_shared_memory[], __stop_shared_memory[];

namespace on_cpu {

enum State { RUNS, AT_BLOCK, AT_WARP, DONE };
const std::size_t STACK = 1 << 18;

struct Fibre {
    ucontext_t context;
    jmp_buf place;
    char *stack = nullptr;
    bool begun = false;
    State state = RUNS;
    int where = 0;  // line of the barrier
    std::uint64_t value[2] = {0, 0};
    unsigned exchanges = 0;
    unsigned passed[2] = {0, 0};  // barriers of the block, and of the warp
    void *sanitizer = nullptr;
};

static Fibre *fibres;
[[maybe_unused]] static ucontext_t home;
[[maybe_unused]] static jmp_buf back;
[[maybe_unused]] static void *home_fibre;
static int now;
static void (*body)(void *);
static void *arguments;
// Two clocks for each barrier, by turns: who goes on from one must not see who is at the next already.
static char block_clock[2], warp_clock[64][2], ended;

[[noreturn]] inline void fail(const char *what, int thread) {
    throw std::runtime_error("block " + std::to_string(blockIdx.x) + " thread " + std::to_string(thread) + ": " + what);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers must be told of every switch.
static void *home_fake;
static const void *home_bottom;
static std::size_t home_size;
static void *fakes[1024];
PLAIN inline void switch_to(Fibre &f) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&home_fake, f.stack, STACK);
#else
    __tsan_switch_to_fiber(f.sanitizer, 1);
#endif
    swapcontext(&home, &f.context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(home_fake, nullptr, nullptr);
#endif
}
PLAIN inline void leave() {
    Fibre &f = fibres[now];
    const int mine = now;
    (void)mine;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(f.state == DONE ? nullptr : &fakes[mine], home_bottom, home_size);
#else
    __tsan_switch_to_fiber(home_fibre, 1);
#endif
    swapcontext(&f.context, &home);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fakes[mine], &home_bottom, &home_size);
#endif
}
#else
PLAIN inline void switch_to(Fibre &f) {
    if (_setjmp(back) == 0) {
        if (f.begun) _longjmp(f.place, 1);
        f.begun = true;
        setcontext(&f.context);
    }
}
PLAIN inline void leave() {
    if (_setjmp(fibres[now].place) == 0) _longjmp(back, 1);
}
#endif

PLAIN inline void start() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &home_bottom, &home_size);
#endif
    body(arguments);
#if defined(__SANITIZE_THREAD__)
    __tsan_release(&ended);
#endif
    fibres[now].state = DONE;
    leave();
    std::abort();
}

PLAIN inline void wait(State state, int where, char *clocks) {
    const int mine = now;
    char *clock = clocks + fibres[mine].passed[state == AT_WARP]++ % 2;
#if defined(__SANITIZE_THREAD__)
    __tsan_release(clock);
#endif
    (void)clock;
    fibres[mine].state = state;
    fibres[mine].where = where;
    leave();
    threadIdx = {(unsigned)mine, 0, 0};
#if defined(__SANITIZE_THREAD__)
    __tsan_acquire(clock);
#endif
}

PLAIN void block_barrier(int where) { wait(AT_BLOCK, where, block_clock); }
PLAIN void warp_barrier(int where) { wait(AT_WARP, where, warp_clock[now / 32]); }
PLAIN int this_lane() { return now % 32; }

// Two buffers are enough: no lane is two exchanges ahead.
PLAIN void offer_bits(Bits bits, int where) {
    Fibre &f = fibres[now];
    f.value[f.exchanges++ % 2] = bits;
    warp_barrier(where);
}
PLAIN Bits taken_bits(int lane) { return fibres[now / 32 * 32 + lane].value[(fibres[now].exchanges - 1) % 2]; }

// Let those go on that all wait for one another.
PLAIN inline bool release(int first, int last, State state) {
    bool any = false;
    for (int t = first; t < last; t++) {
        if (fibres[t].state != state) return false;
        any = true;
    }
    for (int t = first; t < last; t++) {
        if (fibres[t].where != fibres[first].where) fail("waits at another barrier than its neighbours", t);
        fibres[t].state = RUNS;
    }
    return any;
}

// Bring warps, and lanes within each, into another order; `size` lanes to a warp.
PLAIN inline void shuffle(std::vector<int> &turn, int size, std::uint64_t &random) {
    const auto below = [&](int n) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        return (int)((random >> 33) % (unsigned)n);
    };
    const int warps = (int)turn.size() / size;
    for (int w = warps - 1; w > 0; w--) {
        const int other = below(w + 1);
        for (int lane = 0; lane < size; lane++) std::swap(turn[w * size + lane], turn[other * size + lane]);
    }
    for (int w = 0; w < warps; w++)
        for (int lane = size - 1; lane > 0; lane--) std::swap(turn[w * size + lane], turn[w * size + below(lane + 1)]);
}

PLAIN inline void run_block(int threads, unsigned order) {
    std::vector<int> turn(threads);
    std::uint64_t random = order * 0x9E3779B97F4A7C15ull + 1;
    for (int t = 0; t < threads; t++) turn[t] = order == 1 ? threads - 1 - t : t;
    for (int t = 0; t < threads; t++) {
        Fibre &f = fibres[t];
        f.state = RUNS;
        f.begun = false;
        f.exchanges = f.passed[0] = f.passed[1] = 0;
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = f.stack;
        f.context.uc_stack.ss_size = STACK;
        f.context.uc_link = nullptr;
        makecontext(&f.context, start, 0);
#if defined(__SANITIZE_THREAD__)
        f.sanitizer = __tsan_create_fiber(0);
#endif
    }
#if defined(__SANITIZE_THREAD__)
    home_fibre = __tsan_get_current_fiber();
#endif
    for (;;) {
        if (order > 1) shuffle(turn, 32, random);
        bool moved = false;
        // A warp runs as far as it can before another does, or all warps side by side.
        const int warps = threads / 32, together = order > 1 && order % 2 ? warps : 1;
        for (int first = 0; first < warps; first += together)
            for (bool more = true; more;) {
                more = false;
                for (int i = 32 * first; i < 32 * (first + together); i++) {
                    const int t = turn[i];
                    if (fibres[t].state != RUNS) continue;
                    now = t;
                    threadIdx = {(unsigned)t, 0, 0};
                    switch_to(fibres[t]);
                    moved = true;
                }
                for (int w = first; w < first + together; w++) {
                    const int warp = turn[32 * w] / 32;
                    more |= together == 1 && release(32 * warp, 32 * warp + 32, AT_WARP);
                }
            }
        for (int w = 0; w < threads; w += 32) moved |= release(w, w + 32, AT_WARP);
        moved |= release(0, threads, AT_BLOCK);
        int done = 0;
        for (int t = 0; t < threads; t++) done += fibres[t].state == DONE;
        if (done == threads) break;
        if (!moved)
            for (int t = 0; t < threads; t++) {
                if (fibres[t].state == AT_WARP) fail("waits for lanes of its warp that are elsewhere", t);
                if (fibres[t].state == AT_BLOCK) fail("waits at a barrier that other threads do not reach", t);
            }
    }
#if defined(__SANITIZE_THREAD__)
    __tsan_acquire(&ended);
    for (int t = 0; t < threads; t++) __tsan_destroy_fiber(fibres[t].sanitizer);
#endif
}

const char *launch_body(
    void (*of_thread)(void *), void *given, unsigned char **shared, unsigned blocks, unsigned threads, unsigned bytes,
    unsigned order) {
    static std::string wrong;
    wrong.clear();
    body = of_thread;
    arguments = given;
    if (threads % 32 || bytes % 16) return "threads must come in warps, shared memory in sixteens of bytes";
    std::vector<Fibre> all(threads);
    fibres = all.data();
    for (auto &f : all) f.stack = (char *)std::malloc(STACK);
    gridDim = {blocks, 1, 1};
    blockDim = {threads, 1, 1};
    for (unsigned b = 0; b < blocks && wrong.empty(); b++) {
        blockIdx = {b, 0, 0};
        *shared = (unsigned char *)std::aligned_alloc(16, bytes ? bytes : 16);
        std::memset(*shared, 0xFF, bytes);
        if (__start_shared_memory) std::memset(__start_shared_memory, 0xFF, __stop_shared_memory - __start_shared_memory);
        try {
            run_block((int)threads, order);
        } catch (const std::runtime_error &error) {
            wrong = error.what();
        }
        std::free(*shared);
    }
    for (auto &f : all) std::free(f.stack);
    return wrong.c_str();
}

}  // namespace on_cpu
