/*
 * wire_cloud.c - the cloud's side: groups are deleted, read and listed; replies become facts. How
 * one is created is in wire_create.c. Every reply is checked against its request (reliability.md
 * row 53): a row counts for the group whose id it carries and for nothing else.
 */
#include "app/wire.h"

#include <stdio.h>

#include "base/check.h"
#include "data/group_read.h"
#include "spec/tags.h"

void cloud_note_reach(struct wire *wire, enum err err, const struct eci_reply *reply)
{
    brain_cloud_answered(&wire->brain, err, reply->why, wire_now_ms(wire));
}

/* A poll asks for nothing special: when it is refused, our standing there is wrong (the region, a
 * permission), whatever the code, and nothing else will work either. */
static void note_poll(struct wire *wire, enum err err, const struct eci_reply *reply)
{
    bool is_refused = err_fate(err) == FATE_NEVER || err == ERR_FORBIDDEN;
    if (!is_refused) {
        cloud_note_reach(wire, err, reply);
        return;
    }
    char memory[POD_MESSAGE_BYTES];
    (void)snprintf(memory, sizeof memory, "ECI_REGION %s: %.*s", wire->config->eci_region.ptr,
                   STR_ARG(reply->why));
    brain_cloud_answered(&wire->brain, ERR_AUTH, str_of(memory), wire_now_ms(wire));
}

enum err cloud_start(struct wire *wire, struct wire_job *job, enum eci_action action,
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

uint64_t cloud_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

/* ---- delete ---------------------------------------------------------------------------------- */

static void on_deleted(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->subject);
    handle group = job->effect.groups[0];
    wire_job_give(job);
    cloud_note_reach(wire, err, reply);
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
        err = cloud_start(wire, job, ECI_DELETE_GROUP, &params, on_deleted);
    }
    arena_rewind(wire->arena, mark);
    if (err != ERR_OK) {
        wire_job_undo(job);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static uint64_t mix_state(uint64_t hash, const struct eci_state *state)
{
    hash = cloud_mix(hash, (uint64_t)state->kind);
    hash = cloud_mix(hash, str_hash(state->reason));
    hash = cloud_mix(hash, str_hash(state->message));
    hash = cloud_mix(hash, (uint64_t)state->started_at_s);
    hash = cloud_mix(hash, (uint64_t)state->finished_at_s);
    return cloud_mix(hash, (uint64_t)(uint32_t)state->exit_code << 32 | (uint32_t)state->signal);
}

/* Changes when anything in the row changes that a pod's status could show. Never 0. */
static uint64_t row_hash(const struct eci_status_row *row)
{
    uint64_t hash = cloud_mix(1, (uint64_t)row->status);
    hash = cloud_mix(hash, str_hash(row->phase));
    hash = cloud_mix(hash, str_hash(row->pod_ip));
    for (uint32_t i = 0; i < row->conditions_count; i++) {
        const struct eci_condition *c = &row->conditions[i];
        hash = cloud_mix(hash, str_hash(c->type) ^ str_hash(c->status) * 3);
        hash = cloud_mix(hash, str_hash(c->reason) ^ str_hash(c->message) * 3);
    }
    for (uint32_t i = 0; i < row->containers_count; i++) {
        const struct eci_container *c = &row->containers[i];
        hash = cloud_mix(hash, str_hash(c->name));
        hash = cloud_mix(hash, str_hash(c->image_id));
        hash = cloud_mix(hash, (uint64_t)(uint32_t)c->restarts << 2 | (c->is_ready ? 2u : 0u) |
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

/* One of those that were asked for? Then it counts as found. */
static bool was_asked(struct wire *wire, struct wire_job *job, str id)
{
    for (uint32_t i = 0; i < job->effect.groups_count; i++) {
        const struct group *group = brain_group(&wire->brain, job->effect.groups[i]);
        if (group != NULL && str_eq(str_of(group->id), id)) {
            job->was_found[i] = true;
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
    cloud_note_reach(wire, err, reply);
    if (err == ERR_OK) {
        struct group_read read;
        struct eci_status_row row;
        group_read_init(&read, reply->root, reply->arena);
        size_t mark = arena_mark(reply->arena);
        while (group_read_status(&read, &row)) {
            if (was_asked(wire, job, row.id)) {
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
    cloud_note_reach(wire, err, reply);
    if (err == ERR_OK) {
        struct group_read read;
        struct eci_group_row row;
        group_read_init(&read, reply->root, reply->arena);
        size_t mark = arena_mark(reply->arena);
        while (group_read_group(&read, &row)) {
            struct group *group =
                was_asked(wire, job, row.id) ? brain_find_group(&wire->brain, row.id) : NULL;
            if (group != NULL) {
                brain_detail_seen(&wire->brain, group, row.status, wire_now_ms(wire));
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
        err = cloud_start(wire, job, action, &params, on_done);
    }
    arena_rewind(wire->arena, mark);
    if (err != ERR_OK) {
        wire_job_undo(job);
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
        err = cloud_start(wire, job, ECI_DESCRIBE_STATUS, &params, on_page);
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
        wire_job_undo(job);
    }
}
