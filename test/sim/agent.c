/* agent.c - a gateway process around a real brain: starts, sends requests, dies. See world.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/region.h"
#include "world.h"

#define RECOVERING_MS 60000 /* a crash so soon after the start is one during recovery */
#define PROOF_LASTS_MS 2500 /* a reply that shows a group proves it so long; clocks run wrong */
#define REQUEST_MS 5000     /* a request's time-out, and up to delay_max more */
#define ORPHAN_MAX_MS \
    60000 /* a status of a process that died at once is on its way so long at most */
#define LATE_MAX_MS 25000 /* a late request arrives so long after its time-out at most */

uint32_t agent_number(const struct world *world, const struct world_agent *agent)
{
    return (uint32_t)(agent - world->agents);
}

msec agent_now(const struct world *world, const struct world_agent *agent)
{
    return agent->clock_start_ms + (world->now_ms - agent->born_ms) * agent->clock_rate / 1000;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* A new life has a clock of its own: monotonic time starts anywhere and runs a little wrong. Of
 * wall time the brain sees only the cloud's stamps. */
static void set_clock(struct world *world, struct world_agent *agent)
{
    agent->born_ms = world->now_ms;
    agent->clock_start_ms = world->now_ms;
    agent->clock_rate = 1000;
    if (world->options.drift > 0) {
        agent->clock_start_ms = world_up_to(world, 1000000000);
        agent->clock_rate = 1000 - world->options.drift +
                            (uint32_t)prng_below(&world->prng, 2 * world->options.drift + 1);
    }
}

static void brain_make(struct world *world, struct world_agent *agent)
{
    const struct brain_config config = {
        .pods_max = world->options.pods_limit,
        .groups_max = world->options.pods_limit * 2 + 256,
        .poll_fast_ms = 2000,
        .poll_slow_ms = 5000,
        .sweep_ms = 60000,
        .absence_ms = 20000,
        .absence_sweeps = 2,
        .young_ms = 60000,
        .brake_percent = 20,
        .brake_min = 5,
        .create_per_minute = 1000,
        .delete_per_minute = 1000,
        .describe_per_minute = 2000,
        .status_per_minute = 500,
        .cloud_calls_max = 32,
        .kube_calls_max = 32,
        .seed = world->options.seed + agent->life * 2 + agent_number(world, agent),
    };
    struct region region;
    memset(agent->brain, 0, sizeof *agent->brain);
    if (agent->memory == NULL) {
        region_init(&region, NULL, 0);
        brain_init(agent->brain, &config, &region, agent_now(world, agent));
        agent->memory_bytes = (region.used + 4096 + 63) / 64 * 64;
        agent->memory = aligned_alloc(64, agent->memory_bytes);
        memset(agent->brain, 0, sizeof *agent->brain);
    }
    memset(agent->memory, 0, agent->memory_bytes);
    region_init(&region, agent->memory, agent->memory_bytes);
    brain_init(agent->brain, &config, &region, agent_now(world, agent));
}

static struct world_step *own_step(struct world *world, struct world_agent *agent,
                                   enum step_kind kind, msec delay_ms)
{
    struct world_step *step = world_step_new(world, kind, delay_ms);
    step->agent = agent_number(world, agent);
    step->life = agent->life;
    return step;
}

void agent_start(struct world *world, struct world_agent *agent)
{
    if (agent->brain == NULL) {
        agent->brain = calloc(1, sizeof *agent->brain);
    }
    set_clock(world, agent);
    brain_make(world, agent);
    agent->is_alive = true;
    agent->is_watching = false;
    agent->wake_at_ms = 0;
    agent->has_looked = agent->has_listed = agent->has_swept = false;
    if (world->options.elects) {
        lease_start(world, agent);
        return;
    }
    brain_start(agent->brain, agent_now(world, agent));
    (void)own_step(world, agent, STEP_LIST, world_delay(world));
}

void agent_waits(struct world *world, struct world_agent *agent)
{
    if (!agent->brain->only_looks) {
        brain_only_look(agent->brain);
        (void)own_step(world, agent, STEP_LIST, world_delay(world));
    }
}

/* As the program does it: what it has of the time when it waited is forgotten, and so a new life
 * begins, in which only replies to what it asked then still come. To act it must know first that
 * the node is its own. */
void agent_begins(struct world *world, struct world_agent *agent)
{
    world->figures.turns++;
    agent->turn.leads_since_ms = world->now_ms;
    if (agent->brain->only_looks) {
        agent->is_watching = false;
        agent->watch_epoch++;
        brain_begin_anew(agent->brain);
        agent->life++;
        agent->has_looked = true;
        agent->has_listed = agent->has_swept = false;
        agent->wake_at_ms = 0;
    }
    (void)own_step(world, agent, STEP_LIST, world_delay(world));
    (void)own_step(world, agent, STEP_BEGIN, world_delay(world));
}

void agent_starts_anew(struct world *world, struct world_agent *agent, msec away_ms)
{
    agent->is_alive = false;
    agent->is_watching = false;
    agent->watch_epoch++;
    agent->life++;
    (void)own_step(world, agent, STEP_RESTART, away_ms);
}

void agent_crash(struct world *world, struct world_agent *agent)
{
    if (!agent->is_alive) {
        return;
    }
    world->figures.crashes++;
    world->figures.crashes_recovering += world->now_ms - agent->born_ms < RECOVERING_MS ? 1 : 0;
    /* Mostly back at once; sometimes nobody starts it for a while. */
    msec away_ms = world_chance(world, 20) ? world_up_to(world, 3600000) : world_delay(world);
    agent_starts_anew(world, agent, away_ms);
}

void agent_dies_on(struct world *world, struct world_agent *agent, uint32_t pod)
{
    agent->deaths[pod]++;
    agent_crash(world, agent);
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool is_poll(enum effect_kind kind)
{
    return kind == EFFECT_DELTA || kind == EFFECT_SWEEP;
}

bool effect_is_write(enum effect_kind kind)
{
    return kind == EFFECT_CREATE || kind == EFFECT_DELETE || kind == EFFECT_FINISH ||
           kind == EFFECT_PATCH || kind == EFFECT_SAY;
}

bool step_is_cloud(const struct world_step *step)
{
    switch (step->effect.kind) {
    case EFFECT_CREATE:
        return step->is_second;
    case EFFECT_DELETE:
    case EFFECT_READ:
    case EFFECT_READ_DETAIL:
    case EFFECT_DELTA:
    case EFFECT_SWEEP:
        return true;
    default:
        return false;
    }
}

static bool dies_here(struct world *world, const struct world_agent *agent, enum effect_kind kind)
{
    const struct world_options *options = &world->options;
    uint64_t request = world->figures.requests;
    if (options->crash_at == request && request > 0) {
        world->crashed_at = request;
        return true;
    }
    if (options->crash_again > 0 && world->crashed_at > 0 &&
        request == world->crashed_at + options->crash_again) {
        return true;
    }
    bool is_recovering = world->now_ms - agent->born_ms < RECOVERING_MS;
    return !is_poll(kind) && world_chance(world, options->crash * (is_recovering ? 4 : 1));
}

/* A request leaves, and here the process may die: before, or just after. NULL: it was not sent. */
static struct world_step *launch(struct world *world, struct world_agent *agent,
                                 const struct effect *effect, bool is_second)
{
    world->figures.requests++;
    bool dies = dies_here(world, agent, effect->kind);
    bool after = world->options.crash_at != 0 ? world->options.crash_after_sending
                                              : world_chance(world, 500);
    if (dies && !after) {
        agent_crash(world, agent);
        return NULL;
    }
    msec delay_ms = world_delay(world);
    if (dies && effect->kind == EFFECT_PATCH) { /* whatever lies between may hold it */
        delay_ms += world_up_to(world, ORPHAN_MAX_MS);
    }
    /* The API server drops what its caller does not wait for; a gateway of the cloud may not. */
    const struct world_step sent = {.effect = *effect, .is_second = is_second};
    bool is_late = step_is_cloud(&sent) && world_chance(world, world->options.late);
    struct world_step *step = own_step(
        world, agent, STEP_ARRIVE,
        is_late ? REQUEST_MS + world_delay(world) + world_up_to(world, LATE_MAX_MS) : delay_ms);
    step->is_late = is_late;
    step->is_looking = agent->brain->only_looks;
    step->sent_ms = world->now_ms;
    step->effect = *effect;
    if (is_late) { /* the sender gives up long before */
        struct world_step *reply = own_step(world, agent, STEP_REPLY, REQUEST_MS + delay_ms);
        reply->effect = *effect;
        bool is_write = effect_is_write(effect->kind);
        reply->err = is_write ? ERR_LOST_WRITE : ERR_TIMEOUT;
        reply->outcome = CREATE_UNKNOWN;
        reply->is_second = is_second;
        reply->is_looking = step->is_looking;
        world->figures.ambiguous += is_write ? 1 : 0;
    }
    step->is_second = is_second;
    if (dies) {
        agent_crash(world, agent);
    }
    return step;
}

static enum pod_phase said_phase(const struct pod *pod)
{
    return pod->say == SAY_PENDING     ? POD_PHASE_PENDING
           : pod->say == SAY_SUCCEEDED ? POD_PHASE_SUCCEEDED
                                       : POD_PHASE_FAILED;
}

static uint32_t group_slot(const struct group *group)
{
    return (uint32_t)strtoul(group->id + strlen("eci-"), NULL, 10) - 1;
}

static void address_groups(struct world_agent *agent, const struct effect *effect,
                           struct world_step *step)
{
    step->rows = calloc(READ_BATCH_MAX, sizeof *step->rows);
    for (uint32_t i = 0; i < effect->groups_count; i++) {
        const struct group *group = brain_group(agent->brain, effect->groups[i]);
        memcpy(step->id, group->id, sizeof step->id);
        step->rows[step->rows_count++].group = group_slot(group);
    }
}

/* Of a group that goes as one too many: the one that counts instead, if it was proven just now. */
static uint32_t proven_twin(const struct world *world, const struct world_agent *agent,
                            const struct world_step *step)
{
    const struct group *group = brain_group(agent->brain, step->effect.groups[0]);
    const struct pod *pod = brain_pod(agent->brain, group->pod);
    const struct group *counts = pod != NULL ? brain_group(agent->brain, pod->group) : NULL;
    if (counts == NULL || counts == group) {
        return 0;
    }
    uint32_t slot = group_slot(counts);
    const struct world_group *twin = &world->groups[slot];
    bool is_proven =
        twin->proven_to == step_writer(step) && world->now_ms - twin->proven_ms <= PROOF_LASTS_MS;
    return is_proven ? slot + 1 : 0;
}

/* Who waits gets no listings: it asks again, now and then, for what a note names and the cloud does
 * not show. */
static bool asks_in_vain(const struct world *world, const struct world_agent *agent,
                         const struct effect *effect)
{
    bool is_in_vain = agent->brain->only_looks;
    for (uint32_t i = 0; i < effect->groups_count; i++) {
        const struct group *group = brain_group(agent->brain, effect->groups[i]);
        is_in_vain = is_in_vain && world->groups[group_slot(group)].is_gone;
    }
    return is_in_vain;
}

void agent_send(struct world *world, struct world_agent *agent, const struct effect *effect,
                const struct world_step *more)
{
    check_aside(world, agent, effect);
    check_turn(world, agent, effect, false);
    world->figures.effects++;
    bool is_quiet = is_poll(effect->kind) || asks_in_vain(world, agent, effect);
    world->writes_since += is_quiet ? 0 : 1;
    world_digest(world, (uint64_t)effect->kind << 32 ^ (uint64_t)world->now_ms);
    struct world_step *step = launch(world, agent, effect, false);
    if (step == NULL) {
        return;
    }
    if (more != NULL) {
        step->past = more->past;
        step->row_hash = more->row_hash;
        step->a = more->a;
        step->is_init = more->is_init;
    }
    const struct pod *pod = brain_pod(agent->brain, effect->pod);
    if (pod != NULL) {
        memcpy(step->uid, pod->uid, sizeof step->uid);
        step->attempt = pod->attempt;
        if (effect->kind == EFFECT_SAY) {
            step->past = pod->past;
            step->past.hash++;
            step->past.phase = pod->phase > said_phase(pod) ? pod->phase : said_phase(pod);
        }
    }
    if (effect->groups_count > 0) {
        address_groups(agent, effect, step);
    }
    if (effect->kind == EFFECT_DELETE) {
        step->twin = proven_twin(world, agent, step);
    }
}

void agent_send_create(struct world *world, struct world_agent *agent,
                       const struct world_step *read)
{
    uint32_t slot;
    const struct world_pod *pod = pod_of_uid(world, read->uid, &slot);
    if (pod->kills_at_create) {
        agent_dies_on(world, agent, slot);
        return;
    }
    check_turn(world, agent, &read->effect, true);
    struct world_step *step = launch(world, agent, &read->effect, true);
    if (step != NULL) {
        memcpy(step->uid, read->uid, sizeof step->uid);
        step->attempt = read->attempt;
        step->a = read->a;
    }
}

/* ---- a turn of its loop ---------------------------------------------------------------------- */

static void take_events(struct world *world, struct world_agent *agent)
{
    struct brain_event event;
    while (brain_take_event(agent->brain, &event)) {
        uint32_t slot;
        struct world_pod *pod = event.name[0] != '\0' ? pod_of_uid(world, event.uid, &slot) : NULL;
        if (pod != NULL) {
            pod->told_ms = world->now_ms;
        }
        if (pod != NULL && agent->brain->only_looks) {
            world_broken(world, "a gateway that waits told of pod %s: %s", pod->uid, event.reason);
        }
        if (world->options.is_verbose) {
            printf("%10.3f  %s%s %s: %s\n", (double)world->now_ms / 1000,
                   world->options.agents > 1 ? (agent == world->agents ? "A " : "B ") : "",
                   event.name, event.reason, event.message);
        }
    }
}

void agent_turn(struct world *world, struct world_agent *agent)
{
    if (!agent->is_alive || agent->stalled_until_ms > world->now_ms) {
        return;
    }
    if (agent->turn.is_leader && !agent_may_act(world, agent)) { /* it slept, or could not renew */
        agent_starts_anew(world, agent, world_delay(world));
        return;
    }
    if (!agent->brain->only_looks && !agent->brain->polls_are_on) {
        return;
    }
    msec now_ms = agent_now(world, agent);
    struct effect effect;
    while (agent->is_alive && brain_next(agent->brain, now_ms, &effect)) {
        if (effect.kind == EFFECT_RELIST) {
            (void)own_step(world, agent, STEP_LIST, world_delay(world));
        } else if (world_chance(world, world->options.no_room)) {
            brain_undo(agent->brain, &effect, now_ms);
        } else {
            agent_send(world, agent, &effect, NULL);
        }
    }
    if (!agent->is_alive) {
        return;
    }
    take_events(world, agent);
    msec wake_ms = brain_wake_ms(agent->brain, now_ms);
    if (wake_ms == INT64_MAX) {
        return;
    }
    msec wait_ms = wake_ms <= now_ms ? 1 : (wake_ms - now_ms) * 1000 / agent->clock_rate + 1;
    msec at_ms = world->now_ms + wait_ms;
    if (agent->wake_at_ms <= world->now_ms || at_ms < agent->wake_at_ms) {
        agent->wake_at_ms = at_ms;
        (void)own_step(world, agent, STEP_WAKE, wait_ms);
    }
}
