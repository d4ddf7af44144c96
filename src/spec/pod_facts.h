/*
 * pod_facts.h - the little that the brain has to know of every pod, read without touching the rest.
 *
 * This is the watch path: it runs for each event of each pod on the node, so it looks members up
 * and never walks containers, volumes or managedFields. Whatever is not there is empty or zero.
 */
#ifndef ECILET_SPEC_POD_FACTS_H
#define ECILET_SPEC_POD_FACTS_H

#include "data/json_read.h"

/* What a container group runs by; pods bring it as an annotation that we write after creation. */
#define ANNOTATION_INSTANCE_ID "k8s.aliyun.com/eci-instance-id"

/* PodStatus.phase. The order is the order of life: a phase never goes back. */
enum pod_phase {
    POD_PHASE_NONE, /* not sent, or "Unknown" */
    POD_PHASE_PENDING,
    POD_PHASE_RUNNING,
    POD_PHASE_SUCCEEDED,
    POD_PHASE_FAILED,
    POD_PHASE_COUNT
};

const char *pod_phase_name(enum pod_phase phase); /* "Pending"; "" for NONE and anything else */
enum pod_phase pod_phase_parse(str text);

static inline bool pod_phase_is_terminal(enum pod_phase phase)
{
    return phase == POD_PHASE_SUCCEEDED || phase == POD_PHASE_FAILED;
}

/* PodSpec.restartPolicy */
enum restart_policy {
    RESTART_POLICY_ALWAYS, /* the API server's default */
    RESTART_POLICY_ON_FAILURE,
    RESTART_POLICY_NEVER,
    RESTART_POLICY_COUNT
};

const char *restart_policy_name(enum restart_policy policy); /* never NULL */
/* False (out unchanged) for anything but the three names. */
bool restart_policy_parse(str text, enum restart_policy *out);

/* All texts borrow from the document or live in its arena: they end with the event. Times are
 * seconds since 1970. */
struct pod_facts {
    str uid; /* empty: not a pod that the API server sent */
    str name_space;
    str name;
    str resource_version;
    str node_name;
    str instance_id; /* annotation ANNOTATION_INSTANCE_ID */
    str owner_kind;  /* of the owner reference with controller: true */
    str owner_name;
    str host_ip; /* status.hostIP */
    str pod_ip;  /* status.podIP */
    int64_t created_at_s;
    int64_t deletion_at_s;     /* metadata.deletionTimestamp: *after* the grace period; 0 = stays */
    int64_t deletion_grace_s;  /* metadata.deletionGracePeriodSeconds, 0 when absent */
    int64_t started_at_s;      /* status.startTime */
    int64_t active_deadline_s; /* spec.activeDeadlineSeconds, 0 = none */
    uint32_t containers_count;
    enum pod_phase phase;
    enum restart_policy restart_policy;
    bool is_leaving; /* has a deletionTimestamp, whatever its text says */
    bool has_init_containers;
    bool is_mirror; /* annotation kubernetes.io/config.mirror: a static pod's shadow */
};

/*
 * What the scheduler counts for this pod, in thousandths of a vCPU: the requests of its containers
 * and of init containers that go on running, or the largest moment of its init containers, and the
 * overhead (k8s.io/component-helpers/resource). What is unreadable counts as 0, sums stop at
 * POD_REQUEST_MILLI_MAX. Walks the containers: once per pod, not once per event.
 */
#define POD_REQUEST_MILLI_MAX ((int64_t)1 << 40) /* so that sums of 2^22 pods cannot overflow */
int64_t pod_request_milli(json pod, struct arena *arena);

/* Errors: ERR_BAD_INPUT when it is no object with metadata.uid, name and namespace; ERR_FULL when
 * the arena could not hold a text with escapes. */
MUST_USE enum err pod_facts_read(json pod, struct arena *arena, struct pod_facts *out);

#endif
