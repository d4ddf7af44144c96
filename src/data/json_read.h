/*
 * json_read.h - reading JSON that anybody may have written.
 *
 * jsmn tokenises (with JSMN_PARENT_LINKS); a validating pass of ours then decides what is JSON
 * (RFC 8259): jsmn alone accepts trailing commas, bare words, raw control characters and more.
 * Duplicate keys are refused too (two readers would believe two things), compared byte by byte.
 *
 * A document is read-only and lives in the caller's arena; the text must outlive it. A `json` is a
 * place in a document, passed by value; JSON_NONE stands for "not there", and every accessor
 * accepts it, so a path can be walked without checks: json_get(json_get(pod, "spec"), "nodeName").
 * Cost: json_get is linear in the members of that object (not in what is below them).
 */
#ifndef ECILET_DATA_JSON_READ_H
#define ECILET_DATA_JSON_READ_H

#include "base/arena.h"

#define JSON_DEPTH_MAX 64 /* levels of nesting; Kubernetes objects stay below 25 */

enum json_type {
    JSON_TYPE_NONE, /* not there */
    JSON_TYPE_NULL,
    JSON_TYPE_BOOL,
    JSON_TYPE_NUMBER,
    JSON_TYPE_STRING,
    JSON_TYPE_ARRAY,
    JSON_TYPE_OBJECT
};

struct json_doc;

typedef struct json {
    const struct json_doc *doc;
    uint32_t at; /* token index + 1; 0 = not there */
} json;

#define JSON_NONE ((json){NULL, 0})

/* Where and why a text is not JSON, for messages to its author. */
struct json_fault {
    uint32_t line;    /* from 1 */
    uint32_t column;  /* from 1, in bytes */
    const char *what; /* static text, e.g. "trailing comma" */
};

/*
 * Parses one JSON text (surrounding white space allowed, nothing else).
 *
 * out     receives the root
 * fault   may be NULL; filled on ERR_BAD_INPUT
 * Errors: ERR_BAD_INPUT; ERR_FULL when the arena is too small for the tokens (about 24 bytes per
 * token; at worst one token per two bytes of text); ERR_TOO_BIG for texts over 2^31 bytes.
 */
MUST_USE enum err json_parse(str text, struct arena *arena, json *out, struct json_fault *fault);

enum json_type json_type(json value);
static inline bool json_is_there(json value)
{
    return value.at != 0;
}
bool json_is_null(json value); /* also true when not there */

/* Member of an object; JSON_NONE when absent, null, or when value is no object. */
json json_get(json object, const char *key);
/* The same with ASCII case ignored (the ECI service mixes cases); an exact match wins. */
json json_get_nocase(json object, const char *key);

/* Children of an array or object in order: for (json x = json_first(a); json_is_there(x); x =
 * json_next(x)). For objects x is the member's value and json_key(x) its name. */
json json_first(json parent);
json json_next(json child);
uint32_t json_count(json parent); /* 0 for anything that is no array or object */
/* Name of the member whose value this is; decoded like json_text. STR_NONE for array elements. */
str json_key(json member, struct arena *arena);
bool json_key_is(json member, const char *key);

/* Text of a string. Borrowed from the document's text when it has no escapes, else decoded into
 * the arena (STR_NONE when the arena is full: has_failed). STR_NONE for other types. */
str json_text(json value, struct arena *arena);
bool json_text_is(json value, const char *text);
/* Numbers: false (out unchanged) for other types, fractions or out of range. "1e3" is accepted. */
bool json_i64(json value, int64_t *out);
bool json_double(json value, double *out);
bool json_bool(json value, bool *out);
/* With a default for everything else. */
int64_t json_i64_or(json value, int64_t otherwise);
bool json_bool_or(json value, bool otherwise);

/* The raw bytes of the value inside the document's text (strings with their quotes). */
str json_raw(json value);

#endif
