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
#include "serve/portforward_link.h"
#include "serve/tunnel.h"
#include "serve/upgrade.h"

#define OUT_BYTES (40 * 1024)
#define ID_BYTES 24
#define PUMP_EVENTS_MAX 4096

struct session;

struct conn {
    struct session *session;  /* NULL: this slot is free */
    char id[ID_BYTES];        /* requestID */
    struct spdy_stream *data; /* NULL: not opened, or over and forgotten */
    struct spdy_stream *error;
    struct forward_link link;
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
    forward_link_close(&conn->link);
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

/* True when the client was told all there is to tell. */
static bool tell(struct conn *conn)
{
    struct forward_link *link = &conn->link;
    struct spdy *spdy = &conn->session->spdy;
    if (link->why_bytes > 0 && conn->error != NULL && !conn->error->is_out_over) {
        size_t done = spdy_put(spdy, conn->error, str_make(link->why, link->why_bytes));
        memmove(link->why, link->why + done, link->why_bytes - done);
        link->why_bytes -= (uint32_t)done;
        if (link->why_bytes > 0) {
            return false;
        }
    }
    return (conn->data == NULL || spdy_end(spdy, conn->data)) &&
           (conn->error == NULL || spdy_end(spdy, conn->error));
}

/* What the connection owes its streams; frees it when nothing is left. */
static void settle(struct conn *conn)
{
    struct forward_link *link = &conn->link;
    if (link->is_late) {
        reset_conn(conn); /* the client has left it lying there */
        return;
    }
    if (!link->is_over || !tell(conn)) {
        return;
    }
    forward_link_told(link);
    bool is_over = drop_stream(&conn->data);
    is_over &= drop_stream(&conn->error);
    if (is_over && (link->pending.bytes == 0 || link->fd < 0)) {
        free_conn(conn);
    }
}

/* ---- one connection: the instance's side ----------------------------------------------------- */

/* Reads as much as the client's side has room for. */
static void read_instance(struct conn *conn)
{
    static char memory[SPDY_DATA_BYTES_MAX];
    struct session *session = conn->session;
    for (int i = 0; i < 16 && conn->data != NULL; i++) {
        size_t room = spdy_room(&session->spdy, conn->data);
        str data =
            forward_link_receive(&conn->link, memory, room < sizeof memory ? room : sizeof memory);
        if (data.bytes == 0) {
            return;
        }
        size_t put = spdy_put(&session->spdy, conn->data, data);
        CHECK(put == data.bytes);
        flush(session);
    }
}

static void on_link_moved(struct forward_link *link)
{
    struct conn *conn = link->owner;
    read_instance(conn);
    pump(conn->session); /* there may be room for more of what the client sent */
}

static void watch_conn(struct conn *conn)
{
    bool has_room = conn->data != NULL && spdy_room(&conn->session->spdy, conn->data) > 0;
    forward_link_rest(&conn->link, has_room);
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
    struct sock_addr to = session->address;
    to.port = to_port;
    memset(spare, 0, sizeof *spare);
    spare->session = session;
    (void)str_copy(spare->id, sizeof spare->id, id);
    forward_link_init(&spare->link, port.loop, &to, pending_memory(spare), on_link_moved, spare);
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
    if (conn == NULL || *place != NULL || conn->link.is_dialled || conn->link.to.port != to_port) {
        (void)spdy_reset(&session->spdy, stream, SPDY_REFUSED_STREAM);
        return;
    }
    *place = stream;
    stream->owner = conn;
    spdy_reply(&session->spdy, stream);
    if (conn->data != NULL && conn->error != NULL) {
        forward_link_dial(&conn->link);
    }
}

/* Room for bytes of this stream; what nobody will read any more has all the room there is. */
static size_t in_room(const struct spdy_stream *stream)
{
    const struct conn *conn = stream->owner;
    return conn == NULL || stream != conn->data ? SIZE_MAX : forward_link_room(&conn->link);
}

static void take_data(struct spdy_stream *stream, str data)
{
    struct conn *conn = stream->owner;
    if (conn != NULL && stream == conn->data) {
        forward_link_put(&conn->link, data);
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
    if (is_data) {
        forward_link_end(&conn->link);
    }
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
