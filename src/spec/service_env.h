/*
 * service_env.h - the variables that tell containers where the services of their namespace are
 * (pkg/kubelet/envvars): NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_SERVICE_PORT_<PORT>, and
 * Docker's NAME_PORT, NAME_PORT_80_TCP, ..._PROTO, ..._PORT, ..._ADDR.
 */
#ifndef ECILET_SPEC_SERVICE_ENV_H
#define ECILET_SPEC_SERVICE_ENV_H

#include "data/json_write.h"
#include "spec/spec_read.h"

/* Of all containers of a pod together. Above it none is set but those of "kubernetes", with a
 * warning: half a list would mislead, and each costs two of PARAMS_MAX parameters. */
#define SERVICE_ENV_MAX 800
#define SERVICE_ENV_EACH_MIN 3 /* of a service with an address: HOST, PORT, Docker's PORT */

/*
 * Makes read->services from the services that were read for the pod: those of its namespace when
 * enableServiceLinks is not false, and "kubernetes" of the namespace default. Services without an
 * address have none. Nothing was read, or may not be read: none, the latter with a warning.
 *
 * containers_count   of the pod, each gets all of them
 */
void service_env_read(struct spec_read *read, json spec, uint32_t containers_count);

/*
 * Writes what is needed of one page of a ServiceList, a tenth of it: the members read here, of
 * services that have an address, and where the list goes on. What is no such list becomes one
 * without items.
 */
void service_env_trim(json list, struct json_write *out);

/* Where the list goes on after this page; empty: nowhere, or the page was not read. */
str service_env_next(const struct spec_ref *page, struct arena *arena);

#endif
