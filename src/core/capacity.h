/*
 * capacity.h - how much the node shows to the scheduler. Pure.
 *
 * Capacity is what the configuration says (ECI_QUOTA_*), and of CPU not more than the account's
 * quota in the region (ListUsage, MaxCpu; eci-api 2.13). Allocatable is capacity less what is in
 * use where the scheduler cannot see it:
 *
 *   cpu    what the account uses (UsedCpu) beyond the requests of our pods that have an instance:
 *          other clusters, and sizes that were rounded up
 *   pods   instances of ours that have no pod in the cluster
 *
 * A number that moves all the time would be noise, so both are looked at once in
 * CAPACITY_LOOK_MS; what counts is what two looks in a row have seen, and CPU changes only by more
 * than a step. Nothing is known of a quota for memory.
 *
 * Besides, the cloud may refuse an instance because a quota is used up that it shows nowhere
 * (vCPU per day, money, members of a security group). When CAPACITY_REFUSALS pods in a row were
 * refused so, no create between them having been accepted, the node is closed: it shows room for 0
 * pods, and the scheduler looks elsewhere. Each pod counts once: one that is too large and tries
 * for ever closes nothing. It is open again when a create is accepted (pods that wait here go on
 * trying) and the node was closed for CAPACITY_CLOSED_MIN_MS, or when the time is up:
 * CAPACITY_CLOSED_MS, twice as long each time it is closed again without a create accepted in
 * between, up to CAPACITY_CLOSED_CAP_MS.
 *
 * Why 0 pods and not the number that runs: with that, the scheduler would evict pods of a lower
 * priority to make room for one of a higher, which a refusal of unclear reason must not cause. With
 * 0 no eviction helps, so none happens. Nor does it make the node NotReady: no taint, no condition
 * that anybody acts upon.
 *
 * Numbers above 0 are honest room: when it is used up, a pod of a higher priority may take the
 * place of one of a lower, as on any node that is full.
 */
#ifndef ECILET_CORE_CAPACITY_H
#define ECILET_CORE_CAPACITY_H

#include "data/json_read.h"

#define CAPACITY_LOOK_MS 60000        /* between looks at what is in use */
#define CAPACITY_REFUSALS 3           /* pods in a row that close the node */
#define CAPACITY_CLOSED_MIN_MS 15000  /* so that it does not flap */
#define CAPACITY_CLOSED_MS 120000     /* the first time */
#define CAPACITY_CLOSED_CAP_MS 960000 /* the longest time */
#define CAPACITY_STEP_SHARE 64        /* a step of CPU: this part of the quota ... */
#define CAPACITY_STEP_MILLI 8000      /* ... but not less: what is below changes nothing */

/* What a look has seen. */
struct capacity_look {
    bool has_usage;                /* the cloud has told quota and use: max and used count */
    int64_t max_milli, used_milli; /* vCPU in thousandths, of the account in this region */
    int64_t requests_milli; /* what the scheduler counts for pods of ours that have an instance */
    uint32_t strays;        /* instances of ours without a pod in the cluster */
};

/* All zero at the start. */
struct capacity {
    /* what counts now */
    int64_t max_milli;    /* of the account; 0: not known, the configuration counts alone */
    int64_t hidden_milli; /* in use beyond what the scheduler sees */
    uint32_t strays;
    bool is_closed;
    uint64_t changes; /* grows with each change of the above */
    /* private */
    int64_t last_hidden_milli; /* of the look before */
    uint32_t last_strays;
    uint32_t refusals; /* in a row */
    uint32_t closings; /* in a row */
    bool was_accepted; /* since it was closed */
    msec closed_at_ms, closed_until_ms;
};

/* What the node says. */
struct capacity_figures {
    int64_t cpu_milli, cpu_free_milli; /* capacity and allocatable */
    uint32_t pods_free;                /* allocatable; the capacity is the configured one */
};

/*
 * The reply of ListUsage: fills has_usage, max_milli and used_milli. Numbers that cannot be (a
 * quota of 0, a negative use) count as not told: has_usage is then false.
 */
void capacity_read_usage(json root, struct arena *arena, struct capacity_look *out);
void capacity_look_taken(struct capacity *capacity, const struct capacity_look *look);
/* The quota must not be asked for any more (permission taken away): the configuration counts. */
void capacity_forget_usage(struct capacity *capacity);
/* A create was refused because a quota is used up, of a pod that was not refused so before. */
void capacity_refused(struct capacity *capacity, msec now_ms);
void capacity_accepted(struct capacity *capacity);
/* Opens the node when it is time. */
void capacity_turn(struct capacity *capacity, msec now_ms);
/* When capacity_turn() has something to do; INT64_MAX: not by itself. */
msec capacity_wake_ms(const struct capacity *capacity);
/* cpu_milli and pods: as configured. */
struct capacity_figures capacity_figures(const struct capacity *capacity, int64_t cpu_milli,
                                         uint32_t pods);

#endif
