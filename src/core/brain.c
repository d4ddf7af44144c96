/*
 * brain.c - the brain's objects: slots, indexes, queues, and the facts from the API server.
 * See brain.h for the whole picture; the rules are in pod_rules.c and group_rules.c.
 */
#include "core/brain_in.h"

void brain_init(struct brain *brain, const struct brain_config *config, struct region *region,
                msec now_ms)
{
    CHECK(config->groups_max >= config->pods_max && config->pods_max > 0);
    brain->config = *config;
    uint32_t pods_max = config->pods_max + CLAIM_SLOTS;
    pool_init(&brain->pods, region, "pods", pods_max, sizeof(struct pod));
    pool_init(&brain->groups, region, "container groups", config->groups_max, sizeof(struct group));
    index_init(&brain->pod_by_uid, region, "index: pod by UID", pods_max);
    index_init(&brain->group_by_id, region, "index: group by id", config->groups_max);
    index_init(&brain->group_by_uid, region, "index: group by UID", config->groups_max);
    due_init(&brain->pod_due, region, "timers of pods", pods_max);
    due_init(&brain->group_due, region, "timers of groups", config->groups_max);
    list_init(&brain->dirty_pods);
    list_init(&brain->dirty_groups);
    for (int kind = 0; kind < EFFECT_KIND_COUNT; kind++) {
        list_init(&brain->waiting[kind]);
    }
    bucket_init(&brain->create_bucket, config->create_per_minute, config->create_per_minute / 4 + 1,
                now_ms);
    bucket_init(&brain->delete_bucket, config->delete_per_minute, config->delete_per_minute / 4 + 1,
                now_ms);
    bucket_init(&brain->describe_bucket, config->describe_per_minute,
                config->describe_per_minute / 2 + 1, now_ms);
    bucket_init(&brain->status_bucket, config->status_per_minute, config->status_per_minute / 2 + 1,
                now_ms);
    prng_seed(&brain->prng, config->seed);
    brain->started_ms = now_ms;
    brain->detail_batch = READ_BATCH_MAX;
    brain->cloud.is_reachable = true;
    brain->cloud.changed_at_ms = now_ms;
}

/* ---- looking --------------------------------------------------------------------------------- */

struct pod *brain_pod(const struct brain *brain, handle h)
{
    return pool_at(&brain->pods, h);
}

struct group *brain_group(const struct brain *brain, handle h)
{
    return pool_at(&brain->groups, h);
}

handle pod_handle(const struct brain *brain, const struct pod *pod)
{
    return pool_handle_of(&brain->pods, pod);
}

handle group_handle(const struct brain *brain, const struct group *group)
{
    return pool_handle_of(&brain->groups, group);
}

struct pod *pod_of_group(const struct brain *brain, const struct group *group)
{
    return brain_pod(brain, group->pod);
}

struct group *group_of_pod(const struct brain *brain, const struct pod *pod)
{
    return brain_group(brain, pod->group);
}

struct pod *brain_find_pod(const struct brain *brain, str uid)
{
    uint32_t at = INDEX_START;
    handle h;
    while (index_find(&brain->pod_by_uid, str_hash(uid), &at, &h)) {
        struct pod *pod = brain_pod(brain, h);
        CHECK(pod != NULL);
        if (str_eq(str_of(pod->uid), uid)) { /* the index knows hashes only */
            return pod;
        }
    }
    return NULL;
}

struct group *brain_find_group(const struct brain *brain, str id)
{
    uint32_t at = INDEX_START;
    handle h;
    while (index_find(&brain->group_by_id, str_hash(id), &at, &h)) {
        struct group *group = brain_group(brain, h);
        CHECK(group != NULL);
        if (str_eq(str_of(group->id), id)) {
            return group;
        }
    }
    return NULL;
}

/* ---- slots ----------------------------------------------------------------------------------- */

struct pod *pod_new(struct brain *brain, str uid, uint32_t pods_max, msec now_ms)
{
    handle h;
    if (brain->pods.count >= pods_max || pool_take(&brain->pods, &h) != ERR_OK) {
        brain->counters.refused_pods++;
        brain->pods_were_refused = true;
        return NULL;
    }
    struct pod *pod = brain_pod(brain, h);
    CHECK(str_copy(pod->uid, sizeof pod->uid, uid));
    pod->seen_at_ms = now_ms;
    pod->phase = POD_PHASE_PENDING;
    pod->attempt = 1;
    enum err err = index_add(&brain->pod_by_uid, str_hash(uid), h);
    CHECK(err == ERR_OK); /* as large as the pool */
    return pod;
}

struct group *group_new(struct brain *brain, str id, msec now_ms)
{
    handle h;
    if (pool_take(&brain->groups, &h) != ERR_OK) {
        brain->counters.refused_groups++;
        return NULL;
    }
    struct group *group = brain_group(brain, h);
    CHECK(str_copy(group->id, sizeof group->id, id));
    group->known_since_ms = now_ms;
    enum err err = index_add(&brain->group_by_id, str_hash(id), h);
    CHECK(err == ERR_OK);
    return group;
}

/* Out of whichever list it waits in. */
static void unqueue(struct brain *brain, struct list *dirty, struct list_node *node,
                    enum effect_kind *queued)
{
    if (list_has(node)) {
        list_remove(*queued != EFFECT_NONE ? &brain->waiting[*queued] : dirty, node);
    }
    *queued = EFFECT_NONE;
}

void pod_forget(struct brain *brain, struct pod *pod)
{
    handle h = pod_handle(brain, pod);
    struct group *group = group_of_pod(brain, pod);
    if (group != NULL) {
        group->pod = HANDLE_NONE;
    }
    unqueue(brain, &brain->dirty_pods, &pod->queue_node, &pod->queued);
    due_clear(&brain->pod_due, &pod->due);
    if (pod->busy != EFFECT_NONE) {
        CHECK(brain->in_flight[pod->busy] > 0);
        brain->in_flight[pod->busy]--;
    }
    pod_set_waiter(brain, pod, false);
    bool was_there = index_remove(&brain->pod_by_uid, str_hash(str_of(pod->uid)), h);
    CHECK(was_there);
    pool_give(&brain->pods, h);
    brain->brake_is_stale = true;
}

void group_forget(struct brain *brain, struct group *group)
{
    handle h = group_handle(brain, group);
    unlink_group(brain, group);
    unqueue(brain, &brain->dirty_groups, &group->queue_node, &group->queued);
    due_clear(&brain->group_due, &group->due);
    if (group->busy == EFFECT_DELETE) { /* batched reads are counted per call, see plan.c */
        CHECK(brain->in_flight[group->busy] > 0);
        brain->in_flight[group->busy]--;
    }
    if (!group->has_tags) {
        CHECK(brain->untagged > 0);
        brain->untagged--;
    }
    bool was_there = index_remove(&brain->group_by_id, str_hash(str_of(group->id)), h);
    CHECK(was_there);
    if (group->uid[0] != '\0') {
        was_there = index_remove(&brain->group_by_uid, str_hash(str_of(group->uid)), h);
        CHECK(was_there);
    }
    pool_give(&brain->groups, h);
    brain->brake_is_stale = true;
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void pod_mark(struct brain *brain, struct pod *pod)
{
    if (!list_has(&pod->queue_node)) {
        list_push_back(&brain->dirty_pods, &pod->queue_node);
    } else if (pod->queued != EFFECT_NONE) { /* it waits for a budget; do the rules still agree? */
        unqueue(brain, &brain->dirty_pods, &pod->queue_node, &pod->queued);
        list_push_back(&brain->dirty_pods, &pod->queue_node);
    }
}

static void group_mark(struct brain *brain, struct group *group)
{
    if (!list_has(&group->queue_node)) {
        list_push_back(&brain->dirty_groups, &group->queue_node);
    } else if (group->queued != EFFECT_NONE) {
        unqueue(brain, &brain->dirty_groups, &group->queue_node, &group->queued);
        list_push_back(&brain->dirty_groups, &group->queue_node);
    }
}

void pod_touch(struct brain *brain, struct pod *pod)
{
    pod_mark(brain, pod);
    struct group *group = group_of_pod(brain, pod);
    if (group != NULL) {
        group_mark(brain, group);
    }
}

void group_touch(struct brain *brain, struct group *group)
{
    group_mark(brain, group);
    struct pod *pod = pod_of_group(brain, group);
    if (pod != NULL) {
        pod_mark(brain, pod);
        struct group *twin = group->is_extra ? group_of_pod(brain, pod) : NULL;
        if (twin != NULL) { /* it may have to be proven for this one to go */
            group_mark(brain, twin);
        }
    }
}

void pod_retry_at(struct brain *brain, struct pod *pod, msec at_ms)
{
    pod->retry_at_ms = at_ms;
    pod_touch(brain, pod);
}

void group_retry_at(struct brain *brain, struct group *group, msec at_ms)
{
    group->retry_at_ms = at_ms;
    group_touch(brain, group);
}

void pod_back_off(struct brain *brain, struct pod *pod, msec cap_ms, msec now_ms)
{
    pod->failures++;
    pod_retry_at(brain, pod,
                 now_ms + backoff_ms(pod->failures, RETRY_BASE_MS, cap_ms, &brain->prng));
}

void group_back_off(struct brain *brain, struct group *group, msec base_ms, msec cap_ms,
                    msec now_ms)
{
    group->failures++;
    group_retry_at(brain, group,
                   now_ms + backoff_ms(group->failures, base_ms, cap_ms, &brain->prng));
}

void pod_set_waiter(struct brain *brain, struct pod *pod, bool is_waiter)
{
    if (pod->is_waiter != is_waiter) {
        CHECK(is_waiter || brain->waiters > 0);
        brain->waiters += is_waiter ? 1 : (uint32_t)-1;
        pod->is_waiter = is_waiter;
    }
}

void pod_idle(struct brain *brain, struct pod *pod, enum effect_kind kind)
{
    if (pod->busy == kind) {
        CHECK(brain->in_flight[kind] > 0);
        brain->in_flight[kind]--;
        pod->busy = EFFECT_NONE;
        pod_touch(brain, pod);
    }
}

void group_idle(struct brain *brain, struct group *group, enum effect_kind kind)
{
    if (group->busy == kind) {
        if (kind == EFFECT_DELETE) {
            CHECK(brain->in_flight[kind] > 0);
            brain->in_flight[kind]--;
        }
        group->busy = EFFECT_NONE;
        group_touch(brain, group);
    }
}

/* ---- facts from the API server --------------------------------------------------------------- */

static bool news_fit(const struct pod_news *news)
{
    return name_fits(news->uid, POD_UID_BYTES) && name_fits(news->name, POD_NAME_BYTES) &&
           name_fits(news->name_space, POD_NAMESPACE_BYTES);
}

/* Seen for the first time as an object. It may have been claimed by a group before. */
static void pod_introduce(struct brain *brain, struct pod *pod, const struct pod_news *news,
                          msec now_ms)
{
    CHECK(str_copy(pod->name_space, sizeof pod->name_space, news->name_space));
    CHECK(str_copy(pod->name, sizeof pod->name, news->name));
    pod->was_seen = true;
    pod->request_milli = news->request_milli;
    if (news->past != NULL) {
        pod->past = *news->past;
    }
    pod->phase = news->phase;
    pod->is_described = news->is_described;
    link_pod(brain, pod, now_ms);
    believe_note(brain, pod, news, now_ms);
    /* A list may come from a server that is behind: what is seen soon after it may be older too. */
    bool is_early = !brain->polls_are_on || now_ms - brain->started_ms < brain->config.young_ms;
    pod->is_older = !brain->pods_are_listed || is_early;
    /* It ran before we started (or was adopted by nobody yet): its group must be somewhere. */
    if (pod->phase == POD_PHASE_RUNNING && handle_is_none(pod->group)) {
        pod_doubt(pod, now_ms);
    }
}

#define DAEMON_TEXT                                                                             \
    "pods of a DaemonSet do not run on a virtual node; add to the DaemonSet's template: "       \
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution with "                \
    "matchExpressions {key: type, operator: NotIn, values: [virtual-kubelet]}"

/* DaemonSet pods tolerate everything and so land here too; they make no sense on a virtual node. */
static void refuse_daemon(struct brain *brain, struct pod *pod)
{
    pod->is_refused = true;
    (void)pod_say(brain, pod, SAY_PENDING, "DaemonSetNotSupported", S(DAEMON_TEXT));
    brain_tell(brain, pod, true, "DaemonSetNotSupported", "%s", DAEMON_TEXT);
}

bool is_well_read(const struct brain *brain)
{
    return brain->swept_ms >= brain->started_ms + brain->config.young_ms;
}

/* Its deletion is news. A group may not be listed yet: of a create that was in doubt lately
 * (settled for creating again, which has its token, not for going), or of the process before us. */
static void leaving_seen(struct brain *brain, struct pod *pod, msec now_ms)
{
    bool was_in_doubt =
        pod->unknown_ms != 0 && (brain->swept_ms < pod->unknown_ms + brain->config.young_ms ||
                                 !late_sweeps_are_enough(brain, pod));
    bool is_early = pod->is_older && !is_well_read(brain) && !pod->is_refused;
    bool may_have_one = (is_early || was_in_doubt) && handle_is_none(pod->group);
    if (!MUTANT(24) && !pod->is_leaving && may_have_one && pod->doubt_ms == 0 &&
        pod->phase < POD_PHASE_RUNNING) {
        uint32_t late_sweeps = was_in_doubt ? pod->late_sweeps : 0;
        pod_doubt(pod, was_in_doubt ? pod->unknown_ms : now_ms);
        pod->late_sweeps = late_sweeps;
        sweep_soon(brain, now_ms);
    }
    if (!pod->is_leaving && pod->busy == EFFECT_NONE) { /* it backed off from something else */
        pod->retry_at_ms = 0;
        pod->failures = 0;
    }
    pod->is_leaving = true;
}

/* Status writes carry no version (wire_cluster.c), so an older one of another gateway, or of ours
 * that was long on its way, may come last and stand over an end. Or this is an older event: a fresh
 * read comes before the write. */
static void end_is_hidden(struct pod *pod)
{
    if (pod->say == SAY_NOTHING || pod->say == SAY_PENDING) {
        bool is_good = pod->phase == POD_PHASE_SUCCEEDED;
        pod->say = is_good ? SAY_SUCCEEDED : SAY_FAILED;
        pod->say_reason = is_good ? "Completed" : "Failed";
        (void)str_copy(pod->message, sizeof pod->message,
                       S("the container group ended; its details are no longer kept"));
    }
    pod->was_hidden_again = pod->busy == EFFECT_SAY;
    pod->must_repeat = true;
}

static void phase_seen(struct pod *pod, enum pod_phase phase, msec now_ms)
{
    if (pod_phase_is_terminal(pod->phase) && !pod_phase_is_terminal(phase) && !MUTANT(34)) {
        end_is_hidden(pod);
    }
    if (phase <= pod->phase &&
        !MUTANT(29)) { /* an older version may come late; a phase never goes back */
        return;
    }
    pod->phase = phase;
    if (phase == POD_PHASE_RUNNING && handle_is_none(pod->group) && pod->doubt_ms == 0) {
        pod_doubt(pod, now_ms); /* not our doing: its group must be somewhere */
    }
}

/* Of the groups that we knew. (The next one may have a higher number without a group.) */
static uint32_t newest_attempt(const struct brain *brain, const struct pod *pod)
{
    const struct group *group = group_of_pod(brain, pod);
    uint32_t without = pod->lost_attempt > 0 ? pod->lost_attempt : pod->attempt;
    return group != NULL ? group->attempt : without;
}

/* Another gateway went on without us; or the process before us had shown more than we knew. */
static bool note_is_news(const struct brain *brain, const struct pod *pod,
                         const struct pod_news *news)
{
    bool runs_unknown = news->phase == POD_PHASE_RUNNING && pod->phase < POD_PHASE_RUNNING &&
                        news->instance_attempt >= pod->attempt;
    return news->instance_attempt > newest_attempt(brain, pod) ||
           (handle_is_none(pod->group) && (runs_unknown || brain->only_looks));
}

static void object_is_there(struct brain *brain, struct pod *pod)
{
    if (pod->object != OBJECT_SEEN) {
        brain->brake_is_stale = true;
        pod->object = OBJECT_SEEN;
    }
}

enum err brain_pod_seen(struct brain *brain, const struct pod_news *news, msec now_ms, handle *out)
{
    if (!news_fit(news)) {
        return ERR_TOO_BIG;
    }
    struct pod *pod = brain_find_pod(brain, news->uid);
    if (pod == NULL) {
        pod = pod_new(brain, news->uid, brain->config.pods_max, now_ms);
        if (pod == NULL) {
            return ERR_FULL;
        }
    }
    pod->list_epoch = brain->list_epoch;
    if (pod->object == OBJECT_GONE) { /* proof is stronger than a late event */
        return ERR_OK;
    }
    pod->is_aside = false;
    if (!pod->was_seen) {
        pod_introduce(brain, pod, news, now_ms);
    }
    object_is_there(brain, pod);
    if (brain->only_looks) {
        standby_pod_seen(brain, pod, news, now_ms);
    }
    if (note_is_news(brain, pod, news)) {
        believe_note(brain, pod, news, now_ms);
    }
    phase_seen(pod, news->phase, now_ms);
    pod->is_forced = pod->is_forced || news->is_forced;
    pod->is_daemon = news->is_daemon;
    pod->is_controlled = news->is_controlled;
    pod->is_never_restarted = news->is_never_restarted;
    pod->has_init = news->has_init;
    if (pod->is_daemon && !pod->is_refused) {
        refuse_daemon(brain, pod);
    }
    if (news->is_leaving) {
        leaving_seen(brain, pod, now_ms);
    }
    trace_add(&brain->trace, now_ms, "pod seen", pod_handle(brain, pod).slot,
              (uint32_t)pod->phase | (pod->is_leaving ? 16u : 0u));
    pod_touch(brain, pod);
    if (out != NULL) {
        *out = pod_handle(brain, pod);
    }
    return ERR_OK;
}

enum err brain_pod_aside(struct brain *brain, const struct pod_news *news, const char *message,
                         msec now_ms)
{
    if (!news_fit(news)) {
        return ERR_TOO_BIG;
    }
    struct pod *pod = brain_find_pod(brain, news->uid);
    if (pod == NULL) {
        pod = pod_new(brain, news->uid, brain->config.pods_max, now_ms);
        if (pod == NULL) {
            return ERR_FULL;
        }
        CHECK(str_copy(pod->name_space, sizeof pod->name_space, news->name_space));
        CHECK(str_copy(pod->name, sizeof pod->name, news->name));
        pod->is_older = true; /* it killed an earlier life */
        link_pod(brain, pod, now_ms);
    }
    pod->list_epoch = brain->list_epoch;
    if (pod->object == OBJECT_GONE) {
        return ERR_OK;
    }
    object_is_there(brain, pod);
    phase_seen(pod, news->phase, now_ms);
    if (news->is_leaving) {
        leaving_seen(brain, pod, now_ms);
    }
    if (!pod->is_aside) {
        pod->is_aside = true;
        brain_tell(brain, pod, true, "PodQuarantined", "%s", message);
    }
    pod_touch(brain, pod);
    return ERR_OK;
}

static void pod_is_missing(struct brain *brain, struct pod *pod)
{
    if (pod->object == OBJECT_SEEN) {
        pod->object = MUTANT(3) ? OBJECT_GONE : OBJECT_MISSING;
        pod->retry_at_ms = 0;
        pod->failures = 0;
        brain->brake_is_stale = true;
        pod_touch(brain, pod);
    }
}

void brain_pod_deleted(struct brain *brain, str uid, msec now_ms)
{
    struct pod *pod = brain_find_pod(brain, uid);
    if (pod != NULL) {
        trace_add(&brain->trace, now_ms, "pod deleted", pod_handle(brain, pod).slot, 0);
        pod->saw_deletion = true;
        pod_is_missing(brain, pod);
        pod_touch(brain, pod); /* one that is gone may be forgotten now */
    }
}

void brain_list_begin(struct brain *brain, msec now_ms)
{
    trace_add(&brain->trace, now_ms, "list begins", brain->list_epoch + 1, 0);
    brain->list_epoch++;
    brain->is_listing = true;
    brain->pods_were_refused = false;
    brain->relist_at_ms = now_ms + RELIST_MS;
    brain->counters.relists++;
}

void brain_status_overwritten(struct brain *brain, str uid)
{
    struct pod *pod = brain_find_pod(brain, uid);
    if (pod != NULL && pod->busy == EFFECT_NONE && pod->phase == POD_PHASE_RUNNING) {
        pod->past.hash = 0;
        pod->reported_row = 0;
        pod_touch(brain, pod);
    }
}

void brain_pod_unreadable(struct brain *brain, str uid)
{
    struct pod *pod = brain_find_pod(brain, uid);
    if (pod != NULL) {
        pod->list_epoch = brain->list_epoch;
    }
}

void brain_list_end(struct brain *brain, bool is_conclusive, msec now_ms)
{
    CHECK(brain->is_listing);
    brain->is_listing = false;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        struct pod *pod = brain_pod(brain, h);
        if (is_conclusive && pod->list_epoch != brain->list_epoch) {
            pod_is_missing(brain, pod);
        }
        pod_touch(brain, pod);
    }
    trace_add(&brain->trace, now_ms, "list ends", brain->pods.count, 0);
    brain->pods_are_listed = true;
    claim_orphans(brain, now_ms);
}
