/*
 * sweep.c - facts from readings of the cloud: rows, tags, complete sweeps, reads by id.
 *
 * Absence is the difficult fact. A row proves presence at once; absence is believed only as brain.h
 * says, because listings lag, pages get lost, and a caller without permission gets an empty list.
 */
#include "core/brain_in.h"

/* ---- rows ------------------------------------------------------------------------------------ */

static void group_is_there(struct group *group, msec read_ms, msec now_ms)
{
    group->shown_ms = now_ms;
    group->was_seen = true;
    group->is_hidden = false;
    if (read_ms > group->seen_at_ms) {
        group->seen_at_ms = read_ms;
    }
    group->missing_since_ms = 0;
    group->missing_sweeps = 0;
    group->is_suspect = false;
}

struct group *brain_row_seen(struct brain *brain, str id, enum eci_status status, uint64_t row_hash,
                             msec read_ms, msec now_ms)
{
    if (id.bytes == 0 || id.bytes >= GROUP_ID_BYTES) {
        brain->counters.refused_groups++;
        return NULL;
    }
    struct group *group = brain_find_group(brain, id);
    if (group == NULL) {
        notes_make_room(brain, now_ms);
        group = group_new(brain, id, now_ms);
        if (group == NULL) {
            return NULL;
        }
        brain->untagged++;
        trace_add(&brain->trace, now_ms, "group found", group_handle(brain, group).slot,
                  (uint32_t)status);
    }
    if (read_ms < group->seen_at_ms) {
        return group; /* an older reading: what we know is newer */
    }
    bool was_away = group->is_suspect || group->is_hidden;
    bool is_first = group->row_hash == 0;
    group_is_there(group, read_ms, now_ms);
    /* What has ended stays ended: a late row of an eventually consistent service changes nothing.
     */
    bool is_news = group->row_hash != row_hash &&
                   (!eci_status_is_terminal(group->status) || eci_status_is_terminal(status));
    if (is_news) {
        trace_add(&brain->trace, now_ms, "row", group_handle(brain, group).slot, (uint32_t)status);
        if (eci_status_is_live(group->status) != eci_status_is_live(status)) {
            brain->brake_is_stale = true;
        }
        group->row_hash = row_hash;
        group->status = status;
    }
    if (is_news || was_away || !group->has_tags) {
        group_touch(brain, group);
    }
    struct pod *pod = pod_of_group(brain, group);
    bool goes = is_news && (status == ECI_STATUS_TERMINATING || !eci_status_is_live(status));
    if (pod != NULL && (is_first || (goes && !handle_is_none(pod->group)))) {
        link_pod(brain, pod, now_ms); /* which of two counts is known now */
    }
    return group;
}

void brain_detail_seen(struct brain *brain, struct group *group, enum eci_status status,
                       msec now_ms)
{
    bool goes = status == ECI_STATUS_TERMINATING || !eci_status_is_live(status);
    struct pod *pod = pod_of_group(brain, group);
    if (!goes || group->goes) {
        return;
    }
    group->goes = true; /* and never comes back */
    group_touch(brain, group);
    if (pod != NULL && !handle_is_none(pod->group)) {
        link_pod(brain, pod, now_ms); /* which of two counts is known now */
    }
}

void brain_tags_seen(struct brain *brain, struct group *group, const struct tag_facts *tags,
                     msec now_ms)
{
    if (group->is_noted) {
        group->is_noted = false;
        group_touch(brain, group);
        bool is_its_own =
            str_eq(tags->uid, str_of(group->uid)) ||
            (MUTANT(36) && brain->only_looks && str_eq(tags->name, str_of(group->claim_name)));
        if (!tags->is_ours || !is_its_own) {
            note_is_refuted(brain, group, now_ms);
        }
    }
    if (group->must_date) {
        group_is_dated(brain, group, tags->created_unix_s, now_ms);
    }
    if (group->has_tags) {
        return;
    }
    group->has_tags = true;
    CHECK(brain->untagged > 0);
    brain->untagged--;
    group->attempt = tags->attempt;
    group->created_unix_s = tags->created_unix_s;
    bool fits = name_fits(tags->uid, sizeof group->uid) &&
                name_fits(tags->name, sizeof group->claim_name) &&
                name_fits(tags->name_space, sizeof group->claim_name_space);
    if (!tags->is_ours || !fits) {
        group->is_foreign = true;
    } else {
        CHECK(str_copy(group->uid, sizeof group->uid, tags->uid));
        CHECK(str_copy(group->claim_name, sizeof group->claim_name, tags->name));
        CHECK(str_copy(group->claim_name_space, sizeof group->claim_name_space, tags->name_space));
        enum err err =
            index_add(&brain->group_by_uid, str_hash(tags->uid), group_handle(brain, group));
        CHECK(err == ERR_OK);
        link_group(brain, group, now_ms);
    }
    group_touch(brain, group);
    brain->brake_is_stale = true;
    sweep_digest(brain, now_ms);
}

/* ---- complete sweeps ------------------------------------------------------------------------- */

/* Enough complete sweeps did not show a group for this pod: it has none. */
static void doubt_is_settled(struct brain *brain, struct pod *pod, bool is_empty, msec now_ms)
{
    if (pod->token_clashed &&
        (!is_empty || MUTANT(12))) { /* without permission everything looks empty */
        pod->token_clashed = false;
        pod->attempt++;
    }
    trace_add(&brain->trace, now_ms, "doubt settled", pod_handle(brain, pod).slot, 0);
    pod->doubt_ms = 0;
    pod->doubt_sweeps = 0;
    pod_touch(brain, pod);
    if (pod->object == OBJECT_SEEN && !pod->is_leaving && pod->phase == POD_PHASE_RUNNING &&
        handle_is_none(pod->group)) {
        /* Nothing shows that it was ever ours (a former virtual kubelet's, perhaps): it is neither
         * failed nor created again. */
        brain_tell(brain, pod, true, "InstanceUnknown",
                   "the pod was Running before this node knew it, and no container group with our "
                   "tags exists for it; it is left as it is. Delete it to get a new one");
    }
}

/* A few sweeps in a row may leave out the same row. What is created again has its token, but what
 * goes takes the last trace of its group with it: twice as many. */
bool late_sweeps_are_enough(const struct brain *brain, const struct pod *pod)
{
    return pod->late_sweeps >= 2 * brain->config.absence_sweeps;
}

/* A create may arrive late, and its group be listed late: sweeps of the first half of young_ms say
 * nothing against it. (For creating again they count.) */
static bool is_late_sweep(const struct brain *brain, const struct pod *pod, msec started_ms)
{
    msec since_ms = pod->doubt_ms != 0 ? pod->doubt_ms : pod->unknown_ms;
    return since_ms != 0 && started_ms - since_ms >= brain->config.young_ms / 2;
}

/* Nothing was shown for long enough. Creating again has its token against doubles; an object that
 * goes for good has nothing, so it waits until any group of its create must be visible. */
static bool doubt_is_over(const struct brain *brain, const struct pod *pod, msec started_ms)
{
    msec absence_ms = brain->config.absence_ms, young_ms = brain->config.young_ms;
    msec lasted_ms = started_ms - pod->doubt_ms;
    bool goes = (pod->is_leaving || pod->object != OBJECT_SEEN) && !MUTANT(8);
    bool is_over = pod->doubt_sweeps >= brain->config.absence_sweeps && lasted_ms >= absence_ms;
    return is_over && !is_in_dispute(brain, pod) &&
           (!goes || (lasted_ms >= young_ms && late_sweeps_are_enough(brain, pod)));
}

static void pods_after_sweep(struct brain *brain, msec started_ms, bool is_empty, msec now_ms)
{
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        struct pod *pod = brain_pod(brain, h);
        bool fails_it = pod->phase == POD_PHASE_RUNNING; /* an empty sweep fails nobody */
        if (started_ms < pod->doubt_ms || (is_empty && fails_it)) {
            continue;
        }
        pod->late_sweeps += is_late_sweep(brain, pod, started_ms) ? 1u : 0u;
        if (pod->doubt_ms == 0) {
            continue;
        }
        pod->doubt_sweeps++;
        if (doubt_is_over(brain, pod, started_ms)) {
            doubt_is_settled(brain, pod, is_empty, now_ms);
        }
    }
}

/* What a note names and this sweep did not show may be deleted now, if its pod goes. */
static void notes_after_sweep(struct brain *brain, msec now_ms)
{
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        struct group *group = brain_group(brain, h);
        if (group->is_noted && group->is_hidden) {
            note_looks_again(brain, group, now_ms);
        }
    }
}

static void groups_after_sweep(struct brain *brain, msec started_ms, msec now_ms)
{
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        struct group *group = brain_group(brain, h);
        if (group->is_extra) {
            group_touch(brain, group); /* what is known of its twin may be new enough now */
        }
        bool is_young = !group->was_seen && now_ms - group->known_since_ms < brain->config.young_ms;
        if (group->seen_at_ms >= started_ms || group->known_since_ms >= started_ms || is_young) {
            continue;
        }
        if (group->is_foreign) {
            group_forget(brain, group);
            continue;
        }
        if (group->missing_sweeps++ == 0) {
            group->missing_since_ms = now_ms;
        }
        if (group->missing_sweeps >= brain->config.absence_sweeps &&
            now_ms - group->missing_since_ms >= brain->config.absence_ms && !group->is_suspect) {
            group->is_suspect = true;
            trace_add(&brain->trace, now_ms, "suspect", group_handle(brain, group).slot, 0);
            group_touch(brain, group);
        }
    }
}

/* A missing permission looks like an empty cloud, and so nothing is concluded from one. But when
 * groups are known and listings stay empty, somebody should look. */
static void watch_empty_sweeps(struct brain *brain, bool is_empty)
{
    brain->empty_sweeps = is_empty && brain->groups.count > 0 ? brain->empty_sweeps + 1 : 0;
    if (brain->empty_sweeps == EMPTY_SWEEPS_TOLD) {
        brain_tell(brain, NULL, true, "EmptyListing",
                   "%u container groups are known, but the cloud lists none: is the permission for "
                   "DescribeContainerGroupStatus missing, or did somebody delete them all? Their "
                   "pods keep their last status",
                   brain->groups.count);
    }
}

/* Every group of a complete sweep has shown its tags: now it counts. */
void sweep_digest(struct brain *brain, msec now_ms)
{
    if (brain->sweep_digesting_ms == 0 || brain->untagged > 0) {
        return;
    }
    msec started_ms = brain->sweep_digesting_ms;
    bool is_empty = brain->sweep_was_empty;
    brain->sweep_digesting_ms = 0;
    bool is_after_outage = brain->swept_ms < brain->cloud.away_ms;
    brain->swept_ms = started_ms;
    bool is_first = brain->sweeps_digested++ == 0;
    trace_add(&brain->trace, now_ms, "sweep digested", brain->sweeps_digested, brain->groups.count);
    watch_empty_sweeps(brain, is_empty);
    pods_after_sweep(brain, started_ms, is_empty, now_ms);
    notes_after_sweep(brain, now_ms);
    if (!is_empty || MUTANT(14)) { /* an empty listing is what a missing permission looks like */
        groups_after_sweep(brain, started_ms, now_ms);
    }
    claim_orphans(brain, now_ms);
    if (is_first || is_after_outage) {
        for (handle h = pool_first(&brain->pods); !handle_is_none(h);
             h = pool_after(&brain->pods, h)) {
            pod_touch(brain, brain_pod(brain, h));
        }
    }
}

static bool waits_for_evidence(const struct brain *brain)
{
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        if (brain_pod(brain, h)->doubt_ms != 0) {
            return true;
        }
    }
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        if (brain_group(brain, h)->missing_sweeps > 0) {
            return true;
        }
    }
    return false;
}

static msec evidence_pause_ms(const struct brain *brain)
{
    return brain->config.absence_ms / brain->config.absence_sweeps;
}

/* Sooner when somebody waits for the evidence of complete sweeps. */
static msec sweep_pause_ms(const struct brain *brain)
{
    msec evidence_ms = evidence_pause_ms(brain);
    bool is_urgent = waits_for_evidence(brain) && evidence_ms < brain->config.sweep_ms;
    return is_urgent ? evidence_ms : brain->config.sweep_ms;
}

void sweep_soon(struct brain *brain, msec now_ms)
{
    msec at_ms = now_ms + evidence_pause_ms(brain);
    brain->sweep_at_ms = at_ms < brain->sweep_at_ms ? at_ms : brain->sweep_at_ms;
}

/* Without a slot for every group no sweep is complete, and nothing is created or removed. */
static void tell_full(struct brain *brain)
{
    if (brain->groups.count == brain->groups.count_max && !brain->full_was_told) {
        brain->full_was_told = true;
        brain_tell(brain, NULL, true, "TooManyContainerGroups",
                   "the cloud has more container groups of this node than there are slots (%u): "
                   "raise PODS_MAX and restart",
                   brain->groups.count_max);
    }
}

void brain_sweep_done(struct brain *brain, enum err err, bool is_complete, uint32_t rows,
                      msec started_ms, msec now_ms)
{
    CHECK(brain->in_flight[EFFECT_SWEEP] > 0);
    brain->in_flight[EFFECT_SWEEP]--;
    budget_slow(brain, EFFECT_SWEEP, err, now_ms);
    if ((err != ERR_OK && !MUTANT(4)) || (!is_complete && !MUTANT(5))) {
        tell_full(brain);
        brain->sweep_failures++;
        brain->sweep_at_ms =
            now_ms + backoff_ms(brain->sweep_failures, RETRY_BASE_MS, PROBE_CAP_MS, &brain->prng);
        return;
    }
    brain->counters.sweeps++;
    brain->sweep_failures = 0;
    brain->delta_failures = 0;
    brain->delta_since_ms = started_ms;
    brain->sweep_digesting_ms = started_ms;
    brain->sweep_was_empty = rows == 0;
    sweep_digest(brain, now_ms);
    brain->sweep_at_ms = now_ms + sweep_pause_ms(brain);
    if (brain->delta_at_ms < now_ms) {
        brain->delta_at_ms = now_ms + brain->config.poll_fast_ms;
    }
}

void brain_delta_done(struct brain *brain, enum err err, msec started_ms, msec now_ms)
{
    CHECK(brain->in_flight[EFFECT_DELTA] > 0);
    brain->in_flight[EFFECT_DELTA]--;
    budget_slow(brain, EFFECT_DELTA, err, now_ms);
    if (err != ERR_OK) {
        brain->delta_failures++;
        brain->delta_at_ms =
            now_ms + backoff_ms(brain->delta_failures, RETRY_BASE_MS, PROBE_CAP_MS, &brain->prng);
        return;
    }
    brain->counters.deltas++;
    brain->delta_failures = 0;
    brain->delta_since_ms = started_ms;
    brain->delta_at_ms = now_ms; /* the pause is added when the next one is planned */
    brain->delta_is_paced = false;
}

/* ---- reads by id ----------------------------------------------------------------------------- */

static bool absence_is_believed(const struct brain *brain, const struct group *group, msec now_ms)
{
    bool is_young = !group->was_seen && now_ms - group->known_since_ms < brain->config.young_ms;
    is_young = is_young && !MUTANT(23);
    if (MUTANT(30) && group->delete_accepted_ms == 0 && group->was_seen) {
        return group->missing_sweeps > 0;
    }
    if (group->delete_accepted_ms != 0) { /* by id, after the cloud took the delete: proof */
        return !is_young || now_ms - group->delete_accepted_ms >= DELETED_YOUNG_MS;
    }
    return MUTANT(2) || (!is_young && (group->is_suspect || !group->has_tags));
}

static void group_was_read(struct brain *brain, struct group *group, bool was_found,
                           msec started_ms, msec now_ms)
{
    if (!was_found && started_ms < group->shown_ms) { /* a reading that may be newer showed it */
        group_back_off(brain, group, RETRY_BASE_MS, GONE_POLL_CAP_MS, now_ms);
        return;
    }
    if (!was_found) {
        group->is_hidden = true;
        if (absence_is_believed(brain, group, now_ms)) {
            group_is_gone(brain, group, now_ms);
        } else { /* not listed yet, perhaps; sweeps will tell */
            if (group->is_noted) {
                sweep_soon(brain, now_ms);
            }
            group_back_off(brain, group, RETRY_BASE_MS, GONE_POLL_CAP_MS, now_ms);
        }
        return;
    }
    group_is_there(group, started_ms, now_ms);
    if (group->delete_accepted_ms == 0) {
        group->failures = 0;
        return;
    }
    if (now_ms - group->delete_accepted_ms > DELETE_AGAIN_MS) {
        group->delete_accepted_ms = 0; /* the cloud forgot about it: ask again */
        group->failures = 0;
        return;
    }
    group_back_off(brain, group, GONE_POLL_MS / 2, GONE_POLL_CAP_MS, now_ms);
}

static void group_is_proven(struct brain *brain, struct group *group, msec started_ms, msec now_ms)
{
    group->proof_began_ms = started_ms;
    group->proof_came_ms = now_ms;
    twins_touch(brain, group);
}

/* Details of twenty groups may be larger than any buffer (they quote config files), and the id in
 * somebody's note may be one for which the cloud refuses the others with it: ask for fewer at a
 * time, down to one, and for one more after each success. */
static void fit_batch(struct brain *brain, enum err err)
{
    if (err == ERR_TOO_BIG || err == ERR_FULL || err_fate(err) == FATE_NEVER) {
        brain->detail_batch = brain->detail_batch > 1 ? brain->detail_batch / 2 : 1;
    } else if (err == ERR_OK && brain->detail_batch < READ_BATCH_MAX) {
        brain->detail_batch++;
    }
}

/* Even alone its details are too big: they stay unknown. It must not hold up all others. */
static bool is_hopeless(const struct brain *brain, const struct effect *effect, enum err err)
{
    return effect->kind == EFFECT_READ_DETAIL && effect->groups_count == 1 &&
           brain->detail_batch == 1 && (err == ERR_TOO_BIG || err == ERR_FULL);
}

/* Its tags were never seen: it counts as nobody's. A note on a pod is not enough to do anything to
 * it. One that is known to be ours goes on without what only its details tell; that there are so
 * many of them shows that it is there. */
static void give_up_on(struct brain *brain, struct group *group, msec started_ms, msec now_ms)
{
    bool is_alone = !group->has_tags || group->is_noted;
    if (!group->is_unreadable && !brain->only_looks) { /* who acts tells of it */
        brain_tell(brain, NULL, true, "GroupUnreadable",
                   "the details of container group %s are larger than this node can read; %s",
                   group->id,
                   is_alone ? "it is left alone, remove it by hand if no pod needs it"
                            : "its init containers and its instance are not shown");
    }
    group->is_unreadable = true;
    if (!group->has_tags) {
        const struct tag_facts nobody = {.is_ours = false};
        brain_tags_seen(brain, group, &nobody, now_ms);
        return;
    }
    if (group->must_date) {
        group_is_dated(brain, group, 0, now_ms);
    }
    group_is_proven(brain, group, started_ms, now_ms);
    group_was_read(brain, group, true, started_ms, now_ms);
}

void brain_read_done(struct brain *brain, const struct effect *effect, enum err err,
                     const bool *was_found, msec now_ms)
{
    CHECK(effect->kind == EFFECT_READ || effect->kind == EFFECT_READ_DETAIL);
    CHECK(brain->in_flight[effect->kind] > 0);
    brain->in_flight[effect->kind]--;
    budget_slow(brain, effect->kind, err, now_ms);
    if (effect->kind == EFFECT_READ_DETAIL) {
        fit_batch(brain, err);
    }
    for (uint32_t i = 0; i < effect->groups_count; i++) {
        struct group *group = brain_group(brain, effect->groups[i]);
        if (group == NULL) {
            continue;
        }
        group_idle(brain, group, effect->kind);
        if (is_hopeless(brain, effect, err)) {
            give_up_on(brain, group, effect->started_ms, now_ms);
            continue;
        }
        if (err != ERR_OK) {
            msec cap_ms = brain->only_looks ? RETRY_CAP_MS : GONE_POLL_CAP_MS;
            group_back_off(brain, group, RETRY_BASE_MS, cap_ms, now_ms);
            continue;
        }
        if (brain->only_looks) {
            standby_group_read(brain, group, was_found[i], now_ms);
            continue;
        }
        struct pod *pod = pod_of_group(brain, group);
        if (pod != NULL && effect->kind == EFFECT_READ_DETAIL) {
            pod->init_read_at_ms = now_ms + INIT_POLL_MS;
        }
        if (MUTANT(38) && !was_found[i]) {
            group->is_noted = false;
        }
        if (effect->kind == EFFECT_READ_DETAIL && was_found[i]) {
            group_is_proven(brain, group, effect->started_ms, now_ms);
        }
        group_was_read(brain, group, was_found[i], effect->started_ms, now_ms);
    }
    sweep_digest(brain, now_ms); /* a group without tags may just have left */
}

/* ---- does the cloud answer at all ------------------------------------------------------------ */

/* Errors that say something about the way to the cloud or about our standing there; everything else
 * is an answer to one request. */
static bool is_about_the_cloud(enum err err)
{
    switch (err) {
    case ERR_TIMEOUT:
    case ERR_REFUSED_CONN:
    case ERR_UNREACHABLE:
    case ERR_RESOLVE:
    case ERR_CLOSED:
    case ERR_LOST_WRITE:
    case ERR_TLS:
    case ERR_TLS_TRUST:
    case ERR_SERVER:
    case ERR_AUTH:
    case ERR_CLOCK:
    case ERR_BAD_REPLY:
        return true;
    default:
        return false;
    }
}

static void touch_all_pods(struct brain *brain)
{
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        pod_touch(brain, brain_pod(brain, h));
    }
}

static void cloud_is_back(struct brain *brain, msec now_ms)
{
    struct cloud_state *cloud = &brain->cloud;
    cloud->is_reachable = true;
    cloud->changed_at_ms = now_ms;
    cloud->message[0] = '\0';
    brain_tell(brain, NULL, false, "ECIReachable", "the ECI API answers again");
    trace_add(&brain->trace, now_ms, "cloud back", 0, 0);
    brain->sweep_at_ms = now_ms; /* whatever happened meanwhile */
    touch_all_pods(brain);
}

static void cloud_is_away(struct brain *brain, msec now_ms)
{
    struct cloud_state *cloud = &brain->cloud;
    cloud->is_reachable = false;
    cloud->changed_at_ms = now_ms;
    cloud->away_ms = now_ms;
    brain_tell(brain, NULL, true, "ECIUnreachable",
               "the ECI API does not answer (%s); running pods are untouched, new ones wait",
               cloud->message);
    trace_add(&brain->trace, now_ms, "cloud away", (uint32_t)cloud->err, cloud->failures);
    touch_all_pods(brain);
}

void brain_cloud_answered(struct brain *brain, enum err err, str why, msec now_ms)
{
    struct cloud_state *cloud = &brain->cloud;
    if (brain->only_looks) { /* no polls that would find out that it is back */
        return;
    }
    if (!is_about_the_cloud(err)) {
        cloud->failures = 0;
        cloud->failed_since_ms = 0;
        if (!cloud->is_reachable) {
            cloud_is_back(brain, now_ms);
        }
        return;
    }
    if (cloud->failures++ == 0) {
        cloud->failed_since_ms = now_ms;
    }
    cloud->err = err;
    (void)str_copy(cloud->message, sizeof cloud->message,
                   str_is_empty(why) ? str_of(err_text(err)) : why);
    cloud->retry_at_ms =
        now_ms + backoff_ms(cloud->failures, RETRY_BASE_MS, PROBE_CAP_MS, &brain->prng);
    bool is_away = err == ERR_AUTH || err == ERR_TLS_TRUST || cloud->failures >= REACH_FAILURES ||
                   now_ms - cloud->failed_since_ms >= REACH_FAILING_MS;
    if (is_away && cloud->is_reachable) {
        cloud_is_away(brain, now_ms);
    }
}
