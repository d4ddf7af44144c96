/*
 * due.h - what becomes due next: a binary heap of points in time, intrusive, fixed size.
 *
 * The item lives inside its owner (LIST_OWNER works on it too); a zeroed item is not set. Setting
 * again moves it. All operations O(log n); equal times come out in the order they were set.
 */
#ifndef ECILET_BASE_DUE_H
#define ECILET_BASE_DUE_H

#include "base/region.h"
#include "base/str.h"

struct due_item {
    msec at_ms;
    uint64_t order; /* breaks ties: earlier set, earlier out */
    uint32_t place; /* position in the heap + 1; 0 = not set */
};

struct due {
    struct due_item **items;
    uint32_t count;
    uint32_t count_max;
    uint64_t order_next;
};

void due_init(struct due *due, struct region *region, const char *name, uint32_t count_max);
/* Sets or moves. Setting one item more than count_max is the caller's bug (CHECKed): count_max is
 * the size of the owners' pool. */
void due_set(struct due *due, struct due_item *item, msec at_ms);
void due_clear(struct due *due, struct due_item *item); /* no-op when not set */
/* The next item whose time is <= now_ms, removed from the heap; NULL when none. */
struct due_item *due_pop(struct due *due, msec now_ms);
/* The earliest time, or INT64_MAX when nothing is set. */
msec due_next_ms(const struct due *due);

static inline bool due_is_set(const struct due_item *item)
{
    return item->place != 0;
}

#endif
