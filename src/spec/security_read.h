/*
 * security_read.h - SecurityContext of a container over that of its pod, and the pod's sysctls.
 */
#ifndef ECILET_SPEC_SECURITY_READ_H
#define ECILET_SPEC_SECURITY_READ_H

#include "spec/spec_read.h"

/*
 * What counts for one container: its own values, else those of the pod (read->pod_security).
 *
 * is_init   the cloud has no group and no runAsNonRoot for init containers; the latter is accepted
 *           when a user is given, because then there is nothing left to check
 */
void security_read(struct spec_read *read, json object, bool is_init, str path,
                   struct spec_security *out);

/* spec.securityContext.sysctls: into read->pod, those of the containers apart from those of the
 * instance (eci-api 2.1, security). Others are refused. */
void sysctls_read(struct spec_read *read);

#endif
