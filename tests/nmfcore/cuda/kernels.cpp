// The kernels of nmfcore/kernels/cuda/solve.cu for the CPU: a function for each, called as the driver launches them.
#include "on_cpu.h"

#include "solve.cu"

static std::string wrong;

#define RUN(NAME, GIVEN)                                                                                             \
    extern "C" int run_##NAME(unsigned blocks, unsigned threads, unsigned bytes, void **arguments, unsigned order) { \
        wrong = on_cpu::launch(NAME, shared, blocks, threads, bytes, *(const GIVEN *)arguments[0], order);           \
        return !wrong.empty();                                                                                       \
    }

RUN(solve, Arguments)
RUN(draw, Arguments)
RUN(emit, Emission)

extern "C" const char *what_went_wrong() { return wrong.c_str(); }
extern "C" unsigned long long argument_bytes() { return sizeof(Arguments); }
