/*
 * index.h - hash -> handle, open addressing, fixed size, no tombstones (backward-shift deletion).
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
    struct index_cell *cells;
    uint32_t cells_count; /* power of two >= 2 * count_max */
    uint32_t count;
    uint32_t count_max;
};

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
