/*
 * standby.c - the brain of a gateway that waits while another one acts (app/wire_leader.c). It
 * knows the pods and whose their groups are, for those who ask (app/wire_serve.c), but decides,
 * says and writes nothing.
 *
 * Which group a pod has stands in the note on it; the tags must confirm that, because whoever may
 * write annotations may have written it. That is one read of details per new group, and all that
 * this brain asks of the cloud. When its turn comes to act it begins anew, like a process that
 * starts: what was believed while another one acted is good enough to be shown, not to act upon.
 */
#include "core/brain_in.h"

void brain_only_look(struct brain *brain)
{
    CHECK(!brain->polls_are_on && brain->pods.count == 0);
    brain->only_looks = true;
}

void brain_begin_anew(struct brain *brain)
{
    CHECK(brain->only_looks);
    handle h;
    while (!handle_is_none(h = pool_first(&brain->pods))) {
        pod_forget(brain, brain_pod(brain, h));
    }
    while (!handle_is_none(h = pool_first(&brain->groups))) {
        group_forget(brain, brain_group(brain, h));
    }
    brain->only_looks = false;
    brain->is_listing = false; /* the caller has ended that list */
    brain->pods_are_listed = false;
    brain->pods_were_refused = false;
    brain->detail_batch = READ_BATCH_MAX;
}

void standby_forget(struct brain *brain, struct pod *pod)
{
    struct group *group;
    while ((group = group_of_uid(brain, pod->uid)) != NULL) {
        group_forget(brain, group);
    }
    pod_forget(brain, pod);
}
