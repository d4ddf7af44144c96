/*
 * mutate.h - what admission changes about a new pod: the eci-profile at work. Pure.
 *
 * A pod goes to ECI when a selector that schedules matches it (namespace and pod labels, ANDed), or
 * when it asks by alibabacloud.com/burst-resource, an annotation or a label (the annotation
 * counts when there are both):
 *
 *   selector, eci_only   toleration of the node's taint and nodeSelector type=virtual-kubelet
 *   eci                  toleration of the taint's effect only, and the preference for nodes of
 *                        another type with weight 100, the most that Kubernetes allows. The node
 *                        has a second taint, PreferNoSchedule (core/node.h), which such a pod does
 *                        not tolerate. With the scheduler's own weights both together count more
 *                        than load and spreading (NodeAffinity 2 x 100 and TaintToleration 3 x 100
 *                        against at most 500, of which 100 are for images that are on the node:
 *                        there are none): ordinary nodes are filled first. Before Kubernetes 1.23
 *                        (weights of 1) a nearly full ordinary node may lose. A pod with
 *                        nodeSelector type=virtual-kubelet of its own has nothing to prefer: only
 *                        the toleration
 *   anything else        a warning for whoever creates the pod; it counts for nothing
 *
 * A selector wins over burst-resource. What the pod says itself is kept: tolerations and
 * preferences are appended, a nodeSelector gets a key that it does not have. A pod with another
 * `type` of its own stays where it wants to be, with a warning.
 *
 * Effects are appended in the order of the selectors, never overwriting: pod > earlier > later.
 * A selector matches the pod as it came, or with the labels that others have added: the list is
 * gone through until no further one matches. The API server asks once for each webhook that matches
 * and once more for all pods, and the translation asks again: each time the answer must be the
 * same. An effect without selectors is for pods that certainly go to ECI.
 *
 * Never touched: pods of a DaemonSet, pods bound to another node, mirror pods, and pods with a
 * system priority class. A pod that is bound to our node already gets its effects only.
 */
#ifndef ECILET_SPEC_MUTATE_H
#define ECILET_SPEC_MUTATE_H

#include "data/json_write.h"
#include "spec/profile.h"

#define MUTATE_BURST "alibabacloud.com/burst-resource"
#define MUTATE_NODE_LABEL "type"
#define MUTATE_NODE_VALUE "virtual-kubelet"
#define MUTATE_WARNINGS_MAX 2
/* Largest patch; in base64 it fits into a reply of the server. Larger: ERR_FULL, the pod stays as
 * it is. Its effects are then still added when it is translated. */
#define MUTATE_PATCH_BYTES (40 * 1024)

/* The virtual node, as pods see it. Borrowed. */
struct mutate_node {
    str name;
    str taint_key, taint_value, taint_effect; /* effect as Kubernetes spells it */
};

struct mutate_input {
    json pod;
    struct label_set namespace_labels;
    bool is_namespace_unknown; /* then no selector matches that asks for its labels, NotIn or not */
    const struct profile *profile;
    const struct mutate_node *node;
    /* The selector which the API server says has matched (it reads labels of namespaces fresher
     * than anybody); empty: it said nothing. */
    str selector;
};

struct mutate_outcome {
    uint32_t ops;     /* 0: nothing to change, and nothing was written */
    str selector;     /* the first that sends the pod to ECI; empty: none does */
    uint64_t effects; /* bit per selector of the profile whose effect the pod gets */
    bool wants_burst; /* no selector, but burst-resource sends it there */
    bool is_ours;     /* it names the node, or its type, itself */
    str warnings[MUTATE_WARNINGS_MAX]; /* in the arena */
    uint32_t warnings_count;
};

/*
 * Appends a JSON patch (RFC 6902, an array of "add") to `patch`.
 *
 * Errors: ERR_BAD_INPUT when the pod has members of the wrong type; ERR_FULL (arena or patch).
 */
MUST_USE enum err mutate_pod(const struct mutate_input *in, struct arena *arena, struct buf *patch,
                             struct mutate_outcome *out);

/* What effects add to one pod: in the order in which they count, without doubles and without what
 * the pod says itself. Borrowed from the profile; the arrays are the arena's. */
struct mutate_effects {
    const struct spec_pair *annotations, *labels;
    uint32_t annotations_count, labels_count;
};

/*
 * For a pod that is on our node, at its translation: also one that came without admission (the
 * webhook was away, or it names its node) has its effects.
 *
 * Errors: ERR_FULL (arena).
 */
MUST_USE enum err mutate_effects(const struct mutate_input *in, struct arena *arena,
                                 struct mutate_effects *out);

/*
 * The effects as a merge patch of the pod object, so that the object shows what its instance was
 * made from, and Services and other selectors see the labels. uid: precondition.
 * False when there is nothing to add: nothing was written.
 */
bool mutate_put_effects(const struct mutate_effects *effects, str uid, struct json_write *w);

#endif
