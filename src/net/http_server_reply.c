/* What the owner of an exchange calls: see http_server.h. Nothing is sent from here: texts are
 * copied into the connection's buffer, and the pump is told. */
#include "base/buf.h"
#include "base/check.h"
#include "net/http_server_conn.h"

#define CHUNK_FRAME_BYTES \
    16 /* size in hex, two CRLF; twice as much stays free for the last chunk */

static struct http_conn *conn_of(const struct http_exchange *exchange)
{
    return (struct http_conn *)(uintptr_t)exchange; /* its first member */
}

static_assert(offsetof(struct http_conn, exchange) == 0, "the exchange is the first member");

/* ---- the buffer ------------------------------------------------------------------------------ */

/* Moving is worth it only when it makes much room. But on_room comes when half of the buffer is
 * free, wherever that is: who is told so must find more than what counts as scarce, or he is told
 * again and again while the peer takes nothing. */
size_t conn_out_room(struct http_conn *conn)
{
    size_t bytes = conn->out_to - conn->out_from;
    bool is_scarce = CONN_OUT_BYTES - conn->out_to < CONN_OUT_SCARCE;

    if (conn->out_from >= CONN_OUT_BYTES / 2 || (is_scarce && bytes <= CONN_OUT_BYTES / 2)) {
        memmove(conn->out, conn->out + conn->out_from, bytes);
        conn->out_from = 0;
        conn->out_to = bytes;
    }
    return CONN_OUT_BYTES - conn->out_to;
}

bool conn_out_put(struct http_conn *conn, str text)
{
    if (text.bytes > conn_out_room(conn)) {
        return false;
    }
    if (conn->out_from == conn->out_to && conn_has_sent_all(conn)) {
        conn->moved_ms = conn->exchange.server->loop->now_ms; /* patience begins now */
    }
    if (text.bytes > 0) {
        memcpy(conn->out + conn->out_to, text.ptr, text.bytes);
    }
    conn->out_to += text.bytes;
    conn->out_peak = conn->out_to > conn->out_peak ? conn->out_to : conn->out_peak;
    conn_kick(conn);
    return true;
}

/* ---- heads ----------------------------------------------------------------------------------- */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Status";
}

static void put_connection(const struct http_conn *conn, struct buf *head)
{
    if (!conn->keeps_alive) {
        buf_put(head, S("Connection: close\r\n"));
    } else if (conn->parse.head.version_minor == 0) {
        buf_put(head, S("Connection: keep-alive\r\n"));
    }
}

/* body_bytes: -1 when not known beforehand. */
void conn_put_head(struct http_conn *conn, int status, str type, int64_t body_bytes)
{
    char text[512];
    struct buf head;

    buf_init(&head, text, sizeof text);
    buf_put_fmt(&head, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    if (type.bytes > 0) {
        buf_put_fmt(&head, "Content-Type: %.*s\r\n", STR_ARG(type));
    }
    if (body_bytes >= 0) {
        buf_put_fmt(&head, "Content-Length: %lld\r\n", (long long)body_bytes);
    } else if (conn->is_chunked) {
        buf_put(&head, S("Transfer-Encoding: chunked\r\n"));
    }
    put_connection(conn, &head);
    if (status == 405) {
        buf_put(&head, S("Allow: GET, POST\r\n"));
    }
    buf_put(&head, S("\r\n"));
    CHECK(buf_ok(&head));
    CHECK(conn_out_put(conn, buf_str(&head)));
}

/* ---- whole replies --------------------------------------------------------------------------- */

/* False: the connection is about to be cut, or the exchange is over; nothing is to be said. */
static bool conn_begin_answer(struct http_conn *conn, enum conn_answer answer)
{
    if (!conn->is_given || conn->is_cut) {
        return false;
    }
    CHECK(conn->answer == ANSWER_NONE && conn->phase == CONN_WORK);
    conn->answer = answer;
    return true;
}

void http_reply(struct http_exchange *exchange, int status, str type, str body)
{
    struct http_conn *conn = conn_of(exchange);
    bool is_head = str_eq(exchange->method, S("HEAD"));

    if (!conn_begin_answer(conn, ANSWER_WHOLE)) {
        return;
    }
    if (body.bytes > HTTP_SERVER_REPLY_BYTES) {
        status = 500;
        type = S("text/plain");
        body = S("the reply is larger than our limit\n");
    }
    conn_put_head(conn, status, type, (int64_t)body.bytes);
    CHECK(is_head || conn_out_put(conn, body));
    conn->is_ending = true;
    conn_kick(conn);
}

/* ---- replies in pieces ----------------------------------------------------------------------- */

void http_reply_begin(struct http_exchange *exchange, int status, str type)
{
    struct http_conn *conn = conn_of(exchange);

    if (!conn_begin_answer(conn, ANSWER_PIECES)) {
        return;
    }
    conn->is_chunked = conn->parse.head.version_minor > 0;
    conn->keeps_alive = conn->keeps_alive && conn->is_chunked;
    conn_put_head(conn, status, type, -1);
}

/* Whether more may be put; what remains of the room is kept for the framing. */
static size_t conn_room_for(struct http_conn *conn, enum conn_answer answer)
{
    if (!conn->is_given || conn->is_cut || conn->is_ending) {
        return 0;
    }
    CHECK(conn->answer == answer);
    size_t room = conn_out_room(conn);
    size_t kept = answer == ANSWER_PIECES ? 2 * CHUNK_FRAME_BYTES : 0;
    conn->wants_room |= room < CONN_OUT_SCARCE;
    return room > kept ? room - kept : 0;
}

static str fitting(struct http_conn *conn, str text, size_t room)
{
    if (text.bytes > room) {
        conn->wants_room = true;
    }
    return str_sub(text, 0, room);
}

size_t http_reply_put(struct http_exchange *exchange, str text)
{
    struct http_conn *conn = conn_of(exchange);
    str piece = fitting(conn, text, conn_room_for(conn, ANSWER_PIECES));
    char line[CHUNK_FRAME_BYTES];
    struct buf size;

    if (piece.bytes == 0 || str_eq(exchange->method, S("HEAD"))) {
        return piece.bytes; /* a chunk of no bytes would be the end */
    }
    if (conn->is_chunked) {
        buf_init(&size, line, sizeof line);
        buf_put_fmt(&size, "%zx\r\n", piece.bytes);
        CHECK(conn_out_put(conn, buf_str(&size)));
    }
    CHECK(conn_out_put(conn, piece));
    CHECK(!conn->is_chunked || conn_out_put(conn, S("\r\n")));
    return piece.bytes;
}

void http_reply_end(struct http_exchange *exchange)
{
    struct http_conn *conn = conn_of(exchange);

    if (!conn->is_given || conn->is_cut || conn->is_ending) {
        return;
    }
    CHECK(conn->answer == ANSWER_PIECES);
    if (conn->is_chunked && !str_eq(exchange->method, S("HEAD"))) {
        CHECK(conn_out_put(conn, S("0\r\n\r\n")));
    }
    conn->is_ending = true;
    conn_kick(conn);
}

/* ---- upgraded streams ------------------------------------------------------------------------ */

void http_upgrade(struct http_exchange *exchange, str protocol, str headers)
{
    struct http_conn *conn = conn_of(exchange);

    if (!conn_begin_answer(conn, ANSWER_STREAM)) {
        return;
    }
    CHECK(protocol.bytes + headers.bytes < CONN_OUT_BYTES / 2);
    CHECK(conn_out_put(conn,
                       S("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ")));
    CHECK(conn_out_put(conn, protocol));
    CHECK(conn_out_put(conn, S("\r\n")));
    CHECK(conn_out_put(conn, headers));
    CHECK(conn_out_put(conn, S("\r\n")));
    conn->keeps_alive = false;
    conn->heard_ms = conn->exchange.server->loop->now_ms;
    conn->phase = CONN_STREAM; /* the deadline of WORK serves it as well */
}

str http_stream_ready(struct http_exchange *exchange, bool *is_over)
{
    struct http_conn *conn = conn_of(exchange);

    *is_over = !conn->is_given || conn->is_cut || conn->is_ending ||
               (tls_state(conn->engine) & TLS_IS_OVER) != 0;
    return *is_over ? STR_NONE : tls_plain_ready(conn->engine);
}

void http_stream_taken(struct http_exchange *exchange, size_t bytes)
{
    struct http_conn *conn = conn_of(exchange);

    if (conn->is_given && conn->answer == ANSWER_STREAM && bytes > 0) {
        tls_plain_taken(conn->engine, bytes);
        conn->was_told = tls_plain_ready(conn->engine).bytes > 0;
        conn_kick(conn);
    }
}

size_t http_stream_put(struct http_exchange *exchange, str text)
{
    struct http_conn *conn = conn_of(exchange);
    str piece = fitting(conn, text, conn_room_for(conn, ANSWER_STREAM));

    CHECK(conn_out_put(conn, piece));
    return piece.bytes;
}

void http_stream_close(struct http_exchange *exchange)
{
    struct http_conn *conn = conn_of(exchange);

    conn->is_ending |= conn->is_given;
    conn_kick(conn);
}

void http_stream_idle_ms(struct http_exchange *exchange, msec idle_ms)
{
    struct http_conn *conn = conn_of(exchange);
    struct loop *loop = exchange->server->loop;

    conn->idle_ms = idle_ms;
    if (conn->phase == CONN_STREAM && idle_ms > 0 && idle_ms < HTTP_SERVER_STALL_MS) {
        loop_timer_set(loop, &conn->timer, loop->now_ms + idle_ms);
    }
}

void http_exchange_cut(struct http_exchange *exchange)
{
    struct http_conn *conn = conn_of(exchange);

    conn->is_cut |= conn->is_given;
    conn_kick(conn);
}

bool http_exchange_header(const struct http_exchange *exchange, str name, str *value)
{
    return http_parse_field(&conn_of(exchange)->parse, name, value);
}

bool http_exchange_header_next(const struct http_exchange *exchange, str name, uint32_t *at,
                               str *value)
{
    const struct http_parse *parse = &conn_of(exchange)->parse;
    while (*at < parse->fields_count) {
        str candidate;
        http_parse_field_at(parse, (*at)++, &candidate, value);
        if (str_eq_nocase(candidate, name)) {
            return true;
        }
    }
    return false;
}
