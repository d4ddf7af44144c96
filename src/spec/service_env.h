/*
 * service_env.h - the variables that tell containers where the services of their namespace are
 * (pkg/kubelet/envvars): NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_SERVICE_PORT_<PORT>, and
 * Docker's NAME_PORT, NAME_PORT_80_TCP, ..._PROTO, ..._PORT, ..._ADDR.
 */
#ifndef ECILET_SPEC_SERVICE_ENV_H
#define ECILET_SPEC_SERVICE_ENV_H

#include "spec/spec_read.h"

/* Of all containers of a pod together. Above it none is set, with a warning: half a list would
 * mislead, and each costs two of PARAMS_MAX parameters. */
#define SERVICE_ENV_MAX 800

/*
 * Makes read->services from the services that were read for the pod: those of its namespace when
 * enableServiceLinks is not false, and "kubernetes" of the namespace default. Services without an
 * address have none. Nothing was read, or may not be read: none, the latter with a warning.
 *
 * containers_count   of the pod, each gets all of them
 */
void service_env_read(struct spec_read *read, json spec, uint32_t containers_count);

#endif
