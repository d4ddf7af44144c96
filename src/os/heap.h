/*
 * heap.h - the heap of third-party code (libcurl, libfyaml, the C library): bounded, counted, and
 * able to fail on demand. os/heap.c defines malloc and friends over one fixed range of memory, so
 * nothing in the process can take more; our own code cannot even name them (base/poison.h).
 *
 * Thread-safe (libcurl's and our resolver threads allocate). When full, allocation fails and the
 * library reports its error, which becomes ERR_NO_MEMORY.
 */
#ifndef ECILET_OS_HEAP_H
#define ECILET_OS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_stats {
    size_t bytes_max;  /* size of the range */
    size_t bytes_used; /* taken now, with overhead */
    size_t bytes_peak;
    uint64_t allocations; /* ever */
    uint64_t failures;    /* refused: full or injected */
};

/* Default size before heap_limit() is called (start-up: libfyaml on the config's kubeconfig). */
#define HEAP_BYTES_DEFAULT (8u * 1024 * 1024)

/* Lowers or raises the limit (the range itself is reserved once at HEAP_BYTES_RESERVED). */
#define HEAP_BYTES_RESERVED (64u * 1024 * 1024)
void heap_limit(size_t bytes_max);
void heap_stats(struct heap_stats *out);
/* The allocation number `countdown` from now fails (0 = never). */
void heap_fail_at(uint64_t countdown);
/* False in builds where the C library's (or a sanitizer's) allocator is used instead. */
bool heap_is_ours(void);

#endif
