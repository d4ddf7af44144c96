/*
 * webhook.h - AdmissionReview, in and out (admission.k8s.io/v1 and v1beta1, which differ in
 * nothing that matters here). Texts only; the connection is app/wire_webhook.c.
 *
 * A review that cannot be understood is answered with HTTP 400 by the caller; the API server then
 * does what failurePolicy says, which is Ignore: the pod is created unchanged.
 */
#ifndef ECILET_ADMIT_WEBHOOK_H
#define ECILET_ADMIT_WEBHOOK_H

#include "data/json_read.h"
#include "data/json_write.h"

#define WEBHOOK_UID_BYTES_MAX 128 /* of a request; the API server sends UUIDs */

struct webhook_review {
    str api_version; /* to be answered in */
    str uid;
    str name_space;     /* request.namespace; empty: none */
    bool is_pod_create; /* else there is nothing to look at: allowed */
    json pod;           /* request.object; JSON_NONE unless is_pod_create */
};

/* Errors: ERR_BAD_INPUT (no JSON, no AdmissionReview of a known version, no uid); ERR_FULL. */
MUST_USE enum err webhook_read(str body, struct arena *arena, struct webhook_review *out);

/*
 * Allowed, always.
 *
 * patch      a JSON patch; empty: none
 * warnings   shown to whoever creates the pod (Kubernetes 1.19; older servers drop them)
 * Sticky: the caller looks at buf_ok(out).
 */
void webhook_put_answer(const struct webhook_review *review, str patch, const str *warnings,
                        uint32_t warnings_count, struct buf *out);

#endif
