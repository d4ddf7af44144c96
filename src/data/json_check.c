/*
 * json_check.c - the first pass: what is JSON. See json_in.h for the others.
 *
 * A state machine over the bytes, without recursion: the open levels are the bits of one word.
 *
 * Notes on RFC 8259: no byte order mark (section 8.1); \u escapes of lone surrogates are accepted
 * (section 8.2), json_read.c reads them as U+FFFD; numbers are checked for their form only (section
 * 6).
 */
#include "data/json_in.h"

#include "base/check.h"
#include "base/codec.h"

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
    CHECK(checker->depth > 0);
    return (checker->is_object_bits >> (checker->depth - 1) & 1) != 0;
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
            break;
        }
        if (!check_step(checker)) {
            return false;
        }
    }
    if (checker->want != WANT_NOTHING) {
        return fail(checker, "text ends too early");
    }
    return true;
}

bool json_check(str text, struct json_checked *out)
{
    struct checker checker = {.at = text.ptr, .end = text.ptr + text.bytes, .want = WANT_VALUE};
    bool is_good = check_text(&checker);
    *out = (struct json_checked){checker.tokens, checker.at, checker.what};
    return is_good;
}
