/* see http_server.h. Here: the listener and memory. Who gets a connection and who loses one, and
 * whose handshake is next: http_server_crowd.c. */
#include "net/http_server.h"

#include "base/check.h"
#include "net/http_server_conn.h"
#include "os/os.h"

#define BACKLOG 128 /* connections that the kernel holds for us while a turn lasts */
#define BODY_KEPT_BYTES (16 * 1024) /* the pages of larger ones go back to the kernel */

/* ---- bodies ---------------------------------------------------------------------------------- */

int server_take_body(struct http_server *server)
{
    for (uint32_t i = 0; i < server->config.bodies_max; i++) {
        if (!server->bodies_taken[i]) {
            server->bodies_taken[i] = true;
            return (int)i;
        }
    }
    return -1;
}

char *server_body(struct http_server *server, int body)
{
    return server->bodies + (size_t)body * server->config.body_bytes_max;
}

void server_give_body(struct http_server *server, int body, size_t bytes)
{
    CHECK(server->bodies_taken[body]);
    server->bodies_taken[body] = false;
    if (bytes > BODY_KEPT_BYTES) {
        os_map_release_pages(server_body(server, body), bytes);
    }
}

/* ---- who gets a connection ------------------------------------------------------------------- */

/* One that was in use before, if there is one: a connection that never was is not touched, and so
 * costs no memory. There is one: server_make_room(). */
static struct http_conn *find_free(struct http_server *server)
{
    for (uint32_t i = 0; i < server->conns_used; i++) {
        if (server->conns[i].phase == CONN_FREE) {
            return &server->conns[i];
        }
    }
    CHECK(server->conns_used < server->config.conns_max);
    uint32_t i = server->conns_used++;
    conn_init(&server->conns[i], server,
              (struct http_room *)(void *)(server->rooms + i * CONN_ROOM_BYTES),
              server->outs + i * CONN_OUT_BYTES);
    return &server->conns[i];
}

static void admit(struct http_server *server, int fd, const struct sock_addr *peer)
{
    const struct http_server_config *config = &server->config;
    const struct tls_identity *identity = config->identity(config->owner);
    const struct tls_trust *clients =
        config->clients != NULL ? config->clients(config->owner) : NULL;

    if (identity == NULL || !server_make_room(server, peer)) {
        sock_close(&fd);
        return;
    }
    if (conn_open(find_free(server), fd, peer, identity, clients) == ERR_OK) {
        server->counters.accepted++;
    }
}

/* ---- the listener ---------------------------------------------------------------------------- */

static void on_pause_over(struct loop_timer *timer)
{
    struct http_server *server = timer->owner;
    if (server->listener >= 0) {
        loop_watch_set(server->loop, &server->watch, LOOP_READ);
    }
}

static void on_listener(struct loop_watch *watch, uint32_t events)
{
    struct http_server *server = watch->owner;
    enum err err = ERR_OK;

    (void)events;
    for (int count = 0; count < HTTP_SERVER_ACCEPTS; count++) {
        int fd = -1;
        struct sock_addr peer;
        err = sock_accept(server->listener, &fd, &peer);
        if (err != ERR_OK) {
            break;
        }
        admit(server, fd, &peer);
    }
    if (err != ERR_OK && err != ERR_AGAIN) { /* no descriptor: asking again at once is no help */
        loop_watch_set(server->loop, &server->watch, 0);
        loop_timer_set(server->loop, &server->pause, server->loop->now_ms + HTTP_SERVER_PAUSE_MS);
    }
}

/* Those kicked meanwhile, and those with more to do, wait for the next round of timers. */
static void on_kick(struct loop_timer *timer)
{
    struct http_server *server = timer->owner;

    for (uint32_t left = server->kicked.count; left > 0; left--) {
        struct list_node *node = list_pop_front(&server->kicked);
        if (node == NULL) {
            break;
        }
        struct http_conn *conn = LIST_OWNER(node, struct http_conn, kick_node);
        if (conn->phase == CONN_SHAKE) {
            server_shake_later(conn);
        } else {
            conn_pump(conn);
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

/* count parts of whole pages each; one page more, so that they can begin at one. */
static char *carve_pages(struct region *region, const char *name, uint32_t count, size_t bytes)
{
    size_t pages = count * (bytes / CONN_PAGE_BYTES) + 1;
    char *memory = region_carve(region, name, pages, CONN_PAGE_BYTES);
    size_t over = (uintptr_t)memory % CONN_PAGE_BYTES;
    return over > 0 ? memory + CONN_PAGE_BYTES - over : memory;
}

void http_server_init(struct http_server *server, struct loop *loop, struct region *region,
                      const struct http_server_config *config)
{
    CHECK(config->conns_max > 0 && config->identity != NULL && config->handlers != NULL);
    *server = (struct http_server){.loop = loop, .config = *config, .listener = -1};
    server->watch.fd = -1;
    server->conns = region_carve(region, config->name, config->conns_max, sizeof(struct http_conn));
    server->hosts = region_carve(region, config->name, config->conns_max, sizeof(struct http_host));
    server->rooms = carve_pages(region, config->name, config->conns_max, CONN_ROOM_BYTES);
    server->outs = carve_pages(region, config->name, config->conns_max, CONN_OUT_BYTES);
    server->bodies = region_carve(region, config->name, config->bodies_max, config->body_bytes_max);
    server->bodies_taken = region_carve(region, config->name, config->bodies_max, sizeof(bool));
    list_init(&server->kicked);
    server_crowd_init(server);
    loop_timer_init(&server->pause, on_pause_over, server);
    loop_timer_init(&server->kick, on_kick, server);
}

enum err http_server_start(struct http_server *server, struct sock_addr *bound)
{
    CHECK(server->listener < 0);
    enum err err = sock_listen(&server->config.address, BACKLOG, &server->listener, bound);
    if (err != ERR_OK) {
        return err;
    }
    err = loop_watch_add(server->loop, &server->watch, server->listener, LOOP_READ, on_listener,
                         server);
    if (err != ERR_OK) {
        sock_close(&server->listener);
    }
    return err;
}

void http_server_stop(struct http_server *server)
{
    if (server->listener >= 0) {
        loop_watch_remove(server->loop, &server->watch);
        sock_close(&server->listener);
    }
    for (uint32_t i = 0; i < server->conns_used; i++) {
        conn_close(&server->conns[i], true);
    }
    loop_timer_clear(server->loop, &server->pause);
    loop_timer_clear(server->loop, &server->kick);
    loop_timer_clear(server->loop, &server->shake);
}

void http_server_refresh(struct http_server *server)
{
    for (uint32_t i = 0; i < server->conns_used; i++) {
        if (server->conns[i].phase == CONN_SHAKE) {
            conn_close(&server->conns[i], false);
        }
    }
}

uint32_t http_server_open(const struct http_server *server)
{
    return server->open_count;
}

const struct http_server_counters *http_server_counters(const struct http_server *server)
{
    return &server->counters;
}
