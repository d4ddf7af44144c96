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
#include "serve/portforward_link.h"
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
    uint8_t channel; /* of its data; its errors: the next one */
    struct forward_link link;
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
    for (int i = 0; i < 16; i++) {
        size_t room = out_room(session);
        str data =
            forward_link_receive(&lane->link, memory, room < sizeof memory ? room : sizeof memory);
        if (data.bytes == 0) {
            return;
        }
        put_message(session, lane->channel, data);
    }
}

static void on_link_moved(struct forward_link *link)
{
    struct lane *lane = link->owner;
    read_lane(lane);
    pump(lane->session); /* there may be room for more of what the client sent */
}

/* ---- messages of the client ------------------------------------------------------------------ */

/* Nobody knows whose the next message is: when one connection is full, all wait. */
static size_t in_room(const struct session *session)
{
    size_t room = SIZE_MAX;
    for (uint32_t i = 0; i < session->lanes_count; i++) {
        size_t here = forward_link_room(&session->lanes[i].link);
        room = here < room ? here : room;
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
    if (is_data) {
        forward_link_put(&session->lanes[channel / 2u].link, data);
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

/* The sentence that is owed, and the end. The client cannot be told that the instance has ended its
 * side: what was sent before still goes through, then the connection is closed. True: it lives. */
static bool settle_lane(struct session *session, struct lane *lane)
{
    struct forward_link *link = &lane->link;
    if (link->why_bytes > 0 &&
        session->out.bytes_max - session->out.bytes > 2 * FORWARD_WHY_BYTES) {
        put_message(session, lane->channel + 1, str_make(link->why, link->why_bytes));
        link->why_bytes = 0;
    }
    if (link->is_over && (link->pending.bytes == 0 || link->is_late)) {
        forward_link_close(link);
    }
    forward_link_rest(link, out_room(session) > 0);
    return link->fd >= 0 || link->why_bytes > 0;
}

/* Closes the WebSocket when no connection is left. */
static void settle(struct session *session)
{
    bool is_alive = false;
    for (uint32_t i = 0; i < session->lanes_count; i++) {
        is_alive |= settle_lane(session, &session->lanes[i]);
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
        forward_link_close(&session->lanes[i].link);
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
    uint32_t at = 0;
    str list;
    bool has_list = false;
    *protocol = NULL;
    while (http_exchange_header_next(exchange, S("sec-websocket-protocol"), &at, &list)) {
        has_list = true;
        for (str name; str_cut(&list, ',', &name);) {
            for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
                if (str_eq(str_trim(name), str_of(known[i]))) {
                    *protocol = known[i];
                    return true;
                }
            }
        }
    }
    if (!has_list) {
        return true;
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
    struct sock_addr to = session->address;
    to.port = port;
    lane->session = session;
    lane->channel = (uint8_t)(2 * i);
    forward_link_init(&lane->link, forward_loop(), &to, lane->pending_memory, on_link_moved, lane);
    put_message(session, lane->channel, str_make(bytes, sizeof bytes));
    put_message(session, lane->channel + 1, str_make(bytes, sizeof bytes));
    forward_link_dial(&lane->link);
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
