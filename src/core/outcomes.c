/*
 * outcomes.c - what the outcome of each effect means. Looks only at the fate of an error (err.h).
 */
#include "core/brain_in.h"

static void count_outcome(struct brain *brain, enum effect_kind kind, enum err err)
{
    brain->counters.outcomes[kind][err_fate(err)]++;
}

/* Something moves now: do not wait for a slow poll. */
static void poll_soon(struct brain *brain, msec now_ms)
{
    if (brain->delta_at_ms > now_ms + brain->config.poll_fast_ms) {
        brain->delta_at_ms = now_ms + brain->config.poll_fast_ms;
    }
}

/* ---- create ---------------------------------------------------------------------------------- */

static void create_was_accepted(struct brain *brain, struct pod *pod, str id, msec now_ms)
{
    struct group *group = brain_find_group(brain, id);
    if (group != NULL && group->has_tags) {
        if (!group->is_foreign) {
            link_group(brain, group, now_ms); /* a reading was faster than the reply */
        }
    } else {
        if (group == NULL) {
            notes_make_room(brain, now_ms);
            group = id.bytes < GROUP_ID_BYTES ? group_new(brain, id, now_ms) : NULL;
            if (group == NULL) { /* no slot: the tags will bring it back with a later sweep */
                pod_doubt(pod, now_ms);
                return;
            }
            brain->untagged++;
        }
        const struct tag_facts tags = tags_of_pod(pod);
        brain_tags_seen(brain, group, &tags, now_ms);
    }
    poll_soon(brain, now_ms);
    if (handle_is_none(pod->group)) { /* an id that belongs to another pod, or to nobody of ours */
        pod_doubt(pod, now_ms);
        pod_back_off(brain, pod, RETRY_CAP_MS, now_ms);
        return;
    }
    capacity_accepted(&brain->capacity);
    pod->failures = 0;
    pod->say = SAY_NOTHING;
    pod->is_older = false; /* its groups are ours from now on */
    brain_tell(brain, pod, false, "ProviderCreateSuccess",
               "created ECI container group %.*s (attempt %u)", STR_ARG(id), pod->attempt);
}

/* No reply, or the token was used for something else: look before the next write. */
static void create_is_in_doubt(struct brain *brain, struct pod *pod, enum err err, str message,
                               msec now_ms)
{
    const struct group *group = group_of_pod(brain, pod);
    if (group != NULL && group->attempt >= pod->attempt) {
        return; /* a reading was faster than the time-out: it did happen */
    }
    if (MUTANT(1)) {
        pod->attempt++;
        return;
    }
    pod_doubt(pod, now_ms);
    pod->unknown_ms = now_ms;
    brain->counters.doubts++;
    poll_soon(brain, now_ms);
    if (brain->sweep_at_ms > now_ms + RETRY_BASE_MS) {
        brain->sweep_at_ms = now_ms + RETRY_BASE_MS;
    }
    if (err == ERR_TOKEN_CLASH) {
        pod->token_clashed = true; /* what it made must show first */
        pod->doubt_ms = now_ms + brain->config.young_ms;
    }
    brain_tell(brain, pod, true, "ProviderCreateUnknown",
               "CreateContainerGroup may have happened (%.*s); looking for its group",
               STR_ARG(message));
}

/* Tell once per message, in an event and in the status. */
static void explain(struct brain *brain, struct pod *pod, enum say_kind kind, const char *reason,
                    const char *event_reason, str message)
{
    uint64_t hash = str_hash(message);
    if (hash != pod->message_told) {
        pod->message_told = hash;
        brain_tell(brain, pod, true, event_reason, "%.*s", STR_ARG(message));
    }
    (void)pod_say(brain, pod, kind, reason, message);
}

bool brain_warnings_are_new(struct brain *brain, handle h, uint64_t hash)
{
    struct pod *pod = brain_pod(brain, h);
    bool is_new = pod != NULL && pod->warnings_told != hash;
    if (is_new) {
        pod->warnings_told = hash;
    }
    return is_new;
}

static void create_was_refused(struct brain *brain, struct pod *pod, str message)
{
    pod->is_refused = true;
    /* A controller would replace a Failed pod at once and for ever: such a pod waits, visibly,
     * unless it asks to fail. */
    bool waits = pod->is_controlled && !pod->is_never_restarted && !pod->fails_fast;
    explain(brain, pod, waits ? SAY_PENDING : SAY_FAILED, "ProviderFailed", "ProviderCreateFailed",
            message);
}

void brain_pod_policy(struct brain *brain, handle h, bool fails_fast, bool fails_unplaced)
{
    struct pod *pod = brain_pod(brain, h);
    if (pod != NULL) {
        pod->fails_fast = fails_fast;
        pod->fails_unplaced = fails_unplaced;
    }
}

void brain_create_done(struct brain *brain, handle h, enum create_outcome outcome, enum err err,
                       str id, str message, msec now_ms)
{
    if (err == ERR_TOKEN_CLASH) {
        outcome = CREATE_UNKNOWN;
    }
    count_outcome(brain, EFFECT_CREATE, err);
    budget_slow(brain, EFFECT_CREATE, err, now_ms);
    struct pod *pod = brain_pod(brain, h);
    if (pod == NULL) {
        return; /* forgotten meanwhile: impossible while busy, harmless all the same */
    }
    trace_add(&brain->trace, now_ms, "create done", h.slot,
              (uint32_t)outcome << 16 | (uint32_t)err);
    pod_idle(brain, pod, EFFECT_CREATE);
    if (err == ERR_QUOTA && !pod->met_quota) {
        pod->met_quota = true;
        capacity_refused(&brain->capacity, now_ms);
    }
    pod_set_waiter(brain, pod, false);
    if (outcome == CREATE_LATER && pod->fails_fast && (err == ERR_STOCK || err == ERR_QUOTA)) {
        outcome = CREATE_REFUSED; /* the cloud's own no; throttling or silence are none */
    }
    switch (outcome) {
    case CREATE_ACCEPTED:
        create_was_accepted(brain, pod, id, now_ms);
        break;
    case CREATE_UNKNOWN:
        create_is_in_doubt(brain, pod, err, message, now_ms);
        break;
    case CREATE_LATER:
        explain(brain, pod, SAY_PENDING, "ProviderFailed", "ProviderCreateFailed", message);
        pod_back_off(brain, pod, RETRY_CAP_MS, now_ms);
        break;
    case CREATE_REFUSED:
        create_was_refused(brain, pod, message);
        break;
    case CREATE_POD_GONE:
        pod->object = OBJECT_GONE;
        brain->brake_is_stale = true;
        break;
    case CREATE_POD_CHANGED:
        pod_back_off(brain, pod, RETRY_BASE_MS, now_ms);
        break;
    }
    pod_touch(brain, pod);
}

/* How long one of those that wait does not look, at most. */
static msec wait_cap_ms(const struct brain *brain)
{
    msec shared_ms = (msec)brain->waiters * 1000 / WAIT_LOOKS_PER_S;
    if (shared_ms <= WAIT_CAP_MS) {
        return WAIT_CAP_MS;
    }
    return shared_ms < WAIT_CAP_MANY_MS ? shared_ms : WAIT_CAP_MANY_MS;
}

void brain_create_waits(struct brain *brain, handle h, const char *reason, str message, msec now_ms)
{
    count_outcome(brain, EFFECT_CREATE, ERR_BUSY);
    bucket_give_back(&brain->create_bucket); /* nothing was asked of the cloud */
    struct pod *pod = brain_pod(brain, h);
    if (pod == NULL) {
        return;
    }
    trace_add(&brain->trace, now_ms, "create waits", h.slot, 0);
    pod_idle(brain, pod, EFFECT_CREATE);
    explain(brain, pod, SAY_PENDING, reason != NULL ? reason : "ProviderFailed",
            reason != NULL ? reason : "ProviderCreateFailed", message);
    pod_set_waiter(brain, pod, true);
    pod_back_off(brain, pod, wait_cap_ms(brain), now_ms);
    pod_touch(brain, pod);
}

/* ---- delete ---------------------------------------------------------------------------------- */

void brain_delete_done(struct brain *brain, handle h, enum err err, msec now_ms)
{
    count_outcome(brain, EFFECT_DELETE, err);
    budget_slow(brain, EFFECT_DELETE, err, now_ms);
    struct group *group = brain_group(brain, h);
    if (group == NULL) {
        return;
    }
    trace_add(&brain->trace, now_ms, "delete done", h.slot, (uint32_t)err);
    group_idle(brain, group, EFFECT_DELETE);
    if (err != ERR_OK && err != ERR_NOT_FOUND) { /* deleting twice is harmless: just again */
        struct pod *pod = pod_of_group(brain, group);
        if (group->failures == 0 && pod != NULL) {
            brain_tell(brain, pod, true, "ProviderDeleteFailed",
                       "container group %s could not be deleted yet: %s", group->id, err_text(err));
        }
        group_back_off(brain, group, RETRY_BASE_MS, RETRY_CAP_MS, now_ms);
        return;
    }
    struct pod *pod = pod_of_group(brain, group);
    if (pod != NULL && !pod->was_seen) {
        brain->counters.orphans++;
    }
    if (MUTANT(18)) {
        group->delete_accepted_ms = now_ms;
        group_is_gone(brain, group, now_ms);
        return;
    }
    group->delete_accepted_ms = now_ms;
    group->failures = 0;
    poll_soon(brain, now_ms);
    group_back_off(brain, group, GONE_POLL_MS / 4, GONE_POLL_CAP_MS, now_ms);
}

/* ---- the pod object -------------------------------------------------------------------------- */

static void object_is_gone(struct brain *brain, struct pod *pod, msec now_ms)
{
    pod->object = OBJECT_GONE;
    pod->gone_at_ms = now_ms;
    pod->failures = 0;
    pod->retry_at_ms = 0;
    brain->brake_is_stale = true;
    pod_touch(brain, pod);
}

/* Its status cannot be written, or the object not be read, for whatever reason: people are told
 * when that lasts. (In an event, which may come through all the same.) */
static void kube_failed(struct brain *brain, struct pod *pod, enum err err)
{
    if (pod->failures == KUBE_FAILURES_TOLD) {
        brain_tell(brain, pod, true, "StatusNotWritten",
                   "its status could not be written, or the pod not be read, %u times in a row: %s",
                   KUBE_FAILURES_TOLD, err_text(err));
    }
}

/* A write found another object, or none: a read decides. Backing off, because the read may show the
 * object and the write conflict again. */
static void object_is_doubtful(struct brain *brain, struct pod *pod, msec now_ms)
{
    pod->object = OBJECT_MISSING;
    brain->brake_is_stale = true;
    kube_failed(brain, pod, ERR_CONFLICT);
    pod_back_off(brain, pod, RETRY_CAP_MS, now_ms);
}

void brain_finish_done(struct brain *brain, handle h, enum err err, msec now_ms)
{
    count_outcome(brain, EFFECT_FINISH, err);
    struct pod *pod = brain_pod(brain, h);
    if (pod == NULL) {
        return;
    }
    trace_add(&brain->trace, now_ms, "finish done", h.slot, (uint32_t)err);
    pod_idle(brain, pod, EFFECT_FINISH);
    if (err == ERR_OK || err == ERR_NOT_FOUND || MUTANT(17)) {
        object_is_gone(brain, pod, now_ms);
    } else if (err == ERR_CONFLICT) { /* another UID, or only a busy server */
        object_is_doubtful(brain, pod, now_ms);
    } else {
        pod_back_off(brain, pod, RETRY_CAP_MS / 4, now_ms);
    }
}

void brain_prove_done(struct brain *brain, handle h, enum err err, msec now_ms)
{
    count_outcome(brain, EFFECT_PROVE, err);
    struct pod *pod = brain_pod(brain, h);
    if (pod == NULL) {
        return;
    }
    trace_add(&brain->trace, now_ms, "prove done", h.slot, (uint32_t)err);
    pod_idle(brain, pod, EFFECT_PROVE);
    if (err == ERR_NOT_FOUND || (MUTANT(19) && err != ERR_OK)) {
        object_is_gone(brain, pod, now_ms);
    } else if (err != ERR_OK) {
        kube_failed(brain, pod, err);
        pod_back_off(brain, pod, RETRY_CAP_MS / 2, now_ms);
    }
}

void brain_say_done(struct brain *brain, handle h, enum err err, const struct pod_status_past *past,
                    msec now_ms)
{
    count_outcome(brain, EFFECT_SAY, err);
    struct pod *pod = brain_pod(brain, h);
    if (pod == NULL) {
        return;
    }
    trace_add(&brain->trace, now_ms, "say done", h.slot, (uint32_t)err);
    pod_idle(brain, pod, EFFECT_SAY);
    if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) {
        object_is_doubtful(brain, pod,
                           now_ms); /* not said: an end that stays unsaid would create */
        return;
    }
    bool is_end = pod->say != SAY_PENDING;
    if (!MUTANT(16) && err != ERR_OK && (is_end || err_fate(err) != FATE_NEVER)) {
        kube_failed(brain, pod, err);
        pod_back_off(brain, pod, RETRY_CAP_MS, now_ms);
        return;
    }
    pod->was_said = true;
    pod->must_repeat = pod->was_hidden_again;
    pod->was_hidden_again = false;
    pod->reported_row = 0; /* whatever was reported before is overwritten */
    if (err == ERR_OK) {
        CHECK(past != NULL);
        pod->past = *past;
        pod->phase = past->phase > pod->phase ? past->phase : pod->phase;
    }
    pod_touch(brain, pod);
}

/* ---- reporting the cloud's status ------------------------------------------------------------ */

bool brain_wants_report(const struct brain *brain, const struct group *group, uint64_t row_hash,
                        bool is_init)
{
    const struct pod *pod = pod_of_group(brain, group);
    if (brain->only_looks || pod == NULL || group->is_noted ||
        !handle_eq(pod->group, group_handle(brain, group)) || pod->object != OBJECT_SEEN ||
        pod->busy != EFFECT_NONE || pod->is_aside) {
        return false;
    }
    if (is_init && pod->has_init) {
        return pod_wants_detail(pod);
    }
    if (is_init) { /* not urgent: statuses come first */
        return pod_wants_detail(pod) && group->status == ECI_STATUS_RUNNING &&
               brain->in_flight[EFFECT_PATCH] <= brain->config.kube_calls_max / 2;
    }
    return row_hash == group->row_hash && !pod_phase_is_terminal(pod->phase) &&
           group_has_news(pod, group);
}

/* Lack of stock that arrived asynchronously: the next attempt is a new group with a new token. */
static void try_elsewhere(struct brain *brain, struct pod *pod, msec now_ms)
{
    struct group *group = group_of_pod(brain, pod);
    if (group == NULL || group->status != ECI_STATUS_SCHEDULE_FAILED ||
        pod_phase_is_terminal(pod->phase) || pod->is_leaving) {
        return;
    }
    brain_tell(brain, pod, true, "FailedScheduling",
               "container group %s could not be scheduled; trying again (attempt %u)", group->id,
               group->attempt + 1);
    pod_next_attempt(pod, group->attempt);
    pod->lost_attempt = group->attempt;
    unlink_group(brain, group);
    group->pod = pod_handle(brain, pod);
    group->is_extra = true;
    pod->say = SAY_NOTHING;
    pod_back_off(brain, pod, STOCK_RETRY_CAP_MS, now_ms);
    group_touch(brain, group);
}

bool brain_report(struct brain *brain, struct group *group, uint64_t content_hash, bool is_init,
                  bool init_is_settled, msec now_ms)
{
    struct pod *pod = pod_of_group(brain, group);
    CHECK(pod != NULL && pod->busy == EFFECT_NONE);
    if (is_init && init_is_settled && content_hash == pod->past.init_hash) {
        pod->init_is_settled = true;
    }
    bool is_description = is_init && !pod->has_init;
    if (!is_description && content_hash == (is_init ? pod->past.init_hash : pod->past.hash)) {
        if (!is_init) {
            pod->reported_row = group->row_hash;
            try_elsewhere(brain, pod, now_ms);
        }
        pod_touch(brain, pod);
        return false;
    }
    pod->busy = EFFECT_PATCH;
    brain->in_flight[EFFECT_PATCH]++;
    brain->counters.effects[EFFECT_PATCH]++;
    pod_touch(brain, pod);
    return true;
}

void brain_report_failed(struct brain *brain, struct group *group, enum err err, msec now_ms)
{
    struct pod *pod = pod_of_group(brain, group);
    if (pod == NULL) {
        return;
    }
    if (pod->failures == 0) {
        brain_tell(brain, pod, true, "StatusNotWritten",
                   "the status of container group %s cannot be written: %s", group->id,
                   err_text(err));
    }
    pod_back_off(brain, pod, RETRY_CAP_MS, now_ms);
}

void brain_patch_done(struct brain *brain, handle h, enum err err,
                      const struct pod_status_past *past, uint64_t row_hash, bool is_init,
                      msec now_ms)
{
    count_outcome(brain, EFFECT_PATCH, err);
    struct pod *pod = brain_pod(brain, h);
    if (pod == NULL) {
        return;
    }
    trace_add(&brain->trace, now_ms, "patch done", h.slot, (uint32_t)err);
    pod_idle(brain, pod, EFFECT_PATCH);
    if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) {
        object_is_doubtful(brain, pod, now_ms);
        return;
    }
    if (err != ERR_OK && !MUTANT(15)) {
        bool may_run = err_fate(err) == FATE_UNKNOWN && past != NULL && !is_init &&
                       past->phase == POD_PHASE_RUNNING;
        if (may_run && pod->phase < POD_PHASE_RUNNING) { /* it may stand there: never below it */
            pod->phase = POD_PHASE_RUNNING;
        }
        kube_failed(brain, pod, err);
        pod_back_off(brain, pod, RETRY_CAP_MS / 4, now_ms);
        return;
    }
    if (MUTANT(20)) {
        return;
    }
    pod->past = *past;
    if (is_init) {
        pod->is_described = true;
        return;
    }
    pod->failures = 0;
    pod->reported_row = row_hash;
    pod->say = SAY_NOTHING;
    pod->phase = past->phase > pod->phase ? past->phase : pod->phase;
    if (!pod->has_init && pod->phase == POD_PHASE_RUNNING && pod->init_read_at_ms == 0) {
        pod->init_read_at_ms = (now_ms / DESCRIBE_MS + 1) * DESCRIBE_MS;
    }
    try_elsewhere(brain, pod, now_ms);
}
