/*
 * How the HTTP client opens a connection: see http_client_conn.h. The name is resolved, its
 * addresses are tried one after the other (the one that worked last comes first), then TLS begins.
 */
#include "net/http_client_conn.h"

#include "os/os.h"

#define RESOLVE_POLL_MS 20 /* the resolver is shared: its answer is looked for, not delivered */

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

/* Starts with the present address; errors that come at once are handled like those that come late.
 */
static enum err conn_dial(struct http_conn *conn)
{
    int fd = -1;
    enum err err = sock_connect(&conn->addrs[conn->addr_at], &fd);

    conn->client->connects++;
    return err != ERR_OK ? err : link_open(&conn->link, fd, http_conn_ready, conn);
}

static void conn_connect(struct http_conn *conn)
{
    enum err err = conn_dial(conn);

    while (err != ERR_OK && conn->addr_at + 1 < conn->addrs_count) {
        conn->addr_at++;
        err = conn_dial(conn);
    }
    if (err != ERR_OK) {
        http_conn_fail(conn, err, "connect %s: %s", http_conn_addr(conn).text, err_text(err));
        return;
    }
    http_conn_enter(conn, CONN_CONNECT);
}

static void conn_got_addrs(struct http_conn *conn, const struct sock_addr *addrs, uint32_t count)
{
    if (count == 0) {
        http_conn_fail(conn, ERR_RESOLVE, "%s: no address found", conn->client->target->host);
        return;
    }
    conn_take_addrs(conn, addrs, count);
    conn->connect_until_ms = conn->client->loop->now_ms + HTTP_CONNECT_MS;
    conn_connect(conn);
}

void http_conn_resolve(struct http_conn *conn)
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

void http_conn_try_next_addr(struct http_conn *conn, enum err err)
{
    link_close(&conn->link, false);
    if (conn->addr_at + 1 < conn->addrs_count) {
        conn->addr_at++;
        conn_connect(conn);
    } else {
        http_conn_fail(conn, err, "connect %s: %s", http_conn_addr(conn).text, err_text(err));
    }
}

void http_conn_secure(struct http_conn *conn)
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
    http_conn_enter(conn, CONN_SECURE);
    if (conn->engine.is_open) {
        http_conn_start_request(conn);
    } else {
        http_conn_turn(conn);
    }
}
