/*
 * json_in.h - what the files that read JSON share among themselves; nobody else includes it.
 *
 * A text goes through three passes, each simple:
 *   1. check    json_check.c: a state machine over the bytes decides what is JSON (RFC 8259) and
 *               counts the tokens
 *   2. jsmn     json_read.c: fills that many tokens; it never sees a malformed text
 *   3. link     json_link.c: tokens get the place of their next sibling, and duplicate keys are
 *               found
 *
 * What the members of jsmn's tokens mean after the third pass:
 *   size     arrays and objects: number of children; strings: the TOKEN_ bits below
 *   parent   values: token of the next sibling value, 0 when last; keys: a hash, no longer needed
 */
#ifndef ECILET_DATA_JSON_IN_H
#define ECILET_DATA_JSON_IN_H

#include "data/json_read.h"

#define JSMN_PARENT_LINKS /* without them jsmn's time is quadratic in the nesting */
#ifndef JSMN_STATIC       /* one file has the functions, the others need the types only */
#define JSMN_HEADER
#endif
#include <jsmn.h>

#define TOKEN_IS_KEY 1     /* jsmn sets it: the size of a key is its one value */
#define TOKEN_HAS_ESCAPE 2 /* set by the third pass */

struct json_doc {
    const char *text;
    jsmntok_t *tokens;
    uint32_t count;
};

/* What the first pass has found. */
struct json_checked {
    uint32_t tokens;  /* of a good text */
    const char *at;   /* of a bad one: the place of the fault ... */
    const char *what; /* ... and its name, static */
};

/* json_check.c: whether a text is JSON. Its bytes are read once; nothing is kept. */
bool json_check(str text, struct json_checked *out);

/*
 * json_link.c: the third pass over the tokens as jsmn has left them.
 *
 * duplicate   receives the token of the second of two equal keys of one object, 0 when there are
 *             none
 * Errors: ERR_FULL when the arena has no room for the table of a large object's keys. The table is
 * given back at once.
 */
MUST_USE enum err json_link(struct json_doc *doc, struct arena *arena, uint32_t *duplicate);

/* The text of a token as it stands in the document; strings without their quotes. */
static inline str json_token_raw(const struct json_doc *doc, uint32_t token)
{
    const jsmntok_t *at = &doc->tokens[token];
    return str_make(doc->text + at->start, (size_t)(at->end - at->start));
}

/* Only after the token's third pass. */
static inline bool json_token_is_key(const jsmntok_t *token)
{
    return token->type == JSMN_STRING && (token->size & TOKEN_IS_KEY) != 0;
}

#endif
