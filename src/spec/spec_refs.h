/*
 * spec_refs.h - the objects of the cluster that a pod needs before it can be translated:
 * ConfigMaps, Secrets, Services, claims, tokens. Pure: this says what is needed, app fetches
 * (app/wire_refs.c), the translation then reads from here. Nothing is cached between pods: each
 * creation reads afresh.
 */
#ifndef ECILET_SPEC_SPEC_REFS_H
#define ECILET_SPEC_SPEC_REFS_H

#include "base/buf.h"
#include "data/json_read.h"

#define SPEC_REFS_MAX 64 /* of one pod; more: the pod is refused, with the number */
/* Services are listed in pages, so that the room for a reply is enough in every namespace. */
#define SPEC_SERVICES_PAGE 100     /* of one page; fewer when that is too big a reply */
#define SPEC_SERVICES_PAGES_MAX 20 /* more: their variables are left out (service_env.h) */

/* Lifetime of a projected token when the pod names none, in seconds
 * (SetDefaults_..TokenProjection). */
#define SPEC_TOKEN_EXPIRY_S 3600

enum spec_ref_kind {
    SPEC_REF_CONFIG_MAP, /* v1 ConfigMap name_space/name */
    SPEC_REF_SECRET,     /* v1 Secret */
    SPEC_REF_SERVICES,   /* one page of the v1 ServiceList of name_space, or with a name that one v1
                            Service; only when service variables are wanted. Always optional */
    SPEC_REF_CLAIM,      /* v1 PersistentVolumeClaim */
    SPEC_REF_VOLUME,     /* v1 PersistentVolume, cluster-wide; known once its claim was read */
    SPEC_REF_TOKEN,      /* TokenRequest of ServiceAccount name: audience, expiry_s */
};

enum spec_ref_state {
    SPEC_REF_WANTED,   /* not asked yet */
    SPEC_REF_FOUND,    /* object is there */
    SPEC_REF_PROMISED, /* CLAIM, only offline: it will be made from this template, and bound */
    SPEC_REF_ABSENT,   /* the API server says there is none (its own Status, not any 404) */
    SPEC_REF_DENIED,   /* 401 or 403: why has its words. SERVICES: also too large for us */
    SPEC_REF_FAILED,   /* no answer, too big, unreadable: why. Later */
};

struct spec_ref {
    enum spec_ref_kind kind;
    enum spec_ref_state state;
    str name_space;
    str name;
    bool is_optional; /* every use of it is optional */
    str audience;     /* TOKEN; empty: the API server's */
    int64_t expiry_s; /* TOKEN: expirationSeconds */
    str page;         /* SERVICES: "continue" of the page before; empty: the first */
    uint32_t limit;   /* SERVICES: items of the page; 0: SPEC_SERVICES_PAGE */
    json object; /* FOUND, PROMISED: the object (TOKEN: the TokenRequest with its status; a page of
                    SERVICES: as service_env_trim() leaves it) */
    str why;
};

struct spec_refs {
    struct spec_ref items[SPEC_REFS_MAX];
    uint32_t count;
};

/*
 * Adds what is needed and not in the list yet; called again after a round of reading, because a
 * claim that was found names a volume, and a volume may name a Secret, and a page of services may
 * name the next. It ends: what is found once is never asked again, and pages are counted. Nothing
 * in state WANTED afterwards: all is there.
 *
 * Optional besides what the pod calls so: pull secrets (the kubelet pulls without those that are
 * not there) and services. The token volume that every pod gets is not collected
 * (token_volume.h).
 *
 * pod    as given by the API server
 * Errors: ERR_TOO_BIG (more than SPEC_REFS_MAX), ERR_FULL (arena).
 */
MUST_USE enum err spec_refs_collect(json pod, struct arena *arena, struct spec_refs *refs);

/* NULL when not in the list. */
const struct spec_ref *spec_refs_find(const struct spec_refs *refs, enum spec_ref_kind kind,
                                      str name_space, str name);

/* A token of this ServiceAccount for this audience and expiry; NULL when not in the list. */
const struct spec_ref *spec_refs_find_token(const struct spec_refs *refs, str name_space, str name,
                                            str audience, int64_t expiry_s);

/* REST path of a reference's GET (TOKEN: of its POST), for whoever reads it. */
void spec_ref_put_path(const struct spec_ref *ref, struct buf *out);
/* TOKEN: the body of the POST, bound to this pod. */
void spec_ref_put_token_request(const struct spec_ref *ref, str pod_name, str pod_uid,
                                struct buf *out);

#endif
