/* see arena.h */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

static uint64_t takes_until_failure; /* 0 = never */

void arena_fail_at(uint64_t countdown)
{
    takes_until_failure = countdown;
}

void arena_init(struct arena *arena, void *memory, size_t bytes_max)
{
    CHECK(memory != NULL || bytes_max == 0);
    *arena = (struct arena){.ptr = memory, .bytes_max = bytes_max};
}

/* The one way memory leaves the arena, and the one place where it can fail. The alignment is that
 * of the address, because the arena's memory may start anywhere. */
static char *take(struct arena *arena, size_t bytes, size_t alignment)
{
    CHECK(arena->used <= arena->bytes_max);
    size_t gap = (0 - ((uintptr_t)arena->ptr + arena->used)) & (alignment - 1);
    size_t left = arena->bytes_max - arena->used;
    bool is_injected = takes_until_failure != 0 && --takes_until_failure == 0;
    if (is_injected || arena->ptr == NULL || gap > left || bytes > left - gap) {
        arena->has_failed = true;
        return NULL;
    }
    char *taken = arena->ptr + arena->used + gap;
    arena->used += gap + bytes;
    if (arena->used > arena->peak) {
        arena->peak = arena->used;
    }
    return taken;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    char *taken = take(arena, bytes, alignof(max_align_t));
    if (taken != NULL) {
        memset(taken, 0, bytes);
    }
    return taken;
}

void *arena_take_array(struct arena *arena, size_t count, size_t each_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, each_bytes, &bytes)) {
        bytes = SIZE_MAX; /* fails below, in the usual way */
    }
    return arena_take(arena, bytes);
}

str arena_copy(struct arena *arena, str s)
{
    char *copy = take(arena, s.bytes, 1);
    if (copy == NULL) {
        return STR_NONE;
    }
    if (s.bytes > 0) {
        memcpy(copy, s.ptr, s.bytes);
    }
    return str_make(copy, s.bytes);
}

const char *arena_cstr(struct arena *arena, str s)
{
    CHECK(s.bytes < SIZE_MAX);
    char *copy = take(arena, s.bytes + 1, 1);
    if (copy == NULL) {
        return NULL;
    }
    if (s.bytes > 0) {
        memcpy(copy, s.ptr, s.bytes);
    }
    copy[s.bytes] = '\0';
    return copy;
}

str arena_fmt(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(arena->ptr != NULL ? arena->ptr + arena->used : NULL,
                          arena->bytes_max - arena->used, format, args);
    va_end(args);
    /* With its NUL, so that what vsnprintf wrote was never cut. */
    char *text = bytes >= 0 ? take(arena, (size_t)bytes + 1, 1) : NULL;
    if (text == NULL) {
        arena->has_failed = true;
        return STR_NONE;
    }
    return str_make(text, (size_t)bytes);
}

char *arena_rest(struct arena *arena, size_t *bytes)
{
    char *rest = take(arena, 0, alignof(max_align_t));
    *bytes = rest != NULL ? arena->bytes_max - arena->used : 0;
    return rest;
}

void arena_keep(struct arena *arena, size_t bytes)
{
    CHECK(bytes <= arena->bytes_max - arena->used);
    arena->used += bytes;
    if (arena->used > arena->peak) {
        arena->peak = arena->used;
    }
}

size_t arena_mark(const struct arena *arena)
{
    return arena->used;
}

void arena_rewind(struct arena *arena, size_t mark)
{
    CHECK(mark <= arena->used);
    arena->used = mark;
    arena->has_failed = false;
}

void arena_clear(struct arena *arena)
{
    arena_rewind(arena, 0);
}
