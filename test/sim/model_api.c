/*
 * model_api.c - the API server as far as the brain can tell: objects with UIDs, preconditions, and
 * a terminal phase that nobody may change.
 */
#include "world.h"

static struct world_pod *pod_of_uid(struct world *world, const char *uid, uint32_t *slot)
{
    for (uint32_t i = 0; i < world->pods_count; i++) {
        if (strcmp(world->pods[i].uid, uid) == 0) {
            *slot = i;
            return &world->pods[i];
        }
    }
    return NULL;
}

static bool has_live_group(const struct world *world, uint32_t pod)
{
    for (uint32_t i = 0; i < world->groups_count; i++) {
        const struct world_group *group = &world->groups[i];
        if (group->pod == pod && !group->is_gone && eci_status_is_live(group->status)) {
            return true;
        }
    }
    return false;
}

static void finish(struct world *world, struct world_pod *pod, uint32_t slot)
{
    if (!pod->is_leaving) {
        world_broken(world, "I5: pod %s was finished although nobody deleted it", pod->uid);
    }
    if (has_live_group(world, slot)) {
        world_broken(world, "I5: pod %s was finished before its group was gone", pod->uid);
    }
    pod->exists = false;
    pod->deleted_ms = world->now_ms;
    world->figures.finishes++;
    world_watch_event(world, slot, true);
}

static void write_status(struct world *world, struct world_pod *pod, uint32_t slot,
                         const struct world_step *request)
{
    enum pod_phase phase = request->past.phase;
    if (request->is_init) {
        pod->past.init_hash = request->past.init_hash;
        return;
    }
    if (pod_phase_is_terminal(pod->phase) && phase != pod->phase) {
        world_broken(world, "I5: pod %s went from %s to %s", pod->uid, pod_phase_name(pod->phase),
                     pod_phase_name(phase));
    }
    if (phase < pod->phase) {
        world_broken(world, "a phase went back: pod %s from %s to %s", pod->uid,
                     pod_phase_name(pod->phase), pod_phase_name(phase));
    }
    if (pod_phase_is_terminal(phase) && !pod->cause_seen) {
        world_broken(world, "I4: pod %s became %s without a cause", pod->uid,
                     pod_phase_name(phase));
    }
    pod->phase = phase;
    if (request->effect.kind == EFFECT_PATCH) {
        pod->instance = request->a + 1;
    }
    uint64_t init_hash = pod->past.init_hash;
    pod->past = request->past;
    pod->past.init_hash = init_hash;
    world_watch_event(world, slot, false);
}

void api_arrive(struct world *world, struct world_step *request, struct world_step *reply)
{
    uint32_t slot = 0;
    struct world_pod *pod = pod_of_uid(world, request->uid, &slot);
    reply->a = slot;
    if (pod == NULL || !pod->exists) {
        reply->err = request->effect.kind == EFFECT_CREATE ? ERR_OK : ERR_NOT_FOUND;
        reply->outcome = CREATE_POD_GONE;
        return;
    }
    switch (request->effect.kind) {
    case EFFECT_CREATE:
        if (pod->is_leaving || pod_phase_is_terminal(pod->phase)) {
            reply->outcome = CREATE_POD_CHANGED;
        } else {
            request->a = slot;
            cloud_arrive(world, request, reply);
        }
        break;
    case EFFECT_FINISH:
        finish(world, pod, slot);
        break;
    case EFFECT_PATCH:
    case EFFECT_SAY:
        if (world_chance(world, world->options.conflict)) {
            reply->err = ERR_CONFLICT;
            break;
        }
        write_status(world, pod, slot, request);
        break;
    default: /* EFFECT_PROVE: it is there */
        break;
    }
}
