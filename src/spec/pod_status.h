/*
 * pod_status.h - what the cloud says, as PodStatus; and PodStatus as a patch.
 *
 * A status is built from one of four sources, then written:
 *
 *     pod_status_of_row()      a row of DescribeContainerGroupStatus: all but init containers
 *     pod_status_of_group()    a row of DescribeContainerGroups: init containers only
 *     pod_status_pending()     no instance yet, with the reason why
 *     pod_status_end()         the pod is over for a reason of ours: lost, refused, deadline
 *
 *     pod_status_hash(&status, arena, &hash);
 *     if (hash != slot->past.hash) { pod_status_write(...); send; }
 *     when the API server has accepted it: pod_status_remember(&slot->past, &status, hash);
 *
 * Rules that hold for all of them (eci-api 3.1-3.4, virtual-node 3.9, invariants I4 and I5):
 *   - a phase never goes back: Running stays Running (with Ready=False while Restarting or
 *     Updating), Succeeded and Failed stay what they are;
 *   - Ready needs Running, ready containers and a valid pod address;
 *   - a condition's lastTransitionTime changes only with its status;
 *   - startTime and the pod's address, once known, do not disappear.
 * Pure: `now_s` is an argument. Texts live in the arena given.
 */
#ifndef ECILET_SPEC_POD_STATUS_H
#define ECILET_SPEC_POD_STATUS_H

#include "base/buf.h"
#include "data/group_rows.h"
#include "spec/pod_facts.h"
#include "spec/pod_note.h"

#define POD_IP_BYTES_MAX 40 /* eight groups of four, seven colons, NUL */
#define POD_IPS_MAX 2       /* one per family: what the API server accepts */
#define POD_CONDITIONS_MAX (ECI_CONDITIONS_MAX + 8)

/* The conditions that we decide. All others (PodReadyToStartContainers, ContainerHasSufficientDisk,
 * Unschedulable, SandboxReady, ...) are copied from the row as they come. */
#define POD_CONDITION_TABLE(X) \
    X(SCHEDULED,        "PodScheduled")             \
    X(INITIALIZED,      "Initialized")              \
    X(CONTAINERS_READY, "ContainersReady")          \
    X(READY,            "Ready")                    \
    X(INSTANCE,         "ContainerInstanceCreated") /* Alibaba's own (eci-api 3.4) */

enum pod_condition_type {
#define X(name, text) POD_CONDITION_##name,
    POD_CONDITION_TABLE(X)
#undef X
        POD_CONDITION_COUNT
};

struct pod_condition {
    str type;
    str status; /* "True", "False", "Unknown" */
    str reason;
    str message;
    int64_t changed_at_s;
};

/*
 * What must be remembered of a pod between two statuses; fixed size, lives in the brain's slot.
 * Zeroed = nothing known. After a restart pod_status_past_read() fills it from the pod. When a new
 * attempt begins, its owner clears pod_ips: addresses belong to an instance.
 */
struct pod_status_past {
    enum pod_phase phase;
    uint8_t condition[POD_CONDITION_COUNT]; /* 0 = not set, else 'T', 'F', 'U' */
    int64_t changed_at_s[POD_CONDITION_COUNT];
    int64_t started_at_s;
    char pod_ips[POD_IPS_MAX][POD_IP_BYTES_MAX]; /* NUL-terminated; "" = none */
    uint64_t hash;                               /* of what the API server has: pod_status_hash() */
    uint64_t init_hash;                          /* the same for initContainerStatuses */
};

struct pod_container_status {
    struct eci_container is; /* the fields that mean the same; states with reasons filled in */
    str container_id;        /* "" while there is none */
};

struct pod_status {
    enum pod_phase phase; /* NONE: the patch has init containers only */
    bool keeps_reason;    /* reason and message stay as they are: the pod had ended before */
    str reason;
    str message;
    str host_ip;
    str pod_ips[POD_IPS_MAX]; /* the first is podIP */
    uint32_t pod_ips_count;
    int64_t started_at_s;
    struct pod_condition conditions[POD_CONDITIONS_MAX];
    uint32_t conditions_count;
    const struct pod_container_status *containers; /* NULL: not part of the patch */
    uint32_t containers_count;
    const struct pod_container_status *init_containers; /* NULL: not part of the patch */
    uint32_t init_containers_count;
};

/* What a row alone does not tell. */
struct pod_status_input {
    const struct pod_status_past *past; /* never NULL */
    int64_t now_s;              /* wall clock: for transitions that the row has no time for */
    str node_ip;                /* hostIP when the row has none */
    const str *container_names; /* in the pod's order; NULL: the row's order is used */
    uint32_t container_names_count;
    const str *init_container_names; /* likewise */
    uint32_t init_container_names_count;
    bool has_init_containers;
    /* The brain will try again (fail-back, the default): an instance that ended before any
     * container ran leaves the pod Pending. False (fail-fast, restartPolicy Never): Failed. */
    bool will_retry;
};

/* Errors of the four: ERR_FULL when the arena is full. */
MUST_USE enum err pod_status_of_row(const struct eci_status_row *row,
                                    const struct pod_status_input *input, struct arena *arena,
                                    struct pod_status *out);
MUST_USE enum err pod_status_of_group(const struct eci_group_row *row,
                                      const struct pod_status_input *input, struct arena *arena,
                                      struct pod_status *out);

/* Pending with a reason ("ProviderFailed") and a sentence. A phase beyond Pending is kept. Has no
 * containerStatuses: their "ContainerCreating" would hide the reason in kubectl's list. */
MUST_USE enum err pod_status_pending(str reason, str message, const struct pod_status_input *input,
                                     struct arena *arena, struct pod_status *out);

/* How a pod ends for a reason of ours. */
struct pod_end {
    enum pod_phase phase; /* SUCCEEDED or FAILED; NONE stands for FAILED */
    str reason;           /* of the pod: "NotFound", "ProviderFailed", "DeadlineExceeded" */
    str message;
    str container_reason; /* of each container that was running */
    str container_message;
    int32_t exit_code; /* of the same */
};

/* A lost instance, word for word as the virtual kubelet core says it (virtual-node 3.3), because
 * people's alerts match on it. */
extern const struct pod_end POD_END_LOST;

/*
 * Failed, or what the end says. `pod` is the object as the API server has it: its running
 * containers become terminated, all else in its containerStatuses stays; JSON_NONE when it is not
 * at hand (then the patch has no containerStatuses). A pod that is Succeeded or Failed already
 * keeps its phase.
 */
MUST_USE enum err pod_status_end(const struct pod_end *end, json pod,
                                 const struct pod_status_input *input, struct arena *arena,
                                 struct pod_status *out);

/*
 * True when the instance has ended (or was never found) without any container having run: the case
 * for a new attempt rather than for Failed (eci-api 3.1 ScheduleFailed, and the pending time-out).
 */
bool pod_status_row_never_ran(const struct eci_status_row *row);

/* The status inside a pod of the API server; of the conditions only the types named above.
 * Errors: ERR_FULL. */
MUST_USE enum err pod_status_read(json pod, struct arena *arena, struct pod_status *out);
/* The same, boiled down to what has to be remembered. Errors: ERR_FULL. */
MUST_USE enum err pod_status_past_read(json pod, struct arena *arena, struct pod_status_past *out);

/* After the API server has accepted `status`; `hash` is that of pod_status_hash(). */
void pod_status_remember(struct pod_status_past *past, const struct pod_status *status,
                         uint64_t hash);

/*
 * Content without what varies by itself (lastTransitionTime) or is never written again (reason and
 * message of an ended pod). The same for a status that is about
 * to be written and for the same status read back from the API server, across restarts too.
 * The arena is used as scratch and rewound. Errors: ERR_FULL.
 */
MUST_USE enum err pod_status_hash(const struct pod_status *status, struct arena *arena,
                                  uint64_t *hash);

/*
 * The body of a *strategic merge patch* of pods/<name>/status:
 * {"metadata":{"uid":...},"status":{...}}. Conditions and podIPs merge by key on the server, so
 * foreign conditions survive; addresses of `past` that are gone are deleted by name.
 *
 * note   the instance to note on the pod, NULL: none
 * Errors: ERR_FULL when out is full.
 */
MUST_USE enum err pod_status_write(const struct pod_status *status,
                                   const struct pod_status_past *past, str pod_uid,
                                   const struct pod_note *note, struct buf *out);

#endif
