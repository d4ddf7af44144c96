/*
 * action_to_eci.h - probes, hooks and the security context of one container as parameters, for
 * container_to_eci.c.
 */
#ifndef ECILET_SPEC_ACTION_TO_ECI_H
#define ECILET_SPEC_ACTION_TO_ECI_H

#include "data/params.h"
#include "spec/pod_spec.h"

/* prefix   "Container.1" */
void actions_to_eci(const struct spec_container *from, str prefix, struct params *params);

/* prefix   "Container.1" or "InitContainer.1", the latter without group and non-root. */
void security_to_eci(const struct spec_security *from, str prefix, bool is_init,
                     struct params *params);

#endif
