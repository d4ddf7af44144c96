/*
 * wire_cluster.c - the API server's side: pods as facts, statuses and deletions as writes.
 */
#include "app/wire.h"

#include "base/check.h"
#include "os/crash.h"
#include "spec/pod_policy.h"

/* ---- pods as facts --------------------------------------------------------------------------- */

/* We wrote Ready=True, the object says False: after our lease was late the node controller does
 * that. An event older than our write looks the same; then the status is written once more,
 * unchanged. */
static bool is_overwritten(const struct pod *pod, json object)
{
    json conditions = json_get(json_get(object, "status"), "conditions");
    if (pod->past.condition[POD_CONDITION_READY] != 'T') {
        return false;
    }
    for (json c = json_first(conditions); json_is_there(c); c = json_next(c)) {
        if (json_text_is(json_get(c, "type"), "Ready")) {
            return json_text_is(json_get(c, "status"), "False");
        }
    }
    return false;
}

void cluster_policy(struct wire *wire, handle pod, json object, const struct spec_config *spec)
{
    struct pod_policy policy =
        pod_policy_read(object, spec->effects, spec->effects_count, wire->arena);
    brain_pod_policy(&wire->brain, pod, policy.on_refusal == FAIL_FAST,
                     policy.on_no_stock == FAIL_FAST);
}

static enum err take_pod(struct wire *wire, json object, struct arena *arena)
{
    struct pod_facts facts;
    enum err err = pod_facts_read(object, arena, &facts);
    if (err != ERR_OK) {
        return err;
    }
    struct pod_status_past past;
    const struct pod *pod = brain_find_pod(&wire->brain, facts.uid);
    bool is_known = pod != NULL && pod->was_seen; /* not merely claimed by a group */
    /* Its status as it is: what an earlier process wrote is not written again. */
    bool needs_past = !is_known || wire->brain.only_looks;
    if (needs_past) {
        err = pod_status_past_read(object, arena, &past);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct pod_note note = {.instance_id = STR_NONE};
    pod_note_read(object, arena, &note);
    const struct pod_news news = {
        .uid = facts.uid,
        .name_space = facts.name_space,
        .name = facts.name,
        .phase = facts.phase,
        .is_leaving = facts.is_leaving,
        .is_forced = facts.is_leaving && facts.deletion_grace_s == 0,
        .is_daemon = str_eq(facts.owner_kind, S("DaemonSet")),
        .is_controlled = !str_is_empty(facts.owner_kind),
        .is_never_restarted = facts.restart_policy == RESTART_POLICY_NEVER,
        .has_init = facts.has_init_containers,
        .request_milli = is_known ? 0 : pod_request_milli(object, arena),
        .past = needs_past ? &past : NULL,
        .instance_id = note.instance_id,
        .instance_attempt = note.attempt,
        .is_described = !str_is_empty(note.spec),
    };
    handle seen = HANDLE_NONE;
    err = brain_pod_seen(&wire->brain, &news, wire_now_ms(wire), &seen);
    if (err == ERR_OK && !is_known) { /* read afresh, with the profile, before each create */
        cluster_policy(wire, seen, object, &wire->spec);
    }
    if (err == ERR_OK && is_known && is_overwritten(pod, object)) {
        brain_status_overwritten(&wire->brain, facts.uid);
    }
    return err;
}

enum err cluster_pod_seen(struct wire *wire, json object, struct arena *arena)
{
    struct kube_meta meta;
    kube_meta_read(object, arena, &meta);
    if (aside_is_wanted(object, meta.uid)) {
        return aside_pod_seen(wire, object, &meta, arena);
    }
    crash_enter("reading the object", meta.uid, meta.name_space, meta.name);
    enum err err = take_pod(wire, object, arena);
    crash_leave();
    return err;
}

static void tell_unreadable(struct wire *wire, str name_space, str name, str uid, enum err err)
{
    wire->pods_unreadable++;
    log_line(LOG_WARN, "pods", "%.*s/%.*s cannot be taken: %s", STR_ARG(name_space), STR_ARG(name),
             err_text(err));
    if (str_is_empty(name) || str_is_empty(name_space) || !leader_may_act(wire)) {
        return;
    }
    const struct kube_event event = {
        .kind = KUBE_POD,
        .name_space = name_space,
        .name = name,
        .uid = uid,
        .is_warning = true,
        .reason = err == ERR_FULL ? S("NodeFull") : S("PodUnreadable"),
        .message = err == ERR_FULL
                       ? S("this virtual node tracks as many pods as PODS_MAX allows; the pod is "
                           "taken when a slot is free")
                       : S("the pod object cannot be read by this virtual node (too large or "
                           "malformed)")};
    kube_event_post(&wire->events, &event);
}

static void on_list_begin(struct kube_watch *watch)
{
    struct wire *wire = watch->owner;
    brain_list_begin(&wire->brain, wire_now_ms(wire));
}

static bool is_ours(const struct wire *wire, json object, struct arena *arena)
{
    return str_eq(json_text(json_get(json_get(object, "spec"), "nodeName"), arena),
                  wire->config->node_name);
}

static void on_object(struct kube_watch *watch, enum kube_change change, json object,
                      struct arena *arena)
{
    struct wire *wire = watch->owner;
    struct kube_meta meta;
    kube_meta_read(object, arena, &meta);
    if (change == KUBE_DELETED) {
        brain_pod_deleted(&wire->brain, meta.uid, wire_now_ms(wire));
        return;
    }
    if (!is_ours(wire, object, arena)) {
        return;
    }
    enum err err = cluster_pod_seen(wire, object, arena);
    if (err != ERR_OK) {
        tell_unreadable(wire, meta.name_space, meta.name, meta.uid, err);
    }
}

static void on_list_end(struct kube_watch *watch, const struct kube_list_end *end)
{
    struct wire *wire = watch->owner;
    log_line(LOG_INFO, "pods", "listed %u pods at version %.*s", end->objects,
             STR_ARG(end->resource_version));
    brain_list_end(&wire->brain, end->nameless == 0, wire_now_ms(wire));
}

static void on_unreadable(struct kube_watch *watch, const struct kube_unreadable *what)
{
    struct wire *wire = watch->owner;
    if (what->change == KUBE_DELETED) { /* who was deleted is all that matters; a read proves it */
        brain_pod_deleted(&wire->brain, what->meta.uid, wire_now_ms(wire));
        return;
    }
    brain_pod_unreadable(&wire->brain, what->meta.uid);
    tell_unreadable(wire, what->meta.name_space, what->meta.name, what->meta.uid, what->err);
}

static void on_state(struct kube_watch *watch, bool is_connected, enum err err, const char *why)
{
    struct wire *wire = watch->owner;
    if (is_connected) {
        log_line(LOG_INFO, "kube", "connected to %s", wire->auth.url);
    } else if (err != ERR_OK) {
        log_line(LOG_WARN, "kube", "no connection to the API server: %s", why);
    }
}

static const struct kube_watch_handlers pod_handlers = {
    .on_list_begin = on_list_begin,
    .on_object = on_object,
    .on_list_end = on_list_end,
    .on_unreadable = on_unreadable,
    .on_state = on_state,
};

void cluster_init(struct wire *wire, struct region *region)
{
    const struct config *config = wire->config;
    kube_auth_init(&wire->auth, wire->loop, region, wire->arena,
                   config->api_connections + LIMITS_CONNECTIONS_OTHER);
    const struct kube_calls_config calls = {
        .conns_count = config->api_connections,
        .small_count = wire->limits.kube_calls_max + WIRE_SMALL_SPARE,
        .small_bytes = 2 * WIRE_POD_BYTES,
        .large_count = config->api_connections,
        .large_bytes = WIRE_BODY_BYTES + 64 * 1024,
    };
    kube_calls_init(&wire->calls, wire->loop, region, &wire->auth, wire->arena, &calls);
    char selector[320];
    (void)snprintf(selector, sizeof selector, "spec.nodeName=%s", config->node_name.ptr);
    const struct kube_watch_config pods = {
        .name = "pods",
        .kind = KUBE_POD,
        .field_selector = str_of(selector),
        .object_bytes_max = config->object_bytes_max,
        .handlers = &pod_handlers,
        .owner = wire,
    };
    kube_watch_init(&wire->pods, wire->loop, region, &wire->auth, wire->arena,
                    prng_u64(&wire->prng), &pods);
    const struct kube_events_config events = {
        .component = S("ecilet"),
        .host = config->node_name,
        .entries_max = wire->limits.event_writes_max,
        .objects_max = wire->limits.event_writes_max * 4,
        .per_minute_max = 600,
    };
    kube_events_init(&wire->events, wire->loop, region, &wire->calls, prng_u64(&wire->prng),
                     &events);
}

/* ---- events ---------------------------------------------------------------------------------- */

void cluster_post_events(struct wire *wire)
{
    struct brain_event event;
    while (brain_take_event(&wire->brain, &event)) {
        bool is_node = event.name[0] == '\0';
        str node = wire->config->node_name;
        log_line(event.is_warning ? LOG_WARN : LOG_INFO, is_node ? "node" : "pod", "%s%s%s: %s: %s",
                 is_node ? "" : event.name_space, is_node ? "" : "/",
                 is_node ? node.ptr : event.name, event.reason, event.message);
        const struct kube_event out = {
            .kind = is_node ? KUBE_NODE : KUBE_POD,
            .name_space = is_node ? STR_NONE : str_of(event.name_space),
            .name = is_node ? node : str_of(event.name),
            .uid = is_node ? node : str_of(event.uid),
            .is_warning = event.is_warning,
            .reason = str_of(event.reason),
            .message = str_of(event.message),
        };
        kube_event_post(&wire->events, &out);
    }
}

/* ---- reading a pod afresh -------------------------------------------------------------------- */

enum err cluster_read_pod(struct wire *wire, struct wire_job *job, kube_call_done *on_done)
{
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    CHECK(pod != NULL); /* busy pods are not forgotten */
    char memory[1200];
    struct buf path;
    buf_init(&path, memory, sizeof memory);
    kube_put_path(&path, KUBE_POD, str_of(pod->name_space), str_of(pod->name), STR_NONE);
    CHECK(buf_ok(&path));
    const struct kube_request request = {
        .verb = KUBE_GET,
        .rank = KUBE_RANK_NORMAL,
        .path = buf_str(&path),
        .reply_bytes = job->is_large ? WIRE_POD_BYTES_MAX : WIRE_POD_BYTES,
        .on_done = on_done,
        .owner = wire,
        .about = wire_job_handle(job),
    };
    return kube_call_send(&wire->calls, &request, NULL);
}

/* A job whose first step could not even be started. */
static void give_up(struct wire *wire, struct wire_job *job)
{
    brain_undo(&wire->brain, &job->effect, wire_now_ms(wire));
    wire_job_give(job);
}

enum err cluster_pod_read(struct wire *wire, const struct pod *pod, const struct kube_reply *reply,
                          json *object)
{
    return kube_read_one(reply, KUBE_POD, str_of(pod->name), str_of(pod->uid), wire->arena, object);
}

/* ---- prove: is the pod object really gone? --------------------------------------------------- */

static void on_proof(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->about);
    handle h = job->effect.pod;
    const struct pod *pod = brain_pod(&wire->brain, h);
    if (reply->err == ERR_TOO_BIG && !job->is_large) {
        job->is_large = true;
        if (cluster_read_pod(wire, job, on_proof) == ERR_OK) {
            return;
        }
    }
    size_t mark = arena_mark(wire->arena);
    json object;
    enum err err = cluster_pod_read(wire, pod, reply, &object);
    if (err == ERR_OK && is_ours(wire, object, wire->arena)) {
        err = cluster_pod_seen(wire, object, wire->arena);
    } else if (err == ERR_OK) {
        err = ERR_INVALID; /* it lives on another node: not ours to judge */
    }
    arena_rewind(wire->arena, mark);
    wire_job_give(job);
    brain_prove_done(&wire->brain, h, err, wire_now_ms(wire));
}

void cluster_prove(struct wire *wire, const struct effect *effect)
{
    struct wire_job *job = wire_job_take(wire, effect);
    if (job != NULL && cluster_read_pod(wire, job, on_proof) != ERR_OK) {
        give_up(wire, job);
    }
}

/* ---- finish: the group is gone, the object may go -------------------------------------------- */

static void on_finished(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->about);
    handle h = job->effect.pod;
    const struct pod *pod = brain_pod(&wire->brain, h);
    enum err err = reply->err;
    if (err == ERR_NOT_FOUND && !kube_is_absent(reply, KUBE_POD, str_of(pod->name))) {
        err = ERR_BAD_REPLY; /* not the API server's word */
    }
    wire_job_give(job);
    if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_CONFLICT) {
        log_line(LOG_WARN, "pods", "pod object could not be removed: %.*s", STR_ARG(reply->why));
    }
    brain_finish_done(&wire->brain, h, err, wire_now_ms(wire));
}

void cluster_finish(struct wire *wire, const struct effect *effect)
{
    struct wire_job *job = wire_job_take(wire, effect);
    if (job == NULL) {
        return;
    }
    const struct pod *pod = brain_pod(&wire->brain, effect->pod);
    char path_memory[1200], body_memory[256];
    struct buf path, body;
    buf_init(&path, path_memory, sizeof path_memory);
    buf_init(&body, body_memory, sizeof body_memory);
    kube_put_path(&path, KUBE_POD, str_of(pod->name_space), str_of(pod->name), STR_NONE);
    kube_put_delete_options(&body, str_of(pod->uid), 0);
    CHECK(buf_ok(&path) && buf_ok(&body));
    const struct kube_request request = {
        .verb = KUBE_DELETE,
        .rank = KUBE_RANK_HIGH,
        .path = buf_str(&path),
        .body = buf_str(&body),
        .on_done = on_finished,
        .owner = wire,
        .about = wire_job_handle(job),
    };
    if (kube_call_send(&wire->calls, &request, NULL) != ERR_OK) {
        give_up(wire, job);
    }
}

/* ---- statuses -------------------------------------------------------------------------------- */

static void on_status_written(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->about);
    const struct wire_job done = *job;
    wire_job_give(job);
    if (reply->err != ERR_OK && reply->err != ERR_NOT_FOUND) {
        log_line(LOG_WARN, "pods", "status could not be written: %.*s", STR_ARG(reply->why));
    }
    if (done.effect.kind == EFFECT_SAY) {
        brain_say_done(&wire->brain, done.effect.pod, reply->err, &done.past, wire_now_ms(wire));
    } else {
        brain_patch_done(&wire->brain, done.effect.pod, reply->err, &done.past, done.row_hash,
                         done.is_init, wire_now_ms(wire));
    }
}

/*
 * Sends a status for the job's pod, and what a detail row (or NULL) says of its instance. On
 * failure nothing was sent.
 *
 * The patch carries the UID, and no resourceVersion: that changes with every label that somebody
 * edits and with every status of our own, so a version would make conflicts of writes that do not
 * touch each other, and a read for each. An older status that comes last, of a gateway that no
 * longer leads, is found by what the watch shows, and written over (brain.c: end_is_hidden,
 * brain_status_overwritten).
 */
static enum err send_status(struct wire *wire, struct wire_job *job,
                            const struct pod_status *status, const struct eci_group_row *row)
{
    if (!leader_may_act(wire)) { /* deposed since the effect began */
        return ERR_FULL;
    }
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    buf_clear(&wire->body);
    const struct group *group = brain_group(&wire->brain, pod->group);
    struct pod_note note = {.instance_id = group != NULL ? str_of(group->id) : STR_NONE,
                            .attempt = group != NULL ? group->attempt : 0};
    if (row != NULL) {
        pod_note_see(&note, row, wire->arena);
    }
    enum err err = pod_status_write(status, &pod->past, str_of(pod->uid), &note, &wire->body);
    if (err != ERR_OK) {
        return err;
    }
    char memory[1200];
    struct buf path;
    buf_init(&path, memory, sizeof memory);
    kube_put_path(&path, KUBE_POD, str_of(pod->name_space), str_of(pod->name), S("status"));
    CHECK(buf_ok(&path));
    uint64_t hash;
    err = pod_status_hash(status, wire->arena, &hash);
    if (err != ERR_OK) {
        return err;
    }
    job->past = pod->past;
    if (status->phase != POD_PHASE_NONE || status->init_containers != NULL) {
        pod_status_remember(&job->past, status, hash);
    } /* else only the note is news */
    const struct kube_request request = {
        .verb = KUBE_STRATEGIC_PATCH, /* conditions and addresses of others survive */
        .rank = KUBE_RANK_HIGH,
        .path = buf_str(&path),
        .body = buf_str(&wire->body),
        .on_done = on_status_written,
        .owner = wire,
        .about = wire_job_handle(job),
    };
    return kube_call_send(&wire->calls, &request, NULL);
}

static void status_input(struct wire *wire, const struct pod *pod, struct pod_status_input *out)
{
    *out = (struct pod_status_input){
        .past = &pod->past,
        .now_s = wire_now_s(wire),
        .node_ip = str_of(wire->address),
        .has_init_containers = pod->has_init,
        .will_retry = !pod->is_never_restarted && !pod->fails_unplaced,
    };
}

/* A translated row goes to the brain, and out if the brain says so. row: the detail row that it
 * is; NULL for a status row. */
static void report(struct wire *wire, struct group *group, const struct pod_status *status,
                   const struct eci_group_row *row, bool init_is_settled)
{
    bool is_init = row != NULL;
    msec now_ms = wire_now_ms(wire);
    handle pod = group->pod;
    uint64_t row_hash = group->row_hash;
    uint64_t hash;
    enum err err = pod_status_hash(status, wire->arena, &hash);
    if (err != ERR_OK) {
        brain_report_failed(&wire->brain, group, err, now_ms);
        return;
    }
    if (!brain_report(&wire->brain, group, hash, is_init, init_is_settled, now_ms)) {
        return;
    }
    const struct effect effect = {.kind = EFFECT_PATCH, .pod = pod, .started_ms = now_ms};
    struct wire_job *job = wire_job_take(wire, &effect);
    if (job == NULL) {
        return; /* the brain knows */
    }
    job->row_hash = row_hash;
    job->is_init = is_init;
    err = send_status(wire, job, status, row);
    if (err != ERR_OK) {
        give_up(wire, job);
        brain_report_failed(&wire->brain, group, err, now_ms);
    }
}

void cluster_report_row(struct wire *wire, struct group *group, const struct eci_status_row *row,
                        uint64_t row_hash)
{
    if (!brain_wants_report(&wire->brain, group, row_hash, false)) {
        return;
    }
    struct pod_status_input input;
    struct pod_status status;
    size_t mark = arena_mark(wire->arena);
    wire_enter(wire, "making the status", group->pod);
    status_input(wire, brain_pod(&wire->brain, group->pod), &input);
    enum err err = pod_status_of_row(row, &input, wire->arena, &status);
    if (err == ERR_OK) {
        report(wire, group, &status, NULL, false);
    } else {
        brain_report_failed(&wire->brain, group, err, wire_now_ms(wire));
    }
    crash_leave();
    arena_rewind(wire->arena, mark);
}

static bool init_is_settled(const struct eci_group_row *row)
{
    for (uint32_t i = 0; i < row->init_containers_count; i++) {
        const struct eci_state *now = &row->init_containers[i].now;
        if (now->kind != ECI_STATE_TERMINATED || now->exit_code != 0) {
            return eci_status_is_terminal(row->status);
        }
    }
    return row->init_containers_count > 0 || eci_status_is_terminal(row->status);
}

void cluster_report_init(struct wire *wire, struct group *group, const struct eci_group_row *row)
{
    if (!brain_wants_report(&wire->brain, group, 0, true)) {
        return;
    }
    struct pod_status_input input;
    struct pod_status status;
    size_t mark = arena_mark(wire->arena);
    const struct pod *pod = brain_pod(&wire->brain, group->pod);
    wire_enter(wire, "making the status", group->pod);
    status_input(wire, pod, &input);
    enum err err = ERR_OK;
    if (pod->has_init) {
        err = pod_status_of_group(row, &input, wire->arena, &status);
    } else {
        status = (struct pod_status){.phase = POD_PHASE_NONE};
    }
    if (err == ERR_OK) {
        report(wire, group, &status, row, init_is_settled(row));
    } else {
        brain_report_failed(&wire->brain, group, err, wire_now_ms(wire));
    }
    crash_leave();
    arena_rewind(wire->arena, mark);
}

/* ---- statuses of our own --------------------------------------------------------------------- */

/* How a pod ends by our own word: lost, refused, or ended while nobody looked. */
static struct pod_end end_of(const struct pod *pod)
{
    if (pod->say == SAY_LOST) {
        return POD_END_LOST;
    }
    bool is_good = pod->say == SAY_SUCCEEDED;
    str reason = str_of(pod->say_reason), message = str_of(pod->message);
    return (struct pod_end){.phase = is_good ? POD_PHASE_SUCCEEDED : POD_PHASE_FAILED,
                            .reason = reason,
                            .message = message,
                            .container_reason = is_good ? S("Completed") : reason,
                            .container_message = message,
                            .exit_code = is_good ? 0 : POD_END_LOST.exit_code};
}

/* An end is the end: we may have known an older object, and the one before us may have written it.
 */
static bool has_ended(json object)
{
    json phase = json_get(json_get(object, "status"), "phase");
    return json_text_is(phase, "Failed") || json_text_is(phase, "Succeeded");
}

static enum err say(struct wire *wire, struct wire_job *job, json object)
{
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    struct pod_status_input input;
    struct pod_status status;
    status_input(wire, pod, &input);
    enum err err;
    if (pod->say == SAY_PENDING && has_ended(object)) {
        err = ERR_CONFLICT;
    } else if (pod->say == SAY_PENDING) {
        err = pod_status_pending(str_of(pod->say_reason), str_of(pod->message), &input, wire->arena,
                                 &status);
    } else {
        const struct pod_end end = end_of(pod);
        err = pod_status_end(&end, object, &input, wire->arena, &status);
    }
    return err == ERR_OK ? send_status(wire, job, &status, NULL) : err;
}

static bool shows_end(json object, struct arena *arena)
{
    str phase = json_text(json_get(json_get(object, "status"), "phase"), arena);
    return pod_phase_is_terminal(pod_phase_parse(phase));
}

static void on_pod_for_say(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->about);
    handle h = job->effect.pod;
    const struct pod *pod = brain_pod(&wire->brain, h);
    size_t mark = arena_mark(wire->arena);
    json object = JSON_NONE;
    enum err err = cluster_pod_read(wire, pod, reply, &object);
    if (err == ERR_TOO_BIG) { /* without its container statuses, then */
        err = ERR_OK;
    }
    if (err == ERR_OK && pod->must_repeat && shows_end(object, wire->arena)) {
        arena_rewind(wire->arena, mark); /* it was only an older event */
        wire_job_give(job);
        brain_say_done(&wire->brain, h, ERR_OK, &pod->past, wire_now_ms(wire));
        return;
    }
    if (err == ERR_OK) {
        wire_enter(wire, "making the status", h);
        err = say(wire, job, object);
        crash_leave();
        arena_rewind(wire->arena, mark);
        if (err == ERR_OK) {
            return;
        }
    }
    arena_rewind(wire->arena, mark);
    wire_job_give(job);
    brain_say_done(&wire->brain, h, err, NULL, wire_now_ms(wire));
}

void cluster_say(struct wire *wire, const struct effect *effect)
{
    struct wire_job *job = wire_job_take(wire, effect);
    if (job == NULL) {
        return;
    }
    if (cluster_read_pod(wire, job, on_pod_for_say) != ERR_OK) {
        give_up(wire, job);
    }
}
