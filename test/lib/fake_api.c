/* see fake_api.h */
#include "fake_api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/sock.h"

static void conn_close(struct fake_conn *conn)
{
    if (conn->fd >= 0) {
        loop_watch_remove(conn->api->loop, &conn->watch);
        sock_close(&conn->fd);
    }
    conn->is_streaming = conn->is_hanging = conn->closes = false;
    buf_clear(&conn->in);
    buf_clear(&conn->out);
}

/* ---- requests -------------------------------------------------------------------------------- */

static str field(str head, const char *name)
{
    str line;
    while (str_cut(&head, '\n', &line)) {
        str key;
        str rest = line;
        if (str_cut(&rest, ':', &key) && str_eq_nocase(key, str_of(name))) {
            return str_trim(rest);
        }
    }
    return STR_NONE;
}

static void remember(struct fake_api *api, const struct fake_request *request)
{
    char *seen = api->seen[(request->number - 1) % FAKE_SEEN_MAX];
    (void)snprintf(seen, sizeof api->seen[0], "%.*s %.*s", STR_ARG(request->method),
                   STR_ARG(request->path));
    (void)str_copy(api->last_head, sizeof api->last_head, request->head);
    (void)str_copy(api->last_body, sizeof api->last_body, request->body);
}

/* Takes one whole request off the front of what came in; false when there is none yet. */
static bool take_request(struct fake_conn *conn)
{
    struct fake_api *api = conn->api;
    str text = buf_str(&conn->in);
    ptrdiff_t head_end = str_find(text, S("\r\n\r\n"));
    if (head_end < 0) {
        return false;
    }
    struct fake_request request = {.number = api->requests + 1};
    str head = str_sub(text, 0, (size_t)head_end + 2);
    str line;
    CHECK(str_cut(&head, '\r', &line));
    request.head = str_sub(head, 1, head.bytes);
    CHECK(str_cut(&line, ' ', &request.method) && str_cut(&line, ' ', &request.path));
    uint64_t body_bytes = 0;
    (void)str_to_u64(field(request.head, "content-length"), &body_bytes);
    size_t whole_bytes = (size_t)head_end + 4 + (size_t)body_bytes;
    if (text.bytes < whole_bytes) {
        return false;
    }
    request.body = str_sub(text, (size_t)head_end + 4, (size_t)body_bytes);
    api->requests++;
    remember(api, &request);
    api->handler(api, conn, &request);
    if (conn->fd >= 0) {
        buf_drop(&conn->in, whole_bytes);
    }
    return conn->fd >= 0;
}

/* ---- moving bytes ---------------------------------------------------------------------------- */

static void conn_send(struct fake_conn *conn)
{
    size_t done;
    while (conn->out.bytes > 0 && !conn->is_hanging) {
        enum err err = sock_send(conn->fd, conn->out.ptr, conn->out.bytes, &done);
        if (err == ERR_AGAIN) {
            loop_watch_set(conn->api->loop, &conn->watch, LOOP_READ | LOOP_WRITE);
            return;
        }
        if (err != ERR_OK) {
            conn_close(conn);
            return;
        }
        buf_drop(&conn->out, done);
    }
    if (conn->closes && !conn->is_hanging) {
        conn_close(conn);
    } else {
        loop_watch_set(conn->api->loop, &conn->watch, conn->is_hanging ? 0 : LOOP_READ);
    }
}

static void conn_receive(struct fake_conn *conn)
{
    for (;;) {
        size_t room, done;
        char *tail = buf_tail(&conn->in, &room);
        CHECK(room > 0);
        enum err err = sock_receive(conn->fd, tail, room, &done);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK) {
            conn_close(conn);
            return;
        }
        buf_grow(&conn->in, done);
        while (take_request(conn)) {
        }
        if (conn->fd < 0 || conn->is_hanging) {
            return;
        }
    }
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct fake_conn *conn = watch->owner;
    if ((events & LOOP_WRITE) != 0) {
        conn_send(conn);
    }
    if (conn->fd >= 0 && !conn->is_hanging && (events & LOOP_READ) != 0) {
        conn_receive(conn);
    }
}

static void on_accept(struct loop_watch *watch, uint32_t events)
{
    struct fake_api *api = watch->owner;
    struct sock_addr peer;
    int fd;
    (void)events;
    while (sock_accept(api->listener, &fd, &peer) == ERR_OK) {
        struct fake_conn *conn = NULL;
        for (int i = 0; i < FAKE_CONNS_MAX && conn == NULL; i++) {
            conn = api->conns[i].fd < 0 ? &api->conns[i] : NULL;
        }
        CHECK(conn != NULL);
        conn->fd = fd;
        api->accepted++;
        CHECK(loop_watch_add(api->loop, &conn->watch, fd, LOOP_READ, on_ready, conn) == ERR_OK);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void put_fmt(struct fake_conn *conn, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void put_fmt(struct fake_conn *conn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_put_vfmt(&conn->out, format, args);
    va_end(args);
}

static void flush(struct fake_conn *conn)
{
    CHECK(buf_ok(&conn->out));
    if (conn->fd >= 0) {
        conn_send(conn);
    }
}

void fake_reply(struct fake_conn *conn, int status, const char *extra, str body)
{
    put_fmt(conn,
            "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
            status, extra, body.bytes);
    buf_put(&conn->out, body);
    flush(conn);
}

void fake_reply_text(struct fake_conn *conn, int status, const char *format, ...)
{
    static char text[64 * 1024];
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(bytes >= 0 && (size_t)bytes < sizeof text);
    fake_reply(conn, status, "", str_make(text, (size_t)bytes));
}

void fake_reply_status(struct fake_conn *conn, int code, const char *reason, const char *kind)
{
    char details[128] = "";
    if (kind[0] != '\0') {
        (void)snprintf(details, sizeof details, "\"details\":{\"name\":\"x\",\"kind\":\"%s\"},",
                       kind);
    }
    fake_reply_text(conn, code,
                    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                    "\"Failure\",\"message\":\"scripted %s\",\"reason\":\"%s\",%s\"code\":%d}",
                    reason, reason, details, code);
}

void fake_stream_put(struct fake_conn *conn, str piece)
{
    put_fmt(conn, "%zx\r\n", piece.bytes);
    buf_put(&conn->out, piece);
    put_fmt(conn, "\r\n");
    flush(conn);
}

void fake_stream_end(struct fake_conn *conn)
{
    conn->is_streaming = false;
    put_fmt(conn, "0\r\n\r\n");
    flush(conn);
}

struct fake_conn *fake_streaming(struct fake_api *api)
{
    for (int i = 0; i < FAKE_CONNS_MAX; i++) {
        if (api->conns[i].fd >= 0 && api->conns[i].is_streaming && !api->conns[i].is_hanging) {
            return &api->conns[i];
        }
    }
    return NULL;
}

void fake_raw(struct fake_conn *conn, str bytes)
{
    buf_put(&conn->out, bytes);
    conn->closes = true;
    flush(conn);
}

void fake_hang(struct fake_conn *conn)
{
    conn->is_hanging = true;
    loop_watch_set(conn->api->loop, &conn->watch, 0);
}

/* ---- looking back ---------------------------------------------------------------------------- */

bool fake_has(const struct fake_request *request, const char *text)
{
    return str_find(request->path, str_of(text)) >= 0;
}

uint32_t fake_seen(const struct fake_api *api, const char *text)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < api->requests && i < FAKE_SEEN_MAX; i++) {
        count += strstr(api->seen[i], text) != NULL;
    }
    return count;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void listen_now(struct fake_api *api)
{
    struct sock_addr addr = {.bytes = {127, 0, 0, 1}, .port = api->port, .family = 4};
    struct sock_addr bound;
    CHECK(sock_listen(&addr, 16, &api->listener, &bound) == ERR_OK);
    api->port = bound.port;
    CHECK(loop_watch_add(api->loop, &api->watch, api->listener, LOOP_READ, on_accept, api) ==
          ERR_OK);
}

void fake_api_start(struct fake_api *api, struct loop *loop, fake_handler *handler, void *owner)
{
    *api = (struct fake_api){.loop = loop, .handler = handler, .owner = owner, .listener = -1};
    for (int i = 0; i < FAKE_CONNS_MAX; i++) {
        static char in[FAKE_CONNS_MAX][FAKE_IN_BYTES];
        static char out[FAKE_CONNS_MAX][FAKE_OUT_BYTES];
        struct fake_conn *conn = &api->conns[i];
        conn->api = api;
        conn->fd = -1;
        conn->watch.fd = -1;
        buf_init(&conn->in, in[i], FAKE_IN_BYTES);
        buf_init(&conn->out, out[i], FAKE_OUT_BYTES);
    }
    listen_now(api);
}

void fake_api_cut_all(struct fake_api *api)
{
    for (int i = 0; i < FAKE_CONNS_MAX; i++) {
        conn_close(&api->conns[i]);
    }
}

void fake_api_stop(struct fake_api *api)
{
    if (api->listener >= 0) {
        loop_watch_remove(api->loop, &api->watch);
        sock_close(&api->listener);
    }
    fake_api_cut_all(api);
}

void fake_api_restart(struct fake_api *api)
{
    listen_now(api);
}
