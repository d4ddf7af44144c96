/*
 * agent_facts.c - replies become the brain's facts, as app/wire does it in the product: rows are
 * given in, statuses are made of those that are news, and the outcome of each effect is told.
 */
#include <stdlib.h>

#include "world.h"

/* What a status becomes as a phase, in this world's words. */
static enum pod_phase phase_of(enum eci_status status, enum pod_phase before)
{
    switch (status) {
    case ECI_STATUS_RUNNING:
    case ECI_STATUS_RESTARTING:
    case ECI_STATUS_UPDATING:
    case ECI_STATUS_TERMINATING:
        return before > POD_PHASE_RUNNING ? before : POD_PHASE_RUNNING;
    case ECI_STATUS_SUCCEEDED:
        return POD_PHASE_SUCCEEDED;
    case ECI_STATUS_FAILED:
    case ECI_STATUS_EXPIRED:
        return POD_PHASE_FAILED;
    default:
        return before > POD_PHASE_PENDING ? before : POD_PHASE_PENDING;
    }
}

static uint64_t hash_of(const struct world_row *row)
{
    return row->version * 2 + 1;
}

/* Deposed since the reading began, it writes nothing more (wire_cluster.c: send_status). */
static void send_report(struct world *world, struct world_agent *agent, struct group *group,
                        const struct world_step *more)
{
    const struct effect effect = {.kind = EFFECT_PATCH, .pod = group->pod};
    if (agent_may_act(world, agent)) {
        agent_send(world, agent, &effect, more);
        return;
    }
    brain_undo(agent->brain, &effect, agent_now(world, agent));
    brain_report_failed(agent->brain, group, ERR_FULL, agent_now(world, agent));
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void report_row(struct world *world, struct world_agent *agent, struct group *group,
                       const struct world_row *row)
{
    struct brain *brain = agent->brain;
    if (!brain_wants_report(brain, group, hash_of(row), false)) {
        return;
    }
    struct pod *pod = brain_pod(brain, group->pod);
    uint32_t slot = world->groups[row->group].pod;
    if (world->pods[slot].kills_at_report) {
        agent_dies_on(world, agent, slot);
        return;
    }
    struct world_step more = {.past = pod->past, .row_hash = group->row_hash, .a = row->group};
    more.past.phase = phase_of(row->status, pod->phase);
    more.past.condition[POD_CONDITION_READY] = row->status == ECI_STATUS_RUNNING ? 'T' : 'F';
    more.past.hash = ((uint64_t)row->status << 8 | (uint64_t)more.past.phase) + 1;
    if (world->options.elects) { /* another instance has other addresses */
        more.past.hash += (uint64_t)(row->group + 1) << 16;
    }
    if (brain_report(brain, group, more.past.hash, false, false, agent_now(world, agent))) {
        send_report(world, agent, group, &more);
    }
}

static void report_init(struct world *world, struct world_agent *agent, struct group *group,
                        const struct world_row *row)
{
    struct brain *brain = agent->brain;
    if (!brain_wants_report(brain, group, 0, true)) {
        return;
    }
    struct world_step more = {
        .past = brain_pod(brain, group->pod)->past, .is_init = true, .a = row->group};
    bool is_settled = row->status >= ECI_STATUS_RUNNING; /* without init containers: described */
    more.past.init_hash = is_settled ? 2 : 1;
    if (brain_report(brain, group, more.past.init_hash, true, is_settled,
                     agent_now(world, agent))) {
        send_report(world, agent, group, &more);
    }
}

static void give_detail(struct world *world, struct world_agent *agent, const struct world_row *row)
{
    struct brain *brain = agent->brain;
    const struct world_group *truth = &world->groups[row->group];
    struct group *group = brain_find_group(brain, str_of(truth->id));
    if (group == NULL) {
        return;
    }
    brain_detail_seen(brain, group, row->status, agent_now(world, agent));
    if (!group->has_tags || group->is_noted || group->must_date) {
        const struct world_pod *pod = &world->pods[truth->pod];
        const struct tag_facts tags = {.uid = str_of(pod->uid),
                                       .name_space = S("web"),
                                       .name = str_of(pod->name),
                                       .attempt = truth->attempt,
                                       .created_unix_s = truth->created_unix_s,
                                       .is_ours = true};
        brain_tags_seen(brain, group, &tags, agent_now(world, agent));
    }
    report_init(world, agent, group, row);
}

/* With its tags: from now on this process cannot say that it did not know of it. */
static void group_is_shown(struct world *world, uint32_t slot, const struct world_step *reply)
{
    struct world_group *group = &world->groups[slot];
    if (group->shown_to != step_writer(reply)) {
        group->shown_to = step_writer(reply);
        group->shown_ms = world->now_ms;
    }
}

static void give_rows(struct world *world, struct world_agent *agent,
                      const struct world_step *reply, bool *found)
{
    const struct effect *effect = &reply->effect;
    for (uint32_t i = 0; i < reply->rows_count && agent->is_alive; i++) {
        const struct world_row *row = &reply->rows[i];
        str id = str_of(world->groups[row->group].id);
        bool was_asked = false;
        for (uint32_t g = 0; g < effect->groups_count; g++) {
            const struct group *asked = brain_group(agent->brain, effect->groups[g]);
            bool is_it = asked != NULL && str_eq(str_of(asked->id), id);
            found[g] = found[g] || is_it;
            was_asked = was_asked || is_it;
        }
        if (reply->is_looking && !was_asked) {
            continue; /* it has begun to lead since, or lost interest: wire_cloud.c */
        }
        if (effect->kind == EFFECT_READ_DETAIL) {
            group_is_shown(world, row->group, reply);
            world->groups[row->group].proven_to = step_writer(reply);
            world->groups[row->group].proven_ms = world->now_ms;
            give_detail(world, agent, row);
            continue;
        }
        struct group *group = brain_row_seen(agent->brain, id, row->status, hash_of(row),
                                             effect->started_ms, agent_now(world, agent));
        if (group != NULL) {
            report_row(world, agent, group, row);
        }
    }
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static void reply_to_pod(struct world *world, struct world_agent *agent,
                         const struct world_step *reply)
{
    struct brain *brain = agent->brain;
    msec now_ms = agent_now(world, agent);
    handle pod = reply->effect.pod;
    switch (reply->effect.kind) {
    case EFFECT_FINISH:
        brain_finish_done(brain, pod, reply->err, now_ms);
        break;
    case EFFECT_PROVE:
        if (reply->err == ERR_OK) {
            agent_give_object(world, agent, reply->a, &world->pods[reply->a].object);
        }
        brain_prove_done(brain, pod, reply->err, now_ms);
        break;
    case EFFECT_SAY:
        brain_say_done(brain, pod, reply->err, &reply->past, now_ms);
        break;
    default:
        brain_patch_done(brain, pod, reply->err, &reply->past, reply->row_hash, reply->is_init,
                         now_ms);
        break;
    }
}

static void create_replied(struct world *world, struct world_agent *agent,
                           const struct world_step *reply)
{
    msec now_ms = agent_now(world, agent);
    if (!reply->is_second && reply->err == ERR_OK && reply->outcome == CREATE_ACCEPTED) {
        bool has_room = !world_chance(world, world->options.no_room);
        if (!has_room || !agent_may_act(world, agent)) { /* or it is deposed meanwhile */
            brain_undo(agent->brain, &reply->effect, now_ms);
        } else if (world_chance(world, world->options.waits)) {
            brain_create_waits(agent->brain, reply->effect.pod, "MandatorySecretNotFound",
                               S("simulated"), now_ms);
        } else {
            agent_send_create(world, agent, reply); /* it may be created */
        }
        return;
    }
    if (reply->is_second) {
        brain_cloud_answered(agent->brain, reply->err, STR_NONE, now_ms);
    }
    if (reply->is_second && reply->outcome == CREATE_ACCEPTED) {
        group_is_shown(world, (uint32_t)strtoul(reply->id + strlen("eci-"), NULL, 10) - 1, reply);
    }
    brain_create_done(agent->brain, reply->effect.pod, reply->outcome, reply->err,
                      str_of(reply->id), S("simulated"), now_ms);
    if (reply->outcome == CREATE_POD_CHANGED) {
        agent_give_object(world, agent, reply->a, &world->pods[reply->a].object);
    }
}

static void poll_replied(struct world *world, struct world_agent *agent,
                         const struct world_step *reply)
{
    struct brain *brain = agent->brain;
    msec now_ms = agent_now(world, agent);
    brain_cloud_answered(brain, reply->err, STR_NONE, now_ms);
    give_rows(world, agent, reply, NULL);
    if (!agent->is_alive) {
        return;
    }
    if (reply->effect.kind == EFFECT_SWEEP) {
        agent->has_swept = agent->has_swept || (reply->err == ERR_OK && !reply->is_partial);
        brain_sweep_done(brain, reply->err, !reply->is_partial, reply->rows_count,
                         reply->effect.started_ms, now_ms);
    } else {
        brain_delta_done(brain, reply->err, reply->effect.started_ms, now_ms);
    }
}

void agent_reply(struct world *world, struct world_agent *agent, const struct world_step *reply)
{
    struct brain *brain = agent->brain;
    msec now_ms = agent_now(world, agent);
    bool found[READ_BATCH_MAX] = {false};
    switch (reply->effect.kind) {
    case EFFECT_CREATE:
        create_replied(world, agent, reply);
        break;
    case EFFECT_DELETE:
        brain_cloud_answered(brain, reply->err, STR_NONE, now_ms);
        brain_delete_done(brain, reply->effect.groups[0], reply->err, now_ms);
        break;
    case EFFECT_READ:
    case EFFECT_READ_DETAIL:
        brain_cloud_answered(brain, reply->err, STR_NONE, now_ms);
        give_rows(world, agent, reply, found);
        if (agent->is_alive) {
            brain_read_done(brain, &reply->effect, reply->err, found, now_ms);
        }
        break;
    case EFFECT_DELTA:
    case EFFECT_SWEEP:
        poll_replied(world, agent, reply);
        break;
    default:
        reply_to_pod(world, agent, reply);
        break;
    }
}

void agent_give_object(struct world *world, struct world_agent *agent, uint32_t slot,
                       const struct world_object *object)
{
    const struct world_pod *pod = &world->pods[slot];
    const struct world_group *note =
        object->instance > 0 ? &world->groups[object->instance - 1] : NULL;
    const struct pod_news news = {.uid = str_of(pod->uid),
                                  .name_space = S("web"),
                                  .name = str_of(pod->name),
                                  .phase = object->phase,
                                  .is_leaving = object->is_leaving,
                                  .is_forced = object->is_forced,
                                  .is_never_restarted = pod->is_never_restarted,
                                  .has_init = pod->has_init,
                                  .past = &object->past,
                                  .instance_id = note != NULL ? str_of(note->id) : STR_NONE,
                                  .instance_attempt = note != NULL ? note->attempt : 0,
                                  .is_described = object->past.init_hash != 0};
    msec now_ms = agent_now(world, agent);
    if (agent->deaths[slot] >= AGENT_DEATHS_MAX) {
        enum err aside_err = brain_pod_aside(agent->brain, &news, "it is poisonous", now_ms);
        if (aside_err != ERR_OK && aside_err != ERR_FULL) {
            world_broken(world, "pod not set aside: %s", err_name(aside_err));
        }
        return;
    }
    const struct pod *known = brain_find_pod(agent->brain, news.uid);
    bool is_overwritten = known != NULL && known->past.condition[POD_CONDITION_READY] == 'T' &&
                          object->past.condition[POD_CONDITION_READY] != 'T';
    enum err err = brain_pod_seen(agent->brain, &news, now_ms, NULL);
    if (err != ERR_OK && err != ERR_FULL) {
        world_broken(world, "pod not taken: %s", err_name(err));
    }
    if (note != NULL && agent->brain->only_looks) {
        check_follows(world, agent, slot, note);
    }
    if (is_overwritten) {
        brain_status_overwritten(agent->brain, news.uid);
    }
}
