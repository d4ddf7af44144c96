/*
 * see heap.h
 *
 * The whole range is reserved at the first call, which the C library may make before main, without
 * access; pages become usable in steps as the heap grows (so wild pointers fault, and the kernel's
 * accounting sees only what may be used), and large idle stretches go back to the kernel.
 *
 * The names malloc, free and so on exist for the linker only: the functions below carry them as
 * assembler names. In C they stay poisoned here as everywhere (base/poison.h), and the compiler
 * does not take these functions for the builtins it has ideas about.
 *
 * Builds with another C library or a sanitizer keep that library's allocator; then only the
 * functions of heap.h are here, and they count nothing.
 */
#include "os/heap.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"
#include "os/heap_blocks.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__GLIBC__) || defined(ECILET_HOST_HEAP)
#define HEAP_IS_OURS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_OURS 0
#else
#define HEAP_IS_OURS 1
#endif
#else
#define HEAP_IS_OURS 1
#endif

static size_t limit_bytes = HEAP_BYTES_DEFAULT;

bool heap_is_ours(void)
{
    return HEAP_IS_OURS;
}

#if !HEAP_IS_OURS

void heap_limit(size_t bytes_max)
{
    limit_bytes = bytes_max;
}

void heap_stats(struct heap_stats *out)
{
    *out = (struct heap_stats){.bytes_max = limit_bytes};
}

void heap_fail_at(uint64_t countdown)
{
    (void)countdown;
}

#else

#define GROW_BYTES (256 * 1024) /* made usable at a time */
#define PAGE_BYTES_MAX 65536    /* whatever the machine's pages are, up to this */

_Static_assert(HEAP_BYTES_RESERVED <= BLOCKS_BYTES_MAX, "sizes fit the blocks");
_Static_assert(GROW_BYTES % PAGE_BYTES_MAX == 0, "growth is in pages");

/* Guards all below. The look-up threads and libcurl's allocate too. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *range; /* NULL before the first call */
static struct blocks blocks;
static struct heap_stats stats;
static uint64_t allocations_until_failure; /* 0 = never */

static void lock(void)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
}

static void unlock(void)
{
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

/* ---- the range ------------------------------------------------------------------------------- */

static bool reserve(void)
{
    if (range != NULL) {
        return true;
    }
    void *reserved = mmap(NULL, HEAP_BYTES_RESERVED, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) {
        return false;
    }
    range = reserved;
    blocks_init(&blocks, range);
    return true;
}

/* Makes about `bytes` more usable, or what the limit leaves. False when that is nothing. */
static bool grow(size_t bytes)
{
    size_t limit = limit_bytes < HEAP_BYTES_RESERVED ? limit_bytes : HEAP_BYTES_RESERVED;
    limit -= limit % PAGE_BYTES_MAX;
    if (blocks.end >= limit) {
        return false;
    }
    size_t left = limit - blocks.end;
    size_t step = bytes < left ? (bytes + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES : left;
    step = step < left ? step : left;
    if (mprotect(range + blocks.end, step, PROT_READ | PROT_WRITE) != 0) {
        return false;
    }
    blocks_extend(&blocks, step);
    return true;
}

static void release(struct blocks_idle idle)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)idle.ptr;
    uintptr_t first = (start + page - 1) / page * page;
    uintptr_t end = (start + idle.bytes) / page * page;
    if (idle.bytes > 0 && first < end) {
        /* Best effort: what the kernel does not take stays ours. */
        (void)madvise(range + (first - (uintptr_t)range), end - first, MADV_DONTNEED);
    }
}

/* ---- allocation, with the lock held ---------------------------------------------------------- */

static bool is_injected(void)
{
    return allocations_until_failure != 0 && --allocations_until_failure == 0;
}

static bool exceeds_limit(size_t bytes)
{
    size_t cost = blocks_cost(bytes);
    return cost > limit_bytes || blocks.bytes_used > limit_bytes - cost;
}

static void *fail(void)
{
    stats.failures++;
    errno = ENOMEM;
    return NULL;
}

static void note_use(void)
{
    stats.allocations++;
    if (blocks.bytes_used > stats.bytes_peak) {
        stats.bytes_peak = blocks.bytes_used;
    }
}

static void *find(size_t bytes, size_t alignment)
{
    if (exceeds_limit(bytes) || alignment > HEAP_BYTES_RESERVED || !reserve()) {
        return fail();
    }
    void *found = blocks_take(&blocks, bytes, alignment);
    /* The blocks look in the size class above, so growing allows for that rounding. */
    if (found == NULL && grow(bytes + bytes / BLOCKS_STEPS + 2 * alignment + 4096)) {
        found = blocks_take(&blocks, bytes, alignment);
    }
    if (found == NULL) {
        return fail();
    }
    note_use();
    return found;
}

static void *take(size_t bytes, size_t alignment)
{
    return is_injected() ? fail() : find(bytes, alignment);
}

static void give(void *ptr)
{
    int saved_errno = errno; /* free() leaves it alone */
    release(blocks_give(&blocks, ptr));
    errno = saved_errno;
}

static void *move(void *ptr, size_t old_bytes, size_t bytes)
{
    void *moved = find(bytes, BLOCKS_ALIGN);
    if (moved != NULL) {
        memcpy(moved, ptr, old_bytes < bytes ? old_bytes : bytes);
        give(ptr);
    }
    return moved;
}

static void *resize(void *ptr, size_t bytes)
{
    size_t old_bytes = blocks_bytes_at(&blocks, ptr);
    if (bytes > old_bytes && (is_injected() || exceeds_limit(bytes - old_bytes))) {
        return fail();
    }
    if (!blocks_resize(&blocks, ptr, bytes)) {
        return move(ptr, old_bytes, bytes);
    }
    note_use();
    return ptr;
}

static void *take_locked(size_t bytes, size_t alignment)
{
    lock();
    void *taken = take(bytes, alignment);
    unlock();
    return taken;
}

/* ---- the C library's names ------------------------------------------------------------------- */

#define LINKED_AS(name) __asm__(name)

void *heap_c_take(size_t bytes) LINKED_AS("malloc");
void heap_c_give(void *ptr) LINKED_AS("free");
void *heap_c_take_zeroed(size_t count, size_t each_bytes) LINKED_AS("calloc");
void *heap_c_resize(void *ptr, size_t bytes) LINKED_AS("realloc");
void *heap_c_take_aligned(size_t alignment, size_t bytes) LINKED_AS("aligned_alloc");
void *heap_c_take_aligned_old(size_t alignment, size_t bytes) LINKED_AS("memalign");
int heap_c_take_aligned_posix(void **out, size_t alignment, size_t bytes)
    LINKED_AS("posix_memalign");
size_t heap_c_bytes_at(void *ptr) LINKED_AS("malloc_usable_size");

void *heap_c_take(size_t bytes)
{
    return take_locked(bytes, BLOCKS_ALIGN);
}

void heap_c_give(void *ptr)
{
    if (ptr != NULL) {
        lock();
        give(ptr);
        unlock();
    }
}

void *heap_c_take_zeroed(size_t count, size_t each_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, each_bytes, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *taken = take_locked(bytes, BLOCKS_ALIGN);
    if (taken != NULL) {
        memset(taken, 0, bytes);
    }
    return taken;
}

void *heap_c_resize(void *ptr, size_t bytes)
{
    if (ptr == NULL) {
        return take_locked(bytes, BLOCKS_ALIGN);
    }
    lock();
    void *resized = resize(ptr, bytes);
    unlock();
    return resized;
}

static bool is_power_of_two(size_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

void *heap_c_take_aligned(size_t alignment, size_t bytes)
{
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return take_locked(bytes, alignment);
}

void *heap_c_take_aligned_old(size_t alignment, size_t bytes)
{
    return heap_c_take_aligned(alignment, bytes);
}

int heap_c_take_aligned_posix(void **out, size_t alignment, size_t bytes)
{
    if (!is_power_of_two(alignment) || alignment < sizeof(void *)) {
        return EINVAL;
    }
    int saved_errno = errno;
    void *taken = take_locked(bytes, alignment);
    errno = saved_errno;
    if (taken == NULL) {
        return ENOMEM;
    }
    *out = taken;
    return 0;
}

size_t heap_c_bytes_at(void *ptr)
{
    if (ptr == NULL) {
        return 0;
    }
    lock();
    size_t bytes = blocks_bytes_at(&blocks, ptr);
    unlock();
    return bytes;
}

/* ---- heap.h ---------------------------------------------------------------------------------- */

void heap_limit(size_t bytes_max)
{
    lock();
    limit_bytes = bytes_max;
    unlock();
}

void heap_stats(struct heap_stats *out)
{
    lock();
    *out = stats;
    out->bytes_max = limit_bytes < HEAP_BYTES_RESERVED ? limit_bytes : HEAP_BYTES_RESERVED;
    out->bytes_used = blocks.bytes_used;
    unlock();
}

void heap_fail_at(uint64_t countdown)
{
    lock();
    allocations_until_failure = countdown;
    unlock();
}

#endif
