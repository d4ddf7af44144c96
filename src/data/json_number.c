/*
 * json_number.c - what a JSON number means; see json_read.h.
 *
 * Numbers keep their text and get a meaning only when asked for (RFC 8259 section 6): as an int64
 * when they are one, however they are written, or as a double.
 */
#include "data/json_read.h"

#include <math.h>
#include <stdlib.h>

#define NUMBER_BYTES_MAX 512 /* a longer number is never an int64 or a sensible double */

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
    if (number.digits == 0) { /* too long is never 0 */
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
