/*
 * token_volume.h - the volume with the token of the pod's ServiceAccount that the admission plugin
 * ServiceAccount puts into every pod that does not forbid it. An instance cannot reach the API
 * server, so it is left out, with a warning; nothing is read from the cluster for it.
 */
#ifndef ECILET_SPEC_TOKEN_VOLUME_H
#define ECILET_SPEC_TOKEN_VOLUME_H

#include "data/json_read.h"

/* Where the plugin mounts it. */
#define TOKEN_MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"

/*
 * Is this member of spec.volumes that volume? Since 1.21 it is a projected "kube-api-access-xxxxx",
 * before that the secret "<account>-token-xxxxx" under its own name. Only the shape tells it from a
 * volume of the user's; so one that a container mounts elsewhere than at TOKEN_MOUNT_PATH is the
 * user's, and translated.
 *
 * spec   the pod's spec, for the mounts
 */
bool token_volume_is(json volume, json spec, struct arena *arena);

#endif
