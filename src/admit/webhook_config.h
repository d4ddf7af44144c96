/*
 * webhook_config.h - the MutatingWebhookConfiguration `vk-webhook` that belongs to a profile: one
 * webhook for each selector that schedules, with its namespaceSelector and objectSelector, so that
 * `kubectl get mutatingwebhookconfigurations -o yaml vk-webhook` shows whether it has arrived; and
 * one for all pods, because burst-resource may be an annotation, which no selector can see.
 * Selectors without a webhook of their own (only an effect; or an old server) are named in an
 * annotation, so that each one is seen there.
 *
 * Nothing here can keep a pod from being created: failurePolicy Ignore, short time-outs. Namespaces
 * of the system are left out where the server knows their names as labels (Kubernetes 1.21); the
 * handler leaves them out in any case.
 */
#ifndef ECILET_ADMIT_WEBHOOK_CONFIG_H
#define ECILET_ADMIT_WEBHOOK_CONFIG_H

#include "data/json_write.h"
#include "spec/profile.h"

#define WEBHOOK_NAME "vk-webhook"
#define WEBHOOK_DOMAIN ".vk-webhook.eci.aliyun.com"
#define WEBHOOK_SERVICE "vk-webhook"
#define WEBHOOK_SERVICE_NAMESPACE "kube-system"
#define WEBHOOK_PATH "/inject"
#define WEBHOOK_HASH_ANNOTATION "ecilet/webhook-hash"
#define WEBHOOK_AUTHORITY_ANNOTATION "ecilet/webhook-authority"    /* fingerprint of caBundle */
#define WEBHOOK_OTHERS_ANNOTATION "ecilet/webhook-other-selectors" /* names; absent: none */
#define WEBHOOK_PLACE_ANNOTATION "ecilet/webhook-place" /* the URL, or WEBHOOK_PLACE_SERVICE */
#define WEBHOOK_PLACE_SERVICE "service"
#define WEBHOOK_NODE_ANNOTATION "ecilet/webhook-node" /* whose gateway has written it */
/* The place of another gateway that would take over: see webhook_register.h. */
#define WEBHOOK_WAITS_ANNOTATION "ecilet/webhook-waits"
#define WEBHOOK_FINGERPRINT_BYTES 65
#define WEBHOOK_TIMEOUT_S 5     /* of a selector's webhook */
#define WEBHOOK_TIMEOUT_ANY_S 2 /* of the one for all pods: a dead gateway must not slow the rest \
                                 */
/* 64 selectors with 2 KiB of authority in each: it stands in every webhook. More: is_brief. */
#define WEBHOOK_CONFIG_BYTES (312 * 1024)
#define WEBHOOK_SEGMENT_BYTES 96 /* room for webhook_segment() */

struct webhook_place {
    str url;    /* "https://host:port"; empty: Service mode */
    str ca_pem; /* who vouches for the server */
    bool is_v1; /* else v1beta1, whose oldest servers know no objectSelector */
    str node;
    str version;   /* resourceVersion of the object that is changed; empty: a new one */
    bool is_brief; /* there is no room for a webhook per selector: only the one for all pods */
};

/* What stands for a URL in WEBHOOK_PLACE_ANNOTATION; empty: Service mode. Borrowed. */
str webhook_config_place(str url);

/* What stands for an authority in WEBHOOK_AUTHORITY_ANNOTATION; NUL-terminated. */
void webhook_config_fingerprint(str ca_pem, char out[static WEBHOOK_FINGERPRINT_BYTES]);

/* What stands for a selector in names and paths: its name when that is a DNS label, else a form of
 * it with a hash of the name, so that it means the same selector when others come or go.
 * NUL-terminated. */
void webhook_segment(const struct profile *profile, uint32_t selector,
                     char out[static WEBHOOK_SEGMENT_BYTES]);

/* The selector's name behind a request path such as "/inject/demo"; empty for "/inject" and for
 * what is (no longer) in the profile. False when it is no path of ours. */
bool webhook_selector_of(const struct profile *profile, str path, str *name);

/*
 * Appends the whole object: to be created, or merged over one that is there.
 *
 * left_out   receives how many selectors that schedule are not shown, because the server knows no
 *            objectSelector, or for want of room
 */
void webhook_config_put(const struct profile *profile, const struct webhook_place *place,
                        struct buf *out, uint32_t *left_out);

/* Appends the merge patch that sets WEBHOOK_WAITS_ANNOTATION; empty: takes it away. */
void webhook_config_put_waits(str waits, str version, struct buf *out);

#endif
