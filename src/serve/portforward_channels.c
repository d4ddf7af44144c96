/*
 * see portforward.h: the older WebSocket form (kubelet's pkg/kubelet/cri/streaming/portforward/
 * websocket.go), spoken by client libraries and passed on by API servers of all versions.
 *
 * The query names the ports. Of port number i the channels are 2i (data, both ways) and 2i + 1
 * (error, from us); each begins with the port, two bytes, little-endian. All are dialled at once.
 * There is no half-close and no end of one channel: when no connection is left the WebSocket is
 * closed.
 */
#include "base/check.h"
#include "net/websocket_channel.h"
#include "os/log.h"
#include "serve/portforward_parts.h"
#include "serve/tunnel.h"
#include "serve/upgrade.h"

#define BASE64_PROTOCOL "v4.base64.channel.k8s.io"
#define PORTS_MAX 5 /* in base64 a channel is a digit */
#define OUT_BYTES (20 * 1024)
#define SPARE_BYTES 1024 /* of it, kept free of data: sentences, pongs, the end */
#define READ_BYTES 4096
#define PUMP_EVENTS_MAX 4096

static const uint8_t no_mask[4]; /* a server masks nothing */

struct session;

struct lane {
    struct session *session;
    uint16_t port;
    uint8_t channel; /* of its data; its errors: the next one */
    int fd;          /* -1: closed */
    struct loop_watch watch;
    struct loop_timer timer; /* connect, stall */
    bool is_connected;
    char why[FORWARD_WHY_BYTES];
    uint32_t why_bytes;
    struct buf pending; /* from the client */
    char pending_memory[FORWARD_PENDING_BYTES];
};

struct session {
    struct serve_session base; /* first */
    struct http_exchange *exchange;
    struct sock_addr address;
    bool is_base64;
    bool is_said; /* the end is in out */
    bool is_cut;
    struct buf out;
    char out_memory[OUT_BYTES];
    struct lane lanes[PORTS_MAX];
    uint32_t lanes_count;
    struct websocket ws;
    struct channel_reader reader;
};

static void pump(struct session *session);

static void flush(struct session *session)
{
    size_t done = http_stream_put(session->exchange, buf_str(&session->out));
    if (done > 0) {
        buf_drop(&session->out, done);
    }
}

static void cut(struct session *session, uint16_t code)
{
    (void)websocket_put_close(&session->ws, &session->out, code, no_mask);
    flush(session);
    session->is_cut = true;
    http_stream_close(session->exchange);
}

/* ---- one connection -------------------------------------------------------------------------- */

static void close_lane(struct lane *lane)
{
    loop_timer_clear(forward_loop(), &lane->timer);
    if (lane->fd >= 0) {
        loop_watch_remove(forward_loop(), &lane->watch);
        sock_close(&lane->fd);
    }
}

static void fail_lane(struct lane *lane, const char *what)
{
    struct sock_addr to = lane->session->address;
    to.port = lane->port;
    lane->why_bytes = forward_put_why(lane->why, &to, what);
    close_lane(lane);
}

static void set_timer(struct lane *lane, msec wait_ms)
{
    loop_timer_set(forward_loop(), &lane->timer, forward_loop()->now_ms + wait_ms);
}

/* False when the connection has failed. */
static bool send_pending(struct lane *lane)
{
    size_t done = 0;
    while (lane->pending.bytes > 0) {
        enum err err = sock_send(lane->fd, lane->pending.ptr, lane->pending.bytes, &done);
        if (err == ERR_AGAIN) {
            return true;
        }
        if (err != ERR_OK) {
            fail_lane(lane, "the connection broke");
            return false;
        }
        buf_drop(&lane->pending, done);
        set_timer(lane, FORWARD_STALL_MS);
    }
    loop_timer_clear(forward_loop(), &lane->timer);
    return true;
}

/* Most bytes of data that a message may carry now. */
static size_t out_room(const struct session *session)
{
    size_t room = session->out.bytes_max - session->out.bytes;
    return room > SPARE_BYTES ? (room - SPARE_BYTES) / 4 * 3 : 0;
}

static void put_message(struct session *session, uint8_t channel, str data)
{
    size_t done =
        channel_put(&session->ws, session->is_base64, &session->out, channel, data, no_mask, NULL);
    CHECK(done == data.bytes); /* there was room */
    flush(session);
}

static void read_lane(struct lane *lane)
{
    static char memory[READ_BYTES];
    struct session *session = lane->session;
    for (int i = 0; i < 16 && lane->fd >= 0 && out_room(session) > 0; i++) {
        size_t room = out_room(session);
        size_t done = 0;
        enum err err =
            sock_receive(lane->fd, memory, room < sizeof memory ? room : sizeof memory, &done);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err == ERR_OK) {
            put_message(session, lane->channel, str_make(memory, done));
        } else if (err == ERR_END) {
            close_lane(lane);
        } else {
            fail_lane(lane, "the connection was reset");
        }
    }
}

static void on_socket(struct loop_watch *watch, uint32_t events)
{
    struct lane *lane = watch->owner;
    (void)events;
    if (!lane->is_connected) {
        enum err err = sock_connect_result(lane->fd);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK) {
            fail_lane(lane, err_text(err));
            pump(lane->session);
            return;
        }
        lane->is_connected = true;
        set_timer(lane, FORWARD_STALL_MS);
    }
    if (send_pending(lane)) {
        read_lane(lane);
    }
    pump(lane->session); /* there may be room for more of what the client sent */
}

static void on_due(struct loop_timer *timer)
{
    struct lane *lane = timer->owner;
    fail_lane(lane, err_text(ERR_TIMEOUT));
    pump(lane->session);
}

static void dial(struct lane *lane)
{
    struct sock_addr to = lane->session->address;
    to.port = lane->port;
    enum err err = sock_connect(&to, &lane->fd);
    if (err == ERR_OK) {
        err = loop_watch_add(forward_loop(), &lane->watch, lane->fd, LOOP_WRITE, on_socket, lane);
        if (err != ERR_OK) {
            sock_close(&lane->fd);
        }
    }
    if (err == ERR_OK) {
        set_timer(lane, FORWARD_CONNECT_MS);
    } else {
        lane->fd = -1;
        fail_lane(lane, err_text(err));
    }
}

static void watch_lane(struct lane *lane)
{
    uint32_t events = 0;
    if (lane->fd < 0) {
        return;
    }
    if (!lane->is_connected || lane->pending.bytes > 0) {
        events |= LOOP_WRITE;
    }
    if (lane->is_connected && out_room(lane->session) > 0) {
        events |= LOOP_READ;
    }
    loop_watch_set(forward_loop(), &lane->watch, events);
}

/* ---- messages of the client ------------------------------------------------------------------ */

/* Nobody knows whose the next message is: when one connection is full, all wait. */
static size_t in_room(const struct session *session)
{
    size_t room = SIZE_MAX;
    for (uint32_t i = 0; i < session->lanes_count; i++) {
        const struct lane *lane = &session->lanes[i];
        size_t here = lane->pending.bytes_max - lane->pending.bytes;
        room = lane->fd >= 0 && here < room ? here : room;
    }
    return channel_piece_room(session->is_base64, room);
}

/* What is for a connection that has ended, or for nobody, is dropped. */
static bool take_message(struct session *session, const struct websocket_got *got)
{
    str data;
    if (!channel_read(&session->reader, got, &data)) {
        return false;
    }
    uint8_t channel = session->reader.channel;
    bool is_data = data.bytes > 0 && channel % 2 == 0 && channel / 2u < session->lanes_count;
    struct lane *lane = is_data ? &session->lanes[channel / 2u] : NULL;
    if (lane != NULL && lane->fd >= 0) {
        bool was_empty = lane->pending.bytes == 0;
        buf_put(&lane->pending, data);
        if (lane->is_connected && was_empty) {
            set_timer(lane, FORWARD_STALL_MS);
            (void)send_pending(lane);
        }
    }
    return true;
}

/* One event; false when nothing more can be read now. */
static bool take(struct session *session, str *input)
{
    struct websocket_got got;
    if (session->out.bytes_max - session->out.bytes < SPARE_BYTES / 2) {
        return false; /* no room for a pong */
    }
    switch (websocket_next(&session->ws, input, in_room(session), &got)) {
    case WEBSOCKET_NEED_MORE:
    case WEBSOCKET_NEED_ROOM:
        return false;
    case WEBSOCKET_DATA:
        if (take_message(session, &got)) {
            return true;
        }
        break;
    case WEBSOCKET_PINGED:
        (void)websocket_put(&session->ws, &session->out, WEBSOCKET_PONG, got.piece, no_mask);
        return true;
    case WEBSOCKET_PONGED:
        return true;
    case WEBSOCKET_CLOSED:
        cut(session, WEBSOCKET_CODE_NORMAL);
        return false;
    case WEBSOCKET_FAILED:
        break;
    }
    cut(session, WEBSOCKET_CODE_BROKEN);
    return false;
}

/* ---- the session ----------------------------------------------------------------------------- */

/* Sentences that are owed; the end when no connection is left. */
static void settle(struct session *session)
{
    bool is_alive = false;
    for (uint32_t i = 0; i < session->lanes_count; i++) {
        struct lane *lane = &session->lanes[i];
        if (lane->why_bytes > 0 &&
            session->out.bytes_max - session->out.bytes > 2 * FORWARD_WHY_BYTES) {
            put_message(session, lane->channel + 1, str_make(lane->why, lane->why_bytes));
            lane->why_bytes = 0;
        }
        is_alive |= lane->fd >= 0 || lane->why_bytes > 0;
        watch_lane(lane);
    }
    if (!is_alive && !session->is_said) {
        session->is_said =
            websocket_put_close(&session->ws, &session->out, WEBSOCKET_CODE_NORMAL, no_mask);
    }
}

static void pump(struct session *session)
{
    bool goes_on = !session->is_cut;
    bool is_over = false;
    flush(session);
    for (int i = 0; i < PUMP_EVENTS_MAX && goes_on; i++) {
        str input = http_stream_ready(session->exchange, &is_over);
        str rest = input;
        if (is_over) {
            break;
        }
        goes_on = take(session, &rest);
        http_stream_taken(session->exchange, input.bytes - rest.bytes);
        flush(session);
    }
    if (is_over && !session->is_cut) {
        session->is_cut = true;
        http_stream_close(session->exchange);
    }
    if (!session->is_cut) {
        settle(session);
        flush(session);
    }
    if (session->is_said && session->out.bytes == 0 && !session->is_cut) {
        session->is_cut = true;
        http_stream_close(session->exchange);
    }
}

static void on_moved(struct http_exchange *exchange)
{
    pump(exchange->state);
}

static void on_gone(struct http_exchange *exchange)
{
    struct session *session = exchange->state;
    for (uint32_t i = 0; i < session->lanes_count; i++) {
        close_lane(&session->lanes[i]);
    }
    forward_give(session);
}

static const struct http_server_handlers handlers = {
    .on_room = on_moved, .on_data = on_moved, .on_gone = on_gone};

/* ---- the request ----------------------------------------------------------------------------- */

/* The query's ports: "port=80&port=81" or "port=80,81". False: the refusal is sent. */
static bool read_ports(struct http_exchange *exchange, uint16_t ports[static PORTS_MAX],
                       uint32_t *count)
{
    size_t at = 0;
    str list;
    str number;
    while (serve_query_next(exchange, "port", &at, &list)) {
        do {
            uint64_t port = 0;
            bool is_port =
                str_cut(&list, ',', &number) && str_to_u64(number, &port) && port <= 65535;
            if (!is_port || port == 0 || *count == PORTS_MAX) {
                serve_refuse(exchange, 400, NULL,
                             "\"port\" of the query must be 1 to %d numbers from 1 to 65535",
                             PORTS_MAX);
                return false;
            }
            ports[(*count)++] = (uint16_t)port;
        } while (list.bytes > 0);
    }
    if (*count == 0) {
        serve_refuse(exchange, 400, NULL, "the query must name a \"port\"");
    }
    return *count > 0;
}

/* The protocol's name, NULL: the client named none. False: the refusal is sent. */
static bool read_protocol(struct http_exchange *exchange, const char **protocol)
{
    static const char *const known[] = {"v4.channel.k8s.io", BASE64_PROTOCOL};
    str list = STR_NONE;
    *protocol = NULL;
    if (!http_exchange_header(exchange, S("sec-websocket-protocol"), &list)) {
        return true;
    }
    for (str name; str_cut(&list, ',', &name);) {
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            if (str_eq(str_trim(name), str_of(known[i]))) {
                *protocol = known[i];
                return true;
            }
        }
    }
    serve_refuse(exchange, 403, "Forbidden",
                 "unable to upgrade: of Sec-WebSocket-Protocol only v4.channel.k8s.io, "
                 "v4.base64.channel.k8s.io and " TUNNEL_PROTOCOL " are known");
    return false;
}

static void open_lane(struct session *session, uint32_t i, uint16_t port)
{
    struct lane *lane = &session->lanes[i];
    const char bytes[2] = {(char)(port & 0xff), (char)(port >> 8)};
    lane->session = session;
    lane->port = port;
    lane->channel = (uint8_t)(2 * i);
    lane->fd = lane->watch.fd = -1;
    buf_init(&lane->pending, lane->pending_memory, sizeof lane->pending_memory);
    loop_timer_init(&lane->timer, on_due, lane);
    put_message(session, lane->channel, str_make(bytes, sizeof bytes));
    put_message(session, lane->channel + 1, str_make(bytes, sizeof bytes));
    dial(lane);
}

void forward_serve_channels(struct serve *serve, struct http_exchange *exchange,
                            const struct serve_target *target)
{
    struct sock_addr address;
    uint16_t ports[PORTS_MAX];
    uint32_t count = 0;
    const char *protocol;
    if (!read_protocol(exchange, &protocol) || !read_ports(exchange, ports, &count) ||
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
    session->is_base64 = protocol != NULL && strcmp(protocol, BASE64_PROTOCOL) == 0;
    session->lanes_count = count;
    buf_init(&session->out, session->out_memory, sizeof session->out_memory);
    websocket_init(&session->ws, WEBSOCKET_SERVER);
    channel_reader_init(&session->reader, session->is_base64);
    log_line(LOG_INFO, "portforward", "%.*s to %.*s/%.*s", STR_ARG(target->user),
             STR_ARG(target->name_space), STR_ARG(target->pod));
    if (!upgrade_to_websocket(exchange, protocol)) {
        forward_give(session);
        return;
    }
    exchange->state = session;
    http_stream_idle_ms(exchange, FORWARD_IDLE_MS);
    for (uint32_t i = 0; i < count; i++) {
        open_lane(session, i, ports[i]);
    }
    pump(session);
}
