/*
 * Any bytes as what an administrator's client sends to the kubelet port, after the handshake: the
 * server's engine, the routes, who may ask, and the upgraded sessions (exec and attach as an echo,
 * port-forward as it is, to instances of several manners). TLS is taken out, so that inputs are
 * plain text.
 *
 * First byte: size of the pieces in which the rest arrives, whether the peer ends in order, and the
 * manner of the first instance; the next one has the next manner.
 * After each input nothing may be left: no connection, no session, no borrowed body.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "net/http_server_conn.h"
#include "net_certs.h"
#include "os/log.h"
#include "os/os.h"
#include "serve/portforward.h"
#include "serve/remote.h"
#include "serve/serve_port.h"

#define FORWARDS 2

static _Alignas(64) char region_memory[48 << 20];
static char arena_memory[1 << 20], certs_memory[64 << 10];

static struct {
    struct loop loop;
    struct arena arena, certs;
    struct region region;
    struct tls_identity identity;
    struct serve serve;
    /* the question that the API server is asked */
    struct kube_request question;
    bool is_asked;
    /* the session of exec or attach */
    struct remote remote;
    bool has_remote;
    uint64_t answered;
} f;

/* ---- the API server says yes ----------------------------------------------------------------- */

enum err kube_call_send(struct kube_calls *calls, const struct kube_request *request, handle *out)
{
    (void)calls;
    CHECK(!f.is_asked);
    f.question = *request;
    f.is_asked = true;
    *out = (handle){1, 1};
    return ERR_OK;
}

void kube_call_cancel(struct kube_calls *calls, handle call)
{
    (void)calls;
    (void)call;
    f.is_asked = false;
}

static void answer(void)
{
    const struct kube_reply reply = {
        .err = ERR_OK, .body = S("{\"status\":{\"allowed\":true}}"), .about = f.question.about};
    if (f.is_asked) {
        f.is_asked = false;
        f.question.on_done(f.question.owner, &reply);
    }
}

/* ---- instances: the other ends of sock_connect() --------------------------------------------- */

#define INSTANCES_MAX 32
#define INSTANCE_BUFFER_BYTES 4096 /* the kernel's: soon full */
#define TALK_BYTES 60000

enum manner { ECHOES, TALKS, LISTENS, IS_DEAF, REFUSES, HANGS_UP, ECHOES_ONCE, MANNERS };

static struct instance {
    int fd; /* -1: it has gone */
    enum manner manner;
    size_t said_bytes;
} instances[INSTANCES_MAX];
static uint32_t instances_count;
static uint32_t first_manner;

enum err __wrap_sock_connect(const struct sock_addr *to, int *fd);

enum err __wrap_sock_connect(const struct sock_addr *to, int *fd)
{
    int fds[2];
    const int bytes = INSTANCE_BUFFER_BYTES;
    enum manner manner = (enum manner)((first_manner + instances_count) % MANNERS);
    CHECK(to->port > 0);
    if (manner == REFUSES || instances_count == INSTANCES_MAX) {
        first_manner++; /* the next one does not */
        return ERR_REFUSED_CONN;
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0);
    CHECK(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0);
    instances[instances_count++] = (struct instance){.fd = fds[1], .manner = manner};
    *fd = fds[0];
    return ERR_OK;
}

static void go(struct instance *instance)
{
    (void)close(instance->fd);
    instance->fd = -1;
}

static void say_much(struct instance *instance)
{
    static const char text[2000];
    ssize_t done = 0;
    while (done >= 0 && instance->said_bytes < TALK_BYTES) {
        done = send(instance->fd, text, sizeof text, MSG_NOSIGNAL);
        instance->said_bytes += done > 0 ? (size_t)done : 0;
    }
    if (instance->said_bytes >= TALK_BYTES) {
        go(instance);
    }
}

static void act(struct instance *instance)
{
    char memory[2000];
    ssize_t got = 0;
    switch (instance->manner) {
    case ECHOES:
    case ECHOES_ONCE:
        got = recv(instance->fd, memory, sizeof memory, 0);
        if (got > 0) {
            (void)send(instance->fd, memory, (size_t)got, MSG_NOSIGNAL);
        }
        if (got == 0) {
            go(instance);
        } else if (got > 0 && instance->manner == ECHOES_ONCE) {
            (void)shutdown(instance->fd, SHUT_WR);
        }
        break;
    case TALKS:
        say_much(instance);
        break;
    case LISTENS: /* it has nothing to say, and says so at once */
        (void)shutdown(instance->fd, SHUT_WR);
        (void)recv(instance->fd, memory, 100, 0);
        break;
    case HANGS_UP: /* with bytes unread */
        if (recv(instance->fd, memory, 10, 0) > 0) {
            go(instance);
        }
        break;
    case IS_DEAF:
    case REFUSES:
    case MANNERS:
        break;
    }
}

static void instances_act(void)
{
    for (uint32_t i = 0; i < instances_count; i++) {
        if (instances[i].fd >= 0) {
            act(&instances[i]);
        }
    }
}

static void instances_go(void)
{
    for (uint32_t i = 0; i < instances_count; i++) {
        if (instances[i].fd >= 0) {
            go(&instances[i]);
        }
    }
    instances_count = 0;
}

/* ---- handlers of routes ---------------------------------------------------------------------- */

#define PLAIN_HANDLER(name) \
    void name(struct serve *serve, struct http_exchange *exchange, \
              const struct serve_target *target) \
    { \
        str value; \
        (void)serve; \
        (void)target; \
        (void)serve_query_get(exchange, "tailLines", &value); \
        http_reply(exchange, 200, S("text/plain"), exchange->query); \
    }

PLAIN_HANDLER(serve_pods)
PLAIN_HANDLER(serve_running_pods)
PLAIN_HANDLER(stats_summary)
PLAIN_HANDLER(stats_resource)
PLAIN_HANDLER(metrics_all)

/* In pieces. */
void logs_container(struct serve *serve, struct http_exchange *exchange,
                    const struct serve_target *target)
{
    (void)serve;
    http_reply_begin(exchange, 200, S("text/plain"));
    for (int i = 0; i < 3; i++) {
        (void)http_reply_put(exchange, target->container);
    }
    http_reply_end(exchange);
}

static void on_open(struct remote *remote)
{
    remote_put(remote, CHANNEL_STDOUT, S("hello"));
}

static size_t stdin_room(struct remote *remote)
{
    return remote_room(remote);
}

static void on_stdin(struct remote *remote, str data)
{
    CHECK(data.bytes <= remote_room(remote));
    remote_put(remote, CHANNEL_STDOUT, data);
}

static void on_stdin_end(struct remote *remote)
{
    const struct remote_status status = {.has_code = true, .code = 3};
    remote_finish(remote, &status);
}

static void on_resize(struct remote *remote, uint32_t width, uint32_t height)
{
    (void)remote;
    CHECK(width > 0 && height > 0);
}

static void on_room(struct remote *remote)
{
    remote_resume(remote);
}

static void on_remote_gone(struct remote *remote)
{
    CHECK(f.has_remote && remote == &f.remote);
    f.has_remote = false;
}

static const struct remote_handlers remote_handlers = {
    on_open, stdin_room, on_stdin, on_stdin_end, on_resize, on_room, on_remote_gone};

void exec_serve(struct serve *serve, struct http_exchange *exchange,
                const struct serve_target *target)
{
    struct remote_wants wants;
    (void)serve;
    (void)target;
    CHECK(!f.has_remote);
    f.has_remote = remote_read_wants(exchange, &wants) &&
                   remote_accept(&f.remote, exchange, &f.loop, &wants, &remote_handlers, NULL);
}

void attach_serve(struct serve *serve, struct http_exchange *exchange,
                  const struct serve_target *target)
{
    exec_serve(serve, exchange, target);
}

/* ---- the port -------------------------------------------------------------------------------- */

static enum err find_pod(void *owner, str name_space, str name, str uid, struct serve_pod *out)
{
    (void)owner;
    (void)name_space;
    (void)uid;
    *out = (struct serve_pod){.name = name, .address = S("192.0.2.1"), .is_running = true};
    return str_is_empty(name) ? ERR_NOT_FOUND : ERR_OK;
}

static const struct tls_identity *identity_of(void *owner)
{
    (void)owner;
    return &f.identity;
}

static void begin(void)
{
    const char *why = "";
    const struct serve_config config = {
        .world = {.loop = &f.loop, .arena = &f.arena, .node_name = S("vk"), .find_pod = find_pod},
        .identity = identity_of};
    log_set_level(LOG_ERROR);
    arena_init(&f.arena, arena_memory, sizeof arena_memory);
    arena_init(&f.certs, certs_memory, sizeof certs_memory);
    region_init(&f.region, region_memory, sizeof region_memory);
    CHECK(loop_init(&f.loop, &f.region,
                    HTTP_SERVER_TIMERS(SERVE_CONNS) + FORWARD_TIMERS(FORWARDS) + 8) == ERR_OK);
    CHECK(tls_identity_load(&f.identity, str_of(net_cert("server_ec.crt")),
                            str_of(net_cert("server_ec.key")), &f.certs, &why) == ERR_OK);
    serve_init(&f.serve, &f.region, &config);
    struct http_server *server =
        &f.serve.server; /* its first connection is the one of all inputs */
    conn_init(&server->conns[0], server, (struct http_room *)(void *)server->rooms, server->outs);
    server->conns_used = 1;
    forward_init(&f.region, &f.loop, FORWARDS);
}

/* ---- one input ------------------------------------------------------------------------------- */

/* Takes what the server has sent; its first words are always the same. */
static void hear(int fd)
{
    char memory[65536];
    for (ssize_t got; (got = recv(fd, memory, sizeof memory, 0)) > 0;) {
        CHECK(f.answered > 0 || got < 9 || memcmp(memory, "HTTP/1.1 ", 9) == 0);
        f.answered += (uint64_t)got;
    }
}

static void turn(int fd)
{
    loop_turn(&f.loop, os_now_ms());
    answer();
    instances_act();
    hear(fd);
}

static struct http_conn *open_conn(int fd)
{
    static const struct sock_addr from = {.bytes = {127, 0, 0, 1}, .family = 4};
    static const struct tls_trust clients = {.wall_s = os_wall_s};
    struct http_conn *conn = &f.serve.server.conns[0];
    CHECK(conn_open(conn, fd, &from, &f.identity, NULL) == ERR_OK);
    tls_start_plain(conn->engine);
    conn->engine->trust = &clients;
    conn->engine->is_peer_known = true;
    conn->engine->peer_not_after_s = INT64_MAX;
    (void)strcpy(conn->engine->peer.common_name, "admin");
    conn_pump(conn); /* the handshake is over */
    return conn;
}

static void say(int fd, const uint8_t *data, size_t bytes, size_t piece)
{
    struct http_server *server = &f.serve.server;
    for (int turns = 0; bytes > 0 && http_server_open(server) > 0; turns++) {
        ssize_t done = send(fd, data, piece < bytes ? piece : bytes, MSG_NOSIGNAL);
        if (done > 0) {
            data += done;
            bytes -= (size_t)done;
            turns = 0;
        }
        turn(fd);
        if (turns > 100) {
            break; /* it takes no more: back-pressure, or the end */
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int fds[2];
    struct http_server *server = &f.serve.server;
    if (server->conns == NULL) {
        begin();
    }
    if (bytes < 1) {
        return 0;
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    struct http_conn *conn = open_conn(fds[1]);
    f.answered = 0;
    first_manner = data[0] % MANNERS;
    say(fds[0], data + 1, bytes - 1, 1u + (size_t)(data[0] & 127u) * 8u);
    for (int i = 0; i < 4 || (i < 40 && instances_count > 0); i++) {
        turn(fds[0]);
    }
    if ((data[0] & 128) != 0) {
        (void)shutdown(fds[0], SHUT_WR);
        for (int i = 0; i < 4; i++) {
            turn(fds[0]);
        }
    }
    (void)close(fds[0]);
    for (int i = 0; i < 20 && http_server_open(server) > 0; i++) {
        loop_turn(&f.loop, os_now_ms());
        answer();
    }
    if (http_server_open(server) > 0) { /* it waits for a deadline: stall, linger */
        conn_close(conn, false);
    }
    instances_go();
    CHECK(http_server_open(server) == 0 && f.loop.timers.count <= 1);
    CHECK(!f.has_remote && forward_open() == 0 && f.serve.pending.count == 0 && !f.is_asked);
    for (uint32_t i = 0; i < SERVE_BODIES; i++) {
        CHECK(!server->bodies_taken[i]);
    }
    return 0;
}
