/*
 * namespaces.h - the labels of the cluster's namespaces, as a watch shows them: the namespace
 * selectors of the eci-profile need them, and an admission request does not carry them.
 *
 * Only labels are kept, those first that the profile asks for. A list that ends takes away what it
 * did not show.
 */
#ifndef ECILET_APP_NAMESPACES_H
#define ECILET_APP_NAMESPACES_H

#include "base/index.h"
#include "base/region.h"
#include "spec/profile.h"

#define NAMESPACES_MAX 4096       /* 1 KiB each when in use. Full: the rest counts as not known */
#define NAMESPACE_LABEL_BYTES 944 /* keys and values. More: labels nobody asks for are left out */
#define NAMESPACES_LATE_MAX 32    /* waited for at a time; more wait until one of these is done */
#define NAMESPACES_LATE_MS 5000   /* each of them; once more after ten times as long */

/* One that a pod lies in, and that the watch has not shown. */
struct namespace_late {
    uint64_t print; /* of its name */
    msec until_ms;  /* 0: none */
};

struct namespaces {
    struct pool pool;
    struct index index;
    uint32_t list; /* number of the newest list */
    /* for reading; since the newest list began */
    bool is_cut;  /* some label was left out: another profile needs a new list */
    bool is_full; /* some namespace had no room */
    /* private */
    struct namespace_late late[NAMESPACES_LATE_MAX];
};

void namespaces_init(struct namespaces *all, struct region *region);

void namespaces_list_begin(struct namespaces *all);
void namespaces_list_end(struct namespaces *all);

/*
 * What is now known of one.
 *
 * profile   whose namespace selectors say which labels come first
 * arena     scratch, rewound
 * Errors: ERR_FULL not taken; ERR_TOO_BIG taken, but without a label that the profile asks for;
 * ERR_INVALID no name that a namespace could have.
 */
MUST_USE enum err namespaces_set(struct namespaces *all, const struct profile *profile, str name,
                                 json labels, struct arena *arena);
void namespaces_remove(struct namespaces *all, str name);

/* In the arena. Errors: ERR_NOT_FOUND; ERR_FULL (arena). */
MUST_USE enum err namespaces_labels(const struct namespaces *all, str name, struct arena *arena,
                                    struct label_set *out);

/* Of one that is not found, though a pod lies in it: true while the watch may show it in a moment.
 * It is not waited for all the time: it may have been too large to be read. Each is waited for on
 * its own. */
bool namespaces_may_come(struct namespaces *all, str name, msec now_ms);

#endif
