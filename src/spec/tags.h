/*
 * tags.h - the tags that every instance of ours carries. The cloud is our memory: after a restart
 * these say which instance belongs to which pod (DESIGN.md, "Truth").
 *
 * The first group are the names that Alibaba's own node sets (eci-api 4.5), so consoles, bills and
 * scripts keep working; ours follow. A key has at most 64, a value at most 128 characters, an
 * instance at most 20 tags (eci-api 2.1); tags_value() cuts what is longer, so compare cut with cut
 * and trust the UID, which always fits, not the name.
 */
#ifndef ECILET_SPEC_TAGS_H
#define ECILET_SPEC_TAGS_H

#include "base/str.h"

#define TAGS_MAX 20
#define TAG_KEY_BYTES_MAX 64
#define TAG_VALUE_BYTES_MAX 128

/*  name             key                     value */
#define TAG_TABLE(X) \
    X(CLUSTER,    "ClusterId")            /* spec_config.cluster_id: sweeps filter by it */     \
    X(NAMESPACE,  "NameSpace")            /* metadata.namespace */                              \
    X(POD,        "PodName")              /* metadata.name, cut */                              \
    X(POD_REST,   "ecilet-pod-name-rest") /* what was cut off, so that the pod can be asked for */ \
    X(MANAGED_BY, "ManagedBy")            /* TAG_MANAGED_BY_VALUE */                            \
    X(NODE,       "NodeName")             /* spec_config.node_name: sweeps filter by it */      \
    X(OWNER_KIND, "OwnerReferenceKind")   /* of the controller; left out when there is none */  \
    X(OWNER_NAME, "OwnerReferenceName")                                                         \
    X(UID,        "ecilet-pod-uid")       /* metadata.uid: the identity */                      \
    X(ATTEMPT,    "ecilet-attempt")       /* decimal, from 1 */                                 \
    X(FORMAT,     "ecilet-format")        /* SPEC_FORMAT of the ecilet that made the request */

enum tag {
#define X(name, key) TAG_##name,
    TAG_TABLE(X)
#undef X
        TAG_COUNT
};

#define TAG_MANAGED_BY_VALUE "ecilet"

const char *tag_key(enum tag tag);
/* What a tag holds of a text: its first 128 bytes, cut at a character. */
str tag_value(str text);

#endif
