/*
 * container_to_eci.h - Container.N.* and InitContainer.N.* of one container, for pod_to_eci.c.
 */
#ifndef ECILET_SPEC_CONTAINER_TO_ECI_H
#define ECILET_SPEC_CONTAINER_TO_ECI_H

#include "spec/pod_to_eci.h"

struct container_to_eci {
    const struct spec_container *from;
    str prefix;        /* "Container.1" or "InitContainer.1" */
    str path;          /* "spec.containers[0]" */
    bool is_init;      /* no standard input, no terminal */
    bool sends_limits; /* Cpu and Memory */
};

void container_to_eci(const struct container_to_eci *one, const struct spec_config *config,
                      struct params *params, struct spec_verdict *verdict);

#endif
