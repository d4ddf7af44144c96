/*
 * static_heap.c - os/heap.c at work: a static musl program whose malloc is ours. No cmocka here,
 * which would need a musl build of its own; every expectation is a CHECK. Ends with "N passed, 0
 * failed".
 */
#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/prng.h"
#include "os/heap.h"
#include "os/os.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static char *taken_before_main;

__attribute__((constructor)) static void take_before_main(void)
{
    taken_before_main = strdup("before main");
}

static size_t bytes_used(void)
{
    struct heap_stats stats;
    heap_stats(&stats);
    return stats.bytes_used;
}

static void test_heap_is_ours_from_the_start(void)
{
    CHECK(heap_is_ours());
    CHECK(strcmp(taken_before_main, "before main") == 0);
    free(taken_before_main);
    free(NULL);
}

static void test_heap_keeps_the_contracts_of_c(void)
{
    size_t before = bytes_used();
    for (size_t bytes = 0; bytes < 5000; bytes += 1 + bytes / 3) {
        unsigned char *a = malloc(bytes);
        unsigned char *b = calloc(bytes, 3);
        CHECK(a != NULL && b != NULL && a != b);
        CHECK(((uintptr_t)a | (uintptr_t)b) % 16 == 0);
        CHECK(malloc_usable_size(a) >= bytes && malloc_usable_size(b) >= 3 * bytes);
        for (size_t i = 0; i < 3 * bytes; i++) {
            CHECK(b[i] == 0);
        }
        memset(a, 7, bytes);
        a = realloc(a, 10 * bytes + 1);
        CHECK(a != NULL);
        for (size_t i = 0; i < bytes; i++) {
            CHECK(a[i] == 7);
        }
        memset(a, 8, 10 * bytes + 1); /* dirt for later callocs */
        a = realloc(a, bytes / 2);
        free(a);
        free(b);
    }
    for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
        void *a = NULL;
        CHECK(posix_memalign(&a, alignment, 100) == 0 && (uintptr_t)a % alignment == 0);
        void *b = aligned_alloc(alignment, alignment);
        CHECK(b != NULL && (uintptr_t)b % alignment == 0);
        void *c = memalign(alignment, 1);
        CHECK(c != NULL && (uintptr_t)c % alignment == 0);
        free(a);
        free(b);
        free(c);
    }
    void *unchanged = &unchanged;
    CHECK(posix_memalign(&unchanged, 24, 1) == EINVAL && unchanged == &unchanged);
    CHECK(posix_memalign(&unchanged, 4, 1) == EINVAL && unchanged == &unchanged);
    CHECK(aligned_alloc(24, 24) == NULL && errno == EINVAL);
    void *kept = realloc(NULL, 10);
    CHECK(kept != NULL);
    free(kept);
    CHECK(malloc_usable_size(NULL) == 0);
    CHECK(bytes_used() == before);
}

/* The compiler may not conclude anything about these. */
static volatile size_t too_much = SIZE_MAX;

static void test_heap_refuses_beyond_its_limit(void)
{
    size_t before = bytes_used();
    struct heap_stats stats;
    void *parts[64];
    size_t count = 0;
    heap_limit(4u << 20);
    errno = 0;
    while (count < COUNT_OF(parts) && (parts[count] = malloc(100000)) != NULL) {
        count++;
    }
    CHECK(errno == ENOMEM);
    CHECK(count >= 36 && count <= 41); /* 4 MiB, less what was taken already */
    heap_stats(&stats);
    CHECK(stats.bytes_max == 4u << 20);
    CHECK(stats.bytes_used <= stats.bytes_max && stats.bytes_peak >= stats.bytes_used);
    CHECK(stats.failures > 0);
    CHECK(realloc(parts[0], 300000) == NULL); /* the old one stays */
    memset(parts[0], 1, 100000);
    while (count > 0) {
        free(parts[--count]);
    }
    CHECK(malloc(5u << 20) == NULL);
    CHECK(malloc(too_much) == NULL);
    CHECK(malloc(too_much / 2) == NULL);
    CHECK(calloc(too_much / 2, 3) == NULL);
    CHECK(memalign(1u << 28, 1) == NULL);
    void *nearly_all =
        malloc(3u << 20); /* freed parts are joined, and the range may grow to here */
    CHECK(nearly_all != NULL);
    free(nearly_all);
    CHECK(bytes_used() == before);
    heap_limit(HEAP_BYTES_DEFAULT);
}

static void test_heap_fails_on_demand(void)
{
    size_t before = bytes_used();
    for (uint64_t nth = 1; nth <= 4; nth++) {
        void *kept = malloc(10);
        heap_fail_at(nth);
        void *a = malloc(10);
        void *b = calloc(1, 10);
        void *c = realloc(kept, 10000);
        CHECK((a == NULL) == (nth == 1));
        CHECK((b == NULL) == (nth == 2));
        CHECK((c == NULL) == (nth == 3));
        heap_fail_at(0);
        free(a);
        free(b);
        free(c != NULL ? c : kept);
    }
    CHECK(bytes_used() == before);
}

static void test_heap_gives_memory_back_to_the_kernel(void)
{
    enum { PARTS = 60, BYTES = 100000 };
    static char *parts[PARTS];
    size_t before = os_resident_bytes();
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = malloc(BYTES);
        CHECK(parts[i] != NULL);
        memset(parts[i], 1, BYTES);
    }
    size_t with = os_resident_bytes();
    CHECK(with - before > PARTS * BYTES * 3 / 4);
    for (size_t i = 0; i < PARTS; i++) {
        free(parts[(i * 7) % PARTS]);
    }
    CHECK(os_resident_bytes() < before + PARTS * BYTES / 20);
}

static void test_heap_serves_the_c_library(void)
{
    struct addrinfo *found = NULL;
    size_t before = bytes_used();
    char *text = NULL;
    CHECK(asprintf(&text, "%0100d", 7) == 100);
    free(text);
    if (getaddrinfo("127.0.0.1", "80", NULL, &found) == 0) {
        freeaddrinfo(found);
    }
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file != NULL && getc(file) != EOF);
    (void)fclose(file);
    CHECK(bytes_used() == before);
}

/* ---- threads --------------------------------------------------------------------------------- */

#define THREADS 4
#define SHARED 64
#define ROUNDS 100000

/* Blocks are handed from thread to thread through these cells; each starts with its size and is
 * filled with the low byte of that. */
static _Atomic(size_t *) shared[SHARED];
static _Atomic uint64_t refusals;

static void fill(size_t *block, size_t bytes)
{
    *block = bytes;
    memset(block + 1, (int)(bytes & 0xff), bytes);
}

static void verify(const size_t *block, size_t bytes)
{
    const unsigned char *content = (const unsigned char *)(block + 1);
    for (size_t i = 0; i < bytes; i += 1 + bytes / 64) {
        CHECK(content[i] == (*block & 0xff));
    }
}

static void *take_and_give(void *argument)
{
    struct prng prng;
    prng_seed(&prng, (uintptr_t)argument);
    for (int round = 0; round < ROUNDS; round++) {
        size_t bytes = prng_below(&prng, 1ULL << prng_below(&prng, 17));
        size_t *mine = prng_chance(&prng, 1, 8) ? aligned_alloc(64, sizeof(size_t) + bytes)
                                                : malloc(sizeof(size_t) + bytes);
        if (mine != NULL) {
            fill(mine, bytes);
        } else {
            refusals++;
        }
        size_t *other = atomic_exchange(&shared[prng_below(&prng, SHARED)], mine);
        if (other == NULL) {
            continue;
        }
        verify(other, *other);
        if (prng_chance(&prng, 1, 4)) {
            size_t *resized = realloc(other, sizeof(size_t) + bytes);
            if (resized != NULL) {
                verify(resized, *resized < bytes ? *resized : bytes);
                other = resized;
            }
        }
        free(other);
    }
    return NULL;
}

static void test_heap_is_safe_for_threads(void)
{
    pthread_t threads[THREADS];
    size_t before = bytes_used();
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    for (size_t i = 0; i < SHARED; i++) {
        free(atomic_exchange(&shared[i], NULL));
    }
    CHECK(bytes_used() == before);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"is ours from the start", test_heap_is_ours_from_the_start},
    {"keeps the contracts of C", test_heap_keeps_the_contracts_of_c},
    {"refuses beyond its limit", test_heap_refuses_beyond_its_limit},
    {"fails on demand", test_heap_fails_on_demand},
    {"gives memory back to the kernel", test_heap_gives_memory_back_to_the_kernel},
    {"serves the C library", test_heap_serves_the_c_library},
    {"is safe for threads", test_heap_is_safe_for_threads},
};

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(tests); i++) {
        uint64_t start_us = os_now_us();
        tests[i].run();
        printf("ok %s (%u ms)\n", tests[i].name, (unsigned)((os_now_us() - start_us) / 1000));
    }
    struct heap_stats stats;
    heap_stats(&stats);
    printf("%llu allocations, %llu refused, peak %zu bytes\n",
           (unsigned long long)stats.allocations, (unsigned long long)stats.failures,
           stats.bytes_peak);
    printf("%zu passed, 0 failed\n", COUNT_OF(tests));
    return 0;
}
