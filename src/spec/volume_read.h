/*
 * volume_read.h - spec.volumes, read for pod_spec.c. The kinds are in files_read.h and flex_read.h;
 * emptyDir and hostPath are here.
 */
#ifndef ECILET_SPEC_VOLUME_READ_H
#define ECILET_SPEC_VOLUME_READ_H

#include "spec/spec_read.h"

/* Into read->pod; the token volume is left out and its name kept (token_volume.h). */
void volumes_read(struct spec_read *read, json spec);

#endif
