/*
 * downward.h - fields of the pod as text: ObjectFieldSelector and ResourceFieldSelector, for
 * variables and for files. All is known at creation but the pod's own address.
 */
#ifndef ECILET_SPEC_DOWNWARD_H
#define ECILET_SPEC_DOWNWARD_H

#include "spec/spec_read.h"

/*
 * For a variable: metadata.name, .namespace, .uid, .labels['k'], .annotations['k'], spec.nodeName,
 * spec.serviceAccountName, status.hostIP(s), status.podIP(s). For a file: those of metadata, and
 * all labels or annotations as the kubelet writes them, one line `key="value"` each.
 *
 * reference   the ObjectFieldSelector
 * is_pod_ip   NULL for a file; set when the cloud has to put in the pod's address, out is empty
 * then False with a remark when it cannot be had.
 */
bool downward_field(struct spec_read *read, json reference, str path, str *out, bool *is_pod_ip);

/*
 * limits.* and requests.* of cpu, memory and ephemeral-storage, divided by the divisor and rounded
 * up (ExtractContainerResourceValue). A container without that limit may use the instance, so it
 * reads the instance's size.
 *
 * own   whose variable it is; NULL when the selector must name a container (files)
 */
bool downward_resource(struct spec_read *read, json reference, const struct spec_container *own,
                       str path, str *out);

#endif
