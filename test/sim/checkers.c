/*
 * checkers.c - what must hold in every world (the invariants of world.h). Looks at the truth, never
 * at the brain's beliefs. Each is checked where the truth changes, so no step can slip by.
 *
 * Three worlds break a promise that nobody could keep, and are judged a little milder:
 *
 * - forgetful: the cloud knows no client tokens. A second group may be made, also after its pod has
 *   gone; it must go again.
 *
 * - blind: listings without permission look empty. A pod that leaves may be finished before its
 *   group (an orphan, and removed when the permission is back).
 *
 * - split: two gateways that both act. One may finish a pod while a group of the other's is on its
 * way (it is an orphan, and removed), or write a status that is older than the other's.
 *
 * And a pod is not looked after as well when its user has written into the note on it that the
 * group of another pod is its own (was_forged); the other pod is. When its own group is gone
 * meanwhile, it may stay Running for ever.
 *
 * In none of them a process may finish a pod before a group that it made, or whose tags it has
 * read, is gone (in a blind one: or goes).
 *
 * A status write that was still on its way when its process died may land after one of the next
 * process's: for that moment a phase may go back too.
 */
#include <stdlib.h>

#include "world.h"

#define EXPLAINED_MS 300000 /* a pod that waits for so long has been told why */

#define TWIN_ENDED_MS 60000  /* one that has ended is known to have by then */
#define TWIN_SHOWS_MS 120000 /* one that a forgetful cloud made is known by then */

static bool is_forgetful(const struct world *world)
{
    return world->options.token_memory_ms == 0;
}

/* A process that took one of two groups for one too many knew what the other was a moment ago: the
 * newest reading, and the way of the delete. Where the token keeps twins from being made this never
 * counts. */
static bool had_a_twin_lately(const struct world *world, const struct world_pod *pod,
                              const struct world_group *not_this)
{
    for (uint32_t i = pod->newest_group; i != 0; i = world->groups[i - 1].before) {
        const struct world_group *group = &world->groups[i - 1];
        bool goes = !eci_status_is_live(group->status) || group->status == ECI_STATUS_TERMINATING;
        if (group != not_this && goes && world->now_ms - group->changed_ms < TWIN_ENDED_MS) {
            return is_forgetful(world) && pod->was_twin;
        }
    }
    return false;
}

/* Somebody may delete the one while the delete of the other is on its way: nobody can know. But the
 * sender must have been told only just before that the one that counts for it was there. */
static bool had_a_twin_when_sent(const struct world *world, const struct world_pod *pod,
                                 const struct world_step *request)
{
    return request->twin != 0 && world->groups[request->twin - 1].was_deleted_by_hand &&
           is_forgetful(world) && pod->was_twin;
}

static bool is_split(const struct world *world)
{
    return world->options.agents > 1 && !world->options.elects;
}

/* I1: at most one live group per pod, at any instant. */
void check_live(struct world *world, const struct world_group *group)
{
    struct world_pod *pod = &world->pods[group->pod];
    if (pod->live < 2) {
        return;
    }
    world->figures.twins += pod->was_twin ? 0 : 1;
    pod->was_twin = true;
    if (!is_forgetful(world)) {
        world_broken(world, "I1: pod %s has two live groups, the second is %s", pod->uid,
                     group->id);
    }
}

/* I3: in the truth of this moment, is there a reason to remove this group? */
void check_deletion(struct world *world, const struct world_group *group,
                    const struct world_step *request)
{
    const struct world_pod *pod = &world->pods[group->pod];
    const struct world_object *object = &pod->object;
    bool is_just = !object->exists || object->is_leaving || pod_phase_is_terminal(object->phase) ||
                   pod->live > 1 || had_a_twin_lately(world, pod, group) ||
                   had_a_twin_when_sent(world, pod, request) ||
                   (is_split(world) && pod->has_ended) || /* an older status came later */
                   eci_status_is_terminal(group->status) || group->status == ECI_STATUS_TERMINATING;
    if (!is_just) {
        world_broken(world, "I3: group %s was deleted although its pod %s lives", group->id,
                     pod->uid);
    }
}

uint64_t step_writer(const struct world_step *step)
{
    return (uint64_t)step->life << 1 | step->agent | 1ull << 63;
}

/* Nobody is milder to a process that had seen the group before it sent the request. */
static bool knew_of(const struct world_step *request, const struct world_group *group)
{
    return group->shown_to == step_writer(request) && group->shown_ms < request->sent_ms;
}

/* I5: an object is finalised only when somebody deleted it and its group is gone. */
void check_finish(struct world *world, const struct world_pod *pod,
                  const struct world_step *request)
{
    if (!pod->object.is_leaving) {
        world_broken(world, "I5: pod %s was finished although nobody deleted it", pod->uid);
    }
    bool is_blind = (world->options.phases >> PHASE_NO_PERMISSION & 1u) != 0;
    for (uint32_t i = pod->newest_group; i != 0; i = world->groups[i - 1].before) {
        const struct world_group *group = &world->groups[i - 1];
        bool is_new = is_forgetful(world) && world->now_ms - group->created_ms < TWIN_SHOWS_MS;
        bool did_not_know = is_blind || is_split(world) || is_new;
        bool was_sure = is_blind && group->status == ECI_STATUS_TERMINATING;
        /* Whose user wrote into his note that another one is his: what nobody knew of is an orphan.
         */
        did_not_know = did_not_know || pod->was_forged;
        bool is_excused = was_sure || (did_not_know && !knew_of(request, group));
        if (!group->is_gone && !group->has_ended && !is_excused) {
            world_broken(world, "I5: pod %s was finished before its group %s was gone", pod->uid,
                         group->id);
        }
    }
}

/* I4 and I5: an end needs a cause and is the end; a phase never goes back. */
void check_status(struct world *world, const struct world_pod *pod, enum pod_phase phase,
                  uint64_t writer)
{
    enum pod_phase before = pod->object.phase;
    bool is_others = is_split(world) || (pod->writer != 0 && pod->writer != writer);
    if (pod_phase_is_terminal(before) && phase != before && !is_others) {
        world_broken(world, "I5: pod %s went from %s to %s", pod->uid, pod_phase_name(before),
                     pod_phase_name(phase));
    }
    if (phase < before && !is_others) {
        world_broken(world, "I5: a phase went back: pod %s from %s to %s", pod->uid,
                     pod_phase_name(before), pod_phase_name(phase));
    }
    struct world_pod *own = &world->pods[pod - world->pods];
    own->has_ended |= pod_phase_is_terminal(phase);
    if (pod_phase_is_terminal(phase)) {
        own->hidden_ms = 0;
    } else if (pod_phase_is_terminal(before)) {
        own->hidden_ms = world->now_ms;
    }
    bool was_deleted = is_split(world) && pod->object.is_leaving; /* by the other one */
    bool is_excused = was_deleted || pod->was_forged; /* with a note of a group that is gone */
    if (pod_phase_is_terminal(phase) && !pod->cause_seen && !is_excused) {
        world_broken(world, "I4: pod %s became %s without a cause", pod->uid,
                     pod_phase_name(phase));
    }
}

/* A process died on it often enough: it only removes what leaves, or a group too many. */
void check_aside(struct world *world, const struct world_agent *agent, const struct effect *effect)
{
    const struct group *group =
        effect->kind == EFFECT_DELETE ? brain_group(agent->brain, effect->groups[0]) : NULL;
    const struct pod *believed = brain_pod(agent->brain, group != NULL ? group->pod : effect->pod);
    uint32_t slot;
    const struct world_pod *pod = believed != NULL ? pod_of_uid(world, believed->uid, &slot) : NULL;
    if (pod == NULL || agent->deaths[slot] < AGENT_DEATHS_MAX || !pod->object.exists ||
        pod->object.is_leaving || !effect_is_write(effect->kind)) {
        return;
    }
    bool is_extra =
        group != NULL && pod->newest_group != 0 && world->groups[pod->newest_group - 1].before != 0;
    if (!is_extra) {
        world_broken(world, "row 41: pod %s is set aside, but not left alone: %s", pod->uid,
                     effect_name(effect->kind));
    }
}

/* ---- one leads, the other waits -------------------------------------------------------------- */

void check_turn(struct world *world, const struct world_agent *agent, const struct effect *effect,
                bool is_second)
{
    if (!world->options.elects) {
        return;
    }
    if (agent->brain->only_looks) {
        if (effect->kind != EFFECT_READ_DETAIL) {
            world_broken(world, "a gateway that waits sends: %s", effect_name(effect->kind));
        }
        return;
    }
    for (uint32_t i = 0; i < world->options.agents; i++) {
        const struct world_agent *other = &world->agents[i];
        if (other != agent && other->is_alive && agent_may_act(world, other)) {
            world_broken(world, "two gateways lead: %s", effect_name(effect->kind));
        }
    }
    if (is_second && !(agent->has_listed && agent->has_swept)) {
        world_broken(world, "I1: a group is created before this leader has read %s",
                     agent->has_listed ? "the cloud" : "the pods");
    }
}

static const struct world_group *answer_of(struct world *world, const struct world_agent *agent,
                                           const struct pod *pod)
{
    const struct group *group = brain_instance(agent->brain, pod);
    if (group == NULL || !pod->was_seen) {
        return NULL;
    }
    uint32_t slot;
    const struct world_pod *truth = pod_of_uid(world, pod->uid, &slot);
    const struct world_group *answer =
        &world->groups[strtoul(group->id + strlen("eci-"), NULL, 10) - 1];
    world->figures.answers++;
    if (answer->pod != slot) {
        world_broken(world, "%s for pod %s that %s answers, which is of pod %s",
                     agent->brain->only_looks ? "who waits says" : "who leads says", truth->uid,
                     answer->id, world->pods[answer->pod].uid);
    }
    return answer;
}

void check_follows(struct world *world, const struct world_agent *agent, uint32_t slot,
                   const struct world_group *note)
{
    const struct pod *pod = brain_find_pod(agent->brain, str_of(world->pods[slot].uid));
    const struct world_group *answer = pod != NULL ? answer_of(world, agent, pod) : NULL;
    if (answer != NULL && answer != note) {
        world_broken(world, "who waits says for pod %s that %s answers, but %s is noted there",
                     pod->uid, answer->id, note->id);
    }
}

void check_answers(struct world *world, const struct world_agent *agent)
{
    if (!world->options.elects || !agent->is_alive) {
        return;
    }
    const struct pool *pods = &agent->brain->pods;
    for (handle h = pool_first(pods); !handle_is_none(h); h = pool_after(pods, h)) {
        (void)answer_of(world, agent, brain_pod(agent->brain, h));
    }
}

static bool is_lasting(const struct world *world, msec since_ms)
{
    return since_ms != 0 && since_ms + EXPLAINED_MS < world->now_ms;
}

/* I12: whoever waits has been told why, if its process could tell; I5: and an end over which an
 * older status was written is shown again. */
void check_explained(struct world *world)
{
    const struct world_agent *agent = agent_leading(world);
    bool can_tell = agent != NULL && agent->is_alive && agent->api_cut == CUT_NONE &&
                    agent->turn.leads_since_ms + EXPLAINED_MS < world->now_ms &&
                    agent->stalled_until_ms + EXPLAINED_MS < world->now_ms &&
                    agent->born_ms + EXPLAINED_MS < world->now_ms &&
                    agent->api_up_ms + EXPLAINED_MS < world->now_ms;
    if (!can_tell || world->is_healed) {
        return;
    }
    for (uint32_t i = 0; i < world->pods_count; i++) {
        const struct world_pod *pod = &world->pods[i];
        bool stays = pod->object.exists && !pod->object.is_leaving;
        bool waits = stays && pod->object.phase == POD_PHASE_PENDING && pod->told_ms == 0 &&
                     pod->created_ms + EXPLAINED_MS < world->now_ms;
        bool is_hidden = stays && is_lasting(world, pod->hidden_ms);
        /* One that a full pool turns away is told by others. */
        const struct pod *known =
            waits || is_hidden ? brain_find_pod(agent->brain, str_of(pod->uid)) : NULL;
        bool is_old = known != NULL && known->seen_at_ms + EXPLAINED_MS < agent_now(world, agent);
        if (is_old && waits) {
            world_broken(world, "I12: pod %s waits and nobody was told why (%s)", pod->uid,
                         brain_pod_why(known));
        } else if (is_old && is_hidden) {
            world_broken(world, "I5: pod %s has ended, and an older status stands there (%s)",
                         pod->uid, brain_pod_why(known));
        }
    }
}

/* ---- after healing --------------------------------------------------------------------------- */

/* More orphans than the brake allows are left alone by design, and told. */
static bool brake_holds(const struct world *world)
{
    const struct world_agent *agent = agent_leading(world);
    return agent != NULL && agent->brain->brake_is_on;
}

static void check_group_converged(struct world *world, const struct world_group *group)
{
    const struct world_pod *pod = &world->pods[group->pod];
    if (group->is_gone || eci_status_is_terminal(group->status)) {
        return;
    }
    if (!pod->object.exists && !brake_holds(world)) {
        world_broken(world, "I3: group %s is leaked: pod %s is gone", group->id, pod->uid);
    } else if (pod->object.exists && pod_phase_is_terminal(pod->object.phase)) {
        world_broken(world, "I3: group %s lives although pod %s has ended", group->id, pod->uid);
    }
}

static bool has_forged_note(const struct world *world, const struct world_pod *pod)
{
    uint32_t note = pod->object.instance;
    return note != 0 && world->groups[note - 1].pod != (uint32_t)(pod - world->pods);
}

static void check_pod_converged(struct world *world, const struct world_pod *pod,
                                bool lists_nothing)
{
    enum pod_phase phase = pod->object.phase;
    bool is_poison = pod->kills_at_create || pod->kills_at_report;
    if (is_poison && !pod->object.is_leaving) {
        if (pod->told_ms == 0) {
            world_broken(world, "I12: nobody was told that pod %s is set aside", pod->uid);
        }
    } else if (lists_nothing && (pod->newest_group != 0 || pod->object.instance != 0)) {
        return; /* a cloud that lists nothing looks like a missing permission: it proves nothing */
    } else if (pod->object.is_leaving) {
        world_broken(world, "I2: pod %s is still leaving", pod->uid);
    } else if (pod_phase_is_terminal(phase)) {
        return;
    } else if (pod->is_bad && pod->newest_group == 0) {
        world_broken(world, "I2: pod %s cannot run and is still %s", pod->uid,
                     pod_phase_name(phase));
    } else if (pod->live == 0 && phase == POD_PHASE_RUNNING && has_forged_note(world, pod)) {
        return; /* its own is gone, and nothing tells that there was one: it is left as it is */
    } else if (pod->live != 1) {
        world_broken(world, "I2: pod %s (%s) has %u groups", pod->uid, pod_phase_name(phase),
                     pod->live);
    } else if (phase != POD_PHASE_RUNNING) {
        world_broken(world, "I2: pod %s is %s although its group runs", pod->uid,
                     pod_phase_name(phase));
    }
}

/* Here names come again while the pod before is still there; where it is not, the newest is meant.
 */
static void check_name_converged(struct world *world, const struct world_agent *agent,
                                 uint32_t slot)
{
    const struct world_pod *pod = &world->pods[slot];
    for (uint32_t i = 0; i < world->pods_count; i++) {
        const struct world_pod *other = &world->pods[i];
        if (i != slot && other->object.exists && strcmp(other->name, pod->name) == 0) {
            return;
        }
    }
    const struct pod *named = brain_find_named(agent->brain, S("web"), str_of(pod->name), STR_NONE);
    if (named == NULL || strcmp(named->uid, pod->uid) != 0) {
        world_broken(world, "asked for %s a gateway answers for pod %s, not %s", pod->name,
                     named != NULL ? named->uid : "none", pod->uid);
    }
}

/* Each gateway answers for what runs, from its own group. The one that waits knows it by the note
 * on the pod: one that somebody forged tells it nothing. */
static void check_answers_converged(struct world *world, const struct world_agent *agent)
{
    for (uint32_t i = 0; i < world->pods_count && agent->is_alive; i++) {
        const struct world_pod *pod = &world->pods[i];
        uint32_t note = pod->object.instance;
        bool is_own = note != 0 && world->groups[note - 1].pod == i;
        bool runs = pod->object.exists && !pod->object.is_leaving && pod->live == 1 &&
                    pod->object.phase == POD_PHASE_RUNNING && !pod->kills_at_report;
        if (!runs || !is_own) {
            continue;
        }
        check_name_converged(world, agent, i);
        const struct pod *known = brain_find_pod(agent->brain, str_of(pod->uid));
        const struct world_group *answer = known != NULL ? answer_of(world, agent, known) : NULL;
        if (answer == NULL || answer->is_gone || !eci_status_is_live(answer->status)) {
            world_broken(world, "%s knows no instance of pod %s (%s)",
                         agent->brain->only_looks ? "who waits" : "who leads", pod->uid,
                         answer != NULL ? answer->id : "none");
        }
    }
}

static void check_turns_converged(struct world *world)
{
    const struct world_agent *leading = agent_leading(world);
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < world->options.agents; i++) {
        waiting += world->agents[i].brain->only_looks ? 1 : 0;
        check_answers_converged(world, &world->agents[i]);
    }
    if (leading == NULL || waiting + 1 != world->options.agents) {
        world_broken(world, "of %u gateways %u wait, and %s leads", world->options.agents, waiting,
                     leading != NULL ? "one" : "none");
    }
}

void check_converged(struct world *world)
{
    if (world->options.elects) {
        check_turns_converged(world);
    }
    bool lists_nothing = true;
    for (uint32_t i = 0; i < world->groups_count; i++) {
        check_group_converged(world, &world->groups[i]);
        lists_nothing = lists_nothing && world->groups[i].is_gone;
    }
    /* Where the brake holds orphans, they hold slots that others wait for. */
    for (uint32_t i = 0; i < world->pods_count && !brake_holds(world); i++) {
        if (world->pods[i].object.exists) {
            check_pod_converged(world, &world->pods[i], lists_nothing);
        }
    }
}
