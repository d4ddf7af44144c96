/*
 * identity.h - the names of an attempt: client token and group name. Pure functions of the pod, so
 * a restarted ecilet asks for the same instance as the one that died.
 */
#ifndef ECILET_SPEC_IDENTITY_H
#define ECILET_SPEC_IDENTITY_H

#include "base/arena.h"

/*
 * The version of the translation. Raise it when the same pod and config give other parameters than
 * before: the cloud refuses a known token with other parameters (eci-api 1.10), and the token
 * holds this number.
 */
#define SPEC_FORMAT 1

#define CLIENT_TOKEN_BYTES 64 /* the most that is allowed (eci-api 1.10) */
#define GROUP_NAME_BYTES_MAX 128

/* ClientToken: hex of SHA-256 over cluster id, pod UID, attempt and SPEC_FORMAT. NUL-terminated. */
void identity_token(char out[static CLIENT_TOKEN_BYTES + 1], str cluster_id, str pod_uid,
                    uint32_t attempt);

/* ContainerGroupName: "<namespace>-<pod>" when that is legal as it is, else made legal, cut and
 * followed by "-" and 8 hex digits of a hash (eci-api 4.5). For people only; the truth is in the
 * tags. */
str identity_group_name(struct arena *arena, str name_space, str name);

/* ContainerStatus.containerID of a container for which the cloud gave none:
 * "eci://" + hex SHA-256 of group id and container name. */
str identity_container_id(struct arena *arena, str group_id, str container);

#endif
