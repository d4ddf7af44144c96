/*
 * uninstall.h - what ecilet made in the cluster is taken away: the webhook's registration and its
 * Secret, the Node when it is a virtual one without pods, the leases.
 *
 * Objects are looked at one by one and judged before anything is deleted; each is deleted on the
 * condition that it is still the one that was looked at. First both leases of the node are watched
 * for UNINSTALL_WATCH_MS: whoever renews them would make everything again. The registration is of
 * the whole cluster: while a gateway of another node holds it, it stays, and with it the Secret.
 * Never touched: pods, the ConfigMap eci-profile, instances in the cloud.
 *
 * One line per object goes into `out`: "removed", "would remove", "not there", "left" with the
 * reason, "failed" with the reason.
 */
#ifndef ECILET_APP_UNINSTALL_H
#define ECILET_APP_UNINSTALL_H

#include "kube/call.h"

#define UNINSTALL_WATCH_MS 12000 /* a heartbeat comes every 10 s, a leader's renewal every 2 s */
#define UNINSTALL_LOOK_MS 1000   /* between looks at the leases */
#define UNINSTALL_PODS_MAX 50    /* pods of the node that are asked for; more: "and more" */
#define UNINSTALL_PODS_SHOWN 5
#define UNINSTALL_REPLY_BYTES (256 * 1024) /* a node, or the metadata of so many pods */
#define UNINSTALL_LEASES 2

struct uninstall_config {
    struct loop *loop;
    struct kube_calls *calls;
    struct arena *arena;
    str node_name, leader_namespace;
    bool is_real;   /* else nothing is deleted, only said */
    bool is_forced; /* the leases are not watched */
    struct buf *out;
};

struct uninstall {
    struct uninstall_config config;
    struct loop_timer timer;
    char leader_lease[128];
    uint32_t at; /* of the leases, then of the objects */
    uint64_t leases[UNINSTALL_LEASES];
    uint32_t leases_found;
    uint32_t looks; /* rounds over the leases */
    char uid[KUBE_UID_BYTES_MAX + 1];
    bool is_beta;          /* this server has the registration as v1beta1 only */
    bool has_foreign_hook; /* vk-webhook is another's: so may be the Secret */
    bool keeps_node;
    /* for reading */
    bool is_done;
    bool is_in_use; /* somebody renews a lease: nothing was done; holder says who */
    char holder[128];
    uint32_t removed, left, failed;
};

void uninstall_init(struct uninstall *un, const struct uninstall_config *config);
/* Then turn the loop until is_done. */
void uninstall_start(struct uninstall *un);

#endif
