/*
 * serve.h - the kubelet port: what kubectl, the API server and metrics-server ask of a kubelet, for
 * pods that run on the other side of the line.
 *
 *   routes.def     method, path, what it needs (verb and subresource of nodes), its handler
 *   serve.c        server, dispatch, authentication (serve_auth.c) before anything else is looked
 * at logs.c         containerLogs, also -f exec.c         exec and attach: SPDY and WebSocket on
 * one side, the cloud's WebSocket on the other portforward.c  streams to the instance's address
 *   stats.c        stats/summary, metrics/resource    metrics.c  our own /metrics
 *   pods.c         pods, runningpods
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
};

#endif
