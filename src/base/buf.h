/*
 * buf.h - a sticky text builder over memory somebody else owns.
 *
 * Put ten things in a row, check once: when something does not fit, is_full is set, nothing more
 * is added, and buf_ok() is false. Contents are then the prefix of whole puts that did fit.
 */
#ifndef ECILET_BASE_BUF_H
#define ECILET_BASE_BUF_H

#include <stdarg.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *ptr;
    size_t bytes;     /* used */
    size_t bytes_max; /* capacity */
    bool is_full;     /* sticky */
};

void buf_init(struct buf *buf, void *memory, size_t bytes_max);
void buf_clear(struct buf *buf); /* also forgets is_full */

static inline bool buf_ok(const struct buf *buf)
{
    return !buf->is_full;
}

static inline str buf_str(const struct buf *buf)
{
    return (str){buf->ptr, buf->bytes};
}

void buf_put(struct buf *buf, str s);
void buf_put_text(struct buf *buf, const char *text); /* NUL-terminated */
void buf_put_char(struct buf *buf, char c);
void buf_put_u64(struct buf *buf, uint64_t number);
void buf_put_i64(struct buf *buf, int64_t number);
/* printf writes a NUL too, so these need room for one byte more than they add. */
void buf_put_fmt(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_put_vfmt(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Room for direct writing: *bytes receives what is free. After writing call buf_grow(). */
char *buf_tail(struct buf *buf, size_t *bytes);
void buf_grow(struct buf *buf, size_t bytes);

/* Drops the first `bytes` bytes (moves the rest to the front). */
void buf_drop(struct buf *buf, size_t bytes);

/* NUL-terminates in place (the NUL is not counted); the empty string when there is no room. */
const char *buf_cstr(struct buf *buf);

#endif
