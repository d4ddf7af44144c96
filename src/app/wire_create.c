/*
 * wire_create.c - an instance for a pod: the pod is read afresh, then what it refers to
 * (wire_refs.c), all of it is translated and asked of the cloud; why it could not be is told to
 * the pod.
 */
#include "app/wire.h"

#include "app/wire_refs.h"
#include "data/group_read.h"
#include "os/crash.h"

/* Numbers as text, for a sentence. */
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define REFS_TOO_MANY \
    "the pod is too large, or refers to more than " TEXT(SPEC_REFS_MAX) \
    " ConfigMaps, Secrets, claims and other objects"

static void create_done(struct wire *wire, struct wire_job *job, enum create_outcome outcome,
                        enum err err, str id, str message)
{
    handle pod = job->effect.pod;
    wire_job_give(job);
    brain_create_done(&wire->brain, pod, outcome, err, id, message, wire_now_ms(wire));
}

static void on_created(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->subject);
    cloud_note_reach(wire, err, reply);
    str id = err == ERR_OK ? group_read_created_id(reply->root, reply->arena) : STR_NONE;
    if (err == ERR_OK && str_is_empty(id)) {
        err = ERR_LOST_WRITE; /* a success that names no group: look before doing anything more */
    }
    enum create_outcome outcome = CREATE_LATER;
    if (err == ERR_OK) {
        outcome = CREATE_ACCEPTED;
        requests_keep(wire, id, reply->request_id);
    } else if (err_fate(err) == FATE_UNKNOWN) {
        outcome = CREATE_UNKNOWN;
    } else if (err_fate(err) == FATE_NEVER) {
        outcome = CREATE_REFUSED;
    }
    create_done(wire, job, outcome, err, id,
                str_is_empty(reply->why) ? str_of(err_text(err)) : reply->why);
}

static void tell_pod(struct wire *wire, const struct pod *pod, const char *reason, str message)
{
    log_line(LOG_INFO, "pod", "%s/%s: %s: %.*s", pod->name_space, pod->name, reason,
             STR_ARG(message));
    const struct kube_event event = {.kind = KUBE_POD,
                                     .name_space = str_of(pod->name_space),
                                     .name = str_of(pod->name),
                                     .uid = str_of(pod->uid),
                                     .is_warning = true,
                                     .reason = str_of(reason),
                                     .message = message};
    kube_event_post(&wire->events, &event);
}

/* What they are about, not how they put it: the words may hold a time. Never 0. */
static uint64_t warnings_hash(const struct spec_verdict *verdict)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < verdict->warnings_count; i++) {
        const struct spec_remark *one = &verdict->warnings[i];
        hash = cloud_mix(hash, str_hash(one->where));
        hash = cloud_mix(hash, one->reason != NULL ? str_hash(str_of(one->reason)) : 1);
    }
    return hash | 1;
}

/* One event for each warning with a reason of its own, one for all others together; not again with
 * each try. */
static void tell_warnings(struct wire *wire, handle h, struct spec_verdict *verdict)
{
    const struct pod *pod = brain_pod(&wire->brain, h);
    if (!brain_warnings_are_new(&wire->brain, h, warnings_hash(verdict))) {
        return;
    }
    char memory[1024];
    struct buf text;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < verdict->warnings_count; i++) {
        const struct spec_remark *warning = &verdict->warnings[i];
        if (warning->reason == NULL) {
            verdict->warnings[kept++] = *warning;
            continue;
        }
        buf_init(&text, memory, sizeof memory);
        buf_put_fmt(&text, "%.*s: %.*s", STR_ARG(warning->where), STR_ARG(warning->what));
        tell_pod(wire, pod, warning->reason, buf_str(&text));
    }
    verdict->warnings_count = kept;
    if (kept > 0) {
        buf_init(&text, memory, sizeof memory);
        verdict_put_warnings(verdict, &text);
        tell_pod(wire, pod, "PodSpecIncomplete", buf_str(&text));
    }
}

static void create_waits(struct wire *wire, struct wire_job *job, const char *reason, str message)
{
    handle pod = job->effect.pod;
    wire_job_give(job);
    brain_create_waits(&wire->brain, pod, reason, message, wire_now_ms(wire));
}

/* The labels of its namespace come in a moment, unless something is wrong. */
static void wait_for_labels(struct wire *wire, struct wire_job *job)
{
    char memory[POD_MESSAGE_BYTES];
    struct buf text;
    buf_init(&text, memory, sizeof memory);
    if (profile_wire_put_trouble(wire, &text)) {
        create_waits(wire, job, "NamespacesUnreadable", buf_str(&text));
    } else {
        wire_job_undo(job);
    }
}

/* The pod cannot be created as it is, or not now. */
static void create_is_refused(struct wire *wire, struct wire_job *job, enum err err,
                              const struct spec_verdict *verdict)
{
    char memory[POD_MESSAGE_BYTES];
    struct buf text;
    buf_init(&text, memory, sizeof memory);
    if (verdict->refusals_count > 0) {
        verdict_put_refusals(verdict, &text);
    } else {
        buf_put_fmt(&text, "the pod cannot be translated: %s", err_text(err));
    }
    if (verdict->answer == SPEC_WAIT && err == ERR_BUSY) {
        create_waits(wire, job, verdict_reason(verdict), buf_str(&text));
        return;
    }
    bool is_final = err_fate(err) == FATE_NEVER || err == ERR_TOO_BIG;
    create_done(wire, job, is_final ? CREATE_REFUSED : CREATE_LATER, err, STR_NONE, buf_str(&text));
}

/* The pod and what it refers to were read: translate and send. */
static void translate(struct wire *wire, struct wire_job *job, json object,
                      const struct spec_refs *refs)
{
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    struct spec_verdict verdict;
    struct params params;
    verdict_init(&verdict, wire->arena);
    struct spec_config spec;
    enum err err = profile_wire_spec(wire, object, &spec);
    if (err == ERR_BUSY) {
        wait_for_labels(wire, job);
        return;
    }
    if (err == ERR_OK) {
        err = params_init(&params, wire->arena);
    }
    if (err == ERR_OK) {
        pods_policy(wire, job->effect.pod, object, &spec);
        err = pod_json_to_eci(object, refs, &spec, pod->attempt, &params, NULL, &verdict);
    }
    if (err == ERR_OK) {
        err = cloud_start(wire, job, ECI_CREATE_GROUP, &params, on_created);
        if (err == ERR_OK) {
            tell_warnings(wire, job->effect.pod, &verdict);
            profile_wire_show(wire, pod, &spec);
            return;
        }
        if (err == ERR_FULL || err == ERR_NO_MEMORY) {
            wire_job_undo(job);
            return;
        }
    }
    create_is_refused(wire, job, err, &verdict);
}

void refs_done(struct wire *wire, struct wire_job *job, enum err err, json object,
               const struct spec_refs *refs)
{
    size_t mark = arena_mark(wire->arena);
    handle room = job->room;
    job->room = HANDLE_NONE; /* the job may end before we are done with what is in the room */
    if (err == ERR_OK) {
        wire_enter(wire, "translating the spec", job->effect.pod);
        translate(wire, job, object, refs);
        crash_leave();
    } else if (err == ERR_TOO_BIG) {
        create_done(wire, job, CREATE_REFUSED, err, STR_NONE, S(REFS_TOO_MANY));
    } else {
        wire_job_undo(job);
    }
    kube_wipe(wire->arena->ptr + mark, wire->arena->used - mark); /* values of Secrets */
    arena_rewind(wire->arena, mark);
    refs_give(wire, room);
}

/* Still ours, not leaving, not ended? */
static bool wants_group(const struct wire *wire, json object, struct arena *arena)
{
    struct pod_facts facts;
    return pod_facts_read(object, arena, &facts) == ERR_OK && !facts.is_leaving &&
           !pod_phase_is_terminal(facts.phase) && str_eq(facts.node_name, wire->config->node_name);
}

static void on_pod_for_create(void *owner, const struct kube_reply *reply);

static void read_for_create(struct wire *wire, struct wire_job *job)
{
    if (cluster_read_pod(wire, job, on_pod_for_create) != ERR_OK) {
        wire_job_undo(job);
    }
}

static void on_pod_for_create(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->about);
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    if (reply->err == ERR_TOO_BIG && !job->is_large) {
        job->is_large = true;
        read_for_create(wire, job);
        return;
    }
    if (reply->err != ERR_OK && reply->err != ERR_NOT_FOUND) {
        bool is_final = reply->err == ERR_TOO_BIG;
        /* A slow API server says nothing about the cloud's rate. */
        enum err err = reply->err == ERR_THROTTLED ? ERR_BUSY : reply->err;
        create_done(wire, job, is_final ? CREATE_REFUSED : CREATE_LATER, err, STR_NONE,
                    is_final ? S("the pod object is larger than this node can read") : reply->why);
        return;
    }
    size_t mark = arena_mark(wire->arena);
    json object;
    enum err err = cluster_pod_read(wire, pod, reply, &object);
    if (err == ERR_NOT_FOUND) {
        create_done(wire, job, CREATE_POD_GONE, ERR_OK, STR_NONE, STR_NONE);
    } else if (err != ERR_OK) {
        create_done(wire, job, CREATE_LATER, err, STR_NONE, S("the pod object cannot be read"));
    } else if (!wants_group(wire, object, wire->arena)) {
        create_done(wire, job, CREATE_POD_CHANGED, ERR_OK, STR_NONE, STR_NONE);
        err = pods_seen(wire, object, wire->arena);
        if (err != ERR_OK) {
            log_line(LOG_WARN, "pods", "a changed pod could not be taken: %s", err_text(err));
        }
    } else {
        err = refs_start(wire, job, object);
        if (err != ERR_OK) {
            refs_done(wire, job, err, JSON_NONE, NULL);
        }
    }
    arena_rewind(wire->arena, mark);
}

void cloud_create(struct wire *wire, const struct effect *effect)
{
    struct wire_job *job = wire_job_take(wire, effect);
    if (job != NULL) {
        read_for_create(wire, job);
    }
}
