/*
 * see http_client.h
 *
 * A call waits in the queue until the kick timer, in a turn of the loop, gives it a connection. The
 * connection then goes through its phases; conn_enter() is the one door between them, and sets the
 * deadline of the new phase:
 *
 *     FREE -> RESOLVE -> CONNECT -> SECURE -> BUSY -> IDLE -> BUSY ...
 *
 * Note on handlers. Any handler may cancel its own or another call, send new calls, refresh or stop
 * the client. So a connection counts what happens to it (`serial`: one more for each call that ends
 * and each time it is closed), and whoever called a handler looks whether the serial has changed
 * before touching anything of the connection again. The call itself is never touched after on_done.
 */
#include "net/http_client.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/codec.h"
#include "net/http_parse.h"
#include "net/link.h"
#include "os/os.h"
#include "os/sock.h"

#define RESOLVE_POLL_MS 20 /* the resolver is shared: its answer is looked for, not delivered */
#define TURN_STEPS_MAX 64  /* reads of one connection (512 KB); then it is others' turn */
#define LEAD_BYTES 512     /* the lines of the request that are ours: version, Host */
#define REQUEST_PARTS 6

enum conn_phase { CONN_FREE, CONN_RESOLVE, CONN_CONNECT, CONN_SECURE, CONN_BUSY, CONN_IDLE };

struct http_conn {
    struct http_client *client;
    enum conn_phase phase;
    uint32_t serial;         /* see above */
    struct http_call *call;  /* NULL when FREE or IDLE */
    struct loop_timer timer; /* deadline of the phase */

    /* where to */
    struct sock_addr addrs[RESOLVE_ADDRS_MAX];
    uint32_t addrs_count;
    uint32_t addr_at;           /* the one being tried or in use */
    struct sock_addr addr_good; /* the one that last worked; family 0: none */
    msec connect_until_ms;
    bool has_asked;   /* the resolver, in this phase RESOLVE */
    bool is_outdated; /* the target has changed since */

    /* the present call */
    str parts[REQUEST_PARTS]; /* of the request, in order */
    uint32_t part_at;
    size_t part_done_bytes; /* of parts[part_at] */
    bool has_put;           /* some of the request went into the engine */
    bool is_reused;         /* the connection has served a call before */
    msec heard_ms;          /* when the last byte came */
    char lead[LEAD_BYTES];

    struct link link;
    struct http_parse parse;
    struct tls_engine engine;
    char head[HTTP_HEAD_BYTES_MAX];
};

static void conn_enter(struct http_conn *conn, enum conn_phase phase);
static void conn_fail(struct http_conn *conn, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- the queue: http_client_send and what follows -------------------------------------------- */

/* Looks at the queue in the next round of timers, never from inside the caller. */
static void client_kick(struct http_client *client)
{
    loop_timer_set(client->loop, &client->kick, client->loop->now_ms);
}

static void on_call_deadline(struct loop_timer *timer);

void http_client_send(struct http_client *client, struct http_call *call)
{
    CHECK(call->client == NULL && call->on_done != NULL && call->method != NULL);
    call->client = client;
    call->conn = NULL;
    call->was_sent = false;
    call->was_repeated = false;
    call->why[0] = 0;
    call->head = (struct http_reply_head){.body_bytes = -1, .retry_after_s = -1};
    loop_timer_init(&call->timer, on_call_deadline, call);
    if (call->deadline_ms > 0) {
        loop_timer_set(client->loop, &call->timer, client->loop->now_ms + call->deadline_ms);
    }
    client->calls++;
    list_push_back(&client->queue, &call->queue_node);
    client_kick(client);
}

/* Takes the call off everything that is ours. */
static void call_detach(struct http_call *call)
{
    struct http_client *client = call->client;

    if (list_has(&call->queue_node)) {
        list_remove(&client->queue, &call->queue_node);
    }
    if (call->conn != NULL) {
        call->conn->call = NULL;
        call->conn->serial++;
        client->in_flight--;
    }
    loop_timer_clear(client->loop, &call->timer);
    call->conn = NULL;
    call->client = NULL;
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

/* An idle connection that was used last is the least likely to be stale, but any will do; a call
 * that met a stale one already gets a fresh one. */
static struct http_conn *client_pick_conn(struct http_client *client, bool must_be_fresh)
{
    struct http_conn *spare = NULL;

    for (uint32_t i = 0; i < client->conns_count; i++) {
        struct http_conn *conn = &client->conns[i];
        if (conn->phase == CONN_IDLE && !must_be_fresh) {
            return conn;
        }
        if (conn->phase == CONN_FREE || (conn->phase == CONN_IDLE && spare == NULL)) {
            spare = conn;
        }
    }
    return spare;
}

static void conn_close(struct http_conn *conn);
static void conn_resolve(struct http_conn *conn);
static void conn_start_request(struct http_conn *conn);

static void conn_take_call(struct http_conn *conn, struct http_call *call)
{
    if (conn->phase == CONN_IDLE && call->was_repeated) {
        conn_close(conn);
    }
    call->conn = conn;
    conn->call = call;
    conn->client->in_flight++;
    if (conn->phase == CONN_IDLE) {
        conn_start_request(conn);
    } else {
        conn_enter(conn, CONN_RESOLVE);
        conn_resolve(conn);
    }
}

/* Only the calls that wait now: one that fails at once may be sent again by its handler. */
static void on_kick(struct loop_timer *timer)
{
    struct http_client *client = timer->owner;

    for (uint32_t left = client->queue.count; left > 0 && client->queue.count > 0; left--) {
        struct list_node *node = list_front(&client->queue);
        struct http_call *call = LIST_OWNER(node, struct http_call, queue_node);
        struct http_conn *conn = client_pick_conn(client, call->was_repeated);
        if (conn == NULL) {
            break;
        }
        list_remove(&client->queue, node);
        conn_take_call(conn, call);
    }
}

/* ---- closing and ending ---------------------------------------------------------------------- */

/* The whole request is with the kernel. */
static bool conn_has_sent_all(struct http_conn *conn)
{
    return conn->part_at == REQUEST_PARTS && (tls_state(&conn->engine) & TLS_HAS_WIRE) == 0;
}

/* Takes leave (close_notify) only when nothing of a request is left inside: the caller may already
 * have been told that it was not sent. */
static void conn_close(struct http_conn *conn)
{
    bool has_request = conn->phase == CONN_BUSY || conn->phase == CONN_IDLE;

    link_close(&conn->link, has_request && conn_has_sent_all(conn));
    conn->serial++;
    conn_enter(conn, CONN_FREE);
}

/* The whole request was sent and the whole reply, but no byte more, has been read. */
static bool conn_is_clean(struct http_conn *conn)
{
    unsigned state = tls_state(&conn->engine);

    return conn_has_sent_all(conn) && conn->parse.head.keeps_alive &&
           (state & (TLS_HAS_PLAIN | TLS_IS_OVER)) == 0;
}

static void conn_finish(struct http_conn *conn, enum err err)
{
    struct http_client *client = conn->client;
    struct http_call *call = conn->call;

    call_detach(call);
    if (err == ERR_OK && !conn->is_outdated && conn_is_clean(conn)) {
        conn->is_reused = true;
        conn_enter(conn, CONN_IDLE);
    } else {
        conn_close(conn);
    }
    client->failures += err != ERR_OK;
    if (client->queue.count > 0) {
        client_kick(client);
    }
    call->on_done(call, err);
}

static void conn_fail(struct http_conn *conn, enum err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    call_explain(conn->call, format, args);
    va_end(args);
    conn_finish(conn, err);
}

/* "10.0.0.1:6443", of the address in use. */
struct addr_text {
    char text[64];
};
static struct addr_text conn_addr(const struct http_conn *conn)
{
    struct addr_text out;
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
    conn_close(conn);
    list_push_front(&conn->client->queue, &call->queue_node);
    client_kick(conn->client);
    return true;
}

/* ---- resolve and connect --------------------------------------------------------------------- */

static bool is_same_addr(const struct sock_addr *a, const struct sock_addr *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Copies the addresses to try; the one that worked last time comes first. */
static void conn_take_addrs(struct http_conn *conn, const struct sock_addr *addrs, uint32_t count)
{
    uint32_t at = 0;

    conn->addrs_count = count;
    conn->addr_at = 0;
    memcpy(conn->addrs, addrs, count * sizeof addrs[0]);
    while (at < count && !is_same_addr(&conn->addrs[at], &conn->addr_good)) {
        at++;
    }
    if (at < count) {
        conn->addrs[at] = conn->addrs[0];
        conn->addrs[0] = conn->addr_good;
    }
}

static void conn_connect(struct http_conn *conn);

static void conn_got_addrs(struct http_conn *conn, const struct sock_addr *addrs, uint32_t count)
{
    if (count == 0) {
        conn_fail(conn, ERR_RESOLVE, "%s: no address found", conn->client->target->host);
        return;
    }
    conn_take_addrs(conn, addrs, count);
    conn->connect_until_ms = conn->client->loop->now_ms + HTTP_CONNECT_MS;
    conn_connect(conn);
}

/* Asks once, then looks again until there is an answer. When the look-up has failed, the last good
 * answer is used. */
static void conn_resolve(struct http_conn *conn)
{
    const struct http_target *target = conn->client->target;
    struct resolve *resolve = target->resolve;
    struct sock_addr addr;

    if (resolve == NULL) {
        bool is_addr = sock_addr_parse(str_of(target->host), target->port, &addr);
        conn_got_addrs(conn, &addr, is_addr ? 1 : 0);
    } else if ((!conn->has_asked && resolve_want(resolve)) || !resolve->is_running) {
        conn_got_addrs(conn, resolve->addrs, resolve->addrs_count);
    } else {
        conn->has_asked = true;
        loop_timer_set(conn->client->loop, &conn->timer,
                       conn->client->loop->now_ms + RESOLVE_POLL_MS);
    }
}

static void on_conn_ready(struct loop_watch *watch, uint32_t events);

/* Starts with the present address; errors that come at once are handled like those that come late.
 */
static enum err conn_dial(struct http_conn *conn)
{
    int fd = -1;
    enum err err = sock_connect(&conn->addrs[conn->addr_at], &fd);

    conn->client->connects++;
    return err != ERR_OK ? err : link_open(&conn->link, fd, on_conn_ready, conn);
}

static void conn_connect(struct http_conn *conn)
{
    enum err err = conn_dial(conn);

    while (err != ERR_OK && conn->addr_at + 1 < conn->addrs_count) {
        conn->addr_at++;
        err = conn_dial(conn);
    }
    if (err != ERR_OK) {
        conn_fail(conn, err, "connect %s: %s", conn_addr(conn).text, err_text(err));
        return;
    }
    conn_enter(conn, CONN_CONNECT);
}

/* This address did not answer, or not in its share of the time; perhaps the next does. */
static void conn_try_next_addr(struct http_conn *conn, enum err err)
{
    link_close(&conn->link, false);
    if (conn->addr_at + 1 < conn->addrs_count) {
        conn->addr_at++;
        conn_connect(conn);
    } else {
        conn_fail(conn, err, "connect %s: %s", conn_addr(conn).text, err_text(err));
    }
}

static void conn_turn(struct http_conn *conn);

static void conn_secure(struct http_conn *conn)
{
    const struct http_target *target = conn->client->target;
    uint8_t seed[TLS_SEED_BYTES];

    conn->addr_good = conn->addrs[conn->addr_at];
    conn->is_outdated = false;
    conn->is_reused = false;
    conn->has_put = false;
    if (target->is_tls) {
        os_random(seed, sizeof seed);
        tls_start_client(&conn->engine, target->trust, target->identity, str_of(target->host),
                         target->skip_verify, seed);
    } else {
        tls_start_plain(&conn->engine);
    }
    conn_enter(conn, CONN_SECURE);
    if (conn->engine.is_open) {
        conn_start_request(conn);
    } else {
        conn_turn(conn);
    }
}

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

static void conn_start_request(struct http_conn *conn)
{
    if (!is_sendable_path(conn->call->path)) {
        conn_fail(conn, ERR_INVALID, "the request's path has characters that must be encoded");
        return;
    }
    http_parse_reset(&conn->parse, strcmp(conn->call->method, "HEAD") == 0);
    conn_write_request(conn);
    conn->heard_ms = conn->client->loop->now_ms;
    conn_enter(conn, CONN_BUSY);
    conn_turn(conn);
}

/* Moves as much of the request into the engine as it takes. */
static bool conn_put(struct http_conn *conn)
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
    conn_fail(conn, ERR_BAD_REPLY, "%s: %s", conn_addr(conn).text, conn->parse.why);
}

/* Parses what has come, telling the call. Returns when it is used up or the connection has changed
 * under us (see the note on top). */
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
            conn_finish(conn, ERR_OK);
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

static bool conn_read(struct http_conn *conn)
{
    str input = tls_plain_ready(&conn->engine);

    if (input.bytes > 0) {
        conn_take(conn, input);
    }
    return input.bytes > 0;
}

/* The engine has come to its end while a call was under way. */
static void conn_over(struct http_conn *conn)
{
    enum err err = conn->engine.err;

    if (conn->phase == CONN_SECURE) {
        conn_fail(conn, err == ERR_END ? ERR_CLOSED : err, "TLS with %s: %s", conn_addr(conn).text,
                  conn->engine.why);
    } else if (err == ERR_END && http_parse_end(&conn->parse) == HTTP_DONE) {
        conn_finish(conn, ERR_OK);
    } else if ((err != ERR_END && err != ERR_CLOSED) || !conn_repeat_call(conn)) {
        conn_fail(conn, err == ERR_END ? ERR_CLOSED : err, "%s: %s %s", conn_addr(conn).text,
                  conn->engine.why,
                  http_parse_has_begun(&conn->parse) ? "within the reply" : "before the reply");
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

/* One record or so in each direction; false when nothing moved. */
static bool conn_step(struct http_conn *conn)
{
    uint64_t received = conn->link.received_bytes;
    bool moved = conn->phase == CONN_BUSY && conn_put(conn);
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

/* Pumps a connection that has a call, as long as something moves and it is its turn. */
static void conn_turn(struct http_conn *conn)
{
    uint32_t serial = conn->serial;

    for (int steps = 0; steps < TURN_STEPS_MAX && conn_step(conn); steps++) {
        if (conn->phase == CONN_SECURE && conn->engine.is_open) {
            conn_start_request(conn);
            return;
        }
        while (conn->phase == CONN_BUSY && conn_read(conn)) {
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
        (void)conn_put(conn);
    }
    link_rest(&conn->link);
}

static void on_conn_ready(struct loop_watch *watch, uint32_t events)
{
    struct http_conn *conn = watch->owner;
    enum err err;

    (void)events;
    switch (conn->phase) {
    case CONN_CONNECT:
        err = sock_connect_result(conn->link.fd);
        if (err == ERR_OK) {
            conn_secure(conn);
        } else if (err != ERR_AGAIN) {
            conn_try_next_addr(conn, err);
        }
        break;
    case CONN_SECURE:
    case CONN_BUSY:
        conn_turn(conn);
        break;
    case CONN_IDLE: /* nothing was asked, so anything that comes ends it: close, 408, noise */
        conn_close(conn);
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

static void conn_enter(struct http_conn *conn, enum conn_phase phase)
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
        conn_fail(conn, ERR_TIMEOUT, "%s: silent for %lld ms", conn_addr(conn).text,
                  (long long)conn->call->idle_max_ms);
    }
}

static void on_conn_due(struct loop_timer *timer)
{
    struct http_conn *conn = timer->owner;

    switch (conn->phase) {
    case CONN_RESOLVE:
        conn_resolve(conn);
        break;
    case CONN_CONNECT:
        conn_try_next_addr(conn, ERR_TIMEOUT);
        break;
    case CONN_SECURE:
        conn_fail(conn, ERR_TIMEOUT, "TLS with %s: no answer in time", conn_addr(conn).text);
        break;
    case CONN_BUSY:
        conn_check_silence(conn);
        break;
    case CONN_IDLE:
        conn_close(conn);
        break;
    case CONN_FREE:
        break;
    }
}

static const char *const phase_texts[] = {
    [CONN_FREE] = "waiting",
    [CONN_RESOLVE] = "resolving the name",
    [CONN_CONNECT] = "connecting",
    [CONN_SECURE] = "in the TLS handshake",
    [CONN_BUSY] = "waiting for the reply",
    [CONN_IDLE] = "waiting",
};

static void on_call_deadline(struct loop_timer *timer)
{
    struct http_call *call = timer->owner;
    struct http_client *client = call->client;
    struct http_conn *conn = call->conn;

    if (conn != NULL) {
        conn_fail(conn, ERR_TIMEOUT, "%s: no reply in %lld ms, %s", client->target->host,
                  (long long)call->deadline_ms, phase_texts[conn->phase]);
        return;
    }
    struct buf why;
    buf_init(&why, call->why, sizeof call->why);
    buf_put_fmt(&why, "no connection was free for %lld ms", (long long)call->deadline_ms);
    (void)buf_cstr(&why);
    call_detach(call);
    client->failures++;
    call->on_done(call, ERR_TIMEOUT);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void conn_init(struct http_conn *conn, struct http_client *client)
{
    conn->client = client;
    conn->phase = CONN_FREE;
    conn->engine.mode = TLS_OFF;
    conn->addr_good.family = 0;
    loop_timer_init(&conn->timer, on_conn_due, conn);
    link_init(&conn->link, client->loop, &conn->engine);
    http_parse_init(&conn->parse, HTTP_RESPONSE, conn->head, sizeof conn->head);
}

void http_client_init(struct http_client *client, struct loop *loop, struct region *region,
                      const char *name, uint32_t conns_count, const struct http_target *target)
{
    CHECK(conns_count > 0);
    *client = (struct http_client){
        .loop = loop, .target = target, .name = name, .conns_count = conns_count};
    client->conns = region_carve(region, name, conns_count, sizeof(struct http_conn));
    list_init(&client->queue);
    loop_timer_init(&client->kick, on_kick, client);
    for (uint32_t i = 0; client->conns != NULL && i < conns_count; i++) {
        conn_init(&client->conns[i], client);
    }
}

void http_client_cancel(struct http_client *client, struct http_call *call)
{
    struct http_conn *conn = call->conn;

    if (call->client == NULL) {
        return; /* never sent, or done already */
    }
    CHECK(call->client == client);
    call_detach(call);
    if (conn != NULL) {
        conn_close(conn);
    }
    if (client->queue.count > 0) {
        client_kick(client);
    }
}

/* A handshake under way still looks at the old certificates, so it begins anew with the new ones.
 */
void http_client_refresh(struct http_client *client)
{
    for (uint32_t i = 0; i < client->conns_count; i++) {
        struct http_conn *conn = &client->conns[i];
        conn->addr_good.family = 0;
        if (conn->phase == CONN_IDLE) {
            conn_close(conn);
        } else if (conn->phase == CONN_BUSY) {
            conn->is_outdated = true;
        } else if (conn->phase == CONN_CONNECT || conn->phase == CONN_SECURE) {
            link_close(&conn->link, false);
            conn->serial++;
            conn_enter(conn, CONN_RESOLVE);
        }
    }
}

void http_client_stop(struct http_client *client)
{
    while (client->queue.count > 0) {
        struct list_node *node = list_front(&client->queue);
        call_detach(LIST_OWNER(node, struct http_call, queue_node));
    }
    for (uint32_t i = 0; i < client->conns_count; i++) {
        struct http_conn *conn = &client->conns[i];
        if (conn->call != NULL) {
            call_detach(conn->call);
        }
        if (conn->phase != CONN_FREE) {
            conn_close(conn);
        }
    }
    loop_timer_clear(client->loop, &client->kick);
}
