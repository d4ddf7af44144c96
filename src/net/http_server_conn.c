/*
 * One connection of the HTTPS server: see http_server_conn.h. conn_enter() is the one door between
 * phases and sets the deadline of the new one.
 *
 * Note on handlers. They run inside conn_pump() of their connection; what they call only marks what
 * is wanted (is_ending, is_cut, bytes in `out`), and the pump, which is still at work, does it.
 * Calls from elsewhere kick the connection instead.
 */
#include "net/http_server_conn.h"

#include "base/check.h"
#include "os/os.h"

#define TURN_STEPS_MAX 64    /* of one connection (128 KB out, 1 MB in); then it is others' turn */
#define OUT_KEPT_BYTES 8192u /* more than this is given back to the kernel between requests */
#define OUT_SCARCE (CONN_OUT_BYTES / 2)
#define BODY_TOO_LARGE "the body is too large\n"

static void conn_enter(struct http_conn *conn, enum conn_phase phase);

/* ---- end of an exchange ---------------------------------------------------------------------- */

static void conn_give_body(struct http_conn *conn)
{
    if (conn->body >= 0) {
        server_give_body(conn->exchange.server, conn->body, conn->exchange.body.bytes);
        conn->body = -1;
    }
}

/* on_gone is the owner's last word on this exchange. */
static void conn_end_exchange(struct http_conn *conn)
{
    struct http_exchange *exchange = &conn->exchange;

    if (conn->is_given) {
        conn->is_given = false;
        if (exchange->server->config.handlers->on_gone != NULL) {
            exchange->server->config.handlers->on_gone(exchange);
        }
    }
    conn_give_body(conn);
    conn->answer = ANSWER_NONE;
    conn->is_ending = conn->wants_room = conn->was_told = false;
    conn->idle_ms = 0;
    *exchange = (struct http_exchange){
        .server = exchange->server, .owner = exchange->owner, .from = exchange->from};
}

static void conn_release_out(struct http_conn *conn, size_t kept_bytes)
{
    if (conn->out_peak > kept_bytes) {
        os_map_release_pages(conn->out, conn->out_peak);
    }
    conn->out_from = conn->out_to = conn->out_peak = 0;
}

void conn_close(struct http_conn *conn, bool is_polite)
{
    struct http_server *server = conn->exchange.server;

    if (conn->phase == CONN_FREE) {
        return;
    }
    conn_end_exchange(conn);
    link_close(&conn->link, is_polite);
    if (list_has(&conn->kick_node)) {
        list_remove(&server->kicked, &conn->kick_node);
    }
    if (list_has(&conn->shake_node)) {
        list_remove(&server->shaking, &conn->shake_node);
    }
    conn_release_out(conn, 0);
    os_map_release_pages(conn->engine, CONN_ROOM_BYTES); /* zeroed: an engine that is off */
    conn->is_cut = false;
    conn_enter(conn, CONN_FREE);
    server_count_out(conn);
    server->open_count--;
}

/* Says goodbye and waits for the peer to have read it: a descriptor that is closed while bytes of
 * the peer are unread resets the connection, and the reset may overtake our last words. */
static void conn_leave(struct http_conn *conn)
{
    conn_end_exchange(conn);
    conn->is_shut = false;
    tls_plain_taken(conn->engine, tls_plain_ready(conn->engine).bytes);
    tls_close(conn->engine);
    conn_enter(conn, CONN_LEAVING);
}

static void conn_finish_exchange(struct http_conn *conn)
{
    bool goes_on = conn->keeps_alive && conn->phase != CONN_STREAM;

    if (!goes_on) {
        conn_leave(conn);
        return;
    }
    conn_end_exchange(conn);
    conn_release_out(conn, OUT_KEPT_BYTES);
    conn->has_served = true;
    http_parse_reset(&conn->parse, false);
    conn_enter(conn, CONN_IDLE);
}

/* ---- requests -------------------------------------------------------------------------------- */

void conn_refuse(struct http_conn *conn, int status, str why)
{
    conn->exchange.server->counters.bad_requests++;
    conn->keeps_alive = false;
    conn->answer = ANSWER_WHOLE;
    conn->is_ending = true;
    conn_put_head(conn, status, S("text/plain"), (int64_t)why.bytes);
    CHECK(conn_out_put(conn, why));
    conn_give_body(conn);
    conn_enter(conn, CONN_WORK);
}

/* NULL: none was shown that counts, or it has ended meanwhile. */
static const struct x509_subject *conn_peer(const struct http_conn *conn)
{
    const struct tls_engine *engine = conn->engine;
    bool counts = engine->is_peer_known && engine->trust->wall_s() <= engine->peer_not_after_s;
    return counts ? &engine->peer : NULL;
}

static void conn_got_head(struct http_conn *conn)
{
    struct http_exchange *exchange = &conn->exchange;
    const struct http_head *head = &conn->parse.head;
    ptrdiff_t mark = str_find_char(head->target, '?');
    size_t path_bytes = mark < 0 ? head->target.bytes : (size_t)mark;

    exchange->method = head->method;
    exchange->path = str_sub(head->target, 0, path_bytes);
    exchange->query = str_sub(head->target, path_bytes + 1, head->target.bytes);
    exchange->wants_upgrade = head->wants_upgrade;
    exchange->peer = conn_peer(conn);
    conn->keeps_alive = head->keeps_alive;
    if (head->body_bytes == 0 && !head->is_chunked) {
        return;
    }
    if (head->body_bytes > (int64_t)exchange->server->config.body_bytes_max) {
        conn_refuse(conn, 413, S(BODY_TOO_LARGE));
        return;
    }
    conn->body = server_take_body(exchange->server);
    if (conn->body < 0 && server_free_body(exchange->server, conn->host)) {
        conn->body = server_take_body(exchange->server);
    }
    if (conn->body < 0) {
        conn_refuse(conn, 503, S("no room for a body now\n"));
        return;
    }
    exchange->body = str_make(server_body(exchange->server, conn->body), 0);
    if (head->expects_continue && head->version_minor > 0) {
        (void)conn_out_put(conn, S("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    conn_enter(conn, CONN_BODY);
}

static void conn_got_body(struct http_conn *conn, str piece)
{
    struct http_exchange *exchange = &conn->exchange;
    size_t room = exchange->server->config.body_bytes_max - exchange->body.bytes;

    if (piece.bytes > room) {
        conn_refuse(conn, 413, S(BODY_TOO_LARGE));
        return;
    }
    memcpy(server_body(exchange->server, conn->body) + exchange->body.bytes, piece.ptr,
           piece.bytes);
    exchange->body.bytes += piece.bytes;
}

static void conn_got_request(struct http_conn *conn)
{
    struct http_server *server = conn->exchange.server;

    server->counters.requests++;
    conn->is_given = true;
    conn_enter(conn, CONN_WORK);
    server->config.handlers->on_request(&conn->exchange);
}

/* One event of the reader; false when there is nothing more to be read now. */
static bool conn_read(struct http_conn *conn)
{
    str input = tls_plain_ready(conn->engine);
    size_t bytes = input.bytes;
    str piece;

    if (conn->phase == CONN_IDLE) {
        if (bytes == 0) {
            return false;
        }
        conn_enter(conn, CONN_HEAD);
    }
    enum http_event event = http_parse_next(&conn->parse, &input, &piece);
    if (event == HTTP_HEAD) {
        conn_got_head(conn);
    } else if (event == HTTP_BODY) {
        conn_got_body(conn, piece);
    }
    tls_plain_taken(conn->engine, bytes - input.bytes);
    if (event == HTTP_DONE) {
        conn_got_request(conn);
    } else if (event == HTTP_FAILED) {
        if (conn->parse.err == ERR_TOO_BIG) {
            conn_refuse(conn, 431, S("the line and headers of the request are too long\n"));
        } else {
            conn_refuse(conn, 400, S("this is not HTTP as it should be\n"));
        }
    }
    return event != HTTP_NEED_MORE || bytes > input.bytes;
}

/* ---- the owner's turn ------------------------------------------------------------------------ */

static bool conn_offer_room(struct http_conn *conn)
{
    bool is_time = conn->wants_room && conn->is_given && !conn->is_ending && !conn->is_cut &&
                   conn->out_to - conn->out_from <= OUT_SCARCE;
    if (!is_time) {
        return false;
    }
    conn->wants_room = false;
    if (conn->exchange.server->config.handlers->on_room != NULL) {
        conn->exchange.server->config.handlers->on_room(&conn->exchange);
    }
    return true;
}

/* What a peer still says after our last word is dropped. */
static bool conn_drop_plain(struct http_conn *conn)
{
    size_t bytes = tls_plain_ready(conn->engine).bytes;
    tls_plain_taken(conn->engine, bytes);
    return bytes > 0;
}

static bool conn_offer_data(struct http_conn *conn)
{
    bool has_data = tls_plain_ready(conn->engine).bytes > 0;

    if (conn->is_ending) {
        return conn_drop_plain(conn);
    }
    conn->was_told = conn->was_told && has_data;
    if (!has_data || conn->was_told || conn->is_cut) {
        return false;
    }
    conn->was_told = true;
    conn->exchange.server->config.handlers->on_data(&conn->exchange);
    return true;
}

/* The peer has ended the connection; whatever it sent before has been read. */
static void conn_over(struct http_conn *conn)
{
    struct http_server *server = conn->exchange.server;

    server->counters.handshake_failures += conn->phase == CONN_SHAKE;
    if (conn->phase == CONN_STREAM && conn->is_given && !conn->is_ending && !conn->is_cut) {
        server->config.handlers->on_data(&conn->exchange);
    }
    conn_close(conn, true);
}

/* What the phase asks for, beyond moving bytes. True when something has changed. */
static bool conn_act(struct http_conn *conn)
{
    bool is_over = (tls_state(conn->engine) & TLS_IS_OVER) != 0;

    switch (conn->phase) {
    case CONN_SHAKE:
        if (conn->engine->is_open) {
            conn->exchange.server->counters.handshakes++;
            conn_enter(conn, CONN_IDLE);
            return true;
        }
        break;
    case CONN_IDLE:
    case CONN_HEAD:
    case CONN_BODY:
        if (conn_read(conn)) {
            return true;
        }
        break;
    case CONN_WORK:
    case CONN_STREAM:
        if (conn->is_ending && conn_has_sent_all(conn)) {
            conn_finish_exchange(conn);
            return true;
        }
        if (conn_offer_room(conn) || (conn->phase == CONN_STREAM && conn_offer_data(conn))) {
            return true;
        }
        break;
    case CONN_LEAVING:
        if (!conn->is_shut && conn_has_sent_all(conn)) {
            conn->is_shut = true;
            sock_shut_write(conn->link.fd);
        }
        if (conn_drop_plain(conn)) {
            return true;
        }
        break;
    case CONN_FREE:
        return false;
    }
    if (is_over) {
        conn_over(conn);
    }
    return is_over;
}

/* ---- the pump -------------------------------------------------------------------------------- */

bool conn_has_sent_all(struct http_conn *conn)
{
    return conn->out_from == conn->out_to && (tls_state(conn->engine) & TLS_HAS_WIRE) == 0;
}

/* From `out` into the engine; the last piece is flushed into a record. */
static bool conn_fill(struct http_conn *conn)
{
    size_t left = conn->out_to - conn->out_from;
    size_t done =
        left > 0 ? tls_plain_put(conn->engine, str_make(conn->out + conn->out_from, left)) : 0;

    conn->out_from += done;
    if (left > 0 && conn->out_from == conn->out_to) {
        conn->out_from = conn->out_to = 0;
        tls_flush(conn->engine);
    }
    return done > 0;
}

static bool conn_move(struct http_conn *conn)
{
    struct http_server *server = conn->exchange.server;
    uint64_t sent = conn->link.sent_bytes;
    uint64_t received = conn->link.received_bytes;
    bool moved = conn_fill(conn);

    moved |= link_send(&conn->link);
    moved |= link_receive(&conn->link);
    if (conn->link.sent_bytes > sent) {
        conn->moved_ms = server->loop->now_ms;
        server->counters.bytes_out += conn->link.sent_bytes - sent;
    }
    if (conn->link.received_bytes > received) {
        conn->heard_ms = server->loop->now_ms;
        server->counters.bytes_in += conn->link.received_bytes - received;
    }
    return moved;
}

static bool conn_step(struct http_conn *conn)
{
    bool moved = conn_move(conn);

    if (conn->is_cut || (conn->link.is_send_broken && conn->phase != CONN_SHAKE)) {
        conn_close(conn, false);
        return false;
    }
    return conn_act(conn) || moved;
}

static void conn_kick_at(struct http_conn *conn, msec at_ms)
{
    struct http_server *server = conn->exchange.server;

    if (conn->is_pumping || conn->phase == CONN_FREE || list_has(&conn->kick_node)) {
        return;
    }
    list_push_back(&server->kicked, &conn->kick_node);
    if (!due_is_set(&server->kick.due)) {
        loop_timer_set(server->loop, &server->kick, at_ms);
    }
}

void conn_kick(struct http_conn *conn)
{
    conn_kick_at(conn, conn->exchange.server->loop->now_ms);
}

/* A turn that was cut short may have left the engine with bytes that no event of the kernel will
 * speak of; others come first. */
static void conn_rest(struct http_conn *conn, bool is_cut_short)
{
    (void)conn_fill(conn);
    link_rest(&conn->link);
    if (is_cut_short) {
        conn_kick_at(conn, conn->exchange.server->loop->now_ms + 1);
    }
}

void conn_pump(struct http_conn *conn)
{
    bool moved = true;

    if (conn->is_pumping || conn->phase == CONN_FREE) {
        return;
    }
    conn->is_pumping = true;
    for (int steps = 0; moved && steps < TURN_STEPS_MAX; steps++) {
        moved = conn_step(conn);
    }
    conn->is_pumping = false;
    if (conn->phase != CONN_FREE) {
        conn_rest(conn, moved);
    }
}

/* An error that the engine will not look at, since it has bytes that nobody takes or waits for its
 * turn, would be reported for ever. */
static void on_conn_ready(struct loop_watch *watch, uint32_t events)
{
    struct http_conn *conn = watch->owner;
    bool is_deaf = (tls_state(conn->engine) & TLS_TAKES_WIRE) == 0;

    if ((events & LOOP_ERROR) != 0 && (is_deaf || list_has(&conn->shake_node))) {
        conn->exchange.server->counters.handshake_failures += conn->phase == CONN_SHAKE;
        conn_close(conn, false);
    } else if (conn->phase == CONN_SHAKE) {
        server_shake_later(conn);
    } else {
        conn_pump(conn);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

/* How long each phase may last; 0: see conn_check_progress(). */
static msec conn_phase_ms(const struct http_conn *conn)
{
    switch (conn->phase) {
    case CONN_SHAKE:
        return HTTP_SERVER_HANDSHAKE_MS;
    case CONN_IDLE: /* who has just connected wants something */
        return conn->has_served ? HTTP_SERVER_IDLE_MS : HTTP_SERVER_HEAD_MS;
    case CONN_HEAD:
        return HTTP_SERVER_HEAD_MS;
    case CONN_BODY:
        return HTTP_SERVER_BODY_MS;
    case CONN_LEAVING:
        return HTTP_SERVER_LINGER_MS;
    default:
        return 0;
    }
}

static void conn_enter(struct http_conn *conn, enum conn_phase phase)
{
    struct loop *loop = conn->exchange.server->loop;

    server_count_phase(conn, phase);
    conn->phase = phase;
    conn->since_ms = loop->now_ms;
    msec phase_ms = conn_phase_ms(conn);
    if (phase == CONN_FREE) {
        loop_timer_clear(loop, &conn->timer);
    } else {
        loop_timer_set(loop, &conn->timer,
                       loop->now_ms + (phase_ms > 0 ? phase_ms : HTTP_SERVER_STALL_MS));
    }
}

static msec later_of(msec a, msec b)
{
    return a > b ? a : b;
}

/* An answer may be long in coming, but the peer must take what is there; an upgraded stream may
 * have a limit for its silence. The timer is moved only when it fires. */
static void conn_check_progress(struct http_conn *conn)
{
    struct http_server *server = conn->exchange.server;
    msec now_ms = server->loop->now_ms;
    msec until_ms = now_ms + HTTP_SERVER_STALL_MS;

    if (!conn_has_sent_all(conn)) {
        until_ms = conn->moved_ms + HTTP_SERVER_STALL_MS;
    }
    if (conn->phase == CONN_STREAM && conn->idle_ms > 0) {
        msec idle_until_ms = later_of(conn->moved_ms, conn->heard_ms) + conn->idle_ms;
        until_ms = idle_until_ms < until_ms ? idle_until_ms : until_ms;
    }
    if (until_ms <= now_ms) {
        server->counters.deadlines++;
        conn_close(conn, false);
    } else {
        loop_timer_set(server->loop, &conn->timer, until_ms);
    }
}

static void on_conn_due(struct loop_timer *timer)
{
    struct http_conn *conn = timer->owner;

    if (conn->phase == CONN_WORK || conn->phase == CONN_STREAM) {
        conn_check_progress(conn);
    } else {
        bool was_asked = conn->phase != CONN_IDLE && conn->phase != CONN_LEAVING;
        conn->exchange.server->counters.deadlines += was_asked;
        conn_close(conn, true);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void conn_init(struct http_conn *conn, struct http_server *server, struct http_room *room,
               char *out)
{
    conn->exchange.server = server;
    conn->exchange.owner = server->config.owner;
    conn->phase = CONN_FREE;
    conn->engine = &room->engine; /* not touched: zeroed memory is an engine that is off */
    conn->body = -1;
    conn->out = out;
    loop_timer_init(&conn->timer, on_conn_due, conn);
    link_init(&conn->link, server->loop, conn->engine);
    http_parse_init(&conn->parse, HTTP_REQUEST, room->head, sizeof room->head);
}

enum err conn_open(struct http_conn *conn, int fd, const struct sock_addr *from,
                   const struct tls_identity *identity, const struct tls_trust *clients)
{
    struct http_server *server = conn->exchange.server;
    uint8_t seed[TLS_SEED_BYTES];

    CHECK(conn->phase == CONN_FREE);
    enum err err = link_open(&conn->link, fd, on_conn_ready, conn);
    if (err != ERR_OK) {
        return err;
    }
    os_random(seed, sizeof seed);
    tls_start_server(conn->engine, identity, clients, false, seed);
    http_parse_reset(&conn->parse, false);
    conn->exchange.from = *from;
    server_count_in(conn);
    conn->has_served = false;
    conn->moved_ms = conn->heard_ms = server->loop->now_ms;
    conn_enter(conn, CONN_SHAKE);
    server->open_count++;
    link_rest(&conn->link);
    return ERR_OK;
}
