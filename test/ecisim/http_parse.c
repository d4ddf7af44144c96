/* see http_parse.h */
#include "http_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *http_header(const struct exchange *exchange, const char *name)
{
    for (size_t at = 0; at < exchange->header_count; at++) {
        if (strcasecmp(exchange->headers[at].name, name) == 0) {
            return exchange->headers[at].value;
        }
    }
    return NULL;
}

void http_swallow(void *owner, struct buf *in)
{
    (void)owner;
    buf_clear(in);
}

/* The length of the head including its empty line, or 0 when it is not complete. */
static size_t find_head(const struct buf *in, size_t *scanned)
{
    size_t from = *scanned < 3 ? 0 : *scanned - 3;
    const char *end = memmem(in->data + from, in->used - from, "\r\n\r\n", 4);
    *scanned = end == NULL ? in->used : (size_t)(end - in->data);
    return end == NULL ? 0 : *scanned + 4;
}

bool http_wants_continue(const struct buf *in, size_t scanned)
{
    size_t head_bytes = find_head(in, &scanned);
    return head_bytes > 0 && in->used == head_bytes &&
           strcasestr(in->data, "\r\nexpect: 100-continue\r\n") != NULL;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t bytes = strlen(text);
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t')) {
        text[--bytes] = '\0';
    }
    return text;
}

static bool parse_request_line(struct exchange *exchange, char *line)
{
    char *rest = NULL;
    exchange->method = strtok_r(line, " ", &rest);
    exchange->path = strtok_r(NULL, " ", &rest);
    char *version = strtok_r(NULL, " ", &rest);
    if (exchange->path == NULL || version == NULL || !text_starts(version, "HTTP/1.")) {
        return false;
    }
    char *question = strchr(exchange->path, '?');
    exchange->query = question == NULL ? exchange->path + strlen(exchange->path) : question + 1;
    if (question != NULL) {
        *question = '\0';
    }
    return true;
}

static bool parse_head(struct exchange *exchange, char *head)
{
    char *rest = NULL;
    char *line = strtok_r(head, "\r\n", &rest);
    if (line == NULL || !parse_request_line(exchange, line)) {
        return false;
    }
    while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL) {
        char *colon = strchr(line, ':');
        if (colon == NULL || colon == line || strchr(" \t", line[0]) != NULL ||
            exchange->header_count == HTTP_HEADERS_MAX) {
            return false;
        }
        *colon = '\0';
        exchange->headers[exchange->header_count++] =
            (struct http_header){.name = line, .value = trim(colon + 1)};
    }
    return true;
}

enum body { BODY_WAIT, BODY_DONE, BODY_BAD };

/*
 * RFC 9112 section 7.1. Decodes from in into exchange->body; *taken receives the length of
 * the coded body. The whole body is decoded again on each arrival, which is good enough here.
 */
static enum body read_chunked(struct exchange *exchange, const char *coded, size_t bytes,
                              size_t *taken)
{
    struct buf body = {0};
    size_t at = 0;
    enum body result = BODY_WAIT;
    while (result == BODY_WAIT) {
        const char *line_end = memmem(coded + at, bytes - at, "\r\n", 2);
        char *size_end = NULL;
        if (line_end == NULL) {
            break;
        }
        unsigned long size = strtoul(coded + at, &size_end, 16);
        if (size_end == coded + at || size > HTTP_BODY_BYTES_MAX ||
            body.used + size > HTTP_BODY_BYTES_MAX || strchr("\r; ", *size_end) == NULL) {
            result = BODY_BAD;
            break;
        }
        at = (size_t)(line_end - coded) + 2;
        if (bytes - at < size + 2) {
            break;
        }
        if (size > 0) {
            buf_add(&body, coded + at, size);
            at += size + 2;
        } else { /* trailers are skipped up to the empty line */
            const char *end = memmem(coded + at - 2, bytes - at + 2, "\r\n\r\n", 4);
            if (end == NULL) {
                break;
            }
            *taken = (size_t)(end - coded) + 4;
            result = BODY_DONE;
        }
    }
    if (result == BODY_DONE) {
        exchange->body = arena_copy(&exchange->arena, buf_string(&body), body.used);
        exchange->body_bytes = body.used;
    }
    buf_free(&body);
    return result;
}

static enum body read_body(struct exchange *exchange, const char *coded, size_t bytes,
                           size_t *taken)
{
    const char *coding = http_header(exchange, "Transfer-Encoding");
    const char *length = http_header(exchange, "Content-Length");
    long long size = 0;
    if (coding != NULL) {
        return length == NULL && strcasecmp(coding, "chunked") == 0
                   ? read_chunked(exchange, coded, bytes, taken)
                   : BODY_BAD;
    }
    if (length != NULL &&
        (!text_to_long(length, &size) || size < 0 || size > HTTP_BODY_BYTES_MAX)) {
        return BODY_BAD;
    }
    if (bytes < (size_t)size) {
        return BODY_WAIT;
    }
    exchange->body = arena_copy(&exchange->arena, coded, (size_t)size);
    exchange->body_bytes = (size_t)size;
    *taken = (size_t)size;
    return BODY_DONE;
}

struct exchange *http_parse(struct buf *in, size_t *scanned, const char **problem)
{
    size_t head_bytes = find_head(in, scanned);
    size_t body_bytes = 0;
    if (head_bytes == 0 || head_bytes > HTTP_HEAD_BYTES_MAX) {
        *problem = in->used > HTTP_HEAD_BYTES_MAX ? "431 Request Header Fields Too Large" : NULL;
        return NULL;
    }
    struct exchange *exchange = text_grab(NULL, sizeof *exchange);
    *exchange = (struct exchange){0};
    enum body body = BODY_BAD;
    if (parse_head(exchange, arena_copy(&exchange->arena, in->data, head_bytes))) {
        body = read_body(exchange, in->data + head_bytes, in->used - head_bytes, &body_bytes);
    }
    if (body != BODY_DONE) {
        *problem = body == BODY_BAD ? "400 Bad Request" : NULL;
        arena_free(&exchange->arena);
        free(exchange);
        return NULL;
    }
    buf_skip(in, head_bytes + body_bytes);
    return exchange;
}
