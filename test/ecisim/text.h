/*
 * Text: growing buffers, an arena, percent-encoding, base64, times.
 *
 * ecisim is a test tool: it may use the heap, and it stops at once when the heap is empty
 * (text_grab). Nothing here knows about HTTP or ECI.
 */
#ifndef ECISIM_TEXT_H
#define ECISIM_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* realloc() that never returns NULL: out of memory ends the process. */
void *text_grab(void *old, size_t bytes);
char *text_copy(const char *text);

/*
 * A growing byte buffer. All zero is the empty buffer. data is NUL-terminated whenever it is
 * not NULL, so a buffer that holds text can be read as a C string.
 */
struct buf {
    char *data;
    size_t used;
    size_t room;
};

void buf_add(struct buf *buf, const void *data, size_t bytes);
void buf_text(struct buf *buf, const char *text);
void buf_byte(struct buf *buf, char byte);
void buf_fmt(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Make sure that bytes more can be written behind used; returns that place. */
char *buf_reserve(struct buf *buf, size_t bytes);
/* Drop the first bytes. */
void buf_skip(struct buf *buf, size_t bytes);
void buf_clear(struct buf *buf);
void buf_free(struct buf *buf);
/* Puts a whole file behind what is there; false when it cannot be read. */
bool buf_add_file(struct buf *buf, const char *path);
/* The text so far, never NULL. */
const char *buf_string(const struct buf *buf);

/*
 * An arena: many small pieces that are freed together. All zero is the empty arena.
 */
struct arena {
    struct arena_chunk *newest;
};

void *arena_take(struct arena *arena, size_t bytes); /* zeroed, aligned for pointers */
char *arena_copy(struct arena *arena, const char *data, size_t bytes);
char *arena_fmt(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena);

/* Percent-encode as eci-api 1.5 rule 3 wants it: A-Z a-z 0-9 - _ . ~ stay, hex in upper case. */
void percent_encode(struct buf *out, const char *text);
/* Decode %XX and '+' (as space) in place; returns the new length. Bad escapes stay as they are. */
size_t percent_decode(char *text, size_t bytes);

void base64_encode(struct buf *out, const void *data, size_t bytes);
/* Returns the number of bytes, or -1 when the text is not base64. out needs 3/4 of the text. */
long base64_decode(const char *text, unsigned char *out);
void hex_encode(char *out, const void *data, size_t bytes); /* 2 * bytes + 1 chars, lower case */

bool text_is(const char *a, const char *b);           /* equal, both may be NULL */
bool text_is_any(const char *text, const char *list); /* list is "a|b|c" */
bool text_is_true(const char *text);                  /* "true", any case */
bool text_starts(const char *text, const char *start);
bool text_ends(const char *text, const char *end);
/* Is the item in the comma-separated list (blanks around items are ignored)? */
bool text_in_list(const char *list, const char *item);

/* Numbers: the whole text must be a number. */
bool text_to_long(const char *text, long long *out);
bool text_to_double(const char *text, double *out);

/* Times. Wall times are milliseconds since 1970, UTC. */
#define TIME_TEXT_BYTES 32
const char *time_text(char out[TIME_TEXT_BYTES], int64_t wall_ms); /* 2024-01-02T03:04:05Z */
bool time_parse(const char *text, int64_t *wall_ms);               /* exactly that form */

/* xorshift64*; the seed may be any number. */
struct dice {
    uint64_t state;
};
void dice_seed(struct dice *dice, uint64_t seed);
uint64_t dice_roll(struct dice *dice);
double dice_unit(struct dice *dice); /* 0 <= x < 1 */

#endif
