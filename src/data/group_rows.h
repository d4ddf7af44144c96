/*
 * group_rows.h - what the cloud says about container groups, as plain data.
 *
 * group_read.h makes these rows from replies; spec/ turns them into pod status; core/ compares
 * them with what it knows. Types and inline helpers only, so that the simulator and the tests can
 * build rows by hand.
 *
 * Every `str` and every array of a row lives in the reader's arena (or borrows from the text of the
 * reply) and ends with that event. A text the cloud did not send is empty, a time it did not send
 * is 0, a number is 0. Times are seconds since 1970, UTC.
 *
 * Source: eci-api 2.3 (groups), 2.4 (status), 2.11 (events), 3.1 and 3.2 (state machines).
 */
#ifndef ECILET_DATA_GROUP_ROWS_H
#define ECILET_DATA_GROUP_ROWS_H

#include "base/str.h"

/*
 * Limits. A row with more (or longer) than this is not believed at all (it is counted as bad),
 * except where it says "the rest is dropped".
 */
#define ECI_ID_BYTES_MAX 64    /* "eci-" and about 20 characters; also eni-, vsw-, ... ids */
#define ECI_NAME_BYTES_MAX 256 /* group names have at most 128, names of pods 253 */
#define ECI_CONTAINERS_MAX 64  /* of one kind; documented: 20 of both kinds together */
#define ECI_CONDITIONS_MAX 32  /* eight types are documented */
#define ECI_TAGS_MAX 64        /* documented: 20 */
#define ECI_POD_IPS_MAX 8      /* one IPv4 and one IPv6; the rest, and bad ones, are dropped */
#define ECI_EVENTS_MAX 64      /* documented: 50 per group; the rest, and bad ones, are dropped */
#define ECI_MESSAGE_BYTES_MAX 4096 /* documented for termination messages; the rest is dropped */

/*
 * ContainerGroup.Status (eci-api 3.1). UNKNOWN is zero: a status that was not sent, or one that did
 * not exist when this was written. It is treated as alive: what we do not understand ends nothing.
 */
#define ECI_STATUS_TABLE(X) \
    X(UNKNOWN,         "Unknown")        /* ours, not a wire value */ \
    X(SCHEDULING,      "Scheduling")     /* resources are being searched */ \
    X(PENDING,         "Pending")        /* resources there, no container runs */ \
    X(RUNNING,         "Running") \
    X(RESTARTING,      "Restarting")     /* RestartContainerGroup in progress */ \
    X(UPDATING,        "Updating")       /* UpdateContainerGroup in progress */ \
    X(TERMINATING,     "Terminating")    /* being deleted, grace period running */ \
    X(SUCCEEDED,       "Succeeded") \
    X(FAILED,          "Failed") \
    X(EXPIRED,         "Expired")        /* spot instance reclaimed */ \
    X(SCHEDULE_FAILED, "ScheduleFailed") /* nothing was found; removed after 24 h */

enum eci_status {
#define X(name, wire) ECI_STATUS_##name,
    ECI_STATUS_TABLE(X)
#undef X
        ECI_STATUS_COUNT
};

/* The cloud's last word: containers have ended (or never were) and will not run again. */
static inline bool eci_status_is_terminal(enum eci_status status)
{
    return status == ECI_STATUS_SUCCEEDED || status == ECI_STATUS_FAILED ||
           status == ECI_STATUS_EXPIRED || status == ECI_STATUS_SCHEDULE_FAILED;
}

/* Containers run or may come to run: everything that is not terminal, UNKNOWN and TERMINATING
 * included. At most one group of a pod may be live (invariant I1). */
static inline bool eci_status_is_live(enum eci_status status)
{
    return !eci_status_is_terminal(status);
}

/* One container's state (eci-api 3.2). NONE: not sent, or an empty object. */
enum eci_state_kind {
    ECI_STATE_NONE,
    ECI_STATE_WAITING,
    ECI_STATE_RUNNING,
    ECI_STATE_TERMINATED,
    ECI_STATE_COUNT
};

struct eci_state {
    enum eci_state_kind kind;
    str reason;            /* "CrashLoopBackOff", "Completed", "Error", ... */
    str message;           /* at most ECI_MESSAGE_BYTES_MAX */
    str detail_status;     /* groups only */
    str container_id;      /* status only, terminated only: "containerd://..." */
    int64_t started_at_s;  /* running, terminated */
    int64_t finished_at_s; /* terminated */
    int32_t exit_code;     /* terminated */
    int32_t signal;        /* terminated */
};

struct eci_container {
    str name; /* never empty */
    str image;
    str image_id; /* status only */
    bool is_ready;
    bool is_started;    /* status: the field; groups: the container is running */
    int32_t restarts;   /* >= 0 */
    int64_t cpu_milli;  /* groups only: 1/1000 vCPU */
    int64_t memory_mib; /* groups only */
    struct eci_state now;
    struct eci_state last; /* the run before; ECI_STATE_NONE when there was none */
};

struct eci_condition {
    str type;   /* never empty: "Ready", "ContainerInstanceCreated", ... */
    str status; /* "True", "False", "Unknown" */
    str reason;
    str message;
    int64_t changed_at_s;
};

struct eci_tag {
    str key; /* never empty */
    str value;
};

/* One event of a group. De-duplicate by name, else by reason, message and first_at_s. */
struct eci_event {
    str name;   /* "<group name>.<hex>"; may be empty */
    str type;   /* "Normal" or "Warning" */
    str reason; /* never empty */
    str message;
    str component; /* "EciService", "kubelet"; events action only */
    str host;      /* events action only */
    int64_t first_at_s;
    int64_t last_at_s;
    int32_t count; /* >= 1 */
};

/*
 * One element of DescribeContainerGroupStatus Data[] (eci-api 2.4). Has no tags, no creation time
 * and no init containers: those come from eci_group_row.
 */
struct eci_status_row {
    str id;   /* never empty */
    str name; /* of the group */
    str name_space;
    str uuid; /* the pod's UID in managed setups; do not rely on it */
    enum eci_status status;
    str status_text; /* as sent */
    str phase;       /* PodStatus.Phase: "Pending", "Running", ... */
    str qos_class;
    str host_ip;
    str pod_ip;
    const str *pod_ips;
    uint32_t pod_ips_count;
    int64_t started_at_s; /* PodStatus.StartTime */
    const struct eci_condition *conditions;
    uint32_t conditions_count;
    const struct eci_container *containers;
    uint32_t containers_count;
};

/* One element of DescribeContainerGroups ContainerGroups[] (eci-api 2.3). */
struct eci_group_row {
    str id;   /* never empty */
    str name; /* of the group */
    enum eci_status status;
    str status_text; /* as sent */
    str region_id;
    str zone_id;
    str vpc_id;
    str vswitch_id; /* the one chosen */
    str security_group_id;
    str resource_group_id;
    str instance_type; /* ECS type, or empty */
    str compute_category;
    str spot_strategy;
    str restart_policy;
    str ram_role_name;
    str intranet_ip; /* the pod's IPv4 */
    str internet_ip; /* of the bound EIP; the reply has no EIP id */
    str ipv6_address;
    str eni_id;
    int64_t cpu_milli;  /* actual size, 1/1000 vCPU */
    int64_t memory_mib; /* actual size */
    int64_t ephemeral_gib;
    int64_t created_at_s;
    int64_t succeeded_at_s;
    int64_t failed_at_s;
    int64_t expired_at_s;
    const struct eci_tag *tags;
    uint32_t tags_count;
    const struct eci_container *containers;
    uint32_t containers_count;
    const struct eci_container *init_containers;
    uint32_t init_containers_count;
    const struct eci_event *events; /* WithEvent=true only */
    uint32_t events_count;
};

/* One element of DescribeContainerGroupEvents Data[] (eci-api 2.11). */
struct eci_events_row {
    str id; /* never empty */
    str name;
    str name_space;
    str uuid;
    const struct eci_event *events;
    uint32_t events_count;
};

/* The value of a tag, STR_NONE when the group does not carry it. Keys are case-sensitive. */
static inline str eci_group_tag(const struct eci_group_row *row, str key)
{
    for (uint32_t i = 0; i < row->tags_count; i++) {
        if (str_eq(row->tags[i].key, key)) {
            return row->tags[i].value;
        }
    }
    return STR_NONE;
}

/* The condition of a type, NULL when it was not sent. */
static inline const struct eci_condition *eci_status_condition(const struct eci_status_row *row,
                                                               str type)
{
    for (uint32_t i = 0; i < row->conditions_count; i++) {
        if (str_eq(row->conditions[i].type, type)) {
            return &row->conditions[i];
        }
    }
    return NULL;
}

#endif
