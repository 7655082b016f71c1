/* A libcuda.so.1 of our own: a driver without a GPU, so that the host's side of the kernels runs as it is, everywhere.

   Device memory is malloc's, filled with rubbish, and every copy is held to the bounds of what was allocated. Launches are held to
   the limits of an H100 (threads, shared memory that was asked for, arguments) and are then run by the same source, compiled for the CPU: a
   code object whose bytes hash to X is looked for as $STANDIN_KERNELS/X.so, which exports run_NAME for a kernel NAME
   (kernels.cpp); what it finds wrong is said on standard error, and the launch fails as one that reads wild memory does.

   Settings, all environment variables: STANDIN_DEVICES (1), STANDIN_MEMORY (bytes a device has), STANDIN_SHARED (the most
   shared memory of a block), STANDIN_IDLE (launches are checked, not run), STANDIN_FAIL (the code that launches end with), STANDIN_ORDER (of the threads between
   barriers, see on_cpu.h), STANDIN_LOG (a file to
   which calls are written). Declarations follow the driver's documented binary interface. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Result;
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
       INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, OUT_OF_RESOURCES = 701,
       NOT_SUPPORTED = 801 };
typedef struct { unsigned grid[3], block[3], shared; void *stream; void *attributes; unsigned count; } Launch;
typedef int (*Run)(unsigned blocks, unsigned threads, unsigned shared, void **arguments, unsigned order);
typedef const char *(*Wrong)(void);

enum { PLAIN_SHARED = 48 * 1024, RESERVED = 1024, PER_PROCESSOR = 228 * 1024, REGISTERS = 65536, MOST_DEVICES = 8 };
static long setting(const char *name, long otherwise) { const char *text = getenv(name); return text ? atol(text) : otherwise; }
static long most_shared(void) { return setting("STANDIN_SHARED", 227 * 1024); }

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread uintptr_t current; /* a context is the number of its device and one */
static int initialised;

static void say(const char *what, long a, long b, long c) {
    const char *path = getenv("STANDIN_LOG");
    FILE *log = path ? fopen(path, "a") : NULL;
    if (log) { fprintf(log, "%s %ld %ld %ld\n", what, a, b, c); fclose(log); }
}

/* Memory: what was allocated, where, and how much of it is left. */
typedef struct Piece { char *at; size_t size; int device; struct Piece *next; } Piece;
static Piece *pieces;
static size_t used[MOST_DEVICES];
static size_t memory(void) { return (size_t)setting("STANDIN_MEMORY", 80L << 30); }

static Result allocate(char **at, size_t size) {
    if (!current) return INVALID_CONTEXT;
    if (!size) return INVALID_VALUE;
    int device = (int)current - 1;
    Result result = OK;
    pthread_mutex_lock(&lock);
    void *piece = NULL;
    if (used[device] + size > memory() || posix_memalign(&piece, 256, size)) result = OUT_OF_MEMORY;
    else {
        memset(piece, 0xC7, size);
        Piece *one = malloc(sizeof *one);
        *one = (Piece){piece, size, device, pieces};
        pieces = one;
        used[device] += size;
        *at = piece;
    }
    pthread_mutex_unlock(&lock);
    say("allocate", device, (long)size, result);
    return result;
}

static Result release(char *at) {
    Result result = at ? INVALID_VALUE : OK;
    pthread_mutex_lock(&lock);
    for (Piece **place = &pieces; *place; place = &(*place)->next)
        if ((*place)->at == at) {
            Piece *one = *place;
            used[one->device] -= one->size;
            *place = one->next;
            memset(one->at, 0xDD, one->size);
            free(one->at);
            free(one);
            result = OK;
            break;
        }
    pthread_mutex_unlock(&lock);
    return result;
}

static int inside(const char *at, size_t size) {
    int found = 0;
    pthread_mutex_lock(&lock);
    for (Piece *one = pieces; one && !found; one = one->next)
        found = one->at <= at && at + size <= one->at + one->size && one->device == (int)current - 1;
    pthread_mutex_unlock(&lock);
    return found;
}

typedef struct Pinned { char *at; size_t size; struct Pinned *next; } Pinned;
static Pinned *pinned;

/* A device copies page-locked memory by itself: where launches are not run, the processor is not kept busy with it. */
static int by_itself(const char *at) {
    int found = 0;
    if (!setting("STANDIN_IDLE", 0)) return 0;
    pthread_mutex_lock(&lock);
    for (Pinned *one = pinned; one && !found; one = one->next) found = one->at <= at && at < one->at + one->size;
    pthread_mutex_unlock(&lock);
    return found;
}

static Result to_device(char *to, const void *from, size_t size) {
    if (!inside(to, size)) return INVALID_VALUE;
    if (!by_itself(from)) memcpy(to, from, size);
    say("upload", (long)size, 0, 0);
    return OK;
}
static Result to_host(void *to, const char *from, size_t size) {
    if (!inside(from, size)) return INVALID_VALUE;
    if (!by_itself(to)) memcpy(to, from, size);
    say("download", (long)size, 0, 0);
    return OK;
}

/* Code objects: 64-bit ELF, read for what a kernel needs. */
typedef struct Kernel { char name[256]; int registers, shared, allowed, parameters; size_t offset[32], size[32]; Run run; Wrong wrong; struct Kernel *next; } Kernel;
typedef struct { unsigned char *code; size_t size; void *handle; Kernel *kernels; } Library;
typedef struct { uint32_t name, type; uint64_t flags, at, offset, size; uint32_t link, info; uint64_t align, each; } Section;

static uint64_t field(const unsigned char *at, int bytes) { uint64_t x = 0; memcpy(&x, at, bytes); return x; }
static size_t size_of(const unsigned char *code) { /* the headers of sections or those of segments come last */
    size_t sections = field(code + 0x28, 8) + field(code + 0x3A, 2) * field(code + 0x3C, 2);
    size_t segments = field(code + 0x20, 8) + field(code + 0x36, 2) * field(code + 0x38, 2);
    return sections > segments ? sections : segments;
}
static const Section *section(const Library *library, const char *prefix, const char *name) {
    const Section *all = (const Section *)(library->code + field(library->code + 0x28, 8));
    const char *names = (const char *)library->code + all[field(library->code + 0x3E, 2)].offset;
    for (unsigned i = 0; i < field(library->code + 0x3C, 2); i++) {
        const char *one = names + all[i].name;
        if (!strncmp(one, prefix, strlen(prefix)) && !strcmp(one + strlen(prefix), name)) return all + i;
    }
    return NULL;
}

static Result load(void **out, const void *code) {
    if (memcmp(code, "\177ELF", 4)) return INVALID_IMAGE;
    Library *library = calloc(1, sizeof *library);
    library->size = size_of(code);
    library->code = malloc(library->size);
    memcpy(library->code, code, library->size);
    uint64_t hash = 0xCBF29CE484222325u; /* Fowler, Noll & Vo's hash 1a */
    for (size_t i = 0; i < library->size; i++) hash = (hash ^ library->code[i]) * 0x100000001B3u;
    char path[4096];
    snprintf(path, sizeof path, "%s/%016lx.so", getenv("STANDIN_KERNELS") ? getenv("STANDIN_KERNELS") : ".", (long)hash);
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library->handle && !setting("STANDIN_IDLE", 0)) fprintf(stderr, "stand-in driver: %s\n", dlerror());
    *out = library;
    return OK;
}

/* The attributes that the compiler wrote about a kernel: format, attribute, and a value or the size of what follows. */
static void describe(const Library *library, Kernel *kernel) {
    const Section *text = section(library, ".text.", kernel->name), *shared = section(library, ".nv.shared.", kernel->name);
    const Section *info = section(library, ".nv.info.", kernel->name);
    const Section *whole = section(library, ".nv.info", "");
    for (size_t at = 0; text && whole && at + 12 <= whole->size;) { /* registers, by the kernel's symbol */
        const unsigned char *one = library->code + whole->offset + at;
        if (one[0] == 4 && one[1] == 0x2F && field(one + 4, 4) == (text->info & 0xFFFFFF)) kernel->registers = (int)field(one + 8, 4);
        at += one[0] == 4 ? 4 + field(one + 2, 2) : 4;
    }
    /* from sm_90 on the compiler counts what the system keeps of every block */
    kernel->shared = shared ? (int)shared->size - (shared->size >= RESERVED ? RESERVED : 0) : 0;
    for (size_t at = 0; info && at + 4 <= info->size;) {
        const unsigned char *one = library->code + info->offset + at;
        int form = one[0], what = one[1];
        if (form == 4 && what == 0x17) { /* a parameter: index, ordinal and offset, then flags with the size in 14 bits */
            unsigned ordinal = (unsigned)field(one + 8, 2);
            if (ordinal < 32) {
                kernel->offset[ordinal] = field(one + 10, 2);
                kernel->size[ordinal] = field(one + 12, 4) >> 18;
                if (kernel->parameters <= (int)ordinal) kernel->parameters = (int)ordinal + 1;
            }
        }
        at += form == 4 ? 4 + field(one + 2, 2) : 4;
    }
}

static Result get_kernel(void **out, Library *library, const char *name) {
    pthread_mutex_lock(&lock);
    Kernel *one = library->kernels;
    while (one && strcmp(one->name, name)) one = one->next;
    if (!one && section(library, ".text.", name)) {
        char symbol[300];
        one = calloc(1, sizeof *one);
        strncpy(one->name, name, 255);
        one->allowed = PLAIN_SHARED;
        describe(library, one);
        snprintf(symbol, sizeof symbol, "run_%s", name);
        one->run = library->handle ? (Run)dlsym(library->handle, symbol) : NULL;
        one->wrong = library->handle ? (Wrong)dlsym(library->handle, "what_went_wrong") : NULL;
        one->next = library->kernels;
        library->kernels = one;
    }
    pthread_mutex_unlock(&lock);
    *out = one;
    return one ? OK : NOT_FOUND;
}

enum { MAX_THREADS = 0, SHARED = 1, CONSTANT = 2, LOCAL = 3, NUMBER_OF_REGISTERS = 4, MAX_DYNAMIC = 8 };
static Result kernel_attribute(int *value, int what, const Kernel *kernel) {
    *value = what == MAX_THREADS ? 1024 : what == SHARED ? kernel->shared : what == NUMBER_OF_REGISTERS ? kernel->registers
           : what == MAX_DYNAMIC ? kernel->allowed : 0;
    return OK;
}
static Result set_kernel_attribute(int what, int value, Kernel *kernel) {
    if (what == MAX_DYNAMIC) {
        if (value < 0 || value + kernel->shared > most_shared()) return INVALID_VALUE;
        kernel->allowed = value;
    }
    say("allow", what, value, 0);
    return OK;
}
static int resident(const Kernel *kernel, int threads, size_t shared) {
    /* registers are given to warps by 256, shared memory to blocks by 128 bytes and with a reserve */
    int warps = (threads + 31) / 32, each = (kernel->registers * 32 + 255) / 256 * 256, blocks = 64 / warps;
    if (blocks > 32) blocks = 32;
    if (each && REGISTERS / each / warps < blocks) blocks = REGISTERS / each / warps;
    int bytes = (int)((shared + kernel->shared + RESERVED + 127) / 128 * 128);
    return PER_PROCESSOR / bytes < blocks ? PER_PROCESSOR / bytes : blocks;
}

static Result launch(const Kernel *kernel, const unsigned *grid, const unsigned *block, unsigned shared, void **arguments) {
    unsigned threads = block[0] * block[1] * block[2];
    say(kernel->name, grid[0], threads, shared);
    if (!current) return INVALID_CONTEXT;
    if (!grid[0] || grid[1] != 1 || grid[2] != 1 || !threads || threads > 1024 || grid[0] > 0x7FFFFFFFu) return INVALID_VALUE;
    if ((long)shared > kernel->allowed || (long)shared + kernel->shared > most_shared()) return INVALID_VALUE;
    if (!resident(kernel, (int)threads, shared)) return OUT_OF_RESOURCES;
    for (int i = 0; i < kernel->parameters; i++) if (!arguments || !arguments[i]) return INVALID_VALUE;
    if (setting("STANDIN_FAIL", 0)) return (Result)setting("STANDIN_FAIL", 0);
    if (setting("STANDIN_IDLE", 0)) return OK;
    if (!kernel->run) return NOT_FOUND;
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one_at_a_time);
    int failed = kernel->run(grid[0], threads, shared, arguments, (unsigned)setting("STANDIN_ORDER", 0));
    if (failed) fprintf(stderr, "stand-in driver: %s: %s\n", kernel->name, kernel->wrong());
    pthread_mutex_unlock(&one_at_a_time);
    return failed ? ILLEGAL_ADDRESS : OK;
}

/* The driver's interface. */
#define API __attribute__((visibility("default"))) Result
/* CUDA_VISIBLE_DEVICES names some of them, by number. */
static int devices(void) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    int number = (int)setting("STANDIN_DEVICES", 1), named = 1;
    if (!visible) return number;
    if (!*visible) return 0;
    for (const char *at = visible; *at; at++) named += *at == ',';
    return named < number ? named : number;
}
API cuInit(unsigned flags) { (void)flags; if (devices() < 1) return NO_DEVICE; initialised = 1; return OK; }
API cuGetExportTable(const void **table, const void *id) { (void)id; *table = NULL; return NOT_SUPPORTED; } /* NVRTC asks */
API cuDriverGetVersion(int *version) { *version = 13000; return OK; }
API cuDeviceGetCount(int *number) { if (!initialised) return NOT_INITIALIZED; *number = devices(); return OK; }
API cuDeviceGet(int *device, int i) { *device = i; return i < 0 || i >= devices() ? INVALID_DEVICE : OK; }
API cuDeviceGetName(char *name, int size, int device) { (void)device; snprintf(name, size, "Stand-in"); return OK; }
API cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, 1 + device, 16); return OK; }
API cuDeviceTotalMem_v2(size_t *bytes, int device) { (void)device; *bytes = memory(); return OK; }
API cuDeviceGetAttribute(int *value, int what, int device) {
    (void)device;
    switch (what) { /* the numbers of CUdevice_attribute, the figures of an H100 */
    case 1: *value = 1024; break;              /* threads of a block */
    case 2: case 3: *value = 1024; break;
    case 4: *value = 64; break;
    case 5: *value = 0x7FFFFFFF; break;        /* blocks of a grid */
    case 6: case 7: *value = 65535; break;
    case 8: *value = PLAIN_SHARED; break;
    case 10: *value = 32; break;               /* threads of a warp */
    case 12: case 82: *value = REGISTERS; break;
    case 16: *value = 132; break;              /* multiprocessors */
    case 39: *value = 2048; break;             /* threads of a multiprocessor */
    case 75: *value = 9; break;                /* compute capability */
    case 76: *value = 0; break;
    case 81: *value = PER_PROCESSOR; break;
    case 97: *value = (int)most_shared(); break;
    case 38: *value = 50 << 20; break;         /* L2 */
    case 106: *value = 32; break;              /* blocks of a multiprocessor */
    case 111: *value = RESERVED; break;
    case 41: *value = 1; break;                /* unified addressing */
    default: *value = 0;
    }
    return OK;
}
API cuDevicePrimaryCtxRetain(uintptr_t *context, int device) { *context = device + 1; return OK; }
API cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return OK; }
API cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { (void)device; *flags = 0; *active = 1; return OK; }
API cuCtxGetCurrent(uintptr_t *context) { *context = current; return OK; }
API cuCtxSetCurrent(uintptr_t context) { current = context; return OK; }
API cuCtxPushCurrent_v2(uintptr_t context) { current = context; return OK; }
API cuCtxPopCurrent_v2(uintptr_t *context) { if (context) *context = current; return OK; }
API cuCtxGetDevice(int *device) { *device = (int)current - 1; return current ? OK : INVALID_CONTEXT; }
API cuCtxGetDevice_v2(int *device, uintptr_t context) { *device = (int)(context ? context : current) - 1; return OK; }
API cuCtxSynchronize(void) { return current ? OK : INVALID_CONTEXT; }
API cuMemGetInfo_v2(size_t *left, size_t *total) { if (!current) return INVALID_CONTEXT; *total = memory(); *left = *total - used[current - 1]; return OK; }
API cuMemAlloc_v2(char **at, size_t size) { return allocate(at, size); }
API cuMemFree_v2(char *at) { return release(at); }
API cuMemAllocHost_v2(void **at, size_t size) { say("pin", (long)size, 0, 0); return posix_memalign(at, 4096, size) ? OUT_OF_MEMORY : OK; }
API cuMemHostAlloc(void **at, size_t size, unsigned flags) { (void)flags; return cuMemAllocHost_v2(at, size); }
API cuMemHostRegister_v2(char *at, size_t size, unsigned flags) {
    (void)flags;
    for (size_t i = 0; i < size; i += 4096) at[i] = at[i]; /* its pages are there from now on */
    Pinned *one = malloc(sizeof *one);
    pthread_mutex_lock(&lock);
    *one = (Pinned){at, size, pinned};
    pinned = one;
    pthread_mutex_unlock(&lock);
    say("lock", (long)size, 0, 0);
    return OK;
}
API cuMemFreeHost(void *at) { free(at); return OK; }
API cuMemcpyHtoD_v2(char *to, const void *from, size_t size) { return to_device(to, from, size); }
API cuMemcpyDtoH_v2(void *to, const char *from, size_t size) { return to_host(to, from, size); }
API cuMemcpyHtoDAsync_v2(char *to, const void *from, size_t size, void *stream) { (void)stream; return to_device(to, from, size); }
API cuMemcpyDtoHAsync_v2(void *to, const char *from, size_t size, void *stream) { (void)stream; return to_host(to, from, size); }
API cuMemsetD8_v2(char *at, unsigned char value, size_t size) { if (!inside(at, size)) return INVALID_VALUE; memset(at, value, size); return OK; }
API cuMemsetD8Async(char *at, unsigned char value, size_t size, void *stream) { (void)stream; return cuMemsetD8_v2(at, value, size); }
API cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) { (void)flags; (void)priority; *stream = malloc(1); return OK; }
API cuStreamCreate(void **stream, unsigned flags) { (void)flags; *stream = malloc(1); return OK; }
API cuStreamDestroy_v2(void *stream) { free(stream); return OK; }
API cuStreamSynchronize(void *stream) { (void)stream; return OK; }
API cuStreamGetCtx(void *stream, uintptr_t *context) { (void)stream; *context = current; return OK; }
API cuStreamGetCtx_v2(void *stream, uintptr_t *context, void **green) { (void)stream; *context = current; if (green) *green = NULL; return OK; }
API cuStreamGetPriority(void *stream, int *priority) { (void)stream; *priority = 0; return OK; }
API cuStreamGetFlags(void *stream, unsigned *flags) { (void)stream; *flags = 1; return OK; }
API cuStreamIsCapturing(void *stream, int *status) { (void)stream; *status = 0; return OK; }
API cuCtxGetStreamPriorityRange(int *least, int *greatest) { *least = 0; *greatest = -5; return OK; }
API cuLibraryLoadData(void **library, const void *code, void *a, void *b, unsigned c, void *d, void *e, unsigned f) {
    (void)a; (void)b; (void)c; (void)d; (void)e; (void)f;
    return load(library, code);
}
API cuLibraryUnload(void *library) { (void)library; return OK; }
API cuLibraryGetKernel(void **kernel, void *library, const char *name) { return get_kernel(kernel, library, name); }
API cuKernelGetFunction(void **function, void *kernel) { *function = kernel; return OK; }
API cuKernelGetLibrary(void **library, void *kernel) { (void)kernel; *library = NULL; return OK; }
API cuKernelGetAttribute(int *value, int what, void *kernel, int device) { (void)device; return kernel_attribute(value, what, kernel); }
API cuKernelSetAttribute(int what, int value, void *kernel, int device) { (void)device; return set_kernel_attribute(what, value, kernel); }
API cuFuncGetAttribute(int *value, int what, void *kernel) { return kernel_attribute(value, what, kernel); }
API cuFuncSetAttribute(void *kernel, int what, int value) { return set_kernel_attribute(what, value, kernel); }
API cuKernelGetParamInfo(void *kernel, size_t i, size_t *offset, size_t *size) {
    Kernel *one = kernel;
    if ((int)i >= one->parameters) return INVALID_VALUE;
    *offset = one->offset[i];
    if (size) *size = one->size[i];
    return OK;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *kernel, int threads, size_t shared) { *blocks = resident(kernel, threads, shared); return OK; }
API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, void *kernel, int threads, size_t shared, unsigned flags) {
    (void)flags;
    return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, kernel, threads, shared);
}
API cuLaunchKernel(void *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *stream,
                   void **arguments, void **extra) {
    unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
    (void)stream;
    return extra ? INVALID_VALUE : launch(kernel, grid, block, shared, arguments);
}
API cuLaunchKernelEx(const Launch *how, void *kernel, void **arguments, void **extra) {
    return extra ? INVALID_VALUE : launch(kernel, how->grid, how->block, how->shared, arguments);
}
static const struct { Result code; const char *name, *text; } errors[] = {
    {OK, "CUDA_SUCCESS", "no error"}, {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}, {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}, {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}, {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"}};
static Result explain(Result code, const char **text, int name) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) { *text = name ? errors[i].name : errors[i].text; return OK; }
    *text = NULL;
    return INVALID_VALUE;
}
API cuGetErrorName(Result code, const char **text) { return explain(code, text, 1); }
API cuGetErrorString(Result code, const char **text) { return explain(code, text, 0); }

/* A function is found by its name, with or without the number of its version; what is missing here is said to be. */
API cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *status) {
    static const char *const endings[] = {"_v2", ""};
    char full[300];
    (void)version; (void)flags;
    *function = NULL;
    void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    for (int i = 0; i < 2 && !*function; i++) {
        snprintf(full, sizeof full, "%s%s", name, endings[i]);
        *function = dlsym(self, full);
    }
    if (!*function) say(name, -1, -1, -1);
    if (status) *status = *function ? 0 : 1;
    return OK;
}
API cuGetProcAddress(const char *name, void **function, int version, uint64_t flags) { return cuGetProcAddress_v2(name, function, version, flags, NULL); }
