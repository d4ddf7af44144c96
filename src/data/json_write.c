/* see json_write.h */
#include "data/json_write.h"

#include "base/check.h"
#include "base/codec.h"

_Static_assert(JSON_WRITE_DEPTH_MAX <= 64, "levels are bits");

void json_write_init(struct json_write *w, struct buf *out)
{
    *w = (struct json_write){.out = out};
}

bool json_write_ok(const struct json_write *w)
{
    /* A key whose value is missing keeps its object open, or is a fault where there is none. */
    return !w->is_bad && w->depth == 0 && buf_ok(w->out);
}

/* ---- commas and nesting ---------------------------------------------------------------------- */

static uint64_t level_bit(const struct json_write *w)
{
    CHECK(w->depth > 0);
    return 1ULL << (w->depth - 1);
}

static bool is_in_object(const struct json_write *w)
{
    return w->depth > 0 && (w->is_object_bits & level_bit(w)) != 0;
}

static void put_comma(struct json_write *w)
{
    if (w->depth == 0) {
        w->is_bad |= w->has_root; /* a second value in a row */
        w->has_root = true;
        return;
    }
    if (w->has_items_bits & level_bit(w)) {
        buf_put_char(w->out, ',');
    }
    w->has_items_bits |= level_bit(w);
}

/* To be called before any value: in an object its key has put the comma. */
static void before_value(struct json_write *w)
{
    if (is_in_object(w)) {
        w->is_bad |= !w->has_key;
        w->has_key = false;
    } else {
        put_comma(w);
    }
}

static void open_level(struct json_write *w, bool is_object)
{
    before_value(w);
    buf_put_char(w->out, is_object ? '{' : '[');
    if (w->depth == JSON_WRITE_DEPTH_MAX) {
        w->is_bad = true; /* the ends will not match either, which no longer matters */
        return;
    }
    w->depth++;
    w->has_items_bits &= ~level_bit(w);
    w->is_object_bits &= ~level_bit(w);
    w->is_object_bits |= is_object ? level_bit(w) : 0;
}

void json_object(struct json_write *w)
{
    open_level(w, true);
}

void json_array(struct json_write *w)
{
    open_level(w, false);
}

void json_end(struct json_write *w)
{
    if (w->depth == 0 || w->has_key) {
        w->is_bad = true;
        return;
    }
    buf_put_char(w->out, is_in_object(w) ? '}' : ']');
    w->depth--;
}

void json_key_put(struct json_write *w, str key)
{
    w->is_bad |= !is_in_object(w) || w->has_key;
    put_comma(w);
    buf_put_char(w->out, '"');
    json_put_escaped(w->out, key);
    buf_put_text(w->out, "\":");
    w->has_key = true;
}

/* ---- values ---------------------------------------------------------------------------------- */

void json_put_text(struct json_write *w, str value)
{
    before_value(w);
    buf_put_char(w->out, '"');
    json_put_escaped(w->out, value);
    buf_put_char(w->out, '"');
}

void json_put_i64(struct json_write *w, int64_t value)
{
    before_value(w);
    buf_put_i64(w->out, value);
}

void json_put_bool(struct json_write *w, bool value)
{
    before_value(w);
    buf_put_text(w->out, value ? "true" : "false");
}

void json_put_null(struct json_write *w)
{
    before_value(w);
    buf_put_text(w->out, "null");
}

void json_put_raw(struct json_write *w, str value)
{
    before_value(w);
    buf_put(w->out, str_is_empty(value) ? S("null") : value);
}

/* ---- members --------------------------------------------------------------------------------- */

void json_member_text(struct json_write *w, const char *key, str value)
{
    json_key_put(w, str_of(key));
    json_put_text(w, value);
}

void json_member_i64(struct json_write *w, const char *key, int64_t value)
{
    json_key_put(w, str_of(key));
    json_put_i64(w, value);
}

void json_member_bool(struct json_write *w, const char *key, bool value)
{
    json_key_put(w, str_of(key));
    json_put_bool(w, value);
}

void json_member_raw(struct json_write *w, const char *key, str value)
{
    json_key_put(w, str_of(key));
    json_put_raw(w, value);
}

void json_member_null(struct json_write *w, const char *key)
{
    json_key_put(w, str_of(key));
    json_put_null(w);
}

void json_member_object(struct json_write *w, const char *key)
{
    json_key_put(w, str_of(key));
    json_object(w);
}

void json_member_array(struct json_write *w, const char *key)
{
    json_key_put(w, str_of(key));
    json_array(w);
}

void json_member_time(struct json_write *w, const char *key, int64_t unix_s)
{
    if (unix_s == 0) {
        json_member_null(w, key);
        return;
    }
    json_key_put(w, str_of(key));
    before_value(w);
    buf_put_char(w->out, '"');
    codec_put_time(w->out, unix_s);
    buf_put_char(w->out, '"');
}

/* ---- escaping -------------------------------------------------------------------------------- */

/* How many bytes at the front need no escape and are valid UTF-8. */
static size_t plain_bytes(str text)
{
    size_t at = 0;
    while (at < text.bytes) {
        uint8_t byte = (uint8_t)text.ptr[at];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            break;
        }
        size_t bytes = byte < 0x80 ? 1 : codec_utf8_char(str_sub(text, at, 4));
        if (bytes == 0) {
            break;
        }
        at += bytes;
    }
    return at;
}

static void put_escape(struct buf *out, char c)
{
    switch (c) {
    case '"':
        buf_put_text(out, "\\\"");
        break;
    case '\\':
        buf_put_text(out, "\\\\");
        break;
    case '\n':
        buf_put_text(out, "\\n");
        break;
    case '\r':
        buf_put_text(out, "\\r");
        break;
    case '\t':
        buf_put_text(out, "\\t");
        break;
    default:
        if ((uint8_t)c < 0x20) {
            buf_put_fmt(out, "\\u%04x", (unsigned)c);
        } else { /* a byte that is no UTF-8 */
            buf_put_text(out, "\xEF\xBF\xBD");
        }
        break;
    }
}

void json_put_escaped(struct buf *out, str text)
{
    while (text.bytes > 0) {
        size_t plain = plain_bytes(text);
        buf_put(out, str_sub(text, 0, plain));
        text = str_sub(text, plain, SIZE_MAX);
        if (text.bytes > 0) {
            put_escape(out, text.ptr[0]);
            text = str_sub(text, 1, SIZE_MAX);
        }
    }
}
