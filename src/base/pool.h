/*
 * pool.h - typed slots with a worst-case count, and handles that notice when they are stale.
 *
 * Whoever holds the slot owns all that is reachable from it; everyone else holds a handle. A
 * handle carries the slot's generation: after pool_give() it is stale, and pool_at() answers NULL.
 */
#ifndef ECILET_BASE_POOL_H
#define ECILET_BASE_POOL_H

#include "base/err.h"
#include "base/str.h"

typedef struct handle {
    uint32_t slot;       /* index + 1; 0 is "no handle" */
    uint32_t generation; /* odd while taken */
} handle;

#define HANDLE_NONE ((handle){0, 0})

static inline bool handle_is_none(handle h)
{
    return h.slot == 0;
}

static inline bool handle_eq(handle a, handle b)
{
    return a.slot == b.slot && a.generation == b.generation;
}

struct pool {
    char *slots;
    uint32_t *generations; /* count_max */
    uint32_t *next_free;   /* count_max; list of free slots */
    uint32_t first_free;   /* index + 1, 0 = none */
    uint32_t count;        /* taken now */
    uint32_t count_peak;   /* most ever taken */
    uint32_t count_max;
    uint32_t slot_bytes;
    uint64_t refused; /* takes that found the pool full */
    const char *name;
};

struct region;

/* Carves count_max slots of slot_bytes (rounded up to 16) plus the book-keeping. The name is static
 * text and appears in the budget and in metrics. */
void pool_init(struct pool *pool, struct region *region, const char *name, uint32_t count_max,
               size_t slot_bytes);

/*
 * Take a free slot. It is zeroed and belongs to the caller until pool_give().
 * Errors: ERR_FULL when all slots are taken; out is unchanged. Cost O(1).
 */
MUST_USE enum err pool_take(struct pool *pool, handle *out);

/* The slot, or NULL when the handle is none or stale. */
void *pool_at(const struct pool *pool, handle h);

/* Gives the slot back. The handle must be fresh (CHECKed). */
void pool_give(struct pool *pool, handle h);

/* The handle of a taken slot by its address inside the pool. */
handle pool_handle_of(const struct pool *pool, const void *slot);

/*
 * Visits all taken slots in index order:
 *     for (handle h = pool_first(p); !handle_is_none(h); h = pool_after(p, h))
 * Giving back the visited slot inside the loop is allowed.
 */
handle pool_first(const struct pool *pool);
handle pool_after(const struct pool *pool, handle h);

/* nth-failure tests: the take number `countdown` from now fails (0 = never). Counts all pools. */
void pool_fail_at(uint64_t countdown);

#endif
