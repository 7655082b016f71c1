// The kernels of nmfcore/kernels/cuda for the CPU: a function for each, called as the driver launches them.
#include "on_cpu.h"

#if DRAWN
#include "draw.cu"
#endif
#ifndef DRAWS_ALONE
#include "solve.cu"
#else
DYNAMIC_SHARED(shared);
#endif

static const char *wrong;

#define RUN(NAME, GIVEN)                                                                                             \
    extern "C" int run_##NAME(unsigned blocks, unsigned threads, unsigned bytes, void **arguments, unsigned order) { \
        wrong = on_cpu::launch(NAME, shared, blocks, threads, bytes, *(const GIVEN *)arguments[0], order);           \
        return *wrong != 0;                                                                                          \
    }

#if DRAWN
RUN(draw, Arguments)
#endif
#ifndef DRAWS_ALONE
RUN(solve, Arguments)
RUN(emit, Emission)
#endif

extern "C" const char *what_went_wrong() { return wrong; }
extern "C" unsigned long long argument_bytes() { return sizeof(Arguments); }
