/*
 * see json_split.h
 *
 * One state machine for both shapes. A watch knows only BETWEEN and IN_OBJECT. A list starts with
 * its envelope, leaves it for the items and comes back to it:
 *
 *     BEFORE  --- { --->  ENVELOPE  --- "items" : --->  ITEMS_VALUE  --- [ --->  ITEM_OR_END
 *     ITEM_OR_END, ITEM  --- { --->  IN_OBJECT  --- } --->  COMMA_OR_END  --- , --->  ITEM
 *     ITEM_OR_END, COMMA_OR_END  --- ] --->  ENVELOPE  --- } --->  AFTER
 */
#include "data/json_split.h"

#include "base/check.h"

enum split_state {
    STATE_BETWEEN,      /* watch: before or after an object */
    STATE_BEFORE,       /* list: before its first brace */
    STATE_ENVELOPE,     /* list: in the envelope */
    STATE_ITEMS_VALUE,  /* list: after "items": */
    STATE_ITEM_OR_END,  /* list: after [ */
    STATE_ITEM,         /* list: after a comma */
    STATE_COMMA_OR_END, /* list: after an item */
    STATE_IN_OBJECT,    /* in a piece */
    STATE_AFTER,        /* list: complete */
    STATE_BAD
};

void json_split_init(struct json_split *split, enum split_shape shape, struct buf piece,
                     struct buf envelope)
{
    CHECK(piece.bytes_max > 0);
    *split = (struct json_split){
        .shape = shape,
        .piece = piece,
        .envelope = envelope,
        .state = shape == SPLIT_WATCH ? STATE_BETWEEN : STATE_BEFORE,
    };
    buf_clear(&split->piece);
    buf_clear(&split->envelope);
}

/* ---- running over JSON text ------------------------------------------------------------------ */

/* The next quote or backslash. Eight bytes at a time (Mycroft's test for a byte in a word). */
static size_t find_string_mark(str text, size_t at)
{
    const uint64_t ones = 0x0101010101010101ULL;
    const uint64_t highs = 0x8080808080808080ULL;
    for (; text.bytes - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, text.ptr + at, 8);
        uint64_t quote = word ^ ones * '"';
        uint64_t backslash = word ^ ones * '\\';
        if ((((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs) {
            break;
        }
    }
    while (at < text.bytes && text.ptr[at] != '"' && text.ptr[at] != '\\') {
        at++;
    }
    return at;
}

/* Runs from inside a string to after its closing quote, or to the end of the text. */
static size_t run_string(struct json_split *split, str text, size_t at)
{
    while (at < text.bytes) {
        if (split->is_escaped) {
            split->is_escaped = false;
            at++;
            continue;
        }
        at = find_string_mark(text, at);
        if (at < text.bytes && text.ptr[at++] == '"') {
            split->in_string = false;
            return at;
        }
        split->is_escaped = text.ptr[at - 1] == '\\';
    }
    return at;
}

/* Runs to after the brace that ends the object (depth 0), to after a colon of the envelope's own
 * level, or to the end of the text. Returns how far it came. */
static size_t run_object(struct json_split *split, str text)
{
    size_t at = 0;
    while (at < text.bytes) {
        if (split->in_string) {
            at = run_string(split, text, at);
            continue;
        }
        switch (text.ptr[at++]) {
        case '"':
            split->in_string = true;
            break;
        case '{':
        case '[':
            if (++split->depth == UINT32_MAX) {
                split->state = STATE_BAD;
                return at;
            }
            break;
        case '}':
        case ']':
            if (--split->depth == 0) {
                return at;
            }
            break;
        case ':':
            if (split->depth == 1 && split->state == STATE_ENVELOPE) {
                return at;
            }
            break;
        default:
            break;
        }
    }
    return at;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void begin_object(struct json_split *split)
{
    buf_clear(&split->piece);
    buf_put_char(&split->piece, '{');
    split->depth = 1;
    split->is_skipping = false;
    split->state = STATE_IN_OBJECT;
}

/* Keeps what fits; once something did not, the rest of the object is only skipped. */
static void keep(struct json_split *split, str text)
{
    size_t room;
    (void)buf_tail(&split->piece, &room);
    if (!split->is_skipping) {
        buf_put(&split->piece, str_sub(text, 0, room));
        split->is_skipping = text.bytes > room;
    }
}

static enum split_event eat_object(struct json_split *split, str *input, str *piece)
{
    size_t bytes = run_object(split, *input);
    keep(split, str_sub(*input, 0, bytes));
    *input = str_sub(*input, bytes, SIZE_MAX);
    if (split->depth > 0) {
        return SPLIT_MORE;
    }
    split->state = split->shape == SPLIT_WATCH ? STATE_BETWEEN : STATE_COMMA_OR_END;
    *piece = buf_str(&split->piece);
    return split->is_skipping ? SPLIT_TOO_BIG : SPLIT_ITEM;
}

/* ---- the envelope ---------------------------------------------------------------------------- */

/* Does the envelope, up to and with a colon outside of strings, end with the key "items"? The quote
 * before it must open the string, so a brace or a comma comes before that: inside a string it
 * would be the escaped quote's backslash. */
static bool ends_with_items_key(str envelope)
{
    str key = S("\"items\"");
    str text = str_trim(str_sub(envelope, 0, envelope.bytes - 1));
    if (!str_ends(text, key)) {
        return false;
    }
    text = str_trim(str_sub(text, 0, text.bytes - key.bytes));
    return str_ends(text, S("{")) || str_ends(text, S(","));
}

static enum split_event eat_envelope(struct json_split *split, str *input, str *piece)
{
    size_t bytes = run_object(split, *input);
    str eaten = str_sub(*input, 0, bytes);
    buf_put(&split->envelope, eaten);
    *input = str_sub(*input, bytes, SIZE_MAX);
    if (!buf_ok(&split->envelope)) {
        split->state = STATE_BAD;
        return SPLIT_BAD;
    }
    if (split->depth == 0) {
        split->state = STATE_AFTER;
        *piece = buf_str(&split->envelope);
        return SPLIT_ENVELOPE;
    }
    bool is_colon = split->depth == 1 && !split->in_string && str_ends(eaten, S(":"));
    if (is_colon && ends_with_items_key(buf_str(&split->envelope))) {
        split->state = STATE_ITEMS_VALUE;
    }
    return SPLIT_MORE;
}

static void begin_envelope(struct json_split *split)
{
    buf_put_char(&split->envelope, '{');
    split->depth = 1;
    split->state = STATE_ENVELOPE;
}

static void begin_items(struct json_split *split)
{
    buf_put_char(&split->envelope, '[');
    split->state = STATE_ITEM_OR_END;
}

static void end_items(struct json_split *split)
{
    buf_put_char(&split->envelope, ']');
    split->depth = 1;
    split->state = STATE_ENVELOPE;
}

/* ---- between objects ------------------------------------------------------------------------- */

static void want_item(struct json_split *split)
{
    split->state = STATE_ITEM;
}

static void be_bad(struct json_split *split)
{
    split->state = STATE_BAD;
}

/* What a character other than white space does in the states between objects. */
static const struct split_rule {
    enum split_state state;
    char when;
    void (*then)(struct json_split *split);
} split_rules[] = {
    {STATE_BETWEEN, '{', begin_object},    {STATE_BEFORE, '{', begin_envelope},
    {STATE_ITEMS_VALUE, '[', begin_items}, {STATE_ITEM_OR_END, '{', begin_object},
    {STATE_ITEM_OR_END, ']', end_items},   {STATE_ITEM, '{', begin_object},
    {STATE_COMMA_OR_END, ',', want_item},  {STATE_COMMA_OR_END, ']', end_items},
};

static void (*rule_for(uint32_t state, char c))(struct json_split *split)
{
    for (size_t i = 0; i < sizeof(split_rules) / sizeof(split_rules[0]); i++) {
        if ((uint32_t)split_rules[i].state == state && split_rules[i].when == c) {
            return split_rules[i].then;
        }
    }
    return be_bad;
}

static void eat_between(struct json_split *split, str *input)
{
    char c = input->ptr[0];
    bool is_space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!is_space && split->state == STATE_ITEMS_VALUE && c != '[') {
        split->state = STATE_ENVELOPE; /* "items": null: nothing to cut out */
        return;
    }
    *input = str_sub(*input, 1, SIZE_MAX);
    if (!is_space) {
        rule_for(split->state, c)(split);
    }
}

enum split_event json_split_next(struct json_split *split, str *input, str *piece)
{
    enum split_event event = SPLIT_MORE;
    while (event == SPLIT_MORE && input->bytes > 0 && split->state != STATE_BAD) {
        switch (split->state) {
        case STATE_IN_OBJECT:
            event = eat_object(split, input, piece);
            break;
        case STATE_ENVELOPE:
            event = eat_envelope(split, input, piece);
            break;
        default:
            eat_between(split, input);
            break;
        }
    }
    return split->state == STATE_BAD ? SPLIT_BAD : event;
}
