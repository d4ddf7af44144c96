/*
 * model_api.c - the API server as far as the brain can tell: objects with UIDs, versions and
 * preconditions; a watch log that is compacted; lists that may come from a replica which is behind.
 */
#include <stdlib.h>

#include "world.h"

#define STALE_MAX 64 /* changes that a replica is behind at most */

struct world_pod *pod_of_uid(struct world *world, const char *uid, uint32_t *slot)
{
    *slot = (uint32_t)strtoul(uid + strlen("00000000-0000-4000-8000-"), NULL, 10);
    return *slot < world->pods_count ? &world->pods[*slot] : NULL;
}

/* ---- the watch log --------------------------------------------------------------------------- */

static struct world_change *change_of(struct world *world, uint64_t version)
{
    return &world->log[version % WORLD_LOG_MAX];
}

static void send_event(struct world *world, struct world_agent *agent, uint64_t version,
                       msec delay_ms, bool is_in_order)
{
    msec at_ms = world->now_ms + delay_ms;
    if (is_in_order) {
        at_ms = at_ms > agent->watch_last_ms ? at_ms : agent->watch_last_ms;
        agent->watch_last_ms = at_ms;
    }
    struct world_step *step = world_step_new(world, STEP_WATCH, at_ms - world->now_ms);
    step->agent = agent_number(world, agent);
    step->life = agent->life;
    step->epoch = agent->watch_epoch;
    step->version = version;
    step->a = change_of(world, version)->pod;
    step->object = change_of(world, version)->after;
}

/* A stream delivers in order; a lost, doubled or late event is what a broken cache between us and
 * the truth makes of it. */
static void offer_event(struct world *world, struct world_agent *agent, uint64_t version)
{
    const struct world_options *options = &world->options;
    if (!agent->is_alive || !agent->is_watching || agent->api_cut != CUT_NONE ||
        world_chance(world, options->event_drop)) {
        return;
    }
    if (world_chance(world, options->event_reorder)) {
        send_event(world, agent, version, world_up_to(world, 5000), false);
        return;
    }
    send_event(world, agent, version, world_delay(world), true);
    if (world_chance(world, options->event_twice)) {
        send_event(world, agent, version, world_up_to(world, 20000), false);
    }
}

void api_changed(struct world *world, uint32_t pod, const struct world_object *before)
{
    uint64_t version = ++world->version;
    world->pods[pod].object.version = version;
    *change_of(world, version) = (struct world_change){
        .version = version, .pod = pod, .before = *before, .after = world->pods[pod].object};
    if (world->compacted + WORLD_LOG_MAX <= version) {
        world->compacted = version - WORLD_LOG_MAX + 1;
    }
    for (uint32_t i = 0; i < world->options.agents; i++) {
        offer_event(world, &world->agents[i], version);
    }
}

void api_watch_event(struct world *world, struct world_agent *agent, const struct world_step *step)
{
    if (step->epoch != agent->watch_epoch) {
        return; /* of a stream that was cut */
    }
    if (step->version > agent->watch_version) {
        agent->watch_version = step->version;
    }
    if (step->object.exists) {
        agent_give_object(world, agent, step->a, &step->object);
    } else {
        brain_pod_deleted(agent->brain, str_of(world->pods[step->a].uid), agent_now(world, agent));
    }
}

static struct world_step *api_step(struct world *world, struct world_agent *agent,
                                   enum step_kind kind, msec delay_ms)
{
    struct world_step *step = world_step_new(world, kind, delay_ms);
    step->agent = agent_number(world, agent);
    step->life = agent->life;
    step->epoch = agent->watch_epoch;
    return step;
}

void api_watch_cut(struct world *world, struct world_agent *agent, msec reopen_ms)
{
    if (agent->is_alive && agent->is_watching) {
        agent->is_watching = false;
        agent->watch_epoch++;
        (void)api_step(world, agent, STEP_OPEN, reopen_ms);
    }
}

/* Resumed where it was; what was compacted meanwhile is "gone" (410), and then a list is made. */
void api_watch_open(struct world *world, struct world_agent *agent)
{
    if (agent->api_cut != CUT_NONE) {
        (void)api_step(world, agent, STEP_OPEN, world_up_to(world, 10000));
        return;
    }
    if (agent->watch_version < world->compacted) {
        (void)api_step(world, agent, STEP_LIST, world_delay(world));
        return;
    }
    agent->is_watching = true;
    agent->watch_last_ms = world->now_ms;
    for (uint64_t v = agent->watch_version + 1; v <= world->version; v++) {
        offer_event(world, agent, v);
    }
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* The object as it was at that version, which is in the log. */
static const struct world_object *object_at(struct world *world, uint32_t pod, uint64_t version)
{
    const struct world_object *object = &world->pods[pod].object;
    for (uint64_t v = version + 1; object->version > version && v <= world->version; v++) {
        if (change_of(world, v)->pod == pod) {
            return &change_of(world, v)->before;
        }
    }
    return object;
}

/* How far behind the server is that answers this list. */
static uint64_t list_version(struct world *world)
{
    if (!world_chance(world, world->options.stale_list)) {
        return world->version;
    }
    world->figures.stale_lists++;
    uint64_t back = prng_below(&world->prng, STALE_MAX), least = world->compacted;
    return world->version > least + back ? world->version - back : least;
}

void api_list(struct world *world, struct world_agent *agent)
{
    bool breaks = world_chance(world, world->options.list_breaks);
    if (agent->api_cut != CUT_NONE) {
        (void)api_step(world, agent, STEP_LIST, world_up_to(world, 10000));
        return;
    }
    agent->is_watching = false;
    agent->watch_epoch++;
    world->figures.relists++;
    uint64_t version = list_version(world);
    brain_list_begin(agent->brain, agent_now(world, agent));
    for (uint32_t i = 0; i < world->pods_count; i++) {
        const struct world_object *object = object_at(world, i, version);
        if (object->exists) {
            agent_give_object(world, agent, i, object);
        }
        if (breaks && i > world->pods_count / 2) { /* the token of the next page has expired */
            (void)api_step(world, agent, STEP_LIST, world_up_to(world, 5000));
            return;
        }
    }
    brain_list_end(agent->brain, true, agent_now(world, agent));
    agent->has_listed = true;
    agent->watch_version = version;
    (void)api_step(world, agent, STEP_OPEN, world_delay(world));
}

/* ---- requests -------------------------------------------------------------------------------- */

static void finish(struct world *world, struct world_pod *pod, uint32_t slot,
                   const struct world_step *request)
{
    check_finish(world, pod, request);
    struct world_object before = pod->object;
    pod->object.exists = false;
    world->pods_existing--;
    world->figures.finishes++;
    api_changed(world, slot, &before);
}

static void write_status(struct world *world, struct world_pod *pod, uint32_t slot,
                         const struct world_step *request)
{
    struct world_object before = pod->object;
    pod->told_ms = world->now_ms;
    if (request->is_init) {
        pod->object.past.init_hash = request->past.init_hash;
        return;
    }
    uint64_t writer = step_writer(request);
    check_status(world, pod, request->past.phase, writer);
    pod->writer = writer;
    pod->object.phase = request->past.phase;
    if (request->effect.kind == EFFECT_PATCH) {
        pod->object.instance = request->a + 1;
    }
    pod->object.past = request->past;
    pod->object.past.init_hash = before.past.init_hash;
    api_changed(world, slot, &before);
}

void api_arrive(struct world *world, struct world_step *request, struct world_step *reply)
{
    uint32_t slot = 0;
    struct world_pod *pod = pod_of_uid(world, request->uid, &slot);
    enum effect_kind kind = request->effect.kind;
    reply->a = slot;
    if (pod == NULL || !pod->object.exists) {
        reply->err = kind == EFFECT_CREATE ? ERR_OK : ERR_NOT_FOUND;
        reply->outcome = CREATE_POD_GONE;
        return;
    }
    if (kind == EFFECT_CREATE) {
        bool has_changed = pod->object.is_leaving || pod_phase_is_terminal(pod->object.phase);
        reply->outcome = has_changed ? CREATE_POD_CHANGED : CREATE_ACCEPTED;
    } else if (kind != EFFECT_PROVE && world_chance(world, world->options.conflict)) {
        reply->err = ERR_CONFLICT;
    } else if (kind == EFFECT_SAY && pod_phase_is_terminal(pod->object.phase) &&
               !pod_phase_is_terminal(request->past.phase)) {
        reply->err = ERR_CONFLICT; /* it is read first, and an end is the end */
    } else if (kind == EFFECT_FINISH) {
        finish(world, pod, slot, request);
    } else if (kind != EFFECT_PROVE) {
        write_status(world, pod, slot, request);
    }
}
