/*
 * answer.c - who answers for a pod: logs, exec and the like go to the container group that is known
 * to be its own (app/wire_serve.c), and to no other. The same while this gateway leads and while it
 * waits.
 */
#include "core/brain_in.h"

const struct group *brain_instance(const struct brain *brain, const struct pod *pod)
{
    const struct group *group = group_of_pod(brain, pod);
    /* Whoever may write annotations may have named another pod's. */
    return group != NULL && group->is_noted ? NULL : group;
}

/* A pod comes again under the name of one whose end was not seen yet, or is being proven. */
static bool is_meant_rather(const struct pod *a, const struct pod *b)
{
    bool a_is_there = a->object == OBJECT_SEEN, b_is_there = b->object == OBJECT_SEEN;
    return a_is_there != b_is_there ? a_is_there : a->seen_at_ms > b->seen_at_ms;
}

const struct pod *brain_find_named(const struct brain *brain, str name_space, str name, str uid)
{
    const struct pod *best = NULL;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        bool is_it = pod->was_seen && pod->object != OBJECT_GONE &&
                     str_eq(str_of(pod->name), name) &&
                     str_eq(str_of(pod->name_space), name_space) &&
                     (str_is_empty(uid) || str_eq(str_of(pod->uid), uid));
        best = is_it && (best == NULL || is_meant_rather(pod, best)) ? pod : best;
    }
    return best;
}
