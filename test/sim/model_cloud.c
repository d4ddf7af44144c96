/*
 * model_cloud.c - the ECI calls as far as the brain can tell: groups with tags and tokens, listings
 * that lag, omit rows and lose pages, quotas, refusals, missing permissions.
 */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

#define PAGE_ROWS 20

/* ---- create ---------------------------------------------------------------------------------- */

static const struct world_group *group_of_token(struct world *world,
                                                const struct world_step *request)
{
    const struct world_pod *pod = &world->pods[request->a];
    for (uint32_t i = pod->newest_group; i != 0; i = world->groups[i - 1].before) {
        const struct world_group *group = &world->groups[i - 1];
        if (group->attempt == request->attempt &&
            world->now_ms - group->created_ms < world->options.token_memory_ms) {
            return group;
        }
    }
    return NULL;
}

static uint32_t count_live(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->present_count; i++) {
        const struct world_group *group = &world->groups[world->present[i]];
        count += !group->is_gone && eci_status_is_live(group->status) ? 1 : 0;
    }
    return count;
}

static void make_group(struct world *world, struct world_step *request, struct world_step *reply)
{
    struct world_pod *pod = &world->pods[request->a];
    int64_t wrong_s = world->options.drift > 0 ? (int64_t)prng_below(&world->prng, 5) : 0;
    uint32_t slot = world->groups_count++;
    struct world_group *group = &world->groups[slot];
    *group = (struct world_group){.pod = request->a,
                                  .attempt = request->attempt,
                                  .created_ms = world->now_ms,
                                  .created_unix_s = 1700000000 + world->now_ms / 1000 + wrong_s,
                                  .version = (uint64_t)world->groups_count << 16,
                                  .before = pod->newest_group};
    (void)snprintf(group->id, sizeof group->id, "eci-%06u", world->groups_count);
    pod->newest_group = slot + 1;
    world->present[world->present_count++] = slot;
    world->figures.groups++;
    group->is_gone = true; /* till it enters its first status */
    group_enters(world, group, ECI_STATUS_SCHEDULING, 500 + world_delay(world));
    memcpy(reply->id, group->id, sizeof reply->id);
    reply->outcome = CREATE_ACCEPTED;
}

static void create(struct world *world, struct world_step *request, struct world_step *reply)
{
    const struct world_options *options = &world->options;
    const struct world_group *known = group_of_token(world, request);
    reply->outcome = CREATE_LATER;
    if (known != NULL && world_chance(world, options->clash)) {
        reply->err = ERR_TOKEN_CLASH;
        reply->outcome = CREATE_REFUSED;
    } else if (known != NULL) {
        memcpy(reply->id, known->id, sizeof reply->id);
        reply->outcome = CREATE_ACCEPTED;
    } else if (world->pods[request->a].is_bad) {
        world->pods[request->a].cause_seen = true;
        reply->err = ERR_INVALID;
        reply->outcome = CREATE_REFUSED;
    } else if (world->phase == PHASE_NO_STOCK && world_chance(world, 900)) {
        reply->err = ERR_STOCK;
    } else if (world->groups_count == WORLD_GROUPS_MAX ||
               (!world->is_healed && options->quota > 0 && count_live(world) >= options->quota)) {
        reply->err = ERR_QUOTA;
    } else {
        make_group(world, request, reply);
    }
}

/* ---- delete ---------------------------------------------------------------------------------- */

static void delete_group(struct world *world, const struct world_step *request,
                         struct world_step *reply)
{
    uint32_t slot = (uint32_t)strtoul(request->id + strlen("eci-"), NULL, 10) - 1;
    struct world_group *group = slot < world->groups_count ? &world->groups[slot] : NULL;
    if (group == NULL || group->is_gone) {
        return; /* eci-api A-9: success for an unknown id */
    }
    if (world_chance(world, world->options.busy)) {
        reply->err = ERR_BUSY;
        return;
    }
    check_deletion(world, group, request);
    group_enters(world, group, ECI_STATUS_TERMINATING,
                 request->effect.is_forced ? 200 : 1000 + world_delay(world));
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_shown(const struct world *world, const struct world_group *group)
{
    if (world->is_healed) {
        return !group->is_gone;
    }
    return group->is_gone ? world->now_ms - group->changed_ms < world->options.ghost_ms
                          : world->now_ms - group->created_ms >= world->options.list_lag_ms;
}

/* Details by id are read where groups are kept: they know what is gone. */
static bool is_found(const struct world *world, const struct world_group *group,
                     enum effect_kind kind)
{
    return is_shown(world, group) && !(kind == EFFECT_READ_DETAIL && group->is_gone);
}

static void add_row(struct world *world, struct world_step *reply, uint32_t slot)
{
    const struct world_group *group = &world->groups[slot];
    reply->rows[reply->rows_count++] =
        (struct world_row){.group = slot, .status = group->status, .version = group->version};
}

/* Gone, and too long ago to be shown by mistake. */
static void forget_ghosts(struct world *world)
{
    for (uint32_t i = world->present_count; i-- > 0;) {
        const struct world_group *group = &world->groups[world->present[i]];
        if (group->is_gone && !is_shown(world, group)) {
            world->present[i] = world->present[--world->present_count];
        }
    }
}

static void list(struct world *world, const struct world_step *request, struct world_step *reply)
{
    forget_ghosts(world);
    if (world->phase == PHASE_NO_PERMISSION) {
        return;
    }
    bool is_sweep = request->effect.kind == EFFECT_SWEEP;
    msec since_ms = world->now_ms - (msec)request->effect.since_s * 1000;
    bool breaks = world_chance(world, world->options.page_fails);
    uint32_t pages = world->present_count / PAGE_ROWS + 1;
    uint32_t lost_page = breaks ? (uint32_t)prng_below(&world->prng, pages) : pages;
    reply->rows = calloc(world->present_count + 1, sizeof *reply->rows);
    for (uint32_t i = 0; i < world->present_count; i++) {
        const struct world_group *group = &world->groups[world->present[i]];
        if (i / PAGE_ROWS >= lost_page) {
            break;
        }
        if (is_shown(world, group) && (is_sweep || group->changed_ms >= since_ms) &&
            !world_chance(world, world->options.omit_row)) {
            add_row(world, reply, world->present[i]);
        }
    }
    if (breaks) {
        reply->is_partial = true;
        reply->err = world_chance(world, 500) ? ERR_SERVER : ERR_OK;
    }
}

static void read_ids(struct world *world, const struct world_step *request,
                     struct world_step *reply)
{
    reply->rows = calloc(READ_BATCH_MAX, sizeof *reply->rows);
    for (uint32_t i = 0; i < request->rows_count && world->phase != PHASE_NO_PERMISSION; i++) {
        const struct world_group *group = &world->groups[request->rows[i].group];
        if (is_found(world, group, request->effect.kind)) {
            add_row(world, reply, request->rows[i].group);
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
