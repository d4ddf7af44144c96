/*
 * arena.h - memory for the work of one event, given back all at once.
 *
 * An arena does not live: whoever handles an event marks it, takes, and rewinds. What lives sits
 * in pools (pool.h). Sticky: after a take that did not fit, has_failed stays set until the rewind,
 * so a parser may take ten times and ask once.
 */
#ifndef ECILET_BASE_ARENA_H
#define ECILET_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct arena {
    char *ptr;
    size_t used;      /* bytes */
    size_t bytes_max; /* capacity */
    size_t peak;      /* highest `used` ever, for the budget table and metrics */
    bool has_failed;  /* sticky until arena_rewind/arena_clear */
};

void arena_init(struct arena *arena, void *memory, size_t bytes_max);

/* Zeroed memory aligned for any type; NULL when full (has_failed is set, nothing is taken). */
void *arena_take(struct arena *arena, size_t bytes);
/* As above for count * each_bytes, with overflow checked. */
void *arena_take_array(struct arena *arena, size_t count, size_t each_bytes);
#define ARENA_NEW(arena, type) ((type *)arena_take((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) \
    ((type *)arena_take_array((arena), (count), sizeof(type)))

/* Copies of text; STR_NONE / NULL when full. */
str arena_copy(struct arena *arena, str s);
const char *arena_cstr(struct arena *arena, str s); /* NUL-terminated copy */
str arena_fmt(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All that is left, as one block (for a reply of unknown size); arena_keep() fixes its length. */
char *arena_rest(struct arena *arena, size_t *bytes);
void arena_keep(struct arena *arena, size_t bytes);

size_t arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, size_t mark); /* forgets has_failed */
void arena_clear(struct arena *arena);

/* nth-failure tests: the take number `countdown` from now fails (0 = never). Counts all arenas. */
void arena_fail_at(uint64_t countdown);

#endif
