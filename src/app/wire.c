/*
 * wire.c - one turn of the program: facts were collected, the brain says what follows, this
 * performs it. See wire.h for the other files; the table below is the way from an effect to its
 * code.
 */
#include "app/wire.h"

#include <stdio.h>

#include "app/connect.h"
#include "base/check.h"
#include "data/group_read.h"
#include "os/crash.h"
#include "os/os.h"

typedef void perform(struct wire *wire, const struct effect *effect);

static void relist(struct wire *wire, const struct effect *effect)
{
    (void)effect;
    kube_watch_relist(&wire->pods);
}

static perform *const performers[EFFECT_KIND_COUNT] = {
    [EFFECT_DELETE] = cloud_delete,  [EFFECT_FINISH] = cluster_finish,
    [EFFECT_PROVE] = cluster_prove,  [EFFECT_READ] = cloud_read,
    [EFFECT_READ_DETAIL] = cloud_read_detail, [EFFECT_SAY] = cluster_say,
    [EFFECT_CREATE] = cloud_create,  [EFFECT_DELTA] = cloud_poll,
    [EFFECT_SWEEP] = cloud_poll,     [EFFECT_RELIST] = relist,
};

/* A listing of many groups leaves megabytes touched in the arena: give them back. */
static void release_arena(struct arena *arena)
{
    if (arena->used == 0 && arena->peak > WIRE_ARENA_RELEASE) {
        os_map_release_pages(arena->ptr + WIRE_ARENA_KEEP, arena->peak - WIRE_ARENA_KEEP);
        arena->peak = 0;
    }
}

/* From now on this gateway acts. */
static void begin(struct wire *wire)
{
    if (wire->brain.only_looks) {
        kube_watch_stop(&wire->pods);
        brain_begin_anew(&wire->brain);
    }
    kube_watch_start(&wire->pods);
    node_start(wire);
}

void wire_enter(const struct wire *wire, const char *doing, handle h)
{
    const struct pod *pod = brain_pod(&wire->brain, h);
    if (pod != NULL) {
        crash_enter(doing, str_of(pod->uid), str_of(pod->name_space), str_of(pod->name));
    } else {
        crash_enter(doing, STR_NONE, STR_NONE, STR_NONE);
    }
}

void wire_turn(struct wire *wire)
{
    struct effect effect;
    crash_turn();
    if (leader_turn(wire)) {
        begin(wire);
    } else if (wire->leader.waits && !wire->brain.only_looks && !wire->is_stopping) {
        brain_only_look(&wire->brain); /* so that whoever asks here is answered */
        kube_watch_start(&wire->pods);
    }
    bool leads = leader_may_act(wire);
    if (!wire->brain.polls_are_on && node_is_ours(wire) && leads && profile_wire_is_known(wire)) {
        brain_start(&wire->brain, wire_now_ms(wire));
    }
    /* Nothing is done, not even a status written, before the node is known to be ours. */
    bool may_act = wire->brain.polls_are_on && !wire->is_stopping && leads;
    bool may_look = wire->brain.only_looks && !wire->is_stopping;
    while ((may_look || (may_act && leader_may_act(wire))) &&
           brain_next(&wire->brain, wire_now_ms(wire), &effect)) {
        CHECK(performers[effect.kind] != NULL);
        if (log_is_on(LOG_DEBUG) && effect.groups_count == 0) {
            const struct pod *pod = brain_pod(&wire->brain, effect.pod);
            log_line(LOG_DEBUG, "brain", "%s %s/%s: %s", effect_name(effect.kind),
                     pod != NULL ? pod->name_space : "-", pod != NULL ? pod->name : "-",
                     effect.why);
        }
        wire_enter(wire, effect_name(effect.kind), effect.pod);
        performers[effect.kind](wire, &effect);
        crash_leave();
    }
    if (leads) { /* who waits says nothing to the cluster */
        cluster_post_events(wire);
    }
    events_turn(wire);
    capacity_wire_turn(wire);
    node_turn(wire);
    webhook_wire_turn(wire);
    release_arena(wire->arena);
    msec wake_ms = brain_wake_ms(&wire->brain, wire_now_ms(wire));
    if (wake_ms == INT64_MAX || !(may_act || may_look)) {
        loop_timer_clear(wire->loop, &wire->wake);
    } else {
        loop_timer_set(wire->loop, &wire->wake, wake_ms);
    }
}

/* ---- jobs ------------------------------------------------------------------------------------ */

struct wire_job *wire_job_take(struct wire *wire, const struct effect *effect)
{
    handle h;
    if (pool_take(&wire->jobs, &h) != ERR_OK) {
        brain_undo(&wire->brain, effect, wire_now_ms(wire));
        return NULL;
    }
    struct wire_job *job = pool_at(&wire->jobs, h);
    job->wire = wire;
    job->effect = *effect;
    return job;
}

handle wire_job_handle(const struct wire_job *job)
{
    return pool_handle_of(&job->wire->jobs, job);
}

struct wire_job *wire_job_at(struct wire *wire, handle h)
{
    return pool_at(&wire->jobs, h);
}

void wire_job_give(struct wire_job *job)
{
    pool_give(&job->wire->jobs, wire_job_handle(job));
}

void wire_job_undo(struct wire_job *job)
{
    brain_undo(&job->wire->brain, &job->effect, wire_now_ms(job->wire));
    wire_job_give(job);
}

msec wire_now_ms(const struct wire *wire)
{
    return wire->loop->now_ms;
}

int64_t wire_now_s(const struct wire *wire)
{
    (void)wire;
    return os_wall_s();
}

/* ---- start and stop -------------------------------------------------------------------------- */

static void on_wake(struct loop_timer *timer)
{
    (void)timer; /* the turn that follows does the work */
}

static void brain_config_of(const struct wire *wire, uint64_t seed, struct brain_config *out)
{
    const struct config *config = wire->config;
    *out = (struct brain_config){
        .pods_max = wire->limits.pods_max,
        .groups_max = wire->limits.groups_max,
        .poll_fast_ms = config->poll_fast_ms,
        .poll_slow_ms = config->poll_slow_ms,
        .sweep_ms = (msec)config->sweep_seconds * 1000,
        .absence_ms = (msec)config->absence_seconds * 1000,
        .absence_sweeps = config->absence_sweeps,
        .young_ms = WIRE_YOUNG_MS,
        .brake_percent = config->orphan_brake_percent,
        .brake_min = config->orphan_brake_min,
        .create_per_minute = config->create_per_minute,
        .delete_per_minute = config->delete_per_minute,
        .describe_per_minute = config->describe_per_minute,
        .status_per_minute = config->status_per_minute,
        .cloud_calls_max = wire->limits.cloud_calls_max,
        .kube_calls_max = wire->limits.kube_calls_max,
        .seed = seed,
    };
}

static enum err cloud_init(struct wire *wire, struct region *region, bool is_real)
{
    const struct config *config = wire->config;
    void *memory = region_carve(region, "cloud CA anchors", 1, CONNECT_ANCHORS_BYTES);
    arena_init(&wire->anchors_memory, memory, is_real ? CONNECT_ANCHORS_BYTES : 0);
    const struct eci_call_config cloud = {
        .endpoint = config->eci_endpoint,
        .region_id = config->eci_region,
        .proxy = config->eci_proxy,
        .anchors = &wire->anchors,
        .arena = wire->arena,
        .small_count = wire->limits.cloud_calls_max,
        .small_bytes = 64 * 1024,
        .page_count = 4 + LOGS_CALLS_MAX + STATS_CALLS_MAX + wire->limits.cloud_calls_max / 4,
        .page_bytes = 2 * 1024 * 1024,
        .kept_max = wire->limits.cloud_calls_max,
    };
    return eci_client_init(&wire->cloud, wire->loop, region, &cloud);
}

enum err wire_init(struct wire *wire, const struct config *config, struct loop *loop,
                   struct region *region, struct arena *arena, bool is_real)
{
    wire->config = config;
    wire->loop = loop;
    wire->arena = arena;
    limits_of_config(config, &wire->limits);
    wire->page_rows = WIRE_PAGE_ROWS;
    uint64_t seed = 1;
    if (is_real) {
        os_random(&seed, sizeof seed);
    }
    struct brain_config brain;
    brain_config_of(wire, seed, &brain);
    brain_init(&wire->brain, &brain, region, os_now_ms());
    prng_seed(&wire->prng, seed);
    pool_init(&wire->jobs, region, "jobs",
              wire->limits.kube_calls_max + wire->limits.cloud_calls_max + 8,
              sizeof(struct wire_job));
    char *body = region_carve(region, "status body", 1, WIRE_BODY_BYTES);
    if (is_real) {
        buf_init(&wire->body, body, WIRE_BODY_BYTES);
        connect_spec(config, &wire->spec);
        const char *fault = spec_config_fault(&wire->spec);
        if (fault != NULL) {
            log_line(LOG_ERROR, "config", "%s", fault);
            return ERR_INVALID;
        }
    }
    refs_init(wire, region);
    cluster_init(wire, region);
    node_init(wire, region);
    leader_init(wire, region);
    status_init(wire, region);
    kubelet_init(wire, region);
    profile_wire_init(wire, region);
    events_init(wire);
    capacity_wire_init(wire);
    webhook_wire_init(wire, region);
    loop_timer_init(&wire->wake, on_wake, wire);
    streams_init(wire, region);
    return cloud_init(wire, region, is_real);
}

static void find_address(struct wire *wire)
{
    if (!connect_address(&wire->auth, wire->config, wire->address)) {
        log_line(LOG_WARN, "start",
                 "VKUBELET_POD_IP is not given and cannot be found out: "
                 "kubectl logs and exec will not find this node");
    }
    wire->spec.node_address = str_of(wire->address);
    wire->node.facts.address = str_of(wire->address);
}

enum err wire_start(struct wire *wire, struct buf *why)
{
    const struct config *config = wire->config;
    enum err err = connect_kube(&wire->auth, config);
    if (err != ERR_OK) {
        buf_put_text(why, wire->auth.why);
        return err;
    }
    if (wire->auth.why[0] != '\0') {
        log_line(LOG_WARN, "kube", "%s", wire->auth.why);
    }
    find_address(wire);
    err = connect_trust(&wire->anchors, &wire->anchors_memory, wire->arena, config, why);
    if (err != ERR_OK) {
        return err;
    }
    streams_start(wire);
    err = connect_keys(&wire->cloud, wire->config);
    if (err != ERR_OK) {
        buf_put_fmt(why, "ECI_ACCESS_KEY/ECI_SECRET_KEY: %s", err_text(err));
        return err;
    }
    log_line(LOG_INFO, "start", "cluster %s, cloud %s region %s, node %s", wire->auth.url,
             config->eci_endpoint.ptr, config->eci_region.ptr, config->node_name.ptr);
    status_start(wire);
    kubelet_start(wire);
    profile_wire_start(wire);
    if (config->leader_elect) {
        leader_start(wire);
    } else {
        begin(wire);
    }
    webhook_wire_start(wire);
    return ERR_OK;
}

void wire_reload(struct wire *wire)
{
    if (connect_keys(&wire->cloud, wire->config) != ERR_OK) {
        log_line(LOG_WARN, "config", "the new cloud keys cannot be used; keeping the old ones");
    }
    if (kube_auth_reload(&wire->auth)) {
        log_line(LOG_INFO, "kube", "credentials changed");
    }
}

bool wire_is_idle(const struct wire *wire)
{
    return wire->jobs.count == 0 && !kube_lease_is_busy(&wire->leader.lease);
}

void wire_stop(struct wire *wire)
{
    wire->is_stopping = true;
    kube_watch_stop(&wire->pods);
    profile_wire_stop(wire);
    webhook_wire_stop(wire);
    node_stop(wire);
    leader_stop(wire);
    status_stop(wire);
    kubelet_stop(wire);
}
