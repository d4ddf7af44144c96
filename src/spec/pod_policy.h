/*
 * pod_policy.h - what a pod's annotations ask of the node itself, not of the cloud: what to do when
 * no instance can be had.
 */
#ifndef ECILET_SPEC_POD_POLICY_H
#define ECILET_SPEC_POD_POLICY_H

#include "data/json_read.h"

struct spec_pair; /* pod_to_eci.h */

enum fail_strategy {
    FAIL_BACK, /* the pod stays Pending and is tried again: the default */
    FAIL_OVER, /* the same, as far as the cloud's documentation goes */
    FAIL_FAST  /* the pod fails at once, with the reason ProviderFailed */
};

struct pod_policy {
    enum fail_strategy on_refusal; /* CreateContainerGroup is refused (not: throttled, no answer) */
    enum fail_strategy on_no_stock; /* the group ended as ScheduleFailed: no stock, no address */
};

/*
 * eci-fail-strategy counts for both. Without it pod-fail-on-create-err=true is fail-fast for both,
 * except that eci-reschedule-enable=true keeps a pod without stock going. Wrong values, which make
 * the translation refuse the pod, count as not given.
 *
 * pod       as the API server sent it
 * effects   of the profile, as in struct spec_config
 * arena     for texts with escapes
 */
struct pod_policy pod_policy_read(json pod, const struct spec_pair *effects, uint32_t effects_count,
                                  struct arena *arena);

#endif
