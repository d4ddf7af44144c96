/*
 * What the HTTP client says and hears on a connection: see http_client_conn.h. The request goes out
 * from where its parts lie; the reply is parsed as it comes and told to the call piece by piece.
 */
#include "net/http_client_conn.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/codec.h"

/* ---- the request ----------------------------------------------------------------------------- */

static void put_host(struct buf *out, const struct http_target *target)
{
    bool is_v6 = strchr(target->host, ':') != NULL && target->host[0] != '[';
    bool is_usual_port = target->port == (target->is_tls ? 443 : 80);

    buf_put_fmt(out, is_v6 ? "[%s]" : "%s", target->host);
    if (!is_usual_port) {
        buf_put_fmt(out, ":%u", (unsigned)target->port);
    }
}

/* Content-Length also for an empty body, where a body is expected (RFC 9110 section 8.6). */
static void put_length(struct buf *out, const struct http_call *call)
{
    bool expects_body = call->method[0] == 'P'; /* POST, PUT, PATCH */

    if (call->body.bytes > 0 || expects_body) {
        buf_put_fmt(out, "Content-Length: %zu\r\n", call->body.bytes);
    }
}

/* Our own lines are few; what the caller gave is sent from where it lies. */
static void conn_write_request(struct http_conn *conn)
{
    const struct http_call *call = conn->call;
    struct buf out;

    buf_init(&out, conn->lead, sizeof conn->lead);
    buf_put_fmt(&out, "%s ", call->method);
    size_t method_bytes = out.bytes;
    buf_put(&out, S(" HTTP/1.1\r\nHost: "));
    put_host(&out, conn->client->target);
    buf_put(&out, S("\r\n"));
    put_length(&out, call);
    size_t lines_bytes = out.bytes;
    CHECK(buf_ok(&out)); /* a host is shorter than RESOLVE_HOST_BYTES, a method is a literal */

    conn->parts[0] = str_make(conn->lead, method_bytes);
    conn->parts[1] = call->path;
    conn->parts[2] = str_make(conn->lead + method_bytes, lines_bytes - method_bytes);
    conn->parts[3] = call->headers;
    conn->parts[4] = S("\r\n");
    conn->parts[5] = call->body;
    conn->part_at = 0;
    conn->part_done_bytes = 0;
    conn->has_put = false;
}

/* A blank or a line end in the path would make two requests out of one. */
static bool is_sendable_path(str path)
{
    for (size_t i = 0; i < path.bytes; i++) {
        if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7F) {
            return false;
        }
    }
    return path.bytes > 0 && path.ptr[0] == '/';
}

void http_conn_start_request(struct http_conn *conn)
{
    if (!is_sendable_path(conn->call->path)) {
        http_conn_fail(conn, ERR_INVALID, "the request's path has characters that must be encoded");
        return;
    }
    http_parse_reset(&conn->parse, strcmp(conn->call->method, "HEAD") == 0);
    conn_write_request(conn);
    conn->heard_ms = conn->client->loop->now_ms;
    http_conn_enter(conn, CONN_BUSY);
    http_conn_turn(conn);
}

bool http_conn_put(struct http_conn *conn)
{
    bool moved = false;

    while (conn->part_at < REQUEST_PARTS) {
        str part = conn->parts[conn->part_at];
        str rest = str_sub(part, conn->part_done_bytes, part.bytes);
        size_t done = tls_plain_put(&conn->engine, rest);
        moved |= done > 0;
        conn->part_done_bytes += done;
        if (done < rest.bytes) {
            break;
        }
        conn->part_at++;
        conn->part_done_bytes = 0;
        if (conn->part_at == REQUEST_PARTS) {
            tls_flush(&conn->engine);
        }
    }
    conn->has_put |= moved;
    return moved;
}

/* ---- the reply ------------------------------------------------------------------------------- */

static void read_head(const struct http_parse *parse, struct http_reply_head *head)
{
    str value;
    uint64_t seconds;

    *head = (struct http_reply_head){
        .status = parse->head.status, .body_bytes = parse->head.body_bytes, .retry_after_s = -1};
    if (http_parse_field(parse, S("content-type"), &value)) {
        head->content_type = value;
    }
    if (http_parse_field(parse, S("date"), &value) &&
        !codec_get_http_date(value, &head->date_unix_s)) {
        head->date_unix_s = 0;
    }
    if (http_parse_field(parse, S("retry-after"), &value) && str_to_u64(value, &seconds) &&
        seconds <= INT32_MAX) {
        head->retry_after_s = (int64_t)seconds;
    }
}

static void call_tell_head(struct http_call *call, const struct http_parse *parse)
{
    read_head(parse, &call->head);
    struct http_reply_head told = call->head;
    call->head.content_type = STR_NONE;
    if (call->on_head != NULL) {
        call->on_head(call, &told);
    }
}

static void conn_bad_reply(struct http_conn *conn)
{
    http_conn_fail(conn, ERR_BAD_REPLY, "%s: %s", http_conn_addr(conn).text, conn->parse.why);
}

/* Parses what has come, telling the call. Returns when it is used up or the connection has changed
 * under us (see the note in http_client_conn.h). */
static void conn_take(struct http_conn *conn, str input)
{
    struct http_call *call = conn->call;
    uint32_t serial = conn->serial;
    str rest = input;

    while (conn->serial == serial) {
        str piece;
        switch (http_parse_next(&conn->parse, &rest, &piece)) {
        case HTTP_HEAD:
            call_tell_head(call, &conn->parse);
            break;
        case HTTP_BODY:
            if (call->on_body != NULL) {
                call->on_body(call, piece);
            }
            break;
        case HTTP_DONE:
            tls_plain_taken(&conn->engine, input.bytes - rest.bytes);
            http_conn_finish(conn, ERR_OK);
            break;
        case HTTP_FAILED:
            conn_bad_reply(conn);
            break;
        case HTTP_NEED_MORE:
            tls_plain_taken(&conn->engine, input.bytes);
            return;
        }
    }
}

bool http_conn_read(struct http_conn *conn)
{
    str input = tls_plain_ready(&conn->engine);

    if (input.bytes > 0) {
        conn_take(conn, input);
    }
    return input.bytes > 0;
}
