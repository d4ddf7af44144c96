/*
 * object.h - names, paths and small bodies of Kubernetes objects.
 *
 * What every caller of the API needs and nobody wants to spell twice: the URL path of a kind,
 * delete options with preconditions, and a look at an object's metadata, also when only the
 * beginning of its text is there.
 */
#ifndef ECILET_KUBE_OBJECT_H
#define ECILET_KUBE_OBJECT_H

#include "data/json_read.h"
#include "data/json_write.h"

#define KUBE_NAME_BYTES_MAX 253     /* DNS subdomain, RFC 1123 */
#define KUBE_NAMESPACE_BYTES_MAX 63 /* DNS label */
#define KUBE_UID_BYTES_MAX 36       /* UUID text; longer ones are cut nowhere, they are refused */
#define KUBE_VERSION_BYTES_MAX 64   /* resourceVersion; opaque, today a decimal of 64 bits */

/*  name            API version                        resource       kind             namespaced */
#define KUBE_KIND_TABLE(X) \
    X(POD,          "v1",                              "pods",        "Pod",             true)  \
    X(NODE,         "v1",                              "nodes",       "Node",            false) \
    X(NAMESPACE,    "v1",                              "namespaces",  "Namespace",       false) \
    X(SECRET,       "v1",                              "secrets",     "Secret",          true)  \
    X(CONFIG_MAP,   "v1",                              "configmaps",  "ConfigMap",       true)  \
    X(SERVICE,      "v1",                              "services",    "Service",         true)  \
    X(SERVICE_ACCOUNT, "v1",                           "serviceaccounts", "ServiceAccount", true) \
    X(EVENT,        "v1",                              "events",      "Event",           true)  \
    X(CLAIM,        "v1",           "persistentvolumeclaims", "PersistentVolumeClaim",   true)  \
    X(VOLUME,       "v1",           "persistentvolumes",      "PersistentVolume",        false) \
    X(LEASE,        "coordination.k8s.io/v1",          "leases",      "Lease",           true)  \
    X(LEASE_BETA,   "coordination.k8s.io/v1beta1",     "leases",      "Lease",           true)  \
    X(TOKEN_REVIEW, "authentication.k8s.io/v1",        "tokenreviews", "TokenReview",    false) \
    X(ACCESS_REVIEW, "authorization.k8s.io/v1", "subjectaccessreviews", \
      "SubjectAccessReview", false) \
    X(SELF_ACCESS_REVIEW, "authorization.k8s.io/v1", "selfsubjectaccessreviews", \
      "SelfSubjectAccessReview", false) \
    X(WEBHOOK,      "admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", \
      "MutatingWebhookConfiguration", false) \
    X(WEBHOOK_BETA, "admissionregistration.k8s.io/v1beta1", "mutatingwebhookconfigurations", \
      "MutatingWebhookConfiguration", false) \
    X(PROFILE,      "eci.aliyun.com/v1beta1",          "eciprofiles", "EciProfile",      false)

enum kube_kind {
#define X(name, version, resource, kind, namespaced) KUBE_##name,
    KUBE_KIND_TABLE(X)
#undef X
        KUBE_KIND_COUNT
};

struct kube_kind_row {
    const char *api_version; /* "v1", "coordination.k8s.io/v1" */
    const char *resource;    /* "pods" */
    const char *kind;        /* "Pod" */
    bool is_namespaced;
};

const struct kube_kind_row *kube_kind_row(enum kube_kind kind);

/*
 * Appends "/api/v1/namespaces/web/pods/nginx/status"; all parts percent-encoded.
 *
 * name_space   empty: all namespaces (or a cluster-scoped kind)
 * name         empty: the collection
 * sub          empty, "status", "eviction", "token", ...
 */
void kube_put_path(struct buf *out, enum kube_kind kind, str name_space, str name, str sub);

/* Appends "?key=value" or "&key=value" (it looks whether out already has a '?'), encoded. */
void kube_put_query(struct buf *out, const char *key, str value);

/*
 * Appends a metav1.DeleteOptions body.
 *
 * uid       precondition: another object under the same name is not deleted (409); empty: none
 * grace_s   gracePeriodSeconds; negative: the object's own
 */
void kube_put_delete_options(struct buf *out, str uid, int64_t grace_s);

/* Opens {"metadata":{"uid":...,"resourceVersion":...}, - the start of a merge patch with
 * preconditions (both optional); the caller adds its members and closes with json_end(). Another
 * object under the same name, or another version, gives ERR_CONFLICT. */
void kube_open_patch(struct json_write *w, str uid, str resource_version);

/* What identifies an object. Borrowed: from the text, or from the arena when there were escapes. */
struct kube_meta {
    str name_space;
    str name;
    str uid;
    str resource_version;
};

void kube_meta_read(json object, struct arena *arena, struct kube_meta *out);

/*
 * The same from text that may be cut anywhere or broken (an object larger than its buffer, bad
 * JSON): members that are not visible stay empty. Values with escapes are taken as not visible
 * (names and versions have none).
 *
 * text   an object, or a watch event around one ({"type":"ADDED","object":{...)
 */
void kube_meta_glance(str text, struct kube_meta *out);
/* Likewise the "type" of a watch event: "ADDED", ... */
str kube_type_glance(str text);

/* metav1.Status, from a reply's body, whole or cut. Both empty when it is no Status. */
struct kube_status {
    str reason;  /* "NotFound", "AlreadyExists", "Expired", ... */
    str message; /* for people */
    str kind;    /* details.kind: which resource was not found: "leases", "namespaces", ... */
    str name;    /* details.name: and which object of it */
    str field;   /* details.causes[0].field: which member was refused: "metadata.uid" */
    int64_t code;
    int64_t retry_after_s; /* details.retryAfterSeconds, -1 = none */
};

void kube_status_read(str body, struct arena *arena, struct kube_status *out);
/* The same from an object already parsed (the ERROR event of a watch). */
void kube_status_of(json object, struct arena *arena, struct kube_status *out);

/* The version of the server from GET /version: "1"/"20+" -> 1, 20. */
struct kube_version {
    int32_t major;
    int32_t minor;
    char text[48]; /* gitVersion, "v1.20.2"; "" when unknown */
};

/* Errors: ERR_BAD_REPLY. */
MUST_USE enum err kube_version_read(str body, struct arena *arena, struct kube_version *out);

#endif
