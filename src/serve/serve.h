/*
 * serve.h - the kubelet port: what kubectl, the API server and metrics-server ask of a kubelet, for
 * pods that run on the other side of the line.
 *
 *   routes.def        method, path, what it needs (subresource of nodes), its handler
 *   serve.c           dispatch: the route, then who asks (serve_auth.c), then the handler
 *   logs.c            containerLogs, also -f
 *   exec.c            exec: SPDY and WebSocket here (remote.c), the cloud's WebSocket there
 *   attach.c          attach: what the container writes from now on, read from its log
 *   portforward.c     streams to the instance's address
 *   stats.c           stats/summary, metrics/resource     metrics.c  our own /metrics
 *   serve_pods.c      pods, runningpods
 *
 * It knows nothing of the brain: questions go through struct serve_world, which app fills in.
 */
#ifndef ECILET_SERVE_SERVE_H
#define ECILET_SERVE_SERVE_H

#include "base/arena.h"
#include "eci/eci_call.h"
#include "kube/call.h"
#include "net/http_server.h"

/* One pod as far as this port cares. Texts are valid during the call that asked. */
struct serve_pod {
    str name_space, name, uid;
    str group_id;    /* empty: it has no instance yet */
    str address;     /* of the instance; empty: not known */
    bool is_running; /* its group is up */
    bool has_ended;
    int64_t started_unix_s; /* 0: unknown */
};

struct serve_world {
    void *owner;
    struct loop *loop;
    struct arena *arena; /* of one event */
    struct eci_client *cloud;
    struct kube_calls *api;
    str node_name;
    /* uid may be empty: any. ERR_NOT_FOUND: this node has no such pod. */
    enum err (*find_pod)(void *owner, str name_space, str name, str uid, struct serve_pod *out);
    /* All pods of the node, one after the other: *at starts at 0; false at the end. */
    bool (*next_pod)(void *owner, uint32_t *at, struct serve_pod *out);
    /* Adds lines in the Prometheus text format: everything of app, core and the edges. */
    void (*put_metrics)(void *owner, struct buf *out);
    int64_t (*wall_s)(void);
    /* Parts that handlers reach through here; carved by app beside the server. */
    struct logs *logs;   /* logs.h */
    struct stats *stats; /* stats.h */
};

/* ---- for the handlers of routes -------------------------------------------------------------- */

struct serve;

/* The parts of the path that the route's pattern names, percent-decoded; empty when the pattern has
 * no such part. Valid during the handler's call (they lie in the arena). */
struct serve_target {
    str name_space, pod, uid, container;
    str user; /* who asks: proven and allowed */
};

/*
 * Answers one request that has been found allowed. The reply may come later: then whatever hangs on
 * exchange->state must begin with a struct serve_session. on_gone comes only when state is set.
 */
typedef void serve_handler(struct serve *serve, struct http_exchange *exchange,
                           const struct serve_target *target);

/* First member of what a handler puts into exchange->state. on_request is not called; on_room and
 * on_data may be NULL when they cannot come. */
struct serve_session {
    const struct http_server_handlers *handlers;
};

const struct serve_world *serve_world(const struct serve *serve);

/* The first parameter of that name in the query, percent-decoded into the arena ('+' is a space);
 * false when absent or malformed. A parameter without '=' has the empty value. */
bool serve_query_get(const struct http_exchange *exchange, const char *name, str *value);
/* All of them in order: *at starts at 0. */
bool serve_query_next(const struct http_exchange *exchange, const char *name, size_t *at,
                      str *value);
/* As Kubernetes reads a boolean: "1", "true" (t, T, TRUE, True); anything else is false. */
bool serve_query_is_true(const struct http_exchange *exchange, const char *name);

/* Refuses with a metav1.Status. reason: "BadRequest", "NotFound", ... (apimachinery StatusReason);
 * NULL: the usual one of this status code. */
void serve_refuse(struct http_exchange *exchange, int status, const char *reason,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
