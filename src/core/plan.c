/*
 * plan.c - in which order and how fast effects go out.
 *
 * Dirty objects are put before the rules; what they want waits in one queue per kind of effect,
 * first come first served, until its budget allows it. Budgets are per kind (token buckets for the
 * cloud's documented rates, numbers in flight for connections), so deletes and reads never wait
 * behind creates. Before an effect goes out the rules are asked once more: facts may have changed
 * since.
 */
#include "core/brain_in.h"

static const struct effect_row {
    const char *name;
    bool is_cloud; /* held back while the cloud does not answer */
    bool is_kube;
    uint8_t cloud_share; /* quarters of cloud_calls_max this kind may fill */
    uint8_t kube_share;  /* quarters of kube_calls_max */
} rows[EFFECT_KIND_COUNT] = {
    [EFFECT_NONE] = {"none", false, false, 0, 0},
    [EFFECT_DELETE] = {"delete", true, false, 4, 0},
    [EFFECT_FINISH] = {"finish", false, true, 0, 4},
    [EFFECT_PROVE] = {"prove", false, true, 0, 4},
    [EFFECT_READ] = {"read", true, false, 4, 0},
    [EFFECT_READ_DETAIL] = {"read-detail", true, false, 4, 0},
    [EFFECT_PATCH] = {"patch", false, true, 0, 4},
    [EFFECT_SAY] = {"say", false, true, 0, 3},
    [EFFECT_CREATE] = {"create", true, true, 3, 3},
    [EFFECT_DELTA] = {"delta", true, false, 4, 0},
    [EFFECT_SWEEP] = {"sweep", true, false, 4, 0},
    [EFFECT_RELIST] = {"relist", false, false, 0, 0},
};

const char *effect_name(enum effect_kind kind)
{
    return kind < EFFECT_KIND_COUNT ? rows[kind].name : "?";
}

/* Most urgent first: what frees money and slots, then what is seen, then what is new. */
static const enum effect_kind urgency[] = {EFFECT_FINISH, EFFECT_DELETE,      EFFECT_PROVE,
                                           EFFECT_READ,   EFFECT_READ_DETAIL, EFFECT_SAY,
                                           EFFECT_CREATE};

/* ---- rules over dirty objects ---------------------------------------------------------------- */

static void tell_rule(struct brain *brain, struct pod *pod, uint8_t rule, msec now_ms)
{
    const char *reason = rule != pod->rule ? pod_rule_tells(rule) : NULL;
    if (rule != pod->rule) {
        pod->rule = rule;
        pod->held_ms = now_ms;
    }
    if (reason != NULL && !MUTANT(25)) {
        char message[POD_MESSAGE_BYTES];
        (void)snprintf(message, sizeof message, "%s: %.150s", brain_pod_why(pod),
                       brain->cloud.message);
        if (pod_say(brain, pod, SAY_PENDING, reason, str_of(message))) {
            brain_tell(brain, pod, true, reason, "%s", message);
        }
    }
}

/* A pod that only waits says for what when it lasts, once. The status is ours to write only as long
 * as it has no group, and never goes back. */
static void tell_long_wait(struct brain *brain, struct pod *pod, msec now_ms)
{
    if (!pod_rule_waits(pod->rule) || MUTANT(33)) {
        return;
    }
    if (now_ms < pod->held_ms + HELD_TOLD_MS) {
        due_set(&brain->pod_due, &pod->due, pod->held_ms + HELD_TOLD_MS);
        return;
    }
    const char *why = brain_pod_why(pod);
    bool is_ours =
        !pod->is_leaving && pod->phase < POD_PHASE_RUNNING && group_of_pod(brain, pod) == NULL;
    bool is_news = is_ours ? pod_say(brain, pod, SAY_PENDING, "Waiting", str_of(why))
                           : pod->wait_told != pod->rule + 1;
    pod->wait_told = (uint8_t)(pod->rule + 1);
    if (is_news) {
        brain_tell(brain, pod, false, "Waiting", "%s", why);
    }
}

static void wake_pod_later(struct brain *brain, struct pod *pod, msec now_ms)
{
    if (pod->retry_at_ms > now_ms) {
        due_set(&brain->pod_due, &pod->due, pod->retry_at_ms);
    }
}

static void judge_pod(struct brain *brain, struct pod *pod, msec now_ms)
{
    if (brain->only_looks) {
        if (pod->object != OBJECT_SEEN) {
            standby_forget(brain, pod, now_ms);
        }
        return;
    }
    uint8_t rule;
    enum effect_kind kind = pod_decide(brain, pod, now_ms, &rule);
    tell_rule(brain, pod, rule, now_ms);
    if (kind != EFFECT_NONE) {
        pod->queued = kind;
        list_push_back(&brain->waiting[kind], &pod->queue_node);
        return;
    }
    wake_pod_later(brain, pod, now_ms);
    tell_long_wait(brain, pod, now_ms);
    bool is_empty = pod->object == OBJECT_GONE && pod->busy == EFFECT_NONE && pod->doubt_ms == 0 &&
                    handle_is_none(pod->group);
    bool lingers = pod->was_seen && !pod->saw_deletion && now_ms - pod->gone_at_ms < LINGER_MS;
    if (is_empty && lingers) {
        due_set(&brain->pod_due, &pod->due, pod->gone_at_ms + LINGER_MS);
    } else if (is_empty) {
        pod_forget(brain, pod);
    }
}

static void judge_group(struct brain *brain, struct group *group, msec now_ms)
{
    if (brain->only_looks && !standby_wants(brain, group)) {
        return;
    }
    enum effect_kind kind = group_decide(brain, group, now_ms, &group->rule);
    if (kind != EFFECT_NONE) {
        group->queued = kind;
        list_push_back(&brain->waiting[kind], &group->queue_node);
        return;
    }
    const struct pod *pod = pod_of_group(brain, group);
    msec init_ms = pod != NULL && pod_wants_detail(pod) ? pod->init_read_at_ms : 0;
    msec wake_ms = group->retry_at_ms > now_ms ? group->retry_at_ms : init_ms;
    if (wake_ms > now_ms) {
        due_set(&brain->group_due, &group->due, wake_ms);
    }
}

static void judge_all(struct brain *brain, msec now_ms)
{
    struct due_item *item;
    while ((item = due_pop(&brain->pod_due, now_ms)) != NULL) {
        pod_touch(brain, LIST_OWNER(item, struct pod, due));
    }
    while ((item = due_pop(&brain->group_due, now_ms)) != NULL) {
        group_touch(brain, LIST_OWNER(item, struct group, due));
    }
    brake_refresh(brain, now_ms);
    struct list_node *node;
    while ((node = list_pop_front(&brain->dirty_pods)) != NULL) {
        judge_pod(brain, LIST_OWNER(node, struct pod, queue_node), now_ms);
    }
    while ((node = list_pop_front(&brain->dirty_groups)) != NULL) {
        judge_group(brain, LIST_OWNER(node, struct group, queue_node), now_ms);
    }
}

/* ---- budgets --------------------------------------------------------------------------------- */

static struct bucket *bucket_of(struct brain *brain, enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_CREATE:
        return &brain->create_bucket;
    case EFFECT_DELETE:
        return &brain->delete_bucket;
    case EFFECT_READ_DETAIL:
        return &brain->describe_bucket;
    case EFFECT_READ:
    case EFFECT_DELTA:
    case EFFECT_SWEEP:
        return &brain->status_bucket;
    default:
        return NULL;
    }
}

void budget_slow(struct brain *brain, enum effect_kind kind, enum err err, msec now_ms)
{
    struct bucket *bucket = bucket_of(brain, kind);
    CHECK(bucket != NULL); /* only calls of the cloud are throttled */
    if (err_fate(err) == FATE_SLOW) {
        bucket_slow(bucket, now_ms);
    }
}

void brain_page_asked(struct brain *brain, msec now_ms)
{
    (void)bucket_take(&brain->status_bucket, now_ms, 0); /* a poll under way is not cut */
}

static bool has_slots(const struct brain *brain, enum effect_kind kind)
{
    uint32_t cloud = 0, kube = 0;
    for (int k = 0; k < EFFECT_KIND_COUNT; k++) {
        cloud += rows[k].is_cloud ? brain->in_flight[k] : 0;
        kube += rows[k].is_kube ? brain->in_flight[k] : 0;
    }
    const struct effect_row *row = &rows[kind];
    uint32_t cloud_max = brain->config.cloud_calls_max * row->cloud_share / 4;
    uint32_t kube_max = brain->config.kube_calls_max * row->kube_share / 4;
    return (!row->is_cloud || cloud < cloud_max) && (!row->is_kube || kube < kube_max);
}

static bool may_go(struct brain *brain, enum effect_kind kind, msec now_ms)
{
    if (rows[kind].is_cloud && !brain->cloud.is_reachable) {
        return false;
    }
    struct bucket *bucket = bucket_of(brain, kind);
    return has_slots(brain, kind) && (bucket == NULL || bucket_wait_ms(bucket, now_ms, 0) == 0);
}

static void pay(struct brain *brain, enum effect_kind kind, msec now_ms)
{
    struct bucket *bucket = bucket_of(brain, kind);
    if (bucket != NULL) {
        (void)bucket_take(bucket, now_ms, 0); /* may_go() has looked; a probe may overdraw */
    }
    brain->in_flight[kind]++;
    brain->counters.effects[kind]++;
}

/* ---- polls ----------------------------------------------------------------------------------- */

static uint32_t count_in_transition(const struct brain *brain)
{
    uint32_t count = 0;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        const struct group *group = group_of_pod(brain, pod);
        bool is_waiting = group == NULL || group->status != ECI_STATUS_RUNNING;
        bool is_quiet = pod->is_refused || pod_phase_is_terminal(pod->phase);
        count += pod->is_leaving || (is_waiting && !is_quiet) ? 1u : 0u;
    }
    return count;
}

/* The pause before the next delta depends on whether anything moves. */
static void pace_delta(struct brain *brain)
{
    if (!brain->delta_is_paced) {
        brain->in_transition = count_in_transition(brain);
        brain->delta_at_ms +=
            brain->in_transition > 0 ? brain->config.poll_fast_ms : brain->config.poll_slow_ms;
        brain->delta_is_paced = true;
    }
}

static bool poll_is_due(struct brain *brain, enum effect_kind kind, msec at_ms, msec now_ms)
{
    if (at_ms > now_ms || brain->in_flight[kind] > 0) {
        return false;
    }
    if (!brain->cloud.is_reachable) { /* one probe at a time */
        return brain->cloud.retry_at_ms <= now_ms && brain->in_flight[EFFECT_SWEEP] == 0 &&
               brain->in_flight[EFFECT_DELTA] == 0;
    }
    return bucket_wait_ms(&brain->status_bucket, now_ms, 0) == 0;
}

static bool next_poll(struct brain *brain, msec now_ms, struct effect *out)
{
    if (!brain->polls_are_on) {
        return false;
    }
    if (poll_is_due(brain, EFFECT_SWEEP, brain->sweep_at_ms, now_ms)) {
        out->kind = EFFECT_SWEEP;
        out->why = "a complete listing of our groups is due";
    } else if (brain->delta_since_ms != 0) {
        pace_delta(brain);
        if (poll_is_due(brain, EFFECT_DELTA, brain->delta_at_ms, now_ms)) {
            out->kind = EFFECT_DELTA;
            /* What changed since the newest reading began, and some more: clocks and lags differ.
             */
            out->since_s = (uint32_t)((now_ms - brain->delta_since_ms) / 1000 + 10);
            out->why = "changes since the last reading are due";
        }
    }
    if (out->kind == EFFECT_NONE) {
        return false;
    }
    if (!brain->cloud.is_reachable) {
        brain->cloud.retry_at_ms = now_ms + PROBE_CAP_MS;
    }
    pay(brain, out->kind, now_ms);
    return true;
}

/* ---- one effect ------------------------------------------------------------------------------ */

static bool next_pod_effect(struct brain *brain, enum effect_kind kind, msec now_ms,
                            struct effect *out)
{
    struct list_node *node = list_pop_front(&brain->waiting[kind]);
    struct pod *pod = LIST_OWNER(node, struct pod, queue_node);
    pod->queued = EFFECT_NONE;
    uint8_t rule;
    if (pod_decide(brain, pod, now_ms, &rule) != kind) {
        pod_touch(brain, pod);
        return false;
    }
    pod->rule = rule;
    pod->busy = kind;
    out->kind = kind;
    out->pod = pod_handle(brain, pod);
    out->why = brain_pod_why(pod);
    pay(brain, kind, now_ms);
    trace_add(&brain->trace, now_ms, rows[kind].name, out->pod.slot, pod->attempt);
    return true;
}

static bool delete_by_force(const struct brain *brain, const struct group *group)
{
    const struct pod *pod = pod_of_group(brain, group);
    return pod == NULL || pod->object != OBJECT_SEEN || pod->is_forced || group->is_extra;
}

/* One proof is good for one delete: the next one comes after another look. */
static void use_proof(struct brain *brain, const struct group *group)
{
    const struct pod *pod = pod_of_group(brain, group);
    struct group *twin = group->is_extra && pod != NULL ? group_of_pod(brain, pod) : NULL;
    if (twin != NULL) {
        twin->proof_began_ms = 0;
    }
}

static bool next_group_effect(struct brain *brain, enum effect_kind kind, msec now_ms,
                              struct effect *out)
{
    uint32_t batch_max = kind == EFFECT_DELETE        ? 1
                         : kind == EFFECT_READ_DETAIL ? brain->detail_batch
                                                      : READ_BATCH_MAX;
    while (out->groups_count < batch_max && list_front(&brain->waiting[kind]) != NULL) {
        struct list_node *node = list_pop_front(&brain->waiting[kind]);
        struct group *group = LIST_OWNER(node, struct group, queue_node);
        group->queued = EFFECT_NONE;
        if (group_decide(brain, group, now_ms, &group->rule) != kind) {
            group_touch(brain, group);
            continue;
        }
        group->busy = kind;
        if (kind == EFFECT_DELETE) {
            use_proof(brain, group);
        }
        out->why = brain_group_why(group);
        out->is_forced = kind == EFFECT_DELETE && delete_by_force(brain, group);
        out->groups[out->groups_count++] = group_handle(brain, group);
        trace_add(&brain->trace, now_ms, rows[kind].name, group_handle(brain, group).slot,
                  group->attempt);
    }
    if (out->groups_count == 0) {
        return false;
    }
    out->kind = kind;
    pay(brain, kind, now_ms);
    return true;
}

static bool is_group_kind(enum effect_kind kind)
{
    return kind == EFFECT_DELETE || kind == EFFECT_READ || kind == EFFECT_READ_DETAIL;
}

static bool next_object(struct brain *brain, msec now_ms, struct effect *out)
{
    for (size_t i = 0; i < sizeof urgency / sizeof urgency[0]; i++) {
        enum effect_kind kind = urgency[i];
        while (list_front(&brain->waiting[kind]) != NULL && may_go(brain, kind, now_ms)) {
            bool is_found = is_group_kind(kind) ? next_group_effect(brain, kind, now_ms, out)
                                                : next_pod_effect(brain, kind, now_ms, out);
            if (is_found) {
                return true;
            }
        }
    }
    return false;
}

static bool next_relist(struct brain *brain, msec now_ms, struct effect *out)
{
    if (MUTANT(21) || !brain->pods_were_refused || brain->is_listing ||
        now_ms < brain->relist_at_ms || brain->pods.count >= brain->config.pods_max) {
        return false;
    }
    brain->relist_at_ms = now_ms + RELIST_MS;
    brain->counters.effects[EFFECT_RELIST]++;
    out->kind = EFFECT_RELIST;
    out->why = "pods were turned away when the pool was full; there is room now";
    return true;
}

bool brain_next(struct brain *brain, msec now_ms, struct effect *out)
{
    *out = (struct effect){.kind = EFFECT_NONE, .started_ms = now_ms};
    capacity_turn(&brain->capacity, now_ms);
    judge_all(brain, now_ms);
    return next_relist(brain, now_ms, out) || next_poll(brain, now_ms, out) ||
           next_object(brain, now_ms, out);
}

void brain_undo(struct brain *brain, const struct effect *effect, msec now_ms)
{
    enum effect_kind kind = effect->kind;
    msec again_ms = now_ms + RETRY_SLOT_MS;
    if (is_group_kind(kind)) {
        for (uint32_t i = 0; i < effect->groups_count; i++) {
            struct group *group = brain_group(brain, effect->groups[i]);
            if (group != NULL && group->busy == kind) {
                group_idle(brain, group, kind);
                group_retry_at(brain, group, again_ms);
            }
        }
        if (kind != EFFECT_DELETE) { /* one call for the whole batch */
            CHECK(brain->in_flight[kind] > 0);
            brain->in_flight[kind]--;
        }
    } else if (kind == EFFECT_DELTA || kind == EFFECT_SWEEP) {
        brain->in_flight[kind]--;
        *(kind == EFFECT_DELTA ? &brain->delta_at_ms : &brain->sweep_at_ms) = again_ms;
    } else {
        struct pod *pod = brain_pod(brain, effect->pod);
        if (pod != NULL && pod->busy == kind) {
            pod_idle(brain, pod, kind);
            pod_retry_at(brain, pod, again_ms);
        }
    }
}

/* ---- when to look again ---------------------------------------------------------------------- */

static msec earlier(msec a, msec b)
{
    return a < b ? a : b;
}

static msec polls_wake_ms(struct brain *brain, msec now_ms)
{
    if (!brain->polls_are_on) {
        return INT64_MAX;
    }
    msec wake_ms = INT64_MAX;
    if (brain->in_flight[EFFECT_SWEEP] == 0) {
        wake_ms = earlier(wake_ms, brain->sweep_at_ms);
    }
    if (brain->in_flight[EFFECT_DELTA] == 0 && brain->delta_since_ms != 0) {
        wake_ms = earlier(wake_ms, brain->delta_at_ms);
    }
    bool is_probing = brain->in_flight[EFFECT_SWEEP] + brain->in_flight[EFFECT_DELTA] > 0;
    if (!brain->cloud.is_reachable) {
        wake_ms = is_probing
                      ? INT64_MAX
                      : (wake_ms > brain->cloud.retry_at_ms ? wake_ms : brain->cloud.retry_at_ms);
    }
    msec rate_ms = now_ms + bucket_wait_ms(&brain->status_bucket, now_ms, 0);
    return wake_ms > rate_ms || !brain->cloud.is_reachable ? wake_ms : rate_ms;
}

msec brain_wake_ms(struct brain *brain, msec now_ms)
{
    if (brain->dirty_pods.count + brain->dirty_groups.count > 0) {
        return now_ms;
    }
    msec wake_ms = earlier(due_next_ms(&brain->pod_due), due_next_ms(&brain->group_due));
    wake_ms = earlier(wake_ms, polls_wake_ms(brain, now_ms));
    wake_ms = earlier(wake_ms, capacity_wake_ms(&brain->capacity));
    if (brain->pods_were_refused && !brain->is_listing &&
        brain->pods.count < brain->config.pods_max) {
        wake_ms = earlier(wake_ms, brain->relist_at_ms);
    }
    for (size_t i = 0; i < sizeof urgency / sizeof urgency[0]; i++) {
        enum effect_kind kind = urgency[i];
        struct bucket *bucket = bucket_of(brain, kind);
        bool waits_for_rate = list_front(&brain->waiting[kind]) != NULL && bucket != NULL &&
                              has_slots(brain, kind) && brain->cloud.is_reachable;
        if (waits_for_rate) {
            wake_ms = earlier(wake_ms, now_ms + bucket_wait_ms(bucket, now_ms, 0));
        }
    }
    return wake_ms;
}

void brain_start(struct brain *brain, msec now_ms)
{
    brain->polls_are_on = true;
    brain->started_ms = now_ms; /* it may have waited for its turn to lead since brain_init */
    brain->sweep_at_ms = now_ms;
    brain->delta_at_ms = now_ms;
}
