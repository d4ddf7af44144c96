/* checkers.c - what must hold in every world (reliability.md section 1). Looks at the truth, never
 * at the brain's beliefs.
 */
#include "world.h"

/* I1: at most one live group per pod, at any instant. */
static void check_doubles(struct world *world)
{
    static uint8_t live[WORLD_PODS_MAX];
    memset(live, 0, sizeof live);
    for (uint32_t i = 0; i < world->groups_count; i++) {
        const struct world_group *group = &world->groups[i];
        bool counts = !group->is_gone && eci_status_is_live(group->status) &&
                      group->status != ECI_STATUS_TERMINATING;
        if (counts && ++live[group->pod] > 1) {
            world_broken(world, "I1: pod %s has two live groups, the second is %s",
                         world->pods[group->pod].uid, group->id);
        }
    }
}

/* I7: the brain's own pools never hold more than what exists or existed. */
static void check_bounds(struct world *world)
{
    if (world->is_alive && world->brain->pods.count > world->brain->pods.count_max) {
        world_broken(world, "I7: more pods than slots");
    }
}

void check_invariants(struct world *world)
{
    check_doubles(world);
    check_bounds(world);
}

void check_converged(struct world *world)
{
    static uint8_t live[WORLD_PODS_MAX];
    bool lists_nothing =
        true; /* what a missing permission looks like: it fails no pod, by design */
    memset(live, 0, sizeof live);
    for (uint32_t i = 0; i < world->groups_count; i++) {
        const struct world_group *group = &world->groups[i];
        lists_nothing = lists_nothing && group->is_gone;
        if (group->is_gone || eci_status_is_terminal(group->status)) {
            continue;
        }
        live[group->pod]++;
        const struct world_pod *pod = &world->pods[group->pod];
        if (!pod->exists) {
            world_broken(world, "I3: group %s is leaked: pod %s is gone", group->id, pod->uid);
        } else if (pod_phase_is_terminal(pod->phase)) {
            world_broken(world, "I3: group %s lives although pod %s has ended", group->id,
                         pod->uid);
        }
    }
    uint32_t existing = 0;
    for (uint32_t i = 0; i < world->pods_count; i++) {
        existing += world->pods[i].exists ? 1 : 0;
    }
    bool is_over_full = existing > world->options.pods_limit; /* some were turned away, and told */
    for (uint32_t i = 0; i < world->pods_count && !is_over_full; i++) {
        const struct world_pod *pod = &world->pods[i];
        if (!pod->exists) {
            continue;
        }
        bool keeps_status = lists_nothing && pod->phase == POD_PHASE_RUNNING;
        if (pod->is_leaving) {
            world_broken(world, "I2: pod %s is still leaving", pod->uid);
        } else if (keeps_status) {
            continue;
        } else if (!pod_phase_is_terminal(pod->phase) && live[i] != 1) {
            world_broken(world, "I2: pod %s (%s) has %u groups", pod->uid,
                         pod_phase_name(pod->phase), live[i]);
        } else if (!pod_phase_is_terminal(pod->phase) && pod->phase != POD_PHASE_RUNNING) {
            world_broken(world, "I2: pod %s is %s although its group runs", pod->uid,
                         pod_phase_name(pod->phase));
        }
    }
}
