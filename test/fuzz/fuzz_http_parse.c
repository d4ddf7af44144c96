/*
 * Any bytes, as a request or a response, read whole and in pieces: both ways must tell the same
 * story, and every view must lie inside what was given. First byte: kind and HEAD; second: size of
 * the pieces.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "net/http_parse.h"

#define MEMORY_BYTES 512

struct story {
    uint64_t digest;
    int heads, messages;
    enum err err;
    const char *why;
};

static void note(struct story *story, str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        story->digest = (story->digest ^ (uint8_t)text.ptr[i]) * 1099511628211u;
    }
}

static void note_head(struct story *story, const struct http_parse *p)
{
    CHECK(p->fields_count <= HTTP_HEADERS_MAX);
    note(story, p->head.method);
    note(story, p->head.target);
    for (uint32_t i = 0; i < p->fields_count; i++) {
        str name;
        str value;
        http_parse_field_at(p, i, &name, &value);
        CHECK(name.bytes > 0);
        note(story, name);
        note(story, value);
        CHECK(http_parse_field(p, name, &value));
        (void)http_has_token(value, S("close"));
    }
    story->digest = story->digest * 31 + (uint64_t)p->head.status + (uint64_t)p->head.body_bytes;
    story->heads++;
}

/* False when the reader has failed. */
static bool feed(struct http_parse *p, str input, struct story *story)
{
    for (;;) {
        str piece;
        size_t before = input.bytes;
        switch (http_parse_next(p, &input, &piece)) {
        case HTTP_HEAD:
            note_head(story, p);
            break;
        case HTTP_BODY:
            CHECK(piece.bytes > 0 && piece.bytes <= before);
            note(story, piece);
            break;
        case HTTP_DONE:
            story->messages++;
            if (p->head.status == 101) {
                return false;
            }
            http_parse_reset(p, false);
            break;
        case HTTP_NEED_MORE:
            CHECK(input.bytes == 0);
            return true;
        case HTTP_FAILED:
            story->err = p->err;
            story->why = p->why;
            return false;
        }
    }
}

static struct story tell(const uint8_t *data, size_t size, unsigned flags, size_t piece_bytes)
{
    struct story story = {.digest = 14695981039346656037u};
    struct http_parse p;
    char memory[MEMORY_BYTES];
    bool goes_on = true;

    http_parse_init(&p, flags & 1 ? HTTP_REQUEST : HTTP_RESPONSE, memory, sizeof memory);
    http_parse_reset(&p, (flags & 2) != 0);
    for (size_t at = 0; at < size && goes_on;) {
        size_t bytes = piece_bytes < size - at ? piece_bytes : size - at;
        char *copy = malloc(bytes);
        memcpy(copy, data + at, bytes);
        goes_on = feed(&p, str_make(copy, bytes), &story);
        free(copy);
        at += bytes;
    }
    if (goes_on) {
        story.messages += http_parse_end(&p) == HTTP_DONE;
    }
    return story;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct story whole = tell(data + 2, size - 2, data[0], size);
    struct story pieces = tell(data + 2, size - 2, data[0], 1 + data[1] % 16);
    CHECK(whole.digest == pieces.digest && whole.heads == pieces.heads);
    CHECK(whole.messages == pieces.messages && whole.err == pieces.err);
    CHECK(whole.why == pieces.why);
    return 0;
}
