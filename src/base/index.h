/*
 * index.h - hash -> handle, open addressing, no tombstones (backward-shift deletion).
 *
 * The memory for count_max entries is carved at start, but only as much of it is used as the
 * entries need: a table that is half full moves into one of twice the size, which lies behind it.
 * An index made for 10,000 pods that holds 100 therefore touches a page or two, not all of them. It
 * never shrinks. Adding is amortised O(1); the largest move, at 100,000 entries, takes about a
 * millisecond.
 *
 * Several entries may share a hash; the caller compares the real key:
 *
 *     uint32_t at = INDEX_START;
 *     handle h;
 *     while (index_find(&ix, hash, &at, &h)) { if (same(pool_at(&pool, h))) ... }
 */
#ifndef ECILET_BASE_INDEX_H
#define ECILET_BASE_INDEX_H

#include "base/pool.h"

struct index_cell {
    uint32_t hash; /* folded: half the memory that 64 bits would touch; the caller compares keys */
    handle value;  /* slot 0 = free cell */
};

struct index {
    struct index_cell *cells; /* the table in use */
    uint32_t cells_count;     /* of it: a power of two > 2 * count, unless it is the largest */
    uint32_t cells_max;       /* of the largest: a power of two >= 2 * count_max */
    uint32_t count;
    uint32_t count_max;
};

/* The smallest table: 384 bytes. */
#define INDEX_CELLS_MIN 32

#define INDEX_START UINT32_MAX

void index_init(struct index *ix, struct region *region, const char *name, uint32_t count_max);
/* ERR_FULL when count_max entries are present. Adding (hash, handle) twice is the caller's bug. */
MUST_USE enum err index_add(struct index *ix, uint64_t hash, handle value);
/* Next entry with this hash after *at (INDEX_START first); false when there is none. The index must
 * not change between calls of one walk. */
bool index_find(const struct index *ix, uint64_t hash, uint32_t *at, handle *value);
/* False when (hash, handle) was not present. */
bool index_remove(struct index *ix, uint64_t hash, handle value);

#endif
