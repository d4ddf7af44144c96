/* see buf.h */
#include "base/buf.h"

#include <stdio.h>

#include "base/check.h"

void buf_init(struct buf *buf, void *memory, size_t bytes_max)
{
    CHECK(memory != NULL || bytes_max == 0);
    *buf = (struct buf){.ptr = memory, .bytes_max = bytes_max};
}

void buf_clear(struct buf *buf)
{
    buf->bytes = 0;
    buf->is_full = false;
}

void buf_put(struct buf *buf, str s)
{
    CHECK(buf->bytes <= buf->bytes_max);
    if (buf->is_full || s.bytes > buf->bytes_max - buf->bytes) {
        buf->is_full = true;
        return;
    }
    if (s.bytes > 0) {
        memcpy(buf->ptr + buf->bytes, s.ptr, s.bytes);
        buf->bytes += s.bytes;
    }
}

void buf_put_text(struct buf *buf, const char *text)
{
    buf_put(buf, str_of(text));
}

void buf_put_char(struct buf *buf, char c)
{
    buf_put(buf, str_make(&c, 1));
}

void buf_put_u64(struct buf *buf, uint64_t number)
{
    char digits[20]; /* 18446744073709551615 */
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buf_put(buf, str_make(digits + at, sizeof(digits) - at));
}

void buf_put_i64(struct buf *buf, int64_t number)
{
    char text[21]; /* -9223372036854775808 */
    struct buf whole;
    buf_init(&whole, text, sizeof(text));
    if (number < 0) {
        buf_put_char(&whole, '-');
        buf_put_u64(&whole, 0 - (uint64_t)number);
    } else {
        buf_put_u64(&whole, (uint64_t)number);
    }
    CHECK(buf_ok(&whole));
    buf_put(buf, buf_str(&whole));
}

void buf_put_fmt(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_put_vfmt(buf, format, args);
    va_end(args);
}

void buf_put_vfmt(struct buf *buf, const char *format, va_list args)
{
    size_t room;
    char *tail = buf_tail(buf, &room);
    int bytes = vsnprintf(tail, room, format, args);
    if (bytes < 0 || (size_t)bytes >= room) {
        buf->is_full = true;
        return;
    }
    buf->bytes += (size_t)bytes;
}

char *buf_tail(struct buf *buf, size_t *bytes)
{
    CHECK(buf->bytes <= buf->bytes_max);
    *bytes = buf->is_full ? 0 : buf->bytes_max - buf->bytes;
    return buf->ptr != NULL ? buf->ptr + buf->bytes : NULL;
}

void buf_grow(struct buf *buf, size_t bytes)
{
    CHECK(!buf->is_full || bytes == 0);
    CHECK(bytes <= buf->bytes_max - buf->bytes);
    buf->bytes += bytes;
}

void buf_drop(struct buf *buf, size_t bytes)
{
    CHECK(bytes <= buf->bytes);
    buf->bytes -= bytes;
    if (bytes > 0 && buf->bytes > 0) {
        memmove(buf->ptr, buf->ptr + bytes, buf->bytes);
    }
}

const char *buf_cstr(struct buf *buf)
{
    if (buf->bytes == buf->bytes_max) {
        return "";
    }
    buf->ptr[buf->bytes] = '\0';
    return buf->ptr;
}
