/*
 * lease.h - the node's heartbeat: Lease <node> in namespace kube-node-lease. The same machine keeps
 * any other lease at another pace: of several gateways the one that leads (app/wire_leader.c).
 *
 * The node controller calls a node dead when its lease was not renewed for 40 s (50 s from 1.32
 * on). So this part depends on nothing but the API server: own HTTP client, one connection, own
 * buffers, a deadline of 8 s for each try; after a failure the next try dials afresh. A renewal is
 * due each 10 s; failed tries are repeated within the period after 0.2 s, 0.4 s, ... 2 s.
 *
 * Renewing is a merge patch of the spec with the resourceVersion last seen: of two agents with one
 * node name one gets a conflict and reads. A lease held by another identity and still being renewed
 * is not fought over: on_foreign is called and reading goes on; it is taken when it was not renewed
 * for its own duration, measured by our monotonic clock (so skewed clocks do not matter).
 *
 * Created when missing; coordination.k8s.io/v1beta1 when the server has no v1 (before 1.14). A
 * server without the API or the namespace gives ERR_UNSUPPORTED in on_result once and is asked
 * again before a lease would run out (the 404 may have been a proxy's); node status is the
 * heartbeat then.
 */
#ifndef ECILET_KUBE_LEASE_H
#define ECILET_KUBE_LEASE_H

#include "base/prng.h"
#include "kube/call.h"

#define KUBE_LEASE_DURATION_S 40
#define KUBE_LEASE_PERIOD_MS 10000
#define KUBE_LEASE_DEADLINE_MS 8000
#define KUBE_LEASE_RETRY_MS 200
#define KUBE_LEASE_RETRY_MAX_MS 2000
#define KUBE_LEASE_UNSUPPORTED_MS 30000
#define KUBE_LEASE_HOLDER_BYTES_MAX 300
#define KUBE_LEASE_WRITTEN_MAX \
    16 /* a write of ours that lands later than that is taken for another's */
#define KUBE_LEASE_REQUEST_BYTES (4096 + KUBE_HEADERS_BYTES_MAX)
#define KUBE_LEASE_REPLY_BYTES 16384 /* a Lease with managedFields has 1 KB */

struct kube_lease;

struct kube_lease_handlers {
    /* After each renewal and each failed try. err ERR_OK: renewed at loop->now_ms. */
    void (*on_result)(struct kube_lease *lease, enum err err, const char *why);
    /* Somebody else renews this lease. holder: their identity; equal to ours when a second agent
     * uses our identity. Once per reading; on_result(ERR_OK) afterwards means it is ours again. */
    void (*on_foreign)(struct kube_lease *lease, str holder);
};

enum kube_lease_step { KUBE_LEASE_READ, KUBE_LEASE_MAKE, KUBE_LEASE_RENEW, KUBE_LEASE_RELEASE };

struct kube_lease_config {
    str name;            /* of the lease, for a heartbeat the node's; borrowed for ever */
    str name_space;      /* empty: kube-node-lease; borrowed for ever */
    str holder;          /* holderIdentity; borrowed for ever. kubelets use the node's name */
    uint32_t duration_s; /* these three: 0 means the heartbeat's, as above */
    msec period_ms;
    msec deadline_ms;
    const struct kube_lease_handlers *handlers;
    void *owner;
};

struct kube_lease {
    void *owner;
    /* for reading */
    msec renewed_at_ms; /* last success (start of that request), 0 = never */
    bool is_foreign;
    uint64_t renewals, failures, conflicts, creates;
    /* private */
    struct kube_lease_config config;
    struct kube_auth *auth;
    struct arena *arena;
    struct loop *loop;
    struct http_client client;
    struct http_call call;
    struct loop_timer timer;
    struct prng prng;
    struct buf request; /* path, headers, body */
    struct buf reply;
    enum kube_kind kind; /* KUBE_LEASE or KUBE_LEASE_BETA */
    enum kube_lease_step step;
    uint32_t steps_row;                       /* requests since the last wait */
    char version[KUBE_VERSION_BYTES_MAX + 1]; /* of the lease as we know it; "" = must read */
    char node_uid[KUBE_UID_BYTES_MAX + 1];
    uint64_t written[KUBE_LEASE_WRITTEN_MAX]; /* hashes of the renewTimes we sent last */
    uint32_t written_count;                   /* ever */
    uint64_t foreign_hash; /* holder and renewTime of the foreign lease last seen */
    msec foreign_since_ms; /* unchanged since */
    msec began_ms;         /* of the try under way */
    uint32_t failures_row;
    uint64_t generation;
    bool has_owner; /* ownerReferences name node_uid */
    bool is_busy;
    bool is_leaving; /* released after the renewal under way, then nothing more */
    bool said_unsupported;
};

void kube_lease_init(struct kube_lease *lease, struct loop *loop, struct region *region,
                     struct kube_auth *auth, struct arena *arena, uint64_t seed,
                     const struct kube_lease_config *config);
void kube_lease_start(struct kube_lease *lease);
/* No more renewals; the lease runs out by itself (a leaving kubelet does the same). */
void kube_lease_stop(struct kube_lease *lease);
/* Says in the lease that nobody holds it, so that another need not wait until it has run out; then
 * as kube_lease_stop(). If a renewal is under way: after it. Without effect when the lease is not
 * ours or its last renewal failed: whoever waits then waits a little longer. kube_lease_is_busy()
 * while a request is under way. */
void kube_lease_release(struct kube_lease *lease);
bool kube_lease_is_busy(const struct kube_lease *lease);
/* The Node's UID is known (or new): the next renewal adds the ownerReference, so that deleting the
 * node deletes its lease. */
void kube_lease_set_node(struct kube_lease *lease, str uid);

#endif
