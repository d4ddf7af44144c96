/*
 * see http_server.h. Here: fairness between peers, when there are more of them than we can serve.
 *
 * The crowd of an address is how many of its connections have no request under way: in a handshake,
 * silent, slow, or idle. An API server has a few idle ones, however busy it is; who only holds
 * connections, or opens them faster than we can shake hands, has many. So the smallest crowd shakes
 * hands first, and the largest one loses a connection first. Among equals the oldest is first in
 * both.
 */
#include "base/check.h"
#include "net/http_server_conn.h"
#include "os/os.h"

/* ---- counting -------------------------------------------------------------------------------- */

static bool is_same_host(const struct sock_addr *a, const struct sock_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_crowd(enum conn_phase phase)
{
    return phase != CONN_FREE && phase != CONN_WORK && phase != CONN_STREAM;
}

/* NULL: it has no connection. */
static struct http_host *find_host(const struct http_server *server, const struct sock_addr *addr)
{
    for (uint32_t i = 0; i < server->config.conns_max; i++) {
        struct http_host *host = &server->hosts[i];
        if (host->conns > 0 && is_same_host(&host->addr, addr)) {
            return host;
        }
    }
    return NULL;
}

/* There are as many as connections. */
static struct http_host *take_host(struct http_server *server, const struct sock_addr *addr)
{
    struct http_host *host = server->hosts;
    while (host->conns > 0) {
        host++;
        CHECK(host < server->hosts + server->config.conns_max);
    }
    *host = (struct http_host){.addr = *addr};
    return host;
}

void server_count_in(struct http_conn *conn)
{
    struct http_server *server = conn->exchange.server;
    struct http_host *host = find_host(server, &conn->exchange.from);

    conn->host = host != NULL ? host : take_host(server, &conn->exchange.from);
    conn->host->conns++;
    conn->host->crowd += is_crowd(conn->phase);
}

void server_count_out(struct http_conn *conn)
{
    CHECK(conn->host->conns > 0);
    conn->host->conns--;
    conn->host->crowd -= is_crowd(conn->phase);
    conn->host = NULL;
}

void server_count_phase(struct http_conn *conn, enum conn_phase next)
{
    conn->host->crowd += is_crowd(next);
    conn->host->crowd -= is_crowd(conn->phase);
}

/* ---- who gets a connection ------------------------------------------------------------------- */

/* 2: between requests, or saying goodbye. 1: has not brought a whole request for a while. 0: may
 * yet do so. */
static int uselessness(const struct http_conn *conn)
{
    bool is_young = conn->exchange.server->loop->now_ms - conn->since_ms < HTTP_SERVER_YOUNG_MS;

    if (conn->phase == CONN_LEAVING || (conn->phase == CONN_IDLE && conn->has_served)) {
        return 2;
    }
    if (conn->phase == CONN_IDLE) {
        return is_young ? 0 : 2;
    }
    return is_young ? 0 : 1;
}

/* How much one is to be preferred as a victim. */
struct worth {
    uint32_t crowd;
    int useless;
    msec since_ms;
};

static bool is_worse(const struct worth *a, const struct worth *b)
{
    if (a->crowd != b->crowd) {
        return a->crowd > b->crowd;
    }
    return a->useless != b->useless ? a->useless > b->useless : a->since_ms < b->since_ms;
}

/* The worst so far. */
struct choice {
    struct http_conn *conn;
    struct worth worth;
};

/* Those that may yet bring what they came for are spared, unless the newcomer's own crowd is
 * smaller even with it. */
static void consider(struct choice *worst, struct http_conn *conn, const struct worth *worth,
                     uint32_t own)
{
    bool may_go = worth->useless > 0 || worth->crowd > own + 1;
    if (may_go && (worst->conn == NULL || is_worse(worth, &worst->worth))) {
        *worst = (struct choice){conn, *worth};
    }
}

static bool close_worst(struct http_server *server, const struct choice *worst)
{
    if (worst->conn != NULL) {
        server->counters.evicted++;
        conn_close(worst->conn, true);
    }
    return worst->conn != NULL;
}

/* Closes one of the largest crowd. host: the newcomer's, NULL when it has no connection yet;
 * only_own: only of that one. */
static bool evict_one(struct http_server *server, const struct http_host *host, bool only_own)
{
    struct choice worst = {.conn = NULL};
    uint32_t own = host != NULL ? host->crowd : 0;

    for (uint32_t i = 0; i < server->conns_used; i++) {
        struct http_conn *conn = &server->conns[i];
        if (!is_crowd(conn->phase) || (only_own && conn->host != host)) {
            continue;
        }
        const struct worth worth = {
            .crowd = conn->host->crowd, .useless = uselessness(conn), .since_ms = conn->since_ms};
        consider(&worst, conn, &worth, own);
    }
    return close_worst(server, &worst);
}

bool server_make_room(struct http_server *server, const struct sock_addr *peer)
{
    const struct http_server_config *config = &server->config;
    const struct http_host *host = find_host(server, peer);

    if (host != NULL && host->conns >= config->conns_per_peer_max &&
        !evict_one(server, host, true)) {
        server->counters.refused_peer++;
        return false;
    }
    if (server->open_count >= config->conns_max && !evict_one(server, host, false)) {
        server->counters.refused_full++;
        return false;
    }
    return true;
}

static uint32_t bodies_of(const struct http_server *server, const struct http_host *host)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < server->conns_used; i++) {
        count += server->conns[i].host == host && server->conns[i].body >= 0;
    }
    return count;
}

/* Closes one whose body is still coming: of who has most of them, or who takes long. */
bool server_free_body(struct http_server *server, const struct http_host *host)
{
    struct choice worst = {.conn = NULL};
    uint32_t own = bodies_of(server, host);

    for (uint32_t i = 0; i < server->conns_used; i++) {
        struct http_conn *conn = &server->conns[i];
        if (conn->phase != CONN_BODY) {
            continue;
        }
        const struct worth worth = {.crowd = bodies_of(server, conn->host),
                                    .useless = uselessness(conn),
                                    .since_ms = conn->since_ms};
        consider(&worst, conn, &worth, own);
    }
    return close_worst(server, &worst);
}

/* ---- whose handshake is next ----------------------------------------------------------------- */

/* Of the smallest crowd, the one that has waited longest. */
static struct http_conn *next_to_shake(const struct http_server *server)
{
    struct http_conn *best = NULL;
    uint32_t least = 0;

    for (struct list_node *node = list_front(&server->shaking); node != NULL;
         node = list_after(&server->shaking, node)) {
        struct http_conn *conn = LIST_OWNER(node, struct http_conn, shake_node);
        uint32_t crowd = conn->host->crowd;
        if (best == NULL || crowd < least) {
            best = conn;
            least = crowd;
        }
    }
    return best;
}

static void on_shake(struct loop_timer *timer)
{
    struct http_server *server = timer->owner;
    uint64_t began_us = os_now_us();

    for (int left = HTTP_SERVER_SHAKES; left > 0 && server->shaking.count > 0; left--) {
        struct http_conn *conn = next_to_shake(server);
        list_remove(&server->shaking, &conn->shake_node);
        conn_pump(conn);
    }
    uint64_t took_us = os_now_us() - began_us;
    server->shakes_at_ms = server->loop->now_ms + (msec)(2 * took_us / 1000); /* half of the time */
    if (server->shaking.count > 0) {
        loop_timer_set(server->loop, timer, server->shakes_at_ms);
    }
}

/* Until then the loop is not to tell of it again. */
void server_shake_later(struct http_conn *conn)
{
    struct http_server *server = conn->exchange.server;

    loop_watch_set(server->loop, &conn->link.watch, 0);
    if (list_has(&conn->shake_node)) {
        return;
    }
    list_push_back(&server->shaking, &conn->shake_node);
    if (server->shaking.count == 1) {
        loop_timer_set(server->loop, &server->shake, server->shakes_at_ms);
    }
}

void server_crowd_init(struct http_server *server)
{
    list_init(&server->shaking);
    loop_timer_init(&server->shake, on_shake, server);
}
