/*
 * container_read.h - one container of a pod, read for pod_spec.c.
 */
#ifndef ECILET_SPEC_CONTAINER_READ_H
#define ECILET_SPEC_CONTAINER_READ_H

#include "spec/pod_spec.h"
#include "spec/spec_read.h"

/*
 * Its name and resources; of all containers before anything else, because fields of the pod in
 * variables and files may be the size of another container or of the instance.
 */
void container_read_size(struct spec_read *read, json container, str path,
                         struct spec_container *out);

/*
 * All else.
 *
 * is_init   an init container: fewer things are possible
 * path      "spec.containers[0]"
 */
/* A list of texts with the container's variables in them; notes in read->has_secret_texts when a
 * secret one is among them. */
const str *container_read_expanded(struct spec_read *read, json object, const char *key, str path,
                                   const struct spec_container *out, uint32_t *count);

void container_read(struct spec_read *read, json object, bool is_init, str path,
                    struct spec_container *out);

#endif
