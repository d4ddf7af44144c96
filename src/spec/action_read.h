/*
 * action_read.h - probes and hooks of one container (Probe, Lifecycle), read for container_read.c.
 */
#ifndef ECILET_SPEC_ACTION_READ_H
#define ECILET_SPEC_ACTION_READ_H

#include "spec/spec_read.h"

/*
 * Fills liveness, readiness, post_start and pre_stop. Ports may be named: the container's own are
 * looked up, so its ports and variables must have been read.
 */
void actions_read(struct spec_read *read, json container, str path, struct spec_container *out);

#endif
