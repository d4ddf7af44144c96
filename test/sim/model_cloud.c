/*
 * model_cloud.c - the cloud as far as the brain can tell: groups with tags and tokens, listings
 * that lag, state machines that move by themselves (eci-api 3.1).
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

static struct world_group *group_of_id(struct world *world, const char *id)
{
    for (uint32_t i = 0; i < world->groups_count; i++) {
        if (strcmp(world->groups[i].id, id) == 0) {
            return &world->groups[i];
        }
    }
    return NULL;
}

static void set_status(struct world *world, struct world_group *group, enum eci_status status,
                       msec next_ms)
{
    group->status = status;
    group->version++;
    group->changed_ms = world->now_ms;
    group->next_ms = next_ms > 0 ? world->now_ms + next_ms : 0;
    if (status == ECI_STATUS_SUCCEEDED || status == ECI_STATUS_FAILED ||
        status == ECI_STATUS_EXPIRED) {
        world->pods[group->pod].cause_seen = true;
    }
}

static void create(struct world *world, struct world_step *request, struct world_step *reply)
{
    for (uint32_t i = 0; i < world->groups_count; i++) { /* the client token */
        struct world_group *group = &world->groups[i];
        if (group->pod == request->a && group->attempt == request->attempt &&
            world->now_ms - group->created_ms < world->options.token_memory_ms) {
            memcpy(reply->id, group->id, sizeof reply->id);
            reply->outcome = CREATE_ACCEPTED;
            return;
        }
    }
    if (world->groups_count == WORLD_GROUPS_MAX) {
        reply->err = ERR_QUOTA;
        return;
    }
    struct world_group *group = &world->groups[world->groups_count++];
    *group = (struct world_group){.pod = request->a,
                                  .attempt = request->attempt,
                                  .created_ms = world->now_ms,
                                  .version = (uint64_t)world->groups_count << 16};
    (void)snprintf(group->id, sizeof group->id, "eci-%06u", world->groups_count);
    set_status(world, group, ECI_STATUS_SCHEDULING, 500 + world_delay(world));
    world->pods[request->a].creates++;
    world->figures.groups++;
    memcpy(reply->id, group->id, sizeof reply->id);
    reply->outcome = CREATE_ACCEPTED;
}

/* In the truth of this moment, was there a reason to remove this group? */
static bool is_just(const struct world *world, const struct world_group *group)
{
    const struct world_pod *pod = &world->pods[group->pod];
    bool is_extra = false;
    for (uint32_t i = 0; i < world->groups_count; i++) {
        const struct world_group *other = &world->groups[i];
        is_extra = is_extra || (other != group && other->pod == group->pod && !other->is_gone);
    }
    return !pod->exists || pod->is_leaving || pod_phase_is_terminal(pod->phase) || is_extra ||
           eci_status_is_terminal(group->status);
}

static void delete_group(struct world *world, const struct world_step *request,
                         struct world_step *reply)
{
    /* The id travels with the request in the real protocol; here by the brain's own record, which
     * may be of an earlier life: then nothing happens. */
    struct world_group *group = group_of_id(world, request->id);
    if (group == NULL || group->is_gone) {
        return; /* eci-api A-9: success for an unknown id */
    }
    if (!is_just(world, group)) {
        world_broken(world, "I3: group %s was deleted although its pod %s lives", group->id,
                     world->pods[group->pod].uid);
    }
    (void)reply;
    group->deletion_was_just = true;
    set_status(world, group, ECI_STATUS_TERMINATING,
               request->effect.is_forced ? 200 : 1000 + world_delay(world));
}

static bool is_listed(const struct world *world, const struct world_group *group)
{
    msec lag_ms = world->is_healed ? 0 : world->options.list_lag_ms;
    return !group->is_gone && world->now_ms - group->created_ms >= lag_ms;
}

static void list(struct world *world, const struct world_step *request, struct world_step *reply)
{
    reply->rows = calloc(world->groups_count + 1, sizeof *reply->rows);
    msec since_ms = world->now_ms - (msec)request->effect.since_s * 1000;
    for (uint32_t i = 0; i < world->groups_count; i++) {
        const struct world_group *group = &world->groups[i];
        if (is_listed(world, group) && !world_chance(world, world->options.omit_row) &&
            (request->effect.kind == EFFECT_SWEEP || group->changed_ms >= since_ms)) {
            reply->rows[reply->rows_count++] =
                (struct world_row){.group = i, .status = group->status, .version = group->version};
        }
    }
}

static void read_ids(struct world *world, const struct world_step *request,
                     struct world_step *reply)
{
    reply->rows = calloc(READ_BATCH_MAX, sizeof *reply->rows);
    for (uint32_t i = 0; i < request->rows_count; i++) {
        uint32_t slot = request->rows[i].group;
        if (is_listed(world, &world->groups[slot])) {
            reply->rows[reply->rows_count++] =
                (struct world_row){.group = slot,
                                   .status = world->groups[slot].status,
                                   .version = world->groups[slot].version};
        }
    }
}

void cloud_arrive(struct world *world, struct world_step *request, struct world_step *reply)
{
    switch (request->effect.kind) {
    case EFFECT_CREATE:
        create(world, request, reply);
        break;
    case EFFECT_DELETE:
        delete_group(world, request, reply);
        break;
    case EFFECT_DELTA:
    case EFFECT_SWEEP:
        list(world, request, reply);
        break;
    default:
        read_ids(world, request, reply);
        break;
    }
}

static void moves_on(struct world *world, struct world_group *group)
{
    switch (group->status) {
    case ECI_STATUS_SCHEDULING:
        if (world_chance(world, world->options.schedule_fails)) {
            set_status(world, group, ECI_STATUS_SCHEDULE_FAILED, 0);
        } else {
            set_status(world, group, ECI_STATUS_PENDING, 1000 + world_delay(world));
        }
        break;
    case ECI_STATUS_PENDING:
        set_status(world, group, ECI_STATUS_RUNNING, 0);
        break;
    case ECI_STATUS_TERMINATING:
        group->is_gone = true;
        group->next_ms = 0;
        break;
    default:
        group->next_ms = 0;
        break;
    }
}

void cloud_moves(struct world *world)
{
    for (uint32_t i = 0; i < world->groups_count; i++) {
        struct world_group *group = &world->groups[i];
        if (group->is_gone) {
            continue;
        }
        if (group->next_ms != 0 && group->next_ms <= world->now_ms) {
            moves_on(world, group);
        } else if (group->status == ECI_STATUS_RUNNING &&
                   world_chance(world, world->options.ends) && prng_below(&world->prng, 120) == 0) {
            set_status(world, group,
                       prng_below(&world->prng, 2) == 0 ? ECI_STATUS_SUCCEEDED : ECI_STATUS_FAILED,
                       0);
        } else if (world_chance(world, world->options.vanish) &&
                   prng_below(&world->prng, 120) == 0) {
            group->is_gone = true;
            group->was_deleted_by_hand = true;
            world->pods[group->pod].cause_seen = true;
        }
    }
}
