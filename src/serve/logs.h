/*
 * logs.h - GET /containerLogs/{namespace}/{pod}/{container}, as a kubelet answers it (Kubernetes
 * PodLogOptions; pkg/kubelet/server handler getContainerLogs):
 *
 *   tailLines     the last so many lines; 0: none
 *   limitBytes    at most so many bytes of the answer, from its beginning
 *   sinceSeconds, sinceTime   lines from then on; not both
 *   timestamps    each line with the time it was written
 *   previous      the container's run before this one
 *   follow        goes on until the container ends or the peer leaves
 *
 * What there is, is what the cloud gives: the newest LOG_LINES_MAX lines, LOG_BYTES_MAX bytes
 * (eci-api 2.5 has no paging and no follow). Init containers are containers like all others.
 *
 * Following is polling. There is one poller per container however many follow it; a reading begins
 * a little before the last known line, and data/log_lines.h finds what is new. While lines come it
 * is asked each second, else ever more rarely. A poller has one call under way: a new follower's
 * first reading takes its turn with the polls, so that it can be joined to the stream without a
 * lost or doubled line. Where lines were lost to the cloud's caps a line says so.
 *
 * The end: when the status of the group shows the container ended (or started anew), a last reading
 * follows and the answers end. A pod or group that is gone ends them too. An outage does not: polls
 * go on, and the stream continues where it was.
 *
 * Refusals are plain text, because the API server puts them into the Status it gives to kubectl:
 * 404 no such pod or container, 400 a bad parameter or "is waiting to start", 422 parameters that
 * exclude each other, 500 the cloud's error, 503 one of the limits below.
 *
 * Limits, and what happens when they are reached:
 *   LOGS_SESSIONS_MAX  answers under way                    503
 *   LOGS_POLLERS_MAX   containers that are followed         503
 *   LOGS_TEXTS_MAX     readings being written to peers      waits, then 503
 *   LOGS_CALLS_MAX     calls to the cloud under way         waits
 *   LOGS_PER_MINUTE    calls; the one due longest is next, first readings before polls   waits
 *   LOGS_SLOW_MS       so long a reading is kept for a peer that does not take it; then the rest is
 *                      skipped, and a line tells it so
 */
#ifndef ECILET_SERVE_LOGS_H
#define ECILET_SERVE_LOGS_H

#include "base/bucket.h"
#include "base/list.h"
#include "data/log_lines.h"
#include "os/loop.h"
#include "serve/serve.h"

#define LOGS_SESSIONS_MAX 128
#define LOGS_POLLERS_MAX 32 /* 16 KiB each: what was shown */
#define LOGS_TEXTS_MAX 12   /* 1 MiB each, touched only in use, given back afterwards */
#define LOGS_CALLS_MAX 3    /* each holds a page buffer of the cloud's client */
#define LOGS_PER_MINUTE 400 /* documented for the account: 500 (eci-api 5) */
#define LOGS_BURST 20
#define LOGS_BURST_KEPT 6 /* tokens that polls leave to first readings */
#define LOGS_POLL_MIN_MS 500
#define LOGS_POLL_MS 1000
#define LOGS_POLL_MAX_MS 10000
#define LOGS_CHECK_MS 3000     /* between looks at the status of what is followed */
#define LOGS_PATIENCE_MS 10000 /* an answer that cannot begin by then is refused */
#define LOGS_SLOW_MS 10000

struct logs_counters {
    uint64_t sessions;     /* answers begun */
    uint64_t follows;      /* ... of them with follow */
    uint64_t refused_full; /* 503 */
    uint64_t polls;        /* readings for followers */
    uint64_t gaps;         /* times that lines were lost to the cloud's caps */
    uint64_t slow_skips;   /* times that a slow peer lost lines */
    uint64_t failures;     /* calls that failed */
};

struct logs {
    const struct serve_world *world;
    struct loop_timer timer;
    msec wake_ms; /* when the timer is set for */
    struct bucket bucket;
    struct pool sessions, pollers, texts;
    char *texts_memory;
    uint32_t calls; /* under way */
    bool is_checking[2];
    msec check_at_ms[2];
    uint32_t check_turn; /* the poller with which the next look begins */
    struct logs_counters counters;
};

/* Carves everything. world must outlive it and be filled in before the first request. */
void logs_init(struct logs *logs, const struct serve_world *world, struct region *region,
               msec now_ms);

/* The handler of the route; finds its struct logs in the world. */
void logs_container(struct serve *serve, struct http_exchange *exchange,
                    const struct serve_target *target);

#endif
