/*
 * turns.c - of two gateways the one that holds the lease leads and the other waits, as kube/lease.c
 * and app/wire_leader.c do it: asked for every two seconds; who waits takes it when it has not
 * changed for 15 s by his own clock; who leads acts for 10 s after he sent his newest renewal that
 * was answered, by his. Requests and replies get lost and refused like all others, but more
 * seldom: leading shall last.
 */
#include "world.h"

#define PERIOD_MS 2000
#define DEADLINE_MS 5000
#define RETRY_MAX_MS 2000
#define DURATION_MS 15000
#define VALID_MS 10000
#define UPGRADE_MAX_MS 60000

enum ask { ASK_NOTHING, ASK_READ, ASK_WRITE };

static struct world_step *lease_step(struct world *world, const struct world_agent *agent,
                                     enum step_kind kind, enum ask ask, msec delay_ms)
{
    struct world_step *step = world_step_new(world, kind, delay_ms);
    step->agent = agent_number(world, agent);
    step->life = agent->life;
    step->a = (uint32_t)ask;
    return step;
}

static void ask_again(struct world *world, const struct world_agent *agent, msec in_ms)
{
    (void)lease_step(world, agent, STEP_LEASE, ASK_NOTHING, in_ms);
}

static void ask(struct world *world, const struct world_agent *agent, enum ask ask)
{
    lease_step(world, agent, STEP_ASKED, ask, world_delay(world))->version = agent->turn.version;
}

void lease_start(struct world *world, struct world_agent *agent)
{
    agent->turn = (struct world_turn){.is_leader = false};
    ask_again(world, agent, 1);
}

bool agent_may_act(const struct world *world, const struct world_agent *agent)
{
    const struct world_turn *turn = &agent->turn;
    return !world->options.elects ||
           (turn->is_leader && agent_now(world, agent) - turn->renewed_ms < VALID_MS);
}

const struct world_agent *agent_leading(const struct world *world)
{
    if (!world->options.elects) {
        return &world->agents[0];
    }
    for (uint32_t i = 0; i < world->options.agents; i++) {
        const struct world_agent *agent = &world->agents[i];
        if (agent->is_alive && !agent->brain->only_looks && agent_may_act(world, agent)) {
            return agent;
        }
    }
    return NULL;
}

/* ---- the API server -------------------------------------------------------------------------- */

static bool is_unlucky(struct world *world, uint32_t per_mille)
{
    return world_chance(world, per_mille / 4);
}

void lease_asked(struct world *world, const struct world_step *step)
{
    const struct world_agent *agent = &world->agents[step->agent];
    const struct world_options *options = &world->options;
    bool is_lost = agent->api_cut == CUT_ALL || is_unlucky(world, options->lose_request);
    bool reply_is_lost =
        is_lost || agent->api_cut == CUT_REPLIES || is_unlucky(world, options->lose_reply);
    bool is_refused = is_lost || is_unlucky(world, options->server_error);
    enum err err = is_refused ? ERR_SERVER : ERR_OK;
    if (err == ERR_OK && step->a == ASK_WRITE) {
        bool is_newest = step->version == world->lease_version;
        world->lease_version += is_newest ? 1 : 0;
        world->lease_holder = is_newest ? step->agent + 1 : world->lease_holder;
        err = is_newest ? ERR_OK : ERR_CONFLICT;
    }
    struct world_step *reply =
        world_step_new(world, STEP_LEASE, (reply_is_lost ? DEADLINE_MS : 0) + world_delay(world));
    reply->agent = step->agent;
    reply->life = step->life;
    reply->a = step->a;
    reply->err = reply_is_lost ? ERR_TIMEOUT : err;
    reply->version = world->lease_version;
    reply->attempt = world->lease_holder;
}

/* ---- the gateway ----------------------------------------------------------------------------- */

static void was_read(struct world *world, struct world_agent *agent, const struct world_step *reply)
{
    struct world_turn *turn = &agent->turn;
    msec now_ms = agent_now(world, agent);
    bool is_foreign = reply->attempt != 0 && reply->attempt != agent_number(world, agent) + 1;
    if (is_foreign && reply->version != turn->foreign_version) {
        turn->foreign_version = reply->version;
        turn->foreign_ms = now_ms;
    }
    if (!is_foreign || now_ms - turn->foreign_ms >= DURATION_MS) {
        turn->version = reply->version;
        ask(world, agent, ASK_WRITE);
        return;
    }
    if (turn->is_leader) {
        agent_starts_anew(world, agent, world_delay(world)); /* deposed */
        return;
    }
    agent_waits(world, agent);
    ask_again(world, agent, PERIOD_MS);
}

static void was_written(struct world *world, struct world_agent *agent,
                        const struct world_step *reply)
{
    struct world_turn *turn = &agent->turn;
    bool begins = !turn->is_leader;
    turn->version = reply->version;
    turn->renewed_ms = turn->asked_ms;
    turn->is_leader = true;
    if (begins && agent_may_act(world, agent)) {
        agent_begins(world, agent);
    }
    ask_again(world, agent, PERIOD_MS);
}

void lease_turn(struct world *world, struct world_agent *agent, const struct world_step *step)
{
    struct world_turn *turn = &agent->turn;
    if (step->a == ASK_NOTHING) {
        turn->asked_ms = agent_now(world, agent);
        ask(world, agent, turn->version == 0 ? ASK_READ : ASK_WRITE);
    } else if (step->err == ERR_OK && step->a == ASK_READ) {
        was_read(world, agent, step);
    } else if (step->err == ERR_OK) {
        was_written(world, agent, step);
    } else { /* whatever happened, it is no longer known what the server has */
        turn->version = 0;
        ask_again(world, agent, step->err == ERR_CONFLICT ? 1 : world_up_to(world, RETRY_MAX_MS));
    }
}

void lease_give_back(struct world *world)
{
    const struct world_agent *leading = world->options.elects ? agent_leading(world) : NULL;
    if (leading == NULL || leading->stalled_until_ms > world->now_ms) {
        return;
    }
    if (leading->api_cut == CUT_NONE && world->lease_holder == agent_number(world, leading) + 1) {
        world->lease_holder = 0; /* given back: the other one need not wait */
        world->lease_version++;
    }
    agent_starts_anew(world, &world->agents[agent_number(world, leading)],
                      world_up_to(world, UPGRADE_MAX_MS));
}

void lease_minute(struct world *world)
{
    if (world_chance(world, world->options.upgrade)) {
        lease_give_back(world);
    }
}
