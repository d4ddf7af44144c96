/*
 * sim_main.c - tells stories to the real brain and checks that they end well.
 *
 *     sim [--seed N] [--seeds N] [--hours N] [--jobs N] [--kept FILE] [--no-scenarios]
 *         [--verbose | --watch] [--mutant N]
 *
 * First the named scenarios with a crash at every request (scenarios.c) and the kept seeds; then
 * `seeds` random stories of `hours` virtual hours each (stories.c), and half as many, with seeds of
 * their own, of two gateways of which one leads and the other waits. Prints the figures that count
 * (hard events, not years) and, on a violation, the line that replays it. A run of 500 seeds of 24
 * hours or more fails, too, when too little happened in it.
 *
 *   --jobs N      so many processes side by side; the output is the same
 *   --watch       a table of the first seed's pods by state, a line per simulated minute (ten
 * minutes for stories of more than an hour)
 *   --verbose     the events that the brain tells people
 *   --mutant N    in build/sim-mutants only: plant bug N and stop at the first violation
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutant.h"
#include "stories.h"

#ifdef ECILET_MUTANTS
int mutant_chosen;
#endif

/* What a run of every commit has to go through (500 days at least): a simulator that has become
 * tame finds nothing, and would be believed. */
#define COMMIT_SEEDS 500
#define COMMIT_HOURS 24
#define AMBIGUOUS_MIN 500000
#define CRASHES_MIN 50000

struct arguments {
    struct story_order order;
    const char *kept;
    bool has_scenarios;
    int mutant;
};

static bool read_flag(struct arguments *out, const char *name)
{
    if (strcmp(name, "--verbose") == 0) {
        out->order.is_verbose = true;
    } else if (strcmp(name, "--watch") == 0) {
        out->order.is_shown = true;
    } else if (strcmp(name, "--no-scenarios") == 0) {
        out->has_scenarios = false;
    } else {
        return false;
    }
    return true;
}

static bool read_value(struct arguments *out, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0) {
        out->order.first = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--seeds") == 0) {
        out->order.count = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--hours") == 0) {
        out->order.hours = strtod(value, NULL);
    } else if (strcmp(name, "--jobs") == 0) {
        out->order.jobs = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(name, "--kept") == 0) {
        out->kept = value;
    } else if (strcmp(name, "--mutant") == 0) {
        out->mutant = (int)strtol(value, NULL, 10);
    } else {
        return false;
    }
    return true;
}

static bool read_arguments(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){.order = {.first = 1, .count = 20, .hours = 1, .jobs = 1},
                              .has_scenarios = true};
    for (int i = 1; i < argc; i++) {
        if (read_flag(out, argv[i])) {
            continue;
        }
        if (i + 1 == argc || !read_value(out, argv[i], argv[i + 1])) {
            return false;
        }
        i++;
    }
    if (out->order.is_verbose || out->order.is_shown) {
        out->order.count = 1;
        out->order.jobs = 1;
        out->has_scenarios = false;
    }
    return out->order.jobs > 0;
}

static void print_figures(const struct story_sum *random, const struct story_sum *elected,
                          const struct story_sum *all)
{
    random = random->stories > 0 ? random : elected;
    const struct world_figures *f = &random->figures;
    printf("one leads, one waits: stories: %llu, began to lead: %llu, instances asked for: %llu\n",
           (unsigned long long)elected->stories, (unsigned long long)elected->figures.turns,
           (unsigned long long)elected->figures.answers);
    printf(
        "stories: %llu, simulated time: %.2f node-years, ambiguous writes: %llu, crashes: %llu "
        "(%llu while recovering), relists: %llu (%llu stale), pods: %llu, groups: %llu, twins in "
        "forgetful clouds: %llu, requests: %llu, steps: %llu\nviolations: %llu\n",
        (unsigned long long)random->stories, random->hours / 24 / 365,
        (unsigned long long)f->ambiguous, (unsigned long long)f->crashes,
        (unsigned long long)f->crashes_recovering, (unsigned long long)f->relists,
        (unsigned long long)f->stale_lists, (unsigned long long)f->pods,
        (unsigned long long)f->groups, (unsigned long long)f->twins,
        (unsigned long long)f->requests, (unsigned long long)f->steps,
        (unsigned long long)all->broken);
}

/* Hard events are counted, not years: those are easily had by idling. */
static bool is_tame(const struct story_order *order, const struct story_sum *random)
{
    const struct world_figures *f = &random->figures;
    if (random->stories < COMMIT_SEEDS || order->hours < COMMIT_HOURS) {
        return false;
    }
    if (f->ambiguous >= AMBIGUOUS_MIN && f->crashes >= CRASHES_MIN && f->relists > 0) {
        return false;
    }
    printf("TOO TAME: %d seeds of %d hours have at least %d ambiguous writes and %d crashes\n",
           COMMIT_SEEDS, COMMIT_HOURS, AMBIGUOUS_MIN, CRASHES_MIN);
    return true;
}

static void tell_random(const struct story_order *order, struct story_sum *random,
                        struct story_sum *elected)
{
    if (order->first >= ELECTED_FIRST) {
        stories_run(order, elected);
        return;
    }
    stories_run(order, random);
    if (!order->is_verbose && !order->is_shown) {
        struct story_order others = *order;
        others.first += ELECTED_FIRST;
        others.count = (order->count + 1) / 2;
        stories_run(&others, elected);
    }
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct story_sum random = {.stories = 0}, elected = {.stories = 0}, all = {.stories = 0};
    if (!read_arguments(argc, argv, &arguments)) {
        fprintf(stderr, "usage: sim [--seed N] [--seeds N] [--hours N] [--jobs N] [--kept FILE] "
                        "[--no-scenarios] [--verbose | --watch] [--mutant N]\n");
        return 2;
    }
    if (arguments.mutant > 0) {
#ifdef ECILET_MUTANTS
        mutant_chosen = arguments.mutant;
        arguments.order.stops = true;
#else
        fprintf(stderr, "sim: no planted bugs in this build: make build/sim-mutants\n");
        return 2;
#endif
    }
    if (arguments.has_scenarios) {
        scenarios_run(&all);
    }
    if (arguments.kept != NULL && !kept_run(arguments.kept, &all)) {
        return 2;
    }
    tell_random(&arguments.order, &random, &elected);
    sum_add(&all, &random);
    sum_add(&all, &elected);
    print_figures(&random, &elected, &all);
    bool is_well = all.broken == 0 && !is_tame(&arguments.order, &random);
    return is_well ? 0 : 1;
}
