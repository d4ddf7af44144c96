/*
 * profile.h - the eci-profile: ConfigMap kube-system/eci-profile, read into a bounded struct.
 *
 * It says which pods go to ECI (selectors), what is added to them (effects), and which vSwitches,
 * security group and resource group new instances get. Its format is Alibaba's: texts in `data`,
 * `selectors` being JSON inside such a text. Comments in that JSON (#, //, C style) are tolerated:
 * the vendor's own examples have them. So is a byte order mark before it.
 *
 * A profile is taken whole or not at all. What Kubernetes would refuse later (a label that is none,
 * in a selector or an effect) is refused here, with line and column, because an effect with a bad
 * label would otherwise keep pods from being created.
 *
 * Pure; the watch and the hot reload are app/wire_profile.c.
 */
#ifndef ECILET_SPEC_PROFILE_H
#define ECILET_SPEC_PROFILE_H

#include "base/buf.h"
#include "spec/label_select.h"

#define PROFILE_NAME "eci-profile"
#define PROFILE_NAMESPACE "kube-system"

/* Room of one profile, about 90 KiB. More: the profile is refused, naming the limit. */
#define PROFILE_SELECTORS_MAX 64 /* each becomes one webhook of the configuration */
#define PROFILE_TERMS_MAX 512    /* of all selectors together */
#define PROFILE_VALUES_MAX 1024  /* likewise, of In and NotIn */
#define PROFILE_PAIRS_MAX 512    /* annotations and labels of all effects */
#define PROFILE_TEXT_BYTES (32 * 1024)
#define PROFILE_SELECTOR_NAME_BYTES_MAX 128
#define PROFILE_ID_BYTES_MAX 64 /* an id of the cloud: letters, digits and - */
#define PROFILE_VSWITCHES_MAX ECI_VSWITCHES_MAX
#define PROFILE_WHAT_BYTES 240 /* a message, cut to this */

struct profile_pairs {
    const struct spec_pair *items;
    uint32_t count;
};

struct profile_selector {
    str name; /* unique, never empty */
    /* An empty selector ("{}") counts as not given. */
    struct label_select namespaces, objects;
    struct profile_pairs annotations, labels; /* the effect */
    /* Has a namespace or an object selector: what it matches goes to ECI. Else its effect is for
     * every pod that goes to ECI anyway. */
    bool is_scheduling;
};

struct profile {
    /* An absent key gives the empty text: the configuration's value counts then. */
    str vpc_id, security_group_id, resource_group_id;
    str vswitch_ids; /* commas between, no blanks */
    bool enable_cluster_ip, enable_hybrid_mode, enable_private_zone;
    bool has_cluster_ip, has_hybrid_mode, has_private_zone;
    struct profile_selector selectors[PROFILE_SELECTORS_MAX]; /* in their order */
    uint32_t selectors_count;
    bool has_default_selectors; /* none were given: these are default-selector-1 to -5 */

    /* private: what the texts and lists above point into, so a profile must not be moved */
    struct label_term terms[PROFILE_TERMS_MAX];
    str values[PROFILE_VALUES_MAX];
    struct spec_pair pairs[PROFILE_PAIRS_MAX];
    char text[PROFILE_TEXT_BYTES];
    uint32_t terms_count, values_count, pairs_count;
    size_t text_bytes;
};

/* Why a profile cannot be used. */
struct profile_fault {
    char what[PROFILE_WHAT_BYTES]; /* "selectors: line 3, column 5: ..." */
    uint32_t line, column; /* inside the text of `selectors`, from 1; 0: about another key */
};

/* No ConfigMap: nothing set, the five default selectors. */
void profile_init(struct profile *out);

/*
 * Reads one.
 *
 * data      the ConfigMap's `data` (JSON_NONE: it has none, which is the profile of profile_init)
 * arena     scratch; the caller rewinds it
 * out       overwritten, also on failure: read into the one that is not in use
 * fault     filled on failure
 * warnings  may be NULL; receives one line per remark, each ending in \n: unknown keys and members,
 *           switches that change nothing here, a selector that is shadowed, an effect that nobody
 *           reads. Lines are whole; a last one says how many more had no room
 *
 * Errors: ERR_INVALID; ERR_FULL when the arena is too small.
 */
MUST_USE enum err profile_read(json data, struct arena *arena, struct profile *out,
                               struct profile_fault *fault, struct buf *warnings);

/* The effective profile for people (`ecilet lint`). */
void profile_print(const struct profile *profile, struct buf *out);

#endif
