/*
 * json_write.h - a sticky JSON writer over a buf. Commas and nesting are its business; escaping is
 * by type, so no value can break out of its place. Invalid UTF-8 becomes U+FFFD.
 *
 *     json_object(&w); json_member_text(&w, "kind", S("Pod")); json_end(&w);
 *
 * After everything: json_write_ok() is false when the buf was full or the nesting wrong.
 */
#ifndef ECILET_DATA_JSON_WRITE_H
#define ECILET_DATA_JSON_WRITE_H

#include "base/buf.h"

#define JSON_WRITE_DEPTH_MAX 64 /* levels; as many as json_read.h reads */

struct json_write {
    struct buf *out;
    uint64_t is_object_bits; /* one bit per level */
    uint64_t has_items_bits;
    uint32_t depth;
    bool has_key; /* a key was written and waits for its value */
    bool has_root;
    bool is_bad;
};

void json_write_init(struct json_write *w, struct buf *out);
bool json_write_ok(const struct json_write *w); /* all closed, nothing lost */

void json_object(struct json_write *w);
void json_array(struct json_write *w);
void json_end(struct json_write *w); /* closes the innermost */
void json_key_put(struct json_write *w, str key);
void json_put_text(struct json_write *w, str value);
void json_put_i64(struct json_write *w, int64_t value);
void json_put_bool(struct json_write *w, bool value);
void json_put_null(struct json_write *w);
/* Already valid JSON, e.g. json_raw() of something read; the empty text (it was not there) gives
 * null. */
void json_put_raw(struct json_write *w, str value);

/* Key and value in one go. */
void json_member_text(struct json_write *w, const char *key, str value);
void json_member_i64(struct json_write *w, const char *key, int64_t value);
void json_member_bool(struct json_write *w, const char *key, bool value);
void json_member_raw(struct json_write *w, const char *key, str value);
void json_member_null(struct json_write *w, const char *key);
void json_member_object(struct json_write *w, const char *key); /* opens */
void json_member_array(struct json_write *w, const char *key);  /* opens */
/* RFC 3339; null for 0. */
void json_member_time(struct json_write *w, const char *key, int64_t unix_s);

/* Only the escaped text between quotes, for other writers. */
void json_put_escaped(struct buf *out, str text);

#endif
