/*
 * status_parts.h - what the makers of a PodStatus share; see pod_status.h.
 */
#ifndef ECILET_SPEC_STATUS_PARTS_H
#define ECILET_SPEC_STATUS_PARTS_H

#include "spec/pod_status.h"

/* A condition before its time is known. */
struct status_claim {
    bool is_true;
    str reason;
    str message;
    int64_t since_s; /* when the cloud says that it changed; 0 = it does not say */
};

/*
 * Adds one of our own conditions. Its time: what is remembered if the status is the same as then;
 * else the cloud's; else now.
 */
void status_add_condition(struct pod_status *out, const struct pod_status_input *input,
                          enum pod_condition_type type, struct status_claim claim);

/* "Ready", ... */
str status_condition_name(enum pod_condition_type type);
/* POD_CONDITION_COUNT when it is none of ours. */
enum pod_condition_type status_condition_find(str name);

/* The phase that may be written, given the one that was (I5). */
enum pod_phase status_phase_after(enum pod_phase past, enum pod_phase next);

/* startTime and addresses as remembered, where the new status has none. */
void status_keep_known(struct pod_status *out, const struct pod_status_input *input);

/* Adds an address unless it is invalid, there already, or the second of its family. */
void status_add_address(struct pod_status *out, str address);

#endif
