/*
 * notes.c - the notes on pods, which name their container groups from one process to the next, so
 * that they are known by id even when no listing shows them.
 *
 * Whoever may write annotations may have written them, also on purpose to name another pod's group,
 * or one that never was, or one after the other. So a note stands for the tags of a group only
 * until these are read (sweep.c), a pod has one note at a time, and what only notes tell of makes
 * room for what is there. Of two pods whose notes name one group neither is taken for the owner,
 * and neither is held up for longer than it would be by its own note.
 */
#include "core/brain_in.h"

/* Another pod's note names the same group: whose it is stands in its tags, and until they are read
 * no sweep says that this pod has none. */
static void note_is_disputed(struct brain *brain, struct pod *pod, struct group *group,
                             uint32_t attempt, msec now_ms)
{
    group->is_noted_twice = true;
    pod->disputed = group_handle(brain, group);
    if (handle_is_none(pod->group)) {
        pod->attempt = attempt > pod->attempt ? attempt : pod->attempt;
    }
    if (handle_is_none(pod->group) && pod->doubt_ms == 0) {
        pod_doubt(pod, now_ms);
    }
}

bool is_in_dispute(const struct brain *brain, const struct pod *pod)
{
    const struct group *group = brain_group(brain, pod->disputed);
    return group != NULL && group->is_noted && !group->is_unreadable;
}

static bool has_nothing_else(const struct pod *pod)
{
    return pod->object != OBJECT_GONE && handle_is_none(pod->group);
}

static bool stays(const struct pod *pod)
{
    return pod->object != OBJECT_GONE && !pod->is_leaving;
}

/* Another pod whose note names it too; NULL: none. */
static struct pod *other_of_note(const struct brain *brain, const struct group *group,
                                 bool (*is_meant)(const struct pod *pod))
{
    handle wanted = group_handle(brain, group);
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        struct pod *pod = brain_pod(brain, h);
        if (handle_eq(pod->disputed, wanted) && !handle_eq(group->pod, h) && is_meant(pod)) {
            return pod;
        }
    }
    return NULL;
}

/* From now on it stands for the tags of the group of this pod. */
static void note_stands_for(struct brain *brain, struct group *group, const struct tag_facts *tags,
                            msec now_ms)
{
    group->was_seen = true; /* by the process that wrote the note */
    brain_tags_seen(brain, group, tags, now_ms);
    group->is_noted = true; /* whoever may write annotations may have written it */
}

bool note_passes_on(struct brain *brain, struct group *group, msec now_ms)
{
    bool may_pass = group->is_noted && group->is_noted_twice;
    struct pod *next = may_pass ? other_of_note(brain, group, has_nothing_else) : NULL;
    if (next == NULL) {
        return false;
    }
    group->is_noted = false;
    note_is_refuted(brain, group, now_ms);
    const struct tag_facts tags = tags_of_pod(next);
    note_stands_for(brain, group, &tags, now_ms);
    next->disputed = HANDLE_NONE;
    return true;
}

void note_looks_again(struct brain *brain, struct group *group, msec now_ms)
{
    const struct pod *pod = pod_of_group(brain, group);
    if (group->is_noted_twice && (pod == NULL || pod->object == OBJECT_GONE)) {
        (void)note_passes_on(brain, group, now_ms);
    }
    group_touch(brain, group);
}

bool other_note_stays(const struct brain *brain, const struct group *group)
{
    return group->is_noted_twice && other_of_note(brain, group, stays) != NULL;
}

/* Only the note tells of it. */
static bool is_only_noted(const struct group *group)
{
    return group->is_noted && group->row_hash == 0 && group->delete_accepted_ms == 0 &&
           group->busy != EFFECT_DELETE;
}

/* The note on the pod names another group now: one that only the former note tells of is not kept.
 * There is room for about one group per pod, and notes can be written without end. */
static void drop_former_note(struct brain *brain, const struct pod *pod, msec now_ms)
{
    struct group *former = group_of_pod(brain, pod);
    if (former != NULL && is_only_noted(former) && !note_passes_on(brain, former, now_ms)) {
        group_forget(brain, former);
    }
}

void notes_make_room(struct brain *brain, msec now_ms)
{
    handle h = pool_first(&brain->groups);
    bool is_full = brain->groups.count == brain->groups.count_max;
    for (; is_full && !handle_is_none(h); h = pool_after(&brain->groups, h)) {
        struct group *group = brain_group(brain, h);
        if (!is_only_noted(group) || !group->is_hidden) {
            continue;
        }
        struct pod *pod = pod_of_group(brain, group);
        group_forget(brain, group);
        if (pod != NULL) {
            link_pod(brain, pod, now_ms);
        }
        if (pod != NULL && handle_is_none(pod->group) && pod->doubt_ms == 0) {
            pod_doubt(pod, now_ms); /* it may have one all the same */
        }
        return;
    }
}

void believe_note(struct brain *brain, struct pod *pod, const struct pod_news *news, msec now_ms)
{
    if (str_is_empty(news->instance_id) || news->instance_id.bytes >= GROUP_ID_BYTES) {
        return;
    }
    struct group *group = brain_find_group(brain, news->instance_id);
    if (group != NULL && group->has_tags) { /* we know better, or know no better */
        if (group->is_noted && !str_eq(str_of(group->uid), news->uid) && !MUTANT(42)) {
            note_is_disputed(brain, pod, group, news->instance_attempt, now_ms);
        }
        return;
    }
    drop_former_note(brain, pod, now_ms);
    if (group == NULL) {
        group = group_new(brain, news->instance_id, now_ms);
        if (group == NULL) {
            return; /* sweeps will find it if it exists */
        }
        brain->untagged++;
    }
    const struct tag_facts tags = {.uid = news->uid,
                                   .name_space = news->name_space,
                                   .name = news->name,
                                   .attempt = news->instance_attempt,
                                   .is_ours = true};
    note_stands_for(brain, group, &tags, now_ms);
}

void note_is_refuted(struct brain *brain, struct group *group, msec now_ms)
{
    struct pod *pod = pod_of_group(brain, group);
    unlink_group(brain, group);
    bool was_there = index_remove(&brain->group_by_uid, str_hash(str_of(group->uid)),
                                  group_handle(brain, group));
    CHECK(was_there);
    group->uid[0] = '\0';
    group->is_extra = false;
    group->has_tags = false;
    brain->untagged++;
    if (pod != NULL && !MUTANT(41)) {
        link_pod(brain, pod, now_ms); /* its own, if it was one too many beside this one */
    }
    if (pod != NULL && pod->phase == POD_PHASE_RUNNING && handle_is_none(pod->group)) {
        pod_doubt(pod, now_ms); /* it has one somewhere */
    }
}
