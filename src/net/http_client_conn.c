/*
 * One connection of the HTTP client: see http_client_conn.h. Its phases with their deadlines, and
 * the pump between socket, TLS and the call.
 */
#include "net/http_client_conn.h"

#include <stdarg.h>

#include "base/buf.h"

#define TURN_STEPS_MAX 64 /* reads of one connection (512 KB); then it is others' turn */

/* ---- closing and ending ---------------------------------------------------------------------- */

/* The whole request is with the kernel. */
static bool conn_has_sent_all(struct http_conn *conn)
{
    return conn->part_at == REQUEST_PARTS && (tls_state(&conn->engine) & TLS_HAS_WIRE) == 0;
}

/* Takes leave (close_notify) only when nothing of a request is left inside: the caller may already
 * have been told that it was not sent. */
void http_conn_close(struct http_conn *conn)
{
    bool has_request = conn->phase == CONN_BUSY || conn->phase == CONN_IDLE;

    link_close(&conn->link, has_request && conn_has_sent_all(conn));
    conn->serial++;
    http_conn_enter(conn, CONN_FREE);
}

/* The whole request was sent and the whole reply, but no byte more, has been read. */
static bool conn_is_clean(struct http_conn *conn)
{
    unsigned state = tls_state(&conn->engine);

    return conn_has_sent_all(conn) && conn->parse.head.keeps_alive &&
           (state & (TLS_HAS_PLAIN | TLS_IS_OVER)) == 0;
}

void http_conn_finish(struct http_conn *conn, enum err err)
{
    struct http_client *client = conn->client;
    struct http_call *call = conn->call;

    http_call_detach(call);
    if (err == ERR_OK && !conn->is_outdated && conn_is_clean(conn)) {
        conn->is_reused = true;
        http_conn_enter(conn, CONN_IDLE);
    } else {
        http_conn_close(conn);
    }
    client->failures += err != ERR_OK;
    if (client->queue.count > 0) {
        http_client_kick(client);
    }
    call->on_done(call, err);
}

static void call_explain(struct http_call *call, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void call_explain(struct http_call *call, const char *format, va_list args)
{
    char text[2 * HTTP_WHY_BYTES];
    struct buf why;

    buf_init(&why, text, sizeof text);
    buf_put_vfmt(&why, format, args);
    if (!str_copy(call->why, sizeof call->why, buf_str(&why))) {
        (void)str_copy(call->why, sizeof call->why - 3, buf_str(&why));
        memcpy(call->why + strlen(call->why), "...", 4);
    }
}

void http_conn_fail(struct http_conn *conn, enum err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    call_explain(conn->call, format, args);
    va_end(args);
    http_conn_finish(conn, err);
}

struct http_addr_text http_conn_addr(const struct http_conn *conn)
{
    struct http_addr_text out;
    sock_addr_text(&conn->addrs[conn->addr_at], out.text);
    return out;
}

/* The peer closed a kept connection before it saw this request: an accident of timing that says
 * nothing about the request (RFC 9112 section 9.3.1). Only what is safe to do twice is repeated. */
static bool conn_repeat_call(struct http_conn *conn)
{
    struct http_call *call = conn->call;

    if (!conn->is_reused || call->was_repeated || strcmp(call->method, "GET") != 0 ||
        http_parse_has_begun(&conn->parse)) {
        return false;
    }
    call->was_repeated = true;
    call->conn = NULL;
    conn->call = NULL;
    conn->client->in_flight--;
    http_conn_close(conn);
    list_push_front(&conn->client->queue, &call->queue_node);
    http_client_kick(conn->client);
    return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* The engine has come to its end while a call was under way. */
static void conn_over(struct http_conn *conn)
{
    enum err err = conn->engine.err;

    if (conn->phase == CONN_SECURE) {
        http_conn_fail(conn, err == ERR_END ? ERR_CLOSED : err, "TLS with %s: %s",
                       http_conn_addr(conn).text, conn->engine.why);
    } else if (err == ERR_END && http_parse_end(&conn->parse) == HTTP_DONE) {
        http_conn_finish(conn, ERR_OK);
    } else if ((err != ERR_END && err != ERR_CLOSED) || !conn_repeat_call(conn)) {
        http_conn_fail(conn, err == ERR_END ? ERR_CLOSED : err, "%s: %s %s",
                       http_conn_addr(conn).text, conn->engine.why,
                       http_parse_has_begun(&conn->parse) ? "within the reply"
                                                          : "before the reply");
    }
}

/* One record or so in each direction; false when nothing moved. */
static bool conn_step(struct http_conn *conn)
{
    uint64_t received = conn->link.received_bytes;
    bool moved = conn->phase == CONN_BUSY && http_conn_put(conn);
    bool has_sent = link_send(&conn->link);

    if (has_sent && conn->has_put && !conn->link.is_send_broken) {
        conn->call->was_sent = true;
    }
    bool has_received = link_receive(&conn->link);
    if (conn->link.received_bytes > received) {
        conn->heard_ms = conn->client->loop->now_ms;
    }
    return moved | has_sent | has_received;
}

void http_conn_turn(struct http_conn *conn)
{
    uint32_t serial = conn->serial;

    for (int steps = 0; steps < TURN_STEPS_MAX && conn_step(conn); steps++) {
        if (conn->phase == CONN_SECURE && conn->engine.is_open) {
            http_conn_start_request(conn);
            return;
        }
        while (conn->phase == CONN_BUSY && http_conn_read(conn)) {
            if (conn->serial != serial) {
                return;
            }
        }
    }
    if ((tls_state(&conn->engine) & TLS_IS_OVER) != 0) {
        conn_over(conn);
        return;
    }
    /* A turn that was cut short has emptied the engine; while there is more to send, the link must
     * have a reason to wait for the kernel. */
    if (conn->phase == CONN_BUSY) {
        (void)http_conn_put(conn);
    }
    link_rest(&conn->link);
}

void http_conn_ready(struct loop_watch *watch, uint32_t events)
{
    struct http_conn *conn = watch->owner;
    enum err err;

    (void)events;
    switch (conn->phase) {
    case CONN_CONNECT:
        err = sock_connect_result(conn->link.fd);
        if (err == ERR_OK) {
            http_conn_secure(conn);
        } else if (err != ERR_AGAIN) {
            http_conn_try_next_addr(conn, err);
        }
        break;
    case CONN_SECURE:
    case CONN_BUSY:
        http_conn_turn(conn);
        break;
    case CONN_IDLE: /* nothing was asked, so anything that comes ends it: close, 408, noise */
        http_conn_close(conn);
        break;
    case CONN_FREE:
    case CONN_RESOLVE:
        break;
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Each address gets an equal share of what is left. */
static msec conn_share_until_ms(const struct http_conn *conn)
{
    msec now_ms = conn->client->loop->now_ms;
    msec left_ms = conn->connect_until_ms - now_ms;

    return now_ms + left_ms / (msec)(conn->addrs_count - conn->addr_at);
}

void http_conn_enter(struct http_conn *conn, enum conn_phase phase)
{
    struct loop *loop = conn->client->loop;

    conn->phase = phase;
    loop_timer_clear(loop, &conn->timer);
    switch (phase) {
    case CONN_FREE:
        break;
    case CONN_RESOLVE:
        conn->has_asked = false;
        loop_timer_set(loop, &conn->timer, loop->now_ms);
        break;
    case CONN_CONNECT:
        loop_timer_set(loop, &conn->timer, conn_share_until_ms(conn));
        break;
    case CONN_SECURE:
        loop_timer_set(loop, &conn->timer, conn->connect_until_ms);
        break;
    case CONN_BUSY:
        if (conn->call->idle_max_ms > 0) {
            loop_timer_set(loop, &conn->timer, loop->now_ms + conn->call->idle_max_ms);
        }
        break;
    case CONN_IDLE:
        loop_timer_set(loop, &conn->timer, loop->now_ms + HTTP_KEEP_MS);
        link_rest(&conn->link);
        break;
    }
}

/* Silence is measured from the last byte; the timer is moved only when it fires. */
static void conn_check_silence(struct http_conn *conn)
{
    struct loop *loop = conn->client->loop;
    msec until_ms = conn->heard_ms + conn->call->idle_max_ms;

    if (loop->now_ms < until_ms) {
        loop_timer_set(loop, &conn->timer, until_ms);
    } else {
        http_conn_fail(conn, ERR_TIMEOUT, "%s: silent for %lld ms", http_conn_addr(conn).text,
                       (long long)conn->call->idle_max_ms);
    }
}

static void on_conn_due(struct loop_timer *timer)
{
    struct http_conn *conn = timer->owner;

    switch (conn->phase) {
    case CONN_RESOLVE:
        http_conn_resolve(conn);
        break;
    case CONN_CONNECT:
        http_conn_try_next_addr(conn, ERR_TIMEOUT);
        break;
    case CONN_SECURE:
        http_conn_fail(conn, ERR_TIMEOUT, "TLS with %s: no answer in time",
                       http_conn_addr(conn).text);
        break;
    case CONN_BUSY:
        conn_check_silence(conn);
        break;
    case CONN_IDLE:
        http_conn_close(conn);
        break;
    case CONN_FREE:
        break;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void http_conn_init(struct http_conn *conn, struct http_client *client)
{
    conn->client = client;
    conn->phase = CONN_FREE;
    conn->engine.mode = TLS_OFF;
    conn->addr_good.family = 0;
    loop_timer_init(&conn->timer, on_conn_due, conn);
    link_init(&conn->link, client->loop, &conn->engine);
    http_parse_init(&conn->parse, HTTP_RESPONSE, conn->head, sizeof conn->head);
}
