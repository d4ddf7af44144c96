/* stories.h - who tells stories: named ones, random ones, kept ones; and what they come to. */
#ifndef ECILET_TEST_SIM_STORIES_H
#define ECILET_TEST_SIM_STORIES_H

#include "world.h"

struct story_sum {
    struct world_figures figures;
    double hours;
    uint64_t stories, broken;
};

void sum_add_world(struct story_sum *sum, const struct world *world);
void sum_add(struct story_sum *sum, const struct story_sum *other);

/* Healing, convergence, ten minutes of silence. */
void story_ends_well(struct world *world);

/* Named scenarios with a crash at every request; prints a line. */
void scenarios_run(struct story_sum *sum);

/* Seeds from here on tell of two gateways of which one leads and the other waits. */
#define ELECTED_FIRST 1000000

struct story_order {
    uint64_t first, count;
    double hours;
    uint32_t jobs; /* processes at a time; the result does not depend on it */
    bool is_verbose, is_shown;
    bool stops; /* at the first broken story (mutants) */
};

void stories_run(const struct story_order *order, struct story_sum *sum);
/* The file of kept seeds: "seed hours sentence" in each line. False: it cannot be read. */
bool kept_run(const char *path, struct story_sum *sum);

#endif
