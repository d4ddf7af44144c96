/*
 * preflight.h - the part of `ecilet check` that asks others: the API server, the cloud, the ports.
 * Nothing is changed anywhere. Every finding is one line, said as soon as it is known.
 *
 * Each side has PREFLIGHT_MS; what was not answered by then has failed. A question that has no
 * answer because one before it failed is not mentioned.
 *
 *     ok    API server     https://192.0.2.1:6443 answers (v1.30.1)
 *     FAIL  permissions    1 of 33 are missing: apply `ecilet manifests --nodename vk-1`
 *                          may not patch pods/status (phase, containers, addresses)
 */
#ifndef ECILET_APP_PREFLIGHT_H
#define ECILET_APP_PREFLIGHT_H

#include "app/config.h"
#include "app/permissions.h"
#include "eci/eci_call.h"
#include "kube/call.h"

#define PREFLIGHT_MS 10000         /* for each side */
#define PREFLIGHT_CLOCK_MS 5000    /* a clock that differs by more is warned about */
#define PREFLIGHT_QUESTIONS_MAX 64 /* permissions and verbs; a program constant, CHECKed */
#define PREFLIGHT_TEXT_BYTES 8192  /* one finding: all permissions may be missing */

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL, VERDICT_SKIP };

/* Where findings go. */
struct preflight {
    struct buf *out;
    void (*flush)(void *owner); /* after each finding; may be NULL */
    void *owner;
    bool has_failed; /* for reading */
};

void preflight_say(struct preflight *preflight, enum verdict verdict, const char *name,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Says the difference of a clock to ours; theirs minus ours. */
void preflight_say_clock(struct preflight *preflight, const char *name, int64_t offset_ms,
                         const char *then);

/* ---- the API server -------------------------------------------------------------------------- */

/* One verb of a permission: a SelfSubjectAccessReview. */
struct preflight_question {
    uint32_t permission;
    str verb;
    bool is_denied;
};

/* The first five members are set by the caller, the rest is zero. */
struct preflight_cluster {
    struct preflight *preflight;
    const struct config *config;
    struct kube_calls *calls;
    struct loop *loop;
    struct arena *arena;
    msec end_at_ms;
    struct preflight_question questions[PREFLIGHT_QUESTIONS_MAX];
    uint32_t questions_count, asked, answered, denied;
    bool is_stopped; /* no further question: one was not answered */
    int64_t clock_offset_ms;
    bool has_node;        /* one that is virtual */
    bool is_another_lead; /* LEADER_ELECT: another gateway leads */
    bool is_done;         /* for reading */
};

void preflight_cluster_start(struct preflight_cluster *cluster);

/* ---- the cloud ------------------------------------------------------------------------------- */

/* The first four members are set by the caller, the rest is zero. */
struct preflight_cloud {
    struct preflight *preflight;
    const struct config *config;
    struct eci_client *client;
    struct loop *loop;
    msec end_at_ms;
    uint32_t at;  /* of the reads */
    bool is_seen; /* an instance of this node is there */
    bool is_done; /* for reading */
};

void preflight_cloud_start(struct preflight_cloud *cloud);

/* ---- this machine ---------------------------------------------------------------------------- */

/* KUBELET_PORT, WEBHOOK_PORT, STATUS_SOCKET. Ports are bound for a moment. address: the node's, see
 * connect_address(). */
void preflight_ports(struct preflight *preflight, const struct config *config, const char *address);

#endif
