/*
 * token_volume.h - the volume with the token of the pod's ServiceAccount that the admission plugin
 * ServiceAccount puts into every pod that does not forbid it. Few instances can reach the API
 * server, and most pods never use the token: it is left out, with a warning, and nothing is read
 * from the cluster for it. A pod that says automountServiceAccountToken: true itself means it; its
 * volume is translated like any other.
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
 * user's, and translated; so is every volume of a pod that asks for its token.
 *
 * spec   the pod's spec, for the mounts and automountServiceAccountToken
 */
bool token_volume_is(json volume, json spec, struct arena *arena);

#endif
