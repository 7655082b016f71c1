// The kernel of probe.cu for the CPU, as kernels.cpp has those of the package.
#include "on_cpu.h"

DYNAMIC_SHARED(shared);
#include "probe.cu"

static const char *wrong;

extern "C" int run_scale(unsigned blocks, unsigned threads, unsigned bytes, void **arguments, unsigned order) {
    wrong = on_cpu::launch(scale, shared, blocks, threads, bytes, *(const Arguments *)arguments[0], order);
    return *wrong != 0;
}
extern "C" const char *what_went_wrong() { return wrong; }
