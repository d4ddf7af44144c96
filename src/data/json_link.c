/*
 * json_link.c - the third pass: siblings find each other, and no key stands twice. See json_in.h
 * for the others.
 *
 * One walk over the tokens with the open levels on a stack of JSON_DEPTH_MAX. The keys of an object
 * are compared when it closes, byte by byte as they are written: pair by pair in a small object,
 * with a table in the arena in a large one.
 */
#include "data/json_in.h"

#include "base/check.h"

/* Objects with more members are checked for duplicates with a table instead of pair by pair. */
#define PAIRS_MEMBERS_MAX 16

struct linker {
    struct json_doc *doc;
    struct arena *arena;
    uint32_t duplicate; /* token of the second of two equal keys, 0 = none */
};

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
                str_eq(json_token_raw(doc, keys[i]), json_token_raw(doc, key))) {
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
        str name = json_token_raw(doc, key);
        uint32_t cell = (uint32_t)str_hash(name) & (cells_count - 1);
        while (cells[cell] != 0 && !str_eq(json_token_raw(doc, cells[cell]), name)) {
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

/* Eight bytes at a time (Mycroft's test, as in json_check.c): most strings are too short to call
 * memchr for. */
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
    str raw = json_token_raw(doc, token);
    bool is_key = at->size != 0;
    at->size = (is_key ? TOKEN_IS_KEY : 0) | (has_backslash(raw) ? TOKEN_HAS_ESCAPE : 0);
    if (is_key) {
        at->parent = quick_hash(raw);
    }
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
            if (json_token_is_key(at)) {
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

enum err json_link(struct json_doc *doc, struct arena *arena, uint32_t *duplicate)
{
    struct linker linker = {.doc = doc, .arena = arena};
    enum err err = link_tokens(&linker);
    *duplicate = linker.duplicate;
    return err;
}
