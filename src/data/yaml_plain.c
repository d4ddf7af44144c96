/*
 * see yaml_plain.h
 */
#include "data/yaml_plain.h"

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
    char memory[512];
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

/* Digits of base 8 or 16; false when there is another character or more than 63 bits. */
static bool read_digits(str text, uint32_t base, int64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : base;
        if (digit >= base || value > (uint64_t)INT64_MAX / base) {
            return false;
        }
        value = value * base + digit;
    }
    *out = (int64_t)value;
    return text.bytes > 0;
}

/* 0644, 0o644, 0x1a4 */
static bool read_based(str text, int64_t *out)
{
    if (str_starts(text, S("0x"))) {
        return read_digits(str_sub(text, 2, SIZE_MAX), 16, out);
    }
    if (str_starts(text, S("0o"))) {
        return read_digits(str_sub(text, 2, SIZE_MAX), 8, out);
    }
    return str_starts(text, S("0")) && text.bytes > 1 &&
           read_digits(str_sub(text, 1, SIZE_MAX), 8, out);
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

void yaml_put_plain(struct json_write *writer, str text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", "y",  "Y",  "yes",
                                        "Yes",  "YES",  "on",   "On", "ON", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", "n",   "N",   "no",
                                         "No",    "NO",    "off",   "Off", "OFF", NULL};
    struct number number;
    int64_t based;
    if (is_any_of(text, nulls)) {
        json_put_null(writer);
    } else if (is_any_of(text, trues)) {
        json_put_bool(writer, true);
    } else if (is_any_of(text, falses)) {
        json_put_bool(writer, false);
    } else if (read_based(text, &based)) {
        json_put_i64(writer, based);
    } else if (read_number(text, &number)) {
        put_number(writer, &number, text);
    } else {
        json_put_text(writer, text);
    }
}
