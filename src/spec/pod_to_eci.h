/*
 * pod_to_eci.h - the heart of the matter: a pod becomes a CreateContainerGroup request
 * (eci-api 2.1). Pure: the same pod, config and attempt always give the same parameters in the same
 * order, which is what makes the client token safe to repeat.
 */
#ifndef ECILET_SPEC_POD_TO_ECI_H
#define ECILET_SPEC_POD_TO_ECI_H

#include "data/params.h"
#include "spec/pod_spec.h"

/* Documented limits of one instance (eci-api 2.1, 4.4). */
#define ECI_GROUP_CONTAINERS_MAX 20 /* app and init together */
#define ECI_GROUP_VOLUMES_MAX 20
#define ECI_COMMANDS_MAX 20
#define ECI_ARGS_MAX 10
#define ECI_ENV_NAME_BYTES_MAX 128
#define ECI_ENV_VALUE_CHARS_MAX 256
#define ECI_VSWITCHES_MAX 10
#define ECI_DISKS_MAX 6
#define ECI_FILE_BYTES_MAX (32 * 1024)         /* of one file of a ConfigFileVolume */
#define ECI_VOLUME_FILES_BYTES_MAX (60 * 1024) /* of all its files, before base64 */
#define ECI_LOGINS_MAX 11
#define ECI_EPHEMERAL_FREE_GIB 30 /* included in the price; more is added in whole GiB */
#define ECI_EPHEMERAL_MORE_GIB_MAX 5000

struct spec_pair {
    str key;
    str value;
};

/* What the node adds to each pod. Texts belong to the configuration and outlive the call; an empty
 * text is not sent, except where it says "required". */
struct spec_config {
    str cluster_id; /* required, 1 to 128 bytes */
    str node_name;  /* required */
    str region_id;  /* required */
    str zone_id;
    str vswitch_ids; /* up to 10, comma-separated */
    str security_group_id;
    str resource_group_id;
    str node_address; /* status.hostIP of pods; empty: pods that ask for it wait */
    /* hostPath volumes that the account may use (by ticket): comma-separated paths, what is below
     * them included. Empty: none. */
    str host_paths;
    /* Refuse what exceeds a documented limit that the service is known to be lenient about (A-7:
     * ten args, 256 characters per variable). Else such a pod is sent as it is, with a warning. */
    bool is_strict;
    /* The brain ends pods at activeDeadlineSeconds itself, so that the field stays changeable
     * (virtual-node 5, row 3); then it is not sent. */
    bool deadline_is_ours;
    /* Annotations that the eci-profile's effects add to this pod, earlier selectors first: each
     * counts where the pod itself, and every pair before, has none of that name. */
    const struct spec_pair *effects;
    uint32_t effects_count;
    /* Likewise labels: fields of the pod (downward API) show them. */
    const struct spec_pair *effect_labels;
    uint32_t effect_labels_count;
};

/* NULL when usable, else what is wrong with it, for the configuration check: static text. */
const char *spec_config_fault(const struct spec_config *config);

/*
 * Translates a pod that was read without refusals.
 *
 * config    passed spec_config_fault()
 * attempt   from 1; grows only after the attempt before has ended (DESIGN.md, "Identity")
 * params    initialised by the caller; receives RegionId and all else except Action and what the
 *           signer adds. Incomplete unless the result is ERR_OK
 * size      may be NULL; receives the size that is asked for (and billed)
 * verdict   the one that pod_spec_read filled; more refusals and warnings are added
 *
 * Errors: those of verdict_err(); ERR_FULL when the arena is too small. A pod that needs more than
 * PARAMS_MAX parameters is refused.
 */
MUST_USE enum err pod_to_eci(const struct pod_spec *pod, const struct spec_config *config,
                             uint32_t attempt, struct params *params, struct sizing *size,
                             struct spec_verdict *verdict);

/* Reading and translating in one go: pod_spec_read, then pod_to_eci if nothing was refused. */
MUST_USE enum err pod_json_to_eci(json pod, const struct spec_refs *refs,
                                  const struct spec_config *config, uint32_t attempt,
                                  struct params *params, struct sizing *size,
                                  struct spec_verdict *verdict);

#endif
