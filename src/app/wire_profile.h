/*
 * wire_profile.h - the eci-profile while running: its ConfigMap and the namespaces' labels are
 * watched; what is good is taken over at once, what is bad leaves the last good one in use and is
 * told in an event at the ConfigMap.
 *
 * Without a ConfigMap the configuration's keys count alone. Nothing is created before it has been
 * looked for: a pod's effects cannot be added later.
 */
#ifndef ECILET_APP_WIRE_PROFILE_H
#define ECILET_APP_WIRE_PROFILE_H

#include "app/namespaces.h"
#include "kube/watch.h"
#include "spec/mutate.h"

struct pod;
struct wire;

#define PROFILE_OBJECT_BYTES (1536 * 1024) /* a ConfigMap has 1 MiB; a larger object: event */
#define PROFILE_WARNINGS_BYTES 900 /* remarks about one profile, in one event; more are counted */
#define PROFILE_PATIENCE_MS \
    5000 /* pods that wait for labels say so when listing has failed so long */

struct wire_profile {
    struct profile *current; /* never NULL after the start */
    struct profile *spare;   /* what is read next */
    uint64_t changes;        /* of `current`; whoever depends on it compares */
    struct mutate_node node;
    struct namespaces namespaces;
    /* private */
    struct kube_watch watch;
    struct kube_watch namespace_watch;
    bool is_known;             /* the ConfigMap was looked for */
    bool was_listed;           /* the list under way has shown it */
    bool is_there;             /* the ConfigMap was seen, readable or not */
    bool namespaces_are_asked; /* somebody needs them */
    bool namespaces_are_known;
    bool namespaces_are_forbidden;
    msec namespaces_fail_ms;  /* since then they could not be listed; 0: nothing has failed */
    char namespaces_why[160]; /* ... the newest reason, cut */
    char version[KUBE_VERSION_BYTES_MAX + 1]; /* of the ConfigMap that was judged last */
    char uid[KUBE_UID_BYTES_MAX + 1];
};

void profile_wire_init(struct wire *wire, struct region *region);
void profile_wire_start(struct wire *wire);
void profile_wire_stop(struct wire *wire);
/* What new pods need to know of it is known. */
bool profile_wire_is_known(const struct wire *wire);

/*
 * The spec_config for one pod: the configuration, the profile over it, and the effects that the
 * profile's selectors add to this pod.
 *
 * pod   as the API server gave it; out and its texts live as long as wire->arena's event
 * Errors: ERR_BUSY the labels of its namespace are not known yet: they come by a watch of their
 * own, so a pod of a new namespace may be here first; ERR_FULL (arena).
 */
MUST_USE enum err profile_wire_spec(struct wire *wire, json pod, struct spec_config *out);

/*
 * Why the labels of namespaces have been missing for PROFILE_PATIENCE_MS, as a sentence for the
 * pods that wait for them: they cannot be listed. False, and nothing is put: they come in a moment.
 */
bool profile_wire_put_trouble(const struct wire *wire, struct buf *out);

/*
 * The pod's instance is being made with these effects: the object is to show them, too. One merge
 * patch, only when admission has not added them before; when it fails, a line in the log says so
 * and the instance has them all the same. Costs nothing when there are none.
 */
void profile_wire_show(struct wire *wire, const struct pod *pod, const struct spec_config *spec);

/* Labels of a namespace for matching. Errors: ERR_BUSY, ERR_FULL as above; ERR_NOT_FOUND when
 * nobody has heard of it (or namespaces may not be read): it is not known what labels it has. */
MUST_USE enum err profile_wire_labels(struct wire *wire, str name_space, struct label_set *out);

#endif
