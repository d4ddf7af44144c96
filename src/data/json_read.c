/*
 * see json_read.h
 *
 * The second of the three passes (json_in.h), and what a document is asked afterwards. Numbers are
 * in json_number.c.
 *
 * Escapes are decoded when a text is asked for; a lone surrogate (RFC 8259 section 8.2) is read as
 * U+FFFD, as Go does.
 */
#define JSMN_STATIC
#include "data/json_in.h"

#include "base/check.h"
#include "base/codec.h"

#define TEXT_BYTES_MAX INT32_MAX /* jsmn's positions are int */

static enum err tokenise(str text, uint32_t tokens, struct arena *arena, struct json_doc **out)
{
    struct json_doc *doc = ARENA_NEW(arena, struct json_doc);
    size_t room;
    char *rest = arena_rest(arena, &room); /* not zeroed: jsmn writes what it uses */
    if (doc == NULL || room / sizeof(jsmntok_t) < tokens) {
        arena->has_failed = true;
        return ERR_FULL;
    }
    arena_keep(arena, tokens * sizeof(jsmntok_t));
    *doc =
        (struct json_doc){.text = text.ptr, .tokens = (jsmntok_t *)(void *)rest, .count = tokens};

    jsmn_parser parser;
    jsmn_init(&parser);
    int found = jsmn_parse(&parser, text.ptr, text.bytes, doc->tokens, tokens);
    CHECK(found >= 0 && (uint32_t)found == tokens); /* the check has let through what jsmn reads */
    *out = doc;
    return ERR_OK;
}

static enum err report(str text, const char *at, const char *what, struct json_fault *fault)
{
    if (fault != NULL) {
        const char *line_start = text.ptr;
        *fault = (struct json_fault){.line = 1, .what = what};
        for (const char *c = text.ptr; c < at; c++) {
            if (*c == '\n') {
                fault->line++;
                line_start = c + 1;
            }
        }
        fault->column = (uint32_t)(at - line_start) + 1;
    }
    return ERR_BAD_INPUT;
}

/* What was taken from the arena stays taken; json_parse() gives it back on failure. */
static enum err parse(str text, struct arena *arena, json *out, struct json_fault *fault)
{
    struct json_doc *doc;
    struct json_checked checked;
    uint32_t duplicate;
    if (!json_check(text, &checked)) {
        return report(text, checked.at, checked.what, fault);
    }
    enum err err = tokenise(text, checked.tokens, arena, &doc);
    if (err != ERR_OK) {
        return err;
    }
    err = json_link(doc, arena, &duplicate);
    if (err == ERR_OK && duplicate != 0) {
        return report(text, json_token_raw(doc, duplicate).ptr - 1, "duplicate key", fault);
    }
    *out = (json){doc, 1};
    return err;
}

enum err json_parse(str text, struct arena *arena, json *out, struct json_fault *fault)
{
    size_t mark = arena_mark(arena);
    bool had_failed = arena->has_failed;
    if (text.bytes >= TEXT_BYTES_MAX) {
        *out = JSON_NONE;
        return ERR_TOO_BIG;
    }
    enum err err = parse(text.bytes > 0 ? text : S(""), arena, out, fault);
    if (err != ERR_OK) {
        *out = JSON_NONE;
        arena_rewind(arena, mark);
        arena->has_failed = had_failed || err == ERR_FULL;
    }
    return err;
}

/* ---- escapes --------------------------------------------------------------------------------- */

static uint32_t hex4(const char *digits)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        uint32_t digit = (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    return value;
}

static bool is_surrogate(uint32_t unit, uint32_t first)
{
    return unit >= first && unit < first + 0x400;
}

/* Cuts one \uXXXX, or a surrogate pair of them, off the front. */
static uint32_t take_unicode_escape(str *raw)
{
    uint32_t unit = hex4(raw->ptr + 2);
    *raw = str_sub(*raw, 6, SIZE_MAX);
    if (is_surrogate(unit, 0xD800) && str_starts(*raw, S("\\u"))) {
        uint32_t low = hex4(raw->ptr + 2);
        if (is_surrogate(low, 0xDC00)) {
            *raw = str_sub(*raw, 6, SIZE_MAX);
            return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return unit; /* a surrogate left alone becomes U+FFFD in codec_utf8_encode() */
}

/* Cuts the next stretch off the front of a checked string: text without escapes as it is, or one
 * escape decoded into `decoded`. */
static str take_stretch(str *raw, char decoded[static 4])
{
    ptrdiff_t plain = str_find_char(*raw, '\\');
    if (plain != 0) {
        str stretch = str_sub(*raw, 0, plain > 0 ? (size_t)plain : raw->bytes);
        *raw = str_sub(*raw, stretch.bytes, SIZE_MAX);
        return stretch;
    }
    char escape = raw->ptr[1];
    if (escape == 'u') {
        return str_make(decoded, codec_utf8_encode(decoded, take_unicode_escape(raw)));
    }
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    const char *control = strchr(from, escape);
    decoded[0] = control != NULL ? to[control - from] : escape; /* " \ / stand for themselves */
    *raw = str_sub(*raw, 2, SIZE_MAX);
    return str_make(decoded, 1);
}

typedef bool same_text(str a, str b);

static bool token_is(const struct json_doc *doc, uint32_t token, str text, same_text *same)
{
    str raw = json_token_raw(doc, token);
    if ((doc->tokens[token].size & TOKEN_HAS_ESCAPE) == 0) {
        return same(raw, text);
    }
    while (raw.bytes > 0) {
        char decoded[4];
        str stretch = take_stretch(&raw, decoded);
        if (!same(stretch, str_sub(text, 0, stretch.bytes))) {
            return false;
        }
        text = str_sub(text, stretch.bytes, SIZE_MAX);
    }
    return text.bytes == 0;
}

static str token_text(const struct json_doc *doc, uint32_t token, struct arena *arena)
{
    str raw = json_token_raw(doc, token);
    CHECK(arena != NULL); /* also for texts that happen to have no escapes */
    if ((doc->tokens[token].size & TOKEN_HAS_ESCAPE) == 0) {
        return raw;
    }
    /* No escape is shorter than what it stands for. */
    size_t mark = arena_mark(arena);
    str whole = arena_copy(arena, raw);
    if (str_is_empty(whole)) {
        return STR_NONE;
    }
    struct buf text;
    buf_init(&text, arena->ptr + mark, raw.bytes);
    while (raw.bytes > 0) {
        char decoded[4];
        buf_put(&text, take_stretch(&raw, decoded));
    }
    CHECK(buf_ok(&text) && whole.ptr == text.ptr);
    return buf_str(&text);
}

/* ---- accessors ------------------------------------------------------------------------------- */

static const jsmntok_t *token_of(json value)
{
    CHECK(value.at <= value.doc->count);
    return &value.doc->tokens[value.at - 1];
}

static json value_at(const struct json_doc *doc, uint32_t token)
{
    return (json){doc, token + 1};
}

enum json_type json_type(json value)
{
    if (!json_is_there(value)) {
        return JSON_TYPE_NONE;
    }
    const jsmntok_t *token = token_of(value);
    switch (token->type) {
    case JSMN_OBJECT:
        return JSON_TYPE_OBJECT;
    case JSMN_ARRAY:
        return JSON_TYPE_ARRAY;
    case JSMN_STRING:
        return JSON_TYPE_STRING;
    default:
        break;
    }
    switch (value.doc->text[token->start]) {
    case 'n':
        return JSON_TYPE_NULL;
    case 't':
    case 'f':
        return JSON_TYPE_BOOL;
    default:
        return JSON_TYPE_NUMBER;
    }
}

bool json_is_null(json value)
{
    enum json_type type = json_type(value);
    return type == JSON_TYPE_NONE || type == JSON_TYPE_NULL;
}

uint32_t json_count(json parent)
{
    enum json_type type = json_type(parent);
    bool has_children = type == JSON_TYPE_ARRAY || type == JSON_TYPE_OBJECT;
    return has_children ? (uint32_t)token_of(parent)->size : 0;
}

json json_first(json parent)
{
    if (json_count(parent) == 0) {
        return JSON_NONE;
    }
    /* The next token is the first element, or the key before the first value. */
    return value_at(parent.doc, json_type(parent) == JSON_TYPE_OBJECT ? parent.at + 1 : parent.at);
}

json json_next(json child)
{
    if (!json_is_there(child) || token_of(child)->parent == 0) {
        return JSON_NONE;
    }
    return value_at(child.doc, (uint32_t)token_of(child)->parent);
}

/* The token of the key whose value this is, or 0 (which is never a key). */
static uint32_t key_of(json member)
{
    if (member.at < 2) {
        return 0;
    }
    uint32_t before = member.at - 2;
    return json_token_is_key(&member.doc->tokens[before]) ? before : 0;
}

static json none_if_null(json value)
{
    return json_is_null(value) ? JSON_NONE : value;
}

json json_get(json object, const char *key)
{
    if (json_type(object) != JSON_TYPE_OBJECT) {
        return JSON_NONE;
    }
    str name = str_of(key);
    for (json x = json_first(object); json_is_there(x); x = json_next(x)) {
        if (token_is(x.doc, key_of(x), name, str_eq)) {
            return none_if_null(x);
        }
    }
    return JSON_NONE;
}

json json_get_nocase(json object, const char *key)
{
    if (json_type(object) != JSON_TYPE_OBJECT) {
        return JSON_NONE;
    }
    str name = str_of(key);
    json similar = JSON_NONE;
    for (json x = json_first(object); json_is_there(x); x = json_next(x)) {
        if (token_is(x.doc, key_of(x), name, str_eq)) {
            return none_if_null(x);
        }
        if (!json_is_there(similar) && token_is(x.doc, key_of(x), name, str_eq_nocase)) {
            similar = x;
        }
    }
    return none_if_null(similar);
}

str json_key(json member, struct arena *arena)
{
    uint32_t key = key_of(member);
    return key != 0 ? token_text(member.doc, key, arena) : STR_NONE;
}

bool json_key_is(json member, const char *key)
{
    uint32_t token = key_of(member);
    return token != 0 && token_is(member.doc, token, str_of(key), str_eq);
}

str json_text(json value, struct arena *arena)
{
    return json_type(value) == JSON_TYPE_STRING ? token_text(value.doc, value.at - 1, arena)
                                                : STR_NONE;
}

bool json_text_is(json value, const char *text)
{
    return json_type(value) == JSON_TYPE_STRING &&
           token_is(value.doc, value.at - 1, str_of(text), str_eq);
}

str json_raw(json value)
{
    if (!json_is_there(value)) {
        return STR_NONE;
    }
    str raw = json_token_raw(value.doc, value.at - 1);
    bool is_string = json_type(value) == JSON_TYPE_STRING;
    return is_string ? str_make(raw.ptr - 1, raw.bytes + 2) : raw;
}

bool json_bool(json value, bool *out)
{
    if (json_type(value) != JSON_TYPE_BOOL) {
        return false;
    }
    *out = json_raw(value).ptr[0] == 't';
    return true;
}

bool json_bool_or(json value, bool otherwise)
{
    (void)json_bool(value, &otherwise);
    return otherwise;
}
