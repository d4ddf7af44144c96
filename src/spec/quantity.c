/*
 * quantity.c - see quantity.h
 *
 * A quantity is digits * 10^tens * 1024^kibis. The digits are taken as one whole number of up to
 * 30 places (more only say "and a little"), multiplied and divided in a small fixed bignum, so the
 * result is exact before its one rounding. No floating point, no 128-bit type (32-bit ARM).
 */
#include "spec/quantity.h"

#define DIGITS_MAX 30
#define LIMBS 12 /* 384 bits: 30 digits (100) * 1024^6 (60) * 10^TENS_MAX (140) */
#define TENS_MAX 42
#define TENS_MIN (-1000) /* below: nothing but the rounding is left */

struct big {
    uint32_t limbs[LIMBS]; /* least significant first */
};

struct parts {
    struct big digits;
    int64_t tens;
    unsigned kibis;
    bool is_negative;
    bool has_rest; /* digits beyond DIGITS_MAX that are not 0 */
};

static const struct suffix {
    const char *text;
    int tens;
    unsigned kibis;
} suffixes[] = {
    {"", 0, 0},   {"n", -9, 0}, {"u", -6, 0}, {"m", -3, 0}, {"k", 3, 0},  {"M", 6, 0},
    {"G", 9, 0},  {"T", 12, 0}, {"P", 15, 0}, {"E", 18, 0}, {"Ki", 0, 1}, {"Mi", 0, 2},
    {"Gi", 0, 3}, {"Ti", 0, 4}, {"Pi", 0, 5}, {"Ei", 0, 6},
};

static bool read_number(str *rest, struct parts *parts);
static bool read_suffix(str text, struct parts *parts);
static void big_mul(struct big *big, uint32_t factor, uint32_t addend);
static uint32_t big_div(struct big *big, uint32_t divisor);
static bool big_is_zero(const struct big *big);
static bool big_to_i64(const struct big *big, bool adds_one, int64_t *out);

enum err quantity_parse_milli(str text, int64_t *out)
{
    struct parts parts = {0};
    int64_t value = 0;

    if (!read_number(&text, &parts) || !read_suffix(text, &parts)) {
        return ERR_BAD_INPUT;
    }
    bool is_zero = big_is_zero(&parts.digits); /* leading zeros are not kept: no rest */

    parts.tens += 3; /* thousandths */
    if (parts.tens > TENS_MAX && !is_zero) {
        return ERR_TOO_BIG;
    }
    for (unsigned i = 0; i < parts.kibis; i++) {
        big_mul(&parts.digits, 1024, 0);
    }
    for (; parts.tens > 0 && !is_zero; parts.tens--) {
        big_mul(&parts.digits, 10, 0);
    }
    for (; parts.tens < 0 && !big_is_zero(&parts.digits); parts.tens++) {
        parts.has_rest |= big_div(&parts.digits, 10) != 0;
    }
    if (!big_to_i64(&parts.digits, parts.has_rest, &value)) {
        return ERR_TOO_BIG;
    }
    *out = parts.is_negative ? -value : value;
    return ERR_OK;
}

/* [+-] digits [. digits], at least one digit in all. */
static bool read_number(str *rest, struct parts *parts)
{
    unsigned kept = 0;
    bool has_digit = false, has_point = false;
    size_t at = 0;

    if (rest->bytes > 0 && (rest->ptr[0] == '+' || rest->ptr[0] == '-')) {
        parts->is_negative = rest->ptr[0] == '-';
        at = 1;
    }
    for (; at < rest->bytes; at++) {
        char c = rest->ptr[at];
        if (c == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (c < '0' || c > '9') {
            break;
        }
        has_digit = true;
        if (kept < DIGITS_MAX) {
            big_mul(&parts->digits, 10, (uint32_t)(c - '0'));
            kept += !big_is_zero(&parts->digits);
            parts->tens -= has_point;
        } else {
            parts->has_rest |= c != '0';
            parts->tens += !has_point;
        }
    }
    *rest = str_sub(*rest, at, rest->bytes);
    return has_digit;
}

static bool read_suffix(str text, struct parts *parts)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (str_eq(text, str_of(suffixes[i].text))) {
            parts->tens += suffixes[i].tens;
            parts->kibis = suffixes[i].kibis;
            return true;
        }
    }
    if (text.bytes < 2 || (text.ptr[0] != 'e' && text.ptr[0] != 'E')) {
        return false;
    }
    bool has_plus = text.ptr[1] == '+';
    str digits = str_sub(text, has_plus ? 2 : 1, text.bytes);
    bool is_signed = !str_is_empty(digits) && (digits.ptr[0] == '+' || digits.ptr[0] == '-');
    int64_t exponent = 0;
    if ((has_plus && is_signed) || !str_to_i64(digits, &exponent)) {
        return false;
    }
    exponent = exponent > 1000 ? 1000 : exponent < TENS_MIN ? TENS_MIN : exponent;
    parts->tens += exponent;
    return true;
}

static void big_mul(struct big *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;

    for (unsigned i = 0; i < LIMBS; i++) {
        carry += (uint64_t)big->limbs[i] * factor;
        big->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static uint32_t big_div(struct big *big, uint32_t divisor)
{
    uint64_t rest = 0;

    for (unsigned i = LIMBS; i-- > 0;) {
        rest = rest << 32 | big->limbs[i];
        big->limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

static bool big_is_zero(const struct big *big)
{
    for (unsigned i = 0; i < LIMBS; i++) {
        if (big->limbs[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool big_to_i64(const struct big *big, bool adds_one, int64_t *out)
{
    for (unsigned i = 2; i < LIMBS; i++) {
        if (big->limbs[i] != 0) {
            return false;
        }
    }
    uint64_t value = (uint64_t)big->limbs[1] << 32 | big->limbs[0];
    if (value > (uint64_t)INT64_MAX - adds_one) {
        return false;
    }
    *out = (int64_t)(value + adds_one);
    return true;
}
