/*
 * brain_open.h - a brain for a test: the usual configuration, and memory of its own, as much as it
 * asks for and zeroed.
 */
#ifndef ECILET_TEST_BRAIN_OPEN_H
#define ECILET_TEST_BRAIN_OPEN_H

#include <stdlib.h>

#include "core/brain.h"

/* The pace and the caution of a product in its usual configuration; room as the test needs it. */
static inline struct brain_config brain_usual(uint32_t pods_max, uint32_t spare_groups)
{
    return (struct brain_config){
        .pods_max = pods_max,
        .groups_max = pods_max + spare_groups,
        .poll_fast_ms = 2000,
        .poll_slow_ms = 5000,
        .sweep_ms = 60000,
        .absence_ms = 20000,
        .absence_sweeps = 2,
        .young_ms = 60000,
        .brake_percent = 20,
        .brake_min = 2,
        .create_per_minute = 1000,
        .delete_per_minute = 1000,
        .describe_per_minute = 2000,
        .status_per_minute = 500,
        .cloud_calls_max = 16,
        .kube_calls_max = 16,
        .seed = 7,
    };
}

/* Starts it. Returns its memory, for free(). */
static inline void *brain_open(struct brain *brain, const struct brain_config *config, msec now_ms)
{
    struct region region;
    region_init(&region, NULL, 0);
    brain_init(brain, config, &region, now_ms);
    size_t bytes = (region.used + 8191) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    memset(memory, 0, bytes);
    memset(brain, 0, sizeof *brain);
    region_init(&region, memory, bytes);
    brain_init(brain, config, &region, now_ms);
    brain_start(brain, now_ms);
    return memory;
}

#endif
