/*
 * standby.c - the brain of a gateway that waits while another one acts (app/wire_leader.c). It
 * knows the pods and whose their groups are, for those who ask (app/wire_serve.c), but decides,
 * says and writes nothing.
 *
 * Which group a pod has stands in the note on it; the tags must confirm that, because whoever may
 * write annotations may have written it. That is one read of details per new group (more only until
 * the cloud shows it), and all that this brain asks of the cloud. When its turn comes to act it
 * begins anew, like a process that starts: what was believed while another one acted is good enough
 * to be shown, not to act upon.
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
    if (MUTANT(37)) {
        brain->only_looks = false;
        return;
    }
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

/* Nothing is written here, so all of it is news. Whoever acts may have gone on to another group:
 * the one before is not needed any more. */
void standby_pod_seen(struct brain *brain, struct pod *pod, const struct pod_news *news,
                      msec now_ms)
{
    if (news->past != NULL) {
        pod->past = *news->past;
    }
    struct group *group = group_of_pod(brain, pod);
    bool names_another = !str_is_empty(news->instance_id) && group != NULL &&
                         !str_eq(news->instance_id, str_of(group->id));
    if (names_another && !MUTANT(39) && !note_passes_on(brain, group, now_ms)) {
        group_forget(brain, group);
    }
}

/* Only whose it is: what the instance does, and its init containers, is shown by who acts. */
bool standby_wants(struct brain *brain, struct group *group)
{
    const struct pod *pod = pod_of_group(brain, group);
    if (pod == NULL || group->is_extra) { /* its tags named nobody here, or it does not count */
        group_forget(brain, group);
        return false;
    }
    /* The cloud keeps what has ended for a while only; many such pods may stay in the cluster. */
    bool is_over = group->is_hidden && pod_phase_is_terminal(pod->phase);
    return (group->is_noted && !is_over) || MUTANT(40);
}

/* What the cloud does not show yet is asked for again, and stays a note until then. */
void standby_group_read(struct brain *brain, struct group *group, bool was_found, msec now_ms)
{
    group->is_hidden = !was_found;
    if (!was_found) {
        group_back_off(brain, group, RETRY_BASE_MS, RETRY_CAP_MS, now_ms);
    }
}

void standby_forget(struct brain *brain, struct pod *pod, msec now_ms)
{
    struct group *group;
    while ((group = group_of_uid(brain, pod->uid)) != NULL) {
        if (!note_passes_on(brain, group, now_ms)) {
            group_forget(brain, group);
        }
    }
    pod_forget(brain, pod);
}
