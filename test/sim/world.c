/* world.c - users, lines, phases of trouble, and the run. See world.h. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "data/group_read.h"

#define MINUTE_MS 60000
#define DEAD_STREAM_MS 75000 /* a silent stream is noticed by then */
#define TIMEOUT_MS 5000

/* ---- a request reaches its server, or does not ----------------------------------------------- */

static bool is_write_step(const struct world_step *step)
{
    return effect_is_write(step->effect.kind) &&
           (step->effect.kind != EFFECT_CREATE || step->is_second);
}

/* The sender learns nothing: of a write it must think that it may have happened. */
static void fails_unknown(struct world *world, const struct world_step *step,
                          struct world_step *reply)
{
    bool is_write = is_write_step(step);
    reply->err = is_write ? ERR_LOST_WRITE : ERR_TIMEOUT;
    reply->outcome = is_write ? CREATE_UNKNOWN : CREATE_LATER;
    reply->rows_count = 0;
    world->figures.ambiguous += is_write ? 1 : 0;
}

static void takes_effect(struct world *world, struct world_step *step, struct world_step *reply)
{
    if (step_is_cloud(step)) {
        cloud_arrive(world, step, reply);
    } else {
        api_arrive(world, step, reply);
    }
}

static bool fails_early(struct world *world, struct world_step *step, struct world_step *reply)
{
    bool is_cloud = step_is_cloud(step);
    bool is_sick = is_cloud && world->phase == PHASE_SICK && world_chance(world, 700);
    if (is_sick || world_chance(world, world->options.server_error)) {
        if (is_write_step(step) && world_chance(world, 500)) {
            takes_effect(world, step, reply);
        }
        fails_unknown(world, step, reply);
        reply->err = is_write_step(step) ? ERR_LOST_WRITE : ERR_SERVER;
        return true;
    }
    bool is_slow = is_cloud && world->phase == PHASE_THROTTLED && world_chance(world, 800);
    if (is_slow || world_chance(world, world->options.throttle)) {
        reply->err = ERR_THROTTLED;
        reply->outcome = CREATE_LATER;
        return true;
    }
    return false;
}

static struct world_step *reply_to(struct world *world, const struct world_step *step,
                                   msec delay_ms)
{
    struct world_step *reply = world_step_new(world, STEP_REPLY, delay_ms);
    reply->agent = step->agent;
    reply->life = step->life;
    reply->effect = step->effect;
    reply->past = step->past;
    reply->row_hash = step->row_hash;
    reply->is_init = step->is_init;
    reply->is_second = step->is_second;
    reply->is_looking = step->is_looking;
    reply->attempt = step->attempt;
    reply->a = step->a;
    memcpy(reply->uid, step->uid, sizeof reply->uid);
    return reply;
}

static void request_arrives(struct world *world, struct world_step *step)
{
    const struct world_agent *agent = &world->agents[step->agent];
    enum cut cut = step_is_cloud(step) ? agent->cloud_cut : agent->api_cut;
    bool is_lost = cut == CUT_ALL || world_chance(world, world->options.lose_request);
    if (step->is_late) { /* its sender was told so long ago */
        struct world_step unread = {.kind = STEP_REPLY};
        if (!is_lost) {
            takes_effect(world, step, &unread);
        }
        free(unread.rows);
        return;
    }
    bool reply_is_lost =
        !is_lost && (cut == CUT_REPLIES || world_chance(world, world->options.lose_reply));
    bool times_out = is_lost || reply_is_lost;
    struct world_step *reply =
        reply_to(world, step, (times_out ? TIMEOUT_MS : 0) + world_delay(world));
    if (is_lost) {
        fails_unknown(world, step, reply);
        return;
    }
    if (!fails_early(world, step, reply)) {
        takes_effect(world, step, reply);
    }
    if (reply_is_lost && reply->err == ERR_OK) {
        fails_unknown(world, step, reply);
    }
}

/* ---- users ----------------------------------------------------------------------------------- */

uint32_t world_pod_create(struct world *world, bool is_never_restarted, bool has_init)
{
    uint32_t slot = world->pods_count++;
    struct world_pod *pod = &world->pods[slot];
    *pod = (struct world_pod){.is_never_restarted = is_never_restarted,
                              .has_init = has_init,
                              .is_bad = world_chance(world, world->options.bad_pods),
                              .created_ms = world->now_ms};
    if (world_chance(world, world->options.poison)) {
        pod->kills_at_create = slot % 2 == 0;
        pod->kills_at_report = slot % 2 == 1;
    }
    (void)snprintf(pod->uid, sizeof pod->uid, "00000000-0000-4000-8000-%012u", slot);
    (void)snprintf(pod->name, sizeof pod->name, "pod-%u", slot % 16); /* names come again */
    const struct world_object nothing = {.exists = false};
    pod->object = (struct world_object){.exists = true, .phase = POD_PHASE_PENDING};
    pod->object.past.phase = POD_PHASE_PENDING;
    world->pods_existing++;
    world->figures.pods++;
    api_changed(world, slot, &nothing);
    return slot;
}

void world_pod_delete(struct world *world, uint32_t slot, bool is_forced)
{
    struct world_pod *pod = &world->pods[slot];
    struct world_object before = pod->object;
    if (!before.exists) {
        return;
    }
    pod->object.is_leaving = true;
    if (is_forced || pod_phase_is_terminal(before.phase)) {
        pod->object.exists = false;
        world->pods_existing--;
    }
    api_changed(world, slot, &before);
}

static void delete_some_pod(struct world *world)
{
    for (int tries = 0; tries < 20 && world->pods_count > 0; tries++) {
        uint32_t newest = world->pods_count < 200 ? world->pods_count : 200;
        uint32_t slot = world->pods_count - 1 - (uint32_t)prng_below(&world->prng, newest);
        if (world->pods[slot].object.exists && !world->pods[slot].object.is_leaving) {
            world_pod_delete(world, slot, world_chance(world, 150));
            return;
        }
    }
}

/* Users rest once the world has healed: what they did would not be "nothing changes" (I9). */
static void user_acts(struct world *world, const struct world_step *step)
{
    const struct world_options *options = &world->options;
    if (world->is_healed) {
        return;
    }
    if (step->a != 0) { /* this one, at this time */
        world_pod_delete(world, step->a - 1, false);
        return;
    }
    bool creates =
        world->pods_existing < options->pods ? world_chance(world, 750) : world_chance(world, 200);
    if (creates && world->pods_count < options->pods_ever) {
        uint64_t dice = prng_below(&world->prng, 6);
        (void)world_pod_create(world, dice == 0, dice == 1);
    } else if (!creates) {
        delete_some_pod(world);
    }
    msec mean_ms = options->story_ms / (options->pods_ever * 2 + 1) + 1;
    (void)world_step_new(world, STEP_USER, world_up_to(world, mean_ms * 2));
}

/* ---- lines and phases ------------------------------------------------------------------------ */

static void set_cut(struct world *world, struct world_agent *agent, bool is_cloud, enum cut cut)
{
    if (is_cloud) {
        agent->cloud_cut = cut;
        return;
    }
    if (cut == CUT_NONE && agent->api_cut != CUT_NONE) {
        agent->api_up_ms = world->now_ms;
        api_watch_cut(world, agent, world_up_to(world, DEAD_STREAM_MS));
    }
    agent->api_cut = cut;
}

/* Cuts and heals in any order (swizzle): one line of one process, or one of the servers for all. */
static void line_changes(struct world *world)
{
    const struct world_options *options = &world->options;
    if (world->is_healed) {
        return;
    }
    bool is_cloud = prng_below(&world->prng, 3) > 0, is_for_all = world_chance(world, 500);
    uint32_t only = (uint32_t)prng_below(&world->prng, options->agents);
    const struct world_agent *agent = &world->agents[only];
    bool is_cut = (is_cloud ? agent->cloud_cut : agent->api_cut) != CUT_NONE;
    enum cut cut = is_cut ? CUT_NONE : world_chance(world, 200) ? CUT_REPLIES : CUT_ALL;
    for (uint32_t i = 0; i < options->agents; i++) {
        if (i == only || is_for_all) {
            set_cut(world, &world->agents[i], is_cloud, cut);
        }
    }
    msec mean_ms = is_cut ? options->outage_every_ms : options->outage_max_ms / 2;
    /* Now and then one of many hours. */
    mean_ms = !is_cut && world_chance(world, 30) ? options->story_ms / 4 : mean_ms;
    (void)world_step_new(world, STEP_LINE, world_up_to(world, mean_ms * 2));
}

static void phase_changes(struct world *world)
{
    const struct world_options *options = &world->options;
    if (world->is_healed) {
        return;
    }
    enum phase_kind next = (enum phase_kind)prng_below(&world->prng, PHASE_KIND_COUNT);
    bool may = world->phase == PHASE_CALM && (options->phases >> next & 1u) != 0;
    world->phase = may ? next : PHASE_CALM;
    (void)world_step_new(world, STEP_PHASE, world_up_to(world, options->phase_every_ms));
}

/* Whoever may write annotations reads the note on one pod and writes it on his own: rather on one
 * of the same name, which comes of copying manifests. */
static void somebody_forges(struct world *world)
{
    if (!world_chance(world, world->options.forge) || world->pods_count < 2) {
        return;
    }
    uint32_t from = (uint32_t)prng_below(&world->prng, world->pods_count), back = 16;
    uint32_t to = world_chance(world, 500) && from + back < world->pods_count
                      ? from + back
                      : (uint32_t)prng_below(&world->prng, world->pods_count);
    struct world_pod *pod = &world->pods[to];
    if (from != to && pod->object.exists && world->pods[from].object.exists &&
        world->pods[from].object.instance > 0) {
        struct world_object before = pod->object;
        pod->object.instance = world->pods[from].object.instance;
        pod->was_forged = true;
        api_changed(world, to, &before);
    }
}

static void minute_passes(struct world *world)
{
    const struct world_options *options = &world->options;
    groups_minute(world);
    if (world_chance(world, options->compact)) {
        world->compacted = world->version;
    }
    for (uint32_t i = 0; i < options->agents; i++) {
        struct world_agent *agent = &world->agents[i];
        if (world_chance(world, options->watch_cut)) {
            api_watch_cut(world, agent, world_up_to(world, 5000));
        }
        if (world_chance(world, options->stall)) {
            /* Of two gateways none sleeps for longer than tokens are known: they are their lock. */
            bool is_alone = options->agents == 1 || options->elects;
            msec max_ms = is_alone ? 600000 : 300000;
            bool may_sleep = options->agents == 1 || agent->stalled_until_ms <= world->now_ms;
            agent->stalled_until_ms =
                may_sleep ? world->now_ms + world_up_to(world, max_ms) : agent->stalled_until_ms;
        }
    }
    lease_minute(world);
    somebody_forges(world);
    check_explained(world);
    (void)world_step_new(world, STEP_MINUTE, MINUTE_MS);
}

/* ---- the story ------------------------------------------------------------------------------- */

/* Something reaches a process. */
static void perform_for(struct world *world, struct world_agent *agent, struct world_step *step)
{
    switch (step->kind) {
    case STEP_REPLY:
        agent_reply(world, agent, step);
        break;
    case STEP_WATCH:
        api_watch_event(world, agent, step);
        break;
    case STEP_OPEN:
        api_watch_open(world, agent);
        break;
    case STEP_LIST:
        api_list(world, agent);
        break;
    case STEP_LEASE:
        lease_turn(world, agent, step);
        break;
    case STEP_BEGIN:
        brain_start(agent->brain, agent_now(world, agent));
        break;
    default: /* STEP_WAKE */
        break;
    }
    agent_turn(world, agent);
    check_answers(world, agent);
}

static bool is_for_agent(enum step_kind kind)
{
    return kind == STEP_REPLY || kind == STEP_WATCH || kind == STEP_OPEN || kind == STEP_LIST ||
           kind == STEP_WAKE || kind == STEP_LEASE || kind == STEP_BEGIN;
}

/* Of this life of the process; or a reply to what it asked while it waited to lead. */
static bool is_of_its_life(const struct world_agent *agent, const struct world_step *step)
{
    bool is_older = step->kind == STEP_REPLY && step->is_looking && agent->has_looked &&
                    step->life + 1 == agent->life;
    return agent->is_alive && (step->life == agent->life || is_older);
}

static void perform(struct world *world, struct world_step *step)
{
    switch (step->kind) {
    case STEP_ARRIVE:
        request_arrives(world, step); /* also of a process that died: it was on its way */
        break;
    case STEP_ASKED:
        lease_asked(world, step);
        break;
    case STEP_RESTART:
        if (world->agents[step->agent].is_alive) {
            break; /* healing was faster */
        }
        agent_start(world, &world->agents[step->agent]);
        agent_turn(world, &world->agents[step->agent]);
        break;
    case STEP_USER:
        user_acts(world, step);
        break;
    case STEP_GROUP:
        group_moves(world, step);
        break;
    case STEP_MINUTE:
        minute_passes(world);
        break;
    case STEP_PHASE:
        phase_changes(world);
        break;
    case STEP_LINE:
        line_changes(world);
        break;
    case STEP_SHOW:
        world_show(world);
        (void)world_step_new(world, STEP_SHOW, world->options.show_every_ms);
        break;
    default:
        break;
    }
}

void world_init(struct world *world, const struct world_options *options)
{
    world->options = *options;
    world->now_ms = WORLD_START_MS;
    world->digest = UINT64_C(0xCBF29CE484222325);
    world->lease_version = 1;
    prng_seed(&world->prng, options->seed);
    for (uint32_t i = 0; i < options->agents; i++) {
        agent_start(world, &world->agents[i]);
        agent_turn(world, &world->agents[i]);
    }
    (void)world_step_new(world, STEP_MINUTE, MINUTE_MS);
    if (options->pods > 0 && options->story_ms > 0) {
        (void)world_step_new(world, STEP_USER, 1);
    }
    if (options->outage_every_ms > 0) {
        (void)world_step_new(world, STEP_LINE, options->outage_every_ms);
    }
    if (options->phases != 0) {
        (void)world_step_new(world, STEP_PHASE, options->phase_every_ms);
    }
    if (options->show_every_ms > 0) {
        (void)world_step_new(world, STEP_SHOW, options->show_every_ms);
    }
}

void world_free(struct world *world)
{
    while (world->steps_count > 0) {
        world_step_free(world_step_pop(world));
    }
    for (uint32_t i = 0; i < WORLD_AGENTS_MAX; i++) {
        free(world->agents[i].brain);
        free(world->agents[i].memory);
    }
}

void world_print_trace(const struct world *world)
{
    static char memory[64 * 1024];
    for (uint32_t i = 0; i < world->options.agents; i++) {
        struct buf out;
        buf_init(&out, memory, sizeof memory);
        trace_print(&world->agents[i].brain->trace, &out);
        printf("process %u: %.*s\n", i, (int)out.bytes, out.ptr);
    }
    uint32_t first = world->groups_count > 400 ? world->groups_count - 400 : 0;
    for (uint32_t i = 0; i < world->options.agents; i++) {
        const struct brain *brain = world->agents[i].brain;
        for (handle h = pool_first(&brain->pods); !handle_is_none(h);
             h = pool_after(&brain->pods, h)) {
            const struct pod *pod = brain_pod(brain, h);
            printf("believed by %u: %s %u %s, object %d: %s\n", i, pod->uid, h.slot,
                   pod_phase_name(pod->phase), (int)pod->object, brain_pod_why(pod));
        }
    }
    const struct world_options *o = &world->options;
    printf("options: processes %u, token memory %lld ms, lag %lld ms, ghosts %lld ms, omit %u, "
           "phases %#x (now %d), clash %u, late %u, pods %u of %u\n",
           o->agents, (long long)o->token_memory_ms, (long long)o->list_lag_ms,
           (long long)o->ghost_ms, o->omit_row, o->phases, (int)world->phase, o->clash, o->late,
           o->pods, o->pods_limit);
    for (uint32_t i = first; i < world->groups_count; i++) {
        const struct world_group *group = &world->groups[i];
        const struct world_object *pod = &world->pods[group->pod].object;
        printf("truth: %s attempt %u %s%s%s for pod %u (%s%s%s), made %.3f changed %.3f\n",
               group->id, group->attempt, eci_status_name(group->status),
               group->is_gone ? " gone" : "", group->was_deleted_by_hand ? " by hand" : "",
               group->pod, pod_phase_name(pod->phase), pod->exists ? "" : " gone",
               pod->is_leaving ? " leaving" : "", (double)group->created_ms / 1000,
               (double)group->changed_ms / 1000);
    }
}

void world_heal(struct world *world)
{
    world->is_healed = true;
    world->phase = PHASE_CALM;
    world->compacted = world->version;
    for (uint32_t i = 0; i < world->options.agents; i++) {
        struct world_agent *agent = &world->agents[i];
        agent->stalled_until_ms = 0;
        if (!agent->is_alive) {
            agent_start(world, agent);
        }
        set_cut(world, agent, true, CUT_NONE);
        set_cut(world, agent, false, CUT_NONE);
        agent->watch_version = 0; /* too old: its next opening is answered with 410 */
        api_watch_cut(world, agent, 1);
    }
}

void world_run(struct world *world, msec until_ms)
{
    while (world->steps_count > 0 && world->steps[0]->at_ms <= until_ms &&
           world->violation[0] == '\0') {
        struct world_step *step = world_step_pop(world);
        world->now_ms = step->at_ms;
        if (!is_for_agent(step->kind)) {
            world->figures.steps++;
            perform(world, step);
            world_step_free(step);
            continue;
        }
        struct world_agent *agent = &world->agents[step->agent];
        bool is_mine = is_of_its_life(agent, step);
        if (is_mine && agent->stalled_until_ms > world->now_ms) {
            world_step_again(world, step, agent->stalled_until_ms);
            continue;
        }
        if (is_mine) {
            world->figures.steps++;
            perform_for(world, agent, step);
        }
        world_step_free(step);
    }
    if (world->violation[0] == '\0') {
        world->now_ms = until_ms;
    }
}
