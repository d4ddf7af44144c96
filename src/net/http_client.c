/*
 * see http_client.h
 *
 * A call waits in the queue until the kick timer, in a turn of the loop, gives it a connection;
 * what follows is in the files that http_client_conn.h names.
 */
#include "net/http_client_conn.h"

#include "base/buf.h"
#include "base/check.h"

/* ---- the queue: http_client_send and what follows -------------------------------------------- */

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
    http_client_kick(client);
}

void http_client_kick(struct http_client *client)
{
    loop_timer_set(client->loop, &client->kick, client->loop->now_ms);
}

void http_call_detach(struct http_call *call)
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

static void conn_take_call(struct http_conn *conn, struct http_call *call)
{
    if (conn->phase == CONN_IDLE && call->was_repeated) {
        http_conn_close(conn);
    }
    call->conn = conn;
    conn->call = call;
    conn->client->in_flight++;
    if (conn->phase == CONN_IDLE) {
        http_conn_start_request(conn);
    } else {
        http_conn_enter(conn, CONN_RESOLVE);
        http_conn_resolve(conn);
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
        http_conn_fail(conn, ERR_TIMEOUT, "%s: no reply in %lld ms, %s", client->target->host,
                       (long long)call->deadline_ms, phase_texts[conn->phase]);
        return;
    }
    struct buf why;
    buf_init(&why, call->why, sizeof call->why);
    buf_put_fmt(&why, "no connection was free for %lld ms", (long long)call->deadline_ms);
    (void)buf_cstr(&why);
    http_call_detach(call);
    client->failures++;
    call->on_done(call, ERR_TIMEOUT);
}

/* ---- life ------------------------------------------------------------------------------------ */

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
        http_conn_init(&client->conns[i], client);
    }
}

bool http_client_has_idle(const struct http_client *client)
{
    uint32_t idle = 0;
    for (uint32_t i = 0; i < client->conns_count; i++) {
        idle += client->conns[i].phase == CONN_IDLE;
    }
    return idle > client->queue.count;
}

void http_client_cancel(struct http_client *client, struct http_call *call)
{
    struct http_conn *conn = call->conn;

    if (call->client == NULL) {
        return; /* never sent, or done already */
    }
    CHECK(call->client == client);
    http_call_detach(call);
    if (conn != NULL) {
        http_conn_close(conn);
    }
    if (client->queue.count > 0) {
        http_client_kick(client);
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
            http_conn_close(conn);
        } else if (conn->phase == CONN_BUSY) {
            conn->is_outdated = true;
        } else if (conn->phase == CONN_CONNECT || conn->phase == CONN_SECURE) {
            link_close(&conn->link, false);
            conn->serial++;
            http_conn_enter(conn, CONN_RESOLVE);
        }
    }
}

void http_client_stop(struct http_client *client)
{
    while (client->queue.count > 0) {
        struct list_node *node = list_front(&client->queue);
        http_call_detach(LIST_OWNER(node, struct http_call, queue_node));
    }
    for (uint32_t i = 0; i < client->conns_count; i++) {
        struct http_conn *conn = &client->conns[i];
        if (conn->call != NULL) {
            http_call_detach(conn->call);
        }
        if (conn->phase != CONN_FREE) {
            http_conn_close(conn);
        }
    }
    loop_timer_clear(client->loop, &client->kick);
}
