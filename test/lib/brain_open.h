/*
 * brain_open.h - a brain for a test, in memory of its own: as much as it asks for, and zeroed.
 */
#ifndef ECILET_TEST_BRAIN_OPEN_H
#define ECILET_TEST_BRAIN_OPEN_H

#include <stdlib.h>

#include "core/brain.h"

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
