/*
 * see json_read.h
 *
 * Three passes, each simple:
 *   1. check    a state machine over the bytes decides what is JSON (RFC 8259) and counts the
 * tokens
 *   2. jsmn     fills that many tokens; it never sees a malformed text
 *   3. link     tokens get the place of their next sibling, and duplicate keys are found
 *
 * What the members of jsmn's tokens mean after the third pass:
 *   size     arrays and objects: number of children; strings: the TOKEN_ bits below
 *   parent   values: token of the next sibling value, 0 when last; keys: a hash, no longer needed
 *
 * Notes on RFC 8259: no byte order mark (section 8.1); \u escapes of lone surrogates are accepted
 * (section 8.2) and read as U+FFFD, as Go does; numbers keep their text and get a meaning only when
 * asked for (section 6).
 */
#include "data/json_read.h"

#include <math.h>
#include <stdlib.h>

#define JSMN_PARENT_LINKS /* without them jsmn's time is quadratic in the nesting */
#define JSMN_STATIC
#include <jsmn.h>

#include "base/check.h"
#include "base/codec.h"

#define TEXT_BYTES_MAX INT32_MAX /* jsmn's positions are int */
#define NUMBER_BYTES_MAX 512     /* a longer number is never an int64 or a sensible double */

#define TOKEN_IS_KEY 1     /* jsmn sets it: the size of a key is its one value */
#define TOKEN_HAS_ESCAPE 2 /* set by the third pass */

struct json_doc {
    const char *text;
    jsmntok_t *tokens;
    uint32_t count;
};

/* ---- 1. check -------------------------------------------------------------------------------- */

enum want {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* after [ */
    WANT_KEY,          /* after , in an object */
    WANT_KEY_OR_END,   /* after { */
    WANT_COMMA_OR_END,
    WANT_NOTHING /* after the root */
};

struct checker {
    const char *at, *end;
    const char *what;        /* the fault, once there is one */
    uint64_t is_object_bits; /* one bit per open level */
    uint32_t depth;
    uint32_t tokens;
    enum want want;
};

_Static_assert(JSON_DEPTH_MAX <= 64, "levels are bits of is_object_bits");

static bool fail(struct checker *checker, const char *what)
{
    checker->what = what;
    return false;
}

static bool is_inside_object(const struct checker *checker)
{
    return checker->depth > 0 && (checker->is_object_bits >> (checker->depth - 1) & 1) != 0;
}

static void skip_space(struct checker *checker)
{
    while (checker->at < checker->end && (*checker->at == ' ' || *checker->at == '\n' ||
                                          *checker->at == '\r' || *checker->at == '\t')) {
        checker->at++;
    }
}

static bool is_at(const struct checker *checker, char c)
{
    return checker->at < checker->end && *checker->at == c;
}

static bool is_digit_at(const struct checker *checker)
{
    return checker->at < checker->end && *checker->at >= '0' && *checker->at <= '9';
}

/* Bytes that may stand in a string as they are: no control, quote, backslash, nor part of a
 * multi-byte character. Eight at a time (Mycroft's test for a byte in a word). */
static const char *skip_plain(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101ULL;
    const uint64_t highs = 0x8080808080808080ULL;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t quote = word ^ ones * '"';
        uint64_t backslash = word ^ ones * '\\';
        uint64_t special = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | word;
        if ((special & highs) != 0) {
            break;
        }
    }
    while (at < end && (uint8_t)*at >= 0x20 && (uint8_t)*at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

static bool check_escape(struct checker *checker)
{
    checker->at++; /* the backslash */
    if (checker->at == checker->end || strchr("\"\\/bfnrtu", *checker->at) == NULL ||
        *checker->at == '\0') {
        return fail(checker, "invalid escape");
    }
    if (*checker->at++ != 'u') {
        return true;
    }
    for (int i = 0; i < 4; i++, checker->at++) {
        if (checker->at == checker->end || !isxdigit((unsigned char)*checker->at)) {
            return fail(checker, "invalid \\u escape");
        }
    }
    return true;
}

static bool check_multi_byte(struct checker *checker)
{
    size_t bytes = codec_utf8_char(str_make(checker->at, (size_t)(checker->end - checker->at)));
    if (bytes == 0) {
        return fail(checker, "invalid UTF-8");
    }
    checker->at += bytes;
    return true;
}

static bool check_string(struct checker *checker)
{
    checker->tokens++;
    checker->at++; /* the quote */
    for (;;) {
        checker->at = skip_plain(checker->at, checker->end);
        if (checker->at == checker->end) {
            return fail(checker, "string without end");
        }
        if (*checker->at == '"') {
            checker->at++;
            return true;
        }
        if ((uint8_t)*checker->at < 0x20) {
            return fail(checker, "control character in a string");
        }
        if (!(*checker->at == '\\' ? check_escape(checker) : check_multi_byte(checker))) {
            return false;
        }
    }
}

static bool check_digits(struct checker *checker)
{
    if (!is_digit_at(checker)) {
        return fail(checker, "invalid number");
    }
    while (is_digit_at(checker)) {
        checker->at++;
    }
    return true;
}

static bool check_number(struct checker *checker)
{
    checker->tokens++;
    checker->at += is_at(checker, '-') ? 1 : 0;
    bool starts_with_zero = is_at(checker, '0');
    const char *first = checker->at;
    if (!check_digits(checker)) {
        return false;
    }
    if (starts_with_zero && checker->at - first > 1) {
        checker->at = first;
        return fail(checker, "number with a leading zero");
    }
    if (is_at(checker, '.')) {
        checker->at++;
        if (!check_digits(checker)) {
            return false;
        }
    }
    if (is_at(checker, 'e') || is_at(checker, 'E')) {
        checker->at++;
        checker->at += is_at(checker, '+') || is_at(checker, '-') ? 1 : 0;
        return check_digits(checker);
    }
    return true;
}

static bool check_word(struct checker *checker, str word)
{
    checker->tokens++;
    if (!str_starts(str_make(checker->at, (size_t)(checker->end - checker->at)), word)) {
        return fail(checker, "unknown word");
    }
    checker->at += word.bytes;
    return true;
}

static bool open_level(struct checker *checker)
{
    bool is_object = *checker->at == '{';
    if (checker->depth == JSON_DEPTH_MAX) {
        return fail(checker, "nested too deeply");
    }
    checker->tokens++;
    checker->at++;
    uint64_t bit = 1ULL << checker->depth++;
    checker->is_object_bits =
        is_object ? checker->is_object_bits | bit : checker->is_object_bits & ~bit;
    checker->want = is_object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    return true;
}

static void after_value(struct checker *checker)
{
    checker->want = checker->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static bool close_level(struct checker *checker)
{
    checker->at++;
    checker->depth--;
    after_value(checker);
    return true;
}

/* An end mark where something must come: after a comma it gets a name its author understands. */
static bool fail_at_end_mark(struct checker *checker)
{
    bool is_after_comma =
        checker->want == WANT_KEY ||
        (checker->want == WANT_VALUE && checker->depth > 0 && !is_inside_object(checker));
    return fail(checker, is_after_comma ? "trailing comma" : "value expected");
}

static bool check_value(struct checker *checker)
{
    bool is_good;
    switch (*checker->at) {
    case '{':
    case '[':
        return open_level(checker);
    case '"':
        is_good = check_string(checker);
        break;
    case 't':
        is_good = check_word(checker, S("true"));
        break;
    case 'f':
        is_good = check_word(checker, S("false"));
        break;
    case 'n':
        is_good = check_word(checker, S("null"));
        break;
    case ']':
    case '}':
        return fail_at_end_mark(checker);
    default:
        if (*checker->at != '-' && !is_digit_at(checker)) {
            return fail(checker, "value expected");
        }
        is_good = check_number(checker);
        break;
    }
    after_value(checker);
    return is_good;
}

static bool check_key(struct checker *checker)
{
    if (*checker->at == '}') {
        return fail_at_end_mark(checker);
    }
    if (*checker->at != '"') {
        return fail(checker, "key expected");
    }
    if (!check_string(checker)) {
        return false;
    }
    skip_space(checker);
    if (!is_at(checker, ':')) {
        return fail(checker, "colon expected");
    }
    checker->at++;
    checker->want = WANT_VALUE;
    return true;
}

static bool check_comma_or_end(struct checker *checker)
{
    bool is_object = is_inside_object(checker);
    if (*checker->at == (is_object ? '}' : ']')) {
        return close_level(checker);
    }
    if (*checker->at != ',') {
        return fail(checker, is_object ? "comma or } expected" : "comma or ] expected");
    }
    checker->at++;
    checker->want = is_object ? WANT_KEY : WANT_VALUE;
    return true;
}

static bool check_step(struct checker *checker)
{
    switch (checker->want) {
    case WANT_VALUE:
        return check_value(checker);
    case WANT_VALUE_OR_END:
        return *checker->at == ']' ? close_level(checker) : check_value(checker);
    case WANT_KEY:
        return check_key(checker);
    case WANT_KEY_OR_END:
        return *checker->at == '}' ? close_level(checker) : check_key(checker);
    case WANT_COMMA_OR_END:
        return check_comma_or_end(checker);
    case WANT_NOTHING:
        break;
    }
    return fail(checker, "more text after the end");
}

static bool check_text(struct checker *checker)
{
    for (;;) {
        skip_space(checker);
        if (checker->at == checker->end) {
            return checker->want == WANT_NOTHING || fail(checker, "text ends too early");
        }
        if (!check_step(checker)) {
            return false;
        }
    }
}

/* ---- 2. jsmn --------------------------------------------------------------------------------- */

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

/* ---- 3. link --------------------------------------------------------------------------------- */

/* Objects with more members are checked for duplicates with a table instead of pair by pair. */
#define PAIRS_MEMBERS_MAX 16

struct linker {
    struct json_doc *doc;
    struct arena *arena;
    uint32_t duplicate; /* token of the second of two equal keys, 0 = none */
};

static str raw_token(const struct json_doc *doc, uint32_t token)
{
    const jsmntok_t *at = &doc->tokens[token];
    return str_make(doc->text + at->start, (size_t)(at->end - at->start));
}

/* Keys of an object in order. The value follows its key, so the next key is one before the next
 * value. */
static uint32_t next_key(const struct json_doc *doc, uint32_t key)
{
    uint32_t value = (uint32_t)doc->tokens[key + 1].parent;
    return value != 0 ? value - 1 : 0;
}

/* Pair by pair, a hash of 32 bits first. */
static void find_duplicate_pairs(struct linker *linker, uint32_t object)
{
    const struct json_doc *doc = linker->doc;
    uint32_t keys[PAIRS_MEMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t key = object + 1; key != 0; key = next_key(doc, key)) {
        for (uint32_t i = 0; i < count; i++) {
            if (doc->tokens[keys[i]].parent == doc->tokens[key].parent &&
                str_eq(raw_token(doc, keys[i]), raw_token(doc, key))) {
                linker->duplicate = key;
                return;
            }
        }
        keys[count++] = key;
    }
}

/* With an open-addressed table of keys in the arena, given back afterwards. The hash is seeded, so
 * a hostile object cannot make it slow. */
static enum err find_duplicate_table(struct linker *linker, uint32_t object, uint32_t members)
{
    const struct json_doc *doc = linker->doc;
    uint32_t cells_count = 64;
    while (cells_count < 2 * members) {
        cells_count *= 2;
    }
    size_t mark = arena_mark(linker->arena);
    bool had_failed = linker->arena->has_failed;
    uint32_t *cells = ARENA_ARRAY(linker->arena, cells_count, uint32_t);
    if (cells == NULL) {
        return ERR_FULL;
    }
    for (uint32_t key = object + 1; key != 0; key = next_key(doc, key)) {
        str name = raw_token(doc, key);
        uint32_t cell = (uint32_t)str_hash(name) & (cells_count - 1);
        while (cells[cell] != 0 && !str_eq(raw_token(doc, cells[cell]), name)) {
            cell = (cell + 1) & (cells_count - 1);
        }
        if (cells[cell] != 0) {
            linker->duplicate = key;
            break;
        }
        cells[cell] = key;
    }
    arena_rewind(linker->arena, mark);
    linker->arena->has_failed = had_failed; /* not ours to forget */
    return ERR_OK;
}

/* Enough to tell the keys of a usual object apart. */
static int quick_hash(str key)
{
    uint32_t hash = (uint32_t)key.bytes;
    for (size_t i = 0; i < key.bytes; i += 1 + i / 4) {
        hash = hash * 31 + (uint8_t)key.ptr[i];
    }
    return (int)(hash & INT32_MAX);
}

/* Eight bytes at a time (Mycroft's test again): most strings are too short to call memchr for. */
static bool has_backslash(str raw)
{
    const uint64_t ones = 0x0101010101010101ULL;
    const uint64_t highs = 0x8080808080808080ULL;
    size_t at = 0;
    for (; raw.bytes - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, raw.ptr + at, 8);
        word ^= ones * '\\';
        if (((word - ones) & ~word & highs) != 0) {
            return true;
        }
    }
    for (; at < raw.bytes; at++) {
        if (raw.ptr[at] == '\\') {
            return true;
        }
    }
    return false;
}

static void mark_string(struct json_doc *doc, uint32_t token)
{
    jsmntok_t *at = &doc->tokens[token];
    str raw = raw_token(doc, token);
    bool is_key = at->size != 0;
    at->size = (is_key ? TOKEN_IS_KEY : 0) | (has_backslash(raw) ? TOKEN_HAS_ESCAPE : 0);
    if (is_key) {
        at->parent = quick_hash(raw);
    }
}

static bool is_key_token(const jsmntok_t *token)
{
    return token->type == JSMN_STRING && (token->size & TOKEN_IS_KEY) != 0;
}

static enum err find_duplicate(struct linker *linker, uint32_t container)
{
    const jsmntok_t *at = &linker->doc->tokens[container];
    if (at->type != JSMN_OBJECT || at->size < 2 || linker->duplicate != 0) {
        return ERR_OK;
    }
    if (at->size > PAIRS_MEMBERS_MAX) {
        return find_duplicate_table(linker, container, (uint32_t)at->size);
    }
    find_duplicate_pairs(linker, container);
    return ERR_OK;
}

/* One open array or object on the way down to a token. */
struct level {
    uint32_t container;
    uint32_t last_child;    /* value seen last, 0 = none yet */
    uint32_t children_left; /* values still to come */
};

static enum err link_tokens(struct linker *linker)
{
    jsmntok_t *tokens = linker->doc->tokens;
    struct level levels[JSON_DEPTH_MAX];
    uint32_t depth = 0;
    enum err err = ERR_OK;
    for (uint32_t token = 0; token < linker->doc->count; token++) {
        jsmntok_t *at = &tokens[token];
        if (at->type == JSMN_STRING) {
            mark_string(linker->doc, token);
            if (is_key_token(at)) {
                continue;
            }
        }
        at->parent = 0;
        if (depth > 0) {
            struct level *level = &levels[depth - 1];
            if (level->last_child != 0) {
                tokens[level->last_child].parent = (int)token;
            }
            level->last_child = token;
            level->children_left--;
        }
        if (at->type != JSMN_STRING && at->size > 0) {
            CHECK(depth < JSON_DEPTH_MAX);
            levels[depth++] = (struct level){token, 0, (uint32_t)at->size};
        }
        while (err == ERR_OK && depth > 0 && levels[depth - 1].children_left == 0) {
            err = find_duplicate(linker, levels[--depth].container);
        }
    }
    CHECK(depth == 0 || err != ERR_OK);
    return err;
}

/* ---- all three ------------------------------------------------------------------------------- */

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
    struct checker checker = {.at = text.ptr, .end = text.ptr + text.bytes, .want = WANT_VALUE};
    if (!check_text(&checker)) {
        return report(text, checker.at, checker.what, fault);
    }
    enum err err = tokenise(text, checker.tokens, arena, &doc);
    if (err != ERR_OK) {
        return err;
    }
    struct linker linker = {.doc = doc, .arena = arena};
    err = link_tokens(&linker);
    if (err == ERR_OK && linker.duplicate != 0) {
        return report(text, raw_token(doc, linker.duplicate).ptr - 1, "duplicate key", fault);
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
    str raw = raw_token(doc, token);
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
    str raw = raw_token(doc, token);
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
    return is_key_token(&member.doc->tokens[before]) ? before : 0;
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
    str raw = raw_token(value.doc, value.at - 1);
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

/* ---- numbers --------------------------------------------------------------------------------- */

/* A number as digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int64_t exponent;
    bool is_negative;
    bool is_too_long;
};

static void add_digit(struct decimal *number, uint64_t digit)
{
    if (number->digits > (UINT64_MAX - digit) / 10) {
        number->is_too_long = true;
        return;
    }
    number->digits = number->digits * 10 + digit;
}

/* The text is a checked JSON number. Zeros are held back until a digit follows them, so that 1.000
 * and 10000000000000000000000e-20 come out right. */
static struct decimal read_decimal(str text)
{
    struct decimal number = {.is_negative = text.ptr[0] == '-'};
    int64_t zeros = 0;
    bool is_fraction = false;
    size_t i = number.is_negative ? 1 : 0;
    for (; i < text.bytes && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        if (text.ptr[i] == '.') {
            is_fraction = true;
            continue;
        }
        number.exponent -= is_fraction ? 1 : 0;
        if (text.ptr[i] == '0') {
            zeros++;
            continue;
        }
        for (; zeros > 0 && !number.is_too_long; zeros--) {
            add_digit(&number, 0);
        }
        add_digit(&number, (uint64_t)(text.ptr[i] - '0'));
    }
    number.exponent += zeros;
    if (i < text.bytes) {
        int64_t exponent;
        str rest = str_sub(text, i + 1, SIZE_MAX);
        rest = str_starts(rest, S("+")) ? str_sub(rest, 1, SIZE_MAX) : rest;
        if (!str_to_i64(rest, &exponent) || exponent > 1000000 || exponent < -1000000) {
            exponent = str_starts(rest, S("-")) ? -1000000 : 1000000; /* far out of range anyway */
        }
        number.exponent += exponent;
    }
    return number;
}

bool json_i64(json value, int64_t *out)
{
    if (json_type(value) != JSON_TYPE_NUMBER || json_raw(value).bytes > NUMBER_BYTES_MAX) {
        return false;
    }
    struct decimal number = read_decimal(json_raw(value));
    if (number.digits == 0 && !number.is_too_long) {
        *out = 0;
        return true;
    }
    for (; number.exponent > 0 && !number.is_too_long; number.exponent--) {
        add_digit(&number, 0);
    }
    uint64_t largest = (uint64_t)INT64_MAX + (number.is_negative ? 1 : 0);
    if (number.is_too_long || number.exponent < 0 || number.digits > largest) {
        return false;
    }
    *out = number.is_negative ? -(int64_t)(number.digits - 1) - 1 : (int64_t)number.digits;
    return true;
}

int64_t json_i64_or(json value, int64_t otherwise)
{
    (void)json_i64(value, &otherwise);
    return otherwise;
}

bool json_double(json value, double *out)
{
    char text[NUMBER_BYTES_MAX + 1]; /* strtod wants a NUL */
    if (json_type(value) != JSON_TYPE_NUMBER || !str_copy(text, sizeof(text), json_raw(value))) {
        return false;
    }
    double number = strtod(text, NULL);
    if (!isfinite(number)) {
        return false;
    }
    *out = number;
    return true;
}
