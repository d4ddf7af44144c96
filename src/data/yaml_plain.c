/*
 * see yaml_plain.h
 */
#include "data/yaml_plain.h"

#define PLAIN_NUMBER_BYTES 512 /* more digits mean nothing to anybody */

/* [sign] whole [. fraction] [e exponent], all decimal. */
struct number {
    bool is_negative;
    bool is_integer;
    str whole, fraction, exponent; /* the exponent with its sign */
};

static str take_digits(str *rest)
{
    size_t count = 0;
    while (count < rest->bytes && rest->ptr[count] >= '0' && rest->ptr[count] <= '9') {
        count++;
    }
    str digits = str_sub(*rest, 0, count);
    *rest = str_sub(*rest, count, SIZE_MAX);
    return digits;
}

static bool take_char(str *rest, const char *any_of)
{
    if (rest->bytes == 0 || str_find_char(str_of(any_of), rest->ptr[0]) < 0) {
        return false;
    }
    *rest = str_sub(*rest, 1, SIZE_MAX);
    return true;
}

static bool read_number(str text, struct number *out)
{
    str rest = text;
    *out = (struct number){.is_negative = str_starts(text, S("-")), .is_integer = true};
    (void)take_char(&rest, "+-");
    out->whole = take_digits(&rest);
    if (take_char(&rest, ".")) {
        out->is_integer = false;
        out->fraction = take_digits(&rest);
    }
    if (out->whole.bytes + out->fraction.bytes == 0) {
        return false;
    }
    str exponent = rest;
    if (take_char(&rest, "eE")) {
        out->is_integer = false;
        exponent = rest = str_sub(exponent, 1, SIZE_MAX);
        (void)take_char(&rest, "+-");
        if (take_digits(&rest).bytes == 0) {
            return false;
        }
        out->exponent = exponent;
    }
    return rest.bytes == 0;
}

/* JSON knows no plus sign, no leading zeros, and wants a digit on both sides of the point. Hundreds
 * of digits mean nothing to anybody as a number: they stay the text they were written as. */
static void put_number(struct json_write *writer, const struct number *number, str written)
{
    char memory[PLAIN_NUMBER_BYTES];
    struct buf text;
    str whole = number->whole;
    buf_init(&text, memory, sizeof(memory));
    while (whole.bytes > 1 && whole.ptr[0] == '0') {
        whole = str_sub(whole, 1, SIZE_MAX);
    }
    buf_put_text(&text, number->is_negative ? "-" : "");
    buf_put(&text, whole.bytes > 0 ? whole : S("0"));
    if (number->fraction.bytes > 0) {
        buf_put_char(&text, '.');
        buf_put(&text, number->fraction);
    }
    if (number->exponent.bytes > 0) {
        buf_put_char(&text, 'e');
        buf_put(&text, number->exponent);
    }
    if (buf_ok(&text)) {
        json_put_raw(writer, buf_str(&text));
    } else {
        json_put_text(writer, written);
    }
}

/* Digits of one base; false when there is none, another character, or more than 64 bits. */
static bool read_digits(str text, uint32_t base, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : base;
        if (digit >= base || value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *out = value;
    return text.bytes > 0;
}

/* 0644, 0o644, 0x1a4, 0b110, with a sign or without. */
static bool read_based(str text, bool *is_negative, uint64_t *out)
{
    static const struct {
        str start;
        uint32_t base;
    } bases[] = {{{"0x", 2}, 16}, {{"0X", 2}, 16}, {{"0o", 2}, 8}, {{"0O", 2}, 8},
                 {{"0b", 2}, 2},  {{"0B", 2}, 2},  {{"0", 1}, 8}};
    str rest = text;

    *is_negative = str_starts(text, S("-"));
    (void)take_char(&rest, "+-");
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        if (str_starts(rest, bases[i].start)) {
            return read_digits(str_sub(rest, bases[i].start.bytes, SIZE_MAX), bases[i].base, out);
        }
    }
    return false;
}

static str whole_text(bool is_negative, uint64_t value, char memory[static YAML_PLAIN_KEY_BYTES])
{
    struct buf out;
    buf_init(&out, memory, YAML_PLAIN_KEY_BYTES);
    buf_put_fmt(&out, "%s%llu", is_negative && value > 0 ? "-" : "", (unsigned long long)value);
    return buf_str(&out);
}

static bool is_any_of(str text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_eq(text, str_of(*words))) {
            return true;
        }
    }
    return false;
}

static bool is_truth(str text, bool *out)
{
    static const char *const trues[] = {"true", "True", "TRUE", "y",  "Y",  "yes",
                                        "Yes",  "YES",  "on",   "On", "ON", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", "n",   "N",   "no",
                                         "No",    "NO",    "off",   "Off", "OFF", NULL};
    *out = is_any_of(text, trues);
    return *out || is_any_of(text, falses);
}

/* A text that begins as a number does, without the underscores that may stand in one. */
static str without_marks(str text, char memory[static PLAIN_NUMBER_BYTES])
{
    bool may_be = text.bytes > 0 && text.bytes <= PLAIN_NUMBER_BYTES &&
                  str_find_char(S("+-0123456789"), text.ptr[0]) >= 0;
    struct buf out;

    if (!may_be || str_find_char(text, '_') < 0) {
        return text;
    }
    buf_init(&out, memory, PLAIN_NUMBER_BYTES);
    for (size_t i = 0; i < text.bytes; i++) {
        buf_put(&out, text.ptr[i] == '_' ? STR_NONE : str_sub(text, i, 1));
    }
    return buf_str(&out);
}

void yaml_put_plain(struct json_write *writer, str text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    char memory[PLAIN_NUMBER_BYTES], digits[YAML_PLAIN_KEY_BYTES];
    str plain = without_marks(text, memory);
    struct number number;
    uint64_t based;
    bool is_true, is_negative;
    if (is_any_of(text, nulls)) {
        json_put_null(writer);
    } else if (is_truth(text, &is_true)) {
        json_put_bool(writer, is_true);
    } else if (read_based(plain, &is_negative, &based)) {
        json_put_raw(writer, whole_text(is_negative, based, digits));
    } else if (read_number(plain, &number)) {
        put_number(writer, &number, text);
    } else {
        json_put_text(writer, text);
    }
}

str yaml_plain_key(str text, char memory[static YAML_PLAIN_KEY_BYTES])
{
    char marks[PLAIN_NUMBER_BYTES];
    str plain = without_marks(text, marks);
    bool is_true, is_negative;
    uint64_t based;
    int64_t whole;
    if (is_truth(text, &is_true)) {
        return is_true ? S("true") : S("false");
    }
    if (read_based(plain, &is_negative, &based)) {
        return whole_text(is_negative, based, memory);
    }
    plain = str_starts(plain, S("+")) ? str_sub(plain, 1, SIZE_MAX) : plain;
    if (!str_to_i64(plain, &whole)) {
        return text;
    }
    is_negative = whole < 0;
    return whole_text(is_negative, is_negative ? 0 - (uint64_t)whole : (uint64_t)whole, memory);
}
