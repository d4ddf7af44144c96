/*
 * stats_parts.h - what the files of stats share; see stats.h.
 *
 *   stats.c        requests, rounds, samples
 *   stats_write.c  what is answered: an answer is made pod by pod, a piece at a time
 */
#ifndef ECILET_SERVE_STATS_PARTS_H
#define ECILET_SERVE_STATS_PARTS_H

#include "serve/stats.h"

struct stats_container {
    char name[STATS_NAME_BYTES];
    struct metric_usage usage;
    handle next;
};

/* The newest sample of one group. */
struct stats_sample {
    char group[STATS_GROUP_BYTES];
    int64_t at_s;
    msec seen_ms;
    struct metric_usage usage;
    struct metric_network network;
    struct metric_disk disk;
    handle first; /* container */
};

enum stats_kind { STATS_SUMMARY, STATS_RESOURCE };

/* One request. */
struct stats_session {
    struct serve_session base; /* first */
    struct stats *stats;
    struct http_exchange *exchange;
    enum stats_kind kind;
    bool has_begun, has_ended;
    msec give_up_ms;
    /* what is being written */
    uint32_t stage; /* of its kind, see stats_write.c */
    uint32_t pod_at;
    bool has_pods; /* one was written in this stage */
    struct buf piece;
    size_t piece_at;
};

/* The sample of a pod; NULL when there is none. */
struct stats_sample *stats_sample_of(const struct stats *stats, str group);
/* Sums over all samples of pods that are there. */
void stats_node_usage(const struct stats *stats, struct metric_usage *usage,
                      struct metric_network *network);

/* When that was: of the newest sample that is kept; with none at all, now. */
int64_t stats_node_at_s(const struct stats *stats);

/* The next piece of the answer; false when there is none any more. */
bool stats_write_next(struct stats_session *session);

#endif
