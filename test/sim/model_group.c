/*
 * model_group.c - container groups move on by themselves (eci-api 3.1): scheduled or not, running,
 * restarted, ended, taken back, deleted by hand, and forgotten some time after they ended.
 */
#include "world.h"

#define ENDED_MAX 100 /* ended groups that the cloud remembers */
#define ENDS_WITHIN_MS 14400000

static bool counts_as_live(const struct world_group *group)
{
    return !group->is_gone && eci_status_is_live(group->status) &&
           group->status != ECI_STATUS_TERMINATING;
}

static void changed(struct world *world, struct world_group *group, bool was_live)
{
    struct world_pod *pod = &world->pods[group->pod];
    pod->live = (uint8_t)(pod->live + (counts_as_live(group) ? 1 : 0) - (was_live ? 1 : 0));
    group->version++;
    group->changed_ms = world->now_ms;
    check_live(world, group);
    if (pod->live > 1 && !was_live && world_chance(world, 250)) {
        /* Two at a time are rare, and a deletion meanwhile is rarer: somebody lends a hand. */
        world_step_new(world, STEP_USER, world_up_to(world, 20000))->a = group->pod + 1;
    }
}

void group_enters(struct world *world, struct world_group *group, enum eci_status status,
                  msec next_ms)
{
    bool was_live = counts_as_live(group);
    group->is_gone = false;
    group->status = status;
    group->has_ended = group->has_ended || eci_status_is_terminal(status);
    changed(world, group, was_live);
    if (status == ECI_STATUS_SUCCEEDED || status == ECI_STATUS_FAILED ||
        status == ECI_STATUS_EXPIRED) {
        world->pods[group->pod].cause_seen = true;
    }
    if (next_ms > 0) {
        struct world_step *step = world_step_new(world, STEP_GROUP, next_ms);
        step->a = (uint32_t)(group - world->groups);
        step->version = group->version;
    }
}

void group_leaves(struct world *world, struct world_group *group)
{
    bool was_live = counts_as_live(group);
    group->is_gone = true;
    changed(world, group, was_live);
}

static void runs(struct world *world, struct world_group *group)
{
    bool ends = world_chance(world, world->options.ends);
    bool restarts = !ends && world_chance(world, 20);
    group_enters(world, group, ECI_STATUS_RUNNING,
                 ends       ? world_up_to(world, ENDS_WITHIN_MS)
                 : restarts ? world_up_to(world, 600000)
                            : 0);
}

void group_moves(struct world *world, const struct world_step *step)
{
    struct world_group *group = &world->groups[step->a];
    if (group->is_gone || group->version != step->version) {
        return; /* something else happened to it meanwhile */
    }
    switch (group->status) {
    case ECI_STATUS_SCHEDULING:
        if (world_chance(world, world->options.schedule_fails)) {
            group_enters(world, group, ECI_STATUS_SCHEDULE_FAILED, 0);
        } else {
            group_enters(world, group, ECI_STATUS_PENDING, 1000 + world_delay(world));
        }
        break;
    case ECI_STATUS_PENDING:
    case ECI_STATUS_RESTARTING:
        runs(world, group);
        break;
    case ECI_STATUS_RUNNING:
        if (world->is_healed) {
            break; /* nothing changes any more */
        }
        if (world_chance(world, world->options.ends)) {
            group_enters(world, group,
                         world_chance(world, 500) ? ECI_STATUS_SUCCEEDED : ECI_STATUS_FAILED, 0);
        } else {
            group_enters(world, group, ECI_STATUS_RESTARTING, world_up_to(world, 10000));
        }
        break;
    case ECI_STATUS_TERMINATING:
        group_leaves(world, group);
        break;
    default:
        break;
    }
}

/* ---- mishaps --------------------------------------------------------------------------------- */

static struct world_group *any_group(struct world *world)
{
    if (world->present_count == 0) {
        return NULL;
    }
    struct world_group *group =
        &world->groups[world->present[prng_below(&world->prng, world->present_count)]];
    return group->is_gone ? NULL : group;
}

/* Ended ones are kept for a while, and only the newest hundred. */
static void forget_ended(struct world *world)
{
    uint32_t ended = 0;
    struct world_group *oldest = NULL;
    for (uint32_t i = 0; i < world->present_count; i++) {
        struct world_group *group = &world->groups[world->present[i]];
        if (group->is_gone || eci_status_is_live(group->status)) {
            continue;
        }
        ended++;
        if (oldest == NULL || group->changed_ms < oldest->changed_ms) {
            oldest = group;
        }
        if (world->options.retention_ms > 0 &&
            world->now_ms - group->changed_ms > world->options.retention_ms) {
            group_leaves(world, group);
        }
    }
    if (ended > ENDED_MAX && !oldest->is_gone) {
        group_leaves(world, oldest);
    }
}

void groups_minute(struct world *world)
{
    struct world_group *group = any_group(world);
    if (group != NULL && world_chance(world, world->options.vanish)) {
        group->was_deleted_by_hand = true;
        world->pods[group->pod].cause_seen = true;
        group_leaves(world, group);
    }
    group = any_group(world);
    if (group != NULL && group->status == ECI_STATUS_RUNNING &&
        world_chance(world, world->options.reclaim)) {
        group_enters(world, group, ECI_STATUS_EXPIRED, 0);
    }
    if (!world->is_healed) { /* later it would be a change, and nothing may change then */
        forget_ended(world);
    }
}
