/* see net_server.h */
#include "net_server.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/check.h"
#include "os/os.h"

static void conn_pump(struct net_server_conn *conn);

static void conn_end(struct net_server_conn *conn, enum net_end end)
{
    if (!link_is_open(&conn->link)) {
        return;
    }
    if (end == NET_RESET) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(conn->link.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    loop_timer_clear(conn->server->loop, &conn->timer);
    link_close(&conn->link, end == NET_CLOSE);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The request's size if it is complete (or its head, for early steps), else 0. */
static size_t complete_bytes(const struct buf *request, bool only_head)
{
    ptrdiff_t end = str_find(buf_str(request), S("\r\n\r\n"));
    if (end < 0) {
        return 0;
    }
    size_t head_bytes = (size_t)end + 4;
    ptrdiff_t length_at = str_find(str_sub(buf_str(request), 0, head_bytes), S("Content-Length: "));
    size_t body_bytes = 0;
    if (length_at >= 0 && !only_head) {
        body_bytes = strtoul(request->ptr + length_at + 16, NULL, 10);
    }
    return request->bytes >= head_bytes + body_bytes ? head_bytes + body_bytes : 0;
}

static const struct net_step *next_step(const struct net_server *server)
{
    static const struct net_step beyond = {
        .reply = {"HTTP/1.1 500 Beyond\r\nContent-Length: 0\r\n\r\n", 42}, .end = NET_KEEP};
    return server->step_at < server->steps_count ? &server->steps[server->step_at] : &beyond;
}

static void take_request(struct net_server_conn *conn)
{
    struct net_server *server = conn->server;
    const struct net_step *step = next_step(server);
    size_t bytes = complete_bytes(&conn->request, step->is_early);

    if (bytes == 0) {
        return;
    }
    buf_put(&server->record, str_sub(buf_str(&conn->request), 0, bytes));
    buf_drop(&conn->request, bytes);
    server->step_at++;
    server->requests++;
    conn->step = step;
    conn->sent_bytes = 0;
}

/* ---- replies --------------------------------------------------------------------------------- */

static void finish_step(struct net_server_conn *conn)
{
    enum net_end end = conn->step->end;
    if (end == NET_SILENCE) {
        return;
    }
    conn->step = NULL;
    if (end != NET_KEEP) {
        conn_end(conn, end);
    }
}

/* Moves the reply on; true when something moved. */
static bool send_reply(struct net_server_conn *conn)
{
    const struct net_step *step = conn->step;
    str rest = str_sub(step->reply, conn->sent_bytes, step->reply.bytes);
    bool is_slow = step->piece_bytes > 0;

    if (is_slow && due_is_set(&conn->timer.due)) {
        return false;
    }
    str piece = str_sub(rest, 0, is_slow ? step->piece_bytes : rest.bytes);
    size_t done = tls_plain_put(&conn->engine, piece);
    conn->sent_bytes += done;
    tls_flush(&conn->engine);
    if (is_slow && rest.bytes > 0) {
        loop_timer_set(conn->server->loop, &conn->timer, conn->server->loop->now_ms);
    }
    return done > 0;
}

static void on_due(struct loop_timer *timer)
{
    conn_pump(timer->owner);
}

static void conn_pump(struct net_server_conn *conn)
{
    bool moved = true;

    while (moved && link_is_open(&conn->link)) {
        moved = link_send(&conn->link);
        moved |= link_receive(&conn->link);
        str plain = tls_plain_ready(&conn->engine);
        if (plain.bytes > 0) {
            buf_put(&conn->request, plain);
            CHECK(buf_ok(&conn->request));
            tls_plain_taken(&conn->engine, plain.bytes);
        }
        if (conn->step == NULL) {
            take_request(conn);
        }
        if (conn->step != NULL) {
            moved |= send_reply(conn);
            size_t left;
            (void)tls_wire_ready(&conn->engine, &left);
            if (conn->sent_bytes == conn->step->reply.bytes && left == 0) {
                finish_step(conn);
                moved = true;
            }
            if (conn->step != NULL && conn->step->end == NET_SILENCE &&
                conn->sent_bytes == conn->step->reply.bytes) {
                break;
            }
        }
    }
    if (!link_is_open(&conn->link)) {
        return;
    }
    if ((tls_state(&conn->engine) & TLS_IS_OVER) != 0) {
        conn_end(conn, NET_CUT);
    } else {
        link_rest(&conn->link);
    }
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    conn_pump(watch->owner);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void conn_open(struct net_server_conn *conn, int fd)
{
    struct net_server *server = conn->server;
    uint8_t seed[TLS_SEED_BYTES];

    conn->step = NULL;
    conn->sent_bytes = 0;
    buf_init(&conn->request, conn->request_memory, sizeof conn->request_memory);
    os_random(seed, sizeof seed);
    if (server->identity != NULL) {
        tls_start_server(&conn->engine, server->identity, server->clients, server->clients != NULL,
                         seed);
    } else {
        tls_start_plain(&conn->engine);
    }
    CHECK(link_open(&conn->link, fd, on_ready, conn) == ERR_OK);
    link_rest(&conn->link);
}

static void on_accept(struct loop_watch *watch, uint32_t events)
{
    struct net_server *server = watch->owner;
    int fd = -1;

    (void)events;
    while (sock_accept(server->listener, &fd, NULL) == ERR_OK) {
        struct net_server_conn *conn = server->conns;
        while (link_is_open(&conn->link)) {
            conn++;
            CHECK(conn < server->conns + NET_SERVER_CONNS_MAX);
        }
        server->accepted++;
        conn_open(conn, fd);
    }
}

void net_server_start(struct net_server *server, struct loop *loop)
{
    struct sock_addr any = {.bytes = {127, 0, 0, 1}, .family = 4};

    server->loop = loop;
    server->steps_count = server->step_at = server->accepted = server->requests = 0;
    buf_init(&server->record, server->record_memory, sizeof server->record_memory);
    for (size_t i = 0; i < NET_SERVER_CONNS_MAX; i++) {
        struct net_server_conn *conn = &server->conns[i];
        conn->server = server;
        conn->engine.mode = TLS_OFF;
        link_init(&conn->link, loop, &conn->engine);
        loop_timer_init(&conn->timer, on_due, conn);
    }
    CHECK(sock_listen(&any, 16, &server->listener, &server->addr) == ERR_OK);
    CHECK(loop_watch_add(loop, &server->watch, server->listener, LOOP_READ, on_accept, server) ==
          ERR_OK);
}

void net_server_script(struct net_server *server, const struct net_step *steps, uint32_t count)
{
    CHECK(count <= NET_STEPS_MAX);
    memcpy(server->steps, steps, count * sizeof steps[0]);
    server->steps_count = count;
    server->step_at = 0;
}

void net_server_hang_up(struct net_server *server, enum net_end end)
{
    for (size_t i = 0; i < NET_SERVER_CONNS_MAX; i++) {
        conn_end(&server->conns[i], end);
    }
}

uint32_t net_server_open_conns(const struct net_server *server)
{
    uint32_t count = 0;
    for (size_t i = 0; i < NET_SERVER_CONNS_MAX; i++) {
        count += link_is_open(&server->conns[i].link);
    }
    return count;
}

void net_server_stop(struct net_server *server)
{
    net_server_hang_up(server, NET_CUT);
    loop_watch_remove(server->loop, &server->watch);
    sock_close(&server->listener);
}
