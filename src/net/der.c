/* see der.h */
#include "net/der.h"

#include "base/buf.h"
#include "base/codec.h"

static struct der_item der_fail(struct der *der)
{
    der->has_failed = true;
    der->rest = STR_NONE;
    return (struct der_item){0, STR_NONE, STR_NONE};
}

/* Length octets after the identifier: the value in *bytes, their own count returned (0 =
 * malformed). 4 bytes of length are more than any certificate has. */
static size_t der_read_length(const uint8_t *at, size_t left, size_t *bytes)
{
    if (left == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        *bytes = at[0];
        return 1;
    }
    size_t count = at[0] & 0x7Fu;
    if (count == 0 || count > 4 || count >= left || at[1] == 0) {
        return 0;
    }
    size_t value = 0;
    for (size_t i = 1; i <= count; i++) {
        value = value << 8 | at[i];
    }
    if (value < 0x80) {
        return 0;
    }
    *bytes = value;
    return count + 1;
}

struct der_item der_next(struct der *der)
{
    const uint8_t *at = (const uint8_t *)der->rest.ptr;
    size_t left = der->rest.bytes;
    if (left < 2 || (at[0] & 0x1F) == 0x1F) {
        return der_fail(der);
    }
    size_t bytes = 0;
    size_t length_bytes = der_read_length(at + 1, left - 1, &bytes);
    size_t head_bytes = 1 + length_bytes;
    if (length_bytes == 0 || bytes > left - head_bytes) {
        return der_fail(der);
    }
    struct der_item item = {
        .tag = at[0],
        .body = str_make(der->rest.ptr + head_bytes, bytes),
        .whole = str_make(der->rest.ptr, head_bytes + bytes),
    };
    der->rest = str_sub(der->rest, item.whole.bytes, left);
    return item;
}

struct der_item der_expect(struct der *der, unsigned tag)
{
    struct der_item item = der_next(der);
    return item.tag == tag ? item : der_fail(der);
}

struct der_item der_maybe(struct der *der, unsigned tag)
{
    if (!der_has_more(der) || (uint8_t)der->rest.ptr[0] != tag) {
        return (struct der_item){0, STR_NONE, STR_NONE};
    }
    return der_next(der);
}

struct der der_enter(struct der *der, unsigned tag)
{
    struct der_item item = der_expect(der, tag);
    return (struct der){item.body, der->has_failed};
}

bool der_finish(struct der *der)
{
    if (der->rest.bytes > 0) {
        der_fail(der);
    }
    return !der->has_failed;
}

bool der_boolean(struct der *der)
{
    str body = der_expect(der, DER_BOOLEAN).body;
    if (body.bytes != 1 || (body.ptr[0] != 0 && (uint8_t)body.ptr[0] != 0xFF)) {
        der_fail(der);
        return false;
    }
    return body.ptr[0] != 0;
}

str der_bytes_of_bits(struct der *der)
{
    str body = der_expect(der, DER_BIT_STRING).body;
    if (body.bytes < 1 || body.ptr[0] != 0) {
        return der_fail(der).body;
    }
    return str_sub(body, 1, body.bytes);
}

str der_unsigned(struct der *der)
{
    str body = der_expect(der, DER_INTEGER).body;
    if (body.bytes < 1 || ((uint8_t)body.ptr[0] & 0x80) != 0) {
        return der_fail(der).body;
    }
    while (body.bytes > 0 && body.ptr[0] == 0) {
        body = str_sub(body, 1, body.bytes);
    }
    return body;
}

/* "YYMMDDHHMMSSZ" means 1950-2049 (RFC 5280 4.1.2.5.1). */
static const char *der_century(str utc_time)
{
    return utc_time.bytes > 0 && utc_time.ptr[0] >= '5' ? "19" : "20";
}

int64_t der_time(struct der *der)
{
    struct der_item item = der_next(der);
    bool is_utc = item.tag == DER_UTC_TIME && item.body.bytes == 13;
    bool is_generalized = item.tag == DER_GENERALIZED_TIME && item.body.bytes == 15;
    char text[24];
    struct buf out;
    int64_t unix_s = 0;

    buf_init(&out, text, sizeof text);
    if (is_utc) {
        buf_put_text(&out, der_century(item.body));
    }
    if (is_utc || is_generalized) {
        /* 20060102150405Z -> 2006-01-02T15:04:05Z */
        buf_put(&out, item.body);
        const char *t = text;
        char spaced[24];
        struct buf iso;
        buf_init(&iso, spaced, sizeof spaced);
        buf_put_fmt(&iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.3s", t, t + 4, t + 6, t + 8, t + 10, t + 12);
        if (codec_get_time(buf_str(&iso), &unix_s)) {
            return unix_s;
        }
    }
    der_fail(der);
    return 0;
}
