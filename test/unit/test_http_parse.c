/* http_parse: a table of messages, good and hostile; each is fed whole, byte by byte and at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/prng.h"
#include "net/http_parse.h"

#define MEMORY_BYTES 1024 /* small, so that limits are reached */

struct parse_case {
    const char *input;
    /* What must be told, one word per event:
     *   head(STATUS or METHOD,TARGET,body bytes,flags) body(text) done failed(why)
     * flags: k keeps alive, c chunked, u wants upgrade, e expects continue, 0 HTTP/1.0
     * and what the end of the connection tells at last: end:done end:more end:failed (after "done"
     * nothing is asked). */
    const char *told;
    bool is_head_reply;
};

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define HEAD_CHUNKED "head(200,-1,kc) "

static const struct parse_case responses[] = {
    /* bodies with a length */
    {OK "Content-Length: 5\r\n\r\nhello", "head(200,5,k) body(hello) done", false},
    {OK "content-LENGTH:5\r\n\r\nhello", "head(200,5,k) body(hello) done", false},
    {OK "Content-Length: \t 5 \t\r\n\r\nhelloHTTP", "head(200,5,k) body(hello) done", false},
    {OK "Content-Length: 005\r\n\r\nhello", "head(200,5,k) body(hello) done", false},
    {OK "Content-Length: 0\r\n\r\n", "head(200,0,k) done", false},
    {OK "Content-Length: 5\r\n\r\nhel", "head(200,5,k) body(hel) end:failed", false},
    {OK "Content-Length: 5\r\nConnection: close\r\n\r\nhello",
     "head(200,5,) body(hello) done", false},
    {OK "Content-Length: 1\r\nConnection: x, Close ,y\r\n\r\n!",
     "head(200,1,) body(!) done", false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n!", "head(200,1,0) body(!) done", false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n!",
     "head(200,1,k0) body(!) done", false},
    {"HTTP/1.1 404 Not Found at all\r\nContent-Length: 0\r\n\r\n", "head(404,0,k) done", false},
    {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "head(200,0,k) done", false},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "head(200,0,k) done", false},
    {"HTTP/1.1 200 \xc3\xa4\r\nContent-Length: 0\r\n\r\n", "head(200,0,k) done", false},

    /* no body, whatever the fields say */
    {"HTTP/1.1 204 No Content\r\n\r\n", "head(204,0,k) done", false},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "head(204,0,k) done", false},
    {"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
     "head(304,0,k) done", false},
    {OK "Content-Length: 5\r\n\r\n", "head(200,0,k) done", true},
    {CHUNKED, "head(200,0,k) done", true},
    {OK "\r\n", "head(200,0,k) done", true},

    /* until the connection ends */
    {OK "\r\nall of it", "head(200,-1,) body(all of it) end:done", false},
    {OK "\r\n", "head(200,-1,) end:done", false},
    {OK "Connection: keep-alive\r\n\r\nx", "head(200,-1,) body(x) end:done", false},

    /* interim replies */
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\n!",
     "head(200,1,k) body(!) done", false},
    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 7\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
     "head(204,0,k) done", false},
    {"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nbinary",
     "head(101,0,u) done", false},
    {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
     "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
     "HTTP/1.1 100 C\r\n\r\n",
     "failed(too many interim replies)", false},

    /* chunks */
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n",
     HEAD_CHUNKED "body(hello) done", false},
    {OK "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n006\r\n world\r\n0\r\n\r\nHTTP",
     HEAD_CHUNKED "body(hello world) done", false},
    {CHUNKED "A;a=b;c=\"d e\"\r\n0123456789\r\n000;x\r\nT: 1\r\nU: 2\r\n\r\n",
     HEAD_CHUNKED "body(0123456789) done", false},
    {CHUNKED "5\r\nhello\r\n", HEAD_CHUNKED "body(hello) end:failed", false},
    {CHUNKED "0\r\n", HEAD_CHUNKED "end:failed", false},
    {CHUNKED "0\r\n\r\n", HEAD_CHUNKED "done", false},
    {CHUNKED "\r\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED ";x\r\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED "+5\r\nhello\r\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED "-5\r\nhello\r\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED "0x5\r\nhello\r\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED "5 \r\nhello\r\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED " 5\r\nhello\r\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED "5\nhello\n", HEAD_CHUNKED "failed(malformed chunk size)", false},
    {CHUNKED "5\r\rhello", HEAD_CHUNKED "failed(chunk line does not end in CRLF)", false},
    {CHUNKED "5;a\nhello\r\n", HEAD_CHUNKED "failed(malformed chunk extension)", false},
    {CHUNKED "5\r\nhello0\r\n\r\n",
     HEAD_CHUNKED "body(hello) failed(chunk does not end in CRLF)", false},
    {CHUNKED "5\r\nhello\n0\r\n\r\n",
     HEAD_CHUNKED "body(hello) failed(chunk does not end in CRLF)", false},
    {CHUNKED "FFFFFFFFFFFFFFFF\r\n", HEAD_CHUNKED "failed(chunk size out of range)", false},
    {CHUNKED "100000000000000001\r\n", HEAD_CHUNKED "failed(chunk size out of range)", false},
    {CHUNKED "0\r\n folded\r\n\r\n", HEAD_CHUNKED "failed(malformed header line)", false},
    {CHUNKED "0\r\nContent-Length: 7\r\n\r\n", HEAD_CHUNKED "done", false},
    {CHUNKED "0\r\nX: 1\n\r\n", HEAD_CHUNKED "failed(line ends in a bare LF)", false},

    /* lengths that two readers could understand differently */
    {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
     "failed(more than one Content-Length)", false},
    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     "failed(more than one Content-Length)", false},
    {OK "Content-Length: 5, 5\r\n\r\nhello", "failed(malformed Content-Length)", false},
    {OK "Content-Length: +5\r\n\r\nhello", "failed(malformed Content-Length)", false},
    {OK "Content-Length: -5\r\n\r\nhello", "failed(malformed Content-Length)", false},
    {OK "Content-Length: 5x\r\n\r\nhello", "failed(malformed Content-Length)", false},
    {OK "Content-Length: 0x5\r\n\r\nhello", "failed(malformed Content-Length)", false},
    {OK "Content-Length: 5 5\r\n\r\nhello", "failed(malformed Content-Length)", false},
    {OK "Content-Length: \r\n\r\nhello", "failed(malformed Content-Length)", false},
    {OK "Content-Length: 99999999999999999999\r\n\r\n", "failed(malformed Content-Length)", false},
    {OK "Content-Length: 9223372036854775807\r\n\r\n", "failed(malformed Content-Length)", false},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     "failed(both Content-Length and Transfer-Encoding)", false},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     "failed(both Content-Length and Transfer-Encoding)", false},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
     "failed(Transfer-Encoding is not just \"chunked\")", false},
    {OK "Transfer-Encoding: identity\r\n\r\n",
     "failed(Transfer-Encoding is not just \"chunked\")", false},
    {OK "Transfer-Encoding: xchunked\r\n\r\n",
     "failed(Transfer-Encoding is not just \"chunked\")", false},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "failed(Transfer-Encoding is not just \"chunked\")", false},
    {OK "Transfer-Encoding: \x0b" "chunked\r\n\r\n",
     "failed(control character in a header)", false},
    {OK "Transfer-Encoding : chunked\r\n\r\n", "failed(malformed header line)", false},
    {OK "Transfer-Encoding\r\n : chunked\r\n\r\n", "failed(malformed header line)", false},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "failed(Transfer-Encoding in HTTP/1.0)", false},

    /* lines */
    {OK "Content-Length: 1\n\r\n!", "failed(line ends in a bare LF)", false},
    {"HTTP/1.1 200 OK\n\n", "failed(line ends in a bare LF)", false},
    {OK "A: b\rc: d\r\n\r\n", "failed(bare CR in a line)", false},
    {OK "A: b\r\r\n\r\n", "failed(bare CR in a line)", false},
    {OK "A: b\r\n folded\r\n\r\n", "failed(malformed header line)", false},
    {OK "A: b\r\n\tfolded\r\n\r\n", "failed(malformed header line)", false},
    {OK " A: b\r\n\r\n", "failed(malformed header line)", false},
    {OK "A b: c\r\n\r\n", "failed(malformed header line)", false},
    {OK ": c\r\n\r\n", "failed(malformed header line)", false},
    {OK "no colon\r\n\r\n", "failed(malformed header line)", false},
    {OK "A\x80: c\r\n\r\n", "failed(malformed header line)", false},
    {OK "A: \x01\r\n\r\n", "failed(control character in a header)", false},
    {OK "A: \x7f\r\n\r\n", "failed(control character in a header)", false},
    {OK "Empty:\r\nContent-Length: 0\r\n\r\n", "head(200,0,k) done", false},

    /* status lines */
    {"\r\n" OK, "failed(not an HTTP reply)", false},
    {"HTTP/2.0 200 OK\r\n\r\n", "failed(not an HTTP reply)", false},
    {"HTTP/1.2 200 OK\r\n\r\n", "failed(not HTTP/1.1)", false},
    {"HTTP/1.10 200 OK\r\n\r\n", "failed(malformed status line)", false},
    {"http/1.1 200 OK\r\n\r\n", "failed(not an HTTP reply)", false},
    {"ICY 200 OK\r\n\r\n", "failed(not an HTTP reply)", false},
    {"\x15\x03\x01\x00\x02\x02\x16", "failed(not an HTTP reply)", false},
    {"HTTP/1.1  200 OK\r\n\r\n", "failed(malformed status line)", false},
    {"HTTP/1.1 20 OK\r\n\r\n", "failed(malformed status line)", false},
    {"HTTP/1.1 2000 OK\r\n\r\n", "failed(malformed status line)", false},
    {"HTTP/1.1 099 OK\r\n\r\n", "failed(malformed status line)", false},
    {"HTTP/1.1 600 OK\r\n\r\n", "failed(malformed status line)", false},
    {"HTTP/1.1 2x0 OK\r\n\r\n", "failed(malformed status line)", false},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", "failed(malformed status line)", false},
    {"HTTP/1.1 200 O\rK\r\n\r\n", "failed(bare CR in a line)", false},
    {"HTTP/1.1\r\n\r\n", "failed(malformed status line)", false},

    /* ends */
    {"", "end:more", false},
    {"H", "end:failed", false},
    {OK, "end:failed", false},
    {"HTTP/1.1 100 Continue\r\n\r\n", "end:failed", false},
};

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static const struct parse_case requests[] = {
    {GET "\r\n", "head(GET,/,0,k) done", false},
    {"\r\n" GET "\r\n", "head(GET,/,0,k) done", false},
    {"\r\n\r\n" GET "\r\n", "failed(malformed request line)", false},
    {GET "\r\nGET /next", "head(GET,/,0,k) done", false},
    {"GET /a/b?c=d%20e HTTP/1.1\r\nHost:\r\n\r\n", "head(GET,/a/b?c=d%20e,0,k) done", false},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "head(OPTIONS,*,0,k) done", false},
    {"GET / HTTP/1.0\r\n\r\n", "head(GET,/,0,0) done", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcd",
     "head(POST,/,3,k) body(abc) done", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     "head(POST,/,-1,kc) body(abc) done", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n!",
     "head(POST,/,1,ke) body(!) done", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nbinary",
     "head(POST,/,0,ku) done", false},
    {GET "Connection: Upgrade\r\n\r\n", "head(GET,/,0,k) done", false},
    {GET "Upgrade: websocket\r\n\r\n", "head(GET,/,0,k) done", false},
    {GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "head(GET,/,0,ku) done", false},

    {"GET / HTTP/1.1\r\n\r\n", "failed(not exactly one Host header)", false},
    {GET "Host: b\r\n\r\n", "failed(not exactly one Host header)", false},
    {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "failed(not exactly one Host header)", false},
    {"GET  / HTTP/1.1\r\n", "failed(malformed request line)", false},
    {"GET /  HTTP/1.1\r\n", "failed(not HTTP/1.1)", false},
    {"GET / HTTP/1.1 \r\n", "failed(not HTTP/1.1)", false},
    {"GET / HTTP/1.1x\r\n", "failed(not HTTP/1.1)", false},
    {"GET / HTTP/2.0\r\n", "failed(not HTTP/1.1)", false},
    {"GET /\r\n", "failed(malformed request line)", false},
    {"GET\r\n", "failed(malformed request line)", false},
    {" GET / HTTP/1.1\r\n", "failed(malformed request line)", false},
    {"G\x01T / HTTP/1.1\r\n", "failed(malformed request line)", false},
    {"GET /\x80 HTTP/1.1\r\n", "failed(malformed request line)", false},
    {"GET /\t HTTP/1.1\r\n", "failed(malformed request line)", false},
    {"GET http://a/ HTTP/1.1\r\n", "failed(malformed request line)", false},
    {"GET / HTTP/1.1\nHost: a\n\n", "failed(line ends in a bare LF)", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     "failed(both Content-Length and Transfer-Encoding)", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
     "failed(Transfer-Encoding is not just \"chunked\")", false},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     "failed(Transfer-Encoding in HTTP/1.0)", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n!",
     "failed(more than one Content-Length)", false},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
     "head(POST,/,5,k) body(ab) end:failed", false},
};

/* ---- telling --------------------------------------------------------------------------------- */

static void tell_head(const struct http_parse *p, struct buf *out)
{
    const struct http_head *h = &p->head;

    if (p->kind == HTTP_RESPONSE) {
        buf_put_fmt(out, "head(%d,", h->status);
    } else {
        buf_put_fmt(out, "head(%.*s,%.*s,", STR_ARG(h->method), STR_ARG(h->target));
    }
    buf_put_fmt(out, "%lld,%s%s%s%s%s) ", (long long)h->body_bytes, h->keeps_alive ? "k" : "",
                h->is_chunked ? "c" : "", h->wants_upgrade ? "u" : "",
                h->expects_continue ? "e" : "", h->version_minor == 0 ? "0" : "");
}

struct teller {
    struct buf out;
    bool is_in_body;
    char text[4096];
};

/* Pieces of the body are joined, so that splits do not show. */
static void tell(struct teller *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct teller *t, const char *format, ...)
{
    va_list args;
    if (t->is_in_body) {
        buf_put_text(&t->out, ") ");
        t->is_in_body = false;
    }
    va_start(args, format);
    buf_put_vfmt(&t->out, format, args);
    va_end(args);
}

/* Feeds one piece; false when the message has ended one way or the other. */
static bool tell_piece(struct teller *t, struct http_parse *p, str input)
{
    for (;;) {
        str piece;
        switch (http_parse_next(p, &input, &piece)) {
        case HTTP_NEED_MORE:
            assert_int_equal(input.bytes, 0);
            return true;
        case HTTP_HEAD:
            tell_head(p, &t->out);
            break;
        case HTTP_BODY:
            assert_true(piece.bytes > 0);
            if (!t->is_in_body) {
                buf_put_text(&t->out, "body(");
                t->is_in_body = true;
            }
            buf_put(&t->out, piece);
            break;
        case HTTP_DONE:
            tell(t, "done");
            return false;
        case HTTP_FAILED:
            tell(t, "failed(%s)", p->why);
            assert_int_equal(http_parse_next(p, &input, &piece), HTTP_FAILED); /* sticky */
            return false;
        }
    }
}

static const char *tell_end(struct http_parse *p)
{
    switch (http_parse_end(p)) {
    case HTTP_DONE:
        return "end:done";
    case HTTP_NEED_MORE:
        return "end:more";
    default:
        assert_int_equal(p->err, ERR_CLOSED);
        return "end:failed";
    }
}

/* pieces: 0 whole, 1 byte by byte, else random. The input is copied to blocks of their own, so that
 * the sanitizer sees every byte read too far. */
static void run_case(const struct parse_case *c, enum http_kind kind, int pieces, struct prng *prng)
{
    char memory[MEMORY_BYTES];
    struct http_parse p;
    struct teller t = {.is_in_body = false};
    size_t bytes = strlen(c->input);
    bool goes_on = true;

    buf_init(&t.out, t.text, sizeof t.text);
    http_parse_init(&p, kind, memory, sizeof memory);
    http_parse_reset(&p, c->is_head_reply);
    for (size_t at = 0; at < bytes && goes_on;) {
        size_t left = bytes - at;
        size_t count = pieces == 0 ? left : pieces == 1 ? 1 : 1 + prng_below(prng, left);
        char *copy = malloc(count);
        memcpy(copy, c->input + at, count);
        goes_on = tell_piece(&t, &p, str_make(copy, count));
        free(copy);
        at += count;
    }
    if (goes_on) {
        tell(&t, "%s", tell_end(&p));
    }
    const char *told = buf_cstr(&t.out);
    if (strcmp(told, c->told) != 0) {
        print_error("input: %s\ntold:  %s\nnot:   %s (pieces %d)\n", c->input, told, c->told,
                    pieces);
        fail();
    }
}

static void run_table(const struct parse_case *cases, size_t count, enum http_kind kind)
{
    struct prng prng;
    prng_seed(&prng, 7);
    for (size_t i = 0; i < count; i++) {
        for (int pieces = 0; pieces < 20; pieces++) {
            run_case(&cases[i], kind, pieces, &prng);
        }
    }
}

static void test_responses(void **state)
{
    (void)state;
    run_table(responses, sizeof responses / sizeof responses[0], HTTP_RESPONSE);
}

static void test_requests(void **state)
{
    (void)state;
    run_table(requests, sizeof requests / sizeof requests[0], HTTP_REQUEST);
}

/* ---- limits, each at its edge ---------------------------------------------------------------- */

static enum http_event feed(struct http_parse *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum http_event feed(struct http_parse *p, const char *format, ...)
{
    static char text[64 * 1024];
    va_list args;
    str piece;
    enum http_event event;

    va_start(args, format);
    int bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    str input = str_make(text, (size_t)bytes);
    do {
        event = http_parse_next(p, &input, &piece);
    } while (event == HTTP_BODY || event == HTTP_HEAD);
    return event;
}

static void test_limit_of_head_bytes(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        char memory[MEMORY_BYTES];
        struct http_parse p;
        int fill = MEMORY_BYTES - (int)strlen(OK "A: \r\n\r\n") + extra;
        http_parse_init(&p, HTTP_RESPONSE, memory, sizeof memory);
        enum http_event event = feed(&p, OK "A: %0*d\r\n\r\n", fill, 0);
        assert_int_equal(event, extra == 0 ? HTTP_NEED_MORE : HTTP_FAILED);
        assert_int_equal(p.err, extra == 0 ? ERR_OK : ERR_TOO_BIG);
    }
}

static void test_limit_of_headers_count(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        char memory[MEMORY_BYTES];
        struct http_parse p;
        enum http_event event = HTTP_NEED_MORE;
        http_parse_init(&p, HTTP_RESPONSE, memory, sizeof memory);
        assert_int_equal(feed(&p, OK), HTTP_NEED_MORE);
        for (int i = 0; i < HTTP_HEADERS_MAX + extra; i++) {
            event = feed(&p, "A:\r\n");
        }
        assert_int_equal(event, extra == 0 ? HTTP_NEED_MORE : HTTP_FAILED);
        assert_int_equal(p.err, extra == 0 ? ERR_OK : ERR_TOO_BIG);
    }
}

static void test_limit_of_chunk_line(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        char memory[MEMORY_BYTES];
        struct http_parse p;
        http_parse_init(&p, HTTP_RESPONSE, memory, sizeof memory);
        assert_int_equal(feed(&p, CHUNKED), HTTP_NEED_MORE);
        enum http_event event =
            feed(&p, "1;%0*d\r\nx\r\n0\r\n\r\n", HTTP_CHUNK_LINE_MAX - 4 + extra, 0);
        assert_int_equal(event, extra == 0 ? HTTP_DONE : HTTP_FAILED);
    }
}

static void test_limit_of_trailers(void **state)
{
    (void)state;
    char memory[MEMORY_BYTES];
    struct http_parse p;
    http_parse_init(&p, HTTP_RESPONSE, memory, sizeof memory);
    assert_int_equal(feed(&p, CHUNKED "0\r\n"), HTTP_NEED_MORE);
    assert_int_equal(feed(&p, "T: %01000d\r\n", 0), HTTP_FAILED);
    assert_int_equal(p.err, ERR_TOO_BIG);
}

/* ---- fields, and many messages on one connection --------------------------------------------- */

static void test_fields_and_reuse(void **state)
{
    (void)state;
    char memory[MEMORY_BYTES];
    struct http_parse p;
    str value;
    str name;

    http_parse_init(&p, HTTP_RESPONSE, memory, sizeof memory);
    assert_false(http_parse_has_begun(&p));
    for (int round = 0; round < 50; round++) {
        assert_int_equal(feed(&p,
                              OK "X-Round: %d\r\nx-two:  b c \r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\n0\r\nTrail: t\r\n\r\n",
                              round),
                         HTTP_DONE);
        assert_true(http_parse_has_begun(&p));
        assert_true(http_parse_field(&p, S("x-round"), &value));
        assert_true(http_parse_field(&p, S("X-TWO"), &value));
        assert_true(str_eq(value, S("b c")));
        assert_true(http_parse_field(&p, S("trail"), &value));
        assert_false(http_parse_field(&p, S("x"), &value));
        http_parse_field_at(&p, 0, &name, &value);
        assert_true(str_eq(name, S("X-Round")));
        http_parse_reset(&p, false);
        assert_false(http_parse_has_begun(&p));
    }
}

static void test_tokens(void **state)
{
    (void)state;
    assert_true(http_has_token(S("a, B ,c"), S("b")));
    assert_true(http_has_token(S("close"), S("Close")));
    assert_false(http_has_token(S("closed, not-close"), S("close")));
    assert_false(http_has_token(S(""), S("close")));
    assert_false(http_has_token(S(",,"), S("close")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_limit_of_head_bytes),
        cmocka_unit_test(test_limit_of_headers_count),
        cmocka_unit_test(test_limit_of_chunk_line),
        cmocka_unit_test(test_limit_of_trailers),
        cmocka_unit_test(test_fields_and_reuse),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
