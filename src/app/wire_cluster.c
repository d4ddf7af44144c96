/*
 * wire_cluster.c - the API server's side: what is asked and written there of a pod - reads, proofs
 * that it is gone, statuses, its end. How pods become facts is in wire_pods.c.
 */
#include "app/wire.h"

#include "base/check.h"
#include "os/crash.h"

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
        .large_bytes = WIRE_LARGE_CALL_BYTES,
    };
    kube_calls_init(&wire->calls, wire->loop, region, &wire->auth, wire->arena, &calls);
    pods_init(wire, region);
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

str cluster_pod_path(char memory[static CLUSTER_PATH_BYTES], str name_space, str name, str part)
{
    struct buf path;
    buf_init(&path, memory, CLUSTER_PATH_BYTES);
    kube_put_path(&path, KUBE_POD, name_space, name, part);
    CHECK(buf_ok(&path)); /* the names fit: the brain took them */
    return buf_str(&path);
}

enum err cluster_read_pod(struct wire *wire, struct wire_job *job, kube_call_done *on_done)
{
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    CHECK(pod != NULL); /* busy pods are not forgotten */
    char path[CLUSTER_PATH_BYTES];
    const struct kube_request request = {
        .verb = KUBE_GET,
        .rank = KUBE_RANK_NORMAL,
        .path = cluster_pod_path(path, str_of(pod->name_space), str_of(pod->name), STR_NONE),
        .reply_bytes = job->is_large ? WIRE_POD_BYTES_MAX : WIRE_POD_BYTES,
        .on_done = on_done,
        .owner = wire,
        .about = wire_job_handle(job),
    };
    return kube_call_send(&wire->calls, &request, NULL);
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
    if (err == ERR_OK && pods_is_ours(wire, object, wire->arena)) {
        err = pods_seen(wire, object, wire->arena);
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
        wire_job_undo(job);
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
    char path[CLUSTER_PATH_BYTES], memory[256];
    struct buf body;
    buf_init(&body, memory, sizeof memory);
    kube_put_delete_options(&body, str_of(pod->uid), 0);
    CHECK(buf_ok(&body));
    const struct kube_request request = {
        .verb = KUBE_DELETE,
        .rank = KUBE_RANK_HIGH,
        .path = cluster_pod_path(path, str_of(pod->name_space), str_of(pod->name), STR_NONE),
        .body = buf_str(&body),
        .on_done = on_finished,
        .owner = wire,
        .about = wire_job_handle(job),
    };
    if (kube_call_send(&wire->calls, &request, NULL) != ERR_OK) {
        wire_job_undo(job);
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
    note.request_id = requests_find(wire, note.instance_id);
    if (row != NULL) {
        pod_note_see(&note, row, wire->arena);
    }
    enum err err = pod_status_write(status, &pod->past, str_of(pod->uid), &note, &wire->body);
    if (err != ERR_OK) {
        return err;
    }
    char path[CLUSTER_PATH_BYTES];
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
        .path = cluster_pod_path(path, str_of(pod->name_space), str_of(pod->name), S("status")),
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
        wire_job_undo(job);
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

static bool has_ended(json object, struct arena *arena)
{
    str phase = json_text(json_get(json_get(object, "status"), "phase"), arena);
    return pod_phase_is_terminal(pod_phase_parse(phase));
}

static enum err say(struct wire *wire, struct wire_job *job, json object)
{
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    struct pod_status_input input;
    struct pod_status status;
    status_input(wire, pod, &input);
    enum err err;
    if (pod->say == SAY_PENDING && has_ended(object, wire->arena)) {
        /* An end is the end: we may have known an older object, and the one before us may have
         * written it. */
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
    if (err == ERR_OK && pod->must_repeat && has_ended(object, wire->arena)) {
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
        wire_job_undo(job);
    }
}
