/* see str.h */
#include "base/str.h"

#include <endian.h>

#include "base/check.h"
#include "base/codec.h"

static unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

bool str_eq(str a, str b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.ptr, b.ptr, a.bytes) == 0);
}

bool str_eq_nocase(str a, str b)
{
    if (a.bytes != b.bytes) {
        return false;
    }
    for (size_t i = 0; i < a.bytes; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

int str_cmp(str a, str b)
{
    size_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
    if (order != 0) {
        return order;
    }
    return (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

bool str_starts(str s, str prefix)
{
    return s.bytes >= prefix.bytes && str_eq(str_make(s.ptr, prefix.bytes), prefix);
}

bool str_ends(str s, str suffix)
{
    return s.bytes >= suffix.bytes &&
           str_eq(str_sub(s, s.bytes - suffix.bytes, suffix.bytes), suffix);
}

ptrdiff_t str_find(str s, str needle)
{
    if (needle.bytes == 0) {
        return 0;
    }
    if (s.bytes < needle.bytes) {
        return -1;
    }
    const char *found = memmem(s.ptr, s.bytes, needle.ptr, needle.bytes);
    return found != NULL ? found - s.ptr : -1;
}

ptrdiff_t str_find_char(str s, char c)
{
    const char *found = s.bytes > 0 ? memchr(s.ptr, c, s.bytes) : NULL;
    return found != NULL ? found - s.ptr : -1;
}

str str_sub(str s, size_t from, size_t bytes)
{
    if (from >= s.bytes) {
        return str_make(s.ptr != NULL ? s.ptr + s.bytes : NULL, 0);
    }
    size_t left = s.bytes - from;
    return str_make(s.ptr + from, bytes < left ? bytes : left);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

str str_trim(str s)
{
    while (s.bytes > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.bytes--;
    }
    while (s.bytes > 0 && is_space(s.ptr[s.bytes - 1])) {
        s.bytes--;
    }
    return s;
}

bool str_cut(str *rest, char separator, str *piece)
{
    if (rest->bytes == 0) {
        return false;
    }
    ptrdiff_t at = str_find_char(*rest, separator);
    if (at < 0) {
        *piece = *rest;
        *rest = STR_NONE;
        return true;
    }
    *piece = str_make(rest->ptr, (size_t)at);
    *rest = str_sub(*rest, (size_t)at + 1, SIZE_MAX);
    return true;
}

bool str_to_u64(str s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.bytes == 0) {
        return false;
    }
    for (size_t i = 0; i < s.bytes; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool str_to_i64(str s, int64_t *out)
{
    bool is_negative = s.bytes > 0 && s.ptr[0] == '-';
    uint64_t size;
    if (!str_to_u64(is_negative ? str_sub(s, 1, SIZE_MAX) : s, &size)) {
        return false;
    }
    if (size > (uint64_t)INT64_MAX + (is_negative ? 1 : 0)) {
        return false;
    }
    /* Negated one short of the end, because INT64_MIN has no positive twin. */
    *out = !is_negative || size == 0 ? (int64_t)size : -(int64_t)(size - 1) - 1;
    return true;
}

bool str_copy(char *to, size_t to_bytes, str s)
{
    CHECK(to_bytes > 0);
    str fits = codec_utf8_prefix(s, to_bytes - 1);
    if (fits.bytes > 0) {
        memcpy(to, fits.ptr, fits.bytes);
    }
    to[fits.bytes] = '\0';
    return fits.bytes == s.bytes;
}

/* ---- SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") -------------------- */

/* Any fixed key will do until entropy is there. */
static uint64_t hash_key[2] = {0x736f6d6570736575ULL, 0x646f72616e646f6dULL};

void str_hash_seed(uint64_t k0, uint64_t k1)
{
    hash_key[0] = k0;
    hash_key[1] = k1;
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Up to eight bytes, least significant first, whatever the machine's order. */
static inline uint64_t word_at(const char *ptr, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, ptr, bytes);
    return le64toh(word);
}

uint64_t str_hash(str s)
{
    uint64_t v[4] = {
        hash_key[0] ^ 0x736f6d6570736575ULL,
        hash_key[1] ^ 0x646f72616e646f6dULL,
        hash_key[0] ^ 0x6c7967656e657261ULL,
        hash_key[1] ^ 0x7465646279746573ULL,
    };
    size_t at = 0;
    for (; s.bytes - at >= 8; at += 8) {
        uint64_t word = word_at(s.ptr + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)s.bytes << 56;
    if (s.bytes > at) {
        last |= word_at(s.ptr + at, s.bytes - at);
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- edit distance --------------------------------------------------------------------------- */

#define DISTANCE_BYTES_MAX 64

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

/* Wagner-Fischer with one row. */
unsigned str_distance(str a, str b, unsigned limit)
{
    unsigned row[DISTANCE_BYTES_MAX + 1];
    if (a.bytes > DISTANCE_BYTES_MAX || b.bytes > DISTANCE_BYTES_MAX) {
        return limit + 1;
    }
    for (unsigned j = 0; j <= b.bytes; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.bytes; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.bytes; j++) {
            unsigned replaced = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            row[j] = least(row[j] + 1, row[j - 1] + 1, replaced);
        }
    }
    return row[b.bytes] <= limit ? row[b.bytes] : limit + 1;
}
