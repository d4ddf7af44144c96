/* see wire_metrics.h; the names are in serve/metrics.def */
#include "app/wire_metrics.h"

#include "data/group_read.h"
#include "os/heap.h"
#include "os/log.h"
#include "os/os.h"
#include "serve/metrics.h"
#include "spec/pod_facts.h"

static void put_process(struct metrics_out *to, const struct wire *wire)
{
    struct heap_stats heap;
    heap_stats(&heap);
    metrics_put_label(to, METRIC_BUILD, "version", S(ECILET_VERSION), 1);
    metrics_put(to, METRIC_RESIDENT, os_resident_bytes());
    metrics_put_us(to, METRIC_CPU, os_cpu_us());
    metrics_put(to, METRIC_DESCRIPTORS, os_descriptors_open());
    metrics_put(to, METRIC_HEAP_USED, heap.bytes_used);
    metrics_put(to, METRIC_HEAP_MAX, heap.bytes_max);
    metrics_put(to, METRIC_HEAP_FAILURES, heap.failures);
    metrics_put(to, METRIC_ARENA_PEAK, wire->arena->peak);
    metrics_put(to, METRIC_LOG_DROPPED, log_dropped());
    metrics_put(to, METRIC_LOOP_TURNS, wire->loop->turns);
    metrics_put_us(to, METRIC_LOOP_SLOWEST, wire->loop->turn_us_max);
}

static void put_pools(struct metrics_out *to, const struct wire *wire)
{
    const struct pool *const pools[] = {&wire->brain.pods, &wire->brain.groups, &wire->jobs,
                                        &wire->cloud.calls, &wire->calls.sizes[0].pool};
    static const char *const names[] = {"pods", "groups", "jobs", "cloud_calls", "kube_calls"};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        metrics_put_label(to, METRIC_POOL_USED, "pool", str_of(names[i]), pools[i]->count);
    }
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        metrics_put_label(to, METRIC_POOL_MAX, "pool", str_of(names[i]), pools[i]->count_max);
    }
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        metrics_put_label(to, METRIC_POOL_REFUSED, "pool", str_of(names[i]), pools[i]->refused);
    }
}

static void put_objects(struct metrics_out *to, const struct brain *brain)
{
    uint64_t phases[POD_PHASE_COUNT] = {0};
    uint64_t statuses[ECI_STATUS_COUNT] = {0};
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        phases[brain_pod(brain, h)->phase]++;
    }
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        statuses[brain_group(brain, h)->status]++;
    }
    for (unsigned i = 0; i < POD_PHASE_COUNT; i++) {
        const char *name = pod_phase_name((enum pod_phase)i);
        metrics_put_label(to, METRIC_PODS, "phase", str_of(name[0] != '\0' ? name : "None"),
                          phases[i]);
    }
    for (unsigned i = 0; i < ECI_STATUS_COUNT; i++) {
        metrics_put_label(to, METRIC_GROUPS, "status", str_of(eci_status_name((enum eci_status)i)),
                          statuses[i]);
    }
}

static str effect_label(unsigned kind)
{
    return str_of(effect_name((enum effect_kind)kind));
}

/* How long the pod whose create is next has been known. */
static uint64_t oldest_create_us(const struct brain *brain, msec now_ms)
{
    const struct list_node *front = list_front(&brain->waiting[EFFECT_CREATE]);
    if (front == NULL) {
        return 0;
    }
    const struct pod *pod =
        (const struct pod *)(const void *)((const char *)front - offsetof(struct pod, queue_node));
    return (uint64_t)(now_ms - pod->seen_at_ms) * 1000;
}

static void put_effects(struct metrics_out *to, const struct brain *brain, msec now_ms)
{
    for (unsigned kind = EFFECT_NONE + 1; kind < EFFECT_KIND_COUNT; kind++) {
        metrics_put_label(to, METRIC_WAITING, "effect", effect_label(kind),
                          brain->waiting[kind].count);
    }
    for (unsigned kind = EFFECT_NONE + 1; kind < EFFECT_KIND_COUNT; kind++) {
        metrics_put_label(to, METRIC_IN_FLIGHT, "effect", effect_label(kind),
                          brain->in_flight[kind]);
    }
    metrics_put_us(to, METRIC_OLDEST, oldest_create_us(brain, now_ms));
    for (unsigned kind = EFFECT_NONE + 1; kind < EFFECT_KIND_COUNT; kind++) {
        for (unsigned fate = 0; fate < FATE_COUNT; fate++) {
            const struct prom_label labels[] = {
                {"effect", effect_label(kind)},
                {"fate", str_of(fate_name((enum fate)fate))}};
            metrics_put_labels(to, METRIC_EFFECTS, labels, 2, brain->counters.outcomes[kind][fate]);
        }
    }
}

static void put_brain(struct metrics_out *to, const struct brain *brain)
{
    metrics_put(to, METRIC_ORPHANS, brain->counters.orphans);
    metrics_put(to, METRIC_TWINS, brain->counters.twins);
    metrics_put(to, METRIC_LOST, brain->counters.lost);
    metrics_put(to, METRIC_DOUBTS, brain->counters.doubts);
    metrics_put(to, METRIC_BRAKE, brain->brake_is_on);
    metrics_put(to, METRIC_SWEEPS, brain->counters.sweeps);
    metrics_put(to, METRIC_CLOUD_UP, brain->cloud.is_reachable);
}

/* Counts by error become counts by fate. */
static void put_fates(struct metrics_out *to, enum metric metric, const uint64_t errors[ERR_COUNT])
{
    uint64_t fates[FATE_COUNT] = {0};
    for (unsigned err = 0; err < ERR_COUNT; err++) {
        fates[err_fate((enum err)err)] += errors[err];
    }
    for (unsigned fate = 0; fate < FATE_COUNT; fate++) {
        metrics_put_label(to, metric, "fate", str_of(fate_name((enum fate)fate)), fates[fate]);
    }
}

static void put_cloud(struct metrics_out *to, const struct eci_client *cloud)
{
    const struct eci_call_counters *is = &cloud->counters;
    int64_t offset_ms = eci_client_clock_offset_ms(cloud);
    for (unsigned i = 0; i < ECI_ACTION_COUNT; i++) {
        metrics_put_label(to, METRIC_CLOUD_CALLS, "action",
                          str_of(eci_action_name((enum eci_action)i)), is->calls[i]);
    }
    for (unsigned i = 0; i < ECI_ACTION_COUNT; i++) {
        metrics_put_label(to, METRIC_CLOUD_FAILURES, "action",
                          str_of(eci_action_name((enum eci_action)i)), is->failures[i]);
    }
    put_fates(to, METRIC_CLOUD_ERRORS, is->errors);
    metrics_put_us(to, METRIC_CLOUD_CLOCK,
                   (uint64_t)(offset_ms < 0 ? -offset_ms : offset_ms) * 1000);
}

static void put_cluster(struct metrics_out *to, const struct wire *wire)
{
    const struct kube_lease *lease = &wire->node.lease;
    put_fates(to, METRIC_KUBE_CALLS, wire->calls.done);
    metrics_put(to, METRIC_KUBE_REFUSED, wire->calls.refused);
    metrics_put(to, METRIC_WATCH_UP, wire->pods.is_connected);
    metrics_put(to, METRIC_WATCH_LISTS, wire->pods.lists);
    metrics_put(to, METRIC_WATCH_FAILURES, wire->pods.failures);
    metrics_put(to, METRIC_LEASE_RENEWALS, lease->renewals);
    metrics_put(to, METRIC_LEASE_FAILURES, lease->failures);
    if (lease->renewed_at_ms != 0) {
        metrics_put_us(to, METRIC_LEASE_AGE,
                       (uint64_t)(wire_now_ms(wire) - lease->renewed_at_ms) * 1000);
    }
    metrics_put(to, METRIC_EVENTS_DROPPED,
                wire->events.dropped + wire->brain.counters.events_dropped);
}

void wire_put_metrics(void *owner, struct buf *out)
{
    const struct wire *wire = owner;
    struct metrics_out to = {.out = out};
    put_process(&to, wire);
    put_pools(&to, wire);
    put_objects(&to, &wire->brain);
    put_effects(&to, &wire->brain, wire_now_ms(wire));
    put_brain(&to, &wire->brain);
    put_cloud(&to, &wire->cloud);
    put_cluster(&to, wire);
}
