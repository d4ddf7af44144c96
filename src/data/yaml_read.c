/*
 * see yaml_read.h
 *
 * libfyaml delivers events; each becomes a call of the JSON writer. An alias is written by copying
 * the JSON that its anchor has produced before.
 */
#define POISON_LATER
#include <libfyaml.h>
#undef POISON_LATER
#include "base/poison.h"

#include "data/yaml_read.h"

#include <errno.h>

#include "base/check.h"
#include "base/codec.h"
#include "data/json_write.h"
#include "data/yaml_plain.h"

struct anchor {
    char name[YAML_ANCHOR_BYTES_MAX];
    size_t from, to; /* its JSON in out; to is 0 while it is still being written */
};

struct level {
    bool is_mapping;
    bool has_key;    /* the next node is a value */
    uint32_t anchor; /* index + 1, 0 = none */
};

struct converter {
    struct buf *out;
    struct json_write writer;
    struct level levels[YAML_DEPTH_MAX];
    uint32_t depth;
    struct anchor anchors[YAML_ANCHORS_MAX];
    uint32_t anchors_count;
    size_t alias_bytes;
    const struct fy_mark *mark; /* where we are, may be NULL */
    struct yaml_fault *fault;
    struct yaml_lines *lines; /* NULL: not wanted */
};

_Static_assert(YAML_DEPTH_MAX <= JSON_WRITE_DEPTH_MAX, "what is read must be writable");

/* ---- faults ---------------------------------------------------------------------------------- */

static enum err report(struct yaml_fault *fault, uint32_t line, uint32_t column, const char *what)
{
    if (fault != NULL) {
        fault->line = line;
        fault->column = column;
        (void)str_copy(fault->what, sizeof(fault->what), str_of(what));
    }
    return ERR_BAD_INPUT;
}

static enum err refuse(const struct converter *converter, const char *what)
{
    const struct fy_mark *mark = converter->mark;
    return report(converter->fault, mark != NULL ? (uint32_t)mark->line + 1 : 1,
                  mark != NULL ? (uint32_t)mark->column + 1 : 1, what);
}

/*
 * YAML is UTF-8 without control characters (YAML 1.2, 5.1 and 5.2). libfyaml does not check that
 * everywhere, and does not come back from some places where it reads a byte that is no character.
 */
static enum err check_characters(str text, struct yaml_fault *fault)
{
    uint32_t line = 1, column = 1;
    while (text.bytes > 0) {
        size_t bytes = codec_utf8_char(text);
        char first = text.ptr[0];
        bool is_control = ((uint8_t)first < 0x20 && strchr("\t\n\r", first) == NULL) ||
                          first == 0x7f || first == '\0';
        if (bytes == 0 || is_control) {
            return report(fault, line, column, bytes == 0 ? "invalid UTF-8" : "control character");
        }
        line += first == '\n' ? 1 : 0;
        column = first == '\n' ? 1 : column + 1;
        text = str_sub(text, bytes, SIZE_MAX);
    }
    return ERR_OK;
}

/* ---- anchors --------------------------------------------------------------------------------- */

static str token_text(struct fy_token *token)
{
    size_t bytes = 0;
    const char *text = token != NULL ? fy_token_get_text(token, &bytes) : NULL;
    return text != NULL ? str_make(text, bytes) : STR_NONE;
}

/* Notes that the next value has a name. *index receives its number + 1, or 0. */
static enum err note_anchor(struct converter *converter, struct fy_token *token, uint32_t *index)
{
    *index = 0;
    if (token == NULL) {
        return ERR_OK;
    }
    if (converter->anchors_count == YAML_ANCHORS_MAX) {
        return refuse(converter, "too many anchors");
    }
    struct anchor *anchor = &converter->anchors[converter->anchors_count];
    if (!str_copy(anchor->name, sizeof(anchor->name), token_text(token))) {
        return refuse(converter, "the name of an anchor is too long");
    }
    anchor->from = converter->out->bytes;
    anchor->to = 0;
    *index = ++converter->anchors_count;
    return ERR_OK;
}

/* The named value is complete. The comma before it is not part of it. */
static void complete_anchor(struct converter *converter, uint32_t index)
{
    if (index == 0 || !buf_ok(converter->out)) {
        return;
    }
    struct anchor *anchor = &converter->anchors[index - 1];
    CHECK(anchor->from < converter->out->bytes);
    anchor->from += converter->out->ptr[anchor->from] == ',' ? 1 : 0;
    anchor->to = converter->out->bytes;
}

/* The latest of that name, as YAML wants it. */
static const struct anchor *find_anchor(const struct converter *converter, str name)
{
    for (uint32_t i = converter->anchors_count; i > 0; i--) {
        if (str_eq(str_of(converter->anchors[i - 1].name), name)) {
            return &converter->anchors[i - 1];
        }
    }
    return NULL;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool wants_key(const struct converter *converter)
{
    if (converter->depth == 0) {
        return false;
    }
    const struct level *level = &converter->levels[converter->depth - 1];
    return level->is_mapping && !level->has_key;
}

/* A node was written: in a mapping keys and values take turns. */
static void after_node(struct converter *converter)
{
    if (converter->depth > 0) {
        struct level *level = &converter->levels[converter->depth - 1];
        level->has_key = level->is_mapping && !level->has_key;
    }
}

static enum err on_alias(struct converter *converter, struct fy_event *event)
{
    const struct anchor *anchor = find_anchor(converter, token_text(event->alias.anchor));
    if (wants_key(converter)) {
        return refuse(converter, "an alias as a key is not supported");
    }
    if (anchor == NULL) {
        return refuse(converter, "unknown alias");
    }
    if (!buf_ok(converter->out)) { /* the anchor's text may be missing; ERR_FULL comes at the end */
        after_node(converter);
        return ERR_OK;
    }
    if (anchor->to == 0) {
        return refuse(converter, "alias inside of its anchor");
    }
    str value = str_make(converter->out->ptr + anchor->from, anchor->to - anchor->from);
    converter->alias_bytes += value.bytes;
    if (converter->alias_bytes > YAML_ALIAS_BYTES_MAX) {
        return refuse(converter, "the aliases expand to too much");
    }
    json_put_raw(&converter->writer, value);
    after_node(converter);
    return ERR_OK;
}

static bool is_text(struct fy_event *event)
{
    str tag = token_text(event->scalar.tag);
    return fy_token_scalar_style(event->scalar.value) != FYSS_PLAIN || str_eq(tag, S("!")) ||
           str_ends(tag, S(":str")); /* !!str comes as tag:yaml.org,2002:str */
}

static enum err on_scalar(struct converter *converter, struct fy_event *event)
{
    str text = token_text(event->scalar.value);
    uint32_t anchor;
    if (wants_key(converter)) {
        if (str_eq(text, S("<<")) && !is_text(event)) {
            return refuse(converter, "merge keys (<<) are not supported");
        }
        char memory[YAML_PLAIN_KEY_BYTES];
        json_key_put(&converter->writer, is_text(event) ? text : yaml_plain_key(text, memory));
        after_node(converter);
        return event->scalar.anchor == NULL
                   ? ERR_OK
                   : refuse(converter, "an anchor at a key is not supported");
    }
    enum err err = note_anchor(converter, event->scalar.anchor, &anchor);
    if (err != ERR_OK) {
        return err;
    }
    if (is_text(event)) {
        json_put_text(&converter->writer, text);
    } else {
        yaml_put_plain(&converter->writer, text);
    }
    complete_anchor(converter, anchor);
    after_node(converter);
    return ERR_OK;
}

static enum err on_start(struct converter *converter, bool is_mapping,
                         struct fy_token *anchor_token)
{
    uint32_t anchor;
    if (wants_key(converter)) {
        return refuse(converter, "a key must be a scalar");
    }
    if (converter->depth == YAML_DEPTH_MAX) {
        return refuse(converter, "nested too deeply");
    }
    enum err err = note_anchor(converter, anchor_token, &anchor);
    if (err != ERR_OK) {
        return err;
    }
    if (is_mapping) {
        json_object(&converter->writer);
    } else {
        json_array(&converter->writer);
    }
    converter->levels[converter->depth++] =
        (struct level){.is_mapping = is_mapping, .anchor = anchor};
    return ERR_OK;
}

static enum err on_end(struct converter *converter)
{
    if (NEVER(converter->depth == 0)) {
        return refuse(converter, "an end without a start");
    }
    json_end(&converter->writer);
    complete_anchor(converter, converter->levels[--converter->depth].anchor);
    after_node(converter);
    return ERR_OK;
}

/* A member is noted at its key, an item of a list, and the root, at itself. */
static void note_line(struct converter *converter, const struct fy_event *event)
{
    struct yaml_lines *lines = converter->lines;
    bool is_start = event->type == FYET_SCALAR || event->type == FYET_ALIAS ||
                    event->type == FYET_MAPPING_START || event->type == FYET_SEQUENCE_START;
    bool is_value = converter->depth > 0 && converter->levels[converter->depth - 1].is_mapping &&
                    converter->levels[converter->depth - 1].has_key;

    if (lines != NULL && is_start && !is_value && converter->mark != NULL &&
        lines->count < lines->count_max) {
        lines->items[lines->count++] = (struct yaml_line){(uint32_t)converter->out->bytes,
                                                          (uint32_t)converter->mark->line + 1};
    }
}

static enum err on_event(struct converter *converter, struct fy_event *event)
{
    converter->mark = fy_event_start_mark(event);
    note_line(converter, event);
    switch (event->type) {
    case FYET_SCALAR:
        return on_scalar(converter, event);
    case FYET_ALIAS:
        return on_alias(converter, event);
    case FYET_MAPPING_START:
        return on_start(converter, true, event->mapping_start.anchor);
    case FYET_SEQUENCE_START:
        return on_start(converter, false, event->sequence_start.anchor);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return on_end(converter);
    default:
        return ERR_OK;
    }
}

/* ---- the parser ------------------------------------------------------------------------------ */

/* What libfyaml has to say about a malformed text: the first thing it found. */
static enum err report_parser(struct fy_diag *diag, struct yaml_fault *fault)
{
    void *iterator = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
    if (error == NULL) { /* it had no memory for words */
        return report(fault, 1, 1, "not YAML");
    }
    if (NEVER(error->msg == NULL || error->line <= 0 || error->column <= 0)) {
        return report(fault, 1, 1, "not YAML");
    }
    return report(fault, (uint32_t)error->line, (uint32_t)error->column, error->msg);
}

/* The next event, or NULL at the end or on a fault (*err). */
static struct fy_event *next_event(struct fy_parser *parser, struct fy_diag *diag,
                                   struct yaml_fault *fault, enum err *err)
{
    struct fy_event *event = fy_parser_parse(parser);
    *err = ERR_OK;
    if (event == NULL) {
        *err = NEVER(!fy_parser_get_stream_error(parser)) ? ERR_END : report_parser(diag, fault);
    } else if (event->type == FYET_STREAM_END) {
        fy_parser_event_free(parser, event);
        event = NULL;
        *err = ERR_END;
    }
    return event;
}

/* Reads up to and including the start of document number `index`. */
static enum err find_document(struct fy_parser *parser, struct fy_diag *diag, uint32_t index,
                              uint32_t *first_line, struct yaml_fault *fault)
{
    enum err err;
    struct fy_event *event;
    bool is_found = false;
    while (!is_found && (event = next_event(parser, diag, fault, &err)) != NULL) {
        if (event->type == FYET_DOCUMENT_START && index-- == 0) {
            const struct fy_mark *mark = fy_event_start_mark(event);
            is_found = true;
            if (first_line != NULL) {
                *first_line = mark != NULL ? (uint32_t)mark->line + 1 : 1;
            }
        }
        fy_parser_event_free(parser, event);
    }
    return is_found ? ERR_OK : err;
}

static enum err convert_document(struct fy_parser *parser, struct fy_diag *diag,
                                 struct converter *converter)
{
    enum err err;
    struct fy_event *event;
    bool is_complete = false;
    while (!is_complete && (event = next_event(parser, diag, converter->fault, &err)) != NULL) {
        err = on_event(converter, event);
        is_complete = err != ERR_OK || event->type == FYET_DOCUMENT_END;
        fy_parser_event_free(parser, event);
    }
    if (NEVER(err == ERR_END)) {
        return refuse(converter, "the document does not end");
    }
    if (err == ERR_OK && !buf_ok(converter->out)) {
        return ERR_FULL;
    }
    if (NEVER(err == ERR_OK && !json_write_ok(&converter->writer))) {
        return refuse(converter, "a node is missing");
    }
    return err;
}

static enum err convert(struct fy_parser *parser, struct fy_diag *diag, uint32_t index,
                        struct buf *out, uint32_t *first_line, struct yaml_lines *lines,
                        struct yaml_fault *fault)
{
    struct converter converter = {.out = out, .fault = fault, .lines = lines};
    json_write_init(&converter.writer, out);
    enum err err = find_document(parser, diag, index, first_line, fault);
    return err == ERR_OK ? convert_document(parser, diag, &converter) : err;
}

static void ignore_output(struct fy_diag *diag, void *user, const char *text, size_t bytes)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)bytes;
}

/* A collector of messages, so that libfyaml prints none. */
static struct fy_diag *create_diag(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = ignore_output;
    config.colorize = false;
    struct fy_diag *diag = fy_diag_create(&config);
    if (diag != NULL) {
        fy_diag_set_collect_errors(diag, true);
    }
    return diag;
}

static enum err to_json(str text, uint32_t index, struct buf *out, uint32_t *first_line,
                        struct yaml_lines *lines, struct yaml_fault *fault)
{
    size_t before = out->bytes;
    enum err err = ERR_NO_MEMORY;
    if (text.bytes > YAML_BYTES_MAX) {
        return ERR_TOO_BIG;
    }
    if (text.bytes == 0) {
        return ERR_END;
    }
    if (check_characters(text, fault) != ERR_OK) {
        return ERR_BAD_INPUT;
    }
    errno = 0; /* libfyaml does not always tell when it had no memory, and reads on without */
    struct fy_diag *diag = create_diag();
    struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_PARSE, .diag = diag};
    struct fy_parser *parser = diag != NULL ? fy_parser_create(&config) : NULL;
    if (parser != NULL && fy_parser_set_string(parser, text.ptr, text.bytes) == 0) {
        err = convert(parser, diag, index, out, first_line, lines, fault);
    }
    if (errno == ENOMEM) {
        err = ERR_NO_MEMORY;
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    if (err != ERR_OK) {
        out->bytes = before;
    }
    return err;
}

enum err yaml_to_json(str text, uint32_t index, struct buf *out, uint32_t *first_line,
                      struct yaml_fault *fault)
{
    return to_json(text, index, out, first_line, NULL, fault);
}

enum err yaml_to_json_lines(str text, uint32_t index, struct buf *out, struct yaml_lines *lines,
                            struct yaml_fault *fault)
{
    lines->count = 0;
    return to_json(text, index, out, NULL, lines, fault);
}

uint32_t yaml_line_at(const struct yaml_lines *lines, size_t at)
{
    uint32_t low = 0, high = lines->count;
    while (low < high) { /* items before low are at or before `at` */
        uint32_t middle = low + (high - low) / 2;
        if (lines->items[middle].at <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? lines->items[low - 1].line : 1;
}
