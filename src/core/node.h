/*
 * node.h - our Node object (core/v1), as bodies to send. Pure.
 *
 * virtual-node 3.1: role agent, type virtual-kubelet, the provider's taint(s), capacity from the
 * quota keys, five conditions of every kubelet plus ECIReachable, ECIQuotaExceeded and
 * OrphanDeletionStopped. Labels and taints of others are kept:
 * labels by merging, taints by reading before writing.
 */
#ifndef ECILET_CORE_NODE_H
#define ECILET_CORE_NODE_H

#include "data/json_read.h"
#include "data/json_write.h"

#define NODE_RUNTIME_PREFIX "eci://" /* nodeInfo.containerRuntimeVersion of a node made by us */
#define NODE_STATUS_MS \
    300000 /* between node statuses when nothing changes; the lease is the pulse */

enum node_condition {
    NODE_READY,
    NODE_MEMORY_PRESSURE,
    NODE_DISK_PRESSURE,
    NODE_PID_PRESSURE,
    NODE_NETWORK_UNAVAILABLE,
    NODE_ECI_REACHABLE,
    NODE_ECI_QUOTA,
    NODE_ORPHAN_BRAKE,
    NODE_CONDITION_COUNT
};

/* What the node says of itself. Texts are borrowed from the config for ever. */
struct node_facts {
    str name;
    str address;     /* InternalIP */
    str cpu, memory; /* quantities: capacity */
    uint32_t pods;
    uint32_t gpus; /* nvidia.com/gpu, the same in both */
    str cpu_free;  /* allocatable: see capacity.h; memory is the same in both */
    uint32_t pods_free;
    uint32_t kubelet_port; /* 0: not served, no endpoint is announced */
    str kubelet_version;   /* "v1.20.2-ecilet-<version>" */
    str architecture;
    str taint_key, taint_value, taint_effect; /* key empty: no taint */
    /* A second taint, key and value alike, effect PreferNoSchedule: who tolerates only the first
     * (burst-resource: eci) comes here when no other node has room. When it is not wanted
     * any more it is taken away: nobody else has a taint of this key and value. */
    bool is_last_choice;
    const str *labels; /* "key=value" */
    uint32_t labels_count;
    str region, zone; /* may be empty */
    /* conditions */
    bool is_reachable;
    char reach_reason[64];
    char reach_message[320];
    bool is_over_quota; /* the cloud refuses new instances; the node takes no new pods */
    bool is_braked;
    char brake_message[160];
    int64_t changed_unix_s[NODE_CONDITION_COUNT]; /* lastTransitionTime */
};

/* The whole object, for POST. */
void node_put_object(struct json_write *w, const struct node_facts *facts, int64_t now_unix_s);
/* Strategic merge patch of /status: capacity, allocatable, conditions, addresses, endpoints, info.
 */
void node_put_status_patch(struct json_write *w, const struct node_facts *facts, str uid,
                           int64_t now_unix_s);
/*
 * Strategic merge patch of labels and taints so that ours are there and all others stay. node is
 * the object as it is now. False when nothing is missing. Writes resourceVersion as precondition,
 * because the list of taints is replaced as a whole.
 */
bool node_put_spec_patch(struct json_write *w, const struct node_facts *facts, json node,
                         struct arena *arena);
/* Somebody else changed one of our conditions (the node controller does when the lease was late):
 * it must be written again. */
bool node_conditions_differ(const struct node_facts *facts, json node);
/* Made by a virtual kubelet: ours, or the one that we replace. Any other node is not to be touched.
 */
bool node_is_virtual(json node, struct arena *arena);
/* Takes over the transition times of conditions whose status is the same (after a restart). */
void node_keep_times(struct node_facts *facts, json node, struct arena *arena, int64_t now_unix_s);

#endif
