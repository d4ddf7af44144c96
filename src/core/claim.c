/*
 * claim.c - which container group counts for which pod, what happens when a group is gone, and the
 * brake on deleting orphans (reliability.md row 48).
 */
#include "core/brain_in.h"

/* The next group of this UID, from *at on; NULL: no more. */
static struct group *next_of_uid(const struct brain *brain, const char *uid, uint32_t *at)
{
    handle h;
    while (index_find(&brain->group_by_uid, str_hash(str_of(uid)), at, &h)) {
        struct group *group = brain_group(brain, h);
        CHECK(group != NULL && !group->is_foreign);
        if (str_eq(str_of(group->uid), str_of(uid))) { /* the index knows hashes only */
            return group;
        }
    }
    return NULL;
}

static bool is_alive(const struct group *group)
{
    /* Somebody removes that one already, perhaps another gateway as the lesser of the two. */
    bool goes = group->status == ECI_STATUS_TERMINATING || group->goes ||
                group->delete_accepted_ms != 0 || group->busy == EFFECT_DELETE;
    return MUTANT(10) || (eci_status_is_live(group->status) && !goes);
}

/* Of two groups of one pod, the one that counts: the later attempt (attempts grow only after the
 * one before has ended), else a live one, else the older, else the smaller id. A total order, so
 * that two gateways and every restart choose the same. */
static bool counts_more(const struct group *a, const struct group *b)
{
    if (a->attempt != b->attempt) {
        return a->attempt > b->attempt;
    }
    bool a_lives = is_alive(a), b_lives = is_alive(b);
    if (a_lives != b_lives) {
        return a_lives;
    }
    if (a->created_unix_s != b->created_unix_s) {
        return a->created_unix_s < b->created_unix_s;
    }
    return str_cmp(str_of(a->id), str_of(b->id)) < 0;
}

/* Which of two came first is decided by what the cloud says of both. Of one that we have just made
 * ourselves we do not know it yet, and somebody else may already have decided. */
static void date_both(struct brain *brain, struct group *a, struct group *b)
{
    if (a->attempt == b->attempt && !MUTANT(11)) {
        a->must_date = a->must_date || a->created_unix_s == 0;
        b->must_date = b->must_date || b->created_unix_s == 0;
        group_touch(brain, a);
        group_touch(brain, b);
    }
}

void group_is_dated(struct brain *brain, struct group *group, int64_t created_unix_s, msec now_ms)
{
    group->must_date = false;
    group->created_unix_s = created_unix_s > 0 ? created_unix_s : INT64_MAX; /* asked once */
    group_touch(brain, group);
    struct pod *pod = pod_of_group(brain, group);
    if (pod != NULL && !handle_is_none(pod->group)) {
        link_pod(brain, pod, now_ms);
        pod_touch(brain, pod);
    }
}

static void make_extra(struct brain *brain, struct group *group, struct pod *pod)
{
    if (!group->is_extra && eci_status_is_live(group->status)) {
        brain->counters.twins++;
        brain_tell(brain, pod, true, "DuplicateInstance",
                   "container group %s is a second one for this pod and will be removed",
                   group->id);
    }
    group->is_extra = true;
    group_touch(brain, group);
}

static void link_these(struct brain *brain, struct pod *pod, struct group *group)
{
    pod->group = group_handle(brain, group);
    group->pod = pod_handle(brain, pod);
    group->is_extra = false;
    if (group->attempt >= pod->attempt) { /* an earlier one says nothing of the one in doubt */
        pod->attempt = group->attempt;
        pod->doubt_ms = 0;
        pod->doubt_sweeps = 0;
        pod->token_clashed = false;
    }
    if (pod->say == SAY_LOST && !pod->was_said) {
        pod->say = SAY_NOTHING; /* another gateway's: it is not lost */
    }
    brain->brake_is_stale = true;
    group_touch(brain, group);
}

void link_group(struct brain *brain, struct group *group, msec now_ms)
{
    CHECK(group->has_tags && !group->is_foreign && group->uid[0] != '\0');
    struct pod *pod = brain_find_pod(brain, str_of(group->uid));
    if (pod == NULL) {
        if (brain->pods_are_listed && brain->sweeps_digested > 0) {
            claim_orphans(brain, now_ms);
        }
        return;
    }
    struct group *other = group_of_pod(brain, pod);
    if (other == group) {
        return;
    }
    trace_add(&brain->trace, now_ms, "link", pod_handle(brain, pod).slot,
              group_handle(brain, group).slot);
    if (other != NULL) {
        date_both(brain, group, other);
    }
    if (other == NULL) {
        link_these(brain, pod, group);
    } else if (counts_more(group, other)) {
        link_these(brain, pod, group);
        make_extra(brain, other, pod);
    } else {
        group->pod = pod_handle(brain, pod);
        make_extra(brain, group, pod);
    }
}

void unlink_group(struct brain *brain, struct group *group)
{
    struct pod *pod = pod_of_group(brain, group);
    if (pod != NULL && handle_eq(pod->group, group_handle(brain, group))) {
        pod->group = HANDLE_NONE;
        pod->reported_row = 0;
        pod_touch(brain, pod);
    }
    group->pod = HANDLE_NONE;
    brain->brake_is_stale = true;
}

void link_pod(struct brain *brain, struct pod *pod, msec now_ms)
{
    uint32_t at = INDEX_START;
    struct group *group;
    while ((group = next_of_uid(brain, pod->uid, &at)) != NULL) {
        link_group(brain, group, now_ms);
    }
}

/* The tags name a pod that we have never seen: it gets a slot, and proof is asked for. */
static void claim(struct brain *brain, struct group *group, msec now_ms)
{
    struct pod *pod = brain_find_pod(brain, str_of(group->uid));
    if (pod == NULL) {
        pod = pod_new(brain, str_of(group->uid), brain->pods.count_max, now_ms);
        if (pod == NULL) {
            return; /* comes again with the next sweep */
        }
        pod->object = OBJECT_CLAIMED;
        pod->list_epoch = brain->list_epoch;
        CHECK(str_copy(pod->name_space, sizeof pod->name_space, str_of(group->claim_name_space)));
        CHECK(str_copy(pod->name, sizeof pod->name, str_of(group->claim_name)));
    }
    link_group(brain, group, now_ms);
    pod_touch(brain, pod);
}

void claim_orphans(struct brain *brain, msec now_ms)
{
    if (!brain->pods_are_listed || brain->sweeps_digested == 0 || MUTANT(22)) {
        return;
    }
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        struct group *group = brain_group(brain, h);
        if (group->has_tags && !group->is_foreign && pod_of_group(brain, group) == NULL) {
            claim(brain, group, now_ms);
        }
    }
    brain->brake_is_stale = true;
}

/* The group that counted is gone, but a twin or a later attempt of another gateway's lives. */
static struct group *living_twin(const struct brain *brain, const struct pod *pod, uint32_t attempt)
{
    uint32_t at = INDEX_START;
    struct group *group, *best = NULL;
    while ((group = next_of_uid(brain, pod->uid, &at)) != NULL) {
        bool may = is_alive(group) && group->attempt >= attempt;
        best = may && (best == NULL || counts_more(group, best)) ? group : best;
    }
    return best;
}

struct group *group_of_uid(const struct brain *brain, const char *uid)
{
    uint32_t at = INDEX_START;
    return next_of_uid(brain, uid, &at);
}

void twins_touch(struct brain *brain, const struct group *group)
{
    uint32_t at = INDEX_START;
    struct group *other;
    while ((other = next_of_uid(brain, group->uid, &at)) != NULL) {
        if (other->is_extra) {
            group_touch(brain, other);
        }
    }
}

bool twin_is_unconfirmed(const struct brain *brain, const struct group *extra)
{
    const struct pod *pod = pod_of_group(brain, extra);
    const struct group *twin = pod != NULL ? group_of_pod(brain, pod) : NULL;
    if (!extra->is_extra || twin == NULL) {
        return false;
    }
    /* It may have ended long ago, and then the extra one is the one that counts. */
    bool is_read = twin->row_hash != 0 && twin->seen_at_ms >= extra->known_since_ms;
    return !is_read || twin->must_date || twin->is_noted || extra->must_date;
}

/* Its pod lives on, and of its groups only this one's twin keeps it going. */
static bool needs_its_twin(const struct brain *brain, const struct group *extra)
{
    const struct pod *pod = pod_of_group(brain, extra);
    return extra->is_extra && pod != NULL && !handle_is_none(pod->group) &&
           pod->object != OBJECT_GONE && !pod->is_leaving && !pod_phase_is_terminal(pod->phase) &&
           is_alive(extra);
}

bool twin_is_proven(const struct brain *brain, const struct group *extra, msec now_ms)
{
    if (!needs_its_twin(brain, extra)) {
        return true;
    }
    const struct group *twin = group_of_pod(brain, pod_of_group(brain, extra));
    return !twin->is_hidden && twin->proof_began_ms >= extra->known_since_ms &&
           twin->proof_began_ms != 0 && now_ms - twin->proof_came_ms <= PROOF_MS;
}

bool group_must_be_proven(const struct brain *brain, const struct group *group, msec now_ms)
{
    const struct pod *pod = pod_of_group(brain, group);
    bool counts = pod != NULL && handle_eq(pod->group, group_handle(brain, group));
    uint32_t at = INDEX_START;
    const struct group *other;
    while (counts && (other = next_of_uid(brain, group->uid, &at)) != NULL) {
        bool wants = other->is_extra && other->retry_at_ms <= now_ms &&
                     handle_eq(other->pod, group->pod) && !twin_is_unconfirmed(brain, other);
        if (wants && !twin_is_proven(brain, other, now_ms)) {
            return !group->is_hidden;
        }
    }
    return false;
}

bool pod_has_any_group(const struct brain *brain, const struct pod *pod)
{
    uint32_t at = INDEX_START;
    const struct group *group;
    while ((group = next_of_uid(brain, pod->uid, &at)) != NULL) {
        if (eci_status_is_live(group->status)) {
            return true;
        }
    }
    return false;
}

/* ---- the end of a group ---------------------------------------------------------------------- */

/* Its pod lives on, and nobody asked for the group to go. */
static void pod_lost_group(struct brain *brain, struct pod *pod, enum eci_status last_status,
                           uint32_t attempt, const char *id, msec now_ms)
{
    brain->counters.lost++;
    pod->lost_attempt = attempt;
    pod->reported_row = 0;
    if (last_status == ECI_STATUS_SUCCEEDED) {
        (void)pod_say(brain, pod, SAY_SUCCEEDED, "Completed",
                      S("the container group ended successfully; its details are no longer kept"));
    } else if (last_status == ECI_STATUS_FAILED || last_status == ECI_STATUS_EXPIRED) {
        (void)pod_say(brain, pod, SAY_FAILED,
                      last_status == ECI_STATUS_EXPIRED ? "Expired" : "Failed",
                      S("the container group ended; its details are no longer kept"));
    } else if (pod->phase == POD_PHASE_RUNNING) {
        (void)pod_say(
            brain, pod, SAY_LOST, "NotFound",
            S("The pod status was not found and may have been deleted from the provider"));
        pod->object = OBJECT_MISSING; /* read afresh first: it may be leaving, and we never heard */
        brain_tell(brain, pod, true, "InstanceLost",
                   "container group %s is gone in the cloud although nobody here deleted it", id);
    } else {
        pod_next_attempt(pod, attempt); /* it never ran: a new group with a new token */
        brain_tell(brain, pod, true, "InstanceLost",
                   "container group %s is gone in the cloud before it ran; creating another one",
                   id);
        pod_back_off(brain, pod, RETRY_CAP_MS, now_ms);
    }
}

/* A pod that leaves soon after our start: the process before us may have tried again elsewhere, and
 * that group may not be listed yet. */
static void look_for_later_attempt(struct brain *brain, struct pod *pod)
{
    bool is_early = pod->is_older && !is_well_read(brain);
    if (is_early && pod->is_leaving && pod->phase < POD_PHASE_RUNNING && pod->doubt_ms == 0) {
        pod_doubt(pod, brain->started_ms);
    }
}

/* Nothing but notes told of it, and more than one: a pod that ran has lost it as the one has that
 * was first, and one that leaves has none to wait for. (Others are told by sweeps.) */
static void others_lost_it(struct brain *brain, handle group, enum eci_status last_status,
                           const char *id, msec now_ms)
{
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        struct pod *pod = brain_pod(brain, h);
        if (!handle_eq(pod->disputed, group) || !handle_is_none(pod->group) ||
            pod->object != OBJECT_SEEN || pod->phase != POD_PHASE_RUNNING) {
            continue;
        }
        pod->doubt_ms = 0;
        pod->doubt_sweeps = 0;
        if (!pod->is_leaving) {
            pod_lost_group(brain, pod, last_status, pod->attempt, id, now_ms);
        }
        pod_touch(brain, pod);
    }
}

void group_is_gone(struct brain *brain, struct group *group, msec now_ms)
{
    trace_add(&brain->trace, now_ms, "group gone", group_handle(brain, group).slot,
              (uint32_t)group->status);
    struct pod *pod = pod_of_group(brain, group);
    bool counts = pod != NULL && handle_eq(pod->group, group_handle(brain, group));
    bool was_asked_for = group->delete_accepted_ms != 0;
    enum eci_status last_status = group->status;
    uint32_t attempt = group->attempt;
    char id[GROUP_ID_BYTES];
    memcpy(id, group->id, sizeof id);
    bool was_noted_twice = group->is_noted && group->is_noted_twice;
    handle was = group_handle(brain, group);
    group_forget(brain, group);
    if (was_noted_twice) {
        others_lost_it(brain, was, last_status, id, now_ms);
    }
    if (pod != NULL) {
        pod_touch(brain, pod);
    }
    if (!counts) {
        return;
    }
    /* Nobody asked for its end: then also a gateway's that went on from an earlier attempt saves
     * the pod. */
    struct group *twin = living_twin(brain, pod, was_asked_for ? attempt : 0);
    if (twin != NULL && !MUTANT(26)) {
        link_these(brain, pod, twin);
    } else if (was_asked_for) {
        look_for_later_attempt(brain, pod);
        brain_tell(brain, pod, false, "ProviderDeleteSuccess", "container group %s is gone", id);
    } else if (pod->object == OBJECT_SEEN && !pod->is_leaving &&
               !pod_phase_is_terminal(pod->phase)) {
        pod_lost_group(brain, pod, last_status, attempt, id, now_ms);
    }
}

/* ---- the brake ------------------------------------------------------------------------------- */

/* A live group whose pod is missing, without our having seen that pod's deletion. */
static bool is_orphan_suspect(const struct pod *pod)
{
    return pod != NULL && pod->object != OBJECT_SEEN && !pod->saw_deletion && !pod->is_leaving;
}

bool brain_look(const struct brain *brain, struct capacity_look *out)
{
    out->requests_milli = 0;
    out->strays = 0;
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        const struct group *group = brain_group(brain, h);
        if (!group->has_tags || group->is_foreign || !eci_status_is_live(group->status)) {
            continue;
        }
        const struct pod *pod = pod_of_group(brain, group);
        if (pod == NULL || pod->object != OBJECT_SEEN) {
            out->strays++;
        } else if (!group->is_extra && !pod_phase_is_terminal(pod->phase)) {
            out->requests_milli += pod->request_milli; /* cannot overflow: pod_facts.h */
        }
    }
    return brain->pods_are_listed && brain->sweeps_digested > 0 && brain->cloud.is_reachable;
}

void brake_refresh(struct brain *brain, msec now_ms)
{
    if (!brain->brake_is_stale || brain->only_looks) {
        return;
    }
    brain->brake_is_stale = false;
    uint32_t live = 0, suspects = 0;
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        const struct group *group = brain_group(brain, h);
        if (group->has_tags && !group->is_foreign && eci_status_is_live(group->status)) {
            live++;
            suspects += is_orphan_suspect(pod_of_group(brain, group)) ? 1u : 0u;
        }
    }
    brain->groups_ours_live = live;
    brain->orphan_suspects = suspects;
    uint64_t allowed = (uint64_t)live * brain->config.brake_percent / 100;
    allowed = allowed > brain->config.brake_min ? allowed : brain->config.brake_min;
    bool is_on = suspects > allowed;
    if (is_on == brain->brake_is_on) {
        return;
    }
    brain->brake_is_on = is_on;
    trace_add(&brain->trace, now_ms, "brake", suspects, live);
    if (is_on) {
        brain_tell(brain, NULL, true, "OrphanBrake",
                   "%u of %u container groups have no pod in the cluster; not deleting them. If "
                   "that is right, raise ORPHAN_BRAKE_PERCENT and restart",
                   suspects, live);
    } else {
        brain_tell(brain, NULL, false, "OrphanBrakeReleased",
                   "%u of %u container groups have no pod in the cluster; deleting them again",
                   suspects, live);
    }
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        group_touch(brain, brain_group(brain, h));
    }
}
