/*
 * permissions.h - what the user of the gateway's kubeconfig must be allowed, and no more: one table
 * for `ecilet manifests`, which prints it, and `ecilet check`, which asks for each.
 *
 * Each rule says why it is needed. RBAC cannot restrict "create" to a name, because the name is not
 * known when the request is judged; everything else about the node and its lease is bound to our
 * node's name (lists and watches of one name carry a field selector, which RBAC understands as that
 * name).
 */
#ifndef ECILET_APP_PERMISSIONS_H
#define ECILET_APP_PERMISSIONS_H

#include <stdbool.h>

#define PERMISSIONS_LEASE_NAMESPACE "kube-node-lease"
#define PERMISSIONS_SYSTEM_NAMESPACE "kube-system"
#define PERMISSIONS_COUNT 24

/* With which settings it is used. */
enum permission_need { PERMISSION_ALWAYS, PERMISSION_WEBHOOK, PERMISSION_LEADER };

struct permission {
    enum permission_need need;
    bool is_lease_role;   /* in the Role of kube-node-lease; else ... */
    bool is_system_role;  /* ... in that of kube-system; else in the ClusterRole */
    bool is_named;        /* only our node's name */
    bool is_leader_lease; /* only the lease of that name with "ecilet-" before it */
    const char *name;     /* only this name */
    const char *group;    /* API group; NULL: the core's */
    const char *resource; /* "pods", "pods/status" */
    const char *verbs;    /* "get, list" */
    const char *why;
};

extern const struct permission permissions[PERMISSIONS_COUNT];

#endif
