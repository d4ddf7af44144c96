/*
 * stats.h - GET /stats/summary (kubelet.config.k8s.io stats v1alpha1 Summary) and GET
 * /metrics/resource (Prometheus text, as metrics-server reads it), for all pods of the node.
 *
 * The numbers are those of DescribeMultiContainerGroupMetric (eci-api 2.10), asked for STATS_BATCH
 * groups in a call and only when somebody asks us: a request that finds the newest round older than
 * STATS_FRESH_MS starts another, and is answered when that has ended, or after STATS_WAIT_MS with
 * what is known. A pod without a sample is left out. What the node uses is the sum of its pods; its
 * CPU time only grows, and its time is that of the newest sample: readers divide one by the other.
 * It is never kept beyond its sample, so a clock that was ahead and is set back is followed.
 *
 * Of a container there are CPU and memory; network and file systems are the pod's. Container start
 * times are those of the pod: the cloud's samples have none.
 *
 * Limits: STATS_SESSIONS_MAX answers under way (503); STATS_CALLS_MAX calls under way and
 * STATS_PER_MINUTE of them (the round takes longer: 10,000 pods two minutes); samples for pods_max
 * pods and half as many containers again (further ones are left out, counted in `lost`). A sample
 * that was not renewed for STATS_OLD_MS is forgotten.
 */
#ifndef ECILET_SERVE_STATS_H
#define ECILET_SERVE_STATS_H

#include "base/bucket.h"
#include "base/index.h"
#include "data/metric_read.h"
#include "os/loop.h"
#include "serve/serve.h"

#define STATS_SESSIONS_MAX 8
#define STATS_CALLS_MAX 2 /* each holds a page buffer of the cloud's client */
#define STATS_BATCH 20
#define STATS_PER_MINUTE 300 /* documented for the account: 500 (eci-api 5) */
#define STATS_BURST 40
#define STATS_FRESH_MS 15000
#define STATS_WAIT_MS 8000 /* metrics-server gives up after 10 s */
#define STATS_OLD_MS 300000
#define STATS_PIECE_BYTES (32 * 1024) /* one pod's part of an answer: 20 containers take 12 KiB */
#define STATS_GROUP_BYTES 48
#define STATS_NAME_BYTES 64

struct stats_counters {
    uint64_t rounds;   /* of all pods */
    uint64_t failures; /* calls that failed */
    uint64_t lost;     /* samples without a slot */
    uint64_t refused;  /* requests without a slot */
};

struct stats {
    const struct serve_world *world;
    struct loop_timer timer;
    msec wake_ms;
    struct bucket bucket;
    struct pool samples, containers, sessions;
    struct index by_group;
    char *pieces; /* STATS_PIECE_BYTES for each session */
    uint32_t calls;
    /* the round */
    bool is_running, has_failed, was_complete;
    uint32_t at;   /* next pod */
    msec round_ms; /* start of the newest that has ended; 0: none has */
    msec started_ms;
    uint64_t node_cpu_ns; /* grows by what the pods' grow */
    struct stats_counters counters;
};

void stats_init(struct stats *stats, const struct serve_world *world, struct region *region,
                uint32_t pods_max, msec now_ms);

/* Handlers of the routes. */
void stats_summary(struct serve *serve, struct http_exchange *exchange,
                   const struct serve_target *target);
void stats_resource(struct serve *serve, struct http_exchange *exchange,
                    const struct serve_target *target);

#endif
