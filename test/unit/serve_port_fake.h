/*
 * serve_port_fake.h - the seams of serve.c and serve_auth.c, played by the test: a server that only
 * remembers its handlers, requests made of texts, an API server that answers when the test says so.
 * They take the place of net/http_server and kube/call.c at link time; so do the handlers of
 * routes, which only note that they were called.
 */
#ifndef ECILET_TEST_SERVE_PORT_FAKE_H
#define ECILET_TEST_SERVE_PORT_FAKE_H

#include "unit.h"

#include "serve/serve_port.h"

#define FAKE_CALLS_MAX 128

static _Alignas(64) char fake_region_memory[2 << 20];
static char fake_arena_memory[256 * 1024];

static struct fake_port {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct serve serve;
    struct http_server_handlers handlers; /* as given to the server */
    struct http_server_config config;
    /* the API server */
    struct kube_request calls[FAKE_CALLS_MAX];
    char paths[FAKE_CALLS_MAX][80], bodies[FAKE_CALLS_MAX][2048];
    bool is_open[FAKE_CALLS_MAX];
    uint32_t calls_count, cancelled;
    enum err send_err;
    /* the handler of a route that was called last */
    const char *handler;
    uint32_t handled;
    char target[512]; /* "namespace/pod/uid/container by user" */
    bool keeps;       /* it does not answer, but sets state */
} f;

/* One request with its answer. */
struct fake_ask {
    struct http_exchange exchange; /* first */
    const char *authorization;     /* NULL: none */
    int status;
    char body[2048];
};

/* ---- net/http_server ------------------------------------------------------------------------- */

void http_server_init(struct http_server *server, struct loop *loop, struct region *region,
                      const struct http_server_config *config)
{
    (void)server;
    (void)loop;
    (void)region;
    f.config = *config;
    f.handlers = *config->handlers;
}

enum err http_server_start(struct http_server *server, struct sock_addr *bound)
{
    (void)server;
    (void)bound;
    return ERR_SYSTEM;
}

void http_server_stop(struct http_server *server)
{
    (void)server;
    f.config.owner = NULL;
}

bool http_exchange_header(const struct http_exchange *exchange, str name, str *value)
{
    const struct fake_ask *ask = (const void *)exchange;
    if (ask->authorization == NULL || !str_eq_nocase(name, S("authorization"))) {
        return false;
    }
    *value = str_of(ask->authorization);
    return true;
}

void http_reply(struct http_exchange *exchange, int status, str type, str body)
{
    struct fake_ask *ask = (void *)exchange;
    (void)type;
    assert_int_equal(ask->status, 0);
    ask->status = status;
    assert_true(str_copy(ask->body, sizeof ask->body, body));
}

/* ---- kube/call ------------------------------------------------------------------------------- */

enum err kube_call_send(struct kube_calls *calls, const struct kube_request *request, handle *out)
{
    (void)calls;
    if (f.send_err != ERR_OK) {
        return f.send_err;
    }
    uint32_t at = f.calls_count++;
    assert_true(at < FAKE_CALLS_MAX);
    f.calls[at] = *request;
    assert_true(str_copy(f.paths[at], sizeof f.paths[at], request->path));
    assert_true(str_copy(f.bodies[at], sizeof f.bodies[at], request->body));
    f.is_open[at] = true;
    *out = (handle){at + 1, 1};
    return ERR_OK;
}

void kube_call_cancel(struct kube_calls *calls, handle call)
{
    (void)calls;
    if (!handle_is_none(call) && f.is_open[call.slot - 1]) {
        f.is_open[call.slot - 1] = false;
        f.cancelled++;
    }
}

/* The newest question gets this answer. */
static inline void fake_answer(enum err err, const char *body)
{
    assert_true(f.calls_count > 0 && f.is_open[f.calls_count - 1]);
    uint32_t at = f.calls_count - 1;
    const struct kube_reply reply = {.err = err,
                                     .status = err == ERR_OK ? 201 : 0,
                                     .body = str_of(body),
                                     .about = f.calls[at].about};
    f.is_open[at] = false;
    f.calls[at].on_done(f.calls[at].owner, &reply);
}

static inline const char *fake_asked(void)
{
    assert_true(f.calls_count > 0);
    return f.bodies[f.calls_count - 1];
}

#define YES "{\"status\":{\"allowed\":true}}"
#define NO "{\"status\":{\"allowed\":false}}"
#define KNOWN \
    "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"ann\",\"groups\":[\"dev\"]}}}"
#define STRANGE "{\"status\":{\"authenticated\":false}}"

/* ---- handlers of routes ---------------------------------------------------------------------- */

static inline void note(const char *name, struct http_exchange *exchange,
                        const struct serve_target *target)
{
    f.handler = name;
    f.handled++;
    (void)snprintf(f.target, sizeof f.target, "%.*s/%.*s/%.*s/%.*s by %.*s",
                   STR_ARG(target->name_space), STR_ARG(target->pod), STR_ARG(target->uid),
                   STR_ARG(target->container), STR_ARG(target->user));
    if (!f.keeps) {
        http_reply(exchange, 200, S("text/plain"), str_of(name));
    }
}

#define FAKE_HANDLER(name) \
    void name(struct serve *serve, struct http_exchange *exchange, \
              const struct serve_target *target) \
    { \
        assert_ptr_equal(serve, &f.serve); \
        note(#name, exchange, target); \
    }

FAKE_HANDLER(serve_pods)
FAKE_HANDLER(serve_running_pods)
FAKE_HANDLER(logs_container)
FAKE_HANDLER(exec_serve)
FAKE_HANDLER(attach_serve)
FAKE_HANDLER(forward_serve)
FAKE_HANDLER(stats_summary)
FAKE_HANDLER(stats_resource)
FAKE_HANDLER(metrics_all)

/* ---- requests -------------------------------------------------------------------------------- */

static inline struct fake_ask fake_ask(const char *method, const char *path, const char *query,
                                       const char *authorization)
{
    return (struct fake_ask){.exchange = {.owner = &f.serve,
                                          .method = str_of(method),
                                          .path = str_of(path),
                                          .query = str_of(query)},
                             .authorization = authorization};
}

static inline void fake_send(struct fake_ask *ask)
{
    f.handlers.on_request(&ask->exchange);
}

static inline void fake_begin(void)
{
    memset(&f, 0, sizeof f);
    memset(fake_region_memory, 0, sizeof fake_region_memory);
    region_init(&f.region, fake_region_memory, sizeof fake_region_memory);
    arena_init(&f.arena, fake_arena_memory, sizeof fake_arena_memory);
    f.loop.now_ms = 1000;
    const struct serve_config config = {
        .world = {.loop = &f.loop, .arena = &f.arena, .node_name = S("vk")}};
    serve_init(&f.serve, &f.region, &config);
}

/* Nothing of a request outlives it. */
static inline void fake_end(void)
{
    assert_int_equal(f.serve.pending.count, 0);
    assert_int_equal(f.serve.strangers, 0);
    assert_int_equal(f.arena.used, 0);
}

#endif
