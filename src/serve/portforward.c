/*
 * see portforward.h
 *
 * pump() is the session: it moves what the client sent to its connections, and lets them write.
 * Whatever a connection still owes its streams (a sentence, their ends) is done by settle(), again
 * and again until there was room for it.
 */
#include "serve/portforward_parts.h"

#include <stdio.h>

#include "base/check.h"
#include "net/spdy.h"
#include "os/log.h"
#include "serve/tunnel.h"
#include "serve/upgrade.h"

#define OUT_BYTES (40 * 1024)
#define ID_BYTES 24
#define PUMP_EVENTS_MAX 4096

struct session;

struct conn {
    struct session *session; /* NULL: this slot is free */
    char id[ID_BYTES];       /* requestID */
    uint16_t port;
    struct spdy_stream *data; /* NULL: not opened, or over and forgotten */
    struct spdy_stream *error;
    int fd; /* -1: not dialled, or closed */
    struct loop_watch watch;
    struct loop_timer timer; /* connect, stall, linger */
    bool is_started;
    bool is_connected;
    bool is_client_over;         /* the client sends no more */
    bool is_shut;                /* ... and the instance was told */
    bool is_instance_over;       /* the instance sends no more, or the connection has failed */
    char why[FORWARD_WHY_BYTES]; /* for the error stream; what is left of it */
    uint32_t why_bytes;
    struct buf pending; /* from the client, to the instance */
};

struct session {
    struct serve_session base; /* first */
    struct http_exchange *exchange;
    struct sock_addr address;
    bool is_cut;
    struct buf out;
    char out_memory[OUT_BYTES];
    struct spdy_stream slots[2 * FORWARD_CONNS];
    struct conn conns[FORWARD_CONNS];
    struct spdy spdy;
    bool is_tunnelled; /* inside a WebSocket */
    struct tunnel tunnel;
};

/* The pool of the process. */
static struct {
    struct loop *loop;
    struct pool sessions;
    char *pending; /* FORWARD_PENDING_BYTES of each connection of each session; touched when used */
} port;

void forward_init(struct region *region, struct loop *loop, uint32_t sessions_max)
{
    port.loop = loop;
    pool_init(&port.sessions, region, "port forwards", sessions_max, sizeof(struct session));
    size_t conns = (size_t)sessions_max * FORWARD_CONNS;
    port.pending = region_carve(region, "port forwards: waiting", conns, FORWARD_PENDING_BYTES);
}

uint32_t forward_open(void)
{
    return port.sessions.count;
}

struct loop *forward_loop(void)
{
    return port.loop;
}

void *forward_take(struct http_exchange *exchange, size_t bytes)
{
    handle h;
    CHECK(bytes <= sizeof(struct session));
    if (pool_take(&port.sessions, &h) != ERR_OK) {
        serve_refuse(exchange, 429, NULL, "all %u port-forward sessions of this node are in use",
                     port.sessions.count_max);
        return NULL;
    }
    return pool_at(&port.sessions, h);
}

void forward_give(void *session)
{
    pool_give(&port.sessions, pool_handle_of(&port.sessions, session));
}

static void pump(struct session *session);

static void flush(struct session *session)
{
    if (session->is_tunnelled) {
        tunnel_flush(&session->tunnel, session->exchange, &session->out);
        return;
    }
    size_t done = http_stream_put(session->exchange, buf_str(&session->out));
    if (done > 0) {
        buf_drop(&session->out, done);
    }
}

/* ---- one connection: its end ----------------------------------------------------------------- */

static void close_socket(struct conn *conn)
{
    if (conn->fd >= 0) {
        loop_watch_remove(port.loop, &conn->watch);
        sock_close(&conn->fd);
    }
}

/* Forgets a stream that is over on both sides; true when there is none any more. */
static bool drop_stream(struct spdy_stream **stream)
{
    if (*stream != NULL && (*stream)->is_in_over && (*stream)->is_out_over) {
        spdy_forget(*stream);
        *stream = NULL;
    }
    return *stream == NULL;
}

static void free_conn(struct conn *conn)
{
    close_socket(conn);
    loop_timer_clear(port.loop, &conn->timer);
    conn->session = NULL;
}

/* Without a word more: the client's streams are reset. */
static void reset_conn(struct conn *conn)
{
    struct spdy *spdy = &conn->session->spdy;
    if (conn->data != NULL) {
        (void)spdy_reset(spdy, conn->data, SPDY_CANCEL);
    }
    if (conn->error != NULL) {
        (void)spdy_reset(spdy, conn->error, SPDY_CANCEL);
    }
    free_conn(conn);
}

static void fail_conn(struct conn *conn, const char *what)
{
    struct sock_addr to = conn->session->address;
    to.port = conn->port;
    conn->why_bytes = forward_put_why(conn->why, &to, what);
    close_socket(conn);
    conn->is_instance_over = true;
    loop_timer_set(port.loop, &conn->timer, port.loop->now_ms + FORWARD_LINGER_MS);
}

/* What the connection owes its streams; frees it when nothing is left. */
static void settle(struct conn *conn)
{
    struct spdy *spdy = &conn->session->spdy;
    if (conn->is_client_over && conn->pending.bytes == 0 && conn->is_connected && !conn->is_shut &&
        conn->fd >= 0) {
        conn->is_shut = true;
        sock_shut_write(conn->fd);
    }
    if (!conn->is_instance_over) {
        return;
    }
    if (conn->why_bytes > 0 && conn->error != NULL && !conn->error->is_out_over) {
        size_t done = spdy_put(spdy, conn->error, str_make(conn->why, conn->why_bytes));
        memmove(conn->why, conn->why + done, conn->why_bytes - done);
        conn->why_bytes -= (uint32_t)done;
        if (conn->why_bytes > 0) {
            return;
        }
    }
    bool is_said = (conn->data == NULL || spdy_end(spdy, conn->data)) &&
                   (conn->error == NULL || spdy_end(spdy, conn->error));
    bool is_over = drop_stream(&conn->data);
    is_over &= drop_stream(&conn->error);
    if (is_said && is_over && (conn->pending.bytes == 0 || conn->fd < 0)) {
        free_conn(conn);
    }
}

/* ---- one connection: the instance's side ----------------------------------------------------- */

/* Sends what waits; false when the connection has failed. */
static bool send_pending(struct conn *conn)
{
    size_t done = 0;
    while (conn->pending.bytes > 0) {
        enum err err = sock_send(conn->fd, conn->pending.ptr, conn->pending.bytes, &done);
        if (err == ERR_AGAIN) {
            return true;
        }
        if (err != ERR_OK) {
            fail_conn(conn, "the connection broke");
            return false;
        }
        buf_drop(&conn->pending, done);
        loop_timer_set(port.loop, &conn->timer, port.loop->now_ms + FORWARD_STALL_MS);
    }
    if (conn->is_instance_over) {
        loop_timer_set(port.loop, &conn->timer, port.loop->now_ms + FORWARD_LINGER_MS);
    } else {
        loop_timer_clear(port.loop, &conn->timer);
    }
    return true;
}

/* Reads as much as the client's side has room for. */
static void read_instance(struct conn *conn)
{
    static char memory[SPDY_DATA_BYTES_MAX];
    struct session *session = conn->session;
    for (int i = 0; i < 16 && !conn->is_instance_over && conn->data != NULL; i++) {
        size_t room = spdy_room(&session->spdy, conn->data);
        size_t done = 0;
        if (room == 0) {
            return;
        }
        enum err err =
            sock_receive(conn->fd, memory, room < sizeof memory ? room : sizeof memory, &done);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err == ERR_OK) {
            size_t put = spdy_put(&session->spdy, conn->data, str_make(memory, done));
            CHECK(put == done);
            flush(session);
        } else if (err == ERR_END) {
            conn->is_instance_over = true;
            loop_timer_set(port.loop, &conn->timer, port.loop->now_ms + FORWARD_LINGER_MS);
        } else {
            fail_conn(conn, "the connection was reset");
        }
    }
}

static void on_socket(struct loop_watch *watch, uint32_t events)
{
    struct conn *conn = watch->owner;
    struct session *session = conn->session;
    (void)events;
    if (!conn->is_connected) {
        enum err err = sock_connect_result(conn->fd);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK) {
            fail_conn(conn, err_text(err));
            pump(session);
            return;
        }
        conn->is_connected = true;
        loop_timer_clear(port.loop, &conn->timer);
    }
    if (send_pending(conn)) {
        read_instance(conn);
    }
    pump(session); /* there may be room for more of what the client sent */
}

static void dial(struct conn *conn)
{
    struct sock_addr to = conn->session->address;
    to.port = conn->port;
    conn->is_started = true;
    enum err err = sock_connect(&to, &conn->fd);
    if (err == ERR_OK) {
        err = loop_watch_add(port.loop, &conn->watch, conn->fd, LOOP_WRITE, on_socket, conn);
        if (err != ERR_OK) {
            sock_close(&conn->fd);
        }
    }
    if (err != ERR_OK) {
        conn->fd = -1;
        fail_conn(conn, err_text(err));
        return;
    }
    loop_timer_set(port.loop, &conn->timer, port.loop->now_ms + FORWARD_CONNECT_MS);
}

static void on_due(struct loop_timer *timer)
{
    struct conn *conn = timer->owner;
    struct session *session = conn->session;
    if (conn->is_instance_over || !conn->is_started) {
        reset_conn(conn); /* the client has left it lying there */
    } else {
        fail_conn(conn, err_text(ERR_TIMEOUT));
    }
    pump(session);
}

/* Tells the loop what to wait for. */
static void watch_conn(struct conn *conn)
{
    uint32_t events = 0;
    if (conn->fd < 0) {
        return;
    }
    if (!conn->is_connected || conn->pending.bytes > 0) {
        events |= LOOP_WRITE;
    }
    if (conn->is_connected && !conn->is_instance_over && conn->data != NULL &&
        spdy_room(&conn->session->spdy, conn->data) > 0) {
        events |= LOOP_READ;
    }
    loop_watch_set(port.loop, &conn->watch, events);
}

/* ---- streams --------------------------------------------------------------------------------- */

static char *pending_memory(const struct conn *conn)
{
    size_t slot = pool_handle_of(&port.sessions, conn->session).slot - 1;
    slot = slot * FORWARD_CONNS + (size_t)(conn - conn->session->conns);
    return port.pending + slot * FORWARD_PENDING_BYTES;
}

/* The connection of a requestID; a new one when there is none and is_new_wanted. NULL: full. */
static struct conn *find_conn(struct session *session, str id, uint16_t to_port)
{
    struct conn *spare = NULL;
    for (uint32_t i = 0; i < FORWARD_CONNS; i++) {
        struct conn *conn = &session->conns[i];
        if (conn->session == NULL) {
            spare = spare == NULL ? conn : spare;
        } else if (str_eq(str_of(conn->id), id)) {
            return conn;
        }
    }
    if (spare == NULL || id.bytes >= ID_BYTES) {
        return NULL;
    }
    memset(spare, 0, sizeof *spare);
    spare->session = session;
    spare->port = to_port;
    spare->fd = -1;
    spare->watch.fd = -1;
    (void)str_copy(spare->id, sizeof spare->id, id);
    buf_init(&spare->pending, pending_memory(spare), FORWARD_PENDING_BYTES);
    loop_timer_init(&spare->timer, on_due, spare);
    loop_timer_set(port.loop, &spare->timer, port.loop->now_ms + FORWARD_CONNECT_MS);
    return spare;
}

/* The number that pairs two streams. Clients before 1.2 have none: the error stream's own, and the
 * data stream is the next one they open. */
static str request_id(struct session *session, const struct spdy_stream *stream, bool is_data,
                      char memory[static ID_BYTES])
{
    str id = STR_NONE;
    if (!spdy_header(&session->spdy, S("requestid"), &id) || str_is_empty(id)) {
        int bytes = snprintf(memory, ID_BYTES, "#%u", stream->id - (is_data ? 2u : 0u));
        id = str_make(memory, (size_t)bytes);
    }
    return id;
}

static void take_stream(struct session *session, struct spdy_stream *stream)
{
    char memory[ID_BYTES];
    uint64_t to_port = 0;
    str type = STR_NONE;
    str number = STR_NONE;
    (void)spdy_header(&session->spdy, S("streamtype"), &type);
    (void)spdy_header(&session->spdy, S("port"), &number);
    bool is_data = str_eq(type, S("data"));
    bool is_sane = (is_data || str_eq(type, S("error"))) && str_to_u64(number, &to_port) &&
                   to_port > 0 && to_port <= 65535;
    struct conn *conn = is_sane ? find_conn(session, request_id(session, stream, is_data, memory),
                                            (uint16_t)to_port)
                                : NULL;
    struct spdy_stream **place = conn == NULL ? NULL : is_data ? &conn->data : &conn->error;
    if (conn == NULL || *place != NULL || conn->is_started || conn->port != to_port) {
        (void)spdy_reset(&session->spdy, stream, SPDY_REFUSED_STREAM);
        return;
    }
    *place = stream;
    stream->owner = conn;
    spdy_reply(&session->spdy, stream);
    if (conn->data != NULL && conn->error != NULL) {
        dial(conn);
    }
}

/* Room for bytes of this stream; what nobody will read any more has all the room there is. */
static size_t in_room(const struct spdy_stream *stream)
{
    const struct conn *conn = stream->owner;
    if (conn == NULL || stream != conn->data || (conn->is_started && conn->fd < 0)) {
        return SIZE_MAX;
    }
    return conn->pending.bytes_max - conn->pending.bytes;
}

static void take_data(struct spdy_stream *stream, str data)
{
    struct conn *conn = stream->owner;
    if (conn == NULL || stream != conn->data || (conn->is_started && conn->fd < 0)) {
        return;
    }
    bool was_empty = conn->pending.bytes == 0;
    buf_put(&conn->pending, data);
    if (conn->is_connected && was_empty) {
        loop_timer_set(port.loop, &conn->timer, port.loop->now_ms + FORWARD_STALL_MS);
        (void)send_pending(conn);
    }
}

static void take_end(struct spdy_stream *stream, bool is_reset)
{
    struct conn *conn = stream->owner;
    if (conn == NULL) {
        spdy_forget(stream);
        return;
    }
    bool is_data = stream == conn->data;
    if (is_reset) { /* the client has given it up: so do we */
        spdy_forget(stream);
        *(is_data ? &conn->data : &conn->error) = NULL;
        if (is_data) {
            reset_conn(conn);
        }
        return;
    }
    conn->is_client_over |= is_data;
}

/* What was said is sent, then the connection is closed. */
static void leave(struct session *session)
{
    flush(session);
    if (session->is_tunnelled) {
        tunnel_close(&session->tunnel, session->exchange, &session->out);
    }
    session->is_cut = true;
    http_stream_close(session->exchange);
}

/* One event; false when nothing more can be read now. */
static bool take(struct session *session, str *input)
{
    struct spdy_got got;
    enum spdy_event event = spdy_next(&session->spdy, input, 0, &got);
    if (event == SPDY_NEED_ROOM && got.stream != NULL && in_room(got.stream) > 0) {
        event = spdy_next(&session->spdy, input, in_room(got.stream), &got);
    }
    switch (event) {
    case SPDY_NEED_MORE:
    case SPDY_NEED_ROOM:
        return false;
    case SPDY_OPENED:
        take_stream(session, got.stream);
        return true;
    case SPDY_DATA:
        take_data(got.stream, got.piece);
        return true;
    case SPDY_ENDED:
    case SPDY_RESET:
        take_end(got.stream, event == SPDY_RESET);
        return true;
    case SPDY_AWAY:
        return true;
    case SPDY_FAILED:
        break;
    }
    leave(session);
    return false;
}

/* The same inside a WebSocket: what its messages carry is the input of the session. */
static bool take_tunnelled(struct session *session, str *input)
{
    struct tunnel *tunnel = &session->tunnel;
    if (take(session, &tunnel->rest)) {
        return true;
    }
    if (session->is_cut || tunnel->rest.bytes > 0) {
        return false;
    }
    enum tunnel_event event = tunnel_next(tunnel, input);
    if (event == TUNNEL_OVER) {
        leave(session);
    }
    return event == TUNNEL_MOVED;
}

static void pump(struct session *session)
{
    bool goes_on = true;
    bool is_over = false;
    flush(session);
    for (int i = 0; i < PUMP_EVENTS_MAX && goes_on && !session->is_cut; i++) {
        str input = http_stream_ready(session->exchange, &is_over);
        str rest = input;
        if (is_over) {
            break;
        }
        goes_on = session->is_tunnelled ? take_tunnelled(session, &rest) : take(session, &rest);
        http_stream_taken(session->exchange, input.bytes - rest.bytes);
        flush(session);
    }
    for (uint32_t i = 0; i < FORWARD_CONNS && !session->is_cut; i++) {
        struct conn *conn = &session->conns[i];
        if (conn->session != NULL) {
            settle(conn);
        }
        if (conn->session != NULL) {
            watch_conn(conn);
        }
    }
    flush(session);
    if (is_over && !session->is_cut) {
        session->is_cut = true;
        http_stream_close(session->exchange);
    }
}

/* ---- the session ----------------------------------------------------------------------------- */

static void on_moved(struct http_exchange *exchange)
{
    pump(exchange->state);
}

static void on_gone(struct http_exchange *exchange)
{
    struct session *session = exchange->state;
    for (uint32_t i = 0; i < FORWARD_CONNS; i++) {
        if (session->conns[i].session != NULL) {
            free_conn(&session->conns[i]);
        }
    }
    forward_give(session);
}

static const struct http_server_handlers handlers = {
    .on_room = on_moved, .on_data = on_moved, .on_gone = on_gone};

/* False: refused. */
static bool upgrade(struct session *session, bool has_protocol)
{
    struct http_exchange *exchange = session->exchange;
    if (spdy_init(&session->spdy, &session->out, session->slots, 2 * FORWARD_CONNS) != ERR_OK) {
        serve_refuse(exchange, 500, NULL, "SPDY: out of memory");
        return false;
    }
    if (session->is_tunnelled) {
        return tunnel_open(&session->tunnel, exchange);
    }
    http_upgrade(exchange, S("SPDY/3.1"),
                 has_protocol ? S("X-Stream-Protocol-Version: portforward.k8s.io\r\n") : STR_NONE);
    return true;
}

void forward_serve(struct serve *serve, struct http_exchange *exchange,
                   const struct serve_target *target)
{
    struct sock_addr address;
    bool has_protocol = false, is_tunnelled = tunnel_is_offered(exchange);
    if (!is_tunnelled && upgrade_is_to(exchange, S("websocket"))) {
        forward_serve_channels(serve, exchange, target);
        return;
    }
    if (!forward_judge(exchange, is_tunnelled, &has_protocol) ||
        !forward_find(serve, exchange, target, &address)) {
        return;
    }
    struct session *session = forward_take(exchange, sizeof *session);
    if (session == NULL) {
        return;
    }
    session->base.handlers = &handlers;
    session->exchange = exchange;
    session->address = address;
    session->is_tunnelled = is_tunnelled;
    buf_init(&session->out, session->out_memory, sizeof session->out_memory);
    log_line(LOG_INFO, "portforward", "%.*s to %.*s/%.*s%s", STR_ARG(target->user),
             STR_ARG(target->name_space), STR_ARG(target->pod),
             is_tunnelled ? ", in a WebSocket" : "");
    if (!upgrade(session, has_protocol)) {
        forward_give(session);
        return;
    }
    exchange->state = session;
    http_stream_idle_ms(exchange, FORWARD_IDLE_MS);
}
