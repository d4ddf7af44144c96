/*
 * profile_selectors.c - the JSON inside the eci-profile's `selectors`; see profile.h.
 */
#include "spec/profile_parts.h"

#include "base/check.h"
#include "spec/annotation.h"

static str without_comments(str text, struct arena *arena);
static enum err read_selector(struct profile_reader *reader, json from);
static void warn_shadows(struct profile_reader *reader);

enum err profile_read_selectors(struct profile_reader *reader, str text)
{
    struct json_fault fault = {.line = 0};
    json root;
    if (str_is_empty(str_trim(text))) {
        return ERR_OK; /* the defaults */
    }
    reader->json = without_comments(text, reader->arena);
    if (reader->json.ptr == NULL) {
        return ERR_FULL;
    }
    if (str_is_empty(str_trim(reader->json))) {
        return ERR_OK;
    }
    enum err err = json_parse(reader->json, reader->arena, &root, &fault);
    if (err == ERR_BAD_INPUT) {
        (void)profile_bad(reader, JSON_NONE, "selectors: line %u, column %u: not JSON: %s",
                          fault.line, fault.column, fault.what);
        reader->fault->line = fault.line;
        reader->fault->column = fault.column;
        return ERR_INVALID;
    }
    if (err != ERR_OK) {
        return err;
    }
    if (json_type(root) != JSON_TYPE_ARRAY) {
        return profile_bad(reader, root, "must be an array: [ {...}, {...} ]");
    }
    for (json x = json_first(root); json_is_there(x); x = json_next(x)) {
        err = read_selector(reader, x);
        if (err != ERR_OK) {
            return err;
        }
    }
    warn_shadows(reader);
    return ERR_OK;
}

/* ---- comments -------------------------------------------------------------------------------- */

/* Where a string that starts at `from` (its quote) ends: behind the closing quote. */
static size_t string_end(str text, size_t from)
{
    size_t at = from + 1;
    while (at < text.bytes && text.ptr[at] != '"') {
        at += text.ptr[at] == '\\' ? 2 : 1;
    }
    return at + 1 < text.bytes ? at + 1 : text.bytes;
}

/* Where a comment that starts at `from` ends; `from` itself when there is none. */
static size_t comment_end(str text, size_t from)
{
    str rest = str_sub(text, from, text.bytes);
    if (str_starts(rest, S("/*"))) {
        ptrdiff_t end = str_find(str_sub(rest, 2, rest.bytes), S("*/"));
        return end < 0 ? text.bytes : from + 4 + (size_t)end;
    }
    if (str_starts(rest, S("#")) || str_starts(rest, S("//"))) {
        ptrdiff_t end = str_find_char(rest, '\n');
        return end < 0 ? text.bytes : from + (size_t)end;
    }
    return from;
}

/* A copy with blanks in place of comments and a byte order mark, so that lines and columns stay
 * right. */
static str without_comments(str text, struct arena *arena)
{
    str copy = arena_copy(arena, text);
    if (copy.ptr == NULL) {
        return STR_NONE;
    }
    char *to = arena->ptr + (copy.ptr - arena->ptr);
    size_t at = 0;
    if (str_starts(text, S("\xef\xbb\xbf"))) { /* a byte order mark */
        memset(to, ' ', 3);
        at = 3;
    }
    while (at < text.bytes) {
        if (text.ptr[at] == '"') {
            at = string_end(text, at);
            continue;
        }
        size_t end = comment_end(text, at);
        for (size_t i = at; i < end; i++) {
            to[i] = to[i] == '\n' ? '\n' : ' ';
        }
        at = end > at ? end : at + 1;
    }
    return copy;
}

/* ---- label selectors ------------------------------------------------------------------------- */

static enum err add_value(struct profile_reader *reader, json from)
{
    struct profile *to = reader->out;
    str value = json_text(from, reader->arena);
    if (json_type(from) != JSON_TYPE_STRING || !label_value_is_valid(value)) {
        return profile_bad(reader, from,
                           "not the value of a label: a text of at most %d letters, "
                           "digits, - _ .",
                           LABEL_NAME_BYTES_MAX);
    }
    if (to->values_count == PROFILE_VALUES_MAX) {
        return profile_bad(reader, from, "more than %d values in all", PROFILE_VALUES_MAX);
    }
    return profile_keep(reader, value, &to->values[to->values_count++]);
}

static enum err add_term(struct profile_reader *reader, json at, str key, enum label_op op,
                         struct label_term **out)
{
    struct profile *to = reader->out;
    if (!label_key_is_valid(key)) {
        return profile_bad(reader, at, "\"%.*s\" is not the key of a label",
                           STR_ARG(str_sub(key, 0, 80)));
    }
    if (to->terms_count == PROFILE_TERMS_MAX) {
        return profile_bad(reader, at, "more than %d labels in all selectors", PROFILE_TERMS_MAX);
    }
    *out = &to->terms[to->terms_count++];
    **out = (struct label_term){.op = op, .values = &to->values[to->values_count]};
    return profile_keep(reader, key, &(*out)->key);
}

static enum err read_match_labels(struct profile_reader *reader, json from)
{
    for (json x = json_first(from); json_is_there(x); x = json_next(x)) {
        struct label_term *term;
        enum err err = add_term(reader, x, json_key(x, reader->arena), LABEL_IN, &term);
        if (err == ERR_OK) {
            term->values_count = 1;
            err = add_value(reader, x);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static bool find_op(json name, enum label_op *out)
{
    for (unsigned op = 0; op < LABEL_OP_COUNT; op++) {
        if (json_text_is(name, label_op_name((enum label_op)op))) {
            *out = (enum label_op)op;
            return true;
        }
    }
    return false;
}

static enum err read_expression(struct profile_reader *reader, json from)
{
    struct label_term *term;
    enum label_op op;
    json values = json_get(from, "values");
    if (json_type(from) != JSON_TYPE_OBJECT || !find_op(json_get(from, "operator"), &op)) {
        return profile_bad(reader, from,
                           "an expression needs key, operator (In, NotIn, Exists, "
                           "DoesNotExist) and values");
    }
    if ((op == LABEL_IN || op == LABEL_NOT_IN) != (json_count(values) > 0)) {
        return profile_bad(reader, from, "In and NotIn need values, the others have none");
    }
    enum err err =
        add_term(reader, from, json_text(json_get(from, "key"), reader->arena), op, &term);
    for (json x = json_first(values); err == ERR_OK && json_is_there(x); x = json_next(x)) {
        term->values_count++;
        err = add_value(reader, x);
    }
    return err;
}

static enum err read_select(struct profile_reader *reader, json from, struct label_select *out)
{
    const struct label_term *first = &reader->out->terms[reader->out->terms_count];
    enum err err = ERR_OK;
    if (json_type(from) != JSON_TYPE_OBJECT) {
        return profile_bad(reader, from, "must be an object");
    }
    for (json x = json_first(from); err == ERR_OK && json_is_there(x); x = json_next(x)) {
        if (json_is_null(x)) {
            continue;
        }
        if (json_key_is(x, "matchLabels") && json_type(x) == JSON_TYPE_OBJECT) {
            err = read_match_labels(reader, x);
        } else if (json_key_is(x, "matchExpressions") && json_type(x) == JSON_TYPE_ARRAY) {
            for (json e = json_first(x); err == ERR_OK && json_is_there(e); e = json_next(e)) {
                err = read_expression(reader, e);
            }
        } else { /* taken for nothing it would match everything */
            err = profile_bad(reader, x,
                              "only matchLabels (an object) and matchExpressions (an array) may be "
                              "in a selector");
        }
    }
    *out = (struct label_select){first,
                                 (uint32_t)(&reader->out->terms[reader->out->terms_count] - first)};
    return err;
}

/* ---- effects --------------------------------------------------------------------------------- */

/* The API server ignores the case of an annotation's key when it looks at its form. */
static bool is_annotation_key(str key, struct arena *arena)
{
    str copy = arena_copy(arena, key);
    for (size_t i = 0; copy.ptr != NULL && i < copy.bytes; i++) {
        char *c = arena->ptr + (copy.ptr - arena->ptr) + i;
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
    return label_key_is_valid(copy);
}

static enum err read_pairs(struct profile_reader *reader, json from, bool is_labels,
                           struct profile_pairs *out)
{
    struct profile *to = reader->out;
    out->items = &to->pairs[to->pairs_count];
    if (json_type(from) != JSON_TYPE_OBJECT) {
        return profile_bad(reader, from, "must be an object");
    }
    for (json x = json_first(from); json_is_there(x); x = json_next(x)) {
        str key = json_key(x, reader->arena), value = json_text(x, reader->arena);
        bool is_key = is_labels ? label_key_is_valid(key) : is_annotation_key(key, reader->arena);
        if (!is_key) {
            return profile_bad(reader, x, "\"%.*s\" is not the key of %s",
                               STR_ARG(str_sub(key, 0, 80)),
                               is_labels ? "a label" : "an annotation");
        }
        if (json_type(x) != JSON_TYPE_STRING || (is_labels && !label_value_is_valid(value))) {
            return profile_bad(reader, x, "the value of %.*s must be a text%s",
                               STR_ARG(str_sub(key, 0, 80)),
                               is_labels ? " that a label may have" : " in quotes");
        }
        if (to->pairs_count == PROFILE_PAIRS_MAX) {
            return profile_bad(reader, x, "more than %d annotations and labels in all effects",
                               PROFILE_PAIRS_MAX);
        }
        struct spec_pair *pair = &to->pairs[to->pairs_count++];
        enum err err = profile_keep(reader, key, &pair->key);
        if (err == ERR_OK) {
            err = profile_keep(reader, value, &pair->value);
        }
        if (err != ERR_OK) {
            return err;
        }
        out->count++;
    }
    return ERR_OK;
}

/* What the node will say about such annotations on a pod is said about the effect. */
static void warn_annotations(struct profile_reader *reader, str selector,
                             const struct profile_pairs *pairs)
{
    struct annotations read;
    struct spec_verdict verdict;
    char memory[1024];
    struct buf text;
    verdict_init(&verdict, reader->arena);
    annotations_read(JSON_NONE, pairs->items, pairs->count, &read, &verdict);
    buf_init(&text, memory, sizeof memory);
    verdict_put_refusals(&verdict, &text);
    if (text.bytes > 0) {
        profile_warn(reader, "selector %.*s: pods with this effect cannot run: %.*s%s",
                     STR_ARG(selector), STR_ARG(buf_str(&text)), buf_ok(&text) ? "" : " ...");
    }
    buf_clear(&text);
    verdict_put_warnings(&verdict, &text);
    if (text.bytes > 0) {
        profile_warn(reader, "selector %.*s: %.*s%s", STR_ARG(selector), STR_ARG(buf_str(&text)),
                     buf_ok(&text) ? "" : " ...");
    }
}

static enum err read_effect(struct profile_reader *reader, json from, struct profile_selector *out)
{
    enum err err = ERR_OK;
    if (json_type(from) != JSON_TYPE_OBJECT) {
        return profile_bad(reader, from, "effect must be an object");
    }
    for (json x = json_first(from); err == ERR_OK && json_is_there(x); x = json_next(x)) {
        if (json_is_null(x)) {
            continue;
        }
        if (json_key_is(x, "annotations")) {
            err = read_pairs(reader, x, false, &out->annotations);
            if (err == ERR_OK) {
                warn_annotations(reader, out->name, &out->annotations);
            }
        } else if (json_key_is(x, "labels")) {
            err = read_pairs(reader, x, true, &out->labels);
        } else {
            err = profile_bad(reader, x, "an effect has annotations and labels, nothing else");
        }
    }
    return err;
}

/* ---- one selector ---------------------------------------------------------------------------- */

static enum err read_name(struct profile_reader *reader, json from, struct profile_selector *out)
{
    const struct profile *to = reader->out;
    json name = json_get(from, "name");
    str text = json_text(name, reader->arena);
    if (!json_is_there(name)) {
        return profile_bad(reader, from, "the selector has no name");
    }
    if (str_is_empty(str_trim(text)) || text.bytes > PROFILE_SELECTOR_NAME_BYTES_MAX) {
        return profile_bad(reader, name, "name must be a text of 1 to %d bytes",
                           PROFILE_SELECTOR_NAME_BYTES_MAX);
    }
    for (uint32_t i = 0; i < to->selectors_count; i++) {
        if (str_eq(to->selectors[i].name, text)) {
            return profile_bad(reader, name, "another selector is called %.*s, too", STR_ARG(text));
        }
    }
    return profile_keep(reader, text, &out->name);
}

static enum err read_member(struct profile_reader *reader, json x, struct profile_selector *out)
{
    if (json_is_null(x) || json_key_is(x, "name")) {
        return ERR_OK;
    }
    if (json_key_is(x, "namespaceSelector")) {
        return read_select(reader, x, &out->namespaces);
    }
    if (json_key_is(x, "objectSelector")) {
        return read_select(reader, x, &out->objects);
    }
    if (json_key_is(x, "effect")) {
        return read_effect(reader, x, out);
    }
    /* Were a misspelt selector passed over, its effect would go to every pod. */
    return profile_bad(reader, x,
                       "\"%.*s\" is not known; a selector has name, namespaceSelector, "
                       "objectSelector and effect",
                       STR_ARG(str_sub(json_key(x, reader->arena), 0, 60)));
}

static enum err read_selector(struct profile_reader *reader, json from)
{
    struct profile *to = reader->out;
    if (json_type(from) != JSON_TYPE_OBJECT) {
        return profile_bad(reader, from, "a selector must be an object");
    }
    if (to->selectors_count == PROFILE_SELECTORS_MAX) {
        return profile_bad(reader, from, "more than %d selectors", PROFILE_SELECTORS_MAX);
    }
    struct profile_selector *out = &to->selectors[to->selectors_count];
    *out = (struct profile_selector){.name = STR_NONE};
    enum err err = read_name(reader, from, out);
    for (json x = json_first(from); err == ERR_OK && json_is_there(x); x = json_next(x)) {
        err = read_member(reader, x, out);
    }
    if (err != ERR_OK) {
        return err;
    }
    to->selectors_count++;
    out->is_scheduling = out->namespaces.terms_count + out->objects.terms_count > 0;
    if (!out->is_scheduling && out->annotations.count + out->labels.count == 0) {
        profile_warn(reader, "selector %.*s: it selects nothing and adds nothing",
                     STR_ARG(out->name));
    } else if (!out->is_scheduling && (json_is_there(json_get(from, "namespaceSelector")) ||
                                       json_is_there(json_get(from, "objectSelector")))) {
        profile_warn(reader, "selector %.*s: an empty selector counts as none: it schedules no pod",
                     STR_ARG(out->name));
    }
    return ERR_OK;
}

/* ---- what can never count -------------------------------------------------------------------- */

static bool is_same_term(const struct label_term *a, const struct label_term *b)
{
    if (a->op != b->op || !str_eq(a->key, b->key) || a->values_count != b->values_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->values_count; i++) {
        if (!str_eq(a->values[i], b->values[i])) {
            return false;
        }
    }
    return true;
}

/* Everything that `narrow` matches is also matched by `wide`. */
static bool is_within(const struct label_select *narrow, const struct label_select *wide)
{
    for (uint32_t w = 0; w < wide->terms_count; w++) {
        bool is_there = false;
        for (uint32_t n = 0; n < narrow->terms_count && !is_there; n++) {
            is_there = is_same_term(&wide->terms[w], &narrow->terms[n]);
        }
        if (!is_there) {
            return false;
        }
    }
    return true;
}

static uint32_t keys_in(const struct profile_pairs *these, const struct profile_pairs *those)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < these->count; i++) {
        const struct label_set set = {those->items, those->count};
        count += label_set_find(set, these->items[i].key) != NULL;
    }
    return count;
}

static void warn_shadow(struct profile_reader *reader, const struct profile_selector *earlier,
                        const struct profile_selector *later)
{
    bool reaches_all = is_within(&later->namespaces, &earlier->namespaces) &&
                       is_within(&later->objects, &earlier->objects) &&
                       (earlier->is_scheduling || later->is_scheduling ||
                        later->annotations.count + later->labels.count > 0);
    uint32_t pairs = later->annotations.count + later->labels.count;
    uint32_t hidden = keys_in(&later->annotations, &earlier->annotations) +
                      keys_in(&later->labels, &earlier->labels);
    bool adds_scheduling = later->is_scheduling && !earlier->is_scheduling;
    if (!reaches_all || adds_scheduling || (hidden == 0 && pairs > 0)) {
        return;
    }
    if (hidden == pairs) {
        profile_warn(reader,
                     "selector %.*s: it never counts, because %.*s before it matches the "
                     "same pods%s",
                     STR_ARG(later->name), STR_ARG(earlier->name),
                     pairs > 0 ? " and adds the same keys" : "");
    } else {
        profile_warn(reader,
                     "selector %.*s: %u of its %u additions never count, because %.*s "
                     "before it has the same keys for the same pods",
                     STR_ARG(later->name), hidden, pairs, STR_ARG(earlier->name));
    }
}

static void warn_shadows(struct profile_reader *reader)
{
    const struct profile *to = reader->out;
    for (uint32_t later = 1; later < to->selectors_count; later++) {
        for (uint32_t earlier = 0; earlier < later; earlier++) {
            warn_shadow(reader, &to->selectors[earlier], &to->selectors[later]);
        }
    }
}

/* ---- the defaults ---------------------------------------------------------------------------- */

void profile_default_selectors(struct profile *out)
{
    static const str one_true[] = {{"true", 4}}, one_enabled[] = {{"enabled", 7}};
    static const struct label_term terms[] = {
        {S("alibabacloud.com/eci"), LABEL_IN, one_true, 1},
        {S("eci"), LABEL_IN, one_true, 1},
        {S("virtual-node-affinity-injection"), LABEL_IN, one_enabled, 1},
    };
    static const struct {
        str name;
        bool is_object;
        uint32_t term;
    } rows[] = {{S("default-selector-1"), true, 0},
                {S("default-selector-2"), true, 1},
                {S("default-selector-3"), false, 0},
                {S("default-selector-4"), false, 1},
                {S("default-selector-5"), false, 2}};
    out->selectors_count = sizeof(rows) / sizeof(rows[0]);
    out->has_default_selectors = true;
    for (uint32_t i = 0; i < out->selectors_count; i++) {
        struct profile_selector *one = &out->selectors[i];
        *one = (struct profile_selector){.name = rows[i].name, .is_scheduling = true};
        *(rows[i].is_object ? &one->objects : &one->namespaces) =
            (struct label_select){&terms[rows[i].term], 1};
    }
}
