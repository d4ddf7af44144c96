/*
 * str.h - borrowed text: pointer and size. Never NUL-terminated by contract, never owned, and it
 * does not outlive the event (or the static storage) it points into.
 */
#ifndef ECILET_BASE_STR_H
#define ECILET_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef int64_t msec; /* milliseconds; a point of a monotonic clock or a duration, as named */

typedef struct str {
    const char *ptr; /* may be NULL only when bytes is 0 */
    size_t bytes;
} str;

#define STR_NONE ((str){NULL, 0})
#define S(literal) ((str){("" literal ""), sizeof(literal) - 1})
/* printf("%.*s", STR_ARG(s)); */
#define STR_ARG(s) (int)(s).bytes, str_ptr(s)

/* A pointer that may be printed, also of a text that has none. */
static inline const char *str_ptr(str s)
{
    return s.ptr != NULL ? s.ptr : "";
}

static inline str str_make(const char *ptr, size_t bytes)
{
    return (str){ptr, bytes};
}

/* The text of a NUL-terminated string; NULL gives the empty text. */
static inline str str_of(const char *text)
{
    return text != NULL ? (str){text, strlen(text)} : STR_NONE;
}

static inline bool str_is_empty(str s)
{
    return s.bytes == 0;
}

bool str_eq(str a, str b);
bool str_eq_nocase(str a, str b); /* ASCII only */
int str_cmp(str a, str b);        /* byte order, shorter first; <0, 0, >0 */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
/* Position of the first occurrence, or -1. */
ptrdiff_t str_find(str s, str needle);
ptrdiff_t str_find_char(str s, char c);

/* A part of s; both ends are clamped to s, so it never fails. */
str str_sub(str s, size_t from, size_t bytes);
/* Without ASCII white space (space, tab, CR, LF) at both ends. */
str str_trim(str s);

/*
 * Cuts the next piece off *rest at the first `separator`. Returns false when nothing is left
 * ("a,,b" gives "a", "", "b"; the empty text gives nothing).
 */
bool str_cut(str *rest, char separator, str *piece);

/* Whole text as a decimal number; false (out unchanged) when not one or out of range. */
bool str_to_i64(str s, int64_t *out);
bool str_to_u64(str s, uint64_t *out);

/*
 * Copies into a fixed array and terminates it with NUL. False when it did not fit; then `to` holds
 * the longest prefix that fits (cut at a UTF-8 character boundary).
 */
bool str_copy(char *to, size_t to_bytes, str s);

/* Seeded 64-bit hash (SipHash-1-3 with a process-wide key set once at start by str_hash_seed;
 * before that a fixed key). For indexes, not for security decisions. */
uint64_t str_hash(str s);
void str_hash_seed(uint64_t k0, uint64_t k1);

/* Edit distance up to `limit` (returns limit + 1 when larger); used for "did you mean". Texts over
 * 64 bytes count as too far. */
unsigned str_distance(str a, str b, unsigned limit);

#endif
