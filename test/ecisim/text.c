/* see text.h */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

void *text_grab(void *old, size_t bytes)
{
    void *grown = realloc(old, bytes == 0 ? 1 : bytes);
    if (grown == NULL) {
        fputs("ecisim: out of memory\n", stderr);
        abort();
    }
    return grown;
}

char *text_copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(text_grab(NULL, bytes), text, bytes);
}

/* ---- buffers --------------------------------------------------------------------------------- */

char *buf_reserve(struct buf *buf, size_t bytes)
{
    size_t need = buf->used + bytes + 1;
    if (need > buf->room) {
        size_t room = buf->room < 64 ? 64 : buf->room;
        while (room < need) {
            room *= 2;
        }
        buf->data = text_grab(buf->data, room);
        buf->room = room;
    }
    return buf->data + buf->used;
}

void buf_add(struct buf *buf, const void *data, size_t bytes)
{
    char *place = buf_reserve(buf, bytes);
    if (bytes > 0) {
        memcpy(place, data, bytes);
    }
    buf->used += bytes;
    buf->data[buf->used] = '\0';
}

void buf_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_byte(struct buf *buf, char byte)
{
    buf_add(buf, &byte, 1);
}

void buf_vfmt(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    if (bytes > 0) {
        char *place = buf_reserve(buf, (size_t)bytes);
        vsnprintf(place, (size_t)bytes + 1, format, again);
        buf->used += (size_t)bytes;
    }
    va_end(again);
}

void buf_fmt(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vfmt(buf, format, args);
    va_end(args);
}

void buf_skip(struct buf *buf, size_t bytes)
{
    if (bytes > 0) {
        buf->used -= bytes;
        memmove(buf->data, buf->data + bytes, buf->used);
        buf->data[buf->used] = '\0';
    }
}

void buf_clear(struct buf *buf)
{
    buf->used = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

bool buf_add_file(struct buf *buf, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;
    if (fd < 0) {
        return false;
    }
    while ((got = read(fd, buf_reserve(buf, 4096), 4096)) > 0) {
        buf->used += (size_t)got;
    }
    *buf_reserve(buf, 0) = '\0';
    close(fd);
    return got == 0;
}

const char *buf_string(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

/* ---- arena ----------------------------------------------------------------------------------- */

#define ARENA_CHUNK_BYTES 4000

struct arena_chunk {
    struct arena_chunk *older;
    size_t used;
    size_t room;
    _Alignas(max_align_t) unsigned char bytes[];
};

void *arena_take(struct arena *arena, size_t bytes)
{
    size_t step = _Alignof(max_align_t);
    bytes = (bytes + step - 1) / step * step;
    struct arena_chunk *chunk = arena->newest;
    if (chunk == NULL || chunk->room - chunk->used < bytes) {
        size_t room = bytes > ARENA_CHUNK_BYTES ? bytes : ARENA_CHUNK_BYTES;
        chunk = text_grab(NULL, sizeof *chunk + room);
        chunk->older = arena->newest;
        chunk->used = 0;
        chunk->room = room;
        arena->newest = chunk;
    }
    void *piece = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return memset(piece, 0, bytes);
}

char *arena_copy(struct arena *arena, const char *data, size_t bytes)
{
    char *copy = arena_take(arena, bytes + 1);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

char *arena_fmt(struct arena *arena, const char *format, ...)
{
    va_list args;
    struct buf text = {0};
    va_start(args, format);
    buf_vfmt(&text, format, args);
    va_end(args);
    char *copy = arena_copy(arena, buf_string(&text), text.used);
    buf_free(&text);
    return copy;
}

void arena_free(struct arena *arena)
{
    while (arena->newest != NULL) {
        struct arena_chunk *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
}

/* ---- encodings ------------------------------------------------------------------------------- */

void percent_encode(struct buf *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool plain = (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') ||
                     (*at >= '0' && *at <= '9') || strchr("-_.~", *at) != NULL;
        char *place = buf_reserve(out, 3);
        if (plain) {
            place[0] = (char)*at;
        } else {
            place[0] = '%';
            place[1] = digits[*at >> 4];
            place[2] = digits[*at & 15];
        }
        out->used += plain ? 1 : 3;
    }
    *buf_reserve(out, 0) = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

size_t percent_decode(char *text, size_t bytes)
{
    size_t kept = 0;
    for (size_t at = 0; at < bytes; at++) {
        if (text[at] == '+') {
            text[kept++] = ' ';
        } else if (text[at] == '%' && at + 2 < bytes && hex_value(text[at + 1]) >= 0 &&
                   hex_value(text[at + 2]) >= 0) {
            text[kept++] = (char)(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
            at += 2;
        } else {
            text[kept++] = text[at];
        }
    }
    text[kept] = '\0';
    return kept;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *data, size_t bytes)
{
    const unsigned char *in = data;
    for (size_t at = 0; at < bytes; at += 3) {
        size_t left = bytes - at;
        unsigned group = (unsigned)in[at] << 16 | (left > 1 ? (unsigned)in[at + 1] << 8 : 0) |
                         (left > 2 ? in[at + 2] : 0);
        buf_byte(out, base64_digits[group >> 18]);
        buf_byte(out, base64_digits[group >> 12 & 63]);
        buf_byte(out, left > 1 ? base64_digits[group >> 6 & 63] : '=');
        buf_byte(out, left > 2 ? base64_digits[group & 63] : '=');
    }
}

long base64_decode(const char *text, unsigned char *out)
{
    unsigned long group = 0;
    int bits = 0;
    long bytes = 0;
    const char *at = text;
    for (; *at != '\0' && *at != '='; at++) {
        const char *digit = strchr(base64_digits, *at);
        if (digit == NULL) {
            return -1;
        }
        group = (group << 6 | (unsigned long)(digit - base64_digits)) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[bytes++] = (unsigned char)(group >> bits);
        }
    }
    size_t digits = (size_t)(at - text);
    size_t pads = strspn(at, "=");
    return at[pads] == '\0' && (digits + pads) % 4 == 0 && pads <= 2 ? bytes : -1;
}

void hex_encode(char *out, const void *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at++) {
        snprintf(out + 2 * at, 3, "%02x", ((const unsigned char *)data)[at]);
    }
    out[2 * bytes] = '\0';
}

/* ---- comparing and numbers ------------------------------------------------------------------- */

bool text_is(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_item(const char *list, char mark, const char *item)
{
    size_t bytes = strlen(item);
    while (*list != '\0') {
        list += strspn(list, " ");
        const char *end = strchr(list, mark);
        if (end == NULL) {
            end = list + strlen(list);
        }
        size_t size = (size_t)(end - list);
        while (size > 0 && list[size - 1] == ' ') {
            size--;
        }
        if (size == bytes && memcmp(list, item, bytes) == 0) {
            return true;
        }
        list = *end == '\0' ? end : end + 1;
    }
    return false;
}

bool text_is_any(const char *text, const char *list)
{
    return text != NULL && is_item(list, '|', text);
}

bool text_in_list(const char *list, const char *item)
{
    return list != NULL && item != NULL && item[0] != '\0' && is_item(list, ',', item);
}

bool text_is_true(const char *text)
{
    return text != NULL && strcasecmp(text, "true") == 0;
}

bool text_starts(const char *text, const char *start)
{
    return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

bool text_ends(const char *text, const char *end)
{
    size_t bytes = text == NULL ? 0 : strlen(text);
    size_t tail = strlen(end);
    return bytes >= tail && strcmp(text + bytes - tail, end) == 0;
}

bool text_to_long(const char *text, long long *out)
{
    char *end = NULL;
    if (text == NULL || text[0] == '\0' || strchr("0123456789-", text[0]) == NULL) {
        return false;
    }
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

bool text_to_double(const char *text, double *out)
{
    char *end = NULL;
    if (text == NULL || text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text)) {
        return false;
    }
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* ---- times and chance ------------------------------------------------------------------------ */

const char *time_text(char out[TIME_TEXT_BYTES], int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(out, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return out;
}

bool time_parse(const char *text, int64_t *wall_ms)
{
    struct tm tm = {0};
    char again[TIME_TEXT_BYTES];
    if (text == NULL || strlen(text) != 20) {
        return false;
    }
    int parts = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                       &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
    if (parts != 6) {
        return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *wall_ms = (int64_t)timegm(&tm) * 1000;
    /* Writing it again catches the 30th of February, blanks and signs. */
    return strcmp(time_text(again, *wall_ms), text) == 0;
}

void dice_seed(struct dice *dice, uint64_t seed)
{
    dice->state = seed * 0x9e3779b97f4a7c15u + 0x1234567887654321u;
    if (dice->state == 0) {
        dice->state = 1;
    }
}

uint64_t dice_roll(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * 0x2545f4914f6cdd1du;
}

double dice_unit(struct dice *dice)
{
    return (double)(dice_roll(dice) >> 11) / 9007199254740992.0;
}
