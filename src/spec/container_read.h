/*
 * container_read.h - one container of a pod, read for pod_spec.c.
 */
#ifndef ECILET_SPEC_CONTAINER_READ_H
#define ECILET_SPEC_CONTAINER_READ_H

#include "spec/pod_spec.h"
#include "spec/spec_read.h"

/*
 * is_init   an init container: fewer things are possible
 * path      "spec.containers[0]"
 */
void container_read(struct spec_read *read, json object, bool is_init, str path,
                    struct spec_container *out);

#endif
