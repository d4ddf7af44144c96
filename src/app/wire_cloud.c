/*
 * wire_cloud.c - the cloud's side: groups are created, deleted, read and listed; replies become
 * facts. Every reply is checked against its request (reliability.md row 53): a row counts for the
 * group whose id it carries and for nothing else.
 */
#include "app/wire.h"

#include <stdio.h>

#include "app/wire_refs.h"
#include "base/check.h"
#include "base/hash.h"
#include "data/group_read.h"
#include "os/crash.h"
#include "spec/identity.h"
#include "spec/tags.h"

static void give_up(struct wire *wire, struct wire_job *job)
{
    brain_undo(&wire->brain, &job->effect, wire_now_ms(wire));
    wire_job_give(job);
}

/* Whether the cloud answers at all: every reply says something about that. */
static void note_reach(struct wire *wire, enum err err, const struct eci_reply *reply)
{
    brain_cloud_answered(&wire->brain, err, reply->why, wire_now_ms(wire));
}

/* A poll asks for nothing special: when it is refused, our standing there is wrong (the region, a
 * permission), whatever the code, and nothing else will work either. */
static void note_poll(struct wire *wire, enum err err, const struct eci_reply *reply)
{
    bool is_refused = err_fate(err) == FATE_NEVER || err == ERR_FORBIDDEN;
    if (!is_refused) {
        note_reach(wire, err, reply);
        return;
    }
    char memory[POD_MESSAGE_BYTES];
    (void)snprintf(memory, sizeof memory, "ECI_REGION %s: %.*s", wire->config->eci_region.ptr,
                   STR_ARG(reply->why));
    brain_cloud_answered(&wire->brain, ERR_AUTH, str_of(memory), wire_now_ms(wire));
}

static enum err start(struct wire *wire, struct wire_job *job, enum eci_action action,
                      struct params *params, eci_call_done *on_done)
{
    bool only_reads = wire->brain.only_looks && job->effect.kind == EFFECT_READ_DETAIL;
    if (!only_reads && !leader_may_act(wire)) { /* deposed between two steps of one effect */
        return ERR_FULL;
    }
    const struct eci_want want = {.action = action,
                                  .params = params,
                                  .on_done = on_done,
                                  .owner = wire,
                                  .subject = wire_job_handle(job)};
    return eci_call_start(&wire->cloud, &want, NULL);
}

/* ---- create ---------------------------------------------------------------------------------- */

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
    note_reach(wire, err, reply);
    str id = err == ERR_OK ? group_read_created_id(reply->root, reply->arena) : STR_NONE;
    if (err == ERR_OK && str_is_empty(id)) {
        err = ERR_LOST_WRITE; /* a success that names no group: look before doing anything more */
    }
    enum create_outcome outcome = CREATE_LATER;
    if (err == ERR_OK) {
        outcome = CREATE_ACCEPTED;
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

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

/* What they are about, not how they put it: the words may hold a time. Never 0. */
static uint64_t warnings_hash(const struct spec_verdict *verdict)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < verdict->warnings_count; i++) {
        const struct spec_remark *one = &verdict->warnings[i];
        hash = mix(hash, str_hash(one->where));
        hash = mix(hash, one->reason != NULL ? str_hash(str_of(one->reason)) : 1);
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
        handle pod = job->effect.pod;
        const char *reason = verdict_reason(verdict);
        wire_job_give(job);
        brain_create_waits(&wire->brain, pod, reason, buf_str(&text), wire_now_ms(wire));
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
    if (err == ERR_BUSY) { /* the labels of its namespace come in a moment */
        give_up(wire, job);
        return;
    }
    if (err == ERR_OK) {
        err = params_init(&params, wire->arena);
    }
    if (err == ERR_OK) {
        cluster_policy(wire, job->effect.pod, object, &spec);
        err = pod_json_to_eci(object, refs, &spec, pod->attempt, &params, NULL, &verdict);
    }
    if (err == ERR_OK) {
        err = start(wire, job, ECI_CREATE_GROUP, &params, on_created);
        if (err == ERR_OK) {
            tell_warnings(wire, job->effect.pod, &verdict);
            profile_wire_show(wire, pod, &spec);
            return;
        }
        if (err == ERR_FULL || err == ERR_NO_MEMORY) {
            give_up(wire, job);
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
        give_up(wire, job);
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
        give_up(wire, job);
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
        err = cluster_pod_seen(wire, object, wire->arena);
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

/* ---- delete ---------------------------------------------------------------------------------- */

static void on_deleted(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->subject);
    handle group = job->effect.groups[0];
    wire_job_give(job);
    note_reach(wire, err, reply);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        log_line(LOG_WARN, "cloud", "DeleteContainerGroup: %.*s", STR_ARG(reply->why));
    }
    brain_delete_done(&wire->brain, group, err, wire_now_ms(wire));
}

void cloud_delete(struct wire *wire, const struct effect *effect)
{
    struct wire_job *job = wire_job_take(wire, effect);
    if (job == NULL) {
        return;
    }
    const struct group *group = brain_group(&wire->brain, effect->groups[0]);
    struct params params;
    size_t mark = arena_mark(wire->arena);
    enum err err = params_init(&params, wire->arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupId"), str_of(group->id));
        /* Makes the call repeatable for the line below us; another delete is another request. */
        params_add(
            &params, S("ClientToken"),
            arena_fmt(wire->arena, "delete-%016llx", (unsigned long long)prng_u64(&wire->prng)));
        if (effect->is_forced) {
            params_add_bool(&params, S("Force"), true);
        }
        err = start(wire, job, ECI_DELETE_GROUP, &params, on_deleted);
    }
    arena_rewind(wire->arena, mark);
    if (err != ERR_OK) {
        give_up(wire, job);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static uint64_t mix_state(uint64_t hash, const struct eci_state *state)
{
    hash = mix(hash, (uint64_t)state->kind);
    hash = mix(hash, str_hash(state->reason));
    hash = mix(hash, str_hash(state->message));
    hash = mix(hash, (uint64_t)state->started_at_s);
    hash = mix(hash, (uint64_t)state->finished_at_s);
    return mix(hash, (uint64_t)(uint32_t)state->exit_code << 32 | (uint32_t)state->signal);
}

/* Changes when anything in the row changes that a pod's status could show. Never 0. */
static uint64_t row_hash(const struct eci_status_row *row)
{
    uint64_t hash = mix(1, (uint64_t)row->status);
    hash = mix(hash, str_hash(row->phase));
    hash = mix(hash, str_hash(row->pod_ip));
    for (uint32_t i = 0; i < row->conditions_count; i++) {
        const struct eci_condition *c = &row->conditions[i];
        hash = mix(hash, str_hash(c->type) ^ str_hash(c->status) * 3);
        hash = mix(hash, str_hash(c->reason) ^ str_hash(c->message) * 3);
    }
    for (uint32_t i = 0; i < row->containers_count; i++) {
        const struct eci_container *c = &row->containers[i];
        hash = mix(hash, str_hash(c->name));
        hash = mix(hash, str_hash(c->image_id));
        hash = mix(hash, (uint64_t)(uint32_t)c->restarts << 2 | (c->is_ready ? 2u : 0u) |
                             (c->is_started ? 1u : 0u));
        hash = mix_state(mix_state(hash, &c->now), &c->last);
    }
    return hash | 1;
}

/* One status row. False when it could not be taken (no slot). */
static bool take_row(struct wire *wire, const struct eci_status_row *row, msec read_ms)
{
    uint64_t hash = row_hash(row);
    struct group *group =
        brain_row_seen(&wire->brain, row->id, row->status, hash, read_ms, wire_now_ms(wire));
    if (group == NULL) {
        return false;
    }
    cluster_report_row(wire, group, row, hash);
    return true;
}

static void mark_found(struct wire *wire, struct wire_job *job, str id)
{
    for (uint32_t i = 0; i < job->effect.groups_count; i++) {
        const struct group *group = brain_group(&wire->brain, job->effect.groups[i]);
        if (group != NULL && str_eq(str_of(group->id), id)) {
            job->was_found[i] = true;
        }
    }
}

static bool was_asked(struct wire *wire, const struct wire_job *job, str id)
{
    for (uint32_t i = 0; i < job->effect.groups_count; i++) {
        const struct group *group = brain_group(&wire->brain, job->effect.groups[i]);
        if (group != NULL && str_eq(str_of(group->id), id)) {
            return true;
        }
    }
    return false;
}

/* ---- read by ids ----------------------------------------------------------------------------- */

static void read_done(struct wire *wire, struct wire_job *job, enum err err)
{
    const struct wire_job done = *job;
    wire_job_give(job);
    brain_read_done(&wire->brain, &done.effect, err, done.was_found, wire_now_ms(wire));
}

static void on_read(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->subject);
    note_reach(wire, err, reply);
    if (err == ERR_OK) {
        struct group_read read;
        struct eci_status_row row;
        group_read_init(&read, reply->root, reply->arena);
        size_t mark = arena_mark(reply->arena);
        while (group_read_status(&read, &row)) {
            if (was_asked(wire, job, row.id)) {
                mark_found(wire, job, row.id);
                (void)take_row(wire, &row, job->effect.started_ms); /* known: it has its slot */
            }
            arena_rewind(reply->arena, mark);
        }
        err = group_read_is_whole(&read) ? ERR_OK : ERR_BAD_REPLY;
    }
    read_done(wire, job, err);
}

static bool is_ours(const struct wire *wire, const struct eci_group_row *row)
{
    return str_eq(eci_group_tag(row, str_of(tag_key(TAG_CLUSTER))),
                  tag_value(wire->spec.cluster_id)) &&
           str_eq(eci_group_tag(row, str_of(tag_key(TAG_NODE))), tag_value(wire->spec.node_name));
}

static void take_tags(struct wire *wire, struct group *group, const struct eci_group_row *row,
                      struct arena *arena)
{
    uint64_t attempt = 0;
    bool has_attempt = str_to_u64(eci_group_tag(row, str_of(tag_key(TAG_ATTEMPT))), &attempt) &&
                       attempt > 0 && attempt < UINT32_MAX;
    const struct tag_facts tags = {
        .uid = eci_group_tag(row, str_of(tag_key(TAG_UID))),
        .name_space = eci_group_tag(row, str_of(tag_key(TAG_NAMESPACE))),
        .name = arena_fmt(arena, "%.*s%.*s",
                          STR_ARG(eci_group_tag(row, str_of(tag_key(TAG_POD)))),
                          STR_ARG(eci_group_tag(row, str_of(tag_key(TAG_POD_REST))))),
        .attempt = has_attempt ? (uint32_t)attempt : 1,
        .created_unix_s = row->created_at_s,
        .is_ours = is_ours(wire, row),
    };
    if (!tags.is_ours) {
        log_line(LOG_WARN, "cloud", "container group %s does not carry our tags; left alone",
                 group->id);
    }
    brain_tags_seen(&wire->brain, group, &tags, wire_now_ms(wire));
}

static void on_detail(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->subject);
    note_reach(wire, err, reply);
    if (err == ERR_OK) {
        struct group_read read;
        struct eci_group_row row;
        group_read_init(&read, reply->root, reply->arena);
        size_t mark = arena_mark(reply->arena);
        while (group_read_group(&read, &row)) {
            struct group *group =
                was_asked(wire, job, row.id) ? brain_find_group(&wire->brain, row.id) : NULL;
            if (group != NULL) {
                mark_found(wire, job, row.id);
                if (!group->has_tags || group->is_noted || group->must_date) {
                    take_tags(wire, group, &row, reply->arena);
                }
                cluster_report_init(wire, group, &row);
            }
            arena_rewind(reply->arena, mark);
        }
        err = group_read_is_whole(&read) ? ERR_OK : ERR_BAD_REPLY;
    }
    read_done(wire, job, err);
}

static void put_ids(struct wire *wire, const struct effect *effect, struct buf *out)
{
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < effect->groups_count; i++) {
        const struct group *group = brain_group(&wire->brain, effect->groups[i]);
        buf_put_fmt(out, "%s\"%s\"", i > 0 ? "," : "", group->id);
    }
    buf_put_char(out, ']');
}

static void read_ids(struct wire *wire, const struct effect *effect, enum eci_action action,
                     eci_call_done *on_done)
{
    struct wire_job *job = wire_job_take(wire, effect);
    if (job == NULL) {
        return;
    }
    char memory[READ_BATCH_MAX * (GROUP_ID_BYTES + 4)];
    struct buf ids;
    buf_init(&ids, memory, sizeof memory);
    put_ids(wire, effect, &ids);
    CHECK(buf_ok(&ids));
    struct params params;
    size_t mark = arena_mark(wire->arena);
    enum err err = params_init(&params, wire->arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupIds"), buf_str(&ids));
        params_add_i64(&params, S("Limit"), READ_BATCH_MAX);
        err = start(wire, job, action, &params, on_done);
    }
    arena_rewind(wire->arena, mark);
    if (err != ERR_OK) {
        give_up(wire, job);
    }
}

void cloud_read(struct wire *wire, const struct effect *effect)
{
    read_ids(wire, effect, ECI_DESCRIBE_STATUS, on_read);
}

void cloud_read_detail(struct wire *wire, const struct effect *effect)
{
    read_ids(wire, effect, ECI_DESCRIBE_GROUPS, on_detail);
}

/* ---- deltas and sweeps ----------------------------------------------------------------------- */

#define SWEEP_PAGES_MAX 1000 /* 200,000 groups; a service that pages for ever ends as failed */
#define SWEEP_PAGE_MIN 10    /* rows asked for when pages were too big */

static void poll_done(struct wire *wire, struct wire_job *job, enum err err)
{
    const struct wire_job done = *job;
    wire_job_give(job);
    msec now_ms = wire_now_ms(wire);
    if (done.effect.kind == EFFECT_SWEEP) {
        brain_sweep_done(&wire->brain, err, done.is_complete, done.rows, done.effect.started_ms,
                         now_ms);
    } else {
        brain_delta_done(&wire->brain, err, done.effect.started_ms, now_ms);
    }
}

static void on_page(void *owner, enum err err, const struct eci_reply *reply);

static enum err ask_page(struct wire *wire, struct wire_job *job)
{
    struct params params;
    size_t mark = arena_mark(wire->arena);
    enum err err = params_init(&params, wire->arena);
    if (err == ERR_OK) {
        params_add_i64(&params, S("Limit"), wire->page_rows);
        params_add(&params, S("Tag.1.Key"), str_of(tag_key(TAG_CLUSTER)));
        params_add(&params, S("Tag.1.Value"), tag_value(wire->spec.cluster_id));
        params_add(&params, S("Tag.2.Key"), str_of(tag_key(TAG_NODE)));
        params_add(&params, S("Tag.2.Value"), tag_value(wire->spec.node_name));
        if (job->effect.kind == EFFECT_DELTA) {
            params_add_i64(&params, S("SinceSecond"), job->effect.since_s);
        }
        if (job->next_token[0] != '\0') {
            params_add(&params, S("NextToken"), str_of(job->next_token));
        }
        err = start(wire, job, ECI_DESCRIBE_STATUS, &params, on_page);
    }
    arena_rewind(wire->arena, mark);
    return err;
}

/* Rows of one page. ERR_OK: more_pages tells whether there is another. */
static enum err take_page(struct wire *wire, struct wire_job *job, const struct eci_reply *reply,
                          bool *more_pages)
{
    struct group_read read;
    struct eci_status_row row;
    group_read_init(&read, reply->root, reply->arena);
    size_t mark = arena_mark(reply->arena);
    while (group_read_status(&read, &row)) {
        job->rows++;
        job->is_complete = take_row(wire, &row, job->effect.started_ms) && job->is_complete;
        arena_rewind(reply->arena, mark);
    }
    job->is_complete = group_read_is_whole(&read) && job->is_complete;
    *more_pages = !str_is_empty(read.next_token);
    if (!str_copy(job->next_token, sizeof job->next_token, read.next_token)) {
        return ERR_TOO_BIG;
    }
    return ++job->pages < SWEEP_PAGES_MAX ? ERR_OK : ERR_BAD_REPLY;
}

static void on_page(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->subject);
    note_poll(wire, err, reply);
    bool more_pages = false;
    if (err == ERR_OK) {
        err = take_page(wire, job, reply, &more_pages);
    } else if (wire->brain.cloud.failures <= 1) {
        log_line(LOG_WARN, "cloud", "DescribeContainerGroupStatus: %.*s", STR_ARG(reply->why));
    }
    if (err == ERR_OK && more_pages) {
        brain_page_asked(&wire->brain, wire_now_ms(wire));
        err = ask_page(wire, job);
        if (err == ERR_OK) {
            return;
        }
    }
    if ((err == ERR_TOO_BIG || err == ERR_FULL) && wire->page_rows / 2 >= SWEEP_PAGE_MIN) {
        wire->page_rows /= 2; /* many containers, long messages: the next poll asks for less */
    }
    poll_done(wire, job, err);
}

void cloud_poll(struct wire *wire, const struct effect *effect)
{
    struct wire_job *job = wire_job_take(wire, effect);
    if (job == NULL) {
        return;
    }
    job->is_complete = true;
    if (ask_page(wire, job) != ERR_OK) {
        give_up(wire, job);
    }
}
