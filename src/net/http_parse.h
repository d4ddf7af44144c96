/*
 * http_parse.h - a strict, incremental HTTP/1.1 message reader (RFC 9112), for both directions.
 *
 * An engine without I/O: it is given what has arrived, in pieces of any size, and answers with one
 * event at a time. The pieces do not matter: byte by byte or all at once give the same events.
 *
 *     str input = what arrived;
 *     while ((event = http_parse_next(&parse, &input, &piece)) != HTTP_NEED_MORE) { ... }
 *
 * Strict, because a reader that is more generous than its neighbours is how requests are smuggled:
 * lines end in CRLF and nothing else; no folded headers, no blanks before the colon; Content-Length
 * is one plain number, at most once; Transfer-Encoding is "chunked" or an error; both together are
 * an error. Every limit below has one behaviour: HTTP_FAILED.
 */
#ifndef ECILET_NET_HTTP_PARSE_H
#define ECILET_NET_HTTP_PARSE_H

#include "base/err.h"
#include "base/str.h"

#define HTTP_HEADERS_MAX 100    /* fields of head and trailer together; API servers send about 10 */
#define HTTP_CHUNK_LINE_MAX 256 /* size and extensions of one chunk */
#define HTTP_INTERIM_MAX 8      /* 1xx replies skipped before the real one */
#define HTTP_BODY_BYTES_MAX (INT64_C(1) << 60) /* Content-Length or one chunk: beyond is nonsense \
                                                */

enum http_kind { HTTP_REQUEST, HTTP_RESPONSE };

enum http_event {
    HTTP_NEED_MORE, /* all input is used up */
    HTTP_HEAD,      /* status or request line and headers are complete: see parse->head */
    HTTP_BODY,      /* *piece is the next part of the body, without chunk framing; never empty */
    HTTP_DONE,      /* the message is complete; what is left of the input belongs to the next one */
    HTTP_FAILED     /* see parse->err and parse->why; sticky */
};

struct http_head {
    int version_minor; /* 0 or 1 */
    int status;        /* response: 100 ... 599 */
    str method;        /* request; views into the caller's memory, valid until http_parse_reset() */
    str target;
    int64_t body_bytes; /* Content-Length (0 when there is no body), -1 when not known beforehand */
    bool is_chunked;
    bool keeps_alive;   /* the connection may be used again after this message */
    bool wants_upgrade; /* "Connection: upgrade" and an Upgrade field (101, or a request for it) */
    bool expects_continue; /* request: "Expect: 100-continue" */
};

struct http_field { /* offsets into the head's memory */
    uint16_t name_at, name_bytes;
    uint16_t value_at, value_bytes;
};

struct http_parse {
    enum http_kind kind;
    int phase;             /* see http_parse.c */
    bool has_no_body;      /* response to HEAD */
    enum err err;          /* HTTP_FAILED: ERR_BAD_REPLY or ERR_BAD_INPUT (request), ERR_TOO_BIG */
    const char *why;       /* static text */
    struct http_head head; /* valid from HTTP_HEAD on */
    char *memory;          /* the caller's: start line and fields as they came */
    uint32_t memory_max;
    uint32_t memory_used;
    uint32_t line_at; /* start of the line being collected */
    uint32_t fields_count;
    uint32_t hosts_count;   /* Host fields seen */
    uint32_t lengths_count; /* Content-Length fields seen */
    uint32_t interim_count; /* 1xx replies skipped */
    uint32_t chunk_line_bytes;
    int64_t left_bytes; /* of the body or of the current chunk */
    bool has_close, has_keep_alive, has_upgrade_token, has_upgrade_field;
    struct http_field fields[HTTP_HEADERS_MAX];
};

/*
 * memory     holds one head (and trailers); belongs to the caller and lives as long as the reader
 * bytes_max  at most 65535; a head that does not fit is ERR_TOO_BIG
 */
void http_parse_init(struct http_parse *parse, enum http_kind kind, void *memory, size_t bytes_max);
/* Ready for the next message on the same connection. is_head_reply: the request was HEAD, so that
 * the response has no body whatever its fields say. */
void http_parse_reset(struct http_parse *parse, bool is_head_reply);

/* The next event; *input is advanced past what was used. After HTTP_DONE nothing more is used until
 * http_parse_reset(). A 101 ends with HTTP_DONE: what follows is no longer HTTP. */
enum http_event http_parse_next(struct http_parse *parse, str *input, str *piece);

/*
 * The connection has ended. HTTP_DONE: that was the end of a body without length. HTTP_NEED_MORE:
 * no message had begun. HTTP_FAILED: in the middle of one (err is ERR_CLOSED).
 */
enum http_event http_parse_end(struct http_parse *parse);

/* Whether any byte of a message has been used since the reset. */
bool http_parse_has_begun(const struct http_parse *parse);

/* First field of that name (case-insensitive), without surrounding blanks; false when absent. Valid
 * until the reset; after HTTP_DONE trailers are found as well. */
bool http_parse_field(const struct http_parse *parse, str name, str *value);
/* Fields in the order they came, for index < parse->fields_count. */
void http_parse_field_at(const struct http_parse *parse, uint32_t index, str *name, str *value);
/* Whether a comma-separated field value contains this token (case-insensitive). */
bool http_has_token(str value, str token);

#endif
