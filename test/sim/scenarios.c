/*
 * scenarios.c - named stories, told again and again with a crash at every request: before it is
 * sent and just after. Some are also told with a second crash during the recovery from the first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stories.h"

#define POINTS_MAX \
    90 /* requests of a scenario up to its end; later ones are polls like the others */
#define AGAIN_MAX 12 /* requests of a recovery */

static void pass(struct world *world, msec ms)
{
    world_run(world, world->now_ms + ms);
}

static void cut_cloud(struct world *world, msec ms)
{
    world->agents[0].cloud_cut = CUT_ALL;
    pass(world, ms);
    world->agents[0].cloud_cut = CUT_NONE;
}

static struct world_group *newest_group(struct world *world, uint32_t pod)
{
    uint32_t slot = world->pods[pod].newest_group;
    return slot == 0 || world->groups[slot - 1].is_gone ? NULL : &world->groups[slot - 1];
}

static void create(struct world *world)
{
    (void)world_pod_create(world, false, false);
    pass(world, 60000);
}

static void create_init(struct world *world)
{
    (void)world_pod_create(world, false, true);
    pass(world, 60000);
}

static void delete (struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 30000);
    world_pod_delete(world, pod, false);
    pass(world, 60000);
}

static void delete_at_once(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 300);
    world_pod_delete(world, pod, false);
    pass(world, 60000);
}

static void force_delete(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 30000);
    world_pod_delete(world, pod, true);
    pass(world, 60000);
}

static void three(struct world *world)
{
    uint32_t a = world_pod_create(world, false, false);
    uint32_t b = world_pod_create(world, true, false);
    pass(world, 10000);
    (void)world_pod_create(world, false, false);
    world_pod_delete(world, a, false);
    pass(world, 5000);
    world_pod_delete(world, b, true);
    pass(world, 60000);
}

static void ends(struct world *world)
{
    uint32_t pod = world_pod_create(world, true, false);
    pass(world, 20000);
    if (newest_group(world, pod) != NULL) {
        group_enters(world, newest_group(world, pod), ECI_STATUS_SUCCEEDED, 0);
    }
    pass(world, 60000);
}

/* A status write of before was long on its way and comes after the end, when the cloud has no news
 * any more. */
static void old_status_comes_last(struct world *world)
{
    uint32_t pod = world_pod_create(world, true, false);
    pass(world, 20000);
    struct world_object running = world->pods[pod].object;
    if (newest_group(world, pod) != NULL) {
        group_enters(world, newest_group(world, pod), ECI_STATUS_SUCCEEDED, 0);
    }
    pass(world, 60000);
    struct world_object ended = world->pods[pod].object;
    if (running.phase == POD_PHASE_RUNNING && pod_phase_is_terminal(ended.phase)) {
        world->pods[pod].object.phase = running.phase;
        world->pods[pod].object.past = running.past;
        api_changed(world, pod, &ended);
    }
    pass(world, 60000);
}

static void delete_in_outage(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 20000);
    world->agents[0].cloud_cut = CUT_ALL;
    pass(world, 20000);
    world_pod_delete(world, pod, false);
    cut_cloud(world, 60000);
    pass(world, 60000);
}

static void create_in_outage(struct world *world)
{
    world->agents[0].cloud_cut = CUT_REPLIES;
    (void)world_pod_create(world, false, false);
    cut_cloud(world, 40000);
    pass(world, 60000);
}

static void schedule_failed(struct world *world)
{
    (void)world_pod_create(world, false, false); /* so that listings are not empty */
    pass(world, 10000);
    world->options.schedule_fails = 1000;
    (void)world_pod_create(world, false, false);
    pass(world, 10000);
    world->options.schedule_fails = 0;
    pass(world, 90000);
}

static void spot_reclaim(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 20000);
    if (newest_group(world, pod) != NULL) {
        group_enters(world, newest_group(world, pod), ECI_STATUS_EXPIRED, 0);
    }
    pass(world, 60000);
}

static void finish_with_conflict(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 20000);
    world->options.conflict = 1000;
    world_pod_delete(world, pod, false);
    pass(world, 30000);
    world->options.conflict = 0;
    pass(world, 60000);
}

/* A pod is deleted by force while nobody runs: only the group is left. */
static void orphan(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 20000);
    agent_crash(world, &world->agents[0]);
    world_pod_delete(world, pod, true);
    world->compacted = world->version;
    pass(world, 90000);
}

/* The cloud takes the token of a repeated creation for one that was used for something else. */
static void token_clash(struct world *world)
{
    world->options.clash = 1000;
    world->agents[0].cloud_cut = CUT_REPLIES;
    (void)world_pod_create(world, false, false);
    pass(world, 7000);
    world->agents[0].cloud_cut = CUT_NONE;
    pass(world, 30000);
    world->options.clash = 0;
    pass(world, 120000);
}

static void hand_deletion(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    (void)world_pod_create(world, false, false); /* so that listings are not empty */
    pass(world, 20000);
    struct world_group *group = newest_group(world, pod);
    if (group != NULL) {
        group->was_deleted_by_hand = true;
        world->pods[pod].cause_seen = true;
        group_leaves(world, group);
    }
    pass(world, 180000);
}

static void api_outage(struct world *world)
{
    uint32_t pod = world_pod_create(world, false, false);
    pass(world, 20000);
    world->agents[0].api_cut = CUT_ALL;
    world_pod_delete(world, pod, false);
    pass(world, 30000);
    world->agents[0].api_cut = CUT_NONE;
    api_watch_cut(world, &world->agents[0], 1000);
    pass(world, 60000);
}

/* The API server shows pods or does not, and says nothing about it: every watch has expired. */
static void set_shown(struct world *world, bool are_shown)
{
    for (uint32_t i = 0; i < world->pods_count; i++) {
        struct world_object *object = &world->pods[i].object;
        world->pods_existing += are_shown ? 1 : 0;
        world->pods_existing -= object->exists ? 1 : 0;
        object->exists = are_shown;
    }
    world->compacted = ++world->version;
    for (uint32_t i = 0; i < world->options.agents; i++) {
        api_watch_cut(world, &world->agents[i], 1000);
    }
}

/* The control plane comes back from a backup that is older than all pods; a newer one is found
 * later. The groups must live through it (the brake), or the pods lose them. */
static void old_backup(struct world *world)
{
    for (int i = 0; i < 8; i++) {
        (void)world_pod_create(world, false, false);
    }
    pass(world, 30000);
    set_shown(world, false);
    pass(world, 600000);
    for (uint32_t i = 0; i < world->groups_count; i++) {
        if (world->groups[i].is_gone) {
            world_broken(world, "I3: group %s was deleted on the word of a backup",
                         world->groups[i].id);
        }
    }
    set_shown(world, true);
    pass(world, 120000);
}

/* The first kills who translates it, the second who translates its status. */
static void poison(struct world *world)
{
    world->options.poison = 1000;
    (void)world_pod_create(world, false, false);
    uint32_t pod = world_pod_create(world, false, false);
    world->options.poison = 0;
    (void)world_pod_create(world, false, false);
    pass(world, 60000);
    world_pod_delete(world, pod, false);
    pass(world, 60000);
}

/* Of two that both believe to lead it is the first one that something happens to. */
static struct world_agent *leader(struct world *world)
{
    const struct world_agent *leading = agent_leading(world);
    return &world->agents[leading != NULL ? agent_number(world, leading) : 0];
}

/* The leader sleeps in the midst of its work, the other does it, and the first one wakes up. */
static void old_leader_wakes(struct world *world)
{
    uint32_t a = world_pod_create(world, false, false);
    (void)world_pod_create(world, true, false);
    leader(world)->stalled_until_ms = world->now_ms + 60000;
    pass(world, 30000);
    world_pod_delete(world, a, false);
    pass(world, 31000);
    (void)world_pod_create(world, false, false);
    pass(world, 60000);
}

/* They take turns, in the midst of their work. */
static void turns_are_taken(struct world *world)
{
    uint32_t a = world_pod_create(world, false, false);
    pass(world, 400);
    lease_give_back(world);
    pass(world, 4000);
    uint32_t b = world_pod_create(world, true, false);
    world_pod_delete(world, a, false);
    pass(world, 1000);
    lease_give_back(world);
    pass(world, 20000);
    world_pod_delete(world, b, false);
    pass(world, 300);
    lease_give_back(world);
    pass(world, 60000);
}

/* The leader is cut off from the cluster: the other one leads, and gives way to nobody. */
static void leader_is_cut_off(struct world *world)
{
    (void)world_pod_create(world, false, false);
    uint32_t b = world_pod_create(world, false, true);
    pass(world, 2000);
    struct world_agent *first = leader(world);
    first->api_cut = CUT_ALL;
    world_pod_delete(world, b, false);
    pass(world, 40000);
    (void)world_pod_create(world, false, false);
    first->api_cut = CUT_NONE;
    api_watch_cut(world, first, 1000);
    pass(world, 60000);
}

/* While the permission to list is missing, one pod has a note that names the instance of another;
 * who begins to lead then knows neither, and the first pod is deleted. */
static void note_names_another(struct world *world)
{
    uint32_t a = world_pod_create(world, false, false);
    uint32_t b = world_pod_create(world, false, false);
    pass(world, 20000);
    struct world_object before = world->pods[a].object;
    world->pods[a].object.instance = world->pods[b].object.instance;
    world->pods[a].was_forged = true;
    api_changed(world, a, &before);
    pass(world, 5000);
    world->phase = PHASE_NO_PERMISSION;
    agent_crash(world, leader(world));
    pass(world, 30000);
    lease_give_back(world);
    pass(world, 10000);
    world_pod_delete(world, a, false);
    pass(world, 90000);
    world->phase = PHASE_CALM;
    pass(world, 180000);
}

#define TWO_CRASHES 1u  /* also with a second one, during the recovery */
#define TWO_GATEWAYS 2u /* that both believe to lead */
#define NO_TOKENS 4u    /* the cloud forgets client tokens at once */
#define ONE_WAITS 8u    /* two gateways of which one leads */

static const struct scenario {
    const char *name;
    void (*play)(struct world *world);
    unsigned how;
} scenarios[] = {
    {"create", create, TWO_CRASHES},
    {"create with init containers", create_init, 0},
    {"delete", delete, TWO_CRASHES},
    {"delete while it is created", delete_at_once, TWO_CRASHES},
    {"force delete", force_delete, 0},
    {"three pods come and go", three, 0},
    {"a pod ends by itself", ends, 0},
    {"an older status comes after the end", old_status_comes_last, 0},
    {"delete during an outage", delete_in_outage, 0},
    {"create while no reply comes", create_in_outage, TWO_CRASHES},
    {"no stock, found out later", schedule_failed, TWO_CRASHES},
    {"spot reclaim", spot_reclaim, 0},
    {"finish with conflict", finish_with_conflict, 0},
    {"restart with an orphan", orphan, 0},
    {"token clash", token_clash, TWO_CRASHES},
    {"deleted by hand in the cloud", hand_deletion, 0},
    {"delete while the API server is away", api_outage, 0},
    {"control plane from an old backup", old_backup, 0},
    {"poisonous pods", poison, 0},
    {"two gateways", three, TWO_GATEWAYS},
    {"two gateways, no stock", schedule_failed, TWO_GATEWAYS},
    {"two gateways, the first wakes up", old_leader_wakes, TWO_GATEWAYS},
    {"two gateways, no tokens", three, TWO_GATEWAYS | NO_TOKENS},
    {"two gateways, no tokens, no stock", schedule_failed, TWO_GATEWAYS | NO_TOKENS},
    {"two gateways, no tokens, the first wakes up", old_leader_wakes, TWO_GATEWAYS | NO_TOKENS},
    {"one waits", three, ONE_WAITS},
    {"one waits, a pod ends by itself", ends, ONE_WAITS},
    {"one waits, no stock", schedule_failed, ONE_WAITS},
    {"one waits, the leader wakes up", old_leader_wakes, ONE_WAITS},
    {"one waits, no tokens, the leader wakes up", old_leader_wakes, ONE_WAITS | NO_TOKENS},
    {"one waits, the leader is cut off", leader_is_cut_off, ONE_WAITS},
    {"one waits, turns are taken", turns_are_taken, ONE_WAITS},
    {"a note names another pod's instance", note_names_another, 0},
    {"one waits, a note names another pod's instance", note_names_another, ONE_WAITS},
};

#define SCENARIOS_COUNT (sizeof scenarios / sizeof scenarios[0])

/* Returns how many requests the story had up to its end, or 0 when it broke. */
static uint64_t play(const struct scenario *scenario, uint32_t crash_at, uint32_t again, bool after,
                     struct story_sum *sum)
{
    struct world *world = calloc(1, sizeof *world);
    const struct world_options options = {
        .seed = 1,
        .pods_limit = 16,
        .agents = (scenario->how & (TWO_GATEWAYS | ONE_WAITS)) != 0 ? 2 : 1,
        .elects = (scenario->how & ONE_WAITS) != 0,
        .delay_max_ms = 40,
        .token_memory_ms = (scenario->how & NO_TOKENS) != 0 ? 0 : WORLD_EVER,
        .crash_at = crash_at,
        .crash_again = again,
        .crash_after_sending = after};
    world_init(world, &options);
    pass(world, 1000);
    scenario->play(world);
    uint64_t requests = world->figures.requests;
    story_ends_well(world);
    sum_add_world(sum, world);
    if (world->violation[0] != '\0') {
        if (getenv("SIM_TRACE") != NULL) {
            world_print_trace(world);
        }
        printf("BROKEN scenario \"%s\", crash at request %u (+%u, %s): %s\n", scenario->name,
               crash_at, again, after ? "after it was sent" : "before it was sent",
               world->violation);
        requests = 0;
    }
    world_free(world);
    free(world);
    return requests;
}

static uint32_t crash_everywhere(const struct scenario *scenario, struct story_sum *sum)
{
    uint64_t requests = play(scenario, 0, 0, false, sum);
    uint32_t last = requests > POINTS_MAX ? POINTS_MAX : (uint32_t)requests, points = 0;
    for (uint32_t at = 1; at <= last; at++) {
        uint32_t again_max = (scenario->how & TWO_CRASHES) != 0 ? AGAIN_MAX : 0;
        for (uint32_t again = 0; again <= again_max; again++) {
            (void)play(scenario, at, again, false, sum);
            (void)play(scenario, at, again, true, sum);
            points += 2;
        }
    }
    return points;
}

void scenarios_run(struct story_sum *sum)
{
    uint32_t points = 0;
    uint64_t broken = sum->broken;
    for (size_t i = 0; i < SCENARIOS_COUNT; i++) {
        points += crash_everywhere(&scenarios[i], sum);
    }
    printf("scenarios: %zu, crash points: %u, broken: %llu\n", SCENARIOS_COUNT, points,
           (unsigned long long)(sum->broken - broken));
}
