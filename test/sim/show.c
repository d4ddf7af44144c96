/*
 * show.c - a story as a table: how many pods are in which state, what the rules say of those that
 * wait, and what trouble there is (sim --watch). A demonstration, and the first look at a seed.
 */
#include <stdio.h>

#include "world.h"

enum state {
    STATE_WAITING, /* no group yet */
    STATE_STARTING,
    STATE_RUNNING,
    STATE_ENDED,
    STATE_LEAVING,
    STATE_ORPHAN, /* groups whose pod is gone */
    STATE_COUNT
};

static void count_states(const struct world *world, uint32_t counts[static STATE_COUNT])
{
    for (uint32_t i = 0; i < world->pods_count; i++) {
        const struct world_pod *pod = &world->pods[i];
        if (!pod->object.exists) {
            counts[STATE_ORPHAN] += pod->live;
        } else if (pod->object.is_leaving) {
            counts[STATE_LEAVING]++;
        } else if (pod_phase_is_terminal(pod->object.phase)) {
            counts[STATE_ENDED]++;
        } else if (pod->object.phase == POD_PHASE_RUNNING) {
            counts[STATE_RUNNING]++;
        } else {
            counts[pod->live > 0 ? STATE_STARTING : STATE_WAITING]++;
        }
    }
}

/* The sentence that holds the pod which waits longest. */
static const char *why_waiting(const struct world *world)
{
    for (uint32_t i = 0; i < world->pods_count; i++) {
        const struct world_pod *pod = &world->pods[i];
        bool waits = pod->object.exists && !pod_phase_is_terminal(pod->object.phase) &&
                     (pod->object.is_leaving || pod->live == 0);
        const struct pod *known = waits && world->agents[0].is_alive
                                      ? brain_find_pod(world->agents[0].brain, str_of(pod->uid))
                                      : NULL;
        if (known != NULL) {
            return brain_pod_why(known);
        }
    }
    return "";
}

static const char *const phase_names[PHASE_KIND_COUNT] = {
    [PHASE_CALM] = "",
    [PHASE_NO_PERMISSION] = " no-permission",
    [PHASE_THROTTLED] = " throttled",
    [PHASE_SICK] = " sick",
    [PHASE_NO_STOCK] = " no-stock",
};

void world_show_head(void)
{
    printf("   hh:mm  waiting starting running ended leaving orphans  crashes ambiguous  trouble, "
           "and the rule of the pod that waits longest\n");
}

void world_show(const struct world *world)
{
    uint32_t counts[STATE_COUNT] = {0};
    count_states(world, counts);
    const struct world_agent *agent = &world->agents[0];
    msec minutes = (world->now_ms - WORLD_START_MS) / 60000;
    printf("%5lld:%02lld %8u %8u %7u %5u %7u %7u %8llu %9llu %s%s%s%s%s  %s\n",
           (long long)minutes / 60, (long long)minutes % 60, counts[STATE_WAITING],
           counts[STATE_STARTING], counts[STATE_RUNNING], counts[STATE_ENDED],
           counts[STATE_LEAVING], counts[STATE_ORPHAN], (unsigned long long)world->figures.crashes,
           (unsigned long long)world->figures.ambiguous, world->is_healed ? " healed" : "",
           agent->is_alive ? "" : " dead", agent->cloud_cut != CUT_NONE ? " cloud-cut" : "",
           agent->api_cut != CUT_NONE ? " api-cut" : "", phase_names[world->phase],
           why_waiting(world));
}
